// Makes keras-cases.json: small networks of many kinds of layers, with the outputs of TensorFlow.js' implementation of
// Keras (@tensorflow/tfjs 4.22.0). Usage: node keras-cases.mjs > keras-cases.json
import {createRequire} from 'module';
const require = createRequire(process.cwd() + '/');
const tf = require('@tensorflow/tfjs');
const layers = tf;
const L = layers.layers;

let state = 12345;
const random = () => { // numbers of three decimals, in [-0.8, 0.8]
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return Math.round((state / 0x7fffffff * 1.6 - 0.8) * 1000) / 1000;
};
const fill = shape => Array.from({length: shape.reduce((a, b) => a * b, 1)}, random);
const cases = [];

function add(name, inputs, outputs, data) {
  const model = layers.model({inputs, outputs});
  finish(name, model, data);
}

function sequential(name, list, data) {
  const model = layers.sequential();
  list.forEach(layer => model.add(layer));
  finish(name, model, data);
}

function finish(name, model, data) {
  const weights = {};
  for (const layer of model.layers) {
    const own = layer.weights;
    const values = own.map(w => {
      const v = fill(w.shape);
      return w.originalName.includes('variance') ? v.map(x => Math.abs(x) + 0.1) : v;
    });
    layer.setWeights(own.map((w, i) => tf.tensor(values[i], w.shape)));
    weights[layer.name] = own.map((w, i) => ({name: w.originalName, shape: w.shape, data: values[i]}));
  }
  const feeds = model.inputs.map((x, i) => {
    const shape = data?.[i]?.shape ?? [2, ...x.shape.slice(1).map(d => d ?? 5)];
    const values = data?.[i]?.values ?? fill(shape);
    return {name: x.name.split('/')[0].split(':')[0], shape, data: values};
  });
  const made = model.predict(feeds.map(f => tf.tensor(f.data, f.shape)));
  const outputs = (Array.isArray(made) ? made : [made]).map(
      t => ({shape: t.shape, data: Array.from(t.dataSync()).map(v => Number(v.toPrecision(7)))}));
  cases.push({name, model: plain(model.toJSON(null, false)), weights, inputs: feeds, outputs});
}

// Without what only training needs; and a model in a model is used a first time where it is used, as Keras writes it.
function plain(value) {
  if (Array.isArray(value)) {
    return /^sequential/.test(value[0]) && value[1] === 1 ? [value[0], 0, ...value.slice(2)] : value.map(plain);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  return Object.fromEntries(Object.entries(value)
      .filter(([key]) => !/_(initializer|regularizer|constraint)$/.test(key)).map(([key, v]) => [key, plain(v)]));
}

const seq = (time, size) => layers.input({shape: [time, size]});
const rnn = ['simpleRNN', 'gru', 'lstm'];
for (const kind of rnn) {
  for (const [i, options] of [
    {units: 3, returnSequences: true},
    {units: 4, goBackwards: true, returnSequences: true, activation: 'relu'},
    {units: 3, recurrentActivation: 'hardSigmoid', useBias: false},
    {units: 3, returnState: true, returnSequences: true, goBackwards: true, recurrentActivation: 'sigmoid'},
  ].entries()) {
    const x = seq(null, 2);
    const y = L[kind](options).apply(x);
    add(`${kind} ${i}`, x, y);
  }
}
for (const mergeMode of ['concat', 'sum', 'mul', 'ave']) {
  for (const returnSequences of [false, true]) {
    sequential(`bidirectional ${mergeMode} ${returnSequences}`, [
      L.bidirectional({layer: L.lstm({units: 2, returnSequences, recurrentActivation: 'sigmoid'}), mergeMode, inputShape: [4, 3]}),
      L.dense({units: 2, activation: 'softmax'}),
    ]);
  }
}
sequential('stacked bidirectional', [
  L.embedding({inputDim: 7, outputDim: 3, inputLength: 5}),
  L.bidirectional({layer: L.gru({units: 2, returnSequences: true, recurrentActivation: 'sigmoid'}), mergeMode: 'concat'}),
  L.bidirectional({layer: L.lstm({units: 2}), mergeMode: 'concat'}),
  L.dense({units: 1, activation: 'sigmoid'}),
], [{shape: [2, 5], values: [1, 2, 3, 4, 5, 6, 0, 2, 1, 3]}]);
sequential('cells', [
  L.rnn({cell: [L.lstmCell({units: 3}), L.lstmCell({units: 2})], returnSequences: true, inputShape: [4, 2]}),
]);
sequential('one cell backwards', [
  L.rnn({cell: L.gruCell({units: 3}), goBackwards: true, inputShape: [4, 2]}),
]);
{ // the classical sequence to sequence model
  const source = layers.input({shape: [null, 3]});
  const target = layers.input({shape: [4, 2]});
  const [, h, c] = L.lstm({units: 3, returnState: true, recurrentActivation: 'sigmoid'}).apply(source);
  const [sequence] = L.lstm({units: 3, returnSequences: true, returnState: true, recurrentActivation: 'sigmoid'})
      .apply(target, {initialState: [h, c]});
  add('sequence to sequence', [source, target], L.dense({units: 2, activation: 'softmax'}).apply(sequence));
}
sequential('time distributed', [
  L.timeDistributed({layer: L.conv1d({filters: 2, kernelSize: 2, activation: 'tanh'}), inputShape: [3, 4, 2]}),
  L.timeDistributed({layer: L.flatten()}),
  L.timeDistributed({layer: L.dense({units: 3, activation: 'elu'})}),
  L.lstm({units: 2}),
]);
const masked = [{shape: [3, 5], values: [0, 0, 3, 1, 2, 4, 0, 1, 0, 2, 5, 1, 0, 0, 0]}];
for (const returnSequences of [false, true]) {
  for (const kind of rnn) {
    sequential(`masked ${kind} ${returnSequences}`, [
      L.embedding({inputDim: 7, outputDim: 3, inputLength: 5, maskZero: true}),
      L[kind]({units: 3, returnSequences, goBackwards: kind === 'gru' && !returnSequences}),
      ...(returnSequences ? [L.lstm({units: 2})] : []),
    ], masked);
  }
}
for (const returnSequences of [false, true]) {
  sequential(`masked bidirectional ${returnSequences}`, [
    L.embedding({inputDim: 7, outputDim: 3, inputLength: 5, maskZero: true}),
    L.bidirectional({layer: L.gru({units: 3, returnSequences, recurrentActivation: 'sigmoid'}), mergeMode: 'sum'}),
    L.dense({units: 2}),
  ], masked);
}
sequential('masking', [
  L.masking({maskValue: 0.5, inputShape: [3, 2]}),
  L.dense({units: 2}),
  L.lstm({units: 3, returnSequences: true}),
], [{shape: [2, 3, 2], values: [0.5, 0.5, 0.1, 0.5, -0.3, 0.2, 0.4, 0.3, 0.5, 0.5, 0.5, 0.5]}]);
for (const [i, options] of [
  {filters: 3, kernelSize: 3, padding: 'same', activation: 'relu'},
  {filters: 2, kernelSize: 2, dilationRate: 2},
  {filters: 2, kernelSize: 3, strides: 2, useBias: false, activation: 'hardSigmoid'},
  {filters: 2, kernelSize: 3, strides: 2, padding: 'same', activation: 'softmax'},
].entries()) {
  sequential(`conv1d ${i}`, [
    L.conv1d({...options, inputShape: [6, 2]}), L.maxPooling1d({poolSize: 2}), L.lstm({units: 2}),
  ]);
}
for (const [i, options] of [
  {filters: 2, kernelSize: [3, 2], padding: 'same', strides: 2},
  {filters: 2, kernelSize: 3, dilationRate: 2, activation: 'selu'},
].entries()) {
  sequential(`conv2d ${i}`, [
    L.conv2d({...options, inputShape: [6, 5, 2]}),
    L.batchNormalization(), L.globalAveragePooling2d({}), L.dense({units: 2, activation: 'softplus'}),
  ]);
}
sequential('depthwise', [
  L.depthwiseConv2d({kernelSize: 3, depthMultiplier: 2, padding: 'same', activation: 'relu', inputShape: [4, 5, 2]}),
  L.separableConv2d({filters: 3, kernelSize: 2, depthMultiplier: 2, activation: 'tanh'}),
  L.averagePooling2d({poolSize: 2, padding: 'same'}), L.flatten(),
]);
sequential('transposed valid', [L.conv2dTranspose({filters: 3, kernelSize: [3, 2], strides: [2, 1], inputShape: [3, 4, 2]})]);
sequential('transposed same', [
  L.conv2dTranspose({filters: 2, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', inputShape: [3, 4, 2]})]);
sequential('around', [
  L.zeroPadding2d({padding: [[1, 2], [0, 1]], inputShape: [3, 4, 2]}), L.cropping2D({cropping: [[1, 1], [1, 0]]}),
  L.upSampling2d({size: [2, 3]}), L.globalMaxPooling2d({}),
]);
sequential('normalised', [
  L.layerNormalization({inputShape: [4, 3]}), L.batchNormalization({scale: false}), L.prelu({sharedAxes: [1]}),
  L.leakyReLU({alpha: 0.2}), L.elu(), L.thresholdedReLU({theta: 0.1}), L.softmax({axis: 2}),
]);
sequential('bounded', [L.reLU({maxValue: 0.4, inputShape: [9]}), L.dense({units: 3, activation: 'relu6'})]);
sequential('shapes', [
  L.dense({units: 6, inputShape: [4]}), L.reshape({targetShape: [3, 2]}), L.permute({dims: [2, 1]}), L.flatten(),
  L.repeatVector({n: 3}), L.dropout({rate: 0.4}), L.activation({activation: 'swish'}), L.averagePooling1d({poolSize: 2}),
  L.globalMaxPooling1d({}),
]);
{
  const a = seq(3, 2), b = seq(3, 2);
  const outs = [
    L.add().apply([a, b]), L.multiply().apply([a, b]), L.average().apply([a, b]), L.maximum().apply([a, b]),
    L.minimum().apply([a, b]), L.concatenate({axis: 1}).apply([a, b]), L.concatenate().apply([a, b]),
    L.dot({axes: 2}).apply([a, b]), L.dot({axes: 1, normalize: true}).apply([a, b]),
  ];
  add('merges', [a, b], outs);
}
{ // a layer that is used twice, and a model in a model
  const a = seq(3, 2), b = seq(3, 2);
  const shared = L.gru({units: 2, recurrentActivation: 'sigmoid'});
  const inner = layers.sequential({layers: [L.dense({units: 3, inputShape: [4], activation: 'tanh'}), L.batchNormalization()]});
  add('shared', [a, b], inner.apply(L.concatenate().apply([shared.apply(a), shared.apply(b)])));
}
for (const [i, options] of [
  {filters: 2, kernelSize: 3, padding: 'same', returnSequences: true},
  {filters: 2, kernelSize: [2, 3], strides: [2, 1], recurrentActivation: 'sigmoid', goBackwards: true, returnSequences: true},
  {filters: 1, kernelSize: [3, 2], dilationRate: 2, useBias: false, activation: 'relu'},
  {filters: 2, kernelSize: 3, strides: 2, padding: 'same', returnState: true, returnSequences: true},
  {filters: 2, kernelSize: [4, 2], padding: 'same', activation: 'softsign', recurrentActivation: 'sigmoid'},
].entries()) {
  const x = layers.input({shape: [i % 2 ? 3 : null, 5, 4, 2]});
  add(`convLstm2d ${i}`, x, L.convLstm2d(options).apply(x), [{shape: [2, 3, 5, 4, 2], values: fill([2, 3, 5, 4, 2])}]);
}
sequential('convLstm2d, channels first', [
  L.convLstm2d({filters: 2, kernelSize: [2, 3], dataFormat: 'channelsFirst', inputShape: [2, 3, 4, 5]}),
]);
for (const returnSequences of [false, true]) {
  sequential(`bidirectional convLstm2d ${returnSequences}`, [
    L.bidirectional({
      layer: L.convLstm2d({filters: 2, kernelSize: 3, padding: 'same', returnSequences}), mergeMode: 'concat',
      inputShape: [3, 4, 3, 1],
    }),
  ]);
}
sequential('frames', [
  L.convLstm2d({filters: 2, kernelSize: 3, padding: 'same', returnSequences: true, inputShape: [3, 4, 4, 1]}),
  L.timeDistributed({layer: L.maxPooling2d({poolSize: 2})}), L.convLstm2d({filters: 2, kernelSize: 2}),
  L.flatten(), L.dense({units: 2}),
]);
sequential('frames of any number', [
  L.timeDistributed({layer: L.conv2d({filters: 2, kernelSize: 2, activation: 'relu'}), inputShape: [null, 4, 3, 2]}),
  L.timeDistributed({layer: L.flatten()}), L.gru({units: 3, recurrentActivation: 'sigmoid'}),
]);
console.log('[');
cases.forEach((each, i) => console.log(JSON.stringify(each) + (i < cases.length - 1 ? ',' : '')));
console.log(']');

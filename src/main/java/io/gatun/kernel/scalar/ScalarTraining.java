package io.gatun.kernel.scalar;

import static io.gatun.kernel.scalar.HostKernels.bytes;
import static io.gatun.kernel.scalar.HostKernels.count;
import static io.gatun.kernel.scalar.HostKernels.reach;
import static io.gatun.kernel.scalar.HostKernels.readable;
import static io.gatun.kernel.scalar.HostKernels.segment;
import static io.gatun.kernel.scalar.HostKernels.writable;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The operations of training as plain loops in float64 on the calling thread: the truth that every
 * other device's are compared with. A subclass overrides what it does faster.
 *
 * <p>Belongs to one thread at a time.
 */
public class ScalarTraining implements TrainingKernels {
  private static final int BLOCK = 4096;

  /** The type of real numbers. */
  protected final DType real;

  private final ScalarKernels kernels;
  private final Scratch scratch = new Scratch(1);

  /** Of the window that was used last. */
  protected final Taps taps = new Taps();

  private ScalarPool pool;
  private final ScalarRecurrentTraining recurrence;

  /** For the kernels that it is a part of, and for subclasses. */
  protected ScalarTraining(ScalarKernels kernels) {
    this.kernels = kernels;
    this.real = kernels.real;
    this.recurrence = new ScalarRecurrentTraining(real);
  }

  /** Gives scratch memory back; another operation would take new. */
  protected void clear() {
    scratch.clear();
    recurrence.clear();
  }

  private double[] row(int slot, int size) {
    return scratch.get(0, slot, size);
  }

  private void load(Region region, long first, long stride, double[] to, int at, int count) {
    long offset = region.offset() + first * real.bytes();
    Elements.load(segment(region), real, offset, stride, to, at, count);
  }

  private void load(Region region, long first, double[] to, int count) {
    load(region, first, 1, to, 0, count);
  }

  private double get(Region region, long index) {
    return Elements.getDouble(segment(region), real, region.offset() + index * real.bytes());
  }

  private void put(Region region, long index, double value) {
    Elements.setDouble(segment(region), real, region.offset() + index * real.bytes(), value);
  }

  private void store(double[] from, Region region, long first, int count) {
    Elements.store(from, 0, segment(region), real, region.offset() + first * real.bytes(), count);
  }

  /** The bytes of so many reals. */
  protected final long realBytes(long count) {
    return bytes(count, real.bytes());
  }

  // ---- products -------------------------------------------------------------------------------

  @Override
  public void multiply(
      Region a,
      long aRowStride,
      long aInnerStride,
      Region b,
      long bInnerStride,
      long bColumnStride,
      int rows,
      int inner,
      int columns,
      Region c,
      long cRowStride) {
    checkMultiply(
        a,
        aRowStride,
        aInnerStride,
        b,
        bInnerStride,
        bColumnStride,
        rows,
        inner,
        columns,
        c,
        cRowStride);
    double[] left = row(0, inner);
    double[] right = row(1, columns);
    double[] sums = row(2, columns);
    for (int i = 0; i < rows; i++) {
      load(a, i * aRowStride, aInnerStride, left, 0, inner);
      Arrays.fill(sums, 0, columns, 0);
      for (int k = 0; k < inner; k++) {
        load(b, k * bInnerStride, bColumnStride, right, 0, columns);
        for (int j = 0; j < columns; j++) {
          sums[j] += left[k] * right[j];
        }
      }
      store(sums, c, i * cRowStride, columns);
    }
  }

  /** The checks at the door of a product. */
  protected final void checkMultiply(
      Region a,
      long aRowStride,
      long aInnerStride,
      Region b,
      long bInnerStride,
      long bColumnStride,
      int rows,
      int inner,
      int columns,
      Region c,
      long cRowStride) {
    count("rows", rows);
    count("inner", inner);
    count("columns", columns);
    readable("a", a, realBytes(reach("a", rows, aRowStride, inner, aInnerStride, 1)));
    readable("b", b, realBytes(reach("b", inner, bInnerStride, columns, bColumnStride, 1)));
    writable("c", c, realBytes(reach("c", 1, 0, rows, cRowStride, columns)));
    if (rows > 1 && cRowStride < columns) {
      throw new IllegalArgumentException(
          "c: rows of " + columns + " columns are " + cRowStride + " elements apart");
    }
  }

  // ---- element by element ---------------------------------------------------------------------

  @Override
  public void activationGradient(
      Activation activation,
      Region value,
      Region outputGradient,
      Region inputGradient,
      long count) {
    checkActivationGradient(value, outputGradient, inputGradient, count);
    double[] v = row(0, BLOCK);
    double[] gradient = row(1, BLOCK);
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      load(value, done, v, block);
      load(outputGradient, done, gradient, block);
      ActivationDerivatives.multiply(activation, v, gradient, block);
      store(gradient, inputGradient, done, block);
    }
  }

  /** The checks at the door of an activation's gradient. */
  protected final void checkActivationGradient(
      Region value, Region outputGradient, Region inputGradient, long count) {
    long bytes = realBytes(count("count", count));
    readable("value", value, bytes);
    readable("output gradient", outputGradient, bytes);
    writable("input gradient", inputGradient, bytes);
  }

  // ---- over rows ------------------------------------------------------------------------------

  /** The checks at the door of a gradient of rows. */
  protected final void checkRows(
      Region output, Region outputGradient, Region inputGradient, int rows, int size) {
    long bytes = realBytes(count("rows", rows) * count("size", size));
    readable("output", output, bytes);
    readable("output gradient", outputGradient, bytes);
    writable("input gradient", inputGradient, bytes);
  }

  @Override
  public void softmaxGradient(
      boolean logarithm,
      Region output,
      Region outputGradient,
      Region inputGradient,
      int rows,
      int size) {
    checkRows(output, outputGradient, inputGradient, rows, size);
    double[] y = row(0, size);
    double[] dy = row(1, size);
    for (int i = 0; i < rows; i++) {
      load(output, (long) i * size, y, size);
      load(outputGradient, (long) i * size, dy, size);
      double sum = 0;
      for (int j = 0; j < size; j++) {
        sum += logarithm ? dy[j] : dy[j] * y[j];
      }
      for (int j = 0; j < size; j++) {
        dy[j] = logarithm ? dy[j] - StrictMath.exp(y[j]) * sum : y[j] * (dy[j] - sum);
      }
      store(dy, inputGradient, (long) i * size, size);
    }
  }

  @Override
  public void layerNormGradient(
      Region input,
      Region scale,
      Region outputGradient,
      int rows,
      int size,
      double epsilon,
      Region inputGradient,
      Region scaleGradient,
      Region shiftGradient) {
    checkLayerNormGradient(
        input, scale, outputGradient, rows, size, inputGradient, scaleGradient, shiftGradient);
    double[] x = row(0, size);
    double[] dy = row(1, size);
    double[] scales = row(2, size);
    double[] toScale = row(3, size);
    double[] toShift = row(4, size);
    load(scale, 0, scales, size);
    Arrays.fill(toScale, 0, size, 0);
    Arrays.fill(toShift, 0, size, 0);
    for (int i = 0; i < rows; i++) {
      load(input, (long) i * size, x, size);
      load(outputGradient, (long) i * size, dy, size);
      LayerNormDerivative.apply(x, dy, 0, size, scales, 0, epsilon, toScale, toShift);
      if (inputGradient != null) {
        store(dy, inputGradient, (long) i * size, size);
      }
    }
    if (scaleGradient != null) {
      store(toScale, scaleGradient, 0, size);
    }
    if (shiftGradient != null) {
      store(toShift, shiftGradient, 0, size);
    }
  }

  /** The checks at the door of the gradients of layer normalisation. */
  protected final void checkLayerNormGradient(
      Region input,
      Region scale,
      Region outputGradient,
      int rows,
      int size,
      Region inputGradient,
      Region scaleGradient,
      Region shiftGradient) {
    long bytes = realBytes(count("rows", rows) * count("size", size));
    readable("input", input, bytes);
    readable("scale", scale, realBytes(size));
    readable("output gradient", outputGradient, bytes);
    if (inputGradient != null) {
      writable("input gradient", inputGradient, bytes);
    }
    if (scaleGradient != null) {
      writable("scale gradient", scaleGradient, realBytes(size));
    }
    if (shiftGradient != null) {
      writable("shift gradient", shiftGradient, realBytes(size));
    }
  }

  @Override
  public void reduceGradient(
      Reduction reduction,
      Region input,
      Region output,
      Region outputGradient,
      Region inputGradient,
      long outer,
      int size,
      long inner) {
    long results = realBytes(bytes(count("outer", outer), count("inner", inner)));
    readable("input", input, bytes(results, count("size", size)));
    readable("output", output, results);
    readable("output gradient", outputGradient, results);
    writable("input gradient", inputGradient, bytes(results, size));
    double[] x = row(0, size);
    for (long i = 0; i < outer; i++) {
      for (long j = 0; j < inner; j++) {
        long first = i * size * inner + j;
        load(input, first, inner, x, 0, size);
        double y = get(output, i * inner + j);
        double dy = get(outputGradient, i * inner + j);
        boolean found = false;
        for (int k = 0; k < size; k++) {
          double derivative =
              switch (reduction) {
                case SUM -> 1;
                case MEAN -> 1.0 / size;
                case L2 -> y == 0 ? 0 : x[k] / y;
                case PRODUCT -> productWithout(x, k, size);
                case MAXIMUM, MINIMUM -> !found && x[k] == y ? 1 : 0;
              };
          found |= x[k] == y;
          put(inputGradient, first + k * inner, dy * derivative);
        }
      }
    }
  }

  private static double productWithout(double[] x, int left, int count) {
    double product = 1;
    for (int k = 0; k < count; k++) {
      product *= k == left ? 1 : x[k];
    }
    return product;
  }

  @Override
  public void scatterAddRows(
      Region source,
      Region indices,
      DType indexType,
      long count,
      long rowSize,
      Region target,
      long tableRows) {
    checkScatter(source, indices, indexType, count, rowSize, target, tableRows);
    long elements = tableRows * rowSize;
    double[] sums = row(0, BLOCK);
    double[] x = row(1, BLOCK);
    Arrays.fill(sums, 0, BLOCK, 0);
    for (long done = 0; done < elements; done += BLOCK) {
      store(sums, target, done, (int) Math.min(BLOCK, elements - done));
    }
    for (long i = 0; i < count; i++) {
      long row = index(indices, indexType, i, tableRows);
      for (long done = 0; done < rowSize; done += BLOCK) {
        int block = (int) Math.min(BLOCK, rowSize - done);
        load(target, row * rowSize + done, sums, block);
        load(source, i * rowSize + done, x, block);
        for (int j = 0; j < block; j++) {
          sums[j] += x[j];
        }
        store(sums, target, row * rowSize + done, block);
      }
    }
  }

  /** The checks at the door of the gradient of gathering, every index among them. */
  protected final void checkScatter(
      Region source,
      Region indices,
      DType indexType,
      long count,
      long rowSize,
      Region target,
      long tableRows) {
    HostKernels.indexType(indexType);
    readable("source", source, realBytes(bytes(count("count", count), count("row size", rowSize))));
    readable("indices", indices, bytes(count, indexType.bytes()));
    writable("target", target, realBytes(bytes(count("table rows", tableRows), rowSize)));
    for (long i = 0; i < count; i++) {
      long row = index(indices, indexType, i, tableRows);
      if (row < 0 || row >= tableRows) {
        throw new IndexOutOfBoundsException(
            "indices: number "
                + i
                + " is "
                + index(indices, indexType, i, 0)
                + ", the table has "
                + tableRows
                + " rows");
      }
    }
  }

  /** An index; a negative one counts from the end. */
  protected static long index(Region indices, DType type, long at, long tableRows) {
    long index = Elements.getLong(segment(indices), type, indices.offset() + at * type.bytes());
    return index < 0 ? index + tableRows : index;
  }

  // ---- windows --------------------------------------------------------------------------------

  /** The checks at the door of a convolution; sets the taps. */
  protected final void checkConvolution(
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region bias,
      int batch,
      long[] spatial,
      Region output) {
    taps.set(spec, spatial);
    count("batch", batch);
    long in = (long) batch * spec.inputChannels() * taps.plane();
    long out = (long) batch * spec.outputChannels() * taps.outPlane();
    readable("input", input, realBytes(in));
    readable("weights", weights, realBytes(weightCount(spec)));
    readableIf("bias", bias, spec.outputChannels());
    readable("output", output, realBytes(out));
  }

  private long weightCount(ConvolutionSpec spec) {
    return (long) spec.outputChannels() * spec.inputChannels() / spec.groups() * taps.kernel();
  }

  @Override
  public void convolve(
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region bias,
      int batch,
      long[] spatial,
      Region output) {
    checkConvolution(spec, input, weights, bias, batch, spatial, output);
    checkWritable(output);
    ScalarWindows.convolve(real, taps, spec, input, weights, bias, batch, output, scratch);
  }

  @Override
  public void convolutionGradient(
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region outputGradient,
      int batch,
      long[] spatial,
      Region inputGradient,
      Region weightsGradient,
      Region biasGradient) {
    checkConvolution(spec, input, weights, null, batch, spatial, outputGradient);
    checkConvolutionGradients(spec, batch, inputGradient, weightsGradient, biasGradient);
    ScalarWindows.convolutionGradient(
        real,
        taps,
        spec,
        input,
        weights,
        outputGradient,
        batch,
        inputGradient,
        weightsGradient,
        biasGradient,
        scratch);
  }

  /** The checks of where the gradients of a convolution go. */
  protected final void checkConvolutionGradients(
      ConvolutionSpec spec,
      int batch,
      Region inputGradient,
      Region weightsGradient,
      Region biasGradient) {
    writableIf("input gradient", inputGradient, (long) batch * spec.inputChannels() * taps.plane());
    writableIf("weights' gradient", weightsGradient, weightCount(spec));
    writableIf("bias gradient", biasGradient, spec.outputChannels());
  }

  @Override
  public void poolGradient(
      PoolingSpec pooling,
      Region input,
      Region outputGradient,
      long planes,
      long[] spatial,
      Region inputGradient) {
    if (pool == null) {
      pool = new ScalarPool(real);
    }
    pool.backward(pooling, input, outputGradient, planes, spatial, inputGradient);
  }

  // ---- dropout --------------------------------------------------------------------------------

  @Override
  public void dropout(
      Region input,
      long[] extent,
      long[] maskStrides,
      Region seed,
      long stream,
      double ratio,
      Region output) {
    long count = checkDropout(input, extent, maskStrides, seed, ratio, output);
    if (count == 0) {
      return;
    }
    long key = DropoutMask.key(seedAt(seed), stream);
    int threshold = DropoutMask.threshold(ratio);
    double scale = 1 / (1 - ratio);
    int axes = extent.length;
    int size = axes == 0 ? 1 : Math.toIntExact(extent[axes - 1]);
    long step = axes == 0 ? 0 : maskStrides[axes - 1];
    double[] x = row(0, size);
    for (long done = 0; done < count; done += size) {
      long place = DropoutMask.place(done / size, extent, maskStrides);
      load(input, done, x, size);
      for (int i = 0; i < size; i++) {
        x[i] = DropoutMask.drops(key, place + i * step, threshold) ? 0 : x[i] * scale;
      }
      store(x, output, done, size);
    }
  }

  /** The checks at the door of dropout; the number of elements. */
  protected final long checkDropout(
      Region input, long[] extent, long[] maskStrides, Region seed, double ratio, Region output) {
    if (!(ratio >= 0 && ratio < 1)) {
      throw new IllegalArgumentException(
          "dropout ratio is " + ratio + ", expected 0 or more, less than 1");
    }
    if (maskStrides.length != extent.length) {
      throw new IllegalArgumentException(
          "mask: " + maskStrides.length + " strides for " + extent.length + " axes");
    }
    long count = 1;
    for (long size : extent) {
      count = bytes(count, count("extent", size));
    }
    readable("input", input, realBytes(count));
    readable("seed", seed, Long.BYTES);
    writable("output", output, realBytes(count));
    return count;
  }

  /** The checked seed. */
  protected static long seedAt(Region seed) {
    return Elements.getLong(segment(seed), DType.INT64, seed.offset());
  }

  // ---- losses ---------------------------------------------------------------------------------

  @Override
  public void crossEntropy(
      Region logits,
      Region labels,
      DType labelType,
      Region weights,
      int rows,
      int size,
      double smoothing,
      Region losses,
      Region logSums,
      Region counted) {
    checkCrossEntropy(logits, labels, labelType, weights, rows, size, smoothing);
    checkLosses(losses, logSums, counted, rows);
    double[] x = row(0, size);
    double total = 0;
    for (int i = 0; i < rows; i++) {
      load(logits, (long) i * size, x, size);
      double maximum = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < size; j++) {
        maximum = Math.max(maximum, x[j]);
      }
      double sum = 0;
      double all = 0;
      for (int j = 0; j < size; j++) {
        sum += StrictMath.exp(x[j] - maximum);
        all += x[j];
      }
      double logSum = maximum + StrictMath.log(sum);
      put(logSums, i, logSum);
      long label = label(labels, labelType, i);
      double loss = 0;
      if (label >= 0) {
        double weight = weights == null ? 1 : get(weights, i);
        loss = weight * (logSum - (1 - smoothing) * x[(int) label] - smoothing / size * all);
        total += weight;
      }
      put(losses, i, loss);
    }
    put(counted, 0, total);
  }

  @Override
  public void crossEntropyGradient(
      Region logits,
      Region logSums,
      Region labels,
      DType labelType,
      Region weights,
      int rows,
      int size,
      double smoothing,
      Region scale,
      Region gradient) {
    checkCrossEntropy(logits, labels, labelType, weights, rows, size, smoothing);
    checkCrossEntropyGradient(logSums, scale, gradient, rows, size);
    double[] x = row(0, size);
    double factor = get(scale, 0);
    for (int i = 0; i < rows; i++) {
      long label = label(labels, labelType, i);
      if (label < 0) {
        Arrays.fill(x, 0, size, 0);
      } else {
        load(logits, (long) i * size, x, size);
        double weight = factor * (weights == null ? 1 : get(weights, i));
        double logSum = get(logSums, i);
        for (int j = 0; j < size; j++) {
          double target = smoothing / size + (j == label ? 1 - smoothing : 0);
          x[j] = weight * (StrictMath.exp(x[j] - logSum) - target);
        }
      }
      store(x, gradient, (long) i * size, size);
    }
  }

  /** The checks of where cross-entropy's results go. */
  protected final void checkLosses(Region losses, Region logSums, Region counted, int rows) {
    writable("losses", losses, realBytes(rows));
    writable("log sums", logSums, realBytes(rows));
    writable("counted", counted, realBytes(1));
  }

  /** The checks of the other operands of its gradient. */
  protected final void checkCrossEntropyGradient(
      Region logSums, Region scale, Region gradient, int rows, int size) {
    readable("log sums", logSums, realBytes(rows));
    readable("scale", scale, realBytes(1));
    writable("gradient", gradient, realBytes((long) rows * size));
  }

  /** Checks that a region, whose size has been checked, may be written. */
  protected static void checkWritable(Region region) {
    writable("output", region, region.bytes());
  }

  /** The checks at the door of cross-entropy, every label among them. */
  protected final void checkCrossEntropy(
      Region logits,
      Region labels,
      DType labelType,
      Region weights,
      int rows,
      int size,
      double smoothing) {
    HostKernels.indexType(labelType);
    readable("logits", logits, realBytes(count("rows", rows) * count("size", size)));
    readable("labels", labels, bytes(rows, labelType.bytes()));
    if (weights != null) {
      readable("weights", weights, realBytes(rows));
    }
    if (!(smoothing >= 0 && smoothing <= 1)) {
      throw new IllegalArgumentException("label smoothing is " + smoothing + ", expected 0 to 1");
    }
    for (int i = 0; i < rows; i++) {
      long label = label(labels, labelType, i);
      if (label >= size) {
        throw new IndexOutOfBoundsException(
            "labels: number " + i + " is " + label + ", there are " + size + " classes");
      }
    }
  }

  /** One of the labels. */
  protected static long label(Region labels, DType type, int at) {
    MemorySegment memory = segment(labels);
    return Elements.getLong(memory, type, labels.offset() + (long) at * type.bytes());
  }

  // ---- recurrent layers -----------------------------------------------------------------------

  @Override
  public void recurrentForward(RecurrentTraining layer) {
    checkRecurrent(layer);
    recurrence.forward(layer);
  }

  @Override
  public void recurrentBackward(RecurrentTraining layer) {
    checkRecurrent(layer);
    checkBackward(layer);
    recurrence.backward(layer);
  }

  /** The checks at the door of both passes of a recurrent layer. */
  protected final void checkRecurrent(RecurrentTraining layer) {
    RecurrentSpec spec = layer.spec;
    RecurrentCall call = layer.call;
    long rows = (long) spec.gates() * spec.hiddenSize();
    kernels.checkRecurrent(spec, call);
    if (call.output == null) {
      throw new IllegalArgumentException("the output is missing, which training needs");
    }
    readable("input weights", layer.inputWeights, realBytes(rows * spec.inputSize()));
    readable("recurrent weights", layer.recurrentWeights, realBytes(rows * spec.stateSize()));
    readableIf("bias", layer.bias, 2 * rows);
    readableIf("peepholes", layer.peepholes, 3L * spec.hiddenSize());
    if (spec.projectionSize() > 0) {
      readable(
          "projection",
          layer.projection,
          realBytes((long) spec.projectionSize() * spec.hiddenSize()));
    }
    if (spec.layerNormalised()) {
      int count = spec.cell() == RecurrentSpec.Cell.LSTM ? 6 : 4;
      if (layer.normalisation.length != count) {
        throw new IllegalArgumentException(
            "layer normalisation has "
                + layer.normalisation.length
                + " weights, expected "
                + count);
      }
      for (int i = 0; i < count; i++) {
        readable(
            "layer normalisation",
            layer.normalisation[i],
            realBytes(i < 4 ? rows : spec.hiddenSize()));
      }
    }
    readableIf("hidden mask", layer.hiddenMask, (long) call.batch * spec.stateSize());
    writable(
        "kept",
        layer.kept,
        realBytes(bytes((long) call.time * call.batch, RecurrentTraining.keptSize(spec))));
  }

  /** The checks at the door of the way back. */
  protected final void checkBackward(RecurrentTraining layer) {
    RecurrentSpec spec = layer.spec;
    RecurrentCall call = layer.call;
    long rows = (long) spec.gates() * spec.hiddenSize();
    long states = (long) call.batch * spec.stateSize();
    long cells = (long) call.batch * spec.hiddenSize();
    readableIf(
        "output gradient",
        layer.outputGradient,
        reach(
            "output gradient",
            call.time,
            call.outputTimeStride,
            call.batch,
            call.outputRowStride,
            spec.stateSize()));
    readableIf("final hidden gradient", layer.finalHiddenGradient, states);
    readableIf("final cell gradient", layer.finalCellGradient, cells);
    writableIf(
        "input gradient",
        layer.inputGradient,
        reach(
            "input gradient",
            call.time,
            call.inputTimeStride,
            call.batch,
            call.inputRowStride,
            spec.inputSize()));
    writableIf("initial hidden gradient", layer.initialHiddenGradient, states);
    writableIf("initial cell gradient", layer.initialCellGradient, cells);
    writableIf("input weights' gradient", layer.inputWeightsGradient, rows * spec.inputSize());
    writableIf(
        "recurrent weights' gradient", layer.recurrentWeightsGradient, rows * spec.stateSize());
    writableIf("bias gradient", layer.biasGradient, 2 * rows);
    writableIf("peepholes' gradient", layer.peepholesGradient, 3L * spec.hiddenSize());
    writableIf(
        "projection's gradient",
        layer.projectionGradient,
        (long) spec.projectionSize() * spec.hiddenSize());
    for (int i = 0; i < layer.normalisationGradients.length; i++) {
      writableIf(
          "layer normalisation's gradient",
          layer.normalisationGradients[i],
          i < 4 ? rows : spec.hiddenSize());
    }
  }

  private void readableIf(String operand, Region region, long count) {
    if (region != null) {
      readable(operand, region, realBytes(count));
    }
  }

  private void writableIf(String operand, Region region, long count) {
    if (region != null) {
      writable(operand, region, realBytes(count));
    }
  }
}

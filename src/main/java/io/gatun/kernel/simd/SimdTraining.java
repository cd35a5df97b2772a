package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.DropoutMask;
import io.gatun.kernel.scalar.ScalarKernels;
import io.gatun.kernel.scalar.ScalarTraining;
import io.gatun.tensor.DType;

/**
 * The doors of the vector kernels of training; what has no vector form is inherited from the plain
 * loops.
 */
final class SimdTraining extends ScalarTraining implements AutoCloseable {
  private final AddressedProduct product;
  private final RecurrentTrainingRun recurrent;
  private final RowGradientRun rowRun;
  private final WindowRun windows;
  private final Scratch scratch = new Scratch();
  private long[] aRows = {};
  private long[] aInner = {};
  private long[] bInner = {};
  private long[] bColumns = {};
  private long[] cRows = {};

  SimdTraining(ScalarKernels kernels, Workers workers) {
    super(kernels);
    product = new AddressedProduct(workers);
    recurrent = new RecurrentTrainingRun(workers, product);
    rowRun = new RowGradientRun(workers);
    windows = new WindowRun(product);
  }

  /** Where a checked region begins; 0 where there is none. */
  static long address(Region region) {
    return region == null ? 0 : SimdKernels.begin(region);
  }

  @Override
  public void close() {
    product.close();
    recurrent.close();
    rowRun.close();
    windows.close();
    scratch.close();
    clear();
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
    aRows = places(aRows, address(a), aRowStride, rows);
    aInner = places(aInner, 0, aInnerStride, inner);
    bInner = places(bInner, address(b), bInnerStride, inner);
    bColumns = places(bColumns, 0, bColumnStride, columns);
    cRows = places(cRows, address(c), cRowStride, rows);
    product.run(aRows, aInner, bInner, bColumns, rows, inner, columns, cRows);
  }

  private static long[] places(long[] array, long first, long stride, int count) {
    long[] places = array.length >= count ? array : new long[count];
    for (int i = 0; i < count; i++) {
      places[i] = first + i * stride * Float.BYTES;
    }
    return places;
  }

  // ---- recurrent layers -----------------------------------------------------------------------

  @Override
  public void recurrentForward(RecurrentTraining layer) {
    if (layer.call.batch == 0 || !RecurrentTrainingRun.handles(layer)) {
      super.recurrentForward(layer);
      return;
    }
    checkRecurrent(layer);
    recurrent.forward(layer);
  }

  @Override
  public void recurrentBackward(RecurrentTraining layer) {
    if (layer.call.batch == 0 || !RecurrentTrainingRun.handles(layer)) {
      super.recurrentBackward(layer);
      return;
    }
    checkRecurrent(layer);
    checkBackward(layer);
    recurrent.backward(layer);
  }

  // ---- element by element ---------------------------------------------------------------------

  @Override
  public void activationGradient(
      Activation activation,
      Region value,
      Region outputGradient,
      Region inputGradient,
      long count) {
    switch (activation.kind()) {
      case TANH, SIGMOID, RELU, EXPONENTIAL -> {}
      default -> {
        super.activationGradient(activation, value, outputGradient, inputGradient, count);
        return;
      }
    }
    checkActivationGradient(value, outputGradient, inputGradient, count);
    long y = address(value);
    long dy = address(outputGradient);
    long dx = address(inputGradient);
    // An int counts the vectors of one call.
    long chunk = (long) LANES << 24;
    long whole = count / LANES * LANES;
    for (long done = 0; done < whole; done += chunk) {
      long at = done * Float.BYTES;
      int vectors = (int) (Math.min(chunk, whole - done) / LANES);
      pass(activation, y + at, dy + at, dx + at, vectors);
    }
    if (whole < count) {
      long at = whole * Float.BYTES;
      int rest = (int) (count - whole);
      long staged = reserve(2L * BYTES);
      Floats.copy(y + at, staged, rest);
      Floats.copy(dy + at, staged + BYTES, rest);
      pass(activation, staged, staged + BYTES, staged, 1);
      Floats.copy(staged, dx + at, rest);
    }
  }

  private static void pass(Activation activation, long y, long dy, long dx, int vectors) {
    switch (activation.kind()) {
      case TANH -> GradientPasses.tanh(y, dy, dx, vectors);
      case SIGMOID -> GradientPasses.sigmoid(y, dy, dx, vectors);
      case RELU -> GradientPasses.relu(y, dy, dx, vectors);
      default -> GradientPasses.product(y, dy, dx, vectors);
    }
  }

  private long reserve(long bytes) {
    scratch.reserve(0, 0, bytes);
    return scratch.address();
  }

  @Override
  public void dropout(
      Region input,
      long[] extent,
      long[] maskStrides,
      Region seed,
      long stream,
      double ratio,
      Region output) {
    int axes = extent.length;
    int size = axes == 0 ? 0 : (int) Math.min(Integer.MAX_VALUE, extent[axes - 1]);
    if (size < LANES || maskStrides[axes - 1] != 1) {
      super.dropout(input, extent, maskStrides, seed, stream, ratio, output);
      return;
    }
    long count = checkDropout(input, extent, maskStrides, seed, ratio, output);
    if (count == 0) {
      return;
    }
    long key = DropoutMask.key(seedAt(seed), stream);
    int threshold = DropoutMask.threshold(ratio);
    float scale = (float) (1 / (1 - ratio));
    long in = address(input);
    long out = address(output);
    int vectors = size / LANES;
    for (long done = 0; done < count; done += size) {
      long place = DropoutMask.place(done / size, extent, maskStrides);
      long at = done * Float.BYTES;
      int whole = place + size > Integer.MAX_VALUE ? 0 : vectors;
      GradientPasses.dropout(
          in + at, out + at, whole, (int) place, (int) key, (int) (key >>> 32), threshold, scale);
      for (int i = whole * LANES; i < size; i++) {
        float x = Floats.get(in + at, i);
        boolean drops = DropoutMask.drops(key, place + i, threshold);
        Floats.put(out + at, i, drops ? 0 : x * scale);
      }
    }
  }

  // ---- over rows ------------------------------------------------------------------------------

  @Override
  public void softmaxGradient(
      boolean logarithm,
      Region output,
      Region outputGradient,
      Region inputGradient,
      int rows,
      int size) {
    checkRows(output, outputGradient, inputGradient, rows, size);
    rowRun.softmax(
        logarithm, address(output), address(outputGradient), address(inputGradient), rows, size);
  }

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
    rowRun.crossEntropy(
        address(logits),
        address(labels),
        labelType.bytes(),
        address(weights),
        rows,
        size,
        (float) smoothing,
        address(losses),
        address(logSums));
    double total = 0;
    for (int i = 0; i < rows; i++) {
      if (label(labels, labelType, i) >= 0) {
        total += weights == null ? 1 : Floats.get(address(weights), i);
      }
    }
    Floats.put(address(counted), 0, (float) total);
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
    rowRun.crossEntropyGradient(
        address(logits),
        address(logSums),
        address(labels),
        labelType.bytes(),
        address(weights),
        rows,
        size,
        (float) smoothing,
        Floats.get(address(scale), 0),
        address(gradient));
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
    if (size % LANES != 0) {
      super.layerNormGradient(
          input,
          scale,
          outputGradient,
          rows,
          size,
          epsilon,
          inputGradient,
          scaleGradient,
          shiftGradient);
      return;
    }
    checkLayerNormGradient(
        input, scale, outputGradient, rows, size, inputGradient, scaleGradient, shiftGradient);
    int vectors = size / LANES;
    long row = (long) vectors * BYTES;
    long partial = reserve(BYTES + 5 * row);
    long ones = partial + BYTES;
    long normal = ones + row;
    long g = normal + row;
    long toScale = g + row;
    long toShift = toScale + row;
    Floats.fill(ones, 0, size, 1);
    Floats.fill(toScale, 0, size, 0);
    Floats.fill(toShift, 0, size, 0);
    for (int i = 0; i < rows; i++) {
      long x = address(input) + i * row;
      long dy = address(outputGradient) + i * row;
      RowPasses.sum(x, vectors, partial);
      float mean = (float) (Floats.sum(partial) / size);
      RowPasses.squares(x, vectors, partial, mean);
      float factor = (float) (1 / Math.sqrt(Floats.sum(partial) / size + epsilon));
      RowPasses.normalise(x, normal, vectors, mean, factor, ones);
      GradientPasses.addProduct(toScale, dy, normal, vectors);
      TrainingPasses.addVectors(toShift, dy, vectors);
      if (inputGradient == null) {
        continue;
      }
      GradientPasses.product(address(scale), dy, g, vectors);
      RowPasses.sum(g, vectors, partial);
      float mid = (float) (Floats.sum(partial) / size);
      GradientPasses.dot(g, normal, vectors, partial);
      float slope = (float) (Floats.sum(partial) / size);
      GradientPasses.layerNorm(
          g, normal, address(inputGradient) + i * row, vectors, factor, mid, slope);
    }
    if (scaleGradient != null) {
      Floats.copy(toScale, address(scaleGradient), size);
    }
    if (shiftGradient != null) {
      Floats.copy(toShift, address(shiftGradient), size);
    }
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
    if (rowSize > Integer.MAX_VALUE) {
      super.scatterAddRows(source, indices, indexType, count, rowSize, target, tableRows);
      return;
    }
    checkScatter(source, indices, indexType, count, rowSize, target, tableRows);
    long from = address(source);
    long to = address(target);
    long elements = tableRows * rowSize;
    GradientPasses.zero(to, elements / LANES);
    for (long i = elements / LANES * LANES; i < elements; i++) {
      Floats.put(to, i, 0);
    }
    for (long i = 0; i < count; i++) {
      // Clamped although checked: another thread may have written there since.
      long row = Math.max(0, Math.min(tableRows - 1, index(indices, indexType, i, tableRows)));
      TrainingPasses.add(
          to + row * rowSize * Float.BYTES, from + i * rowSize * Float.BYTES, (int) rowSize);
    }
  }

  // ---- windows --------------------------------------------------------------------------------

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
    windows.convolve(
        taps, spec, address(input), address(weights), address(bias), batch, address(output));
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
    windows.gradient(
        taps,
        spec,
        address(input),
        address(weights),
        address(outputGradient),
        batch,
        address(inputGradient),
        address(weightsGradient),
        address(biasGradient));
  }
}

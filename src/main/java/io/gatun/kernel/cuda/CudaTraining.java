package io.gatun.kernel.cuda;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Bounds;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.kernel.scalar.DropoutMask;
import io.gatun.tensor.DType;

/** The operations of training, in the order of work of the kernels they belong to. */
final class CudaTraining implements TrainingKernels, AutoCloseable {
  private final CudaKernels kernels;
  private final Order order;
  private final Launch launch;
  private final Door door;
  private final Windows windows;
  private final RecurrentTrainingRun recurrence;
  private final RecurrentTrainingRun.Operands operands = new RecurrentTrainingRun.Operands();

  CudaTraining(CudaKernels kernels, Order order) {
    this.kernels = kernels;
    this.order = order;
    launch = order.launch;
    door = order.door;
    windows = new Windows(order);
    recurrence = new RecurrentTrainingRun(kernels, order);
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
    kernels.enter();
    Bounds.count("rows", rows);
    Bounds.count("inner", inner);
    Bounds.count("columns", columns);
    long left = door.reals("a", a, Bounds.reach("a", rows, aRowStride, inner, aInnerStride, 1));
    long right =
        door.reals("b", b, Bounds.reach("b", inner, bInnerStride, columns, bColumnStride, 1));
    long to = door.outReals("c", c, Bounds.reach("c", rows, cRowStride, columns));
    CudaKernels.checkRowStride(rows, columns, cRowStride);
    order.products.multiply(
        left,
        aRowStride,
        aInnerStride,
        right,
        bInnerStride,
        bColumnStride,
        rows,
        inner,
        columns,
        to,
        cRowStride,
        false);
  }

  // ---- element by element, and over rows ------------------------------------------------------

  @Override
  public void activationGradient(
      Activation activation,
      Region value,
      Region outputGradient,
      Region inputGradient,
      long count) {
    kernels.enter();
    long v = door.reals("value", value, Bounds.count("count", count));
    long dy = door.reals("output gradient", outputGradient, count);
    long dx = door.outReals("input gradient", inputGradient, count);
    launch
        .of("activationGradient")
        .pointer(v)
        .pointer(dy)
        .pointer(dx)
        .number(count)
        .activation(activation)
        .overElements(count);
  }

  @Override
  public void softmaxGradient(
      boolean logarithm,
      Region output,
      Region outputGradient,
      Region inputGradient,
      int rows,
      int size) {
    kernels.enter();
    long count = Bounds.count("rows", rows) * Bounds.count("size", size);
    long y = door.reals("output", output, count);
    long dy = door.reals("output gradient", outputGradient, count);
    long dx = door.outReals("input gradient", inputGradient, count);
    launch
        .of("softmaxGradient")
        .pointer(y)
        .pointer(dy)
        .pointer(dx)
        .number(rows)
        .number(size)
        .flag(logarithm)
        .overRows(rows, size);
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
    kernels.enter();
    long count = Bounds.count("rows", rows) * Bounds.count("size", size);
    long x = door.reals("input", input, count);
    long scales = door.reals("scale", scale, size);
    long dy = door.reals("output gradient", outputGradient, count);
    long dx = door.outRealsIf("input gradient", inputGradient, count);
    long toScale = door.outRealsIf("scale gradient", scaleGradient, size);
    long toShift = door.outRealsIf("shift gradient", shiftGradient, size);
    long statistics = order.scratch(Order.Slot.STATISTICS, 2L * rows * Double.BYTES);
    if (dx == dy && (toScale != 0 || toShift != 0)) {
      // The second kernel reads what the first would write over.
      long copy = order.scratchReals(Order.Slot.LEFT, count);
      order.copy(dy, copy, count * Float.BYTES);
      dy = copy;
    }
    launch
        .of("layerNormGradient")
        .pointer(x)
        .pointer(scales)
        .pointer(dy)
        .pointer(dx)
        .pointer(statistics)
        .number(rows)
        .number(size)
        .number(size)
        .number(size)
        .precise(epsilon)
        .overRows(rows, size);
    if (toScale != 0 || toShift != 0) {
      launch
          .of("layerNormWeightsGradient")
          .pointer(x)
          .pointer(dy)
          .pointer(statistics)
          .pointer(toScale)
          .pointer(toShift)
          .number(rows)
          .number(size)
          .number(size)
          .number(size)
          .overTiles(Math.ceilDiv(size, 32));
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
    kernels.enter();
    Bounds.indexType(indexType);
    Bounds.count("count", count);
    Bounds.count("row size", rowSize);
    Bounds.count("table rows", tableRows);
    long from = door.reals("source", source, Bounds.bytes(count, rowSize));
    long places = door.in("indices", indices, Bounds.bytes(count, indexType.bytes()));
    long to = door.outReals("target", target, Bounds.bytes(tableRows, rowSize));
    kernels.checkIndices(
        "indices", indices, indexType, count, -tableRows, tableRows, "the table has %d rows");
    order.zero(to, tableRows * rowSize * Float.BYTES);
    launch
        .of("scatterAddRows")
        .pointer(from)
        .pointer(places)
        .pointer(to)
        .number(count)
        .number(rowSize)
        .number(tableRows)
        .flag(indexType == DType.INT64)
        .overRows(count, rowSize);
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
    kernels.enter();
    long results = Bounds.bytes(Bounds.count("outer", outer), Bounds.count("inner", inner));
    long elements = Bounds.bytes(results, Bounds.count("size", size));
    long x = door.reals("input", input, elements);
    long y = door.reals("output", output, results);
    long dy = door.reals("output gradient", outputGradient, results);
    long dx = door.outReals("input gradient", inputGradient, elements);
    launch
        .of("reduceGradient")
        .pointer(x)
        .pointer(y)
        .pointer(dy)
        .pointer(dx)
        .number(outer)
        .number(size)
        .number(inner)
        .code(reduction.ordinal())
        .overElements(results);
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
    kernels.enter();
    if (!(ratio >= 0 && ratio < 1)) {
      throw new IllegalArgumentException(
          "dropout ratio is " + ratio + ", expected 0 or more, less than 1");
    }
    if (maskStrides.length != extent.length || extent.length > Launch.AXES) {
      throw new IllegalArgumentException(
          "mask: "
              + maskStrides.length
              + " strides for "
              + extent.length
              + " axes, expected as many, and "
              + Launch.AXES
              + " at most");
    }
    long count = 1;
    for (long size : extent) {
      count = Bounds.bytes(count, Bounds.count("extent", size));
    }
    long from = door.reals("input", input, count);
    long at = door.in("seed", seed, Long.BYTES);
    long to = door.outReals("output", output, count);
    launch
        .of("dropout")
        .pointer(from)
        .pointer(to)
        .pointer(at)
        .number(stream)
        .axes(extent, maskStrides, null, 0)
        .precise(1 / (1 - ratio))
        .code(DropoutMask.threshold(ratio))
        .overElements(count);
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
    kernels.enter();
    windows.shape(spec, spatial);
    Bounds.count("batch", batch);
    long x = door.reals("input", input, (long) batch * spec.inputChannels() * windows.plane());
    long w = door.reals("weights", weights, windows.weights());
    long b = door.realsIf("bias", bias, spec.outputChannels());
    long outputs = (long) batch * spec.outputChannels() * windows.outPlane();
    long y = door.outReals("output", output, outputs);
    windows.convolve(x, w, batch, y);
    windows.finish(y, b, batch, Activation.IDENTITY);
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
    kernels.enter();
    windows.shape(spec, spatial);
    Bounds.count("batch", batch);
    long inputs = (long) batch * spec.inputChannels() * windows.plane();
    long channels = spec.outputChannels();
    long x = door.reals("input", input, inputs);
    long w = door.reals("weights", weights, windows.weights());
    long dy = door.reals("output gradient", outputGradient, batch * channels * windows.outPlane());
    long dx = door.outRealsIf("input gradient", inputGradient, inputs);
    long dw = door.outRealsIf("weights' gradient", weightsGradient, windows.weights());
    long db = door.outRealsIf("bias gradient", biasGradient, channels);
    if (dx != 0) {
      windows.inputGradient(w, dy, batch, dx);
    }
    if (dw != 0) {
      windows.weightsGradient(x, dy, batch, dw);
    }
    if (db != 0) {
      long sums = order.scratchReals(Order.Slot.PARTIAL, 2 * Math.max(1, batch * channels));
      int area = Math.toIntExact(windows.outPlane());
      kernels.reduce(Reduction.SUM, dy, sums, batch * channels, area, 1);
      kernels.reduce(Reduction.SUM, sums, db, 1, batch, channels);
    }
  }

  @Override
  public void poolGradient(
      PoolingSpec pooling,
      Region input,
      Region outputGradient,
      long planes,
      long[] spatial,
      Region inputGradient) {
    kernels.enter();
    windows.shape(pooling.window(), spatial);
    Bounds.count("planes", planes);
    long x = door.reals("input", input, Bounds.bytes(planes, windows.plane()));
    long dy =
        door.reals("output gradient", outputGradient, Bounds.bytes(planes, windows.outPlane()));
    long dx = door.outReals("input gradient", inputGradient, planes * windows.plane());
    windows.poolGradient(pooling, x, dy, planes, dx);
  }

  // ---- losses ---------------------------------------------------------------------------------

  private void checkLoss(Region labels, DType labelType, int rows, int size, double smoothing) {
    if (!(smoothing >= 0 && smoothing <= 1)) {
      throw new IllegalArgumentException("label smoothing is " + smoothing + ", expected 0 to 1");
    }
    // Any negative label is one that is ignored.
    kernels.checkIndices(
        "labels", labels, labelType, rows, Long.MIN_VALUE, size, "there are %d classes");
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
    kernels.enter();
    Bounds.indexType(labelType);
    long x = door.reals("logits", logits, Bounds.count("rows", rows) * Bounds.count("size", size));
    long at = door.in("labels", labels, Bounds.bytes(rows, labelType.bytes()));
    long factors = door.realsIf("weights", weights, rows);
    checkLoss(labels, labelType, rows, size, smoothing);
    long toLosses = door.outReals("losses", losses, rows);
    long toSums = door.outReals("log sums", logSums, rows);
    long toCounted = door.outReals("counted", counted, 1);
    boolean wide = labelType == DType.INT64;
    launch
        .of("crossEntropy")
        .pointer(x)
        .pointer(at)
        .pointer(factors)
        .pointer(toLosses)
        .pointer(toSums)
        .number(rows)
        .number(size)
        .precise(smoothing)
        .flag(wide)
        .overRows(rows, size);
    launch
        .of("crossEntropyCounted")
        .pointer(at)
        .pointer(factors)
        .pointer(toCounted)
        .number(rows)
        .flag(wide)
        .overTiles(1);
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
    kernels.enter();
    Bounds.indexType(labelType);
    long count = Bounds.count("rows", rows) * Bounds.count("size", size);
    long x = door.reals("logits", logits, count);
    long at = door.in("labels", labels, Bounds.bytes(rows, labelType.bytes()));
    long factors = door.realsIf("weights", weights, rows);
    checkLoss(labels, labelType, rows, size, smoothing);
    long sums = door.reals("log sums", logSums, rows);
    long factor = door.reals("scale", scale, 1);
    long dx = door.outReals("gradient", gradient, count);
    launch
        .of("crossEntropyGradient")
        .pointer(x)
        .pointer(sums)
        .pointer(at)
        .pointer(factors)
        .pointer(factor)
        .pointer(dx)
        .number(rows)
        .number(size)
        .precise(smoothing)
        .flag(labelType == DType.INT64)
        .overElements(count);
  }

  // ---- recurrent layers -----------------------------------------------------------------------

  @Override
  public void recurrentForward(RecurrentTraining layer) {
    kernels.enter();
    check(layer);
    recurrence.forward(layer, operands);
  }

  @Override
  public void recurrentBackward(RecurrentTraining layer) {
    kernels.enter();
    check(layer);
    checkBackward(layer);
    recurrence.backward(layer, operands);
  }

  private void check(RecurrentTraining layer) {
    RecurrentSpec spec = layer.spec;
    RecurrentCall call = layer.call;
    if (spec.layerNormalised()) {
      throw new UnsupportedOperationException(
          "a recurrent layer with layer normalisation is not trained on a GPU; the devices simd and"
              + " scalar train it");
    }
    long rows = (long) spec.gates() * spec.hiddenSize();
    long hidden = spec.hiddenSize();
    kernels.check(spec, call, operands.call);
    if (call.output == null) {
      throw new IllegalArgumentException("the output is missing, which training needs");
    }
    operands.inputWeights =
        door.reals("input weights", layer.inputWeights, rows * spec.inputSize());
    operands.recurrentWeights =
        door.reals("recurrent weights", layer.recurrentWeights, rows * spec.stateSize());
    operands.bias = door.realsIf("bias", layer.bias, 2 * rows);
    operands.peepholes = door.realsIf("peepholes", layer.peepholes, 3 * hidden);
    operands.projection =
        spec.projectionSize() == 0
            ? 0
            : door.reals("projection", layer.projection, spec.projectionSize() * hidden);
    operands.mask =
        door.realsIf("hidden mask", layer.hiddenMask, (long) call.batch * spec.stateSize());
    long kept = Bounds.bytes((long) call.time * call.batch, RecurrentTraining.keptSize(spec));
    operands.kept = door.outReals("kept", layer.kept, kept);
  }

  private void checkBackward(RecurrentTraining layer) {
    RecurrentSpec spec = layer.spec;
    RecurrentCall call = layer.call;
    long rows = (long) spec.gates() * spec.hiddenSize();
    long hidden = spec.hiddenSize();
    long states = (long) call.batch * spec.stateSize();
    long cells = call.batch * hidden;
    operands.outputGradient =
        door.realsIf(
            "output gradient",
            layer.outputGradient,
            Bounds.reach(
                "output gradient",
                call.time,
                call.outputTimeStride,
                call.batch,
                call.outputRowStride,
                spec.stateSize()));
    operands.finalHiddenGradient =
        door.realsIf("final hidden gradient", layer.finalHiddenGradient, states);
    operands.finalCellGradient =
        door.realsIf("final cell gradient", layer.finalCellGradient, cells);
    operands.inputGradient =
        door.outRealsIf(
            "input gradient",
            layer.inputGradient,
            Bounds.reach(
                "input gradient",
                call.time,
                call.inputTimeStride,
                call.batch,
                call.inputRowStride,
                spec.inputSize()));
    operands.initialHiddenGradient =
        door.outRealsIf("initial hidden gradient", layer.initialHiddenGradient, states);
    operands.initialCellGradient =
        door.outRealsIf("initial cell gradient", layer.initialCellGradient, cells);
    operands.inputWeightsGradient =
        door.outRealsIf(
            "input weights' gradient", layer.inputWeightsGradient, rows * spec.inputSize());
    operands.recurrentWeightsGradient =
        door.outRealsIf(
            "recurrent weights' gradient", layer.recurrentWeightsGradient, rows * spec.stateSize());
    operands.biasGradient = door.outRealsIf("bias gradient", layer.biasGradient, 2 * rows);
    operands.peepholesGradient =
        door.outRealsIf("peepholes' gradient", layer.peepholesGradient, 3 * hidden);
    operands.projectionGradient =
        door.outRealsIf(
            "projection's gradient", layer.projectionGradient, spec.projectionSize() * hidden);
  }

  @Override
  public void close() {
    recurrence.close();
  }
}

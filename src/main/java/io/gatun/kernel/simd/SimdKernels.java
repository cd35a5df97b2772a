package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarKernels;
import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * The doors of the vector kernels: what comes in is checked here, and from here on there are only
 * addresses. Rows that are no whole number of vectors are computed in scratch memory, filled up
 * with something harmless, so that no kernel has a second form for what is left over and an
 * element's bits do not depend on where in a vector it lay.
 */
final class SimdKernels extends ScalarKernels {
  /** So many of the largest are found one after the other, each in a pass over the row. */
  private static final int MOST_EXTRACTED = 8;

  /** Vectors of a row that are added up in float32 before the sum goes on in float64. */
  private static final int SUMMED_VECTORS = 128;

  private SimdTraining training;
  private final ColumnSums columnSums;
  private final Scratch[] scratch;
  private final MultiplyRun multiply;
  private final RecurrentRun recurrent;

  /** One for each direction of a layer, where a thread has a direction to itself. */
  private final RecurrentRun[] directions;

  private final Workers.Task bothDirections;
  private final EmbeddedRun embedded;
  private final BatchedRun batched;
  private final ConvolutionShape convolutionShape = new ConvolutionShape();
  private final ConvolutionRun convolution;
  private final PlaceRun places;
  private final ChannelRun channels;
  private final BinaryRun binary;
  private final OptimiserRun optimiser = new OptimiserRun();

  SimdKernels(SimdDevice device, Workers workers) {
    super(device, workers);
    binary = new BinaryRun(workers);
    columnSums = new ColumnSums(workers);
    scratch = new Scratch[workers.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
    multiply = new MultiplyRun(scratch);
    recurrent = new RecurrentRun(workers, scratch);
    directions = new RecurrentRun[Math.min(2, scratch.length)];
    for (int i = 0; i < directions.length; i++) {
      directions[i] = new RecurrentRun(Workers.none(), new Scratch[] {scratch[i]});
    }
    bothDirections = (part, worker) -> directions[part].run();
    embedded = new EmbeddedRun(workers, scratch);
    batched = new BatchedRun(scratch);
    convolution = new ConvolutionRun(scratch, convolutionShape);
    places = new PlaceRun(scratch, convolutionShape);
    channels = new ChannelRun(scratch, convolutionShape);
  }

  static <T> T own(Class<T> type, String operand, Object packed) {
    if (!type.isInstance(packed)) {
      throw new IllegalArgumentException(
          operand
              + " is a "
              + (packed == null ? "null" : packed.getClass().getSimpleName())
              + " of another device");
    }
    return type.cast(packed);
  }

  private static long address(Region region) {
    return region == null ? 0 : readable("region", region, 0);
  }

  /** Where a checked region begins. */
  static long begin(Region region) {
    return readable("region", region, 0);
  }

  @Override
  public TrainingKernels training() {
    if (training == null) {
      training = new SimdTraining(this, workers);
    }
    return training;
  }

  // ---- linear algebra -------------------------------------------------------------------------

  @Override
  public void multiply(
      Region a,
      long aRowStride,
      int rows,
      PackedMatrix b,
      Activation activation,
      Region c,
      long cRowStride) {
    SimdPackedMatrix matrix = own(SimdPackedMatrix.class, "b", b);
    matrix.panels.checkOpen("b");
    checkMultiply(a, aRowStride, rows, b, c, cRowStride);
    int parts =
        multiply.prepare(address(a), aRowStride, rows, matrix, activation, address(c), cRowStride);
    workers.run(parts, multiply);
  }

  @Override
  public void multiply(BatchedProduct products, Region a, Region b, Region c) {
    checkMultiply(products, a, b, c);
    workers.run(batched.prepare(products, address(a), address(b), address(c)), batched);
  }

  @Override
  public void recurrent(PackedRecurrent layer, RecurrentCall call) {
    SimdPackedRecurrent packed = checked(layer, call);
    if (call.batch == 0) {
      return;
    }
    if (call.embedding != null) {
      boolean lstm = packed.spec().cell() == Cell.LSTM;
      embedded.prepare(
          call,
          address(call.tokens),
          address(call.lengths),
          address(call.initialHidden),
          lstm ? address(call.initialCell) : 0,
          address(call.output),
          address(call.finalHidden),
          lstm ? address(call.finalCell) : 0);
      workers.run(embedded.parts(), embedded);
      return;
    }
    prepare(recurrent, packed, call);
    recurrent.run();
  }

  /**
   * With few sequences a thread takes a direction to itself: neither waits for the other, as the
   * members of a team do at every step.
   */
  @Override
  public void recurrent(
      PackedRecurrent forward,
      RecurrentCall forwardCall,
      PackedRecurrent backward,
      RecurrentCall backwardCall) {
    SimdPackedRecurrent first = checked(forward, forwardCall);
    SimdPackedRecurrent second = checked(backward, backwardCall);
    if (forwardCall.embedding == null
        && backwardCall.embedding == null
        && RecurrentRun.sideBySide(first, forwardCall, scratch.length)
        && RecurrentRun.sideBySide(second, backwardCall, scratch.length)) {
      prepare(directions[0], first, forwardCall);
      prepare(directions[1], second, backwardCall);
      workers.run(2, bothDirections);
    } else {
      recurrent(forward, forwardCall);
      recurrent(backward, backwardCall);
    }
  }

  private SimdPackedRecurrent checked(PackedRecurrent layer, RecurrentCall call) {
    SimdPackedRecurrent packed = own(SimdPackedRecurrent.class, "layer", layer);
    packed.input().checkOpen("layer");
    if (call.embedding != null) {
      own(SimdPackedEmbedding.class, "embedding", call.embedding).checkOpen(packed);
    }
    checkRecurrent(packed.spec(), call);
    return packed;
  }

  private static void prepare(RecurrentRun run, SimdPackedRecurrent layer, RecurrentCall call) {
    boolean lstm = layer.spec().cell() == Cell.LSTM;
    run.prepare(
        layer,
        call,
        address(call.input),
        address(call.lengths),
        address(call.initialHidden),
        lstm ? address(call.initialCell) : 0,
        address(call.output),
        address(call.finalHidden),
        lstm ? address(call.finalCell) : 0);
  }

  @Override
  public void convolve(
      PackedConvolution convolution,
      Region input,
      int batch,
      long[] spatial,
      Activation activation,
      Region output) {
    SimdPackedConvolution packed = own(SimdPackedConvolution.class, "convolution", convolution);
    ConvolutionSpec spec = packed.spec;
    count("batch", batch);
    ConvolutionShape shape = convolutionShape;
    shape.take(spec, spatial);
    long in = bytes((long) batch * spec.inputChannels(), shape.plane);
    long out = bytes((long) batch * spec.outputChannels(), shape.outPlane);
    readable("input", input, bytes(in, Float.BYTES));
    writable("output", output, bytes(out, Float.BYTES));
    long from = address(input);
    long to = address(output);
    if (ChannelRun.fits(spec)) {
      workers.run(channels.prepare(packed, from, batch, activation, to), channels);
    } else if (PlaceRun.pays(spec, shape)) {
      workers.run(places.prepare(packed, from, batch, activation, to), places);
    } else {
      workers.run(this.convolution.prepare(packed, from, batch, activation, to), this.convolution);
    }
  }

  // ---- element by element ---------------------------------------------------------------------

  @Override
  public void activate(Activation activation, Region input, Region output, long count) {
    checkElementwise(input, output, count);
    long in = address(input);
    long out = address(output);
    // An int counts the vectors of one call.
    long chunk = (long) LANES << 24;
    long whole = count / LANES * LANES;
    for (long done = 0; done < whole; done += chunk) {
      int vectors = (int) (Math.min(chunk, whole - done) / LANES);
      long at = done * Float.BYTES;
      Activations.apply(activation, in + at, 0, out + at, 0, 1, vectors);
    }
    if (whole < count) {
      long at = whole * Float.BYTES;
      long rest = (count - whole) * Float.BYTES;
      long temporary = reserve(BYTES);
      MemorySegment.copy(MEMORY, in + at, MEMORY, temporary, rest);
      Activations.apply(activation, temporary, 0, temporary, 0, 1, 1);
      MemorySegment.copy(MEMORY, temporary, MEMORY, out + at, rest);
    }
  }

  @Override
  public void binary(
      BinaryOperation operation,
      DType type,
      Region a,
      long[] aStrides,
      Region b,
      long[] bStrides,
      Region output,
      long[] extent) {
    DType stored = device().stored(type);
    if (operation == BinaryOperation.POWER
        && stored == DType.FLOAT32
        && isOne(bStrides, extent)
        && Floats.get(readable("b", b, Float.BYTES), 0) == 2) {
      // To the same bits: a float has a square in float64, and both round it once.
      binary(BinaryOperation.MULTIPLY, type, a, aStrides, a, aStrides, output, extent);
      return;
    }
    if (stored != DType.FLOAT32
        || aStrides.length != extent.length
        || bStrides.length != extent.length
        || !binary.plan(operation, aStrides, bStrides, extent)) {
      super.binary(operation, type, a, aStrides, b, bStrides, output, extent);
      return;
    }
    checkBinary(stored, a, aStrides, b, bStrides, output, extent);
    for (long size : extent) {
      if (size == 0) {
        return;
      }
    }
    long splat = reserve(2L * BYTES);
    binary.run(
        operation, address(a), aStrides, address(b), bStrides, address(output), extent, splat);
  }

  /** Whether an operand is one number that is repeated. */
  private static boolean isOne(long[] strides, long[] extent) {
    boolean one = strides.length == extent.length;
    for (int axis = 0; one && axis < strides.length; axis++) {
      one = strides[axis] == 0 || extent[axis] == 1;
    }
    return one;
  }

  /** Scratch memory of the calling thread. */
  private long reserve(long bytes) {
    scratch[0].reserve(0, 0, bytes);
    return scratch[0].address();
  }

  // ---- over rows ------------------------------------------------------------------------------

  @Override
  public void softmax(
      Region input, Region output, int rows, int size, Region lengths, int rowsPerLength) {
    checkRows(input, output, rows, size);
    checkSoftmaxLengths(lengths, rows, size, rowsPerLength);
    long in = address(input);
    long out = address(output);
    long partial = reserve(BYTES + (long) Lanes.padded(size) * Float.BYTES);
    long staged = partial + BYTES;
    for (int row = 0; row < rows; row++) {
      // Clamped although checked: another thread may have written there since.
      int length =
          lengths == null
              ? size
              : Math.max(0, Math.min(size, lengthAt(lengths, row / rowsPerLength)));
      long offset = (long) row * size * Float.BYTES;
      if (ColdStart.lasts(ColdStart.ROWS)) {
        PlainLoops.softmax(in + offset, out + offset, length, false);
        ColdStart.rehearse(ColdStart.ROWS, 16L * size);
        Floats.fill(out + offset, length, size, 0);
        continue;
      }
      int vectors = Lanes.vectors(length);
      long from = stage(in + offset, staged, length, Float.NEGATIVE_INFINITY);
      long to = from == staged ? staged : out + offset;
      float maximum = maximum(from, vectors, partial);
      RowPasses.expAndSum(from, to, vectors, partial, maximum);
      RowPasses.scale(to, to, vectors, 1 / (float) Floats.sum(partial));
      unstage(to, out + offset, length);
      Floats.fill(out + offset, length, size, 0);
    }
  }

  @Override
  public void logSoftmax(Region input, Region output, int rows, int size) {
    checkRows(input, output, rows, size);
    long in = address(input);
    long out = address(output);
    long partial = reserve(BYTES + (long) Lanes.padded(size) * Float.BYTES);
    long staged = partial + BYTES;
    int vectors = Lanes.vectors(size);
    for (int row = 0; row < rows; row++) {
      long offset = (long) row * size * Float.BYTES;
      if (ColdStart.lasts(ColdStart.ROWS)) {
        PlainLoops.softmax(in + offset, out + offset, size, true);
        ColdStart.rehearse(ColdStart.ROWS, 16L * size);
        continue;
      }
      long from = stage(in + offset, staged, size, Float.NEGATIVE_INFINITY);
      long to = from == staged ? staged : out + offset;
      float maximum = maximum(from, vectors, partial);
      RowPasses.expSum(from, vectors, partial, maximum);
      RowPasses.subtract(from, to, vectors, maximum, (float) Math.log(Floats.sum(partial)));
      unstage(to, out + offset, size);
    }
  }

  @Override
  public void layerNorm(
      Region input, Region output, int rows, int size, Region scale, Region shift, double epsilon) {
    checkRows(input, output, rows, size);
    checkLayerNorm(size, scale, shift, epsilon);
    long in = address(input);
    long out = address(output);
    int vectors = Lanes.vectors(size);
    long row = (long) vectors * BYTES;
    long partial = reserve(BYTES + 3 * row);
    long staged = partial + BYTES;
    long scales = stage(address(scale), staged + row, size, 0);
    long shifts = shift == null ? 0 : stage(address(shift), staged + 2 * row, size, 0);
    for (int i = 0; i < rows; i++) {
      long offset = (long) i * size * Float.BYTES;
      long from = stage(in + offset, staged, size, 0);
      long to = from == staged ? staged : out + offset;
      normalise(from, to, size, scales, shifts, epsilon, partial);
      unstage(to, out + offset, size);
    }
  }

  /** One row of whole vectors; what it is filled up with is 0, and is overwritten. */
  private static void normalise(
      long from, long to, int size, long scale, long shift, double epsilon, long partial) {
    int vectors = Lanes.vectors(size);
    RowPasses.sum(from, vectors, partial);
    float mean = (float) (Floats.sum(partial) / size);
    // What fills the row up lies at its mean and adds nothing to its variance.
    Floats.fill(from, size, vectors * LANES, mean);
    RowPasses.squares(from, vectors, partial, mean);
    float factor = (float) (1 / Math.sqrt(Floats.sum(partial) / size + epsilon));
    RowPasses.normalise(from, to, vectors, mean, factor, scale);
    if (shift != 0) {
      RowPasses.addBias(to, 0, 1, vectors, shift);
    }
  }

  @Override
  public void reduce(
      Reduction reduction, Region input, Region output, long outer, int size, long inner) {
    if (reduction == Reduction.SUM && inner >= LANES && size > 2) {
      checkReduce(input, output, outer, size, inner);
      columnSums.run(address(input), outer, size, Math.toIntExact(inner), address(output));
      return;
    }
    if (inner != 1 || size < LANES || reduction == Reduction.PRODUCT) {
      super.reduce(reduction, input, output, outer, size, inner);
      return;
    }
    checkReduce(input, output, outer, size, inner);
    long in = address(input);
    long out = address(output);
    int vectors = size / LANES;
    long partial = reserve(BYTES);
    for (long row = 0; row < outer; row++) {
      long from = in + row * size * Float.BYTES;
      Floats.put(out, row, reduceRow(reduction, from, size, vectors, partial));
    }
  }

  private static float reduceRow(
      Reduction reduction, long from, int size, int vectors, long partial) {
    if (reduction == Reduction.MAXIMUM || reduction == Reduction.MINIMUM) {
      return extreme(reduction, from, size, vectors, partial);
    }
    // The lanes' own sums are float32: short ones, or a million terms would lose three digits.
    double sum = 0;
    for (int done = 0; done < vectors; done += SUMMED_VECTORS) {
      int some = Math.min(SUMMED_VECTORS, vectors - done);
      long at = from + (long) done * BYTES;
      if (reduction == Reduction.L2) {
        RowPasses.squares(at, some, partial, 0f);
      } else {
        RowPasses.sum(at, some, partial);
      }
      sum += Floats.sum(partial);
    }
    for (int i = vectors * LANES; i < size; i++) {
      double x = Floats.get(from, i);
      sum += reduction == Reduction.L2 ? x * x : x;
    }
    return (float)
        switch (reduction) {
          case MEAN -> sum / size;
          case L2 -> Math.sqrt(sum);
          default -> sum;
        };
  }

  private static float extreme(
      Reduction reduction, long from, int size, int vectors, long partial) {
    int rest = vectors * LANES;
    // The passes pass over NaN; a sum does not.
    RowPasses.sum(from, vectors, partial);
    final double sum = Floats.sum(partial);
    boolean largest = reduction == Reduction.MAXIMUM;
    if (largest) {
      RowPasses.maximum(from, vectors, partial);
    } else {
      RowPasses.minimum(from, vectors, partial);
    }
    float result = Floats.get(partial, 0);
    for (int i = 1; i < LANES; i++) {
      float x = Floats.get(partial, i);
      result = largest ? Math.max(result, x) : Math.min(result, x);
    }
    for (int i = rest; i < size; i++) {
      float x = Floats.get(from, i);
      result = largest ? Math.max(result, x) : Math.min(result, x);
    }
    return Double.isNaN(sum) ? nanOrInfinite(from, rest, result) : result;
  }

  /** A sum that is NaN may come from infinities of both signs: then the result stands. */
  private static float nanOrInfinite(long from, int size, float result) {
    for (int i = 0; i < size; i++) {
      if (Float.isNaN(Floats.get(from, i))) {
        return Float.NaN;
      }
    }
    return result;
  }

  @Override
  public void topK(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    if (k == 0 || k > 64 || size < LANES) {
      super.topK(input, rows, size, k, values, indices, indexType);
      return;
    }
    checkTopK(input, rows, size, k, values, indices, indexType);
    long in = address(input);
    long best = address(values);
    long places = address(indices);
    int width = indexType.bytes();
    for (int row = 0; row < rows; row++) {
      TopK.row(
          in + (long) row * size * Float.BYTES,
          size,
          k,
          best + (long) row * k * Float.BYTES,
          places + (long) row * k * width,
          width);
    }
  }

  @Override
  public void topLogSoftmax(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    checkTopK(input, rows, size, k, values, indices, indexType);
    long in = address(input);
    long best = address(values);
    long places = address(indices);
    int width = indexType.bytes();
    int vectors = Lanes.vectors(size);
    long partial = reserve(BYTES + (long) vectors * BYTES);
    long row = partial + BYTES;
    for (int i = 0; i < rows; i++) {
      long from = in + (long) i * size * Float.BYTES;
      long value = best + (long) i * k * Float.BYTES;
      long place = places + (long) i * k * width;
      if (ColdStart.lasts(ColdStart.ROWS)) {
        PlainLoops.softmax(from, row, size, true);
        TopK.plainly(row, size, k, value, place, width);
        ColdStart.rehearse(ColdStart.ROWS, 16L * size);
        continue;
      }
      MemorySegment.copy(MEMORY, from, MEMORY, row, (long) size * Float.BYTES);
      Floats.fill(row, size, vectors * LANES, Float.NEGATIVE_INFINITY);
      float maximum = RowPasses.largest(row, vectors);
      RowPasses.expSum(row, vectors, partial, maximum);
      double sum = Floats.sum(partial);
      RowPasses.subtract(row, row, vectors, maximum, (float) Math.log(sum));
      // A sum that is a number says that they all are, and that the largest is not infinite.
      if (k <= MOST_EXTRACTED && sum < Double.POSITIVE_INFINITY && sum > 0) {
        TopK.extract(row, size, k, value, place, width);
      } else {
        TopK.row(row, size, k, value, place, width);
      }
    }
  }

  // ---- rows that are no whole number of vectors -----------------------------------------------

  /**
   * Where a row can be read as whole vectors: where it lies, or if it is none of whole vectors, in
   * scratch memory, filled up with a value.
   */
  private static long stage(long row, long staged, int size, float filling) {
    if (size % LANES == 0) {
      return row;
    }
    MemorySegment.copy(MEMORY, row, MEMORY, staged, (long) size * Float.BYTES);
    Floats.fill(staged, size, Lanes.padded(size), filling);
    return staged;
  }

  private static void unstage(long from, long row, int size) {
    if (from != row) {
      MemorySegment.copy(MEMORY, from, MEMORY, row, (long) size * Float.BYTES);
    }
  }

  private static float maximum(long row, int vectors, long partial) {
    RowPasses.maximum(row, vectors, partial);
    float maximum = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < LANES; i++) {
      float x = Floats.get(partial, i);
      maximum = Math.max(maximum, x);
    }
    return maximum;
  }

  /** Gives scratch memory back; another operation would take new. */
  @Override
  public void close() {
    for (Scratch each : scratch) {
      each.close();
    }
    columnSums.close();
    if (training != null) {
      training.close();
    }
    super.close();
  }

  // ---- training -------------------------------------------------------------------------------

  @Override
  public double sumOfSquares(Region values, long count) {
    checkElementwise(values, values, count);
    return optimiser.sumOfSquares(workers, address(values), count);
  }

  @Override
  public void optimise(
      OptimiserStep step,
      Region parameters,
      Region gradients,
      Region first,
      Region second,
      long count) {
    checkOptimise(step, parameters, gradients, first, second, count);
    int moments = step.moments();
    int parts =
        optimiser.prepare(
            step,
            address(parameters),
            address(gradients),
            moments > 0 ? address(first) : 0,
            moments > 1 ? address(second) : 0,
            count);
    workers.run(parts, optimiser);
  }
}

package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.kernel.UnaryOperation;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.lang.foreign.MemorySegment;

/**
 * The kernels as plain loops: numbers are read into heap arrays, everything is computed and summed
 * in float64, and results are rounded once, when they are stored. Products and recurrent layers use
 * the workers, everything else runs on the calling thread.
 *
 * <p>Made to be extended: a subclass overrides what it does faster and inherits the rest, together
 * with the checks of {@link HostKernels}. The packed operands of this class are those of {@link
 * ScalarDevice}; a subclass that packs differently overrides the three operations that take them.
 *
 * <p>Belongs to one thread at a time.
 */
public class ScalarKernels extends HostKernels {
  /** Elements that are read, computed and written at a time. */
  private static final int BLOCK = 4096;

  private final Scratch scratch;
  private final ScalarProduct product;
  private final ScalarBatchedProduct batchedProduct;
  private final ScalarRecurrence recurrence;
  private final ScalarConvolver convolver;
  private ScalarTraining training;
  private ScalarPool pool;
  private int[] ranked = new int[0];
  private long[] contiguous = new long[0];

  /** For the device, and for subclasses. */
  protected ScalarKernels(HostDevice device, Workers workers) {
    super(device, workers);
    scratch = new Scratch(workers.size());
    product = new ScalarProduct(real, scratch);
    batchedProduct = new ScalarBatchedProduct(real, scratch);
    recurrence = new ScalarRecurrence(real, scratch);
    convolver = new ScalarConvolver(real, scratch, workers.size());
  }

  /** Scratch memory of the calling thread: at least {@code size} elements with anything in them. */
  private double[] row(int slot, int size) {
    return scratch.get(0, slot, size);
  }

  /** Runs the parts with the workers, or here alone where memory is this thread's only. */
  private void spread(int parts, Workers.Task task, boolean shareable) {
    if (shareable) {
      workers.run(parts, task);
    } else {
      for (int part = 0; part < parts; part++) {
        task.run(part, 0);
      }
    }
  }

  private long realBytes(long count) {
    return bytes(count, real.bytes());
  }

  private static <T> T own(Class<T> type, String operand, Object packed) {
    if (!type.isInstance(packed)) {
      throw new IllegalArgumentException(
          operand
              + " is a "
              + (packed == null ? "null" : packed.getClass().getSimpleName())
              + " of another device");
    }
    return type.cast(packed);
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
    ScalarMatrix matrix = own(ScalarMatrix.class, "b", b);
    checkMultiply(a, aRowStride, rows, b, c, cRowStride);
    int parts = product.begin(a, aRowStride, rows, matrix, activation, c, cRowStride);
    spread(parts, product, shareable(a) && shareable(c));
  }

  /** The checks at the door of the product with a packed matrix. */
  protected final void checkMultiply(
      Region a, long aRowStride, int rows, PackedMatrix b, Region c, long cRowStride) {
    count("rows", rows);
    readable("a", a, realBytes(reach("a", rows, aRowStride, b.inner())));
    writable("c", c, realBytes(reach("c", rows, cRowStride, b.columns())));
    if (rows > 1 && cRowStride < b.columns()) {
      throw new IllegalArgumentException(
          "c: rows of " + b.columns() + " columns are " + cRowStride + " elements apart");
    }
  }

  @Override
  public void multiply(BatchedProduct products, Region a, Region b, Region c) {
    checkMultiply(products, a, b, c);
    int parts = batchedProduct.begin(products, a, b, c);
    spread(parts, batchedProduct, shareable(a) && shareable(b) && shareable(c));
  }

  /** The checks at the door of the products of two varying sides. */
  protected final void checkMultiply(BatchedProduct products, Region a, Region b, Region c) {
    int number = products.aOffsets().length;
    if (products.bOffsets().length != number) {
      throw new ShapeException(
          "batched product: "
              + number
              + " left-hand sides, "
              + products.bOffsets().length
              + " right-hand sides");
    }
    int rows = (int) count("rows", products.rows());
    int inner = (int) count("inner", products.inner());
    int columns = (int) count("columns", products.columns());
    checkMatrices(
        "a", a, products.aOffsets(), rows, products.aRowStride(), inner, products.aInnerStride());
    checkMatrices(
        "b",
        b,
        products.bOffsets(),
        inner,
        products.bInnerStride(),
        columns,
        products.bColumnStride());
    writable("c", c, realBytes(bytes(bytes(number, rows), columns)));
  }

  private void checkMatrices(
      String operand,
      Region region,
      long[] offsets,
      int rows,
      long rowStride,
      int columns,
      long columnStride) {
    readable(operand, region, 0);
    if (rows == 0 || columns == 0) {
      return;
    }
    long elements = region.bytes() / real.bytes();
    long low;
    long high;
    try {
      long down = Math.multiplyExact(rows - 1, rowStride);
      long across = Math.multiplyExact(columns - 1, columnStride);
      low = Math.addExact(Math.min(down, 0), Math.min(across, 0));
      high = Math.addExact(Math.max(down, 0), Math.max(across, 0));
    } catch (ArithmeticException overflow) {
      low = Long.MIN_VALUE;
      high = Long.MAX_VALUE;
    }
    for (int i = 0; i < offsets.length; i++) {
      if (offsets[i] < 0
          || offsets[i] >= elements
          || offsets[i] < -low
          || high >= elements - offsets[i]) {
        throw new IndexOutOfBoundsException(
            operand
                + ": product "
                + i
                + " reaches elements "
                + low
                + " to "
                + high
                + " from "
                + offsets[i]
                + ", the region has "
                + region.bytes()
                + " bytes, "
                + elements
                + " elements");
      }
    }
  }

  @Override
  public void recurrent(PackedRecurrent layer, RecurrentCall call) {
    ScalarRecurrent weights = own(ScalarRecurrent.class, "layer", layer);
    if (call.embedding != null) {
      own(ScalarEmbedding.class, "embedding", call.embedding);
    }
    checkRecurrent(layer.spec(), call);
    boolean shareable =
        (call.embedding != null
                ? shareable(call.tokens)
                : call.input.buffer() == null || shareable(call.input))
            && shareable(call.lengths)
            && shareable(call.initialHidden)
            && shareable(call.initialCell)
            && shareable(call.output)
            && shareable(call.finalHidden)
            && shareable(call.finalCell);
    spread(recurrence.begin(weights, call), recurrence, shareable);
  }

  /** The checks at the door of a recurrent layer. */
  protected final void checkRecurrent(RecurrentSpec spec, RecurrentCall call) {
    int time = (int) count("time", call.time);
    int batch = (int) count("batch", call.batch);
    int state = spec.stateSize();
    if (call.embedding != null) {
      checkTokens(call, time, batch);
    } else {
      long in =
          reach("input", time, call.inputTimeStride, batch, call.inputRowStride, spec.inputSize());
      readable("input", call.input, realBytes(in));
    }
    checkLengths(call.lengths, batch, time);
    long states = realBytes((long) batch * state);
    long cells = realBytes((long) batch * spec.hiddenSize());
    if (call.initialHidden != null) {
      readable("initial hidden state", call.initialHidden, states);
    }
    if (call.finalHidden != null) {
      writable("final hidden state", call.finalHidden, states);
    }
    if (spec.cell() == RecurrentSpec.Cell.LSTM) {
      if (call.initialCell != null) {
        readable("initial cell state", call.initialCell, cells);
      }
      if (call.finalCell != null) {
        writable("final cell state", call.finalCell, cells);
      }
    }
    if (call.output != null) {
      long out = reach("output", time, call.outputTimeStride, batch, call.outputRowStride, state);
      writable("output", call.output, realBytes(out));
    }
  }

  @Override
  public void convolve(
      PackedConvolution convolution,
      Region input,
      int batch,
      long[] spatial,
      Activation activation,
      Region output) {
    ScalarConvolution packed = own(ScalarConvolution.class, "convolution", convolution);
    count("batch", batch);
    convolver.shape(packed.spec, spatial);
    long in = bytes((long) batch * packed.spec.inputChannels(), convolver.plane());
    long out = bytes((long) batch * packed.spec.outputChannels(), convolver.outPlane());
    readable("input", input, realBytes(in));
    writable("output", output, realBytes(out));
    int parts = convolver.begin(packed, input, batch, activation, output);
    spread(parts, convolver, shareable(input) && shareable(output));
  }

  @Override
  public void pool(PoolingSpec pooling, Region input, long planes, long[] spatial, Region output) {
    if (pool == null) {
      pool = new ScalarPool(real);
    }
    pool.forward(pooling, input, planes, spatial, output);
  }

  // ---- element by element ---------------------------------------------------------------------

  @Override
  public void activate(Activation activation, Region input, Region output, long count) {
    checkElementwise(input, output, count);
    double[] x = row(0, BLOCK);
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      load(input, done, x, block);
      ScalarActivations.apply(activation, x, 0, block);
      store(x, output, done, block);
    }
  }

  @Override
  public void unary(UnaryOperation operation, Region input, Region output, long count) {
    checkElementwise(input, output, count);
    double[] x = row(0, BLOCK);
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      load(input, done, x, block);
      ScalarActivations.apply(operation, x, 0, block);
      store(x, output, done, block);
    }
  }

  /** The checks at the door of a function of {@code count} reals. */
  protected final void checkElementwise(Region input, Region output, long count) {
    readable("input", input, realBytes(count("count", count)));
    writable("output", output, realBytes(count));
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
    checkBinary(stored, a, aStrides, b, bStrides, output, extent);
    if (contiguous.length < extent.length) {
      contiguous = new long[extent.length];
    }
    long elements = 1;
    for (int axis = extent.length - 1; axis >= 0; axis--) {
      contiguous[axis] = elements;
      elements *= extent[axis];
    }
    if (elements == 0) {
      return;
    }
    walk.begin(extent, aStrides, bStrides, contiguous);
    while (walk.next()) {
      if (stored.isFloat()) {
        binaryReals(operation, a, b, output);
      } else {
        binaryIntegers(operation, stored, a, b, output);
      }
    }
  }

  /**
   * The checks at the door of a function of two numbers.
   *
   * @param stored the type as the device stores it
   */
  protected final void checkBinary(
      DType stored,
      Region a,
      long[] aStrides,
      Region b,
      long[] bStrides,
      Region output,
      long[] extent) {
    if (stored == DType.BOOL) {
      throw new IllegalArgumentException("operands are bool, expected reals or integers");
    }
    readable("a", a, bytes(reach("a", 0, extent, aStrides), stored.bytes()));
    readable("b", b, bytes(reach("b", 0, extent, bStrides), stored.bytes()));
    long elements = 1;
    for (long size : extent) {
      elements = bytes(elements, size);
    }
    writable("output", output, bytes(elements, stored.bytes()));
  }

  private void binaryReals(BinaryOperation operation, Region a, Region b, Region output) {
    double[] x = row(0, BLOCK);
    double[] y = row(1, BLOCK);
    for (long done = 0; done < walk.run(); done += BLOCK) {
      int block = (int) Math.min(BLOCK, walk.run() - done);
      load(a, walk.at(0) + done * walk.stride(0), walk.stride(0), x, block);
      load(b, walk.at(1) + done * walk.stride(1), walk.stride(1), y, block);
      switch (operation) {
        case ADD -> {
          for (int i = 0; i < block; i++) {
            x[i] += y[i];
          }
        }
        case SUBTRACT -> {
          for (int i = 0; i < block; i++) {
            x[i] -= y[i];
          }
        }
        case MULTIPLY -> {
          for (int i = 0; i < block; i++) {
            x[i] *= y[i];
          }
        }
        case DIVIDE -> {
          for (int i = 0; i < block; i++) {
            x[i] /= y[i];
          }
        }
        case MAXIMUM -> {
          for (int i = 0; i < block; i++) {
            x[i] = Math.max(x[i], y[i]);
          }
        }
        case MINIMUM -> {
          for (int i = 0; i < block; i++) {
            x[i] = Math.min(x[i], y[i]);
          }
        }
        case POWER -> {
          for (int i = 0; i < block; i++) {
            x[i] = StrictMath.pow(x[i], y[i]);
          }
        }
      }
      store(x, output, walk.at(2) + done, block);
    }
  }

  private void binaryIntegers(
      BinaryOperation operation, DType type, Region a, Region b, Region output) {
    MemorySegment left = segment(a);
    MemorySegment right = segment(b);
    MemorySegment out = segment(output);
    boolean unsigned = type == DType.UINT64;
    for (long i = 0; i < walk.run(); i++) {
      long atA = walk.at(0) + i * walk.stride(0);
      long atB = walk.at(1) + i * walk.stride(1);
      long x = Elements.getWrapped(left, type, a.offset() + atA * type.bytes());
      long y = Elements.getWrapped(right, type, b.offset() + atB * type.bytes());
      long result =
          switch (operation) {
            case ADD -> x + y;
            case SUBTRACT -> x - y;
            case MULTIPLY -> x * y;
            case DIVIDE -> divide(x, y, unsigned);
            case MAXIMUM -> (unsigned ? Long.compareUnsigned(x, y) > 0 : x > y) ? x : y;
            case MINIMUM -> (unsigned ? Long.compareUnsigned(x, y) < 0 : x < y) ? x : y;
            case POWER -> power(x, y, unsigned);
          };
      Elements.setWrapped(out, type, output.offset() + (walk.at(2) + i) * type.bytes(), result);
    }
  }

  private static long divide(long x, long y, boolean unsigned) {
    if (y == 0) {
      throw new ArithmeticException("the integer " + x + " is divided by 0");
    }
    return unsigned ? Long.divideUnsigned(x, y) : x / y;
  }

  /** By repeated squaring; a negative exponent is the reciprocal truncated towards zero. */
  private static long power(long x, long y, boolean unsigned) {
    if (y < 0 && !unsigned) {
      if (x == 0) {
        throw new ArithmeticException("the integer 0 is raised to the power " + y);
      }
      return x == 1 || x == -1 ? (y % 2 == 0 ? 1 : x) : 0;
    }
    long result = 1;
    long square = x;
    for (long rest = y; rest != 0; rest >>>= 1) {
      if ((rest & 1) != 0) {
        result *= square;
      }
      square *= square;
    }
    return result;
  }

  // ---- over rows ------------------------------------------------------------------------------

  @Override
  public void softmax(
      Region input, Region output, int rows, int size, Region lengths, int rowsPerLength) {
    checkRows(input, output, rows, size);
    checkSoftmaxLengths(lengths, rows, size, rowsPerLength);
    double[] x = row(0, size);
    for (int i = 0; i < rows; i++) {
      int length = lengths == null ? size : lengthAt(lengths, i / rowsPerLength);
      load(input, (long) i * size, x, length);
      ScalarRows.softmax(x, length);
      java.util.Arrays.fill(x, length, size, 0);
      store(x, output, (long) i * size, size);
    }
  }

  /** The checks at the door of an operation from rows to rows. */
  protected final void checkRows(Region input, Region output, int rows, int size) {
    long elements = count("rows", rows) * count("size", size);
    readable("input", input, realBytes(elements));
    writable("output", output, realBytes(elements));
  }

  /** The checks of the lengths of rows. */
  protected static void checkSoftmaxLengths(Region lengths, int rows, int size, int rowsPerLength) {
    if (lengths != null) {
      if (rowsPerLength < 1) {
        throw new IllegalArgumentException(
            "rows per length is " + rowsPerLength + ", expected at least 1");
      }
      checkLengths(lengths, Math.ceilDiv(rows, rowsPerLength), size);
    }
  }

  @Override
  public void logSoftmax(Region input, Region output, int rows, int size) {
    checkRows(input, output, rows, size);
    double[] x = row(0, size);
    for (int i = 0; i < rows; i++) {
      load(input, (long) i * size, x, size);
      ScalarRows.logSoftmax(x, size);
      store(x, output, (long) i * size, size);
    }
  }

  @Override
  public void layerNorm(
      Region input, Region output, int rows, int size, Region scale, Region shift, double epsilon) {
    checkRows(input, output, rows, size);
    checkLayerNorm(size, scale, shift, epsilon);
    double[] x = row(0, size);
    double[] scales = row(1, size);
    double[] shifts = shift == null ? null : row(2, size);
    load(scale, 0, scales, size);
    if (shift != null) {
      load(shift, 0, shifts, size);
    }
    for (int i = 0; i < rows; i++) {
      load(input, (long) i * size, x, size);
      ScalarRows.normalise(x, 0, size, scales, shifts, 0, epsilon);
      store(x, output, (long) i * size, size);
    }
  }

  /** The checks of what normalised rows are scaled and shifted by. */
  protected final void checkLayerNorm(int size, Region scale, Region shift, double epsilon) {
    readable("scale", scale, realBytes(size));
    if (shift != null) {
      readable("shift", shift, realBytes(size));
    }
    if (!(epsilon >= 0)) {
      throw new IllegalArgumentException("epsilon is " + epsilon + ", expected 0 or more");
    }
  }

  @Override
  public void reduce(
      Reduction reduction, Region input, Region output, long outer, int size, long inner) {
    checkReduce(input, output, outer, size, inner);
    if (inner == 1) {
      reduceRows(reduction, input, output, outer, size);
      return;
    }
    double[] sums = row(0, BLOCK);
    double[] x = row(1, BLOCK);
    for (long i = 0; i < outer; i++) {
      for (long done = 0; done < inner; done += BLOCK) {
        int block = (int) Math.min(BLOCK, inner - done);
        java.util.Arrays.fill(sums, 0, block, start(reduction));
        for (int k = 0; k < size; k++) {
          load(input, (i * size + k) * inner + done, x, block);
          for (int j = 0; j < block; j++) {
            sums[j] = join(reduction, sums[j], x[j]);
          }
        }
        for (int j = 0; j < block; j++) {
          sums[j] = finish(reduction, sums[j], size);
        }
        store(sums, output, i * inner + done, block);
      }
    }
  }

  /** The checks at the door of a reduction. */
  protected final void checkReduce(Region input, Region output, long outer, int size, long inner) {
    long results = bytes(count("outer", outer), count("inner", inner));
    readable("input", input, realBytes(bytes(results, count("size", size))));
    writable("output", output, realBytes(results));
  }

  private void reduceRows(Reduction reduction, Region input, Region output, long outer, int size) {
    double[] x = row(0, BLOCK);
    double[] result = row(1, 1);
    for (long i = 0; i < outer; i++) {
      double sum = start(reduction);
      for (int done = 0; done < size; done += BLOCK) {
        int block = Math.min(BLOCK, size - done);
        load(input, i * size + done, x, block);
        for (int j = 0; j < block; j++) {
          sum = join(reduction, sum, x[j]);
        }
      }
      result[0] = finish(reduction, sum, size);
      store(result, output, i, 1);
    }
  }

  private static double start(Reduction reduction) {
    return switch (reduction) {
      case SUM, MEAN, L2 -> 0;
      case PRODUCT -> 1;
      case MAXIMUM -> Double.NEGATIVE_INFINITY;
      case MINIMUM -> Double.POSITIVE_INFINITY;
    };
  }

  private static double join(Reduction reduction, double sum, double x) {
    return switch (reduction) {
      case SUM, MEAN -> sum + x;
      case L2 -> sum + x * x;
      case PRODUCT -> sum * x;
      case MAXIMUM -> Math.max(sum, x);
      case MINIMUM -> Math.min(sum, x);
    };
  }

  private static double finish(Reduction reduction, double sum, int size) {
    return switch (reduction) {
      case MEAN -> sum / size;
      case L2 -> Math.sqrt(sum);
      case SUM, PRODUCT, MAXIMUM, MINIMUM -> sum;
    };
  }

  @Override
  public void topK(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    checkTopK(input, rows, size, k, values, indices, indexType);
    largest(input, rows, size, k, values, indices, indexType, false);
  }

  @Override
  public void topLogSoftmax(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    checkTopK(input, rows, size, k, values, indices, indexType);
    largest(input, rows, size, k, values, indices, indexType, true);
  }

  private void largest(
      Region input,
      int rows,
      int size,
      int k,
      Region values,
      Region indices,
      DType indexType,
      boolean ofLogSoftmax) {
    double[] x = row(0, size);
    double[] best = row(1, k);
    if (ranked.length < k) {
      ranked = new int[k];
    }
    MemorySegment places = segment(indices);
    for (int i = 0; i < rows; i++) {
      load(input, (long) i * size, x, size);
      if (ofLogSoftmax) {
        ScalarRows.logSoftmax(x, size);
        // As if it had been stored: what is equal when rounded is equal.
        for (int j = 0; j < size && real == DType.FLOAT32; j++) {
          x[j] = (float) x[j];
        }
      }
      ScalarRows.largest(x, size, k, ranked);
      for (int j = 0; j < k; j++) {
        best[j] = x[ranked[j]];
        long at = ((long) i * k + j) * indexType.bytes();
        Elements.setLong(places, indexType, indices.offset() + at, ranked[j]);
      }
      store(best, values, (long) i * k, k);
    }
  }

  /** The checks at the door of the k largest. */
  protected final void checkTopK(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    indexType(indexType);
    count("rows", rows);
    count("size", size);
    if (k < 0 || k > size) {
      throw new ShapeException("the " + k + " largest of rows of " + size + " are asked for");
    }
    long results = (long) rows * k;
    readable("input", input, realBytes((long) rows * size));
    writable("values", values, realBytes(results));
    writable("indices", indices, bytes(results, indexType.bytes()));
  }

  @Override
  public TrainingKernels training() {
    if (training == null) {
      training = new ScalarTraining(this);
    }
    return training;
  }

  /** Gives scratch memory back; another operation would take new. */
  @Override
  public void close() {
    scratch.clear();
    if (training != null) {
      training.clear();
    }
    super.close();
  }

  private void load(Region region, long first, double[] to, int count) {
    load(region, first, 1, to, count);
  }

  private void load(Region region, long first, long stride, double[] to, int count) {
    long offset = region.offset() + first * real.bytes();
    Elements.load(segment(region), real, offset, stride, to, 0, count);
  }

  private void store(double[] from, Region region, long first, int count) {
    Elements.store(from, 0, segment(region), real, region.offset() + first * real.bytes(), count);
  }

  // ---- training -------------------------------------------------------------------------------

  @Override
  public double sumOfSquares(Region values, long count) {
    readable("values", values, realBytes(count("count", count)));
    double[] x = row(0, BLOCK);
    double sum = 0;
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      load(values, done, x, block);
      for (int i = 0; i < block; i++) {
        sum = Math.fma(x[i], x[i], sum);
      }
    }
    return sum;
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
    double[] w = row(0, BLOCK);
    double[] g = row(1, BLOCK);
    double[] m = row(2, BLOCK);
    double[] v = row(3, BLOCK);
    int moments = step.moments();
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      load(parameters, done, w, block);
      load(gradients, done, g, block);
      if (moments > 0) {
        load(first, done, m, block);
      }
      if (moments > 1) {
        load(second, done, v, block);
      }
      ScalarOptimiser.step(step, w, g, m, v, block);
      store(w, parameters, done, block);
      if (moments > 0) {
        store(m, first, done, block);
      }
      if (moments > 1) {
        store(v, second, done, block);
      }
    }
  }

  /** The checks at the door of an optimiser's step. */
  protected final void checkOptimise(
      OptimiserStep step,
      Region parameters,
      Region gradients,
      Region first,
      Region second,
      long count) {
    long bytes = realBytes(count("count", count));
    writable("parameters", parameters, bytes);
    readable("gradients", gradients, bytes);
    if (step.moments() > 0) {
      writable("first moments", first, bytes);
    }
    if (step.moments() > 1) {
      writable("second moments", second, bytes);
    }
  }
}

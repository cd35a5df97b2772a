package io.gatun.kernel.cuda;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Bounds;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.kernel.UnaryOperation;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The operations of a GPU, in the order of one stream. What an operation has to know of numbers on
 * the device before it begins (lengths, indices) costs no waiting where the host uploaded them
 * itself, and the buffer has not been written since.
 */
final class CudaKernels implements Kernels {
  private static final long REAL = Float.BYTES;

  /** How many axes a kernel takes; more are walked here. */
  private static final int AXES = Launch.AXES;

  private final CudaDevice device;
  private final Order order;
  private final Launch launch;
  private final Door door;
  private final RecurrentRun recurrence;
  private final Windows windows;
  private final RecurrentRun.Operands operands = new RecurrentRun.Operands();
  private final RecurrentRun.Operands backward = new RecurrentRun.Operands();
  private CudaTraining training;
  private boolean closed;

  CudaKernels(CudaDevice device) {
    this.device = device;
    order = new Order(device);
    launch = order.launch;
    door = order.door;
    recurrence = new RecurrentRun(order);
    windows = new Windows(order);
  }

  @Override
  public Device device() {
    return device;
  }

  private void begin() {
    if (closed) {
      throw new IllegalStateException("these kernels of " + device.name() + " are closed");
    }
    device.makeCurrent();
  }

  // ---- moving numbers -------------------------------------------------------------------------

  @Override
  public void upload(Tensor source, Region target) {
    begin();
    DType type = device.stored(source.dtype());
    source.checkAccess();
    long count = source.elements();
    long bytes = Bounds.bytes(count, type.bytes());
    long to = door.out("upload target", target, bytes);
    if (bytes == 0) {
      return;
    }
    if (type == source.dtype() && CudaDevice.isPlain(source)) {
      MemorySegment from = source.segment();
      order.send(from, to, bytes);
      order.remember(target, type, from, count);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      Tensor plain = Tensor.allocate(arena, type, source.shape().dims()).copyFrom(source);
      order.send(plain.segment(), to, bytes);
      order.remember(target, type, plain.segment(), count);
    }
  }

  @Override
  public void download(Region source, Tensor target) {
    begin();
    DType type = device.stored(target.dtype());
    target.checkAccess();
    long bytes = Bounds.bytes(target.elements(), type.bytes());
    long from = door.in("download source", source, bytes);
    if (bytes == 0) {
      return;
    }
    if (type == target.dtype() && CudaDevice.isPlain(target) && !target.segment().isReadOnly()) {
      order.fetch(from, target.segment(), bytes);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      Tensor plain = Tensor.allocate(arena, type, target.shape().dims());
      order.fetch(from, plain.segment(), bytes);
      target.copyFrom(plain);
    }
  }

  @Override
  public void copy(Region source, Region target, long bytes) {
    begin();
    long from = door.in("copy source", source, Bounds.count("bytes", bytes));
    long to = door.out("copy target", target, bytes);
    order.copy(from, to, bytes);
  }

  @Override
  public void copyStrided(
      Region source,
      long sourceOffset,
      long[] sourceStrides,
      Region target,
      long targetOffset,
      long[] targetStrides,
      long[] extent,
      int elementBytes) {
    begin();
    if (elementBytes < 1) {
      throw new IllegalArgumentException(
          "elements of " + elementBytes + " bytes, expected at least 1");
    }
    long reachFrom = Bounds.reach("copy source", sourceOffset, extent, sourceStrides);
    long reachTo = Bounds.reach("copy target", targetOffset, extent, targetStrides);
    long from = door.in("copy source", source, Bounds.bytes(reachFrom, elementBytes));
    long to = door.out("copy target", target, Bounds.bytes(reachTo, elementBytes));
    if (reachFrom == 0 || reachTo == 0) {
      return;
    }
    if (Integer.bitCount(elementBytes) == 1 && elementBytes <= Long.BYTES) {
      copyAxes(
          from, sourceOffset, sourceStrides, to, targetOffset, targetStrides, extent, elementBytes);
      return;
    }
    // An element of another size is an axis of bytes.
    copyAxes(
        from,
        sourceOffset * elementBytes,
        ofBytes(sourceStrides, elementBytes, 1),
        to,
        targetOffset * elementBytes,
        ofBytes(targetStrides, elementBytes, 1),
        ofBytes(extent, 1, elementBytes),
        1);
  }

  private static long[] ofBytes(long[] values, long factor, long last) {
    long[] all = java.util.Arrays.copyOf(values, values.length + 1);
    for (int i = 0; i < values.length; i++) {
      all[i] *= factor;
    }
    all[values.length] = last;
    return all;
  }

  private void copyAxes(
      long from,
      long sourceOffset,
      long[] sourceStrides,
      long to,
      long targetOffset,
      long[] targetStrides,
      long[] extent,
      int elementBytes) {
    int outer = Math.max(0, extent.length - AXES);
    long inner = product(extent, outer);
    long[] index = new long[outer];
    do {
      launch
          .of("copy" + elementBytes)
          .pointer(from)
          .number(sourceOffset + offset(index, sourceStrides))
          .pointer(to)
          .number(targetOffset + offset(index, targetStrides))
          .axes(extent, sourceStrides, targetStrides, outer)
          .overElements(inner);
    } while (next(index, extent));
  }

  private static long product(long[] extent, int from) {
    long product = 1;
    for (int i = from; i < extent.length; i++) {
      product *= extent[i];
    }
    return product;
  }

  private static long offset(long[] index, long[] strides) {
    long offset = 0;
    for (int i = 0; i < index.length; i++) {
      offset += index[i] * strides[i];
    }
    return offset;
  }

  /** Steps through the outer axes; false behind the last. */
  private static boolean next(long[] index, long[] extent) {
    for (int i = index.length - 1; i >= 0; i--) {
      if (++index[i] < extent[i]) {
        return true;
      }
      index[i] = 0;
    }
    return false;
  }

  @Override
  public void fill(Region target, DType type, long count, double value) {
    begin();
    DType stored = device.stored(type);
    long to =
        door.out("fill target", target, Bounds.bytes(Bounds.count("count", count), stored.bytes()));
    long bits =
        switch (stored) {
          case FLOAT32 -> Float.floatToRawIntBits((float) value);
          case BOOL -> value != 0 ? 1 : 0;
          case INT8 -> saturate(value, Byte.MIN_VALUE, Byte.MAX_VALUE);
          case UINT8 -> saturate(value, 0, 255);
          case INT16 -> saturate(value, Short.MIN_VALUE, Short.MAX_VALUE);
          case UINT16 -> saturate(value, 0, 0xffff);
          case INT32 -> (int) value;
          case UINT32 -> saturate(value, 0, 0xffff_ffffL);
          case INT64 -> (long) value;
          case UINT64 -> unsigned(value);
          case FLOAT64, FLOAT16, BFLOAT16 ->
              throw new IllegalArgumentException(stored.label() + " does not occur on a GPU here");
        };
    launch.of("fill" + stored.bytes()).pointer(to).number(count).number(bits).overElements(count);
  }

  private static long unsigned(double value) {
    if (!(value > 0)) {
      return 0;
    }
    // From 2^63 on the bits are those of a negative long.
    return value < 0x1p63
        ? (long) value
        : value >= 0x1p64 ? -1 : (long) (value - 0x1p63) ^ 1L << 63;
  }

  private static long saturate(double value, long least, long most) {
    return Math.max(least, Math.min(most, (long) value));
  }

  @Override
  public void cast(Region source, DType from, Region target, DType to, long count) {
    begin();
    DType storedFrom = device.stored(from);
    DType storedTo = device.stored(to);
    Bounds.count("count", count);
    long in = door.in("cast source", source, Bounds.bytes(count, storedFrom.bytes()));
    long out = door.out("cast target", target, Bounds.bytes(count, storedTo.bytes()));
    if (storedFrom == storedTo) {
      order.copy(in, out, count * storedFrom.bytes());
      return;
    }
    launch
        .of("cast")
        .pointer(in)
        .pointer(out)
        .number(count)
        .code(storedFrom.ordinal())
        .code(storedTo.ordinal())
        .overElements(count);
  }

  @Override
  public void gatherRows(
      Region table,
      long tableRows,
      long rowBytes,
      Region indices,
      DType indexType,
      long count,
      Region target) {
    begin();
    Bounds.indexType(indexType);
    Bounds.count("table rows", tableRows);
    Bounds.count("row bytes", rowBytes);
    long from = door.in("table", table, Bounds.bytes(tableRows, rowBytes));
    Bounds.count("count", count);
    long places = door.in("indices", indices, Bounds.bytes(count, indexType.bytes()));
    long to = door.in("gather target", target, Bounds.bytes(count, rowBytes));
    checkIndices(
        "indices", indices, indexType, count, -tableRows, tableRows, "the table has %d rows");
    ((CudaBuffer) target.buffer()).written();
    launch
        .of("gatherRows")
        .pointer(from)
        .pointer(places)
        .pointer(to)
        .number(tableRows)
        .number(rowBytes)
        .number(count)
        .flag(indexType == DType.INT64)
        .overElements(count * Math.max(1, rowBytes / Integer.BYTES));
  }

  /** Checks whole numbers of a checked region, on the device where the host does not know them. */
  void checkIndices(
      String what,
      Region region,
      DType type,
      long count,
      long lower,
      long upper,
      String expectation) {
    if (count == 0) {
      return;
    }
    long bad = Long.MAX_VALUE;
    long value = 0;
    long[] known = order.known(region, type, count);
    if (known != null) {
      for (int i = 0; i < count && bad == Long.MAX_VALUE; i++) {
        if (known[i] < lower || known[i] >= upper) {
          bad = i;
          value = known[i];
        }
      }
    } else {
      long status = order.status();
      long address = door.in(what, region, 0);
      launch
          .of("checkIndices")
          .pointer(address)
          .pointer(status)
          .number(count)
          .number(1)
          .number(1)
          .number(0)
          .number(lower)
          .number(upper)
          .flag(type == DType.INT64)
          .overElements(count);
      bad = order.complaint(status);
      if (bad != Long.MAX_VALUE) {
        value = fetchInteger(address + bad * type.bytes(), type);
      }
    }
    if (bad != Long.MAX_VALUE) {
      throw new IndexOutOfBoundsException(
          what + ": number " + bad + " is " + value + ", " + String.format(expectation, upper));
    }
  }

  private long fetchInteger(long address, DType type) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor one = Tensor.allocate(arena, type, 1);
      order.fetch(address, one.segment(), type.bytes());
      return one.getLong(0);
    }
  }

  @Override
  public void assign(Region target, Region places, int count, double value) {
    begin();
    long to = door.out("assign target", target, 0);
    long at = door.in("places", places, Bounds.bytes(Bounds.count("count", count), Long.BYTES));
    long elements = target.bytes() / REAL;
    checkIndices("places", places, DType.INT64, count, 0, elements, "the target has %d elements");
    launch
        .of("assign")
        .pointer(to)
        .pointer(at)
        .number(elements)
        .number(count)
        .real((float) value)
        .overElements(count);
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
    begin();
    CudaMatrix matrix = door.own(CudaMatrix.class, "b", b);
    int inner = matrix.inner();
    int columns = matrix.columns();
    Bounds.count("rows", rows);
    long left = door.reals("a", a, Bounds.reach("a", rows, aRowStride, inner));
    long to = door.outReals("c", c, Bounds.reach("c", rows, cRowStride, columns));
    checkRowStride(rows, columns, cRowStride);
    order.products.multiply(
        left,
        aRowStride,
        1,
        matrix.matrix.address(),
        columns,
        1,
        rows,
        inner,
        columns,
        to,
        cRowStride,
        false);
    if (matrix.bias != null || activation.kind() != Activation.Kind.IDENTITY) {
      launch
          .of("biasActivate")
          .pointer(to)
          .pointer(Packing.address(matrix.bias))
          .number(cRowStride)
          .number(rows)
          .number(columns)
          .activation(activation)
          .overElements((long) rows * columns);
    }
  }

  static void checkRowStride(int rows, int columns, long stride) {
    if (rows > 1 && stride < columns) {
      throw new IllegalArgumentException(
          "c: rows of " + columns + " columns are " + stride + " elements apart");
    }
  }

  @Override
  public void multiply(BatchedProduct products, Region a, Region b, Region c) {
    begin();
    int number = products.aOffsets().length;
    if (products.bOffsets().length != number) {
      throw new ShapeException(
          "batched product: "
              + number
              + " left-hand sides, "
              + products.bOffsets().length
              + " right-hand sides");
    }
    int rows = (int) Bounds.count("rows", products.rows());
    int inner = (int) Bounds.count("inner", products.inner());
    int columns = (int) Bounds.count("columns", products.columns());
    long left =
        matrices(
            "a",
            a,
            products.aOffsets(),
            rows,
            products.aRowStride(),
            inner,
            products.aInnerStride());
    long right =
        matrices(
            "b",
            b,
            products.bOffsets(),
            inner,
            products.bInnerStride(),
            columns,
            products.bColumnStride());
    long to = door.outReals("c", c, Bounds.bytes(Bounds.bytes(number, rows), columns));
    order.products.multiplyScattered(
        left,
        products.aOffsets(),
        products.aRowStride(),
        products.aInnerStride(),
        right,
        products.bOffsets(),
        products.bInnerStride(),
        products.bColumnStride(),
        rows,
        inner,
        columns,
        to);
  }

  private long matrices(
      String operand,
      Region region,
      long[] offsets,
      int rows,
      long rowStride,
      int columns,
      long columnStride) {
    long address = door.in(operand, region, 0);
    if (rows == 0 || columns == 0) {
      return address;
    }
    for (int i = 0; i < offsets.length; i++) {
      long low;
      long high;
      try {
        long down = Math.multiplyExact(rows - 1, rowStride);
        long across = Math.multiplyExact(columns - 1, columnStride);
        low = Math.addExact(offsets[i], Math.addExact(Math.min(down, 0), Math.min(across, 0)));
        high = Math.addExact(offsets[i], Math.addExact(Math.max(down, 0), Math.max(across, 0)));
      } catch (ArithmeticException overflow) {
        low = -1;
        high = -1;
      }
      if (low < 0 || high >= region.bytes() / REAL) {
        throw new IndexOutOfBoundsException(
            operand
                + ": product "
                + i
                + " reaches elements "
                + low
                + " to "
                + high
                + ", the region has "
                + region.bytes()
                + " bytes, "
                + region.bytes() / REAL
                + " elements");
      }
    }
    return address;
  }

  // ---- recurrent layers -----------------------------------------------------------------------

  @Override
  public void recurrent(PackedRecurrent layer, RecurrentCall call) {
    begin();
    recurrence.run(check(layer, call, operands), call, operands);
  }

  @Override
  public void recurrent(
      PackedRecurrent forward,
      RecurrentCall forwardCall,
      PackedRecurrent back,
      RecurrentCall backCall) {
    begin();
    CudaRecurrent first = check(forward, forwardCall, operands);
    CudaRecurrent second = check(back, backCall, backward);
    recurrence.run(first, forwardCall, operands, second, backCall, backward);
  }

  private CudaRecurrent check(PackedRecurrent layer, RecurrentCall call, RecurrentRun.Operands to) {
    CudaRecurrent weights = door.own(CudaRecurrent.class, "layer", layer);
    if (call.embedding != null) {
      CudaEmbedding embedding = door.own(CudaEmbedding.class, "embedding", call.embedding);
      if (embedding.layer != weights) {
        throw new IllegalArgumentException("embedding: it was packed for another layer");
      }
    }
    check(weights.spec(), call, to);
    return weights;
  }

  /** The checks at the door of a recurrent layer. */
  void check(RecurrentSpec spec, RecurrentCall call, RecurrentRun.Operands to) {
    int time = (int) Bounds.count("time", call.time);
    int batch = (int) Bounds.count("batch", call.batch);
    int state = spec.stateSize();
    to.input = 0;
    to.tokens = 0;
    if (call.embedding != null) {
      to.tokens = tokens(call, time, batch);
    } else {
      long reach =
          Bounds.reach(
              "input", time, call.inputTimeStride, batch, call.inputRowStride, spec.inputSize());
      to.input = door.reals("input", call.input, reach);
    }
    lengths(call.lengths, batch, time, to);
    long states = (long) batch * state;
    long cells = (long) batch * spec.hiddenSize();
    boolean lstm = spec.cell() == Cell.LSTM;
    to.initialHidden = door.realsIf("initial hidden state", call.initialHidden, states);
    to.finalHidden = door.outRealsIf("final hidden state", call.finalHidden, states);
    to.initialCell = lstm ? door.realsIf("initial cell state", call.initialCell, cells) : 0;
    to.finalCell = lstm ? door.outRealsIf("final cell state", call.finalCell, cells) : 0;
    to.output = 0;
    if (call.output != null) {
      long reach =
          Bounds.reach("output", time, call.outputTimeStride, batch, call.outputRowStride, state);
      to.output = door.outReals("output", call.output, reach);
    }
  }

  private long tokens(RecurrentCall call, int time, int batch) {
    DType type = Bounds.indexType(call.tokenType);
    long reach = Bounds.reach("tokens", time, call.inputTimeStride, batch, call.inputRowStride, 1);
    long address = door.in("tokens", call.tokens, Bounds.bytes(reach, type.bytes()));
    long rows = call.embedding.rows();
    long bad = Long.MAX_VALUE;
    long value = 0;
    if (reach == 0) {
      return address;
    }
    long[] known = order.known(call.tokens, type, reach);
    if (known != null) {
      for (int i = time * batch - 1; i >= 0; i--) {
        long token = known[(int) place(call, i)];
        if (token < -rows || token >= rows) {
          bad = i;
          value = token;
        }
      }
    } else {
      long status = order.status();
      launch
          .of("checkIndices")
          .pointer(address)
          .pointer(status)
          .number(batch)
          .number(call.inputRowStride)
          .number(time)
          .number(call.inputTimeStride)
          .number(-rows)
          .number(rows)
          .flag(type == DType.INT64)
          .overElements((long) time * batch);
      bad = order.complaint(status);
      if (bad != Long.MAX_VALUE) {
        value = fetchInteger(address + place(call, bad) * type.bytes(), type);
      }
    }
    if (bad != Long.MAX_VALUE) {
      throw new IndexOutOfBoundsException(
          "tokens: number " + bad + " is " + value + ", the table has " + rows + " rows");
    }
    return address;
  }

  private static long place(RecurrentCall call, long index) {
    return index / call.batch * call.inputTimeStride + index % call.batch * call.inputRowStride;
  }

  private void lengths(Region lengths, int count, int most, RecurrentRun.Operands to) {
    to.lengths = 0;
    to.hostLengths = null;
    if (lengths != null) {
      to.lengths = door.in("lengths", lengths, Bounds.bytes(count, Integer.BYTES));
      to.hostLengths = order.integers(lengths, DType.INT32, count);
      checkLengths(to.hostLengths, count, most);
    }
  }

  private static void checkLengths(long[] lengths, int count, int most) {
    for (int i = 0; i < count; i++) {
      if (lengths[i] < 0 || lengths[i] > most) {
        throw new ShapeException(
            "lengths: sequence " + i + " has length " + lengths[i] + ", expected 0 to " + most);
      }
    }
  }

  // ---- windows --------------------------------------------------------------------------------

  @Override
  public void convolve(
      PackedConvolution convolution,
      Region input,
      int batch,
      long[] spatial,
      Activation activation,
      Region output) {
    begin();
    CudaConvolution packed = door.own(CudaConvolution.class, "convolution", convolution);
    Bounds.count("batch", batch);
    windows.shape(packed.spec(), spatial);
    long in = Bounds.bytes((long) batch * packed.spec().inputChannels(), windows.plane());
    long out = Bounds.bytes((long) batch * packed.spec().outputChannels(), windows.outPlane());
    long from = door.reals("input", input, in);
    long to = door.outReals("output", output, out);
    windows.convolve(from, packed.weights.address(), batch, to);
    windows.finish(to, Packing.address(packed.bias), batch, activation);
  }

  @Override
  public void pool(PoolingSpec pooling, Region input, long planes, long[] spatial, Region output) {
    begin();
    windows.shape(pooling.window(), spatial);
    long from =
        door.reals("input", input, Bounds.bytes(Bounds.count("planes", planes), windows.plane()));
    long to = door.outReals("output", output, Bounds.bytes(planes, windows.outPlane()));
    windows.pool(pooling, from, planes, to);
  }

  // ---- element by element ---------------------------------------------------------------------

  @Override
  public void activate(Activation activation, Region input, Region output, long count) {
    begin();
    long from = door.reals("input", input, Bounds.count("count", count));
    long to = door.outReals("output", output, count);
    launch
        .of("activate")
        .pointer(from)
        .pointer(to)
        .number(count)
        .activation(activation)
        .overElements(count);
  }

  @Override
  public void unary(UnaryOperation operation, Region input, Region output, long count) {
    begin();
    long from = door.reals("input", input, Bounds.count("count", count));
    long to = door.outReals("output", output, count);
    launch
        .of("unary")
        .pointer(from)
        .pointer(to)
        .number(count)
        .code(operation.ordinal())
        .overElements(count);
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
    begin();
    DType stored = device.stored(type);
    if (stored == DType.BOOL) {
      throw new IllegalArgumentException("operands are bool, expected reals or integers");
    }
    long size = stored.bytes();
    long left = door.in("a", a, Bounds.bytes(Bounds.reach("a", 0, extent, aStrides), size));
    long right = door.in("b", b, Bounds.bytes(Bounds.reach("b", 0, extent, bStrides), size));
    long elements = 1;
    for (long each : extent) {
      elements = Bounds.bytes(elements, each);
    }
    long to = door.out("output", output, Bounds.bytes(elements, size));
    if (elements == 0) {
      return;
    }
    boolean mayFail =
        !stored.isFloat()
            && (operation == BinaryOperation.DIVIDE || operation == BinaryOperation.POWER);
    long status = mayFail ? order.status() : 0;
    String kernel =
        switch (stored) {
          case INT8 -> "binaryI8";
          case UINT8 -> "binaryU8";
          case INT16 -> "binaryI16";
          case UINT16 -> "binaryU16";
          case INT32 -> "binaryI32";
          case UINT32 -> "binaryU32";
          case INT64, UINT64 -> "binaryI64";
          case FLOAT32, FLOAT64, FLOAT16, BFLOAT16, BOOL -> "binaryF32";
        };
    int outer = Math.max(0, extent.length - AXES);
    long inner = product(extent, outer);
    long[] index = new long[outer];
    long done = 0;
    do {
      launch
          .of(kernel)
          .pointer(left + offset(index, aStrides) * size)
          .pointer(right + offset(index, bStrides) * size)
          .pointer(to + done * size)
          .pointer(status)
          .axes(extent, aStrides, bStrides, outer)
          .code(operation.ordinal())
          .overElements(inner);
      done += inner;
    } while (next(index, extent));
    if (mayFail && order.complaint(status) != Long.MAX_VALUE) {
      throw new ArithmeticException(
          operation == BinaryOperation.DIVIDE
              ? "an integer is divided by 0"
              : "the integer 0 is raised to a negative power");
    }
  }

  // ---- over rows ------------------------------------------------------------------------------

  @Override
  public void softmax(
      Region input, Region output, int rows, int size, Region lengths, int rowsPerLength) {
    begin();
    long elements = elements(rows, size);
    long from = door.reals("input", input, elements);
    long to = door.outReals("output", output, elements);
    long ends = 0;
    if (lengths != null) {
      if (rowsPerLength < 1) {
        throw new IllegalArgumentException(
            "rows per length is " + rowsPerLength + ", expected at least 1");
      }
      int count = Math.ceilDiv(rows, rowsPerLength);
      ends = door.in("lengths", lengths, Bounds.bytes(count, Integer.BYTES));
      checkLengths(order.integers(lengths, DType.INT32, count), count, size);
    }
    launch
        .of("softmax")
        .pointer(from)
        .pointer(to)
        .pointer(ends)
        .number(rows)
        .number(size)
        .number(Math.max(1, rowsPerLength))
        .overRows(rows, size);
  }

  private static long elements(int rows, int size) {
    return Bounds.count("rows", rows) * Bounds.count("size", size);
  }

  @Override
  public void logSoftmax(Region input, Region output, int rows, int size) {
    begin();
    long elements = elements(rows, size);
    long from = door.reals("input", input, elements);
    long to = door.outReals("output", output, elements);
    launch
        .of("logSoftmax")
        .pointer(from)
        .pointer(to)
        .number(rows)
        .number(size)
        .overRows(rows, size);
  }

  @Override
  public void layerNorm(
      Region input, Region output, int rows, int size, Region scale, Region shift, double epsilon) {
    begin();
    long elements = elements(rows, size);
    long from = door.reals("input", input, elements);
    long to = door.outReals("output", output, elements);
    long scales = door.reals("scale", scale, size);
    long shifts = door.realsIf("shift", shift, size);
    if (!(epsilon >= 0)) {
      throw new IllegalArgumentException("epsilon is " + epsilon + ", expected 0 or more");
    }
    launch
        .of("layerNorm")
        .pointer(from)
        .pointer(to)
        .pointer(scales)
        .pointer(shifts)
        .number(rows)
        .number(size)
        .number(size)
        .number(size)
        .precise(epsilon)
        .overRows(rows, size);
  }

  @Override
  public void reduce(
      Reduction reduction, Region input, Region output, long outer, int size, long inner) {
    begin();
    long results = Bounds.bytes(Bounds.count("outer", outer), Bounds.count("inner", inner));
    long from = door.reals("input", input, Bounds.bytes(results, Bounds.count("size", size)));
    long to = door.outReals("output", output, results);
    reduce(reduction, from, to, outer, size, inner);
  }

  void reduce(Reduction reduction, long from, long to, long outer, int size, long inner) {
    launch
        .of("reduce")
        .pointer(from)
        .pointer(to)
        .number(outer)
        .number(size)
        .number(inner)
        .code(reduction.ordinal())
        .overTiles(inner == 1 ? outer : outer * Math.ceilDiv(inner, 32L));
  }

  @Override
  public void topK(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    largest("topK", input, rows, size, k, values, indices, indexType);
  }

  @Override
  public void topLogSoftmax(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType) {
    largest("topLogSoftmax", input, rows, size, k, values, indices, indexType);
  }

  private void largest(
      String kernel,
      Region input,
      int rows,
      int size,
      int k,
      Region values,
      Region indices,
      DType indexType) {
    begin();
    Bounds.indexType(indexType);
    long elements = elements(rows, size);
    if (k < 0 || k > size) {
      throw new ShapeException("the " + k + " largest of rows of " + size + " are asked for");
    }
    long results = (long) rows * k;
    long from = door.reals("input", input, elements);
    long best = door.outReals("values", values, results);
    long places = door.out("indices", indices, Bounds.bytes(results, indexType.bytes()));
    if (k > 0) {
      launch
          .of(kernel)
          .pointer(from)
          .pointer(best)
          .pointer(places)
          .number(rows)
          .number(size)
          .number(k)
          .flag(indexType == DType.INT64)
          .overRows(rows, size);
    }
  }

  // ---- training -------------------------------------------------------------------------------

  @Override
  public double sumOfSquares(Region values, long count) {
    begin();
    long from = door.reals("values", values, Bounds.count("count", count));
    if (count == 0) {
      return 0;
    }
    int parts = Launch.partialSums(count);
    long partial = order.scratch(Order.Slot.PARTIAL, (parts + 1L) * Double.BYTES);
    long result = partial + (long) parts * Double.BYTES;
    launch.of("sumOfSquares").pointer(from).pointer(partial).number(count).overTiles(parts);
    launch.of("sumOfDoubles").pointer(partial).pointer(result).number(parts).overTiles(1);
    return order.fetchDouble(result);
  }

  @Override
  public void optimise(
      OptimiserStep step,
      Region parameters,
      Region gradients,
      Region first,
      Region second,
      long count) {
    begin();
    long w = door.outReals("parameters", parameters, Bounds.count("count", count));
    long g = door.reals("gradients", gradients, count);
    long m = step.moments() > 0 ? door.outReals("first moments", first, count) : 0;
    long v = step.moments() > 1 ? door.outReals("second moments", second, count) : 0;
    launch
        .of("optimise")
        .pointer(w)
        .pointer(g)
        .pointer(m)
        .pointer(v)
        .number(count)
        .precise(step.rate())
        .precise(step.first())
        .precise(step.second())
        .precise(step.epsilon())
        .precise(step.decay())
        .precise(step.gradientScale())
        .precise(step.firstCorrection())
        .precise(step.secondCorrection())
        .code(step.rule().ordinal())
        .flag(step.nesterov())
        .overElements(count);
  }

  @Override
  public TrainingKernels training() {
    begin();
    if (training == null) {
      training = new CudaTraining(this, order);
    }
    return training;
  }

  // ---- order ----------------------------------------------------------------------------------

  /** Called by the training kernels, which are part of this order of work. */
  void enter() {
    begin();
  }

  @Override
  public void synchronize() {
    begin();
    order.synchronize();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      if (training != null) {
        training.close();
      }
      order.close();
    }
  }
}

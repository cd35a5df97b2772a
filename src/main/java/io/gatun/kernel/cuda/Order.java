package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An order of work: a stream, and what its operations share: the launches, the way of small things
 * to the device and back, scratch memory by slot, and the numbers that the host knows because it
 * sent them. Belongs to one thread at a time.
 */
final class Order implements AutoCloseable {
  /** Who uses which scratch memory; what is in use at once has slots of its own. */
  enum Slot {
    STATUS,
    LEFT,
    RIGHT,
    POINTERS,
    COLUMNS,
    PARTIAL,
    STATISTICS,
    LENGTHS,
    LAYER_INPUT,
    LAYER_OUTPUT,
    TOKENS,
    GATHERED,
    LAST_HIDDEN,
    LAST_CELL,
    OUTPUT_GRADIENT,
    INPUT_GRADIENT,
    TURNED_GRADIENT,
    CUDNN_WEIGHTS_GRADIENT,
    RESERVE,
    WX,
    HR,
    HIDDEN,
    CELL,
    STEP,
    RESET,
    NOW,
    GATES_X,
    GATES_H,
    INNER,
    HIDDEN_GRADIENT,
    CELL_GRADIENT,
    PRODUCT,
    ALL,
    TRANSPOSED,
    CUDNN
  }

  private static final int KNOWN = 8;
  private static final int LONGEST_KNOWN = 1 << 15;

  final CudaDevice device;
  final MemorySegment stream;
  final Launch launch;
  final Door door;
  final Products products;

  private final Arena arena = Arena.ofShared();
  private final CudaBuffer[] scratch = new CudaBuffer[Slot.values().length];
  private final Known[] known = new Known[KNOWN];
  private int nextKnown;
  private Stage stage;
  private CudnnOrder cudnn;
  private PinnedMemory back;

  /** Whole numbers that the host sent: true as long as nobody wrote there since. */
  private static final class Known {
    CudaBuffer buffer;
    int version;
    long offset;
    int count;
    int elementBytes;
    long[] values = new long[0];
  }

  Order(CudaDevice device) {
    this.device = device;
    this.stream = Setup.newStream(device);
    this.launch = new Launch(device, stream, arena);
    this.door = new Door(device);
    this.products = new Products(this, arena);
  }

  // ---- scratch memory -------------------------------------------------------------------------

  /** Scratch memory with anything in it; what was in the slot before is gone if it grew. */
  long scratch(Slot slot, long bytes) {
    CudaBuffer buffer = scratch[slot.ordinal()];
    if (buffer == null || buffer.bytes() < bytes) {
      if (buffer != null) {
        synchronize();
        scratch[slot.ordinal()] = null;
        buffer.close();
      }
      buffer = device.take(Math.max(bytes, 1));
      scratch[slot.ordinal()] = buffer;
    }
    return buffer.address();
  }

  /** Scratch memory for reals. */
  long scratchReals(Slot slot, long count) {
    return scratch(slot, count * Float.BYTES);
  }

  // ---- copies ---------------------------------------------------------------------------------

  void copy(long source, long target, long bytes) {
    if (bytes > 0 && source != target) {
      copy(
          MemorySegment.ofAddress(source),
          MemorySegment.ofAddress(target),
          bytes,
          Cudart.cudaMemcpyDeviceToDevice);
    }
  }

  private void copy(MemorySegment source, MemorySegment target, long bytes, int kind) {
    Calls.cuda("cudaMemcpyAsync", Cudart.cudaMemcpyAsync(target, source, bytes, kind, stream));
  }

  void zero(long target, long bytes) {
    if (bytes > 0) {
      Calls.cuda(
          "cudaMemsetAsync",
          Cudart.cudaMemsetAsync(MemorySegment.ofAddress(target), 0, bytes, stream));
    }
  }

  /**
   * Sends native memory to the device; it may be written over when this returns, unless the device
   * has it page-locked.
   */
  void send(MemorySegment source, long target, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (bytes <= Stage.LARGEST) {
      MemorySegment room = room(bytes);
      MemorySegment.copy(source, 0, room, 0, bytes);
      stage.send(room, target);
    } else {
      copy(source, MemorySegment.ofAddress(target), bytes, Cudart.cudaMemcpyHostToDevice);
      if (!device.isPinned(source.asSlice(0, bytes))) {
        // It may be read later.
        synchronize();
      }
    }
  }

  /** Sends whole numbers as int64. */
  void send(long[] values, long target) {
    int chunk = Stage.LARGEST / Long.BYTES;
    for (int done = 0; done < values.length; done += chunk) {
      int count = Math.min(chunk, values.length - done);
      MemorySegment room = room((long) count * Long.BYTES);
      MemorySegment.copy(values, done, room, ValueLayout.JAVA_LONG_UNALIGNED, 0, count);
      stage.send(room, target + (long) done * Long.BYTES);
    }
  }

  private MemorySegment room(long bytes) {
    if (stage == null) {
      stage = new Stage(device, stream);
    }
    return stage.room(bytes);
  }

  /** Fetches memory of the device and waits for it. */
  void fetch(long source, MemorySegment target, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (bytes <= Stage.LARGEST) {
      if (back == null) {
        back = new PinnedMemory(device, Stage.LARGEST);
      }
      copy(MemorySegment.ofAddress(source), back.segment(), bytes, Cudart.cudaMemcpyDeviceToHost);
      synchronize();
      MemorySegment.copy(back.segment(), 0, target, 0, bytes);
    } else {
      copy(MemorySegment.ofAddress(source), target, bytes, Cudart.cudaMemcpyDeviceToHost);
      synchronize();
    }
  }

  double fetchDouble(long source) {
    try (Arena aside = Arena.ofConfined()) {
      MemorySegment value = aside.allocate(ValueLayout.JAVA_DOUBLE);
      fetch(source, value, Double.BYTES);
      return value.get(ValueLayout.JAVA_DOUBLE, 0);
    }
  }

  void synchronize() {
    Calls.cuda("cudaStreamSynchronize", Cudart.cudaStreamSynchronize(stream));
  }

  /** What cuDNN has of this order. */
  CudnnOrder cudnn() {
    if (cudnn == null) {
      cudnn = new CudnnOrder(this);
    }
    return cudnn;
  }

  // ---- what the host knows --------------------------------------------------------------------

  /** Remembers whole numbers that were just sent to a region. */
  void remember(Region target, DType type, MemorySegment values, long count) {
    if (count > LONGEST_KNOWN || (type != DType.INT32 && type != DType.INT64)) {
      return;
    }
    Known entry = known[nextKnown];
    if (entry == null) {
      entry = new Known();
      known[nextKnown] = entry;
    }
    nextKnown = (nextKnown + 1) % KNOWN;
    entry.buffer = (CudaBuffer) target.buffer();
    entry.version = entry.buffer.version();
    entry.offset = target.offset();
    entry.count = (int) count;
    entry.elementBytes = type.bytes();
    if (entry.values.length < count) {
      entry.values = new long[(int) count];
    }
    read(values, type, entry.values, entry.count);
  }

  private static void read(MemorySegment from, DType type, long[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] =
          type == DType.INT32
              ? from.get(ValueLayout.JAVA_INT_UNALIGNED, (long) i * Integer.BYTES)
              : from.get(ValueLayout.JAVA_LONG_UNALIGNED, (long) i * Long.BYTES);
    }
  }

  /** Whole numbers of a checked region, if the host sent them and nobody wrote there since. */
  long[] known(Region region, DType type, long count) {
    for (Known entry : known) {
      if (entry != null
          && entry.buffer == region.buffer()
          && entry.version == entry.buffer.version()
          && entry.offset == region.offset()
          && entry.elementBytes == type.bytes()
          && entry.count >= count) {
        return entry.values;
      }
    }
    return null;
  }

  /** Whole numbers of a checked region; waits for them if the host does not know them. */
  long[] integers(Region region, DType type, int count) {
    long[] values = known(region, type, count);
    if (values != null) {
      return values;
    }
    values = new long[count];
    long bytes = (long) count * type.bytes();
    try (Arena aside = Arena.ofConfined()) {
      MemorySegment copy = aside.allocate(Math.max(bytes, 1), Long.BYTES);
      fetch(((CudaBuffer) region.buffer()).address() + region.offset(), copy, bytes);
      read(copy, type, values, count);
    }
    return values;
  }

  // ---- what kernels complain about ------------------------------------------------------------

  /** A place where kernels write the lowest position of something bad. */
  long status() {
    long status = scratch(Slot.STATUS, Long.BYTES);
    launch.of("fill8").pointer(status).number(1).number(Long.MAX_VALUE).overElements(1);
    return status;
  }

  /** The lowest position of something bad, {@link Long#MAX_VALUE} if all is well; waits for it. */
  long complaint(long status) {
    try (Arena aside = Arena.ofConfined()) {
      MemorySegment value = aside.allocate(ValueLayout.JAVA_LONG);
      fetch(status, value, Long.BYTES);
      return value.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  @Override
  public void close() {
    if (device.usable()) {
      // What is still under way uses what is given back below.
      device.released("cudaStreamSynchronize", Cudart.cudaStreamSynchronize(stream));
    }
    products.close();
    if (cudnn != null) {
      cudnn.close();
      cudnn = null;
    }
    if (stage != null) {
      stage.close();
      stage = null;
    }
    if (back != null) {
      back.close();
      back = null;
    }
    for (int i = 0; i < scratch.length; i++) {
      if (scratch[i] != null) {
        scratch[i].close();
        scratch[i] = null;
      }
    }
    if (device.usable()) {
      device.released("cudaStreamDestroy", Cudart.cudaStreamDestroy(stream));
    }
    arena.close();
  }
}

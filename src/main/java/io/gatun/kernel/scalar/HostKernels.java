package io.gatun.kernel.scalar;

import io.gatun.kernel.Bounds;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Segments;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the kernels of every device that computes on the CPU have in common: the checks at the door
 * of each operation, and the operations that only move bytes.
 *
 * <p>An operation first calls {@link #readable} for every region it reads and {@link #writable} for
 * every region it writes. Both check that the memory is there, alive, open to this thread, long
 * enough (and not read-only), and return the address of the region's first byte. After that an
 * operation may run bare, on addresses; {@link #segment} is the same memory with Java's own checks.
 *
 * <p>Worker threads may use raw addresses of any checked region, since the calling thread waits
 * inside the operation. Through segments they may only where {@link #shareable} says so.
 */
public abstract class HostKernels implements Kernels {
  /** The threads the operations of these kernels use. */
  protected final Workers workers;

  /** The type of real numbers. */
  protected final DType real;

  private final HostDevice device;
  final AxisWalk walk = new AxisWalk();

  /** For the devices' kernels. */
  protected HostKernels(HostDevice device, Workers workers) {
    this.device = device;
    this.workers = workers;
    this.real = device.real();
  }

  @Override
  public Device device() {
    return device;
  }

  // ---- checks at the door ---------------------------------------------------------------------

  /**
   * Checks that an operation may read the first {@code bytes} bytes of a region.
   *
   * @param operand what the operation calls it, for the message
   * @return the address of the region's first byte
   * @throws IndexOutOfBoundsException if the region is shorter
   * @throws IllegalArgumentException if there is no region, or it is another device's
   * @throws IllegalStateException if its memory is closed
   * @throws WrongThreadException if its memory is confined to another thread
   */
  protected static long readable(String operand, Region region, long bytes) {
    if (region == null || region.buffer() == null) {
      throw new IllegalArgumentException(operand + " is missing");
    }
    if (!(region.buffer() instanceof HostBuffer buffer)) {
      throw foreign(operand, region.buffer());
    }
    if (bytes < 0 || region.bytes() < bytes) {
      throw Bounds.tooShort(operand, bytes, region.bytes());
    }
    MemorySegment memory = buffer.segment();
    if (!memory.scope().isAlive()) {
      throw new IllegalStateException(operand + ": its memory is closed");
    }
    if (!memory.isAccessibleBy(Thread.currentThread())) {
      throw new WrongThreadException(operand + ": its memory is confined to another thread");
    }
    return buffer.address() + region.offset();
  }

  /**
   * Checks that an operation may write the first {@code bytes} bytes of a region.
   *
   * @return the address of the region's first byte
   * @throws UnsupportedOperationException if its memory is read-only; otherwise as {@link
   *     #readable}
   */
  protected static long writable(String operand, Region region, long bytes) {
    long address = readable(operand, region, bytes);
    if (bytes > 0 && segment(region).isReadOnly()) {
      throw new UnsupportedOperationException(operand + ": its memory is read-only");
    }
    return address;
  }

  /** The memory that a checked region points into; it begins at {@link Region#offset()}. */
  protected static MemorySegment segment(Region region) {
    return ((HostBuffer) region.buffer()).segment();
  }

  /** Whether worker threads may use a checked region's segment, or there is none. */
  protected static boolean shareable(Region region) {
    return region == null || !Segments.isThreadConfined(segment(region));
  }

  /** {@link Bounds#count}. */
  protected static long count(String what, long count) {
    return Bounds.count(what, count);
  }

  /** {@link Bounds#bytes}. */
  protected static long bytes(long count, long elementBytes) {
    return Bounds.bytes(count, elementBytes);
  }

  /** {@link Bounds#reach(String, long, long, long)}. */
  protected static long reach(String operand, long rows, long stride, long size) {
    return Bounds.reach(operand, rows, stride, size);
  }

  /** {@link Bounds#reach(String, long, long, long, long, long)}. */
  protected static long reach(
      String operand, long outer, long outerStride, long rows, long rowStride, long size) {
    return Bounds.reach(operand, outer, outerStride, rows, rowStride, size);
  }

  /** {@link Bounds#reach(String, long, long[], long[])}. */
  protected static long reach(String operand, long offset, long[] extent, long[] strides) {
    return Bounds.reach(operand, offset, extent, strides);
  }

  /**
   * Checks the lengths of sequences.
   *
   * @param lengths int32 {@code [count]}, or {@code null}
   * @param most the longest there may be
   * @throws ShapeException that names the sequence and its length if one is not from 0 to most
   */
  protected static void checkLengths(Region lengths, int count, int most) {
    if (lengths == null) {
      return;
    }
    readable("lengths", lengths, bytes(count, Integer.BYTES));
    for (int i = 0; i < count; i++) {
      int length = lengthAt(lengths, i);
      if (length < 0 || length > most) {
        throw new ShapeException(
            "lengths: sequence " + i + " has length " + length + ", expected 0 to " + most);
      }
    }
  }

  /** Checks the tokens of a recurrent layer, also those behind the sequences' ends. */
  protected static void checkTokens(RecurrentCall call, int time, int batch) {
    indexType(call.tokenType);
    long in = reach("tokens", time, call.inputTimeStride, batch, call.inputRowStride, 1);
    readable("tokens", call.tokens, bytes(in, call.tokenType.bytes()));
    MemorySegment tokens = segment(call.tokens);
    long rows = call.embedding.rows();
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < batch; b++) {
        long at = t * call.inputTimeStride + b * call.inputRowStride;
        long token =
            Elements.getLong(
                tokens, call.tokenType, call.tokens.offset() + at * call.tokenType.bytes());
        if (token < -rows || token >= rows) {
          throw new IndexOutOfBoundsException(
              "tokens: number "
                  + ((long) t * batch + b)
                  + " is "
                  + token
                  + ", the table has "
                  + rows
                  + " rows");
        }
      }
    }
  }

  /** One of the checked tokens, as a row of the table. */
  protected static int tokenAt(RecurrentCall call, long at) {
    long token =
        Elements.getLong(
            segment(call.tokens),
            call.tokenType,
            call.tokens.offset() + at * call.tokenType.bytes());
    long rows = call.embedding.rows();
    // Clamped although checked: another thread may have written there since.
    return (int) Math.max(0, Math.min(rows - 1, token < 0 ? token + rows : token));
  }

  /** One of the checked lengths. */
  protected static int lengthAt(Region lengths, int index) {
    return segment(lengths)
        .get(ValueLayout.JAVA_INT_UNALIGNED, lengths.offset() + (long) index * Integer.BYTES);
  }

  /** {@link Bounds#indexType}. */
  protected static DType indexType(DType type) {
    return Bounds.indexType(type);
  }

  private static IllegalArgumentException foreign(String operand, Buffer buffer) {
    return new IllegalArgumentException(
        operand + " is a " + buffer.getClass().getSimpleName() + " of another device");
  }

  // ---- moving numbers -------------------------------------------------------------------------

  @Override
  public void upload(Tensor source, Region target) {
    DType type = device.stored(source.dtype());
    source.checkAccess();
    long bytes = bytes(source.elements(), type.bytes());
    writable("upload target", target, bytes);
    if (bytes == 0) {
      return;
    }
    if (type == source.dtype() && source.isContiguous()) {
      MemorySegment.copy(source.segment(), 0, segment(target), target.offset(), bytes);
    } else {
      view(target, type, source).copyFrom(source);
    }
  }

  @Override
  public void download(Region source, Tensor target) {
    DType type = device.stored(target.dtype());
    target.checkAccess();
    long bytes = bytes(target.elements(), type.bytes());
    readable("download source", source, bytes);
    if (bytes == 0) {
      return;
    }
    if (type == target.dtype() && target.isContiguous()) {
      MemorySegment.copy(segment(source), source.offset(), target.segment(), 0, bytes);
    } else {
      target.copyFrom(view(source, type, target));
    }
  }

  private static Tensor view(Region region, DType type, Tensor like) {
    return Tensor.wrap(
        segment(region), type, like.shape(), like.shape().contiguousStrides(), region.offset());
  }

  @Override
  public void copy(Region source, Region target, long bytes) {
    readable("copy source", source, count("bytes", bytes));
    writable("copy target", target, bytes);
    MemorySegment.copy(segment(source), source.offset(), segment(target), target.offset(), bytes);
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
    if (elementBytes < 1) {
      throw new IllegalArgumentException(
          "elements of " + elementBytes + " bytes, expected at least 1");
    }
    long from = reach("copy source", sourceOffset, extent, sourceStrides);
    long to = reach("copy target", targetOffset, extent, targetStrides);
    readable("copy source", source, bytes(from, elementBytes));
    writable("copy target", target, bytes(to, elementBytes));
    if (to == 0) {
      return;
    }
    MemorySegment in = segment(source);
    MemorySegment out = segment(target);
    long begin = source.offset() + sourceOffset * elementBytes;
    long into = target.offset() + targetOffset * elementBytes;
    walk.begin(extent, sourceStrides, targetStrides, null);
    boolean dense = walk.stride(0) == 1 && walk.stride(1) == 1;
    while (walk.next()) {
      long at = begin + walk.at(0) * elementBytes;
      long put = into + walk.at(1) * elementBytes;
      if (dense) {
        MemorySegment.copy(in, at, out, put, walk.run() * elementBytes);
      } else {
        copyRun(in, at, walk.stride(0), out, put, walk.stride(1), walk.run(), elementBytes);
      }
    }
  }

  private static void copyRun(
      MemorySegment in,
      long at,
      long inStride,
      MemorySegment out,
      long put,
      long outStride,
      long count,
      int elementBytes) {
    long inStep = inStride * elementBytes;
    long outStep = outStride * elementBytes;
    switch (elementBytes) {
      case 1 -> {
        for (long i = 0; i < count; i++) {
          out.set(
              ValueLayout.JAVA_BYTE,
              put + i * outStep,
              in.get(ValueLayout.JAVA_BYTE, at + i * inStep));
        }
      }
      case 4 -> {
        for (long i = 0; i < count; i++) {
          out.set(
              ValueLayout.JAVA_INT_UNALIGNED,
              put + i * outStep,
              in.get(ValueLayout.JAVA_INT_UNALIGNED, at + i * inStep));
        }
      }
      case 8 -> {
        for (long i = 0; i < count; i++) {
          out.set(
              ValueLayout.JAVA_LONG_UNALIGNED,
              put + i * outStep,
              in.get(ValueLayout.JAVA_LONG_UNALIGNED, at + i * inStep));
        }
      }
      default -> {
        for (long i = 0; i < count; i++) {
          MemorySegment.copy(in, at + i * inStep, out, put + i * outStep, elementBytes);
        }
      }
    }
  }

  @Override
  public void fill(Region target, DType type, long count, double value) {
    DType stored = device.stored(type);
    long bytes = bytes(count("count", count), stored.bytes());
    writable("fill target", target, bytes);
    MemorySegment out = segment(target);
    long end = target.offset() + bytes;
    for (long at = target.offset(); at < end; at += stored.bytes()) {
      Elements.setDouble(out, stored, at, value);
    }
  }

  @Override
  public void cast(Region source, DType from, Region target, DType to, long count) {
    DType storedFrom = device.stored(from);
    DType storedTo = device.stored(to);
    count("count", count);
    readable("cast source", source, bytes(count, storedFrom.bytes()));
    writable("cast target", target, bytes(count, storedTo.bytes()));
    MemorySegment in = segment(source);
    MemorySegment out = segment(target);
    if (storedFrom == storedTo) {
      MemorySegment.copy(in, source.offset(), out, target.offset(), count * storedFrom.bytes());
      return;
    }
    long at = source.offset();
    long put = target.offset();
    // A double holds every real and a long every integer but large uint64, so only writing
    // converts.
    boolean reals = storedFrom.isFloat() || (storedFrom == DType.UINT64 && storedTo.isFloat());
    for (long i = 0; i < count; i++) {
      if (reals) {
        Elements.setDouble(out, storedTo, put, Elements.getDouble(in, storedFrom, at));
      } else {
        Elements.setLong(out, storedTo, put, Elements.getLong(in, storedFrom, at));
      }
      at += storedFrom.bytes();
      put += storedTo.bytes();
    }
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
    indexType(indexType);
    readable("table", table, bytes(count("table rows", tableRows), count("row bytes", rowBytes)));
    readable("indices", indices, bytes(count("count", count), indexType.bytes()));
    writable("gather target", target, bytes(count, rowBytes));
    MemorySegment places = segment(indices);
    for (long i = 0; i < count; i++) {
      long index = Elements.getLong(places, indexType, indices.offset() + i * indexType.bytes());
      if (index < -tableRows || index >= tableRows) {
        throw new IndexOutOfBoundsException(
            "indices: number " + i + " is " + index + ", the table has " + tableRows + " rows");
      }
    }
    MemorySegment in = segment(table);
    MemorySegment out = segment(target);
    for (long i = 0; i < count; i++) {
      long index = Elements.getLong(places, indexType, indices.offset() + i * indexType.bytes());
      long row = index < 0 ? index + tableRows : index;
      MemorySegment.copy(
          in, table.offset() + row * rowBytes, out, target.offset() + i * rowBytes, rowBytes);
    }
  }

  @Override
  public void assign(Region target, Region places, int count, double value) {
    writable("assign target", target, 0);
    readable("places", places, bytes(count("count", count), Long.BYTES));
    MemorySegment in = segment(places);
    MemorySegment out = segment(target);
    long elements = target.bytes() / real.bytes();
    for (int i = 0; i < count; i++) {
      long place = Elements.getLong(in, DType.INT64, places.offset() + (long) i * Long.BYTES);
      if (place < 0 || place >= elements) {
        throw new IndexOutOfBoundsException(
            "places: number " + i + " is " + place + ", the target has " + elements + " elements");
      }
    }
    if (count > 0) {
      writable("assign target", target, real.bytes());
    }
    for (int i = 0; i < count; i++) {
      long place = Elements.getLong(in, DType.INT64, places.offset() + (long) i * Long.BYTES);
      Elements.setDouble(out, real, target.offset() + place * real.bytes(), value);
    }
  }

  // ---- order ----------------------------------------------------------------------------------

  /** Nothing to wait for: every operation is done when it returns. */
  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}

package io.gatun.sequence;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Numbers that the host and the device both look at. Where the device reaches the host's memory
 * they are the same bytes; elsewhere {@link #push} and {@link #pull} copy them.
 */
final class HostArray implements AutoCloseable {
  private final Device device;
  private final DType type;
  private final Region region = new Region();
  private Arena arena;
  private MemorySegment segment;
  private Buffer buffer;
  private boolean shared;
  private Tensor view;
  private long capacity;

  /**
   * An array without elements yet.
   *
   * @param type int32, int64, float32 or float64, as the device stores it
   */
  HostArray(Device device, DType type) {
    this.device = device;
    this.type = type;
  }

  /** Makes room for at least so many elements; what was in it is lost if it has to grow. */
  void ensure(long elements) {
    if (arena != null && elements <= capacity) {
      return;
    }
    long size = Math.max(Math.max(elements, capacity * 2), 16);
    close();
    // Shared, so that a device's worker threads may read and write it.
    arena = Arena.ofShared();
    segment = arena.allocate(Math.multiplyExact(size, (long) type.bytes()), 64);
    buffer = device.wrap(segment);
    shared = buffer != null;
    if (!shared) {
      buffer = device.allocate(segment.byteSize());
    }
    region.set(buffer, 0, segment.byteSize());
    capacity = size;
    view = null;
  }

  /** Where it lies on the device; stays the same object when the array grows. */
  Region region() {
    return region;
  }

  /** Waits until the device has read what the host is about to write over. */
  void reuse(Kernels kernels) {
    if (shared) {
      kernels.synchronize();
    }
  }

  /** Lets the device see what the host wrote in the first {@code count} elements. */
  void push(Kernels kernels, long count) {
    if (!shared) {
      kernels.upload(view(count), region);
    }
  }

  /** Lets the host see what the device wrote in the first {@code count} elements. */
  void pull(Kernels kernels, long count) {
    if (shared) {
      kernels.synchronize();
    } else {
      kernels.download(region, view(count));
    }
  }

  private Tensor view(long count) {
    if (view == null || view.elements() != count) {
      view = Tensor.wrap(segment.asSlice(0, count * type.bytes()), type, count);
    }
    return view;
  }

  /** A whole number, whether the elements are int32 or int64. */
  int getInt(long index) {
    return type == DType.INT64
        ? Math.toIntExact(segment.get(ValueLayout.JAVA_LONG, index * Long.BYTES))
        : segment.get(ValueLayout.JAVA_INT, index * Integer.BYTES);
  }

  /** Stores a whole number, whether the elements are int32 or int64. */
  void setInt(long index, int value) {
    if (type == DType.INT64) {
      setLong(index, value);
    } else {
      segment.set(ValueLayout.JAVA_INT, index * Integer.BYTES, value);
    }
  }

  void setLong(long index, long value) {
    segment.set(ValueLayout.JAVA_LONG, index * Long.BYTES, value);
  }

  double getReal(long index) {
    return type == DType.FLOAT32
        ? segment.get(ValueLayout.JAVA_FLOAT, index * Float.BYTES)
        : segment.get(ValueLayout.JAVA_DOUBLE, index * Double.BYTES);
  }

  @Override
  public void close() {
    capacity = 0;
    if (buffer != null) {
      buffer.close();
      buffer = null;
    }
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }
}

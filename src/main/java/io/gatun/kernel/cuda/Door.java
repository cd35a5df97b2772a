package io.gatun.kernel.cuda;

import io.gatun.kernel.Bounds;
import io.gatun.kernel.Region;

/** The checks at the door of an operation of one device. */
final class Door {
  private static final long REAL = Float.BYTES;

  private final CudaDevice device;

  Door(CudaDevice device) {
    this.device = device;
  }

  /**
   * Checks that an operation may read the first {@code bytes} bytes of a region.
   *
   * @return the address of the region's first byte
   * @throws IndexOutOfBoundsException if the region is shorter
   * @throws IllegalArgumentException if there is no region, or it is another device's
   * @throws IllegalStateException if its memory is closed
   */
  long in(String operand, Region region, long bytes) {
    CudaBuffer buffer = buffer(operand, region);
    if (bytes < 0 || region.bytes() < bytes) {
      throw Bounds.tooShort(operand, bytes, region.bytes());
    }
    return buffer.address() + region.offset();
  }

  /** The same for a region that is written. */
  long out(String operand, Region region, long bytes) {
    long address = in(operand, region, bytes);
    ((CudaBuffer) region.buffer()).written();
    return address;
  }

  /** Checks that so many reals may be read. */
  long reals(String operand, Region region, long count) {
    return in(operand, region, Bounds.bytes(count, REAL));
  }

  /** Checks that so many reals may be written. */
  long outReals(String operand, Region region, long count) {
    return out(operand, region, Bounds.bytes(count, REAL));
  }

  /** The same for an operand that may be missing; 0 where it is. */
  long realsIf(String operand, Region region, long count) {
    return region == null ? 0 : reals(operand, region, count);
  }

  /** The same for an operand that may be missing; 0 where it is. */
  long outRealsIf(String operand, Region region, long count) {
    return region == null ? 0 : outReals(operand, region, count);
  }

  private CudaBuffer buffer(String operand, Region region) {
    if (region == null || region.buffer() == null) {
      throw new IllegalArgumentException(operand + " is missing");
    }
    if (!(region.buffer() instanceof CudaBuffer buffer) || buffer.device() != device) {
      throw new IllegalArgumentException(
          operand
              + " is a "
              + region.buffer().getClass().getSimpleName()
              + " of another device, expected one of "
              + device.name());
    }
    return buffer;
  }

  /** Something that was packed for this device. */
  <T extends Owned> T own(Class<T> type, String operand, Object packed) {
    if (!type.isInstance(packed) || type.cast(packed).device() != device) {
      throw new IllegalArgumentException(
          operand
              + " is a "
              + (packed == null ? "null" : packed.getClass().getSimpleName())
              + " of another device, expected one of "
              + device.name());
    }
    return type.cast(packed);
  }

  /** What belongs to a device. */
  interface Owned {
    CudaDevice device();
  }
}

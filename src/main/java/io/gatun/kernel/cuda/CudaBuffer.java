package io.gatun.kernel.cuda;

import io.gatun.kernel.Buffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** Memory of a GPU. */
final class CudaBuffer extends Buffer {
  private final CudaDevice device;
  private final long address;
  private final long bytes;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Counts what was written, so that a copy of it on the host is known to be old. */
  private volatile int version;

  CudaBuffer(CudaDevice device, long address, long bytes) {
    this.device = device;
    this.address = address;
    this.bytes = bytes;
  }

  CudaDevice device() {
    return device;
  }

  /** The address of the first byte, in the device's memory. */
  long address() {
    if (closed.get()) {
      throw new IllegalStateException("a buffer of " + bytes + " bytes is closed");
    }
    return address;
  }

  int version() {
    return version;
  }

  /** Only one order of work writes a buffer at a time, so counting need not be atomic. */
  @SuppressWarnings("NonAtomicVolatileUpdate")
  void written() {
    version++;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      device.free(address);
    }
  }
}

package io.gatun.kernel;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Memory of the host that a device copies from and to by itself, see {@link Device#allocateHost}.
 * Thread-safe in itself; who writes while the device reads is the caller's affair.
 */
public final class HostMemory implements AutoCloseable {
  private final MemorySegment segment;
  private final Runnable release;
  private final AtomicBoolean closed = new AtomicBoolean();

  /**
   * Memory that a device made.
   *
   * @param segment native, aligned to 64 bytes; when it was released, using it is an exception
   * @param release gives it back; called once
   */
  public HostMemory(MemorySegment segment, Runnable release) {
    this.segment = Objects.requireNonNull(segment);
    this.release = Objects.requireNonNull(release);
  }

  /** The memory; {@link io.gatun.tensor.Tensor#wrap} makes a tensor of it. */
  public MemorySegment segment() {
    return segment;
  }

  /** Waits for what the device still copies from or to here, and gives the memory back. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      release.run();
    }
  }
}

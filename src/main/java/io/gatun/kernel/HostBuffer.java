package io.gatun.kernel;

import io.gatun.tensor.SharedArena;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A {@link Buffer} in the computer's own memory, shared by the devices that compute on the CPU.
 *
 * <p>Kernels use the raw {@link #address()}: whoever makes a buffer sees to it that the memory
 * stays mapped while kernels run (by owning the arena, by holding a lease of it, or because only
 * the calling thread could close it).
 */
public final class HostBuffer extends Buffer {
  private final MemorySegment segment;
  private final long address;
  private final AutoCloseable owner;
  private final AtomicBoolean closed = new AtomicBoolean();

  private HostBuffer(MemorySegment segment, AutoCloseable owner) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException(
          "a heap segment of " + segment.byteSize() + " bytes cannot be used in place");
    }
    this.segment = segment;
    this.address = segment.address();
    this.owner = owner;
  }

  /** New zeroed memory, 64-byte aligned, freed by {@link #close()}. */
  public static HostBuffer allocate(long bytes) {
    Arena arena = Arena.ofShared();
    return new HostBuffer(arena.allocate(Math.max(bytes, 1), 64).asSlice(0, bytes), arena);
  }

  /** Somebody else's native memory; closing the buffer leaves it alone. */
  public static HostBuffer wrap(MemorySegment segment) {
    return new HostBuffer(segment, null);
  }

  /** Memory of a {@link SharedArena} that cannot be closed until this buffer is. */
  public static HostBuffer lease(MemorySegment segment, SharedArena arena, String holder) {
    return new HostBuffer(segment, arena.lease(holder));
  }

  /** The memory as a segment. */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * The address of the first byte.
   *
   * @throws IllegalStateException if the buffer or the memory it wraps is closed: a kernel that
   *     read there would end the JVM
   */
  public long address() {
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("a buffer of " + segment.byteSize() + " bytes is closed");
    }
    return address;
  }

  @Override
  public long bytes() {
    return segment.byteSize();
  }

  @Override
  public void close() {
    if (owner == null || !closed.compareAndSet(false, true)) {
      return;
    }
    try {
      owner.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("closing a buffer of " + bytes() + " bytes failed", e);
    }
  }
}

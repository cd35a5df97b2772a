package io.gatun.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Scratch memory: one slab of native memory, handed out from the front by {@link #allocate}, and
 * taken back all at once by {@link #reset}. Nothing is freed in between, so a run that uses it
 * allocates nothing.
 *
 * <p>What is handed out are byte offsets into {@link #segment()}, aligned to {@value #ALIGNMENT}
 * bytes. The memory is zero when the slab is new and holds the previous use's bytes after a reset.
 *
 * <p>A workspace is used by one thread at a time; the slab itself is shared memory, so that worker
 * threads which that thread starts and waits for can read and write it. Whoever makes a workspace
 * closes it, after the last worker is done.
 */
public final class Workspace implements AutoCloseable {
  /** The alignment of every offset, in bytes: a cache line, and the widest vector. */
  public static final int ALIGNMENT = 64;

  private Arena arena;
  private MemorySegment slab;
  private long used;
  private long highWater;

  /**
   * Makes a workspace.
   *
   * @param initialBytes the least capacity in bytes; rounded up to a multiple of {@value
   *     #ALIGNMENT}, at least one
   * @throws IllegalArgumentException if it is negative or cannot be rounded up
   */
  public Workspace(long initialBytes) {
    replaceSlab(roundUp(initialBytes));
  }

  /**
   * Hands out bytes from the front of what is left.
   *
   * @param bytes how many, 0 or more
   * @return their offset in {@link #segment()}, a multiple of {@value #ALIGNMENT}
   * @throws IllegalArgumentException if {@code bytes} is negative
   * @throws IllegalStateException if they do not fit, or the workspace is closed
   */
  public long allocate(long bytes) {
    checkOpen();
    long rounded = roundUp(bytes);
    if (rounded > slab.byteSize() - used) {
      throw new IllegalStateException(
          "workspace: "
              + bytes
              + " bytes asked for, "
              + (slab.byteSize() - used)
              + " of "
              + slab.byteSize()
              + " left; call ensureCapacity before the first allocation");
    }
    long offset = used;
    used += rounded;
    highWater = Math.max(highWater, used);
    return offset;
  }

  /**
   * Takes everything back; offsets handed out before mean nothing any more.
   *
   * @throws IllegalStateException if the workspace is closed
   */
  public void reset() {
    checkOpen();
    used = 0;
  }

  /**
   * Makes sure that so many bytes fit after a {@link #reset}. A larger slab replaces the present
   * one, whose segment is closed by that; so this is only allowed while nothing is handed out.
   *
   * @param bytes the least capacity in bytes
   * @throws IllegalArgumentException if {@code bytes} is negative or cannot be rounded up
   * @throws IllegalStateException if the slab is too small but in use, or the workspace is closed
   */
  public void ensureCapacity(long bytes) {
    checkOpen();
    long rounded = roundUp(bytes);
    if (rounded <= slab.byteSize()) {
      return;
    }
    if (used > 0) {
      throw new IllegalStateException(
          "workspace: cannot grow from "
              + slab.byteSize()
              + " to "
              + bytes
              + " bytes while "
              + used
              + " bytes are handed out; call reset first");
    }
    Arena old = arena;
    replaceSlab(rounded);
    old.close();
  }

  /**
   * Returns the slab; it is valid until the workspace grows or is closed.
   *
   * @return the whole slab, {@link #capacity()} bytes
   * @throws IllegalStateException if the workspace is closed
   */
  public MemorySegment segment() {
    checkOpen();
    return slab;
  }

  /**
   * Returns the size of the slab in bytes.
   *
   * @return the capacity
   * @throws IllegalStateException if the workspace is closed
   */
  public long capacity() {
    checkOpen();
    return slab.byteSize();
  }

  /**
   * Returns how many bytes are handed out, padding included.
   *
   * @return the bytes in use
   * @throws IllegalStateException if the workspace is closed
   */
  public long used() {
    checkOpen();
    return used;
  }

  /**
   * Returns the most bytes that were ever handed out at once, resets notwithstanding.
   *
   * @return the high-water mark in bytes
   * @throws IllegalStateException if the workspace is closed
   */
  public long highWater() {
    checkOpen();
    return highWater;
  }

  /** Frees the slab. Closing again does nothing; any other call fails from now on. */
  @Override
  public void close() {
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // close() closes it, or ensureCapacity for the next
  private void replaceSlab(long bytes) {
    // Shared, because workers touch it; the price is a slower close, paid once per workspace.
    Arena fresh = Arena.ofShared();
    MemorySegment memory;
    try {
      memory = fresh.allocate(Math.max(bytes, ALIGNMENT), ALIGNMENT);
    } catch (Throwable failure) {
      fresh.close();
      throw failure;
    }
    arena = fresh;
    slab = memory;
  }

  private void checkOpen() {
    if (arena == null) {
      throw new IllegalStateException("workspace: it is closed");
    }
  }

  private static long roundUp(long bytes) {
    if (bytes < 0 || bytes > Long.MAX_VALUE - ALIGNMENT) {
      throw new IllegalArgumentException(
          "workspace: "
              + bytes
              + " bytes asked for, expected 0 to "
              + (Long.MAX_VALUE - ALIGNMENT));
    }
    return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
  }
}

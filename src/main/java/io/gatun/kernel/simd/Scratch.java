package io.gatun.kernel.simd;

import java.lang.foreign.Arena;

/**
 * What one worker needs while it computes, grown when a size is first seen and then kept. Reserved
 * by the thread that asks for the operation, before the workers begin.
 */
final class Scratch implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  /** Left sides of products, interleaved. */
  float[] left = {};

  /** Where rows begin. */
  long[] rows = {};

  private Arena arena;
  private long address;
  private long bytes;

  /**
   * Makes room.
   *
   * @param floats elements of {@link #left}
   * @param rows elements of {@link #rows}
   * @param bytes native memory, at {@link #address()}
   */
  void reserve(long floats, long rows, long bytes) {
    if (left.length < floats) {
      left = new float[Math.toIntExact(floats)];
    }
    if (this.rows.length < rows) {
      this.rows = new long[Math.toIntExact(rows)];
    }
    if (this.bytes < bytes) {
      close();
      Arena fresh = Arena.ofShared();
      address = fresh.allocate(bytes, ALIGNMENT).address();
      arena = fresh;
      this.bytes = bytes;
    }
  }

  /** The native memory, aligned to 64 bytes. */
  long address() {
    return address;
  }

  /** The bytes, rounded up so that what follows is aligned too. */
  static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
  }

  @Override
  public void close() {
    if (arena != null) {
      arena.close();
      arena = null;
      bytes = 0;
    }
  }
}

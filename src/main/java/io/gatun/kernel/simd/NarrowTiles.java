package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.ADDRESS;
import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.FENCED;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import java.lang.invoke.VarHandle;
import jdk.incubator.vector.FloatVector;

/**
 * The tiles of {@link WideTiles}, of which all that is said there holds, over panels of 2 vectors:
 * for machines with 16 vector registers, and for the last columns of a matrix.
 *
 * <p>With 12 sums a loop that computes its two addresses from a counter has more instructions for
 * that than for the sums. So the counter is where in the left side it is, and the address of the
 * panel is carried along, which shows where a core is shared with another thread. What a tile loads
 * stands in the order in which the sums need it ({@link Lanes#FENCED}).
 */
final class NarrowTiles {
  private NarrowTiles() {}

  /**
   * 6 rows of the left side, over an even number of terms: two of them in each round of the loop,
   * which counts half as often.
   */
  static void rows6Even(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c50 = FloatVector.zero(SPECIES);
    FloatVector c51 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 6 * inner; i < end; i += 12) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a5 = FloatVector.broadcast(SPECIES, a[i + 5]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector d0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector d1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e0 = FloatVector.broadcast(SPECIES, a[i + 6]);
      c00 = e0.fma(d0, c00);
      c01 = e0.fma(d1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e1 = FloatVector.broadcast(SPECIES, a[i + 7]);
      c10 = e1.fma(d0, c10);
      c11 = e1.fma(d1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e2 = FloatVector.broadcast(SPECIES, a[i + 8]);
      c20 = e2.fma(d0, c20);
      c21 = e2.fma(d1, c21);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e3 = FloatVector.broadcast(SPECIES, a[i + 9]);
      c30 = e3.fma(d0, c30);
      c31 = e3.fma(d1, c31);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e4 = FloatVector.broadcast(SPECIES, a[i + 10]);
      c40 = e4.fma(d0, c40);
      c41 = e4.fma(d1, c41);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector e5 = FloatVector.broadcast(SPECIES, a[i + 11]);
      c50 = e5.fma(d0, c50);
      c51 = e5.fma(d1, c51);
      p = (p + 4L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    long r4 = r3 + cStride;
    VECTOR.cast(c40).intoMemorySegment(MEMORY, r4, ORDER);
    VECTOR.cast(c41).intoMemorySegment(MEMORY, r4 + BYTES, ORDER);
    long r5 = r4 + cStride;
    VECTOR.cast(c50).intoMemorySegment(MEMORY, r5, ORDER);
    VECTOR.cast(c51).intoMemorySegment(MEMORY, r5 + BYTES, ORDER);
  }

  /** 6 rows of the left side. */
  static void rows6(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c50 = FloatVector.zero(SPECIES);
    FloatVector c51 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 6 * inner; i < end; i += 6) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a5 = FloatVector.broadcast(SPECIES, a[i + 5]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      p = (p + 2L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    long r4 = r3 + cStride;
    VECTOR.cast(c40).intoMemorySegment(MEMORY, r4, ORDER);
    VECTOR.cast(c41).intoMemorySegment(MEMORY, r4 + BYTES, ORDER);
    long r5 = r4 + cStride;
    VECTOR.cast(c50).intoMemorySegment(MEMORY, r5, ORDER);
    VECTOR.cast(c51).intoMemorySegment(MEMORY, r5 + BYTES, ORDER);
  }

  /** 5 rows of the left side. */
  static void rows5(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 5 * inner; i < end; i += 5) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      p = (p + 2L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    long r4 = r3 + cStride;
    VECTOR.cast(c40).intoMemorySegment(MEMORY, r4, ORDER);
    VECTOR.cast(c41).intoMemorySegment(MEMORY, r4 + BYTES, ORDER);
  }

  /** 4 rows of the left side. */
  static void rows4(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 4 * inner; i < end; i += 4) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      p = (p + 2L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
  }

  /** 3 rows of the left side. */
  static void rows3(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 3 * inner; i < end; i += 3) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      p = (p + 2L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
  }

  /** 2 rows of the left side. */
  static void rows2(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    long p = b & ADDRESS;
    for (int i = at, end = at + 2 * inner; i < end; i += 2) {
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      if (FENCED) {
        VarHandle.loadLoadFence();
      }
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      p = (p + 2L * BYTES) & ADDRESS;
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
  }

  /** 1 row of the left side. */
  static void rows1(float[] a, int at, int inner, long b, long c) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (2L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[at + k]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
  }

  /**
   * One row of the left side by two panels at once: 2 sums alone do not hide the latency of an FMA.
   */
  static void row1Pair(float[] a, int at, int inner, long b, long bNext, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * (2L * BYTES);
      long p = b + step;
      long q = bNext + step;
      FloatVector x = FloatVector.broadcast(SPECIES, a[at + k]);
      c0 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER), c0);
      c1 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER), c1);
      c2 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q, ORDER), c2);
      c3 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + BYTES, ORDER), c3);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c2).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c3).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.Vector;

/**
 * Register tiles of the matrix product over wide panels: some rows of the left side by a panel of 4
 * vectors.
 *
 * <p>Left sides come interleaved in a heap array, {@code a[at + rows k + row]}: a broadcast from an
 * array inlines in every profile, one from a segment does not. Every sum is one chain of FMAs over
 * k from zero on, so that the bits of an element depend neither on the tile it was in nor on its
 * neighbours. Each method is as plain as it is for a reason: C1 must be able to compile it (no
 * unrolling over k, nothing loaded before the loop), the counter is an {@code int} (a {@code long}
 * one costs a fifth of the speed), and nothing of ours is called that takes or gives vectors. What
 * is stored is cast first ({@link Lanes#VECTOR}), in the largest tile all of it before the first
 * store: what a store brings into the method counts against a limit, and one of the later casts is
 * lost to it otherwise.
 */
final class WideTiles {
  private WideTiles() {}

  /** 6 rows of the left side. */
  static void rows6(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c22 = FloatVector.zero(SPECIES);
    FloatVector c23 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c32 = FloatVector.zero(SPECIES);
    FloatVector c33 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c42 = FloatVector.zero(SPECIES);
    FloatVector c43 = FloatVector.zero(SPECIES);
    FloatVector c50 = FloatVector.zero(SPECIES);
    FloatVector c51 = FloatVector.zero(SPECIES);
    FloatVector c52 = FloatVector.zero(SPECIES);
    FloatVector c53 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      int i = at + 6 * k;
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      c13 = a1.fma(b3, c13);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      c23 = a2.fma(b3, c23);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      c33 = a3.fma(b3, c33);
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      c42 = a4.fma(b2, c42);
      c43 = a4.fma(b3, c43);
      FloatVector a5 = FloatVector.broadcast(SPECIES, a[i + 5]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      c52 = a5.fma(b2, c52);
      c53 = a5.fma(b3, c53);
    }
    Vector<Float> d00 = VECTOR.cast(c00);
    Vector<Float> d01 = VECTOR.cast(c01);
    Vector<Float> d02 = VECTOR.cast(c02);
    Vector<Float> d03 = VECTOR.cast(c03);
    Vector<Float> d10 = VECTOR.cast(c10);
    Vector<Float> d11 = VECTOR.cast(c11);
    Vector<Float> d12 = VECTOR.cast(c12);
    Vector<Float> d13 = VECTOR.cast(c13);
    Vector<Float> d20 = VECTOR.cast(c20);
    Vector<Float> d21 = VECTOR.cast(c21);
    Vector<Float> d22 = VECTOR.cast(c22);
    Vector<Float> d23 = VECTOR.cast(c23);
    Vector<Float> d30 = VECTOR.cast(c30);
    Vector<Float> d31 = VECTOR.cast(c31);
    Vector<Float> d32 = VECTOR.cast(c32);
    Vector<Float> d33 = VECTOR.cast(c33);
    Vector<Float> d40 = VECTOR.cast(c40);
    Vector<Float> d41 = VECTOR.cast(c41);
    Vector<Float> d42 = VECTOR.cast(c42);
    Vector<Float> d43 = VECTOR.cast(c43);
    Vector<Float> d50 = VECTOR.cast(c50);
    Vector<Float> d51 = VECTOR.cast(c51);
    Vector<Float> d52 = VECTOR.cast(c52);
    Vector<Float> d53 = VECTOR.cast(c53);
    d00.intoMemorySegment(MEMORY, c, ORDER);
    d01.intoMemorySegment(MEMORY, c + BYTES, ORDER);
    d02.intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    d03.intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    long r1 = c + cStride;
    d10.intoMemorySegment(MEMORY, r1, ORDER);
    d11.intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    d12.intoMemorySegment(MEMORY, r1 + 2L * BYTES, ORDER);
    d13.intoMemorySegment(MEMORY, r1 + 3L * BYTES, ORDER);
    long r2 = r1 + cStride;
    d20.intoMemorySegment(MEMORY, r2, ORDER);
    d21.intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    d22.intoMemorySegment(MEMORY, r2 + 2L * BYTES, ORDER);
    d23.intoMemorySegment(MEMORY, r2 + 3L * BYTES, ORDER);
    long r3 = r2 + cStride;
    d30.intoMemorySegment(MEMORY, r3, ORDER);
    d31.intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    d32.intoMemorySegment(MEMORY, r3 + 2L * BYTES, ORDER);
    d33.intoMemorySegment(MEMORY, r3 + 3L * BYTES, ORDER);
    long r4 = r3 + cStride;
    d40.intoMemorySegment(MEMORY, r4, ORDER);
    d41.intoMemorySegment(MEMORY, r4 + BYTES, ORDER);
    d42.intoMemorySegment(MEMORY, r4 + 2L * BYTES, ORDER);
    d43.intoMemorySegment(MEMORY, r4 + 3L * BYTES, ORDER);
    long r5 = r4 + cStride;
    d50.intoMemorySegment(MEMORY, r5, ORDER);
    d51.intoMemorySegment(MEMORY, r5 + BYTES, ORDER);
    d52.intoMemorySegment(MEMORY, r5 + 2L * BYTES, ORDER);
    d53.intoMemorySegment(MEMORY, r5 + 3L * BYTES, ORDER);
  }

  /** 5 rows of the left side. */
  static void rows5(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c22 = FloatVector.zero(SPECIES);
    FloatVector c23 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c32 = FloatVector.zero(SPECIES);
    FloatVector c33 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c42 = FloatVector.zero(SPECIES);
    FloatVector c43 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      int i = at + 5 * k;
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      c13 = a1.fma(b3, c13);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      c23 = a2.fma(b3, c23);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      c33 = a3.fma(b3, c33);
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      c42 = a4.fma(b2, c42);
      c43 = a4.fma(b3, c43);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c02).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c03).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    VECTOR.cast(c12).intoMemorySegment(MEMORY, r1 + 2L * BYTES, ORDER);
    VECTOR.cast(c13).intoMemorySegment(MEMORY, r1 + 3L * BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    VECTOR.cast(c22).intoMemorySegment(MEMORY, r2 + 2L * BYTES, ORDER);
    VECTOR.cast(c23).intoMemorySegment(MEMORY, r2 + 3L * BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    VECTOR.cast(c32).intoMemorySegment(MEMORY, r3 + 2L * BYTES, ORDER);
    VECTOR.cast(c33).intoMemorySegment(MEMORY, r3 + 3L * BYTES, ORDER);
    long r4 = r3 + cStride;
    VECTOR.cast(c40).intoMemorySegment(MEMORY, r4, ORDER);
    VECTOR.cast(c41).intoMemorySegment(MEMORY, r4 + BYTES, ORDER);
    VECTOR.cast(c42).intoMemorySegment(MEMORY, r4 + 2L * BYTES, ORDER);
    VECTOR.cast(c43).intoMemorySegment(MEMORY, r4 + 3L * BYTES, ORDER);
  }

  /** 4 rows of the left side. */
  static void rows4(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c22 = FloatVector.zero(SPECIES);
    FloatVector c23 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c32 = FloatVector.zero(SPECIES);
    FloatVector c33 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      int i = at + 4 * k;
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      c13 = a1.fma(b3, c13);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      c23 = a2.fma(b3, c23);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      c33 = a3.fma(b3, c33);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c02).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c03).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    VECTOR.cast(c12).intoMemorySegment(MEMORY, r1 + 2L * BYTES, ORDER);
    VECTOR.cast(c13).intoMemorySegment(MEMORY, r1 + 3L * BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    VECTOR.cast(c22).intoMemorySegment(MEMORY, r2 + 2L * BYTES, ORDER);
    VECTOR.cast(c23).intoMemorySegment(MEMORY, r2 + 3L * BYTES, ORDER);
    long r3 = r2 + cStride;
    VECTOR.cast(c30).intoMemorySegment(MEMORY, r3, ORDER);
    VECTOR.cast(c31).intoMemorySegment(MEMORY, r3 + BYTES, ORDER);
    VECTOR.cast(c32).intoMemorySegment(MEMORY, r3 + 2L * BYTES, ORDER);
    VECTOR.cast(c33).intoMemorySegment(MEMORY, r3 + 3L * BYTES, ORDER);
  }

  /** 3 rows of the left side. */
  static void rows3(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c22 = FloatVector.zero(SPECIES);
    FloatVector c23 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      int i = at + 3 * k;
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      c13 = a1.fma(b3, c13);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      c23 = a2.fma(b3, c23);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c02).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c03).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    VECTOR.cast(c12).intoMemorySegment(MEMORY, r1 + 2L * BYTES, ORDER);
    VECTOR.cast(c13).intoMemorySegment(MEMORY, r1 + 3L * BYTES, ORDER);
    long r2 = r1 + cStride;
    VECTOR.cast(c20).intoMemorySegment(MEMORY, r2, ORDER);
    VECTOR.cast(c21).intoMemorySegment(MEMORY, r2 + BYTES, ORDER);
    VECTOR.cast(c22).intoMemorySegment(MEMORY, r2 + 2L * BYTES, ORDER);
    VECTOR.cast(c23).intoMemorySegment(MEMORY, r2 + 3L * BYTES, ORDER);
  }

  /** 2 rows of the left side. */
  static void rows2(float[] a, int at, int inner, long b, long c, long cStride) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      int i = at + 2 * k;
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      c13 = a1.fma(b3, c13);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c02).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c03).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    long r1 = c + cStride;
    VECTOR.cast(c10).intoMemorySegment(MEMORY, r1, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, r1 + BYTES, ORDER);
    VECTOR.cast(c12).intoMemorySegment(MEMORY, r1 + 2L * BYTES, ORDER);
    VECTOR.cast(c13).intoMemorySegment(MEMORY, r1 + 3L * BYTES, ORDER);
  }

  /** 1 row of the left side. */
  static void rows1(float[] a, int at, int inner, long b, long c) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c03 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER);
      FloatVector b2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER);
      FloatVector b3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER);
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[at + k]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      c03 = a0.fma(b3, c03);
    }
    VECTOR.cast(c00).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c01).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c02).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c03).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }

  /**
   * One row of the left side by four panels at once, {@code next} bytes apart: the more streams of
   * weights there are, the more of them are fetched ahead.
   */
  static void row1Quad(float[] a, int inner, long b, long next, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    FloatVector c4 = FloatVector.zero(SPECIES);
    FloatVector c5 = FloatVector.zero(SPECIES);
    FloatVector c6 = FloatVector.zero(SPECIES);
    FloatVector c7 = FloatVector.zero(SPECIES);
    FloatVector c8 = FloatVector.zero(SPECIES);
    FloatVector c9 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c13 = FloatVector.zero(SPECIES);
    FloatVector c14 = FloatVector.zero(SPECIES);
    FloatVector c15 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (4L * BYTES);
      long q = p + next;
      long r = q + next;
      long s = r + next;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      c0 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER), c0);
      c1 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER), c1);
      c2 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER), c2);
      c3 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER), c3);
      c4 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q, ORDER), c4);
      c5 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + BYTES, ORDER), c5);
      c6 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + 2L * BYTES, ORDER), c6);
      c7 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + 3L * BYTES, ORDER), c7);
      c8 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, r, ORDER), c8);
      c9 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, r + BYTES, ORDER), c9);
      c10 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, r + 2L * BYTES, ORDER), c10);
      c11 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, r + 3L * BYTES, ORDER), c11);
      c12 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, s, ORDER), c12);
      c13 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, s + BYTES, ORDER), c13);
      c14 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, s + 2L * BYTES, ORDER), c14);
      c15 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, s + 3L * BYTES, ORDER), c15);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c2).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c3).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    VECTOR.cast(c4).intoMemorySegment(MEMORY, c + 4L * BYTES, ORDER);
    VECTOR.cast(c5).intoMemorySegment(MEMORY, c + 5L * BYTES, ORDER);
    VECTOR.cast(c6).intoMemorySegment(MEMORY, c + 6L * BYTES, ORDER);
    VECTOR.cast(c7).intoMemorySegment(MEMORY, c + 7L * BYTES, ORDER);
    VECTOR.cast(c8).intoMemorySegment(MEMORY, c + 8L * BYTES, ORDER);
    VECTOR.cast(c9).intoMemorySegment(MEMORY, c + 9L * BYTES, ORDER);
    VECTOR.cast(c10).intoMemorySegment(MEMORY, c + 10L * BYTES, ORDER);
    VECTOR.cast(c11).intoMemorySegment(MEMORY, c + 11L * BYTES, ORDER);
    VECTOR.cast(c12).intoMemorySegment(MEMORY, c + 12L * BYTES, ORDER);
    VECTOR.cast(c13).intoMemorySegment(MEMORY, c + 13L * BYTES, ORDER);
    VECTOR.cast(c14).intoMemorySegment(MEMORY, c + 14L * BYTES, ORDER);
    VECTOR.cast(c15).intoMemorySegment(MEMORY, c + 15L * BYTES, ORDER);
  }

  /**
   * One row of the left side by two panels at once: 4 sums alone do not hide the latency of an FMA.
   */
  static void row1Pair(float[] a, int at, int inner, long b, long bNext, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    FloatVector c4 = FloatVector.zero(SPECIES);
    FloatVector c5 = FloatVector.zero(SPECIES);
    FloatVector c6 = FloatVector.zero(SPECIES);
    FloatVector c7 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * (4L * BYTES);
      long p = b + step;
      long q = bNext + step;
      FloatVector x = FloatVector.broadcast(SPECIES, a[at + k]);
      c0 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p, ORDER), c0);
      c1 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + BYTES, ORDER), c1);
      c2 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 2L * BYTES, ORDER), c2);
      c3 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, p + 3L * BYTES, ORDER), c3);
      c4 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q, ORDER), c4);
      c5 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + BYTES, ORDER), c5);
      c6 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + 2L * BYTES, ORDER), c6);
      c7 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, q + 3L * BYTES, ORDER), c7);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c2).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c3).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    VECTOR.cast(c4).intoMemorySegment(MEMORY, c + 4L * BYTES, ORDER);
    VECTOR.cast(c5).intoMemorySegment(MEMORY, c + 5L * BYTES, ORDER);
    VECTOR.cast(c6).intoMemorySegment(MEMORY, c + 6L * BYTES, ORDER);
    VECTOR.cast(c7).intoMemorySegment(MEMORY, c + 7L * BYTES, ORDER);
  }
}

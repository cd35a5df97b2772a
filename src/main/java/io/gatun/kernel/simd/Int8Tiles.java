package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.INTS;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of the left side by panels of int8, and panels widened to float32; {@link SmallWeights}
 * says how they lie. A byte of each lane is shifted to its top, where its sign is the lane's, and
 * the others are masked: the lane is then 2²⁴ times the weight. To shift it down again would cost a
 * third of the speed, so the scales, with which a sum is multiplied before it is stored, make up
 * for it. The rules are those of {@link WideTiles}.
 */
final class Int8Tiles {
  /** What a scale must be multiplied by, since weights are used as their 2²⁴-fold. */
  static final float UNIT = 0x1p-24f;

  /** The highest byte of a lane. */
  private static final int TOP = 0xff000000;

  private Int8Tiles() {}

  /** By a wide panel. */
  static void wide(float[] a, int inner, long b, long scales, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c2 = x.fma(p2, c2);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c3 = x.fma(p3, c3);
    }
    c0.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales, ORDER))
        .intoMemorySegment(MEMORY, c, ORDER);
    c1.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + BYTES, ORDER);
    c2.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 2L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    c3.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 3L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }

  /** By two wide panels: the sums of one alone do not hide the latency of an FMA. */
  static void widePair(float[] a, int inner, long b, long bNext, long scales, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    FloatVector c4 = FloatVector.zero(SPECIES);
    FloatVector c5 = FloatVector.zero(SPECIES);
    FloatVector c6 = FloatVector.zero(SPECIES);
    FloatVector c7 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c2 = x.fma(p2, c2);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c3 = x.fma(p3, c3);
      IntVector q = IntVector.fromMemorySegment(INTS, MEMORY, bNext + step, ORDER);
      FloatVector q0 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c4 = x.fma(q0, c4);
      FloatVector q1 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c5 = x.fma(q1, c5);
      FloatVector q2 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c6 = x.fma(q2, c6);
      FloatVector q3 = (FloatVector) q.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c7 = x.fma(q3, c7);
    }
    c0.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales, ORDER))
        .intoMemorySegment(MEMORY, c, ORDER);
    c1.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + BYTES, ORDER);
    c2.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 2L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    c3.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 3L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
    c4.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 4L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 4L * BYTES, ORDER);
    c5.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 5L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 5L * BYTES, ORDER);
    c6.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 6L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 6L * BYTES, ORDER);
    c7.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 7L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 7L * BYTES, ORDER);
  }

  /** By a narrow panel. */
  static void narrow(float[] a, int inner, long b, long scales, long c) {
    int whole = inner & ~1;
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    for (int k = 0; k < whole; k += 2) {
      long step = (long) (k / 2) * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      FloatVector y = FloatVector.broadcast(SPECIES, a[k + 1]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = y.fma(p2, c0);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = y.fma(p3, c1);
    }
    if (whole < inner) {
      long step = (long) (whole / 2) * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[whole]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
    }
    c0.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales, ORDER))
        .intoMemorySegment(MEMORY, c, ORDER);
    c1.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + BYTES, ORDER);
  }

  /** By two narrow panels. */
  static void narrowPair(float[] a, int inner, long b, long bNext, long scales, long c) {
    int whole = inner & ~1;
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    for (int k = 0; k < whole; k += 2) {
      long step = (long) (k / 2) * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      FloatVector y = FloatVector.broadcast(SPECIES, a[k + 1]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = y.fma(p2, c0);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = y.fma(p3, c1);
      IntVector q = IntVector.fromMemorySegment(INTS, MEMORY, bNext + step, ORDER);
      FloatVector q0 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c2 = x.fma(q0, c2);
      FloatVector q1 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c3 = x.fma(q1, c3);
      FloatVector q2 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c2 = y.fma(q2, c2);
      FloatVector q3 = (FloatVector) q.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      c3 = y.fma(q3, c3);
    }
    if (whole < inner) {
      long step = (long) (whole / 2) * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[whole]);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + step, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c0 = x.fma(p0, c0);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c1 = x.fma(p1, c1);
      IntVector q = IntVector.fromMemorySegment(INTS, MEMORY, bNext + step, ORDER);
      FloatVector q0 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      c2 = x.fma(q0, c2);
      FloatVector q1 =
          (FloatVector)
              q.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      c3 = x.fma(q1, c3);
    }
    c0.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales, ORDER))
        .intoMemorySegment(MEMORY, c, ORDER);
    c1.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + BYTES, ORDER);
    c2.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 2L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    c3.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + 3L * BYTES, ORDER))
        .intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }

  /** Widens a wide panel; the scales stay aside. */
  static void widenWide(int inner, long b, long to) {
    for (int k = 0; k < inner; k++) {
      long q = to + (long) k * (4L * BYTES);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + (long) k * BYTES, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      p0.intoMemorySegment(MEMORY, q, ORDER);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      p1.intoMemorySegment(MEMORY, q + BYTES, ORDER);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      p2.intoMemorySegment(MEMORY, q + 2L * BYTES, ORDER);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      p3.intoMemorySegment(MEMORY, q + 3L * BYTES, ORDER);
    }
  }

  /** Widens a narrow panel, two rows at a time. */
  static void widenNarrow(int inner, long b, long to) {
    for (int k = 0; k < inner; k += 2) {
      long q = to + (long) k * (2L * BYTES);
      IntVector p = IntVector.fromMemorySegment(INTS, MEMORY, b + (long) (k / 2) * BYTES, ORDER);
      FloatVector p0 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 24).convertShape(VectorOperators.I2F, SPECIES, 0);
      p0.intoMemorySegment(MEMORY, q, ORDER);
      FloatVector p1 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 16)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      p1.intoMemorySegment(MEMORY, q + BYTES, ORDER);
      FloatVector p2 =
          (FloatVector)
              p.lanewise(VectorOperators.LSHL, 8)
                  .and(TOP)
                  .convertShape(VectorOperators.I2F, SPECIES, 0);
      p2.intoMemorySegment(MEMORY, q + 2L * BYTES, ORDER);
      FloatVector p3 = (FloatVector) p.and(TOP).convertShape(VectorOperators.I2F, SPECIES, 0);
      p3.intoMemorySegment(MEMORY, q + 3L * BYTES, ORDER);
    }
  }

  /** Scales the sums of some rows. */
  static void scale(long c, long cStride, int rows, int vectors, long scales) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector scale = FloatVector.fromMemorySegment(SPECIES, MEMORY, scales + at, ORDER);
      for (int row = 0; row < rows; row++) {
        long sum = c + at + row * cStride;
        FloatVector.fromMemorySegment(SPECIES, MEMORY, sum, ORDER)
            .mul(scale)
            .intoMemorySegment(MEMORY, sum, ORDER);
      }
    }
  }
}

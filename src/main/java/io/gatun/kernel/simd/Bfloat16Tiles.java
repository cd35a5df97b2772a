package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.INTS;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of the left side by panels of bfloat16, and panels widened to float32; {@link
 * SmallWeights} says how they lie. The upper half of a float32 is a bfloat16, so a shift widens the
 * low half of each lane and a mask the high one. The rules are those of {@link WideTiles}.
 */
final class Bfloat16Tiles {
  private Bfloat16Tiles() {}

  /** By a wide panel. */
  static void wide(float[] a, int inner, long b, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (2L * BYTES);
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      c0 = x.fma(p0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0);
      c1 = x.fma(p0.and(0xffff0000).reinterpretAsFloats(), c1);
      IntVector p1 = IntVector.fromMemorySegment(INTS, MEMORY, p + BYTES, ORDER);
      c2 = x.fma(p1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c2);
      c3 = x.fma(p1.and(0xffff0000).reinterpretAsFloats(), c3);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c2).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c3).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }

  /** By two wide panels: the sums of one alone do not hide the latency of an FMA. */
  static void widePair(float[] a, int inner, long b, long bNext, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    FloatVector c4 = FloatVector.zero(SPECIES);
    FloatVector c5 = FloatVector.zero(SPECIES);
    FloatVector c6 = FloatVector.zero(SPECIES);
    FloatVector c7 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * (2L * BYTES);
      long p = b + step;
      long q = bNext + step;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      c0 = x.fma(p0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0);
      c1 = x.fma(p0.and(0xffff0000).reinterpretAsFloats(), c1);
      IntVector p1 = IntVector.fromMemorySegment(INTS, MEMORY, p + BYTES, ORDER);
      c2 = x.fma(p1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c2);
      c3 = x.fma(p1.and(0xffff0000).reinterpretAsFloats(), c3);
      IntVector q0 = IntVector.fromMemorySegment(INTS, MEMORY, q, ORDER);
      c4 = x.fma(q0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c4);
      c5 = x.fma(q0.and(0xffff0000).reinterpretAsFloats(), c5);
      IntVector q1 = IntVector.fromMemorySegment(INTS, MEMORY, q + BYTES, ORDER);
      c6 = x.fma(q1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c6);
      c7 = x.fma(q1.and(0xffff0000).reinterpretAsFloats(), c7);
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

  /** By a narrow panel. */
  static void narrow(float[] a, int inner, long b, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * BYTES;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      c0 = x.fma(p0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0);
      c1 = x.fma(p0.and(0xffff0000).reinterpretAsFloats(), c1);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
  }

  /** By two narrow panels. */
  static void narrowPair(float[] a, int inner, long b, long bNext, long c) {
    FloatVector c0 = FloatVector.zero(SPECIES);
    FloatVector c1 = FloatVector.zero(SPECIES);
    FloatVector c2 = FloatVector.zero(SPECIES);
    FloatVector c3 = FloatVector.zero(SPECIES);
    for (int k = 0; k < inner; k++) {
      long step = (long) k * BYTES;
      long p = b + step;
      long q = bNext + step;
      FloatVector x = FloatVector.broadcast(SPECIES, a[k]);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      c0 = x.fma(p0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0);
      c1 = x.fma(p0.and(0xffff0000).reinterpretAsFloats(), c1);
      IntVector q0 = IntVector.fromMemorySegment(INTS, MEMORY, q, ORDER);
      c2 = x.fma(q0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c2);
      c3 = x.fma(q0.and(0xffff0000).reinterpretAsFloats(), c3);
    }
    VECTOR.cast(c0).intoMemorySegment(MEMORY, c, ORDER);
    VECTOR.cast(c1).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    VECTOR.cast(c2).intoMemorySegment(MEMORY, c + 2L * BYTES, ORDER);
    VECTOR.cast(c3).intoMemorySegment(MEMORY, c + 3L * BYTES, ORDER);
  }

  /** Widens a wide panel. */
  static void widenWide(int inner, long b, long to) {
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * (2L * BYTES);
      long q = to + (long) k * (4L * BYTES);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      p0.lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoMemorySegment(MEMORY, q, ORDER);
      p0.and(0xffff0000).reinterpretAsFloats().intoMemorySegment(MEMORY, q + BYTES, ORDER);
      IntVector p1 = IntVector.fromMemorySegment(INTS, MEMORY, p + BYTES, ORDER);
      p1.lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoMemorySegment(MEMORY, q + 2L * BYTES, ORDER);
      p1.and(0xffff0000).reinterpretAsFloats().intoMemorySegment(MEMORY, q + 3L * BYTES, ORDER);
    }
  }

  /** Widens a narrow panel. */
  static void widenNarrow(int inner, long b, long to) {
    for (int k = 0; k < inner; k++) {
      long p = b + (long) k * BYTES;
      long q = to + (long) k * (2L * BYTES);
      IntVector p0 = IntVector.fromMemorySegment(INTS, MEMORY, p, ORDER);
      p0.lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoMemorySegment(MEMORY, q, ORDER);
      p0.and(0xffff0000).reinterpretAsFloats().intoMemorySegment(MEMORY, q + BYTES, ORDER);
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Exponential.BIAS_64;
import static io.gatun.kernel.simd.Exponential.E2;
import static io.gatun.kernel.simd.Exponential.E3;
import static io.gatun.kernel.simd.Exponential.E4;
import static io.gatun.kernel.simd.Exponential.E5;
import static io.gatun.kernel.simd.Exponential.E6;
import static io.gatun.kernel.simd.Exponential.E7;
import static io.gatun.kernel.simd.Exponential.EXP_LIMIT;
import static io.gatun.kernel.simd.Exponential.LN2_HIGH;
import static io.gatun.kernel.simd.Exponential.LN2_LOW;
import static io.gatun.kernel.simd.Exponential.LOG2_E;
import static io.gatun.kernel.simd.Exponential.ROUND;
import static io.gatun.kernel.simd.Exponential.TWO_TO_MINUS_64;
import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Passes over one row of whole vectors. What a row comes to is left as one vector of partial
 * results and put together by the caller, since the order in which the Vector API adds up lanes is
 * nobody's promise.
 *
 * <p>What is done to a vector that was just loaded has vectors as operands, not numbers: {@code
 * x.sub(1f)} asks x for a broadcast, and where other vectors have been through that code, JDK 21
 * makes an object of x to ask it.
 */
final class RowPasses {
  private RowPasses() {}

  /** The largest of each lane; NaN is passed over. */
  static void maximum(long in, int vectors, long lanes) {
    FloatVector total = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      total = total.blend(x, x.compare(VectorOperators.GT, total));
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** The smallest of each lane; NaN is passed over. */
  static void minimum(long in, int vectors, long lanes) {
    FloatVector total = FloatVector.broadcast(SPECIES, Float.POSITIVE_INFINITY);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      total = total.blend(x, x.compare(VectorOperators.LT, total));
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** The sum of each lane. */
  static void sum(long in, int vectors, long lanes) {
    FloatVector total = FloatVector.broadcast(SPECIES, 0f);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      total = total.add(x);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** The sum of the squared distances from a centre, of each lane. */
  static void squares(long in, int vectors, long lanes, float centre) {
    FloatVector total = FloatVector.broadcast(SPECIES, 0f);
    FloatVector centres = FloatVector.broadcast(SPECIES, centre);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      x = x.sub(centres);
      total = x.fma(x, total);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** The sum of e^(x - shift) of each lane, for a shift that is at least every x. */
  static void expSum(long in, int vectors, long lanes, float shift) {
    FloatVector total = FloatVector.broadcast(SPECIES, 0f);
    FloatVector shifts = FloatVector.broadcast(SPECIES, shift);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      x = x.sub(shifts);
      FloatVector u = x.abs();
      u = u.blend(EXP_LIMIT, u.compare(VectorOperators.GT, EXP_LIMIT));
      FloatVector m = u.fma(-LOG2_E, ROUND);
      FloatVector n = m.sub(ROUND);
      FloatVector s = n.fma(FloatVector.broadcast(SPECIES, LN2_HIGH), u);
      s = n.fma(FloatVector.broadcast(SPECIES, LN2_LOW), s);
      FloatVector p = s.fma(-E7, E6);
      p = p.fma(s, FloatVector.broadcast(SPECIES, -E5));
      p = p.fma(s, FloatVector.broadcast(SPECIES, E4));
      p = p.fma(s, FloatVector.broadcast(SPECIES, -E3));
      p = p.fma(s, FloatVector.broadcast(SPECIES, E2));
      FloatVector t = p.fma(s.mul(s), s.neg()).add(1f);
      FloatVector scale =
          m.reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 23)
              .add(BIAS_64)
              .reinterpretAsFloats();
      t = t.mul(scale).mul(TWO_TO_MINUS_64);
      total = total.add(t);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** {@code out = e^(x - shift)} and its sum of each lane, for a shift that is at least every x. */
  static void expAndSum(long in, long out, int vectors, long lanes, float shift) {
    FloatVector total = FloatVector.zero(SPECIES);
    FloatVector shifts = FloatVector.broadcast(SPECIES, shift);
    for (int i = 0; i < vectors; i++) {
      FloatVector x =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER).sub(shifts);
      FloatVector u = x.abs();
      u = u.blend(EXP_LIMIT, u.compare(VectorOperators.GT, EXP_LIMIT));
      FloatVector m = u.fma(-LOG2_E, ROUND);
      FloatVector n = m.sub(ROUND);
      FloatVector s = n.fma(FloatVector.broadcast(SPECIES, LN2_HIGH), u);
      s = n.fma(FloatVector.broadcast(SPECIES, LN2_LOW), s);
      FloatVector p = s.fma(-E7, E6);
      p = p.fma(s, FloatVector.broadcast(SPECIES, -E5));
      p = p.fma(s, FloatVector.broadcast(SPECIES, E4));
      p = p.fma(s, FloatVector.broadcast(SPECIES, -E3));
      p = p.fma(s, FloatVector.broadcast(SPECIES, E2));
      FloatVector t = p.fma(s.mul(s), s.neg()).add(1f);
      FloatVector scale =
          m.reinterpretAsInts()
              .lanewise(VectorOperators.LSHL, 23)
              .add(BIAS_64)
              .reinterpretAsFloats();
      t = t.mul(scale).mul(TWO_TO_MINUS_64);
      VECTOR.cast(t).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
      total = total.add(t);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** {@code out = x factor}. */
  static void scale(long in, long out, int vectors, float factor) {
    FloatVector factors = FloatVector.broadcast(SPECIES, factor);
    for (int i = 0; i < vectors; i++) {
      FloatVector y =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER).mul(factors);
      VECTOR.cast(y).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  /** {@code out = (x - first) - second}. */
  static void subtract(long in, long out, int vectors, float first, float second) {
    FloatVector firsts = FloatVector.broadcast(SPECIES, first);
    FloatVector seconds = FloatVector.broadcast(SPECIES, second);
    for (int i = 0; i < vectors; i++) {
      FloatVector y =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER)
              .sub(firsts)
              .sub(seconds);
      VECTOR.cast(y).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  /** {@code out = (x - mean) factor scale}. */
  static void normalise(long in, long out, int vectors, float mean, float factor, long scale) {
    FloatVector means = FloatVector.broadcast(SPECIES, mean);
    FloatVector factors = FloatVector.broadcast(SPECIES, factor);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector y =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, in + at, ORDER)
              .sub(means)
              .mul(factors)
              .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, scale + at, ORDER));
      VECTOR.cast(y).intoMemorySegment(MEMORY, out + at, ORDER);
    }
  }

  /** {@code c = c + bias} over rows of whole vectors. */
  static void addBias(long c, long cStride, int rows, int vectors, long bias) {
    for (int row = 0; row < rows; row++) {
      long to = c + row * cStride;
      for (int i = 0; i < vectors; i++) {
        long at = (long) i * BYTES;
        FloatVector y =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, to + at, ORDER)
                .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, bias + at, ORDER));
        VECTOR.cast(y).intoMemorySegment(MEMORY, to + at, ORDER);
      }
    }
  }

  /**
   * The first vector from {@code from} on with an element above a threshold; {@code vectors} if
   * there is none.
   */
  static int above(long in, int from, int vectors, float threshold) {
    FloatVector thresholds = FloatVector.broadcast(SPECIES, threshold);
    int i = from;
    while (i < vectors
        && !FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER)
            .compare(VectorOperators.GT, thresholds)
            .anyTrue()) {
      i++;
    }
    return i;
  }

  /** The largest of a row; NaN is passed over, and where there is nothing else it is −∞. */
  static float largest(long in, int vectors) {
    FloatVector total = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER);
      total = total.blend(x, x.compare(VectorOperators.GT, total));
    }
    return total.reduceLanes(VectorOperators.MAX);
  }

  /** The place of the first element that equals a value; the elements there are if none does. */
  static int first(long in, int vectors, float value) {
    for (int i = 0; i < vectors; i++) {
      VectorMask<Float> equal =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, in + (long) i * BYTES, ORDER)
              .compare(VectorOperators.EQ, value);
      if (equal.anyTrue()) {
        return i * LANES + equal.firstTrue();
      }
    }
    return vectors * LANES;
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.INTS;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** The vector passes of gradients over whole vectors. */
final class GradientPasses {
  private GradientPasses() {}

  /** {@code dx = (1 − y²) dy}. */
  static void tanh(long y, long dy, long dx, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector v = FloatVector.fromMemorySegment(SPECIES, MEMORY, y + at, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER);
      VECTOR.cast(d.sub(d.mul(v).mul(v))).intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** {@code dx = (y − y²) dy}. */
  static void sigmoid(long y, long dy, long dx, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector v = FloatVector.fromMemorySegment(SPECIES, MEMORY, y + at, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER);
      VECTOR.cast(v.sub(v.mul(v)).mul(d)).intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** {@code dx = dy} where y is above 0, else 0. */
  static void relu(long y, long dy, long dx, int vectors) {
    FloatVector zero = FloatVector.zero(SPECIES);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector v = FloatVector.fromMemorySegment(SPECIES, MEMORY, y + at, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER);
      VECTOR
          .cast(zero.blend(d, v.compare(VectorOperators.GT, zero)))
          .intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** {@code dx = y dy}. */
  static void product(long y, long dy, long dx, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, y + at, ORDER)
                  .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER)))
          .intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** The sum of the products of each lane. */
  static void dot(long a, long b, int vectors, long lanes) {
    FloatVector total = FloatVector.zero(SPECIES);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      total =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
              .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER), total);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, lanes, ORDER);
  }

  /** {@code dx = y (dy − sum)}. */
  static void softmax(long y, long dy, long dx, int vectors, float sum) {
    FloatVector sums = FloatVector.broadcast(SPECIES, sum);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER)
                  .sub(sums)
                  .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, y + at, ORDER)))
          .intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** {@code to = a + factor b}. */
  static void addScaled(long a, long b, long to, int vectors, float factor) {
    FloatVector factors = FloatVector.broadcast(SPECIES, factor);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER)
                  .fma(factors, FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)))
          .intoMemorySegment(MEMORY, to + at, ORDER);
    }
  }

  /** {@code x = factor x + shift}. */
  static void scaleAndShift(long x, int vectors, float factor, float shift) {
    FloatVector factors = FloatVector.broadcast(SPECIES, factor);
    FloatVector shifts = FloatVector.broadcast(SPECIES, shift);
    for (int i = 0; i < vectors; i++) {
      long at = x + (long) i * BYTES;
      VECTOR
          .cast(FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER).fma(factors, shifts))
          .intoMemorySegment(MEMORY, at, ORDER);
    }
  }

  /** {@code dx = factor (g − mean − x̂ slope)}. */
  static void layerNorm(
      long g, long normal, long dx, int vectors, float factor, float mean, float slope) {
    FloatVector factors = FloatVector.broadcast(SPECIES, factor);
    FloatVector means = FloatVector.broadcast(SPECIES, mean);
    FloatVector slopes = FloatVector.broadcast(SPECIES, -slope);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, normal + at, ORDER)
                  .fma(
                      slopes,
                      FloatVector.fromMemorySegment(SPECIES, MEMORY, g + at, ORDER).sub(means))
                  .mul(factors))
          .intoMemorySegment(MEMORY, dx + at, ORDER);
    }
  }

  /** {@code sums += a b}. */
  static void addProduct(long sums, long a, long b, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
                  .fma(
                      FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER),
                      FloatVector.fromMemorySegment(SPECIES, MEMORY, sums + at, ORDER)))
          .intoMemorySegment(MEMORY, sums + at, ORDER);
    }
  }

  /** Sets whole vectors to 0. */
  static void zero(long to, long vectors) {
    FloatVector zero = FloatVector.zero(SPECIES);
    for (long i = 0; i < vectors; i++) {
      VECTOR.cast(zero).intoMemorySegment(MEMORY, to + i * BYTES, ORDER);
    }
  }

  /** Dropout of elements whose places follow one another; see {@code DropoutMask}. */
  static void dropout(
      long in, long out, int vectors, int place, int low, int high, int threshold, float scale) {
    IntVector places = IntVector.zero(INTS).addIndex(1).add(place);
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector scales = FloatVector.broadcast(SPECIES, scale);
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      IntVector x = places.add(i * LANES).lanewise(VectorOperators.XOR, low);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16)).mul(0x7feb352d);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 15)).mul(0x846ca68b);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16)).add(high);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16)).mul(0x7feb352d);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 15)).mul(0x846ca68b);
      x = x.lanewise(VectorOperators.XOR, x.lanewise(VectorOperators.LSHR, 16));
      var dropped =
          x.lanewise(VectorOperators.LSHR, 8).compare(VectorOperators.LT, threshold).cast(SPECIES);
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, in + at, ORDER)
                  .mul(scales)
                  .blend(zero, dropped))
          .intoMemorySegment(MEMORY, out + at, ORDER);
    }
  }
}

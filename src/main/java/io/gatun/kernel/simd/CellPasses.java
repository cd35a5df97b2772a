package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The steps from which any recurrent cell can be put together, over rows of whole vectors. */
final class CellPasses {
  private CellPasses() {}

  /** {@code a = a + b}. */
  static void add(long a, long aStride, long b, long bStride, int rows, int vectors) {
    for (int row = 0; row < rows; row++) {
      long aRow = a + row * aStride;
      long bRow = b + row * bStride;
      for (int i = 0; i < vectors; i++) {
        long at = (long) i * BYTES;
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, aRow + at, ORDER)
                    .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, bRow + at, ORDER)))
            .intoMemorySegment(MEMORY, aRow + at, ORDER);
      }
    }
  }

  /** {@code out = a b}. */
  static void multiply(
      long out, long outStride, long a, long aStride, long b, long bStride, int rows, int vectors) {
    for (int row = 0; row < rows; row++) {
      long outRow = out + row * outStride;
      long aRow = a + row * aStride;
      long bRow = b + row * bStride;
      for (int i = 0; i < vectors; i++) {
        long at = (long) i * BYTES;
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, aRow + at, ORDER)
                    .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, bRow + at, ORDER)))
            .intoMemorySegment(MEMORY, outRow + at, ORDER);
      }
    }
  }

  /** {@code a = a + weights b} with one row of weights. */
  static void addWeighted(
      long a, long aStride, long b, long bStride, long weights, int rows, int vectors) {
    for (int row = 0; row < rows; row++) {
      long aRow = a + row * aStride;
      long bRow = b + row * bStride;
      for (int i = 0; i < vectors; i++) {
        long at = (long) i * BYTES;
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, bRow + at, ORDER)
                    .fma(
                        FloatVector.fromMemorySegment(SPECIES, MEMORY, weights + at, ORDER),
                        FloatVector.fromMemorySegment(SPECIES, MEMORY, aRow + at, ORDER)))
            .intoMemorySegment(MEMORY, aRow + at, ORDER);
      }
    }
  }

  /** {@code a} between −bound and bound; NaN stays. */
  static void clip(long a, long aStride, int rows, int vectors, float bound) {
    for (int row = 0; row < rows; row++) {
      long aRow = a + row * aStride;
      for (int i = 0; i < vectors; i++) {
        long at = aRow + (long) i * BYTES;
        FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
        x = x.blend(bound, x.compare(VectorOperators.GT, bound));
        x = x.blend(-bound, x.compare(VectorOperators.LT, -bound));
        VECTOR.cast(x).intoMemorySegment(MEMORY, at, ORDER);
      }
    }
  }

  /** {@code c = f c + i g}. */
  static void state(
      long c, long cStride, long f, long i, long g, long zStride, int rows, int vectors) {
    for (int row = 0; row < rows; row++) {
      long cRow = c + row * cStride;
      long shift = row * zStride;
      for (int j = 0; j < vectors; j++) {
        long at = shift + (long) j * BYTES;
        long cAt = cRow + (long) j * BYTES;
        FloatVector x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, i + at, ORDER)
                .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, g + at, ORDER));
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, f + at, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, cAt, ORDER), x))
            .intoMemorySegment(MEMORY, cAt, ORDER);
      }
    }
  }

  /** {@code h = n + z (h − n)}. */
  static void update(
      long h, long hStride, long z, long zStride, long n, long nStride, int rows, int vectors) {
    for (int row = 0; row < rows; row++) {
      long hRow = h + row * hStride;
      long zRow = z + row * zStride;
      long nRow = n + row * nStride;
      for (int i = 0; i < vectors; i++) {
        long at = (long) i * BYTES;
        FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, nRow + at, ORDER);
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, hRow + at, ORDER)
                    .sub(x)
                    .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, zRow + at, ORDER), x))
            .intoMemorySegment(MEMORY, hRow + at, ORDER);
      }
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Rows side by side, element by element, as tiles read their left side.
 *
 * <p>Six rows are the height of most tiles and move as vectors: of what lies behind each other in
 * the result, lane {@code i} of vector {@code j} belongs to element {@code n / 6} of row {@code n
 * mod 6} with {@code n = LANES j + i}. So each of six vectors of the result takes the same lanes of
 * all rows, and a mask says which row's stays. As a step of 6 brings every number of lanes that is
 * a power of two back to where it was after three vectors, there are three sets of masks.
 */
final class Interleaving {
  private static final int ROWS = 6;

  private static final VectorShuffle<Float> LANES0 = lanes(0);
  private static final VectorShuffle<Float> LANES1 = lanes(1);
  private static final VectorShuffle<Float> LANES2 = lanes(2);
  private static final VectorShuffle<Float> LANES3 = lanes(3);
  private static final VectorShuffle<Float> LANES4 = lanes(4);
  private static final VectorShuffle<Float> LANES5 = lanes(5);

  private static final VectorMask<Float> ROW01 = row(0, 1);
  private static final VectorMask<Float> ROW02 = row(0, 2);
  private static final VectorMask<Float> ROW03 = row(0, 3);
  private static final VectorMask<Float> ROW04 = row(0, 4);
  private static final VectorMask<Float> ROW05 = row(0, 5);
  private static final VectorMask<Float> ROW11 = row(1, 1);
  private static final VectorMask<Float> ROW12 = row(1, 2);
  private static final VectorMask<Float> ROW13 = row(1, 3);
  private static final VectorMask<Float> ROW14 = row(1, 4);
  private static final VectorMask<Float> ROW15 = row(1, 5);
  private static final VectorMask<Float> ROW21 = row(2, 1);
  private static final VectorMask<Float> ROW22 = row(2, 2);
  private static final VectorMask<Float> ROW23 = row(2, 3);
  private static final VectorMask<Float> ROW24 = row(2, 4);
  private static final VectorMask<Float> ROW25 = row(2, 5);

  private Interleaving() {}

  private static VectorShuffle<Float> lanes(int vector) {
    return VectorShuffle.fromOp(SPECIES, lane -> (vector * LANES + lane) / ROWS);
  }

  private static VectorMask<Float> row(int vector, int row) {
    boolean[] lanes = new boolean[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      lanes[lane] = (vector * LANES + lane) % ROWS == row;
    }
    return VectorMask.fromArray(SPECIES, lanes, 0);
  }

  /**
   * Six rows, {@code a[at + 6 k + row]}.
   *
   * @param r0 where the first row begins, and so on
   * @param inner elements of a row
   */
  static void rows6(
      float[] a, int at, long r0, long r1, long r2, long r3, long r4, long r5, int inner) {
    int vectors = ColdStart.lasts(ColdStart.INTERLEAVING) ? 0 : inner / LANES;
    for (int i = 0; i < vectors; i++) {
      long next = (long) i * LANES * Float.BYTES;
      vectors6(
          a,
          at + i * ROWS * LANES,
          r0 + next,
          r1 + next,
          r2 + next,
          r3 + next,
          r4 + next,
          r5 + next);
    }
    int k = vectors * LANES;
    if (vectors < inner / LANES) {
      ColdStart.rehearse(ColdStart.INTERLEAVING, 0);
    }
    row(a, at, ROWS, r0, k, inner);
    row(a, at + 1, ROWS, r1, k, inner);
    row(a, at + 2, ROWS, r2, k, inner);
    row(a, at + 3, ROWS, r3, k, inner);
    row(a, at + 4, ROWS, r4, k, inner);
    row(a, at + 5, ROWS, r5, k, inner);
  }

  /** One row among {@code step}, {@code a[at + step k]}, from the element {@code from} on. */
  static void row(float[] a, int at, int step, long row, int from, int inner) {
    if (step == 1) {
      MemorySegment.copy(
          MEMORY,
          ValueLayout.JAVA_FLOAT_UNALIGNED,
          row + (long) from * Float.BYTES,
          a,
          at + from,
          inner - from);
      return;
    }
    for (int k = from; k < inner; k++) {
      a[at + k * step] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, row + (long) k * Float.BYTES);
    }
  }

  /** A vector of each of six rows. */
  static void vectors6(float[] a, int at, long r0, long r1, long r2, long r3, long r4, long r5) {
    FloatVector v0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r0, ORDER);
    FloatVector v1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r1, ORDER);
    FloatVector v2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r2, ORDER);
    FloatVector v3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r3, ORDER);
    FloatVector v4 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r4, ORDER);
    FloatVector v5 = FloatVector.fromMemorySegment(SPECIES, MEMORY, r5, ORDER);
    FloatVector w0 =
        v0.rearrange(LANES0)
            .blend(v1.rearrange(LANES0), ROW01)
            .blend(v2.rearrange(LANES0), ROW02)
            .blend(v3.rearrange(LANES0), ROW03)
            .blend(v4.rearrange(LANES0), ROW04)
            .blend(v5.rearrange(LANES0), ROW05);
    VECTOR.cast(w0).intoArray(a, at);
    FloatVector w1 =
        v0.rearrange(LANES1)
            .blend(v1.rearrange(LANES1), ROW11)
            .blend(v2.rearrange(LANES1), ROW12)
            .blend(v3.rearrange(LANES1), ROW13)
            .blend(v4.rearrange(LANES1), ROW14)
            .blend(v5.rearrange(LANES1), ROW15);
    VECTOR.cast(w1).intoArray(a, at + LANES);
    FloatVector w2 =
        v0.rearrange(LANES2)
            .blend(v1.rearrange(LANES2), ROW21)
            .blend(v2.rearrange(LANES2), ROW22)
            .blend(v3.rearrange(LANES2), ROW23)
            .blend(v4.rearrange(LANES2), ROW24)
            .blend(v5.rearrange(LANES2), ROW25);
    VECTOR.cast(w2).intoArray(a, at + 2 * LANES);
    FloatVector w3 =
        v0.rearrange(LANES3)
            .blend(v1.rearrange(LANES3), ROW01)
            .blend(v2.rearrange(LANES3), ROW02)
            .blend(v3.rearrange(LANES3), ROW03)
            .blend(v4.rearrange(LANES3), ROW04)
            .blend(v5.rearrange(LANES3), ROW05);
    VECTOR.cast(w3).intoArray(a, at + 3 * LANES);
    FloatVector w4 =
        v0.rearrange(LANES4)
            .blend(v1.rearrange(LANES4), ROW11)
            .blend(v2.rearrange(LANES4), ROW12)
            .blend(v3.rearrange(LANES4), ROW13)
            .blend(v4.rearrange(LANES4), ROW14)
            .blend(v5.rearrange(LANES4), ROW15);
    VECTOR.cast(w4).intoArray(a, at + 4 * LANES);
    FloatVector w5 =
        v0.rearrange(LANES5)
            .blend(v1.rearrange(LANES5), ROW21)
            .blend(v2.rearrange(LANES5), ROW22)
            .blend(v3.rearrange(LANES5), ROW23)
            .blend(v4.rearrange(LANES5), ROW24)
            .blend(v5.rearrange(LANES5), ROW25);
    VECTOR.cast(w5).intoArray(a, at + 5 * LANES);
  }
}

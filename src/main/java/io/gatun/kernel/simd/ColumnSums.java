package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import io.gatun.kernel.Workers;
import jdk.incubator.vector.FloatVector;

/**
 * Adds up rows, column by column: the gradients of biases. Rows are added in blocks and the blocks'
 * sums then, in the order of the rows whatever the number of workers, which share the columns.
 */
final class ColumnSums {
  private static final int BLOCK_ROWS = 64;

  /** Vectors of a share: a few cache lines. */
  private static final int LEAST_VECTORS = 8;

  private final Workers workers;
  private final Workers.Task task = (part, worker) -> share(part);
  private long[] places = {};
  private long[] rows;
  private int count;
  private long sums;
  private int vectors;
  private int parts;

  ColumnSums(Workers workers) {
    this.workers = workers;
  }

  /** The sums of whole vectors of the rows that begin at the addresses. */
  void run(long[] rows, int count, long sums, int vectors) {
    this.rows = rows;
    this.count = count;
    this.sums = sums;
    this.vectors = vectors;
    boolean shared = (long) count * vectors >= 1 << 14;
    parts = shared ? Math.max(1, Math.min(workers.size(), vectors / LEAST_VECTORS)) : 1;
    workers.run(parts, task);
  }

  private void share(int part) {
    int from = vectors * part / parts;
    int to = vectors * (part + 1) / parts;
    for (int i = from; i + 1 < to; i += 2) {
      two(rows, count, (long) i * BYTES, sums + (long) i * BYTES);
    }
    if ((to - from) % 2 == 1) {
      one(rows, count, (long) (to - 1) * BYTES, sums + (long) (to - 1) * BYTES);
    }
  }

  private static void one(long[] rows, int count, long at, long sums) {
    FloatVector total = FloatVector.zero(SPECIES);
    for (int first = 0; first < count; first += BLOCK_ROWS) {
      int end = Math.min(count, first + BLOCK_ROWS);
      FloatVector sum = FloatVector.zero(SPECIES);
      for (int i = first; i < end; i++) {
        sum = sum.add(FloatVector.fromMemorySegment(SPECIES, MEMORY, rows[i] + at, ORDER));
      }
      total = total.add(sum);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, sums, ORDER);
  }

  private static void two(long[] rows, int count, long at, long sums) {
    FloatVector total = FloatVector.zero(SPECIES);
    FloatVector next = FloatVector.zero(SPECIES);
    for (int first = 0; first < count; first += BLOCK_ROWS) {
      int end = Math.min(count, first + BLOCK_ROWS);
      FloatVector sum = FloatVector.zero(SPECIES);
      FloatVector other = FloatVector.zero(SPECIES);
      for (int i = first; i < end; i++) {
        long from = rows[i] + at;
        sum = sum.add(FloatVector.fromMemorySegment(SPECIES, MEMORY, from, ORDER));
        other = other.add(FloatVector.fromMemorySegment(SPECIES, MEMORY, from + BYTES, ORDER));
      }
      total = total.add(sum);
      next = next.add(other);
    }
    VECTOR.cast(total).intoMemorySegment(MEMORY, sums, ORDER);
    VECTOR.cast(next).intoMemorySegment(MEMORY, sums + BYTES, ORDER);
  }

  /** The sums over the middle axis of {@code [outer, count, columns]}. */
  void run(long from, long outer, int count, int columns, long sums) {
    long stride = (long) columns * Float.BYTES;
    if (places.length < count) {
      places = new long[count];
    }
    for (long i = 0; i < outer; i++) {
      for (int row = 0; row < count; row++) {
        places[row] = from + (i * count + row) * stride;
      }
      long to = sums + i * stride;
      run(places, count, to, columns / LANES);
      for (int column = columns / LANES * LANES; column < columns; column++) {
        Floats.put(to, column, column(places, count, column));
      }
    }
  }

  private static float column(long[] rows, int count, int column) {
    float total = 0;
    for (int first = 0; first < count; first += BLOCK_ROWS) {
      int end = Math.min(count, first + BLOCK_ROWS);
      float sum = 0;
      for (int i = first; i < end; i++) {
        sum += Floats.get(rows[i], column);
      }
      total += sum;
    }
    return total;
  }
}

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
final class ColumnSums implements AutoCloseable {
  private static final int BLOCK_ROWS = 64;

  /** Vectors of a share: a few cache lines. */
  private static final int LEAST_VECTORS = 8;

  private final Workers workers;
  private final Workers.Task task = (part, worker) -> share(part);
  private final Scratch scratch = new Scratch();
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
    scratch.reserve(0, 0, Math.max(1, (long) vectors * BYTES));
    workers.run(parts, task);
  }

  private void share(int part) {
    int from = vectors * part / parts;
    int to = vectors * (part + 1) / parts;
    long at = (long) from * BYTES;
    long block = scratch.address() + at;
    int some = to - from;
    Floats.fill(sums + at, 0, some * LANES, 0);
    for (int first = 0; first < count; first += BLOCK_ROWS) {
      Floats.fill(block, 0, some * LANES, 0);
      addRows(block, rows, first, Math.min(count, first + BLOCK_ROWS), at, some);
      TrainingPasses.addVectors(sums + at, block, some);
    }
  }

  /** Row by row, as they lie in memory: their sums stay in the first cache. */
  private static void addRows(long to, long[] rows, int first, int end, long at, int vectors) {
    for (int row = first; row < end; row++) {
      long from = rows[row] + at;
      for (int i = 0; i < vectors; i++) {
        long place = (long) i * BYTES;
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, to + place, ORDER)
                    .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, from + place, ORDER)))
            .intoMemorySegment(MEMORY, to + place, ORDER);
      }
    }
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

  @Override
  public void close() {
    scratch.close();
  }
}

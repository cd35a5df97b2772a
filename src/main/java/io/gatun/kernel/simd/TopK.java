package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import java.lang.foreign.ValueLayout;

/**
 * The k largest of a row for small k. The best so far are kept sorted where they are wanted; whole
 * vectors without anything above the worst of them are passed over.
 */
final class TopK {
  private TopK() {}

  /**
   * Ranks one row.
   *
   * @param values where the k values go
   * @param places where their indices go
   * @param width bytes of an index: 4 or 8
   */
  static void row(long row, int size, int k, long values, long places, int width) {
    int vectors = size / LANES;
    int found = 0;
    int i = 0;
    boolean cold = ColdStart.lasts(ColdStart.ROWS);
    if (cold) {
      ColdStart.rehearse(ColdStart.ROWS, 16L * size);
    }
    while (i < size) {
      if (found == k && i % LANES == 0 && i / LANES < vectors && !cold) {
        float worst = Floats.get(values, k - 1);
        // Above NaN is everything else, which no comparison says.
        if (!Float.isNaN(worst)) {
          i = RowPasses.above(row, i / LANES, vectors, worst) * LANES;
          if (i >= size) {
            return;
          }
        }
      }
      float x = Floats.get(row, i);
      if (found < k) {
        insert(x, i, found++, values, places, width);
      } else if (better(x, Floats.get(values, k - 1))) {
        insert(x, i, k - 1, values, places, width);
      }
      i++;
    }
  }

  /** {@link #row} without vectors, for when these are slow. */
  static void plainly(long row, int size, int k, long values, long places, int width) {
    int found = 0;
    for (int i = 0; i < size && k > 0; i++) {
      float x = Floats.get(row, i);
      if (found < k) {
        insert(x, i, found++, values, places, width);
      } else if (better(x, Floats.get(values, k - 1))) {
        insert(x, i, k - 1, values, places, width);
      }
    }
  }

  /**
   * {@link #row} for very small k and rows of numbers that lie in scratch memory as whole vectors:
   * what has been found is struck out.
   */
  static void extract(long row, int size, int k, long values, long places, int width) {
    int vectors = Lanes.vectors(size);
    // What fills the row up is never found.
    Floats.fill(row, size, vectors * LANES, Float.NaN);
    for (int found = 0; found < k; found++) {
      float largest = RowPasses.largest(row, vectors);
      int place = RowPasses.first(row, vectors, largest);
      Floats.put(values, found, largest);
      putIndex(places, found, place, width);
      Floats.put(row, place, Float.NaN);
    }
  }

  private static boolean better(float x, float than) {
    return x > than || Float.isNaN(than) && !Float.isNaN(x);
  }

  /** Puts a number among the first {@code count}, behind its equals; a later one drops off. */
  private static void insert(float x, int index, int count, long values, long places, int width) {
    int at = count;
    while (at > 0 && better(x, Floats.get(values, at - 1))) {
      Floats.put(values, at, Floats.get(values, at - 1));
      putIndex(places, at, getIndex(places, at - 1, width), width);
      at--;
    }
    Floats.put(values, at, x);
    putIndex(places, at, index, width);
  }

  private static long getIndex(long places, int at, int width) {
    long address = places + (long) at * width;
    return width == Integer.BYTES
        ? MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, address)
        : MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
  }

  private static void putIndex(long places, int at, long index, int width) {
    long address = places + (long) at * width;
    if (width == Integer.BYTES) {
      MEMORY.set(ValueLayout.JAVA_INT_UNALIGNED, address, (int) index);
    } else {
      MEMORY.set(ValueLayout.JAVA_LONG_UNALIGNED, address, index);
    }
  }
}

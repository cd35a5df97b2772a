package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.TILE_ROWS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Which rows begin a step in the same state: their products with the recurrent weights are the same
 * and are formed once, whatever the inputs are that the gates see beside them.
 *
 * <p>They are many. Hypotheses of a beam search often have their parent in common; words that begin
 * alike are one row of a tree of prefixes until they differ; and at the first step of a layer all
 * sequences are at the initial state.
 */
final class Origins {
  /** An odd number whose multiples differ in their upper bits: 2⁶⁴ by the golden ratio. */
  private static final long SPREADING = 0x9E3779B97F4A7C15L;

  /** The first row in the same state, for each row. */
  private int[] first = {};

  /** Where among the products of a block that of a row is. */
  private int[] place = {};

  /** Where the states of a block's products lie. */
  private long[] addresses = {};

  /** Some bits of each row's state. */
  private long[] bits = {};

  /** Rows by a hash of those bits, one more than the row; 0 where there is none. */
  private int[] table = {};

  private boolean shared;

  /** The block that was gathered. */
  private int from;

  private int to;

  /** Makes room for so many rows. */
  void reserve(int rows) {
    if (first.length < rows) {
      first = new int[rows];
      place = new int[rows];
      addresses = new long[rows];
      bits = new long[rows];
      table = new int[Integer.highestOneBit(Math.max(1, rows)) * 4];
    }
  }

  /** Says which row is the first in a row's state; for each row, from the first on. */
  void set(int row, int firstOfState) {
    shared = row > 0 && (shared || firstOfState < row);
    first[row] = firstOfState;
  }

  /**
   * Compares states bit by bit, where some of their bits are the same. Rows whose states are the
   * same but are not found count as different, which costs time and nothing else.
   *
   * @param h the states, {@code stride} bytes apart
   */
  void find(long h, long stride, int rows) {
    Arrays.fill(table, 0);
    for (int row = 0; row < rows; row++) {
      long at = h + row * stride;
      long some =
          31 * MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, at)
              + MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, at + stride / 2);
      bits[row] = some;
      int slot = (int) (some * SPREADING >>> 40) & table.length - 1;
      int before = table[slot] - 1;
      while (before >= 0 && bits[before] != some) {
        slot = slot + 1 & table.length - 1;
        before = table[slot] - 1;
      }
      if (before < 0) {
        table[slot] = row + 1;
      }
      set(row, before >= 0 && same(h + before * stride, at, stride) ? before : row);
    }
  }

  private static boolean same(long a, long b, long bytes) {
    return MemorySegment.mismatch(MEMORY, a, a + bytes, MEMORY, b, b + bytes) < 0;
  }

  /** These, or null if no two rows are in the same state. */
  Origins orNull() {
    return shared ? this : null;
  }

  /** Where the states lie of which a block's products are formed, one behind the other. */
  long[] addresses() {
    return addresses;
  }

  /**
   * Puts the states of the rows {@code from} to {@code to} − 1 in order, each once.
   *
   * @return how many there are: at least a tile, or tiles of a few rows would be compiled for
   *     nothing else
   */
  int gather(int from, int to, long h, long stride) {
    this.from = from;
    this.to = to;
    int count = 0;
    for (int row = from; row < to; row++) {
      if (isNew(row, from)) {
        addresses[count] = h + row * stride;
        place[row] = count++;
      } else {
        place[row] = first[row] < from ? place[row - 1] : place[first[row]];
      }
    }
    while (count < Math.min(to - from, TILE_ROWS)) {
      addresses[count++] = h + from * stride;
    }
    return count;
  }

  /** The end of a block from a row on that has at most so many states. */
  int blockEnd(int from, int rows, int most) {
    int count = 0;
    int row = from;
    while (row < rows && (!isNew(row, from) || count++ < most)) {
      row++;
    }
    return row;
  }

  /** Whether a state is met for the first time in the block that begins with {@code from}. */
  private boolean isNew(int row, int from) {
    // A state of an earlier block is known again only from row to row.
    return first[row] == row || first[row] < from && (row == from || first[row - 1] != first[row]);
  }

  /**
   * Gives every row of the block that was gathered its product, in place of one for each state.
   *
   * @param z the products, {@code stride} bytes apart
   * @param floats how many numbers of each
   */
  void spread(long z, long stride, int floats) {
    // A product never lies behind its row, so from the last row on none is written over too early.
    for (int row = to - 1; row >= from && place[row] < row - from; row--) {
      Floats.copy(z + place[row] * stride, z + (row - from) * stride, floats);
    }
  }
}

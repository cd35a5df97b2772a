package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.NARROW;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;
import static io.gatun.kernel.simd.Lanes.WIDE;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * The right side of a product as the tiles read it, like {@link Panels}, but packed anew in every
 * step of training, into memory that is kept.
 *
 * <p>Element (k, column) lies at {@code inner[k] + columns[column]}: one of the two are addresses,
 * the other offsets, so a matrix may be turned, its rows and columns in any order, some of them
 * left out.
 */
final class StepPanels implements AutoCloseable {
  /** In place of a column's address or offset: a column of zeros. */
  static final long ZEROS = -1;

  /** Rows that are turned at once: a cache line of each column. */
  private static final int TURNED_AT_ONCE = 16;

  /** Rows of the matrix: terms of each sum. */
  int inner;

  /** Vectors of one row, the padding included. */
  int vectors;

  /** How many panels there are. */
  int count;

  private int wide;
  private long[] innerAt;
  private int firstInner;
  private long[] columnAt;
  private int columns;
  private final Scratch memory = new Scratch();

  /**
   * Says what is to be packed; {@link #pack} does it, panel by panel.
   *
   * @param innerAt of which {@code inner} from {@code firstInner} on are taken
   */
  void begin(long[] innerAt, int firstInner, int inner, long[] columnAt, int columns) {
    this.innerAt = innerAt;
    this.firstInner = firstInner;
    this.inner = inner;
    this.columnAt = columnAt;
    this.columns = columns;
    int needed = Lanes.vectors(columns);
    int rest = needed % WIDE;
    wide = needed / WIDE + (rest > NARROW ? 1 : 0);
    int narrow = rest > 0 && rest <= NARROW ? 1 : 0;
    count = wide + narrow;
    vectors = wide * WIDE + narrow * NARROW;
    memory.reserve(0, 0, Math.max(1, (long) inner * vectors * BYTES));
  }

  /** Vectors of a row of a panel. */
  int width(int panel) {
    return panel < wide ? WIDE : NARROW;
  }

  /** The first vector of the matrix that is a panel's. */
  int firstVector(int panel) {
    return Math.min(panel, wide) * WIDE + Math.max(0, panel - wide) * NARROW;
  }

  /** The panel that begins with a vector of the matrix, or {@link #count} behind the last one. */
  int panelAt(int vector) {
    return vector >= vectors ? count : Math.min(vector / WIDE, wide);
  }

  /** Where a panel lies. */
  long at(int panel) {
    return memory.address() + (long) firstVector(panel) * inner * BYTES;
  }

  /** Packs one panel. */
  void pack(int panel) {
    int first = firstVector(panel) * LANES;
    int width = width(panel) * LANES;
    int some = Math.min(width, columns - first);
    long to = at(panel);
    boolean together = some == width;
    for (int i = 0; i < width && together; i += LANES) {
      together = isTurned(columnAt, first + i, first + some) && columnAt[first + i] != ZEROS;
    }
    if (together) {
      for (int i = 0; i < width; i += LANES) {
        copyVectors(
            innerAt,
            firstInner,
            inner,
            columnAt[first + i],
            to + (long) i * Float.BYTES,
            (long) width * Float.BYTES);
      }
      return;
    }
    for (int k = 0; k < inner; k += TURNED_AT_ONCE) {
      int most = Math.min(TURNED_AT_ONCE, inner - k);
      for (int column = 0; column < width; column++) {
        long at = to + ((long) k * width + column) * Float.BYTES;
        if (column >= some || columnAt[first + column] == ZEROS) {
          zeroColumn(at, width, most);
        } else {
          copyColumn(innerAt, firstInner + k, columnAt[first + column], at, width, most);
        }
      }
    }
  }

  private static void copyVectors(
      long[] innerAt, int first, int inner, long column, long to, long step) {
    for (int k = 0; k < inner; k++) {
      VECTOR
          .cast(FloatVector.fromMemorySegment(SPECIES, MEMORY, innerAt[first + k] + column, ORDER))
          .intoMemorySegment(MEMORY, to + k * step, ORDER);
    }
  }

  private static void copyColumn(
      long[] innerAt, int first, long column, long to, int width, int count) {
    for (int k = 0; k < count; k++) {
      MEMORY.set(
          ValueLayout.JAVA_FLOAT_UNALIGNED,
          to + (long) k * width * Float.BYTES,
          MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, innerAt[first + k] + column));
    }
  }

  private static void zeroColumn(long to, int width, int count) {
    for (int k = 0; k < count; k++) {
      MEMORY.set(ValueLayout.JAVA_FLOAT_UNALIGNED, to + (long) k * width * Float.BYTES, 0f);
    }
  }

  /**
   * Interleaves rows of a left side for the tiles, element (row, k) from {@code rows[row] +
   * inner[k]}; one of the two are addresses.
   *
   * @param a where they go, as {@link Product#interleave} leaves them
   */
  static void interleave(
      float[] a, long[] rows, int firstRow, int count, long[] inner, int firstInner, int terms) {
    if (isTogether(inner, firstInner, terms)) {
      Product.interleave(a, rows, firstRow, count, terms);
      return;
    }
    for (int tile = 0, height; tile < count; tile += height) {
      height = Product.tileRows(count - tile);
      if (isTurned(rows, firstRow + tile, firstRow + count)) {
        interleaveTurned(a, tile * terms, height, rows[firstRow + tile], inner, firstInner, terms);
        continue;
      }
      if (height == 6) {
        interleave6(a, tile * terms, rows, firstRow + tile, inner, firstInner, terms);
        continue;
      }
      if (height == 5) {
        interleave5(a, tile * terms, rows, firstRow + tile, inner, firstInner, terms);
        continue;
      }
      for (int i = 0; i < height; i++) {
        long row = rows[firstRow + tile + i];
        interleaveRow(a, tile * terms + i, height, row, inner, firstInner, terms);
      }
    }
  }

  /** Whether terms follow one another from where a row begins. */
  private static boolean isTogether(long[] inner, int first, int terms) {
    for (int k = 0; k < terms; k++) {
      if (inner[first + k] != (long) k * Float.BYTES) {
        return false;
      }
    }
    return true;
  }

  /** Whether as many rows as a vector has lanes are there and lie one element apart. */
  private static boolean isTurned(long[] rows, int from, int end) {
    if (from + LANES > end) {
      return false;
    }
    for (int i = 1; i < LANES; i++) {
      if (rows[from + i] != rows[from] + (long) i * Float.BYTES) {
        return false;
      }
    }
    return true;
  }

  /**
   * The elements of one term lie together, so a vector of them is stored at once: the lanes that
   * are no rows of the tile are written over by the next term.
   */
  private static void interleaveTurned(
      float[] a, int at, int height, long row, long[] inner, int firstInner, int terms) {
    int vectors = Math.max(0, terms - (LANES + height - 1) / height);
    for (int k = 0; k < vectors; k++) {
      VECTOR
          .cast(FloatVector.fromMemorySegment(SPECIES, MEMORY, inner[firstInner + k] + row, ORDER))
          .intoArray(a, at + k * height);
    }
    for (int k = vectors; k < terms; k++) {
      for (int i = 0; i < height; i++) {
        a[at + k * height + i] =
            MEMORY.get(
                ValueLayout.JAVA_FLOAT_UNALIGNED,
                inner[firstInner + k] + row + (long) i * Float.BYTES);
      }
    }
  }

  // Term by term, not row by row: where the side is turned, the rows' elements of one term share a
  // cache line.

  private static void interleave5(
      float[] a, int at, long[] rows, int row, long[] inner, int firstInner, int terms) {
    long r0 = rows[row];
    long r1 = rows[row + 1];
    long r2 = rows[row + 2];
    long r3 = rows[row + 3];
    long r4 = rows[row + 4];
    for (int k = 0; k < terms; k++) {
      long from = inner[firstInner + k];
      int to = at + 5 * k;
      a[to] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r0);
      a[to + 1] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r1);
      a[to + 2] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r2);
      a[to + 3] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r3);
      a[to + 4] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r4);
    }
  }

  private static void interleave6(
      float[] a, int at, long[] rows, int row, long[] inner, int firstInner, int terms) {
    long r0 = rows[row];
    long r1 = rows[row + 1];
    long r2 = rows[row + 2];
    long r3 = rows[row + 3];
    long r4 = rows[row + 4];
    long r5 = rows[row + 5];
    for (int k = 0; k < terms; k++) {
      long from = inner[firstInner + k];
      int to = at + 6 * k;
      a[to] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r0);
      a[to + 1] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r1);
      a[to + 2] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r2);
      a[to + 3] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r3);
      a[to + 4] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r4);
      a[to + 5] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + r5);
    }
  }

  private static void interleaveRow(
      float[] a, int at, int step, long row, long[] inner, int firstInner, int terms) {
    for (int k = 0; k < terms; k++) {
      a[at + k * step] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, row + inner[firstInner + k]);
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}

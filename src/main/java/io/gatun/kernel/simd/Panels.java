package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.NARROW;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.WeightFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix {@code [inner, columns]} as the tiles read it: its columns fall into panels some vectors
 * wide, and each panel lies row after row without a gap. Wide panels come first; what is left over
 * takes one narrow or wide one, filled up with zeros. {@link SmallWeights} says how panels of
 * smaller formats lie.
 */
final class Panels implements AutoCloseable {
  /**
   * Rows that are packed at a time, an even number of them, so that what is read and written stays
   * in the caches.
   */
  private static final int PACKED_AT_ONCE = 128;

  /** Rows of the matrix: terms of each sum. */
  final int inner;

  /** Vectors of one row, the padding included. */
  final int vectors;

  /** How many wide panels there are. */
  final int wide;

  /** How many panels there are. */
  final int count;

  /** What the weights are rounded to. */
  final WeightFormat format;

  private final HostBuffer memory;
  private final long address;

  /** Int8: the scale of each column, {@code null} otherwise. */
  private final HostBuffer scales;

  /**
   * Packs a matrix.
   *
   * @param inner its rows
   * @param columns for each column of the packed matrix where its first element lies, 0 for a
   *     column of zeros
   * @param strides for each column the bytes from one of its elements to the next
   * @param format what they are rounded to
   */
  Panels(int inner, long[] columns, long[] strides, WeightFormat format) {
    this.inner = inner;
    this.format = format;
    int needed = Lanes.vectors(columns.length);
    int rest = needed % WIDE;
    this.wide = needed / WIDE + (rest > NARROW ? 1 : 0);
    int narrow = rest > 0 && rest <= NARROW ? 1 : 0;
    this.count = wide + narrow;
    this.vectors = wide * WIDE + narrow * NARROW;
    float[] scale = format == WeightFormat.INT8 ? scales(columns, strides) : null;
    this.scales = scale == null ? null : HostBuffer.allocate((long) vectors * BYTES);
    this.memory = HostBuffer.allocate(vectors * SmallWeights.vectorBytes(inner, format));
    this.address = memory.address();
    for (int panel = 0; panel < count; panel++) {
      pack(panel, columns, strides, scale);
    }
  }

  private float[] scales(long[] columns, long[] strides) {
    float[] scales = new float[columns.length];
    for (int column = 0; column < columns.length; column++) {
      float largest = 0;
      for (int k = 0; k < inner && columns[column] != 0; k++) {
        long at = columns[column] + k * strides[column];
        largest = Math.max(largest, Math.abs(MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at)));
      }
      scales[column] = WeightFormat.scale(largest);
    }
    return scales;
  }

  /**
   * Packs one panel through arrays, which are fast before the compiler has been here: packing is
   * most of what there is to do before the first answer.
   */
  private void pack(int panel, long[] columns, long[] strides, float[] scale) {
    int first = firstVector(panel) * LANES;
    int width = width(panel) * LANES;
    int last = Math.min(columns.length, first + width);
    int most = Math.min(inner, PACKED_AT_ONCE);
    float[] block = new float[most * width];
    float[] line = new float[Math.max(most, width)];
    float[] scaleHere = null;
    if (scale != null) {
      scaleHere = new float[width];
      System.arraycopy(scale, first, scaleHere, 0, last - first);
      for (int column = first; column < last; column++) {
        Floats.put(scales.address(), column, scale[column] * Int8Tiles.UNIT);
      }
    }
    for (int k = 0; k < inner; k += most) {
      int some = Math.min(most, inner - k);
      int column = first;
      while (column < last) {
        long stride = strides[column];
        long from = columns[column] + k * stride;
        int to = column - first;
        int run = run(columns, strides, column, last);
        if (columns[column] == 0) {
          run = 1;
        } else if (stride == Float.BYTES) {
          run = 1;
          copy(from, line, 0, some);
          spread(line, block, to, width, some);
        } else {
          for (int row = 0; row < some; row++) {
            copy(from + row * stride, block, row * width + to, run);
          }
        }
        column += run;
      }
      if (format == WeightFormat.FLOAT32) {
        long to = at(panel) + (long) k * width * Float.BYTES;
        MemorySegment.copy(block, 0, MEMORY, ValueLayout.JAVA_FLOAT, to, some * width);
      } else {
        int[] words = SmallWeights.words(block, some, width / LANES, scaleHere);
        long to = at(panel) + width / LANES * SmallWeights.vectorBytes(k, format);
        MemorySegment.copy(words, 0, MEMORY, ValueLayout.JAVA_INT, to, words.length);
      }
    }
  }

  /** How many columns from one on lie side by side, element by element. */
  private static int run(long[] columns, long[] strides, int from, int last) {
    int to = from + 1;
    while (to < last
        && columns[to] == columns[to - 1] + Float.BYTES
        && strides[to] == strides[from]) {
      to++;
    }
    return to - from;
  }

  private static void copy(long from, float[] to, int at, int count) {
    MemorySegment.copy(MEMORY, ValueLayout.JAVA_FLOAT_UNALIGNED, from, to, at, count);
  }

  private static void spread(float[] line, float[] block, int at, int width, int count) {
    for (int i = 0; i < count; i++) {
      block[at + i * width] = line[i];
    }
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
    return address + firstVector(panel) * SmallWeights.vectorBytes(inner, format);
  }

  /** Int8: where the scales of a panel's columns lie, as the tiles want them. */
  long scales(int panel) {
    return scales.address() + (long) firstVector(panel) * BYTES;
  }

  /** Bytes of memory that {@link Product#run} needs to widen a panel in. */
  long widenedBytes() {
    return format == WeightFormat.FLOAT32 ? 0 : (inner + 1L) * WIDE * BYTES;
  }

  /**
   * Checks that the memory is there: the tiles would not notice.
   *
   * @param operand what the operation calls it, for the message
   * @throws IllegalStateException if it is closed
   */
  void checkOpen(String operand) {
    if (!memory.segment().scope().isAlive()) {
      throw new IllegalStateException(operand + ": the packed weights are closed");
    }
  }

  long bytes() {
    return memory.bytes() + (scales == null ? 0 : scales.bytes());
  }

  @Override
  public void close() {
    memory.close();
    if (scales != null) {
      scales.close();
    }
  }
}

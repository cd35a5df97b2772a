package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.NARROW;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.HostBuffer;
import java.lang.foreign.ValueLayout;

/**
 * A matrix {@code [inner, columns]} as the tiles read it: its columns fall into panels some vectors
 * wide, and each panel lies row after row without a gap. Wide panels come first; what is left over
 * takes one narrow or wide one, filled up with zeros.
 */
final class Panels implements AutoCloseable {
  /** Rows of the matrix: terms of each sum. */
  final int inner;

  /** Vectors of one row, the padding included. */
  final int vectors;

  /** How many wide panels there are. */
  final int wide;

  /** How many panels there are. */
  final int count;

  private final HostBuffer memory;
  private final long address;

  /**
   * Packs a matrix.
   *
   * @param inner its rows
   * @param columns for each column of the packed matrix where its first element lies, 0 for a
   *     column of zeros
   * @param strides for each column the bytes from one of its elements to the next
   */
  Panels(int inner, long[] columns, long[] strides) {
    this.inner = inner;
    int needed = Lanes.vectors(columns.length);
    int rest = needed % WIDE;
    this.wide = needed / WIDE + (rest > NARROW ? 1 : 0);
    int narrow = rest > 0 && rest <= NARROW ? 1 : 0;
    this.count = wide + narrow;
    this.vectors = wide * WIDE + narrow * NARROW;
    this.memory = HostBuffer.allocate((long) inner * vectors * BYTES);
    this.address = memory.address();
    for (int panel = 0; panel < count; panel++) {
      pack(panel, columns, strides);
    }
  }

  private void pack(int panel, long[] columns, long[] strides) {
    int first = firstVector(panel) * LANES;
    int width = width(panel) * LANES;
    int last = Math.min(columns.length, first + width);
    for (int k = 0; k < inner; k++) {
      long row = at(panel) + (long) k * width * Float.BYTES;
      for (int column = first; column < last; column++) {
        if (columns[column] != 0) {
          float value =
              MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, columns[column] + k * strides[column]);
          MEMORY.set(ValueLayout.JAVA_FLOAT, row + (long) (column - first) * Float.BYTES, value);
        }
      }
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
    return address + (long) firstVector(panel) * inner * BYTES;
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
    return memory.bytes();
  }

  @Override
  public void close() {
    memory.close();
  }
}

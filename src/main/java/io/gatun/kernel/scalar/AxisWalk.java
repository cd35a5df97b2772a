package io.gatun.kernel.scalar;

/**
 * Walks up to three operands of one shape together in row-major order, as few and as long runs as
 * their strides allow: axes that lie one after the other in all of them are joined. Used again and
 * again, so that walking makes no object.
 */
final class AxisWalk {
  private static final long[] NONE = new long[0];

  private int rank;
  private boolean begun;
  private long[] extent = NONE;
  private long[] index = NONE;
  private final long[][] strides = {NONE, NONE, NONE};
  private final long[] at = new long[3];

  /**
   * Begins a walk; {@link #next} moves to the first run.
   *
   * @param sizes the size of each axis, none of them 0
   * @param first strides of the first operand in elements
   * @param second strides of the second
   * @param third strides of the third, or {@code null} where there are two
   */
  void begin(long[] sizes, long[] first, long[] second, long[] third) {
    int axes = Math.max(1, sizes.length);
    if (extent.length < axes) {
      extent = new long[axes];
      index = new long[axes];
      for (int operand = 0; operand < strides.length; operand++) {
        strides[operand] = new long[axes];
      }
    }
    rank = 0;
    for (int axis = 0; axis < sizes.length; axis++) {
      if (sizes[axis] == 1) {
        continue;
      }
      long a = first[axis];
      long b = second[axis];
      long c = third == null ? 0 : third[axis];
      int last = rank - 1;
      if (rank > 0
          && strides[0][last] == a * sizes[axis]
          && strides[1][last] == b * sizes[axis]
          && strides[2][last] == c * sizes[axis]) {
        extent[last] *= sizes[axis];
      } else {
        last = rank++;
        extent[last] = sizes[axis];
      }
      strides[0][last] = a;
      strides[1][last] = b;
      strides[2][last] = c;
    }
    if (rank == 0) {
      // A single element: strides that say "one after the other" choose the quickest loop.
      extent[0] = 1;
      strides[0][0] = 1;
      strides[1][0] = 1;
      strides[2][0] = 1;
      rank = 1;
    }
    for (int axis = 0; axis < rank; axis++) {
      index[axis] = 0;
    }
    at[0] = 0;
    at[1] = 0;
    at[2] = 0;
    begun = false;
  }

  /** Moves to the next run; false after the last. */
  boolean next() {
    if (!begun) {
      begun = true;
      return true;
    }
    for (int axis = rank - 2; axis >= 0; axis--) {
      if (++index[axis] < extent[axis]) {
        move(axis, 1);
        return true;
      }
      move(axis, 1 - extent[axis]);
      index[axis] = 0;
    }
    return false;
  }

  private void move(int axis, long steps) {
    at[0] += steps * strides[0][axis];
    at[1] += steps * strides[1][axis];
    at[2] += steps * strides[2][axis];
  }

  /** The number of elements of each run. */
  long run() {
    return extent[rank - 1];
  }

  /** The distance between neighbours of a run in an operand, in elements. */
  long stride(int operand) {
    return strides[operand][rank - 1];
  }

  /** Where the present run begins in an operand, in elements from its first. */
  long at(int operand) {
    return at[operand];
  }
}

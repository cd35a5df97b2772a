package io.gatun.tensor;

/**
 * Two operands of one shape walked together in row-major order, as few and as long runs as their
 * strides allow: axes that lie one after the other in both operands are joined, so a contiguous
 * tensor is a single run whatever its rank.
 */
final class StridedWalk {
  /** Takes one run: {@code count} elements from two offsets on, at the inner strides. */
  interface Run {
    void accept(long first, long second, long count);
  }

  private final int rank;
  private final long[] sizes;
  private final long[] firstStrides;
  private final long[] secondStrides;

  /**
   * Joins what can be joined.
   *
   * @param shape the shape both operands have, with at least one element
   * @param first strides of the first operand, in any unit
   * @param firstUnit the factor from its strides to its offsets
   * @param second strides of the second operand, in any unit
   * @param secondUnit the factor from its strides to its offsets
   */
  StridedWalk(Shape shape, long[] first, long firstUnit, long[] second, long secondUnit) {
    int axes = Math.max(1, shape.rank());
    long[] sizes = new long[axes];
    long[] firstStrides = new long[axes];
    long[] secondStrides = new long[axes];
    int filled = 0;
    for (int axis = 0; axis < shape.rank(); axis++) {
      long size = shape.dim(axis);
      if (size == 1) {
        continue;
      }
      long a = first[axis] * firstUnit;
      long b = second[axis] * secondUnit;
      int last = filled - 1;
      if (filled > 0 && firstStrides[last] == a * size && secondStrides[last] == b * size) {
        sizes[last] *= size;
      } else {
        last = filled++;
        sizes[last] = size;
      }
      firstStrides[last] = a;
      secondStrides[last] = b;
    }
    if (filled == 0) {
      sizes[filled++] = 1;
    }
    this.rank = filled;
    this.sizes = sizes;
    this.firstStrides = firstStrides;
    this.secondStrides = secondStrides;
  }

  /** Returns the distance between neighbours of a run in the first operand. */
  long firstStride() {
    return firstStrides[rank - 1];
  }

  /** Returns the distance between neighbours of a run in the second operand. */
  long secondStride() {
    return secondStrides[rank - 1];
  }

  /** Hands out every run, from the given offsets of the first elements on. */
  void forEach(long first, long second, Run run) {
    long[] index = new long[rank];
    long count = sizes[rank - 1];
    while (true) {
      run.accept(first, second, count);
      int axis = rank - 2;
      while (axis >= 0 && index[axis] == sizes[axis] - 1) {
        first -= index[axis] * firstStrides[axis];
        second -= index[axis] * secondStrides[axis];
        index[axis--] = 0;
      }
      if (axis < 0) {
        return;
      }
      index[axis]++;
      first += firstStrides[axis];
      second += secondStrides[axis];
    }
  }
}

package io.gatun.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;

/**
 * The arithmetic of the checks at the door of an operation, for the devices: how far operands
 * reach, without overflow.
 */
public final class Bounds {
  private Bounds() {}

  /**
   * Checks a count.
   *
   * @return the count
   * @throws IllegalArgumentException if it is negative
   */
  public static long count(String what, long count) {
    if (count < 0) {
      throw new IllegalArgumentException(what + " is " + count + ", expected 0 or more");
    }
    return count;
  }

  /**
   * The bytes of {@code count} elements; {@link Long#MAX_VALUE}, which no region has, where that is
   * more than can be counted.
   */
  public static long bytes(long count, long elementBytes) {
    long high = Math.multiplyHigh(count, elementBytes);
    long low = count * elementBytes;
    return high != 0 || low < 0 ? Long.MAX_VALUE : low;
  }

  /**
   * The elements from the first to the last that {@code rows} rows of {@code size} elements reach,
   * {@code stride} apart; 0 if there are none.
   *
   * @throws IndexOutOfBoundsException if they lie before the first or further than can be counted
   */
  public static long reach(String operand, long rows, long stride, long size) {
    return reach(operand, rows, stride, 1, 0, size);
  }

  /** The elements that {@code outer × rows} rows of {@code size} elements reach. */
  public static long reach(
      String operand, long outer, long outerStride, long rows, long rowStride, long size) {
    if (outer == 0 || rows == 0 || size == 0) {
      return 0;
    }
    long low = 0;
    long high = size;
    try {
      long a = Math.multiplyExact(outer - 1, outerStride);
      long b = Math.multiplyExact(rows - 1, rowStride);
      low = Math.addExact(Math.min(a, 0), Math.min(b, 0));
      high = Math.addExact(high, Math.addExact(Math.max(a, 0), Math.max(b, 0)));
    } catch (ArithmeticException overflow) {
      high = -1;
    }
    if (low < 0 || high < 0) {
      throw new IndexOutOfBoundsException(
          operand
              + ": strides of "
              + outerStride
              + " and "
              + rowStride
              + " elements leave the region");
    }
    return high;
  }

  /**
   * The elements from the region's first on that a strided array reaches.
   *
   * @throws IndexOutOfBoundsException if some lie before the first or further than can be counted
   */
  public static long reach(String operand, long offset, long[] extent, long[] strides) {
    if (strides.length != extent.length) {
      throw new ShapeException(
          operand + ": " + strides.length + " strides for " + extent.length + " axes");
    }
    long low = offset;
    long high = offset;
    boolean empty = false;
    boolean beyond = false;
    for (int axis = 0; axis < extent.length; axis++) {
      empty |= count("extent", extent[axis]) == 0;
      if (!empty && !beyond) {
        long steps = extent[axis] - 1;
        long span = steps * strides[axis];
        beyond = Math.multiplyHigh(steps, strides[axis]) != span >> 63;
        long end = (span < 0 ? low : high) + span;
        beyond |= span < 0 ? end > low : end < high;
        if (span < 0) {
          low = end;
        } else {
          high = end;
        }
      }
    }
    if (empty) {
      return 0;
    }
    if (beyond || low < 0 || high == Long.MAX_VALUE) {
      throw new IndexOutOfBoundsException(
          operand
              + ": offset "
              + offset
              + " with strides "
              + java.util.Arrays.toString(strides)
              + " leaves the region");
    }
    return high + 1;
  }

  /**
   * Checks that indices have a type that can be one.
   *
   * @return the type
   * @throws IllegalArgumentException if it is neither int32 nor int64
   */
  public static DType indexType(DType type) {
    if (type != DType.INT32 && type != DType.INT64) {
      throw new IllegalArgumentException(
          "indices are " + type.label() + ", expected int32 or int64");
    }
    return type;
  }

  /** What is thrown where a region is shorter than an operation needs it. */
  public static IndexOutOfBoundsException tooShort(String operand, long needed, long given) {
    return new IndexOutOfBoundsException(
        operand
            + " has "
            + given
            + " bytes, "
            + (needed < 0 || needed == Long.MAX_VALUE ? "more than can be counted" : needed)
            + " needed");
  }
}

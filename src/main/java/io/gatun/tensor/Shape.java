package io.gatun.tensor;

import java.util.Arrays;

/**
 * The sizes of a tensor along its axes, slowest axis first, such as {@code [time, batch, hidden]}.
 *
 * <p>Immutable, so free to share between threads. A shape that exists can be counted: the product
 * of its sizes, and that product in bytes of any {@link DType}, fit in a {@code long}. Sizes of 0
 * are shapes without elements; the remaining sizes must fit all the same, so that strides never
 * overflow.
 */
public final class Shape {
  /** The shape of a single number: rank 0, one element. */
  public static final Shape SCALAR = new Shape(new long[0]);

  /** The widest element is 8 bytes; more elements than this could not be counted in bytes. */
  private static final long MAX_ELEMENTS = Long.MAX_VALUE / Long.BYTES;

  private final long[] dims;
  private final long elements;

  private Shape(long[] dims) {
    long spanned = 1;
    boolean empty = false;
    for (int axis = 0; axis < dims.length; axis++) {
      long size = dims[axis];
      if (size < 0) {
        throw new ShapeException(
            "shape "
                + Arrays.toString(dims)
                + ": size "
                + size
                + " at axis "
                + axis
                + " is negative");
      }
      if (size == 0) {
        empty = true;
      } else if (spanned > MAX_ELEMENTS / size) {
        throw new ShapeException(
            "shape "
                + Arrays.toString(dims)
                + " is too large: at most "
                + MAX_ELEMENTS
                + " elements can be addressed");
      } else {
        spanned *= size;
      }
    }
    this.dims = dims;
    this.elements = empty ? 0 : spanned;
  }

  /**
   * Makes a shape.
   *
   * @param dims the sizes, slowest axis first; none for a scalar; copied
   * @return the shape
   * @throws ShapeException if a size is negative or the elements cannot be counted in bytes
   */
  public static Shape of(long... dims) {
    return dims.length == 0 ? SCALAR : new Shape(dims.clone());
  }

  /**
   * The shape two operands have together under the broadcasting rules of numpy and ONNX: axes are
   * matched from the last one, and a size of 1 stretches to the other's size.
   *
   * @param a one shape
   * @param b the other shape
   * @return the common shape
   * @throws ShapeException if two sizes differ and neither is 1
   */
  public static Shape broadcast(Shape a, Shape b) {
    long[] result = new long[Math.max(a.rank(), b.rank())];
    for (int back = 1; back <= result.length; back++) {
      long left = back <= a.rank() ? a.dims[a.rank() - back] : 1;
      long right = back <= b.rank() ? b.dims[b.rank() - back] : 1;
      if (left != right && left != 1 && right != 1) {
        throw new ShapeException(
            "shapes "
                + a
                + " and "
                + b
                + " cannot be broadcast together: "
                + left
                + " and "
                + right
                + " at axis "
                + -back);
      }
      result[result.length - back] = left == 1 ? right : left;
    }
    return of(result);
  }

  /** Returns the number of axes; 0 for a scalar. */
  public int rank() {
    return dims.length;
  }

  /**
   * Returns the size along an axis.
   *
   * @param axis the axis; a negative one counts from the end, −1 is the last
   * @return the size
   * @throws ShapeException if there is no such axis
   */
  public long dim(int axis) {
    return dims[axis(axis)];
  }

  /** Returns a copy of the sizes. */
  public long[] dims() {
    return dims.clone();
  }

  /** Returns the number of elements, 1 for a scalar; eight times as many still fit a long. */
  public long elements() {
    return elements;
  }

  /**
   * Returns how many elements lie between neighbours along each axis when the last axis is the
   * fastest and nothing lies in between (row-major, C order).
   *
   * @return a new array with one stride per axis, in elements
   */
  public long[] contiguousStrides() {
    long[] strides = new long[dims.length];
    long stride = 1;
    for (int axis = dims.length - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= Math.max(dims[axis], 1);
    }
    return strides;
  }

  /**
   * Returns this shape with one size replaced.
   *
   * @param axis the axis; a negative one counts from the end
   * @param size the new size
   * @return the new shape
   * @throws ShapeException if there is no such axis, or the result is no shape
   */
  public Shape with(int axis, long size) {
    long[] changed = dims.clone();
    changed[axis(axis)] = size;
    return of(changed);
  }

  /**
   * Returns the axis counted from the front.
   *
   * @param axis an axis, −rank to rank − 1
   * @return the same axis, 0 to rank − 1
   * @throws ShapeException if there is no such axis
   */
  public int axis(int axis) {
    int fromFront = axis < 0 ? axis + dims.length : axis;
    if (fromFront < 0 || fromFront >= dims.length) {
      throw new ShapeException(
          "shape " + this + " has no axis " + axis + ": its rank is " + dims.length);
    }
    return fromFront;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** Returns the sizes like {@code [2, 3]}. */
  @Override
  public String toString() {
    return Arrays.toString(dims);
  }
}

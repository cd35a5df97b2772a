package io.gatun.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A typed view of native memory: a {@link DType}, a {@link Shape}, and for every axis how far apart
 * neighbours lie.
 *
 * <p><b>Ownership.</b> A tensor owns nothing. Its memory belongs to the arena it was allocated
 * from; whoever made that arena closes it, and every tensor on it with it. Views ({@link #slice},
 * {@link #transpose}, {@link #reshape}, {@link #broadcastTo}, …) share the memory: what is written
 * through one is seen through the other.
 *
 * <p><b>Numbers</b> are little-endian and need not be aligned, so a tensor may lie anywhere in a
 * mapped file. Where a number is converted to another type, by an accessor or by {@link #copyFrom}:
 *
 * <ul>
 *   <li>to a float type, it is rounded once, to nearest, ties to even; what is too large becomes
 *       infinity; NaN stays NaN;
 *   <li>to an integer type, it is truncated towards zero and saturates at the type's ends; NaN
 *       becomes 0;
 *   <li>to bool, 0 becomes false and all else, NaN included, true; from bool, false is 0 and true
 *       is 1.
 * </ul>
 *
 * <p><b>Thread safety.</b> The view itself is immutable and may be shared. Its memory may be
 * accessed by the threads its arena allows; concurrent writes are the caller's to order.
 *
 * <p><b>Exceptions</b> of every method that touches the memory: {@link IllegalStateException} if
 * the arena is closed, {@link WrongThreadException} if it is confined to another thread, {@link
 * UnsupportedOperationException} for a write to read-only memory or through a view that shows one
 * element at several indices. Each names the tensor's type and shape.
 */
public final class Tensor {
  /** The alignment of allocated tensors in bytes: a cache line, and the widest vector. */
  public static final long ALIGNMENT = 64;

  private static final int PREVIEW_VALUES = 8;

  static {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new UnsupportedOperationException(
          "tensors need a little-endian machine, this one is " + ByteOrder.nativeOrder());
    }
  }

  private final MemorySegment base;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final long byteOffset;
  private final boolean contiguous;

  /** Made on first use: many views are never asked for their segment. */
  private MemorySegment segment;

  private Tensor(MemorySegment base, DType dtype, Shape shape, long[] strides, long byteOffset) {
    this.base = base;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.byteOffset = byteOffset;
    this.contiguous = isRowMajor(shape, strides);
  }

  // ------------------------------------------------------------------------------- factories

  /**
   * Allocates a zeroed, contiguous tensor, aligned to {@value #ALIGNMENT} bytes.
   *
   * @param arena who owns the memory
   * @param dtype the element type
   * @param dims the sizes, slowest axis first; none for a scalar
   * @return the tensor; one without elements has an address too
   * @throws ShapeException if the sizes are no shape
   * @throws OutOfMemoryError if the machine has not so much memory
   */
  public static Tensor allocate(Arena arena, DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    long bytes = shape.elements() * dtype.bytes();
    MemorySegment memory = arena.allocate(Math.max(1, bytes), ALIGNMENT);
    return new Tensor(memory, dtype, shape, shape.contiguousStrides(), 0);
  }

  /**
   * Views the front of a segment as a contiguous tensor. The segment may be longer than needed.
   *
   * @param segment native memory; its owner stays its owner
   * @param dtype the element type
   * @param dims the sizes, slowest axis first
   * @return the view
   * @throws ShapeException if the sizes are no shape, or the segment is too short; the message says
   *     how many bytes were needed and came
   * @throws IllegalArgumentException if the segment lies on the Java heap
   */
  public static Tensor wrap(MemorySegment segment, DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    checkNative(segment, dtype, shape);
    long needed = shape.elements() * dtype.bytes();
    if (segment.byteSize() < needed) {
      throw new ShapeException(
          name(dtype, shape)
              + " needs "
              + needed
              + " bytes, the segment has "
              + segment.byteSize());
    }
    return new Tensor(segment, dtype, shape, shape.contiguousStrides(), 0);
  }

  /**
   * Views a segment as a tensor with given strides, its first element at the segment's start.
   *
   * @param segment native memory; its owner stays its owner
   * @param dtype the element type
   * @param shape the sizes
   * @param strides how many elements neighbours are apart along each axis; 0 repeats, a negative
   *     one runs backwards
   * @return the view
   * @throws ShapeException if the number of strides is not the rank, or an element lies outside the
   *     segment
   * @throws IllegalArgumentException if the segment lies on the Java heap
   */
  public static Tensor wrap(MemorySegment segment, DType dtype, Shape shape, long[] strides) {
    return wrap(segment, dtype, shape, strides, 0);
  }

  /**
   * Views a segment as a tensor with given strides and start.
   *
   * @param segment native memory; its owner stays its owner
   * @param dtype the element type
   * @param shape the sizes
   * @param strides how many elements neighbours are apart along each axis; 0 repeats, a negative
   *     one runs backwards
   * @param byteOffset where in the segment the element at index 0, 0, … starts, in bytes
   * @return the view
   * @throws ShapeException if the number of strides is not the rank, or an element lies outside the
   *     segment
   * @throws IllegalArgumentException if the segment lies on the Java heap
   */
  public static Tensor wrap(
      MemorySegment segment, DType dtype, Shape shape, long[] strides, long byteOffset) {
    checkNative(segment, dtype, shape);
    if (strides.length != shape.rank()) {
      throw new ShapeException(
          name(dtype, shape)
              + ": expected "
              + shape.rank()
              + " strides, got "
              + Arrays.toString(strides));
    }
    long low = byteOffset;
    long high = byteOffset;
    try {
      if (shape.elements() > 0) {
        for (int axis = 0; axis < strides.length; axis++) {
          long steps = Math.multiplyExact(shape.dim(axis) - 1, strides[axis]);
          long reach = Math.multiplyExact(steps, (long) dtype.bytes());
          low = Math.addExact(low, Math.min(reach, 0));
          high = Math.addExact(high, Math.max(reach, 0));
        }
        high = Math.addExact(high, dtype.bytes());
      }
    } catch (ArithmeticException overflow) {
      throw new ShapeException(
          name(dtype, shape)
              + " with strides "
              + Arrays.toString(strides)
              + " reaches further than can be addressed",
          overflow);
    }
    if (low < 0 || high > segment.byteSize()) {
      throw new ShapeException(
          name(dtype, shape)
              + " with strides "
              + Arrays.toString(strides)
              + " from byte "
              + byteOffset
              + " reaches bytes "
              + low
              + " to "
              + high
              + ", the segment has 0 to "
              + segment.byteSize());
    }
    return new Tensor(segment, dtype, shape, strides.clone(), byteOffset);
  }

  /**
   * Views a direct buffer, from its position on, as a contiguous tensor.
   *
   * @param direct a direct buffer whose order is {@link ByteOrder#LITTLE_ENDIAN}; the tensor keeps
   *     it reachable; its position may move afterwards
   * @param dtype the element type
   * @param dims the sizes, slowest axis first
   * @return the view
   * @throws ShapeException if the sizes are no shape, or need more bytes than remain
   * @throws IllegalArgumentException if the buffer is not direct, or is big-endian (Java's default)
   *     while elements have more than one byte: what was put into it that way would be read as
   *     other numbers
   */
  public static Tensor wrap(ByteBuffer direct, DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    if (!direct.isDirect()) {
      throw new IllegalArgumentException(
          name(dtype, shape) + ": expected a direct buffer, got one on the heap");
    }
    if (dtype.bytes() > 1 && direct.order() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalArgumentException(
          name(dtype, shape)
              + ": expected a little-endian buffer, got a big-endian one; if its"
              + " bytes are little-endian, pass buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN)");
    }
    return wrap(MemorySegment.ofBuffer(direct), dtype, dims);
  }

  /**
   * Allocates a float32 tensor with given values.
   *
   * @param arena who owns the memory
   * @param values the elements in row-major order; copied
   * @param dims the sizes, slowest axis first
   * @return the tensor
   * @throws ShapeException if the sizes are no shape, or do not hold that many values
   */
  public static Tensor ofFloats(Arena arena, float[] values, long... dims) {
    checkLength(DType.FLOAT32, values.length, dims);
    Tensor tensor = allocate(arena, DType.FLOAT32, dims);
    MemorySegment.copy(values, 0, tensor.base, Elements.FLOAT, 0, values.length);
    return tensor;
  }

  /**
   * Allocates a float64 tensor with given values.
   *
   * @param arena who owns the memory
   * @param values the elements in row-major order; copied
   * @param dims the sizes, slowest axis first
   * @return the tensor
   * @throws ShapeException if the sizes are no shape, or do not hold that many values
   */
  public static Tensor ofDoubles(Arena arena, double[] values, long... dims) {
    checkLength(DType.FLOAT64, values.length, dims);
    Tensor tensor = allocate(arena, DType.FLOAT64, dims);
    MemorySegment.copy(values, 0, tensor.base, Elements.DOUBLE, 0, values.length);
    return tensor;
  }

  /**
   * Allocates an int32 tensor with given values.
   *
   * @param arena who owns the memory
   * @param values the elements in row-major order; copied
   * @param dims the sizes, slowest axis first
   * @return the tensor
   * @throws ShapeException if the sizes are no shape, or do not hold that many values
   */
  public static Tensor ofInts(Arena arena, int[] values, long... dims) {
    checkLength(DType.INT32, values.length, dims);
    Tensor tensor = allocate(arena, DType.INT32, dims);
    MemorySegment.copy(values, 0, tensor.base, Elements.INT, 0, values.length);
    return tensor;
  }

  /**
   * Allocates an int64 tensor with given values.
   *
   * @param arena who owns the memory
   * @param values the elements in row-major order; copied
   * @param dims the sizes, slowest axis first
   * @return the tensor
   * @throws ShapeException if the sizes are no shape, or do not hold that many values
   */
  public static Tensor ofLongs(Arena arena, long[] values, long... dims) {
    checkLength(DType.INT64, values.length, dims);
    Tensor tensor = allocate(arena, DType.INT64, dims);
    MemorySegment.copy(values, 0, tensor.base, Elements.LONG, 0, values.length);
    return tensor;
  }

  /**
   * Allocates a float32 tensor of rank 0.
   *
   * @param arena who owns the memory
   * @param value its one element
   * @return the tensor
   */
  public static Tensor scalar(Arena arena, float value) {
    return ofFloats(arena, new float[] {value});
  }

  // ------------------------------------------------------------------------------- properties

  /** Returns the element type. */
  public DType dtype() {
    return dtype;
  }

  /** Returns the sizes. */
  public Shape shape() {
    return shape;
  }

  /** Returns the number of axes; 0 for a scalar. */
  public int rank() {
    return shape.rank();
  }

  /**
   * Returns the size along an axis.
   *
   * @param axis the axis; a negative one counts from the end
   * @return the size
   * @throws ShapeException if there is no such axis
   */
  public long dim(int axis) {
    return shape.dim(axis);
  }

  /** Returns the number of elements; 1 for a scalar. */
  public long elements() {
    return shape.elements();
  }

  /**
   * Returns a copy of the strides: how many elements neighbours are apart along each axis. 0 along
   * a broadcast axis, negative along a reversed one.
   */
  public long[] strides() {
    return strides.clone();
  }

  /** Returns the strides themselves, for the classes beside this one, which do not change them. */
  long[] stridesShared() {
    return strides;
  }

  /** Returns how many bytes the elements take when they lie side by side. */
  public long byteSize() {
    return shape.elements() * dtype.bytes();
  }

  /**
   * Returns whether the elements lie side by side in row-major order. Always true without elements;
   * strides along axes of size 1 do not matter.
   */
  public boolean isContiguous() {
    return contiguous;
  }

  /** Returns whether writing is refused because the memory is read-only. */
  public boolean isReadOnly() {
    return base.isReadOnly();
  }

  /**
   * Returns the segment that covers exactly the elements, {@link #byteSize()} bytes.
   *
   * @return the segment; with the lifetime and confinement of the tensor's memory
   * @throws ShapeException if the tensor is not contiguous
   */
  public MemorySegment segment() {
    MemorySegment known = segment;
    if (known == null) {
      checkContiguous("has no segment of its own");
      long bytes = byteSize();
      known = byteOffset == 0 && base.byteSize() == bytes ? base : base.asSlice(byteOffset, bytes);
      segment = known;
    }
    return known;
  }

  /**
   * Returns the segment this is a view of, which may be larger than the elements.
   *
   * @return the segment that {@link #byteOffset()} counts in
   */
  public MemorySegment baseSegment() {
    return base;
  }

  /**
   * Returns where the element at index 0, 0, … starts.
   *
   * @return the offset in {@link #baseSegment()}, in bytes; means nothing without elements
   */
  public long byteOffset() {
    return byteOffset;
  }

  /**
   * Checks that this thread may read the memory now; for whoever goes on to use its address.
   *
   * @throws IllegalStateException if the arena is closed
   * @throws WrongThreadException if the memory is confined to another thread
   */
  public void checkAccess() {
    if (!base.scope().isAlive()) {
      throw new IllegalStateException(this + ": its memory is closed, with the arena it is from");
    }
    if (!base.isAccessibleBy(Thread.currentThread())) {
      throw new WrongThreadException(
          this
              + ": its memory is confined to another thread, this one is '"
              + Thread.currentThread().getName()
              + "'; allocate it from a shared arena");
    }
  }

  // ------------------------------------------------------------------------------- views

  /**
   * Views a range along one axis.
   *
   * @param axis the axis; a negative one counts from the end
   * @param from the first index, inclusive
   * @param to the last index, exclusive
   * @return the view; the same rank, size {@code to − from} along the axis
   * @throws ShapeException if there is no such axis
   * @throws IndexOutOfBoundsException if the range is not within the axis
   */
  public Tensor slice(int axis, long from, long to) {
    return slice(axis, from, to, 1);
  }

  /**
   * Views every step-th element of a range along one axis.
   *
   * @param axis the axis; a negative one counts from the end
   * @param from the first index, inclusive
   * @param to the last index, exclusive
   * @param step the distance between indices, at least 1
   * @return the view; the same rank, size {@code ceil((to − from) / step)} along the axis
   * @throws ShapeException if there is no such axis
   * @throws IndexOutOfBoundsException if the range is not within the axis
   * @throws IllegalArgumentException if the step is less than 1
   */
  public Tensor slice(int axis, long from, long to, long step) {
    int at = shape.axis(axis);
    if (from < 0 || to < from || to > shape.dim(at)) {
      throw new IndexOutOfBoundsException(
          this
              + ": range "
              + from
              + " to "
              + to
              + " is not within axis "
              + axis
              + " of size "
              + shape.dim(at));
    }
    if (step < 1) {
      throw new IllegalArgumentException(
          this
              + ": step "
              + step
              + " along axis "
              + axis
              + ", expected at least 1; flip the slice to run backwards");
    }
    long size = to == from ? 0 : (to - from - 1) / step + 1;
    long[] changed = strides.clone();
    if (size > 1) {
      changed[at] *= step;
    }
    Shape smaller = shape.with(at, size);
    // Without elements nothing is reached, and the offset could leave the segment.
    long skipped = smaller.elements() == 0 ? 0 : from * strides[at] * dtype.bytes();
    return new Tensor(base, dtype, smaller, changed, byteOffset + skipped);
  }

  /**
   * Views what lies at one index of an axis.
   *
   * @param axis the axis; a negative one counts from the end
   * @param index the index along it, 0 to size − 1
   * @return the view, without that axis
   * @throws ShapeException if there is no such axis
   * @throws IndexOutOfBoundsException if there is no such index
   */
  public Tensor select(int axis, long index) {
    int at = shape.axis(axis);
    if (index < 0 || index >= shape.dim(at)) {
      throw new IndexOutOfBoundsException(
          this + ": index " + index + " is not within axis " + axis + " of size " + shape.dim(at));
    }
    return slice(at, index, index + 1).squeeze(at);
  }

  /**
   * Views the axes in another order.
   *
   * @param permutation for each axis of the result, the axis of this tensor it shows (negative ones
   *     count from the end); none to reverse the order
   * @return the view
   * @throws ShapeException if an axis is missing, comes twice, or does not exist
   */
  public Tensor transpose(int... permutation) {
    int rank = rank();
    if (permutation.length != 0 && permutation.length != rank) {
      throw new ShapeException(
          this
              + ": permutation "
              + Arrays.toString(permutation)
              + " names "
              + permutation.length
              + " axes, expected "
              + rank);
    }
    long[] dims = new long[rank];
    long[] changed = new long[rank];
    boolean[] taken = new boolean[rank];
    for (int i = 0; i < rank; i++) {
      int axis = permutation.length == 0 ? rank - 1 - i : shape.axis(permutation[i]);
      if (taken[axis]) {
        throw new ShapeException(
            this
                + ": permutation "
                + Arrays.toString(permutation)
                + " names axis "
                + axis
                + " twice");
      }
      taken[axis] = true;
      dims[i] = shape.dim(axis);
      changed[i] = strides[axis];
    }
    return new Tensor(base, dtype, Shape.of(dims), changed, byteOffset);
  }

  /**
   * Views the same elements, in row-major order, under another shape.
   *
   * @param dims the new sizes; one may be −1, for what is left
   * @return the view
   * @throws ShapeException if the number of elements differs, or this tensor is not contiguous (the
   *     way out is {@link #contiguous})
   */
  public Tensor reshape(long... dims) {
    long[] sizes = dims.clone();
    int open = -1;
    for (int axis = 0; axis < sizes.length; axis++) {
      if (sizes[axis] == -1) {
        if (open >= 0) {
          throw new ShapeException(
              this + ": cannot reshape to " + Arrays.toString(dims) + ": only one size may be −1");
        }
        open = axis;
        sizes[axis] = 1;
      }
    }
    Shape known = Shape.of(sizes);
    if (open >= 0 && known.elements() > 0 && elements() % known.elements() == 0) {
      known = known.with(open, elements() / known.elements());
    }
    if (known.elements() != elements() || (open >= 0 && known.with(open, 1).elements() == 0)) {
      throw new ShapeException(
          this + ": cannot reshape " + elements() + " elements to " + Arrays.toString(dims));
    }
    checkContiguous("cannot be reshaped to " + Arrays.toString(dims));
    return new Tensor(base, dtype, known, known.contiguousStrides(), byteOffset);
  }

  /**
   * Views the tensor with one more axis, of size 1.
   *
   * @param axis where it is in the result; a negative one counts from the result's end
   * @return the view
   * @throws ShapeException if the result has no such axis
   */
  public Tensor unsqueeze(int axis) {
    int rank = rank() + 1;
    int at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank) {
      throw new ShapeException(
          this + ": cannot insert axis " + axis + ", expected " + -rank + " to " + (rank - 1));
    }
    long[] dims = new long[rank];
    long[] changed = new long[rank];
    for (int i = 0; i < rank; i++) {
      int old = i < at ? i : i - 1;
      dims[i] = i == at ? 1 : shape.dim(old);
      changed[i] = i == at ? 1 : strides[old];
    }
    return new Tensor(base, dtype, Shape.of(dims), changed, byteOffset);
  }

  /**
   * Views the tensor without an axis of size 1.
   *
   * @param axis the axis; a negative one counts from the end
   * @return the view
   * @throws ShapeException if there is no such axis, or its size is not 1
   */
  public Tensor squeeze(int axis) {
    int at = shape.axis(axis);
    if (shape.dim(at) != 1) {
      throw new ShapeException(
          this
              + ": cannot remove axis "
              + axis
              + ": its size is "
              + shape.dim(at)
              + ", expected 1");
    }
    int rank = rank() - 1;
    long[] dims = new long[rank];
    long[] changed = new long[rank];
    for (int i = 0; i < rank; i++) {
      int old = i < at ? i : i + 1;
      dims[i] = shape.dim(old);
      changed[i] = strides[old];
    }
    return new Tensor(base, dtype, Shape.of(dims), changed, byteOffset);
  }

  /**
   * Views the tensor under a larger shape by repeating it along axes where its size is 1 or that it
   * does not have, under the rules of numpy and ONNX: axes are matched from the last one. The view
   * cannot be written where it repeats.
   *
   * @param dims the sizes of the view
   * @return the view
   * @throws ShapeException if a size differs and is not 1
   */
  public Tensor broadcastTo(long... dims) {
    Shape wanted = Shape.of(dims);
    if (wanted.equals(shape)) {
      return this;
    }
    int added = wanted.rank() - rank();
    long[] changed = new long[wanted.rank()];
    boolean fits = added >= 0;
    for (int axis = Math.max(0, added); fits && axis < wanted.rank(); axis++) {
      long size = shape.dim(axis - added);
      fits = size == wanted.dim(axis) || size == 1;
      changed[axis] = size == wanted.dim(axis) ? strides[axis - added] : 0;
    }
    if (!fits) {
      throw new ShapeException(this + ": cannot be broadcast to " + wanted);
    }
    return new Tensor(base, dtype, wanted, changed, byteOffset);
  }

  /**
   * Views the tensor with one axis reversed.
   *
   * @param axis the axis; a negative one counts from the end
   * @return the view
   * @throws ShapeException if there is no such axis
   */
  public Tensor flip(int axis) {
    int at = shape.axis(axis);
    if (shape.dim(at) <= 1 || elements() == 0) {
      return this;
    }
    long[] changed = strides.clone();
    changed[at] = -changed[at];
    long last = (shape.dim(at) - 1) * strides[at] * dtype.bytes();
    return new Tensor(base, dtype, shape, changed, byteOffset + last);
  }

  /** Views the tensor so that nothing can be written through the view. */
  public Tensor asReadOnly() {
    return base.isReadOnly()
        ? this
        : new Tensor(base.asReadOnly(), dtype, shape, strides, byteOffset);
  }

  // ------------------------------------------------------------------------------- elements

  /**
   * Reads one element, as a double. Every type but int64 is exact.
   *
   * @param index one index per axis; none for a scalar
   * @return the value
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public double getDouble(long... index) {
    long offset = offset(index);
    checkAccess();
    return Elements.getDouble(base, dtype, offset);
  }

  /**
   * Reads one element, rounded to a float.
   *
   * @param index one index per axis; none for a scalar
   * @return the value
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public float getFloat(long... index) {
    long offset = offset(index);
    checkAccess();
    return Elements.getFloat(base, dtype, offset);
  }

  /**
   * Reads one element as an integer: truncated towards zero and saturated, NaN as 0.
   *
   * @param index one index per axis; none for a scalar
   * @return the value
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public long getLong(long... index) {
    long offset = offset(index);
    checkAccess();
    return Elements.getLong(base, dtype, offset);
  }

  /**
   * Writes one element, converted as the class description says.
   *
   * @param value the value
   * @param index one index per axis; none for a scalar
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public void setDouble(double value, long... index) {
    long offset = offset(index);
    checkWritable();
    Elements.setDouble(base, dtype, offset, value);
  }

  /**
   * Writes one element, converted as the class description says.
   *
   * @param value the value
   * @param index one index per axis; none for a scalar
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public void setFloat(float value, long... index) {
    long offset = offset(index);
    checkWritable();
    Elements.setFloat(base, dtype, offset, value);
  }

  /**
   * Writes one element, converted as the class description says.
   *
   * @param value the value
   * @param index one index per axis; none for a scalar
   * @throws IndexOutOfBoundsException if an index is not within its axis
   * @throws ShapeException if the number of indices is not the rank
   */
  public void setLong(long value, long... index) {
    long offset = offset(index);
    checkWritable();
    Elements.setLong(base, dtype, offset, value);
  }

  /**
   * Copies the elements to an array, in row-major order, rounded to float.
   *
   * @return a new array
   * @throws ShapeException if there are more elements than an array can hold
   */
  public float[] toFloats() {
    float[] values = new float[arrayLength()];
    checkAccess();
    if (contiguous && dtype == DType.FLOAT32) {
      MemorySegment.copy(base, Elements.FLOAT, byteOffset, values, 0, values.length);
    } else if (contiguous && dtype == DType.INT8) {
      Elements.bytesToFloats(base, byteOffset, values);
    } else {
      eachElement((to, from) -> values[to] = Elements.getFloat(base, dtype, from));
    }
    return values;
  }

  /**
   * Copies the elements to an array, in row-major order, as doubles.
   *
   * @return a new array
   * @throws ShapeException if there are more elements than an array can hold
   */
  public double[] toDoubles() {
    double[] values = new double[arrayLength()];
    checkAccess();
    if (contiguous && dtype == DType.FLOAT32) {
      float[] floats = toFloats();
      for (int i = 0; i < floats.length; i++) {
        values[i] = floats[i];
      }
    } else {
      eachElement((to, from) -> values[to] = Elements.getDouble(base, dtype, from));
    }
    return values;
  }

  /**
   * Copies the elements to an array, in row-major order, truncated and saturated to int.
   *
   * @return a new array
   * @throws ShapeException if there are more elements than an array can hold
   */
  public int[] toInts() {
    int[] values = new int[arrayLength()];
    checkAccess();
    eachElement(
        (to, from) -> values[to] = Elements.saturateToInt(Elements.getLong(base, dtype, from)));
    return values;
  }

  /**
   * Copies the elements to an array, in row-major order, truncated and saturated to long.
   *
   * @return a new array
   * @throws ShapeException if there are more elements than an array can hold
   */
  public long[] toLongs() {
    long[] values = new long[arrayLength()];
    checkAccess();
    eachElement((to, from) -> values[to] = Elements.getLong(base, dtype, from));
    return values;
  }

  // ------------------------------------------------------------------------------- copies

  /**
   * Overwrites this tensor with another's elements, converted as the class description says. Any
   * strides on either side; the two may share memory, the result is as if the source had been
   * copied away first.
   *
   * @param source the same shape, or one that broadcasts to it
   * @return this tensor
   * @throws ShapeException if the source cannot be broadcast to this shape
   */
  public Tensor copyFrom(Tensor source) {
    Tensor view = source.broadcastTo(shape.dims());
    source.checkAccess();
    checkWritable();
    if (elements() == 0) {
      return this;
    }
    if (dtype == source.dtype && contiguous && view.contiguous) {
      MemorySegment.copy(view.base, view.byteOffset, base, byteOffset, byteSize());
    } else if (overlaps(source)) {
      try (Arena aside = Arena.ofConfined()) {
        TensorCopy.copy(source.copy(aside).broadcastTo(shape.dims()), this);
      }
    } else {
      TensorCopy.copy(view, this);
    }
    return this;
  }

  /**
   * Copies the elements to new, contiguous memory.
   *
   * @param arena who owns the new memory
   * @return the copy
   */
  public Tensor copy(Arena arena) {
    return allocate(arena, dtype, shape.dims()).copyFrom(this);
  }

  /**
   * Returns a contiguous tensor with these elements: this one if it is, a copy otherwise.
   *
   * @param arena who owns the memory of a copy
   * @return this tensor or a copy
   */
  public Tensor contiguous(Arena arena) {
    return contiguous ? this : copy(arena);
  }

  /**
   * Returns a tensor with these elements in another type: this one if it has that type, a
   * contiguous copy otherwise, converted as the class description says.
   *
   * @param arena who owns the memory of a copy
   * @param type the type asked for
   * @return this tensor or a copy
   */
  public Tensor to(Arena arena, DType type) {
    return dtype == type ? this : allocate(arena, type, shape.dims()).copyFrom(this);
  }

  /**
   * Sets every element to one value, converted as the class description says.
   *
   * @param value the value
   * @return this tensor
   */
  public Tensor fill(double value) {
    checkWritable();
    if (elements() > 0) {
      try (Arena aside = Arena.ofConfined()) {
        Tensor one = allocate(aside, dtype);
        one.setDouble(value);
        TensorCopy.copy(one.broadcastTo(shape.dims()), this);
      }
    }
    return this;
  }

  // ------------------------------------------------------------------------------- text

  /** Returns type and shape, like {@code float32[2, 3]}. */
  @Override
  public String toString() {
    return name(dtype, shape);
  }

  /**
   * Describes a tensor for debugging: type, shape, and the first values in row-major order, like
   * {@code float32[2, 3] 0.0, 1.0, 2.0, 3.0, 4.0, 5.0}. Never fails: memory that cannot be read is
   * said to be so.
   *
   * @param tensor any tensor
   * @return one line
   */
  public static String describe(Tensor tensor) {
    StringBuilder text = new StringBuilder(tensor.toString());
    if (!tensor.contiguous) {
      text.append(" strides ").append(Arrays.toString(tensor.strides));
    }
    if (!tensor.base.scope().isAlive()) {
      return text.append(" (closed)").toString();
    }
    if (!tensor.base.isAccessibleBy(Thread.currentThread())) {
      return text.append(" (confined to another thread)").toString();
    }
    long[] index = new long[tensor.rank()];
    long shown = Math.min(PREVIEW_VALUES, tensor.elements());
    for (int i = 0; i < shown; i++) {
      text.append(i == 0 ? " " : ", ");
      if (tensor.dtype.isFloat()) {
        text.append(
            tensor.dtype == DType.FLOAT64
                ? "" + tensor.getDouble(index)
                : "" + tensor.getFloat(index));
      } else {
        text.append(tensor.getLong(index));
      }
      for (int axis = index.length - 1; axis >= 0; axis--) {
        if (++index[axis] < tensor.dim(axis)) {
          break;
        }
        index[axis] = 0;
      }
    }
    return text.append(shown < tensor.elements() ? ", …" : "").toString();
  }

  // ------------------------------------------------------------------------------- helpers

  private static String name(DType dtype, Shape shape) {
    return dtype.label() + shape;
  }

  private static boolean isRowMajor(Shape shape, long[] strides) {
    if (shape.elements() == 0) {
      return true;
    }
    long expected = 1;
    for (int axis = strides.length - 1; axis >= 0; axis--) {
      long size = shape.dim(axis);
      if (size != 1 && strides[axis] != expected) {
        return false;
      }
      expected *= size;
    }
    return true;
  }

  private static void checkNative(MemorySegment segment, DType dtype, Shape shape) {
    // One kind of memory only: a loop that has seen both kinds is compiled for neither.
    if (!segment.isNative()) {
      throw new IllegalArgumentException(
          name(dtype, shape) + ": expected native memory, got a segment on the Java heap");
    }
  }

  private static void checkLength(DType dtype, int length, long[] dims) {
    Shape shape = Shape.of(dims);
    if (shape.elements() != length) {
      throw new ShapeException(
          name(dtype, shape) + " needs " + shape.elements() + " values, got " + length);
    }
  }

  private void checkContiguous(String consequence) {
    if (!contiguous) {
      throw new ShapeException(
          this
              + " with strides "
              + Arrays.toString(strides)
              + " "
              + consequence
              + ": it is not contiguous; call contiguous(arena) first");
    }
  }

  private void checkWritable() {
    checkAccess();
    if (base.isReadOnly()) {
      throw new UnsupportedOperationException(this + ": its memory is read-only");
    }
    for (int axis = 0; axis < strides.length; axis++) {
      if (strides[axis] == 0 && shape.dim(axis) > 1) {
        throw new UnsupportedOperationException(
            this
                + ": it repeats one element along axis "
                + axis
                + " and cannot be written; write what was broadcast, or a copy");
      }
    }
  }

  private long offset(long[] index) {
    if (index.length != strides.length) {
      throw new ShapeException(
          this + ": expected " + strides.length + " indices, got " + Arrays.toString(index));
    }
    long elements = 0;
    for (int axis = 0; axis < index.length; axis++) {
      if (index[axis] < 0 || index[axis] >= shape.dim(axis)) {
        throw new IndexOutOfBoundsException(
            this + ": index " + Arrays.toString(index) + " is not within " + shape);
      }
      elements += index[axis] * strides[axis];
    }
    return byteOffset + elements * dtype.bytes();
  }

  private int arrayLength() {
    if (elements() > Integer.MAX_VALUE - 8) {
      throw new ShapeException(
          this
              + ": an array holds at most "
              + (Integer.MAX_VALUE - 8)
              + " of its "
              + elements()
              + " elements");
    }
    return (int) elements();
  }

  /** Takes an element's place in row-major order and its byte offset. */
  private interface ElementVisitor {
    void visit(int position, long offset);
  }

  private void eachElement(ElementVisitor visitor) {
    if (elements() == 0) {
      return;
    }
    StridedWalk walk = new StridedWalk(shape, strides, dtype.bytes(), shape.contiguousStrides(), 1);
    long step = walk.firstStride();
    walk.forEach(
        byteOffset,
        0,
        (from, to, count) -> {
          for (int i = 0; i < count; i++) {
            visitor.visit((int) to + i, from + i * step);
          }
        });
  }

  /** Whether the bytes between the first and last element of both tensors meet anywhere. */
  private boolean overlaps(Tensor other) {
    return lowAddress() < other.highAddress() && other.lowAddress() < highAddress();
  }

  private long lowAddress() {
    return address(false);
  }

  private long highAddress() {
    return address(true) + dtype.bytes();
  }

  private long address(boolean highest) {
    long elements = 0;
    for (int axis = 0; axis < strides.length; axis++) {
      if (strides[axis] > 0 == highest) {
        elements += (shape.dim(axis) - 1) * strides[axis];
      }
    }
    return base.address() + byteOffset + elements * dtype.bytes();
  }
}

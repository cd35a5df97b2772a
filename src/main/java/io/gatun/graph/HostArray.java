package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * An operand of a {@link HostOperator}, brought to the host: reals as {@code double}, whole numbers
 * and truth values as {@code long}, in row-major order. Of {@code uint64} a {@code long} has the
 * bits. The arrays are made once for each layout and used again in every run.
 */
final class HostArray {
  /** The type of the value. */
  final DType type;

  /** The sizes of its axes. */
  final long[] dims;

  /** The number of elements. */
  final int count;

  /** The elements if they are reals, else {@code null}. */
  final double[] reals;

  /** The elements if they are whole numbers or truth values, else {@code null}. */
  final long[] wholes;

  private final Tensor stored;
  private final Tensor wide;
  private final ByteBuffer bytes;

  /**
   * @param stored the type the device stores it in
   */
  HostArray(DType type, DType stored, long[] dims) {
    this.type = type;
    this.dims = dims;
    this.count = Math.toIntExact(Shape.of(dims).elements());
    boolean real = type.isFloat();
    this.reals = real ? new double[count] : null;
    this.wholes = real ? null : new long[count];
    this.bytes = memory(Long.BYTES);
    this.wide = Tensor.wrap(bytes, real ? DType.FLOAT64 : DType.INT64, dims);
    // The bits of uint64 are moved, not its numbers, which a long need not hold.
    DType moved = stored == DType.UINT64 ? DType.INT64 : stored;
    this.stored = moved == wide.dtype() ? wide : Tensor.wrap(memory(moved.bytes()), moved, dims);
  }

  private ByteBuffer memory(int elementBytes) {
    return ByteBuffer.allocateDirect(Math.max(8, Math.multiplyExact(count, elementBytes)))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Fetches the elements from the device. */
  void load(Kernels kernels, Region from) {
    kernels.download(from, stored);
    if (stored != wide) {
      wide.copyFrom(stored);
    }
    if (reals != null) {
      bytes.asDoubleBuffer().get(0, reals);
    } else {
      bytes.asLongBuffer().get(0, wholes);
    }
  }

  /** Brings the elements to the device; whole numbers lose the bits their type has no room for. */
  void store(Kernels kernels, Region to) {
    if (reals != null) {
      bytes.asDoubleBuffer().put(0, reals);
    } else {
      for (int i = 0; i < count; i++) {
        wholes[i] = wrapped(type, wholes[i]);
      }
      bytes.asLongBuffer().put(0, wholes);
    }
    if (stored != wide) {
      stored.copyFrom(wide);
    }
    kernels.upload(stored, to);
  }

  /** Rounds the elements to the type of the value, which may be shorter than what is stored. */
  void round() {
    try (Arena scratch = Arena.ofConfined()) {
      Tensor exact = Tensor.ofDoubles(scratch, reals, dims);
      Tensor rounded = Tensor.allocate(scratch, type, dims).copyFrom(exact);
      System.arraycopy(rounded.toDoubles(), 0, reals, 0, count);
    }
  }

  /** What is left of a whole number in a type. */
  static long wrapped(DType type, long value) {
    return switch (type) {
      case INT8 -> (byte) value;
      case UINT8 -> value & 0xff;
      case INT16 -> (short) value;
      case UINT16 -> value & 0xffff;
      case INT32 -> (int) value;
      case UINT32 -> value & 0xffffffffL;
      case BOOL -> value != 0 ? 1 : 0;
      default -> value;
    };
  }

  /** One element as a real. */
  double real(int i) {
    return reals != null ? reals[i] : unsigned() ? unsigned(wholes[i]) : wholes[i];
  }

  /** Whether a {@code long} is to be read as a number without a sign. */
  boolean unsigned() {
    return type == DType.UINT64;
  }

  private static double unsigned(long bits) {
    return bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2.0;
  }

  /** Sets an element to a real, truncated towards zero where the type is whole. */
  void set(int i, double value) {
    if (reals != null) {
      reals[i] = value;
    } else {
      wholes[i] = type == DType.BOOL ? (value != 0 ? 1 : 0) : (long) value;
    }
  }

  /** Copies one element of an array of the same type. */
  void copy(int i, HostArray from, int at) {
    if (reals != null) {
      reals[i] = from.reals[at];
    } else {
      wholes[i] = from.wholes[at];
    }
  }

  /** Copies one element of an array of the same type, or 0 where there is none. */
  void copyOrZero(int i, HostArray from, int at) {
    if (at >= 0) {
      copy(i, from, at);
    } else if (reals != null) {
      reals[i] = 0;
    } else {
      wholes[i] = 0;
    }
  }

  /** −1, 0 or 1 as one element is less than another of the same type, equal, or more. */
  int compare(int a, HostArray other, int b) {
    if (reals != null) {
      double x = reals[a];
      double y = other.reals[b];
      // NaN is more than everything, and −0 is 0.
      return x < y
          ? -1
          : x > y ? 1 : x == y ? 0 : Boolean.compare(Double.isNaN(x), Double.isNaN(y));
    }
    return unsigned()
        ? Long.compareUnsigned(wholes[a], other.wholes[b])
        : Long.compare(wholes[a], other.wholes[b]);
  }

  /** Sets everything to one value. */
  void fill(double value) {
    for (int i = 0; i < count; i++) {
      set(i, value);
    }
  }

  /** The product of the sizes of some axes. */
  int product(int from, int to) {
    return product(dims, from, to);
  }

  /** The product of some sizes. */
  static int product(long[] dims, int from, int to) {
    long product = 1;
    for (int i = from; i < to; i++) {
      product = Math.multiplyExact(product, dims[i]);
    }
    return Math.toIntExact(product);
  }

  /** Strides of the elements in row-major order. */
  long[] strides() {
    return Shape.of(dims).contiguousStrides();
  }

  /**
   * For each element of a box in row-major order, where another array has what belongs there.
   *
   * @param strides how far the other array moves along each axis of the box
   */
  static int[] places(long[] extent, long[] strides, long offset) {
    int count = product(extent, 0, extent.length);
    int[] places = new int[count];
    long[] index = new long[extent.length];
    long at = offset;
    for (int i = 0; i < count; i++) {
      places[i] = (int) at;
      for (int axis = extent.length - 1; axis >= 0; axis--) {
        at += strides[axis];
        if (++index[axis] < extent[axis]) {
          break;
        }
        at -= extent[axis] * strides[axis];
        index[axis] = 0;
      }
    }
    return places;
  }

  /** Where the elements of this array lie that are repeated to a shape. */
  int[] repeated(long[] extent) {
    return places(extent, ElementwiseOperators.broadcastStrides(dims, extent.length), 0);
  }
}

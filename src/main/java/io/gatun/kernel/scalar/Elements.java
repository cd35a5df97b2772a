package io.gatun.kernel.scalar;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Numbers between native memory and heap arrays, a run of them at a time: the loops that compute
 * work on {@code double[]} and never touch a segment.
 *
 * <p>Layouts are unaligned, since a constant may lie anywhere in a mapped file. Integers that do
 * not fit the type they are written to saturate, as do truncated reals; NaN becomes 0.
 */
final class Elements {
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  private Elements() {}

  /** Reads reals (float32 or float64), {@code stride} elements apart. */
  static void load(
      MemorySegment from, DType real, long offset, long stride, double[] to, int at, int count) {
    if (real == DType.FLOAT32) {
      long step = stride * Float.BYTES;
      for (int i = 0; i < count; i++) {
        to[at + i] = from.get(FLOAT, offset + i * step);
      }
    } else {
      long step = stride * Double.BYTES;
      for (int i = 0; i < count; i++) {
        to[at + i] = from.get(DOUBLE, offset + i * step);
      }
    }
  }

  /** Writes reals that lie one after the other, rounding to float32 where that is the type. */
  static void store(double[] from, int at, MemorySegment to, DType real, long offset, int count) {
    if (real == DType.FLOAT32) {
      for (int i = 0; i < count; i++) {
        to.set(FLOAT, offset + i * (long) Float.BYTES, (float) from[at + i]);
      }
    } else {
      for (int i = 0; i < count; i++) {
        to.set(DOUBLE, offset + i * (long) Double.BYTES, from[at + i]);
      }
    }
  }

  /**
   * Reads one element as a whole number; a real is truncated towards zero, and what a long cannot
   * hold is the largest it can.
   */
  static long getLong(MemorySegment from, DType type, long offset) {
    return switch (type) {
      case INT16 -> from.get(SHORT, offset);
      case UINT16 -> from.get(SHORT, offset) & 0xffff;
      case UINT32 -> Integer.toUnsignedLong(from.get(INT, offset));
      case UINT64 -> {
        long bits = from.get(LONG, offset);
        yield bits < 0 ? Long.MAX_VALUE : bits;
      }
      case INT8 -> from.get(BYTE, offset);
      case UINT8 -> from.get(BYTE, offset) & 0xff;
      case BOOL -> from.get(BYTE, offset) != 0 ? 1 : 0;
      case INT32 -> from.get(INT, offset);
      case INT64 -> from.get(LONG, offset);
      case FLOAT32 -> (long) from.get(FLOAT, offset);
      case FLOAT64 -> (long) from.get(DOUBLE, offset);
      case FLOAT16, BFLOAT16 -> throw notStored(type);
    };
  }

  /** Writes one whole number. */
  static void setLong(MemorySegment to, DType type, long offset, long value) {
    switch (type) {
      case INT8 -> to.set(BYTE, offset, (byte) Math.max(-128, Math.min(127, value)));
      case UINT8 -> to.set(BYTE, offset, (byte) Math.max(0, Math.min(255, value)));
      case BOOL -> to.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      case INT32 ->
          to.set(
              INT, offset, (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, value)));
      case INT64 -> to.set(LONG, offset, value);
      case INT16 -> to.set(SHORT, offset, (short) Math.max(-32768, Math.min(32767, value)));
      case UINT16 -> to.set(SHORT, offset, (short) Math.max(0, Math.min(65535, value)));
      case UINT32 -> to.set(INT, offset, (int) Math.max(0, Math.min(0xffffffffL, value)));
      case UINT64 -> to.set(LONG, offset, Math.max(0, value));
      case FLOAT32 -> to.set(FLOAT, offset, (float) value);
      case FLOAT64 -> to.set(DOUBLE, offset, (double) value);
      case FLOAT16, BFLOAT16 -> throw notStored(type);
    }
  }

  /** Reads a whole number for arithmetic that wraps around: of uint64 its bits. */
  static long getWrapped(MemorySegment from, DType type, long offset) {
    return type == DType.UINT64 ? from.get(LONG, offset) : getLong(from, type, offset);
  }

  /** Writes the low bits of a whole number, as arithmetic that wraps around needs it. */
  static void setWrapped(MemorySegment to, DType type, long offset, long value) {
    switch (type) {
      case INT8, UINT8 -> to.set(BYTE, offset, (byte) value);
      case INT16, UINT16 -> to.set(SHORT, offset, (short) value);
      case INT32, UINT32 -> to.set(INT, offset, (int) value);
      case INT64, UINT64 -> to.set(LONG, offset, value);
      case BOOL, FLOAT32, FLOAT64, FLOAT16, BFLOAT16 -> throw notStored(type);
    }
  }

  /** Reads one element as a real. */
  static double getDouble(MemorySegment from, DType type, long offset) {
    return switch (type) {
      case FLOAT32 -> from.get(FLOAT, offset);
      case FLOAT64 -> from.get(DOUBLE, offset);
      case INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, BOOL -> getLong(from, type, offset);
      case UINT64 -> {
        long bits = from.get(LONG, offset);
        yield bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2.0;
      }
      case FLOAT16, BFLOAT16 -> throw notStored(type);
    };
  }

  /** Writes one real: truncated towards zero and saturating for integers, != 0 for booleans. */
  static void setDouble(MemorySegment to, DType type, long offset, double value) {
    switch (type) {
      case FLOAT32 -> to.set(FLOAT, offset, (float) value);
      case FLOAT64 -> to.set(DOUBLE, offset, value);
      case BOOL -> to.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      case INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64 ->
          setLong(to, type, offset, (long) value);
      case UINT64 ->
          to.set(
              LONG,
              offset,
              !(value >= 0x1p63)
                  ? Math.max(0, (long) value)
                  : value >= 0x1p64 ? -1 : (long) (value - 0x1p63) | Long.MIN_VALUE);
      case FLOAT16, BFLOAT16 -> throw notStored(type);
    }
  }

  private static IllegalArgumentException notStored(DType type) {
    return new IllegalArgumentException(
        "elements of type " + type.label() + " do not occur here on this device");
  }
}

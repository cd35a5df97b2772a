package io.gatun.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One element of any type at a byte offset, read and written with the conversions that {@link
 * Tensor} documents. The layouts are unaligned because a tensor may lie anywhere in a mapped file.
 */
final class Elements {
  static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  /** How many elements are fetched at a time. */
  private static final int BLOCK = 1024;

  private Elements() {}

  /**
   * Reads int8 elements that lie one after the other. By way of an array: a process that has just
   * started has not compiled the access to memory, and weights are many.
   */
  static void bytesToFloats(MemorySegment base, long offset, float[] values) {
    byte[] block = new byte[Math.min(values.length, BLOCK)];
    for (int from = 0; from < values.length; from += BLOCK) {
      int count = Math.min(BLOCK, values.length - from);
      MemorySegment.copy(base, BYTE, offset + from, block, 0, count);
      widen(block, count, values, from);
    }
  }

  private static void widen(byte[] from, int count, float[] to, int at) {
    for (int i = 0; i < count; i++) {
      to[at + i] = from[i];
    }
  }

  static double getDouble(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case FLOAT64 -> base.get(DOUBLE, offset);
      case FLOAT32, FLOAT16, BFLOAT16 -> getFloat(base, dtype, offset);
      case UINT64 -> unsigned(base.get(LONG, offset));
      case INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, BOOL -> getLong(base, dtype, offset);
    };
  }

  /** The number whose bits are those of a long, rounded once. */
  private static double unsigned(long bits) {
    // Halved with a sticky last bit, so that rounding sees what was shifted out.
    return bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2.0;
  }

  static float getFloat(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case FLOAT32 -> base.get(FLOAT, offset);
      case FLOAT64 -> (float) base.get(DOUBLE, offset);
      case FLOAT16 -> HalfPrecision.float16ToFloat(base.get(SHORT, offset));
      case BFLOAT16 -> HalfPrecision.bfloat16ToFloat(base.get(SHORT, offset));
      case UINT64 -> {
        long bits = base.get(LONG, offset);
        yield bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2f;
      }
      case INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, BOOL -> getLong(base, dtype, offset);
    };
  }

  /** The element as a whole number; what a long cannot hold is the largest it can. */
  static long getLong(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case INT8 -> base.get(BYTE, offset);
      case UINT8 -> base.get(BYTE, offset) & 0xff;
      case INT16 -> base.get(SHORT, offset);
      case UINT16 -> base.get(SHORT, offset) & 0xffff;
      case INT32 -> base.get(INT, offset);
      case UINT32 -> Integer.toUnsignedLong(base.get(INT, offset));
      case UINT64 -> {
        long bits = base.get(LONG, offset);
        yield bits < 0 ? Long.MAX_VALUE : bits;
      }
      case INT64 -> base.get(LONG, offset);
      case BOOL -> base.get(BYTE, offset) != 0 ? 1 : 0;
      case FLOAT64 -> (long) base.get(DOUBLE, offset);
      case FLOAT32, FLOAT16, BFLOAT16 -> (long) getFloat(base, dtype, offset);
    };
  }

  static void setDouble(MemorySegment base, DType dtype, long offset, double value) {
    switch (dtype) {
      case FLOAT32 -> base.set(FLOAT, offset, (float) value);
      case FLOAT64 -> base.set(DOUBLE, offset, value);
      case FLOAT16 -> base.set(SHORT, offset, HalfPrecision.doubleToFloat16(value));
      case BFLOAT16 -> base.set(SHORT, offset, HalfPrecision.doubleToBfloat16(value));
      case BOOL -> base.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      // The cast truncates towards zero, saturates, and makes NaN 0.
      case UINT64 -> base.set(LONG, offset, saturateToUnsigned(value));
      case INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64 ->
          setLong(base, dtype, offset, (long) value);
    }
  }

  static void setFloat(MemorySegment base, DType dtype, long offset, float value) {
    switch (dtype) {
      case FLOAT32 -> base.set(FLOAT, offset, value);
      case FLOAT16 -> base.set(SHORT, offset, HalfPrecision.floatToFloat16(value));
      case BFLOAT16 -> base.set(SHORT, offset, HalfPrecision.floatToBfloat16(value));
      case FLOAT64, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64, BOOL ->
          setDouble(base, dtype, offset, value);
    }
  }

  static void setLong(MemorySegment base, DType dtype, long offset, long value) {
    switch (dtype) {
      case INT8 -> base.set(BYTE, offset, (byte) Math.max(-128, Math.min(127, value)));
      case UINT8 -> base.set(BYTE, offset, (byte) Math.max(0, Math.min(255, value)));
      case INT16 -> base.set(SHORT, offset, (short) Math.max(-32768, Math.min(32767, value)));
      case UINT16 -> base.set(SHORT, offset, (short) Math.max(0, Math.min(65535, value)));
      case INT32 -> base.set(INT, offset, saturateToInt(value));
      case UINT32 -> base.set(INT, offset, (int) Math.max(0, Math.min(0xffffffffL, value)));
      case UINT64 -> base.set(LONG, offset, Math.max(0, value));
      case INT64 -> base.set(LONG, offset, value);
      case BOOL -> base.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      case FLOAT32 -> base.set(FLOAT, offset, (float) value);
      case FLOAT64 -> base.set(DOUBLE, offset, (double) value);
      case FLOAT16, BFLOAT16 -> setDouble(base, dtype, offset, exactForHalf(value));
    }
  }

  /** Writes the number whose bits are those of a long to a floating-point type, rounded once. */
  static void setUnsigned(MemorySegment base, DType dtype, long offset, long bits) {
    if (bits >= 0) {
      setLong(base, dtype, offset, bits);
    } else if (dtype == DType.FLOAT32) {
      base.set(FLOAT, offset, ((bits >>> 1) | (bits & 1)) * 2f);
    } else if (dtype == DType.FLOAT64) {
      base.set(DOUBLE, offset, unsigned(bits));
    } else {
      // 52 bits and a sticky one, which a double holds.
      setDouble(base, dtype, offset, ((bits >>> 12) | ((bits & 0xfff) == 0 ? 0 : 1)) * 0x1p12);
    }
  }

  /** The bits of the unsigned number that a real is truncated to. */
  private static long saturateToUnsigned(double value) {
    double half = 0x1p63;
    if (!(value >= half)) {
      return Math.max(0, (long) value);
    }
    return value >= 2 * half ? -1 : (long) (value - half) | Long.MIN_VALUE;
  }

  static int saturateToInt(long value) {
    return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, value));
  }

  /**
   * A double on the same side of every 16-bit tie as the long. Beyond 2^53 the nearest double may
   * be such a tie while the long is not, so the bits that a double cannot hold become one sticky
   * bit; ties of either 16-bit type lie far above it.
   */
  private static double exactForHalf(long value) {
    long limit = 1L << 53;
    if ((value >= -limit && value <= limit) || (value & 0xfff) == 0) {
      return (double) value;
    }
    return (double) ((value & ~0xfffL) | 0x800);
  }
}

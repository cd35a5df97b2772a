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

  private Elements() {}

  static double getDouble(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case FLOAT64 -> base.get(DOUBLE, offset);
      case FLOAT32, FLOAT16, BFLOAT16 -> getFloat(base, dtype, offset);
      case INT8, UINT8, INT32, INT64, BOOL -> getLong(base, dtype, offset);
    };
  }

  static float getFloat(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case FLOAT32 -> base.get(FLOAT, offset);
      case FLOAT64 -> (float) base.get(DOUBLE, offset);
      case FLOAT16 -> HalfPrecision.float16ToFloat(base.get(SHORT, offset));
      case BFLOAT16 -> HalfPrecision.bfloat16ToFloat(base.get(SHORT, offset));
      case INT8, UINT8, INT32, INT64, BOOL -> getLong(base, dtype, offset);
    };
  }

  static long getLong(MemorySegment base, DType dtype, long offset) {
    return switch (dtype) {
      case INT8 -> base.get(BYTE, offset);
      case UINT8 -> base.get(BYTE, offset) & 0xff;
      case INT32 -> base.get(INT, offset);
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
      case INT8, UINT8, INT32, INT64 -> setLong(base, dtype, offset, (long) value);
    }
  }

  static void setFloat(MemorySegment base, DType dtype, long offset, float value) {
    switch (dtype) {
      case FLOAT32 -> base.set(FLOAT, offset, value);
      case FLOAT16 -> base.set(SHORT, offset, HalfPrecision.floatToFloat16(value));
      case BFLOAT16 -> base.set(SHORT, offset, HalfPrecision.floatToBfloat16(value));
      case FLOAT64, INT8, UINT8, INT32, INT64, BOOL -> setDouble(base, dtype, offset, value);
    }
  }

  static void setLong(MemorySegment base, DType dtype, long offset, long value) {
    switch (dtype) {
      case INT8 -> base.set(BYTE, offset, (byte) Math.max(-128, Math.min(127, value)));
      case UINT8 -> base.set(BYTE, offset, (byte) Math.max(0, Math.min(255, value)));
      case INT32 -> base.set(INT, offset, saturateToInt(value));
      case INT64 -> base.set(LONG, offset, value);
      case BOOL -> base.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      case FLOAT32 -> base.set(FLOAT, offset, (float) value);
      case FLOAT64 -> base.set(DOUBLE, offset, (double) value);
      case FLOAT16, BFLOAT16 -> setDouble(base, dtype, offset, exactForHalf(value));
    }
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

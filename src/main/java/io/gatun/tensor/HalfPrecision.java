package io.gatun.tensor;

/**
 * Conversions between the 16-bit floating-point types and the wider ones, all rounding to nearest,
 * ties to even, in one step (never twice).
 *
 * <p>NaN stays NaN and is quiet afterwards; infinities and the sign of zero are kept; values beyond
 * the largest finite number round to infinity; subnormal numbers are kept, not flushed.
 *
 * <p>Stateless; every method may be called from any thread.
 */
public final class HalfPrecision {
  private static final int FLOAT_INFINITY = 0x7f80_0000;
  private static final int BFLOAT16_QUIET = 0x0040;

  private HalfPrecision() {}

  /**
   * Widens a bfloat16; always exact.
   *
   * @param bits the 16 bits of a bfloat16
   * @return the same number
   */
  public static float bfloat16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * Rounds to bfloat16.
   *
   * @param value any float
   * @return the 16 bits of the nearest bfloat16, ties to even; NaN becomes a quiet NaN
   */
  public static short floatToBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    // Adding just under half a unit, plus one more when the kept part is odd, carries exactly when
    // the rest is above half, or is half and the kept part is odd.
    int rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
    // A NaN whose payload sits in the dropped bits alone would become infinity; the quiet bit
    // keeps it a NaN.
    int nan = (bits >>> 16) | BFLOAT16_QUIET;
    return (short) ((bits & 0x7fff_ffff) > FLOAT_INFINITY ? nan : rounded);
  }

  /**
   * Rounds to bfloat16 in one step.
   *
   * @param value any double
   * @return the 16 bits of the nearest bfloat16, ties to even
   */
  public static short doubleToBfloat16(double value) {
    return floatToBfloat16(roundToOdd(value));
  }

  /**
   * Widens an IEEE binary16; always exact.
   *
   * @param bits the 16 bits of a binary16
   * @return the same number
   */
  public static float float16ToFloat(short bits) {
    return Float.float16ToFloat(bits);
  }

  /**
   * Rounds to IEEE binary16.
   *
   * @param value any float
   * @return the 16 bits of the nearest binary16, ties to even; from 65520 on, infinity
   */
  public static short floatToFloat16(float value) {
    return Float.floatToFloat16(value);
  }

  /**
   * Rounds to IEEE binary16 in one step.
   *
   * @param value any double
   * @return the 16 bits of the nearest binary16, ties to even
   */
  public static short doubleToFloat16(double value) {
    return Float.floatToFloat16(roundToOdd(value));
  }

  /**
   * The float next to a double on the side of zero, with its last bit set if anything was lost.
   * Rounding that to fewer bits gives what rounding the double itself would give; rounding to the
   * nearest float first would round twice (Boldo and Melquiond, "When double rounding is odd").
   */
  private static float roundToOdd(double value) {
    float nearest = (float) value;
    if (nearest == value || Double.isNaN(value)) {
      return nearest;
    }
    int bits = Float.floatToRawIntBits(nearest);
    if (Math.abs((double) nearest) > Math.abs(value)) {
      bits -= 1;
    }
    return Float.intBitsToFloat(bits | 1);
  }
}

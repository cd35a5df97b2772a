package io.gatun.kernel.simd;

/**
 * Constants of the exponential function, on which sigmoid and tanh are built.
 *
 * <p>{@code e^x = 2^n e^r} with {@code n = round(x / ln 2)} and {@code |r| <= ln 2 / 2}; {@code e^r
 * = 1 + r + r^2 P(r)} with the polynomial of Cephes' {@code expf}. Rounding to {@code n} is done by
 * adding {@link #ROUND}, which leaves {@code n} in the low bits of the sum. The steps are plain
 * float32 operations and FMAs, so that every machine gets the same bits.
 *
 * <ul>
 *   <li>{@code sigmoid(x) = (x < 0 ? t : 1) / (1 + t)} with {@code t = e^-|x|}, which never
 *       overflows and keeps relative accuracy down to the subnormal numbers.
 *   <li>{@code tanh(x) = +-m / (m + 2)} with {@code m = e^(2|x|) - 1} (relative accuracy near 0),
 *       and {@code 1 - 2 / (m + 2)} for {@code m > 2}, every step of which is monotone.
 * </ul>
 */
final class Exponential {
  static final float LOG2_E = 1.44269504088896341f;

  /** ln 2 rounded to float32, and what is missing. */
  static final float LN2_HIGH = 0.693147182464599609375f;

  static final float LN2_LOW = -1.904654323148236e-9f;

  /** 1.5 · 2^23: numbers of this size have no fraction. */
  static final float ROUND = 12582912f;

  static final int ROUND_BITS = 0x4B400000;

  /** The exponent's bias in its place, and the same plus 64. */
  static final int BIAS = 127 << 23;

  static final int BIAS_64 = (127 + 64) << 23;

  static final float TWO_TO_MINUS_64 = 0x1p-64f;

  /** e^-30 - 1 rounds to -1. */
  static final float EXPM1_LIMIT = 30f;

  static final int SIGN = 0x80000000;

  /** e^-104 rounds to 0. */
  static final float EXP_LIMIT = 104f;

  /** e^89 rounds to infinity. */
  static final float EXP_HIGHEST = 89f;

  /** tanh of this rounds to 1. */
  static final float TANH_LIMIT = 9.1f;

  static final float E2 = 5.0000001201e-1f;
  static final float E3 = 1.6666665459e-1f;
  static final float E4 = 4.1665795894e-2f;
  static final float E5 = 8.3334519073e-3f;
  static final float E6 = 1.3981999507e-3f;
  static final float E7 = 1.9875691500e-4f;

  private Exponential() {}
}

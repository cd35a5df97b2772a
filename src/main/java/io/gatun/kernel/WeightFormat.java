package io.gatun.kernel;

import io.gatun.tensor.HalfPrecision;

/**
 * In what form packed weights lie in memory. Where few rows meet many weights, as in a recurrent
 * layer that runs over one sequence, the weights are the traffic, and smaller ones are faster.
 * Whatever the format, inputs, states, biases and sums are the device's {@linkplain Device#real()
 * reals}: the weights alone are rounded, once, when they are packed.
 *
 * <p>The formats say exactly which numbers are computed with; devices differ only in how they round
 * sums. A weight is first rounded to float32.
 */
public enum WeightFormat {
  /** As they are. */
  FLOAT32(32),

  /** Rounded to bfloat16: the range of float32, and 8 bits of precision. Half the memory. */
  BFLOAT16(16),

  /**
   * Whole numbers from −127 to 127, symmetric around 0, times a scale for each output: a column of
   * a matrix product; in a recurrent layer a unit of a gate, for input and recurrent weights each
   * its own. The scale is the largest absolute value of the channel's weights divided by 127, but
   * no less than 2⁻¹⁰², and a weight is the nearest multiple, ties to even. A sum is formed of the
   * whole numbers and scaled at its end; before that it may grow to 2¹⁰⁴. A quarter of the memory.
   */
  INT8(8);

  /** The largest whole number of {@link #INT8}. */
  public static final int LARGEST = 127;

  /** Smaller scales are of no use, and leave no room below them in the range of float32. */
  private static final float LEAST_SCALE = 0x1p-102f;

  private final int bits;

  WeightFormat(int bits) {
    this.bits = bits;
  }

  /** How many bits a weight takes. */
  public int bits() {
    return bits;
  }

  /** What people and options call it: {@code bfloat16}. */
  public String label() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /** A weight as {@link #BFLOAT16} has it. */
  public static float bfloat16(float weight) {
    return HalfPrecision.bfloat16ToFloat(HalfPrecision.floatToBfloat16(weight));
  }

  /**
   * The scale of a channel of {@link #INT8}.
   *
   * @param largest the largest absolute value of its weights
   * @throws IllegalArgumentException if that is not finite, since no whole number stands for it
   */
  public static float scale(float largest) {
    if (!(Math.abs(largest) <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "weights that are NaN or infinite cannot be packed as int8; pack them as float32");
    }
    return Math.max(LEAST_SCALE, largest / LARGEST);
  }

  /**
   * A weight of {@link #INT8}.
   *
   * @param scale its channel's
   * @return a whole number from −127 to 127, which stands for itself times the scale
   */
  public static int int8(float weight, float scale) {
    double multiple = Math.rint((double) weight / scale);
    return (int) Math.max(-LARGEST, Math.min(LARGEST, multiple));
  }
}

package io.gatun.kernel;

import io.gatun.tensor.DType;

/**
 * How far a computed number may be from the reference in float64: the one formula that all
 * comparisons use, so that nobody tunes a tolerance.
 *
 * <pre>|got − expected| ≤ 4 · max(1, log2(terms)) · epsilon · magnitude</pre>
 *
 * <ul>
 *   <li><em>epsilon</em> is the distance from 1 to the next number of the real type: 2⁻²³ or 2⁻⁵².
 *   <li><em>magnitude</em> is what rounding errors are relative to: the sum of the absolute values
 *       of the terms that are added (not the sum itself, from which the terms may cancel), or the
 *       result where nothing is added.
 *   <li><em>terms</em> is the number of terms. Rounding errors are as often up as down, so those of
 *       n terms grow far slower than n; summed in a tree they grow with log2(n), and the terms of
 *       random sign that tests have stay within that in a plain loop too.
 *   <li>4 leaves room for the functions, whose stated error is 3 units in the last place.
 * </ul>
 *
 * <p>A result below the normal numbers may be flushed to zero, so the smallest normal number is
 * always allowed.
 */
public final class Threshold {
  private static final double CONSTANT = 4;

  private Threshold() {}

  /** The bound for a result of {@code terms} terms of the given magnitude. */
  public static double of(DType real, double terms, double magnitude) {
    double smallest = real == DType.FLOAT32 ? Float.MIN_NORMAL : Double.MIN_NORMAL;
    double growth = Math.max(1, Math.log(terms) / Math.log(2));
    return CONSTANT * growth * epsilon(real) * magnitude + smallest;
  }

  /** The distance from 1 to the next number. */
  public static double epsilon(DType real) {
    return real == DType.FLOAT32 ? Math.ulp(1f) : Math.ulp(1d);
  }
}

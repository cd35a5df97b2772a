package io.gatun.kernel;

/** What becomes of many numbers that become one. */
public enum Reduction {
  /** Their sum; 0 of none. */
  SUM,
  /** Their mean; NaN of none. */
  MEAN,
  /** The largest; -infinity of none, NaN if any is. */
  MAXIMUM,
  /** The smallest; +infinity of none, NaN if any is. */
  MINIMUM,
  /** The square root of the sum of squares. */
  L2,
  /** Their product; 1 of none. */
  PRODUCT
}

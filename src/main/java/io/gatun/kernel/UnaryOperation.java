package io.gatun.kernel;

/** Functions of one number that are not activations. */
public enum UnaryOperation {
  /** -x. */
  NEGATE,
  /** |x|. */
  ABSOLUTE,
  /** The natural logarithm. */
  LOGARITHM,
  /** The square root. */
  SQUARE_ROOT,
  /** 1 / x. */
  RECIPROCAL
}

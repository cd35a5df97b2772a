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
  RECIPROCAL,
  /** The largest whole number that is not above x. */
  FLOOR,
  /** The smallest whole number that is not below x. */
  CEILING,
  /** The nearest whole number; of two the even one. */
  ROUND,
  /** -1, 0 or 1. */
  SIGN,
  /** The error function. */
  ERROR_FUNCTION,
  /** The sine. */
  SINE,
  /** The cosine. */
  COSINE,
  /** The tangent. */
  TANGENT,
  /** The inverse of the sine. */
  ARC_SINE,
  /** The inverse of the cosine. */
  ARC_COSINE,
  /** The inverse of the tangent. */
  ARC_TANGENT,
  /** The hyperbolic sine. */
  HYPERBOLIC_SINE,
  /** The hyperbolic cosine. */
  HYPERBOLIC_COSINE,
  /** The inverse of the hyperbolic sine. */
  AREA_SINE,
  /** The inverse of the hyperbolic cosine. */
  AREA_COSINE,
  /** The inverse of the hyperbolic tangent. */
  AREA_TANGENT
}

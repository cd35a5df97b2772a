package io.gatun.kernel;

/** Functions of two numbers. */
public enum BinaryOperation {
  /** a + b. */
  ADD,
  /** a - b. */
  SUBTRACT,
  /** a b. */
  MULTIPLY,
  /** a / b; integers are divided towards zero. */
  DIVIDE,
  /** The larger; NaN if either is. */
  MAXIMUM,
  /** The smaller; NaN if either is. */
  MINIMUM,
  /** a to the power b. */
  POWER
}

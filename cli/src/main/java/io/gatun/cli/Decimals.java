package io.gatun.cli;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Numbers as they are printed: the same everywhere, whatever language the system speaks. */
final class Decimals {
  private Decimals() {}

  /** A score with six decimals. */
  static String score(double value) {
    if (Double.isInfinite(value) || Double.isNaN(value)) {
      return value == Double.NEGATIVE_INFINITY ? "-inf" : Double.isNaN(value) ? "nan" : "inf";
    }
    return BigDecimal.valueOf(value).setScale(6, RoundingMode.HALF_EVEN).toPlainString();
  }
}

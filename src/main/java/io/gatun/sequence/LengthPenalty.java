package io.gatun.sequence;

/**
 * How hypotheses of different lengths are compared: the sum of log-probabilities is divided by a
 * function of the length |Y|, which counts the end token. Immutable.
 *
 * @param formula the function
 * @param alpha its exponent α, 0 to 10; the larger, the longer the hypotheses that win
 */
public record LengthPenalty(Formula formula, double alpha) {

  /** The functions of the length. */
  public enum Formula {
    /** {@code |Y|^α}, as fairseq and CTranslate2 have it; α = 1 is the mean. */
    POWER,
    /** {@code ((5 + |Y|) / 6)^α}: Wu et al. 2016, Google's neural machine translation, eq. 14. */
    GNMT
  }

  /** No penalty: the score is the sum of log-probabilities. */
  public static final LengthPenalty NONE = new LengthPenalty(Formula.POWER, 0);

  /** Checks the exponent. */
  public LengthPenalty {
    if (!(alpha >= 0 && alpha <= 10)) {
      throw new IllegalArgumentException("length penalty: α is " + alpha + ", expected 0 to 10");
    }
  }

  /** {@code |Y|^α}. */
  public static LengthPenalty power(double alpha) {
    return new LengthPenalty(Formula.POWER, alpha);
  }

  /** {@code ((5 + |Y|) / 6)^α}. */
  public static LengthPenalty gnmt(double alpha) {
    return new LengthPenalty(Formula.GNMT, alpha);
  }

  /**
   * The score of a hypothesis.
   *
   * @param logProbability the sum of its log-probabilities
   * @param length the number of terms in it; 0 counts as 1
   */
  public double score(double logProbability, int length) {
    if (alpha == 0) {
      return logProbability;
    }
    double base =
        switch (formula) {
          case POWER -> Math.max(length, 1);
          case GNMT -> (5.0 + Math.max(length, 1)) / 6.0;
        };
    return logProbability / StrictMath.pow(base, alpha);
  }
}

package io.gatun.batch;

import java.util.List;

/**
 * How probable an encoder–decoder finds a given target.
 *
 * @param logProbability the sum of the tokens' natural logarithms of probability
 * @param tokens the terms of that sum, in the order of the target; the last one is the end symbol,
 *     where the model has one
 */
public record TargetScore(double logProbability, List<Token> tokens) {
  /** Copies the list. */
  public TargetScore {
    tokens = List.copyOf(tokens);
  }

  /**
   * A token of the target.
   *
   * @param symbol its symbol
   * @param logProbability the natural logarithm of its probability, given the source and the tokens
   *     before it
   */
  public record Token(String symbol, double logProbability) {}
}

package io.gatun.batch;

import java.util.List;

/**
 * What an encoder–decoder made of a text.
 *
 * @param answers best first; when sampling, in the order of their numbers; none for a text without
 *     tokens
 */
public record Translation(List<Answer> answers) {
  /** The translation of nothing. */
  static final Translation EMPTY = new Translation(List.of());

  /** Copies the list. */
  public Translation {
    answers = List.copyOf(answers);
  }

  /**
   * One answer.
   *
   * @param text the text
   * @param score what answers are ranked by: the sum of the tokens' log-probabilities, divided by
   *     the length penalty
   * @param logProbability the sum of the natural logarithms of the tokens' probabilities
   */
  public record Answer(String text, double score, double logProbability) {}

  /** Returns the text of the first answer; empty if there is none. */
  public String text() {
    return answers.isEmpty() ? "" : answers.get(0).text();
  }
}

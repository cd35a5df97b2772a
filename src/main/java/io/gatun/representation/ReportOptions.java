package io.gatun.representation;

import java.util.List;
import java.util.Optional;

/**
 * What a {@link Report} shows.
 *
 * @param title the name of the model
 * @param description a sentence about it
 * @param values names and patterns; none for the {@linkplain Selection#path path}
 * @param symbols what each token is shown as; empty for networks of numbers
 * @param answers what the units of the last value stand for, where that is known
 * @param target the value whose units are the answers, such as the scores of a classifier; empty
 *     for none
 * @param top how many examples are shown for each unit
 * @param units the most units that are shown of a value
 * @param sample the most examples that are projected and probed
 */
public record ReportOptions(
    String title,
    String description,
    List<String> values,
    List<String> symbols,
    List<String> answers,
    Optional<String> target,
    int top,
    int units,
    int sample) {
  /** Copies the lists. */
  public ReportOptions {
    values = List.copyOf(values);
    symbols = List.copyOf(symbols);
    answers = List.copyOf(answers);
    if (top < 1 || units < 1 || sample < 2) {
      throw new IllegalArgumentException(
          "a report of " + top + " examples of " + units + " units and " + sample + " points");
    }
  }
}

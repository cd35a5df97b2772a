package io.gatun.batch;

import java.util.List;

/**
 * What a network finds for one record.
 *
 * @param choices the labels of a classifier with their probabilities, the most probable first;
 *     empty for a network of numbers
 * @param numbers what a network of numbers computes; empty for a classifier
 */
public record Classification(List<Choice> choices, List<Float> numbers) {
  /**
   * A label and how probable it is.
   *
   * @param label the name of the class
   * @param probability 0 to 1
   */
  public record Choice(String label, double probability) {}

  /** Copies the lists. */
  public Classification {
    choices = List.copyOf(choices);
    numbers = List.copyOf(numbers);
  }
}

package io.gatun.training;

import java.util.Arrays;

/**
 * A sample in the numbers of one network.
 *
 * @param source tokens; {@code null} where numbers are read
 * @param target tokens with start and end symbol; {@code null} but for an encoder–decoder
 * @param label the number of a class; −1 where there is none
 * @param numbers what is read where that is no text; {@code null} otherwise
 * @param values numbers that are right; {@code null} but for a network of numbers
 */
record Item(int[] source, int[] target, int label, float[] numbers, float[] values) {

  /** What batches are sorted by: items of like sizes are computed together. */
  int size() {
    return source != null ? source.length : numbers.length;
  }

  /** How many tokens it costs. */
  int tokens() {
    return size() + (target == null ? 0 : target.length - 1);
  }

  /** How many terms of the loss it has. */
  int terms() {
    return target != null ? target.length - 1 : values != null ? values.length : 1;
  }

  /**
   * Some time steps of an item of numbers with as many values a step; none behind its end.
   *
   * @param from the first step
   * @param to the step behind the last
   * @param features numbers of a step
   */
  Item stretch(int from, int to, int features) {
    int steps = numbers.length / features;
    int first = Math.min(from, steps);
    int end = Math.min(to, steps);
    int size = values.length / steps;
    return new Item(
        null,
        null,
        -1,
        Arrays.copyOfRange(numbers, first * features, end * features),
        Arrays.copyOfRange(values, first * size, end * size));
  }
}

package io.gatun.training;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Samples for training, for choosing the best state of a training (validation) and for the figure
 * that is told in the end (test). No sample is in two of them.
 *
 * @param train what is learnt from
 * @param validation what decides when to stop; may be empty
 * @param test what nothing was decided by; may be empty
 */
public record Split(List<Sample> train, List<Sample> validation, List<Sample> test) {
  /** Copies the lists. */
  public Split {
    train = List.copyOf(train);
    validation = List.copyOf(validation);
    test = List.copyOf(test);
  }

  /** The part of a name: {@code train}, {@code validation} or {@code test}. */
  List<Sample> part(String name) {
    return switch (name) {
      case "train" -> train;
      case "validation" -> validation;
      default -> test;
    };
  }

  /**
   * Splits samples at random. Samples of one text stay together where they were read as one (all
   * targets of a source are one sample).
   *
   * @param validation the share for validation, 0 to 1
   * @param test the share for test, 0 to 1
   * @param seed of the random numbers
   * @param byClass whether each class (the first target) is split by itself, so that its share is
   *     the same in each part; shares are rounded, but at least one sample is in each part
   */
  static Split of(
      List<Sample> samples, double validation, double test, long seed, boolean byClass) {
    Map<String, List<Sample>> groups = new TreeMap<>();
    for (Sample sample : samples) {
      String group = byClass && !sample.targets().isEmpty() ? sample.targets().get(0) : "";
      groups.computeIfAbsent(group, key -> new ArrayList<>()).add(sample);
    }
    Random random = new Random(seed);
    List<List<Sample>> parts = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (List<Sample> group : groups.values()) {
      Collections.shuffle(group, random);
      int second = share(group.size(), validation);
      int third = share(group.size(), test);
      int first = Math.max(0, group.size() - second - third);
      parts.get(0).addAll(group.subList(0, first));
      parts.get(1).addAll(group.subList(first, Math.min(group.size(), first + second)));
      parts.get(2).addAll(group.subList(Math.min(group.size(), first + second), group.size()));
    }
    return new Split(parts.get(0), parts.get(1), parts.get(2));
  }

  private static int share(int size, double part) {
    return part == 0 ? 0 : (int) Math.max(1, Math.round(size * part));
  }
}

package io.gatun.training;

import java.util.List;

/**
 * How often each class was taken for each other one, and the figures that follow: accuracy, and
 * precision, recall and F1 (van Rijsbergen 1979) per class, as the mean over classes (macro) and
 * over all decisions (micro, which for one label each equals the accuracy).
 *
 * <p>A class that neither occurs nor is predicted has an F1 of 0 and counts in the macro mean, as
 * in scikit-learn with {@code zero_division=0}. Not thread-safe.
 */
public final class Confusion {
  private final List<String> labels;
  private final long[][] counts;

  /** An empty matrix over classes of the given names. */
  public Confusion(List<String> labels) {
    this.labels = List.copyOf(labels);
    this.counts = new long[labels.size()][labels.size()];
  }

  /** Counts a decision; both are numbers of classes from 0. */
  public void add(int expected, int predicted) {
    counts[expected][predicted]++;
  }

  /** The names of the classes. */
  public List<String> labels() {
    return labels;
  }

  /** How often {@code expected} was taken for {@code predicted}. */
  public long count(int expected, int predicted) {
    return counts[expected][predicted];
  }

  /** The number of decisions. */
  public long total() {
    long total = 0;
    for (int i = 0; i < counts.length; i++) {
      total += support(i);
    }
    return total;
  }

  /** How often a class occurs. */
  public long support(int label) {
    long sum = 0;
    for (long each : counts[label]) {
      sum += each;
    }
    return sum;
  }

  private long predicted(int label) {
    long sum = 0;
    for (long[] row : counts) {
      sum += row[label];
    }
    return sum;
  }

  /** The share of right decisions, 0 to 1; 0 if there are none. */
  public double accuracy() {
    long right = 0;
    for (int i = 0; i < counts.length; i++) {
      right += counts[i][i];
    }
    return ratio(right, total());
  }

  /** The share of the decisions for a class that are right. */
  public double precision(int label) {
    return ratio(counts[label][label], predicted(label));
  }

  /** The share of a class that is found. */
  public double recall(int label) {
    return ratio(counts[label][label], support(label));
  }

  /** {@code 2 · true positives / (predicted + support)}. */
  public double f1(int label) {
    return ratio(2 * counts[label][label], predicted(label) + support(label));
  }

  /** The mean of the classes' F1. */
  public double macroF1() {
    double sum = 0;
    for (int i = 0; i < counts.length; i++) {
      sum += f1(i);
    }
    return counts.length == 0 ? 0 : sum / counts.length;
  }

  /** F1 over all decisions together. */
  public double microF1() {
    return accuracy();
  }

  private static double ratio(long part, long whole) {
    return whole == 0 ? 0 : (double) part / whole;
  }
}

package io.gatun.representation;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/**
 * What one pass over data tells of a value's units: how they are distributed over all positions of
 * all examples, and which examples activate each of them most, each example once, at its best
 * position. Memory is bounded by units × k, whatever the size of the data. Not thread-safe; filled
 * by {@link Detectors}.
 */
public final class UnitStatistics {
  /**
   * An example that activates a unit.
   *
   * @param example which
   * @param position where: the time step, or the place in row-major order; 0 without positions
   * @param activation how much
   */
  public record Top(Example example, long position, float activation) {}

  private static final Comparator<Top> WORST_FIRST =
      Comparator.comparingDouble((Top top) -> top.activation())
          .thenComparingLong(top -> -top.example().number());

  private final String value;
  private final int k;
  private final int units;
  private final long[] counts;
  private final long[] positive;
  private final double[] means;
  private final double[] squares;
  private final float[] smallest;
  private final float[] largest;
  private final List<java.util.PriorityQueue<Top>> tops = new ArrayList<>();

  UnitStatistics(String value, int units, int k) {
    this.value = value;
    this.units = units;
    this.k = k;
    counts = new long[units];
    positive = new long[units];
    means = new double[units];
    squares = new double[units];
    smallest = new float[units];
    largest = new float[units];
    java.util.Arrays.fill(smallest, Float.POSITIVE_INFINITY);
    java.util.Arrays.fill(largest, Float.NEGATIVE_INFINITY);
    for (int unit = 0; unit < units; unit++) {
      tops.add(new java.util.PriorityQueue<>(WORST_FIRST));
    }
  }

  /** Takes an example's activations: position after position, all units of each. */
  void add(Example example, float[] activations) {
    int positions = activations.length / units;
    for (int unit = 0; unit < units; unit++) {
      float best = Float.NEGATIVE_INFINITY;
      int where = -1;
      for (int position = 0; position < positions; position++) {
        float x = activations[position * units + unit];
        counts[unit]++;
        double before = x - means[unit];
        means[unit] += before / counts[unit];
        squares[unit] += before * (x - means[unit]);
        if (x > 0) {
          positive[unit]++;
        }
        smallest[unit] = Math.min(smallest[unit], x);
        if (x > best) {
          best = x;
          where = position;
        }
      }
      if (where < 0) {
        continue;
      }
      largest[unit] = Math.max(largest[unit], best);
      java.util.PriorityQueue<Top> queue = tops.get(unit);
      // Made only where it stays: most examples are no unit's best.
      if (queue.size() < k || best > queue.peek().activation()) {
        queue.add(new Top(example, where, best));
        if (queue.size() > k) {
          queue.remove();
        }
      }
    }
  }

  /** The name of the value. */
  public String value() {
    return value;
  }

  /** How many units it has. */
  public int units() {
    return units;
  }

  /** How many activations of a unit were seen: the positions of all examples. */
  public long count(int unit) {
    return counts[unit];
  }

  /** The mean of a unit's activations. */
  public double mean(int unit) {
    return means[unit];
  }

  /** Their standard deviation. */
  public double deviation(int unit) {
    return counts[unit] == 0 ? 0 : Math.sqrt(squares[unit] / counts[unit]);
  }

  /** The smallest of them. */
  public float smallest(int unit) {
    return smallest[unit];
  }

  /** The largest of them. */
  public float largest(int unit) {
    return largest[unit];
  }

  /** The share of them that is above zero. */
  public double active(int unit) {
    return counts[unit] == 0 ? 0 : (double) positive[unit] / counts[unit];
  }

  /** Whether a unit said the same, whatever it was shown: nothing that comes after can use it. */
  public boolean dead(int unit) {
    return !(largest[unit] > smallest[unit]);
  }

  /** The units that are {@linkplain #dead dead}. */
  public List<Integer> dead() {
    List<Integer> all = new ArrayList<>();
    for (int unit = 0; unit < units; unit++) {
      if (dead(unit)) {
        all.add(unit);
      }
    }
    return all;
  }

  /** The examples that activate a unit most, the best first; of equals the one that came first. */
  public List<Top> top(int unit) {
    List<Top> all = new ArrayList<>(tops.get(unit));
    Collections.sort(all, WORST_FIRST.reversed());
    return all;
  }
}

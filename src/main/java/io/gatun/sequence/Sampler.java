package io.gatun.sequence;

import java.util.Arrays;

/**
 * Draws tokens from log-probabilities. All of it in float64 with {@link StrictMath}, so that a seed
 * gives the same tokens on every platform that gives the same log-probabilities.
 */
final class Sampler {
  private static final long GOLDEN = 0x9e3779b97f4a7c15L;

  private double[] weights = {};
  private double[] sorted = {};

  /** Makes room for so many candidates. */
  void ensure(int candidates) {
    if (weights.length < candidates) {
      weights = new double[candidates];
      sorted = new double[candidates];
    }
  }

  // ---- random numbers: SplitMix64 (Steele, Lea and Flood 2014) --------------------------------

  /** The beginning of the stream of one sample of one sentence. */
  static long stream(long seed, long sentence, int sample) {
    return mix(mix(mix(seed + GOLDEN) + sentence * GOLDEN) + sample * GOLDEN);
  }

  /** The next place in a stream. */
  static long advance(long state) {
    return state + GOLDEN;
  }

  /** The random number at a place in a stream: 0 up to, not including, 1. */
  static double unit(long state) {
    return (mix(state) >>> 11) * 0x1p-53;
  }

  private static long mix(long z) {
    long a = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    long b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL;
    return b ^ (b >>> 31);
  }

  // ---- drawing --------------------------------------------------------------------------------

  /**
   * Draws a candidate.
   *
   * @param values log-probabilities, from {@code from} on
   * @param isSorted whether the largest come first
   * @param unit a random number from 0 up to 1
   * @return its place among the candidates; −1 if none is possible
   */
  int draw(
      HostArray values,
      long from,
      int count,
      double temperature,
      double topP,
      boolean isSorted,
      double unit) {
    double maximum = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      weights[i] = values.getReal(from + i);
      maximum = Math.max(maximum, weights[i]);
    }
    if (maximum == Double.NEGATIVE_INFINITY) {
      return -1;
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      weights[i] = StrictMath.exp((weights[i] - maximum) / temperature);
      sum += weights[i];
    }
    if (topP < 1) {
      sum = nucleus(count, topP * sum, isSorted);
    }
    double left = unit * sum;
    int drawn = -1;
    for (int i = 0; i < count; i++) {
      if (weights[i] > 0) {
        // The last possible one is also what remains where rounding leaves a rest.
        drawn = i;
        left -= weights[i];
        if (left < 0) {
          break;
        }
      }
    }
    return drawn;
  }

  /** Sets all weights to 0 but the fewest largest that sum to {@code least}; returns their sum. */
  private double nucleus(int count, double least, boolean isSorted) {
    System.arraycopy(weights, 0, sorted, 0, count);
    if (!isSorted) {
      Arrays.sort(sorted, 0, count);
      for (int i = 0, j = count - 1; i < j; i++, j--) {
        double swapped = sorted[i];
        sorted[i] = sorted[j];
        sorted[j] = swapped;
      }
    }
    double sum = 0;
    int kept = 0;
    while (kept < count && (kept == 0 || sum < least)) {
      sum += sorted[kept++];
    }
    double smallest = sorted[kept - 1];
    int ofSmallest = 0;
    for (int i = kept - 1; i >= 0 && sorted[i] == smallest; i--) {
      ofSmallest++;
    }
    for (int i = 0; i < count; i++) {
      if (weights[i] < smallest || (weights[i] == smallest && ofSmallest-- <= 0)) {
        weights[i] = 0;
      }
    }
    return sum;
  }
}

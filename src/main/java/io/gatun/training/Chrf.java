package io.gatun.training;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * chrF of a corpus (Popović 2015): the F score of character n-grams, recall counting twice (β = 2),
 * as sacreBLEU computes it unless told otherwise: n-grams of 1 to 6 characters, no words, white
 * space left out, orders that are empty on a side left out of the mean. Of several references the
 * one with the best score counts. Not thread-safe.
 */
public final class Chrf {
  private static final int ORDER = 6;
  private static final double FACTOR = 4;

  private final long[] sums = new long[3 * ORDER];
  private int references = -1;

  /**
   * Counts an answer.
   *
   * @param answer its text
   * @param right texts that are right, at least one
   */
  public void add(String answer, List<String> right) {
    if (right.isEmpty()) {
      throw new IllegalArgumentException("no reference, expected at least one");
    }
    references = references == -1 || references == right.size() ? right.size() : 0;
    int[] text = characters(answer);
    long[] best = null;
    double bestScore = -1;
    for (String each : right) {
      long[] counts = compare(text, characters(each));
      double score = score(counts);
      if (score > bestScore) {
        bestScore = score;
        best = counts;
      }
    }
    for (int i = 0; i < sums.length; i++) {
      sums[i] += best[i];
    }
  }

  private static int[] characters(String text) {
    return text.codePoints().filter(c -> !Character.isWhitespace(c) && c != 0xa0).toArray();
  }

  /** For each order: n-grams of the answer, of the reference, of both. */
  private static long[] compare(int[] answer, int[] reference) {
    long[] counts = new long[3 * ORDER];
    for (int order = 1; order <= ORDER; order++) {
      Map<String, Integer> right = ngrams(reference, order);
      Map<String, Integer> given = ngrams(answer, order);
      long matches = 0;
      for (Map.Entry<String, Integer> each : given.entrySet()) {
        matches += Math.min(each.getValue(), right.getOrDefault(each.getKey(), 0));
      }
      int at = 3 * (order - 1);
      counts[at] = right.isEmpty() ? 0 : Math.max(0, answer.length - order + 1);
      counts[at + 1] = Math.max(0, reference.length - order + 1);
      counts[at + 2] = matches;
    }
    return counts;
  }

  private static Map<String, Integer> ngrams(int[] text, int order) {
    Map<String, Integer> counts = new HashMap<>();
    for (int i = 0; i + order <= text.length; i++) {
      counts.merge(new String(text, i, order), 1, Integer::sum);
    }
    return counts;
  }

  private static double score(long[] counts) {
    double precision = 0;
    double recall = 0;
    int orders = 0;
    for (int at = 0; at < counts.length; at += 3) {
      if (counts[at] > 0 && counts[at + 1] > 0) {
        precision += (double) counts[at + 2] / counts[at];
        recall += (double) counts[at + 2] / counts[at + 1];
        orders++;
      }
    }
    if (orders == 0 || precision + recall == 0) {
      return 0;
    }
    precision /= orders;
    recall /= orders;
    return 100 * (1 + FACTOR) * precision * recall / (FACTOR * precision + recall);
  }

  /** The score, 0 to 100. */
  public double score() {
    return score(sums);
  }

  /** How it was computed, in the words of sacreBLEU. */
  public String signature() {
    return "nrefs:"
        + (references > 0 ? String.valueOf(references) : "var")
        + "|case:mixed|eff:yes|nc:6|nw:0|space:no";
  }
}

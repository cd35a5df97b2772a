package io.gatun.sequence;

import io.gatun.sequence.Hypothesis.End;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The best hypotheses of each sentence that have ended so far; of equals those that were first. */
final class Ended {
  private int keep;
  private int[] counts = {};
  private int[] kept = {};
  private int[] nodes = {};
  private int[] lengths = {};
  private double[] sums = {};
  private double[] scores = {};
  private End[] ends = {};

  /**
   * Forgets everything.
   *
   * @param best how many of each sentence are kept
   */
  void clear(int sentences, int best) {
    keep = best;
    int size = Math.multiplyExact(sentences, best);
    if (nodes.length < size) {
      nodes = new int[size];
      lengths = new int[size];
      sums = new double[size];
      scores = new double[size];
      ends = new End[size];
    }
    if (counts.length < sentences) {
      counts = new int[sentences];
      kept = new int[sentences];
    }
    Arrays.fill(counts, 0);
    Arrays.fill(kept, 0);
  }

  /** Adds a hypothesis if it is one of the best. */
  void add(int sentence, int node, int length, double sum, double score, End end) {
    counts[sentence]++;
    int first = sentence * keep;
    int at = first + kept[sentence];
    while (at > first && scores[at - 1] < score) {
      at--;
    }
    int last = first + keep - 1;
    if (at > last) {
      return;
    }
    for (int i = Math.min(first + kept[sentence], last); i > at; i--) {
      nodes[i] = nodes[i - 1];
      lengths[i] = lengths[i - 1];
      sums[i] = sums[i - 1];
      scores[i] = scores[i - 1];
      ends[i] = ends[i - 1];
    }
    nodes[at] = node;
    lengths[at] = length;
    sums[at] = sum;
    scores[at] = score;
    ends[at] = end;
    kept[sentence] = Math.min(kept[sentence] + 1, keep);
  }

  /** Puts one at a place of its own, for samples, which are returned by their number. */
  void set(int sentence, int place, int node, int length, double sum, double score, End end) {
    int at = sentence * keep + place;
    counts[sentence]++;
    kept[sentence] = Math.max(kept[sentence], place + 1);
    nodes[at] = node;
    lengths[at] = length;
    sums[at] = sum;
    scores[at] = score;
    ends[at] = end;
  }

  /** How many of a sentence have ended. */
  int count(int sentence) {
    return counts[sentence];
  }

  /** Whether as many are kept as are wanted, and the worst of them has at least this score. */
  boolean allReach(int sentence, double score) {
    return kept[sentence] == keep && scores[sentence * keep + keep - 1] >= score;
  }

  /** The hypotheses of a sentence. */
  List<Hypothesis> hypotheses(
      int sentence, int sourceLength, History history, GenerationOptions options) {
    List<Hypothesis> all = new ArrayList<>(kept[sentence]);
    for (int i = sentence * keep; i < sentence * keep + kept[sentence]; i++) {
      End end = ends[i];
      all.add(
          new Hypothesis(
              history.tokens(nodes[i], lengths[i], end == End.END_TOKEN),
              scores[i],
              sums[i],
              options.logProbabilities() ? history.logProbabilities(nodes[i], lengths[i]) : null,
              options.attention() ? history.attention(nodes[i], lengths[i], sourceLength) : null,
              end));
    }
    return all;
  }
}

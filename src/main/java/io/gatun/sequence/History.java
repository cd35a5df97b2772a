package io.gatun.sequence;

import java.util.Arrays;

/**
 * Every token that was chosen in a generation, each with the one before it: a forest, whose roots
 * are the beginnings of sentences. Hypotheses share what they have in common.
 */
final class History {
  private int[] tokens = new int[1024];
  private int[] parents = new int[1024];
  private double[] logProbabilities = new double[1024];
  private float[] attention = {};
  private int attentionWidth;
  private int size;

  /**
   * Forgets everything.
   *
   * @param attentionSize how many weights of attention are kept for each node; 0 for none
   */
  void clear(int attentionSize) {
    size = 0;
    attentionWidth = attentionSize;
  }

  /** Begins a sentence; returns its root. */
  int root() {
    return add(-1, -1, 0);
  }

  /** Adds a token; returns its node. */
  int add(int parent, int token, double logProbability) {
    if (size == tokens.length) {
      tokens = Arrays.copyOf(tokens, size * 2);
      parents = Arrays.copyOf(parents, size * 2);
      logProbabilities = Arrays.copyOf(logProbabilities, size * 2);
    }
    tokens[size] = token;
    parents[size] = parent;
    logProbabilities[size] = logProbability;
    return size++;
  }

  /** The token of a node; −1 for a root. */
  int token(int node) {
    return tokens[node];
  }

  /** The log-probability of a node's token. */
  double logProbability(int node) {
    return logProbabilities[node];
  }

  /** Remembers where the decoder looked when it continued a node. */
  void attend(int node, HostArray weights, long from) {
    int end = Math.multiplyExact(node + 1, attentionWidth);
    if (attention.length < end) {
      attention = Arrays.copyOf(attention, Math.max(end, attention.length * 2));
    }
    for (int i = 0; i < attentionWidth; i++) {
      attention[node * attentionWidth + i] = (float) weights.getReal(from + i);
    }
  }

  /** The tokens up to a node into an array; returns how many. */
  int tokens(int node, int depth, int[] into) {
    int at = depth;
    for (int n = node; at > 0; n = parents[n]) {
      into[--at] = tokens[n];
    }
    return depth;
  }

  /** The tokens up to a node, with or without the last one. */
  int[] tokens(int node, int depth, boolean dropLast) {
    int[] all = new int[dropLast ? depth - 1 : depth];
    tokens(dropLast ? parents[node] : node, all.length, all);
    return all;
  }

  /** The log-probabilities up to a node. */
  double[] logProbabilities(int node, int depth) {
    double[] all = new double[depth];
    for (int n = node, at = depth; at > 0; n = parents[n]) {
      all[--at] = logProbabilities[n];
    }
    return all;
  }

  /** The attention up to a node, {@code [depth, length]}. */
  float[][] attention(int node, int depth, int length) {
    float[][] all = new float[depth][];
    for (int n = parents[node], at = depth; at > 0; n = parents[n]) {
      all[--at] =
          Arrays.copyOfRange(
              attention, n * attentionWidth, n * attentionWidth + Math.min(length, attentionWidth));
    }
    return all;
  }
}

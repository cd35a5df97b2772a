package io.gatun.representation;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * How much of the classes a straight cut through a representation tells (Alain and Bengio 2016):
 * multinomial logistic regression on a part of the data, its accuracy on the part that it has not
 * seen. A representation further on that is cut better is more abstract.
 *
 * <p>Features are standardised by the learning part; the loss is the mean cross-entropy and λ/2 of
 * the squares of the weights; it is convex, and gradient descent with Nesterov's momentum goes down
 * it with a step from the features' own bound of its curvature. The same data give the same figure.
 *
 * @param accuracy share of the held-out examples that are told right
 * @param chance the share of the most frequent class among them
 * @param held how many they are
 * @param learnt how many were learnt from
 * @param classes how many there are
 */
public record LinearProbe(double accuracy, double chance, int held, int learnt, int classes) {
  private static final double LAMBDA = 1e-2;
  private static final int STEPS = 150;
  private static final double HELD_OUT = 0.3;

  /**
   * Learns and measures.
   *
   * @param features a row for each example
   * @param labels the class of each
   * @throws IllegalArgumentException if they are not as many as the rows, there are fewer than two
   *     classes, or no class has two examples
   */
  public static LinearProbe of(float[][] features, List<String> labels) {
    if (features.length != labels.size()) {
      throw new IllegalArgumentException(
          labels.size() + " labels for " + features.length + " examples");
    }
    Map<String, List<Integer>> classes = new TreeMap<>();
    for (int i = 0; i < features.length; i++) {
      classes.computeIfAbsent(labels.get(i), key -> new ArrayList<>()).add(i);
    }
    // A class with one example cannot be learnt and asked for.
    classes.values().removeIf(all -> all.size() < 2);
    if (classes.size() < 2) {
      throw new IllegalArgumentException(
          "there are "
              + classes.size()
              + " classes with two examples or more, expected at least 2");
    }
    List<int[]> learnt = new ArrayList<>();
    List<int[]> held = new ArrayList<>();
    Random random = new Random(1);
    int label = 0;
    int most = 0;
    for (List<Integer> all : classes.values()) {
      Collections.shuffle(all, random);
      int out = Math.max(1, (int) Math.round(all.size() * HELD_OUT));
      most = Math.max(most, out);
      for (int i = 0; i < all.size(); i++) {
        (i < out ? held : learnt).add(new int[] {all.get(i), label});
      }
      label++;
    }
    Fit fit = new Fit(features, learnt, classes.size());
    fit.descend();
    int right = 0;
    for (int[] each : held) {
      right += fit.best(features[each[0]]) == each[1] ? 1 : 0;
    }
    return new LinearProbe(
        (double) right / held.size(),
        (double) most / held.size(),
        held.size(),
        learnt.size(),
        classes.size());
  }

  /** Weights on their way down. */
  private static final class Fit {
    private final int size;
    private final int classes;
    private final float[] mean;
    private final float[] scale;
    private final float[][] rows;
    private final int[] labels;
    private final float[][] weights;

    /** For each feature, its value in every row: what products run along. */
    private final float[][] columns;

    Fit(float[][] features, List<int[]> learnt, int classes) {
      this.size = features[0].length;
      this.classes = classes;
      int count = learnt.size();
      double[] sums = new double[size];
      double[] squares = new double[size];
      for (int[] each : learnt) {
        for (int i = 0; i < size; i++) {
          double x = features[each[0]][i];
          sums[i] += x;
          squares[i] += x * x;
        }
      }
      mean = new float[size];
      scale = new float[size];
      for (int i = 0; i < size; i++) {
        mean[i] = (float) (sums[i] / count);
        double variance = squares[i] / count - (sums[i] / count) * (sums[i] / count);
        scale[i] = variance > 1e-10 ? (float) (1 / Math.sqrt(variance)) : 0;
      }
      rows = new float[count][size];
      columns = new float[size][count];
      labels = new int[count];
      for (int r = 0; r < count; r++) {
        labels[r] = learnt.get(r)[1];
        for (int i = 0; i < size; i++) {
          rows[r][i] = (features[learnt.get(r)[0]][i] - mean[i]) * scale[i];
          columns[i][r] = rows[r][i];
        }
      }
      weights = new float[classes][size + 1];
    }

    /** The largest eigenvalue of XᵀX/n; half of it bounds the curvature of the cross-entropy. */
    private double curvature() {
      double[] direction = new double[size];
      java.util.Arrays.fill(direction, 1);
      double value = 1;
      for (int iteration = 0; iteration < 15; iteration++) {
        double[] next = new double[size];
        for (float[] row : rows) {
          double along = 0;
          for (int i = 0; i < size; i++) {
            along += row[i] * direction[i];
          }
          for (int i = 0; i < size; i++) {
            next[i] += along * row[i];
          }
        }
        double length = 0;
        for (double each : next) {
          length += each * each;
        }
        length = Math.sqrt(length);
        if (length < 1e-30) {
          return 1;
        }
        value = length / rows.length;
        for (int i = 0; i < size; i++) {
          direction[i] = next[i] / length;
        }
      }
      return value;
    }

    void descend() {
      int count = rows.length;
      // Power iteration comes from below, so a little is added.
      double step = 1 / (0.5 * 1.2 * Math.max(1, curvature()) + LAMBDA);
      float[][] before = new float[classes][size + 1];
      float[][] ahead = new float[classes][size + 1];
      float[][] scores = new float[classes][count];
      float[] gradient = new float[size];
      for (int iteration = 0; iteration < STEPS; iteration++) {
        float momentum = (float) iteration / (iteration + 3);
        for (int k = 0; k < classes; k++) {
          for (int i = 0; i <= size; i++) {
            ahead[k][i] = weights[k][i] + momentum * (weights[k][i] - before[k][i]);
          }
          float[] score = scores[k];
          java.util.Arrays.fill(score, ahead[k][size]);
          for (int i = 0; i < size; i++) {
            add(score, ahead[k][i], columns[i]);
          }
        }
        residuals(scores);
        for (int k = 0; k < classes; k++) {
          java.util.Arrays.fill(gradient, 0);
          double bias = 0;
          for (int r = 0; r < count; r++) {
            add(gradient, scores[k][r], rows[r]);
            bias += scores[k][r];
          }
          for (int i = 0; i < size; i++) {
            before[k][i] = weights[k][i];
            weights[k][i] =
                (float) (ahead[k][i] - step * (gradient[i] / count + LAMBDA * ahead[k][i]));
          }
          before[k][size] = weights[k][size];
          weights[k][size] = (float) (ahead[k][size] - step * bias / count);
        }
      }
    }

    /** to += factor · from, in the form that the compiler makes vectors of. */
    private static void add(float[] to, float factor, float[] from) {
      for (int i = 0; i < to.length; i++) {
        to[i] += factor * from[i];
      }
    }

    /** Scores become the softmax less 1 where the class is right. */
    private void residuals(float[][] scores) {
      for (int r = 0; r < rows.length; r++) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int k = 0; k < classes; k++) {
          largest = Math.max(largest, scores[k][r]);
        }
        double sum = 0;
        for (int k = 0; k < classes; k++) {
          scores[k][r] = (float) Math.exp(scores[k][r] - largest);
          sum += scores[k][r];
        }
        for (int k = 0; k < classes; k++) {
          scores[k][r] = (float) (scores[k][r] / sum) - (labels[r] == k ? 1 : 0);
        }
      }
    }

    int best(float[] features) {
      int best = 0;
      double most = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < classes; k++) {
        double score = weights[k][size];
        for (int i = 0; i < size; i++) {
          score += weights[k][i] * (features[i] - mean[i]) * scale[i];
        }
        if (score > most) {
          most = score;
          best = k;
        }
      }
      return best;
    }
  }
}

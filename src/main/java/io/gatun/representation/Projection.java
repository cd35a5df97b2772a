package io.gatun.representation;

import java.util.Random;

/**
 * Principal components (Pearson 1901; Hotelling 1933) of the rows of a matrix: the directions along
 * which they differ most, found by orthogonal iteration, which needs no covariance matrix. Each has
 * the sign that makes its entry of largest magnitude positive, so that the same data give the same
 * picture. Immutable.
 */
public final class Projection {
  private static final int ITERATIONS = 60;

  private final double[][] components;
  private final double[] means;
  private final double[] variances;
  private final double total;

  private Projection(double[][] components, double[] means, double[] variances, double total) {
    this.components = components;
    this.means = means;
    this.variances = variances;
    this.total = total;
  }

  /**
   * Finds the first components.
   *
   * @param rows at least one, all of the same length; not changed
   * @param count how many, at most the length of a row
   */
  public static Projection of(float[][] rows, int count) {
    int size = rows[0].length;
    int found = Math.min(count, size);
    double[] means = new double[size];
    for (float[] row : rows) {
      if (row.length != size) {
        throw new IllegalArgumentException(
            "a row of " + row.length + " numbers among rows of " + size);
      }
      for (int i = 0; i < size; i++) {
        means[i] += row[i];
      }
    }
    for (int i = 0; i < size; i++) {
      means[i] /= rows.length;
    }
    float[][] centred = new float[rows.length][size];
    double total = 0;
    for (int r = 0; r < rows.length; r++) {
      for (int i = 0; i < size; i++) {
        centred[r][i] = (float) (rows[r][i] - means[i]);
        total += (double) centred[r][i] * centred[r][i];
      }
    }
    Random random = new Random(1);
    double[][] basis = new double[found][size];
    for (double[] each : basis) {
      for (int i = 0; i < size; i++) {
        each[i] = random.nextGaussian();
      }
    }
    orthogonal(basis);
    double[] variances = new double[found];
    for (int iteration = 0; iteration < ITERATIONS; iteration++) {
      double[][] next = new double[found][size];
      for (float[] row : centred) {
        for (int c = 0; c < found; c++) {
          double along = dot(row, basis[c]);
          double[] to = next[c];
          for (int i = 0; i < size; i++) {
            to[i] += along * row[i];
          }
        }
      }
      basis = next;
      orthogonal(basis);
    }
    for (int c = 0; c < found; c++) {
      for (float[] row : centred) {
        double along = dot(row, basis[c]);
        variances[c] += along * along / rows.length;
      }
      sign(basis[c]);
    }
    return new Projection(basis, means, variances, total / rows.length);
  }

  private static double dot(float[] row, double[] direction) {
    double sum = 0;
    for (int i = 0; i < direction.length; i++) {
      sum += row[i] * direction[i];
    }
    return sum;
  }

  /** Gram and Schmidt, twice, because once loses what little is left of nearly dependent ones. */
  private static void orthogonal(double[][] basis) {
    for (int c = 0; c < basis.length; c++) {
      for (int again = 0; again < 2; again++) {
        for (int before = 0; before < c; before++) {
          double along = 0;
          for (int i = 0; i < basis[c].length; i++) {
            along += basis[c][i] * basis[before][i];
          }
          for (int i = 0; i < basis[c].length; i++) {
            basis[c][i] -= along * basis[before][i];
          }
        }
      }
      double length = 0;
      for (double each : basis[c]) {
        length += each * each;
      }
      length = Math.sqrt(length);
      for (int i = 0; i < basis[c].length; i++) {
        basis[c][i] = length > 1e-150 ? basis[c][i] / length : 0;
      }
    }
  }

  private static void sign(double[] component) {
    double most = 0;
    for (double each : component) {
      most = Math.abs(each) > Math.abs(most) ? each : most;
    }
    if (most < 0) {
      for (int i = 0; i < component.length; i++) {
        component[i] = -component[i];
      }
    }
  }

  /** How many components there are. */
  public int count() {
    return components.length;
  }

  /** The share of all variance that lies along a component, 0 to 1. */
  public double explained(int component) {
    return total > 0 ? variances[component] / total : 0;
  }

  /** The direction of a component, of length 1. */
  public double[] component(int component) {
    return components[component].clone();
  }

  /** Where a row lies along the components. */
  public float[] apply(float[] row) {
    float[] at = new float[components.length];
    for (int c = 0; c < at.length; c++) {
      double sum = 0;
      for (int i = 0; i < means.length; i++) {
        sum += (row[i] - means[i]) * components[c][i];
      }
      at[c] = (float) sum;
    }
    return at;
  }
}

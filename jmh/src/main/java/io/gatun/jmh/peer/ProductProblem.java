package io.gatun.jmh.peer;

import java.util.Random;

/**
 * {@code C = A·B} with a B that stays the same and may be packed beforehand.
 *
 * @param rows rows of A and C
 * @param inner columns of A, rows of B
 * @param columns columns of B and C
 * @param a {@code [rows, inner]}
 * @param b {@code [inner, columns]}
 */
public record ProductProblem(int rows, int inner, int columns, float[] a, float[] b) {
  private static final long SEED = 42;

  /** Normally distributed numbers, always the same. */
  public static ProductProblem random(int rows, int inner, int columns) {
    Random random = new Random(SEED);
    float[] a = new float[rows * inner];
    float[] b = new float[inner * columns];
    for (int i = 0; i < a.length; i++) {
      a[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = (float) (random.nextGaussian() / Math.sqrt(inner));
    }
    return new ProductProblem(rows, inner, columns, a, b);
  }

  /** Floating-point operations of one product. */
  public double operations() {
    return 2.0 * rows * inner * columns;
  }

  @Override
  public String toString() {
    return "product " + rows + " × " + inner + " × " + columns;
  }
}

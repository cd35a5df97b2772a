package io.gatun.kernel.scalar;

/** The gradients of layer normalisation of one row, in float64. */
final class LayerNormDerivative {
  private LayerNormDerivative() {}

  /**
   * With x̂ the normalised row, r = 1/√(variance + epsilon) and g = dy ∘ scale: {@code dx = r (g −
   * mean(g) − x̂ mean(g∘x̂))}; adds {@code dy∘x̂} and {@code dy} to the gradients of scale and
   * shift.
   *
   * @param x the row before normalisation, from {@code from} on; overwritten by x̂
   * @param dy the gradient of the scaled and shifted row; overwritten by that of the row
   * @param scale and its gradients begin at {@code scaleFrom}
   */
  static void apply(
      double[] x,
      double[] dy,
      int from,
      int count,
      double[] scale,
      int scaleFrom,
      double epsilon,
      double[] toScale,
      double[] toShift) {
    double mean = 0;
    for (int j = from; j < from + count; j++) {
      mean += x[j];
    }
    mean /= count;
    double variance = 0;
    for (int j = from; j < from + count; j++) {
      variance += (x[j] - mean) * (x[j] - mean);
    }
    double factor = 1 / Math.sqrt(variance / count + epsilon);
    double sum = 0;
    double product = 0;
    for (int j = 0; j < count; j++) {
      int at = from + j;
      x[at] = (x[at] - mean) * factor;
      toScale[scaleFrom + j] += dy[at] * x[at];
      toShift[scaleFrom + j] += dy[at];
      dy[at] *= scale[scaleFrom + j];
      sum += dy[at];
      product += dy[at] * x[at];
    }
    for (int j = from; j < from + count; j++) {
      dy[j] = factor * (dy[j] - sum / count - x[j] * product / count);
    }
  }
}

package io.gatun.kernel.scalar;

import io.gatun.kernel.OptimiserStep;

/** The equations of {@link OptimiserStep} in float64. */
final class ScalarOptimiser {
  private ScalarOptimiser() {}

  static void step(OptimiserStep step, double[] w, double[] g, double[] m, double[] v, int count) {
    switch (step.rule()) {
      case SGD -> sgd(step, w, g, m, count);
      case ADAM -> adam(step, w, g, m, v, count, step.decay(), 0);
      case ADAMW -> adam(step, w, g, m, v, count, 0, step.decay());
    }
  }

  private static void sgd(OptimiserStep step, double[] w, double[] g, double[] u, int count) {
    double momentum = step.first();
    for (int i = 0; i < count; i++) {
      double d = step.gradientScale() * g[i] + step.decay() * w[i];
      if (momentum != 0) {
        u[i] = momentum * u[i] + d;
        d = step.nesterov() ? d + momentum * u[i] : u[i];
      }
      w[i] -= step.rate() * d;
    }
  }

  private static void adam(
      OptimiserStep step,
      double[] w,
      double[] g,
      double[] m,
      double[] v,
      int count,
      double coupled,
      double decoupled) {
    double first = step.first();
    double second = step.second();
    for (int i = 0; i < count; i++) {
      double d = step.gradientScale() * g[i] + coupled * w[i];
      m[i] = first * m[i] + (1 - first) * d;
      v[i] = second * v[i] + (1 - second) * d * d;
      double change =
          m[i]
              / step.firstCorrection()
              / (Math.sqrt(v[i] / step.secondCorrection()) + step.epsilon());
      w[i] -= step.rate() * decoupled * w[i] + step.rate() * change;
    }
  }
}

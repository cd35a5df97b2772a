package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;

/**
 * Derivatives of the activations in float64, from the function's output where {@link
 * Activation#differentiatesFromOutput()} and else from its input.
 */
final class ActivationDerivatives {
  private static final double SQRT_HALF = 0.70710678118654752440;
  private static final double ONE_OVER_SQRT_TWO_PI = 0.39894228040143267794;

  private ActivationDerivatives() {}

  /** {@code gradient = gradient · activation'(·)}, from inputs or outputs as the kind wants. */
  static void multiply(Activation activation, double[] value, double[] gradient, int count) {
    for (int i = 0; i < count; i++) {
      gradient[i] *= of(activation, value[i]);
    }
  }

  /** The derivative from the function's input and output, whichever the kind is formed from. */
  static double of(Activation activation, double input, double output) {
    return of(activation, activation.differentiatesFromOutput() ? output : input);
  }

  /** The derivative; {@code v} is the output or the input. */
  static double of(Activation activation, double v) {
    double alpha = activation.alpha();
    double beta = activation.beta();
    return switch (activation.kind()) {
      case IDENTITY -> 1;
      case RELU -> v > 0 ? 1 : 0;
      case TANH -> 1 - v * v;
      case SIGMOID -> v * (1 - v);
      case EXPONENTIAL -> v;
      case HARD_SIGMOID -> {
        double y = alpha * v + beta;
        yield y > 0 && y < 1 ? alpha : 0;
      }
      case LEAKY_RELU -> v > 0 ? 1 : alpha;
      case THRESHOLDED_RELU -> v > alpha ? 1 : 0;
      case SCALED_TANH -> {
        double y = StrictMath.tanh(beta * v);
        yield alpha * beta * (1 - y * y);
      }
      case ELU -> v > 0 ? 1 : alpha * StrictMath.exp(v);
      case SELU -> v > 0 ? beta : beta * alpha * StrictMath.exp(v);
      case SOFTSIGN -> {
        double y = 1 + Math.abs(v);
        yield 1 / (y * y);
      }
      case SOFTPLUS -> ScalarActivations.sigmoid(v);
      case AFFINE -> alpha;
      case GELU ->
          ScalarActivations.erfc(-v * SQRT_HALF) / 2
              + v * ONE_OVER_SQRT_TWO_PI * StrictMath.exp(-v * v / 2);
      case SWISH -> {
        double y = ScalarActivations.sigmoid(alpha * v);
        yield y * (1 + alpha * v * (1 - y));
      }
    };
  }
}

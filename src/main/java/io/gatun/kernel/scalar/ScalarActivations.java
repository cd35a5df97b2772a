package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.UnaryOperation;

/**
 * The activations in float64, as the ONNX operators define them.
 *
 * <p>Everything is {@link StrictMath}: its functions are the fdlibm algorithms, within 1 ULP (tanh:
 * 2.5) and the same bits on every platform, which is what one wants of a reference.
 */
final class ScalarActivations {
  private static final double SQRT_HALF = 0.70710678118654752440;
  private static final double TWO_OVER_SQRT_PI = 1.12837916709551257390;

  private ScalarActivations() {}

  /** Applies an activation to {@code count} values in place. */
  static void apply(Activation activation, double[] x, int from, int count) {
    int to = from + count;
    double alpha = activation.alpha();
    double beta = activation.beta();
    switch (activation.kind()) {
      case IDENTITY -> {}
      case RELU -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.max(0, x[i]);
        }
      }
      case TANH -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.tanh(x[i]);
        }
      }
      case SIGMOID -> {
        for (int i = from; i < to; i++) {
          x[i] = sigmoid(x[i]);
        }
      }
      case HARD_SIGMOID -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.max(0, Math.min(1, alpha * x[i] + beta));
        }
      }
      case LEAKY_RELU -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] >= 0 ? x[i] : alpha * x[i];
        }
      }
      case THRESHOLDED_RELU -> {
        for (int i = from; i < to; i++) {
          // This way round a NaN stays one.
          x[i] = x[i] <= alpha ? 0 : x[i];
        }
      }
      case SCALED_TANH -> {
        for (int i = from; i < to; i++) {
          x[i] = alpha * StrictMath.tanh(beta * x[i]);
        }
      }
      case ELU -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] >= 0 ? x[i] : alpha * StrictMath.expm1(x[i]);
        }
      }
      case SELU -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] > 0 ? beta * x[i] : beta * (alpha * StrictMath.expm1(x[i]));
        }
      }
      case SOFTSIGN -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] / (1 + Math.abs(x[i]));
        }
      }
      case SOFTPLUS -> {
        for (int i = from; i < to; i++) {
          // ln(1 + e^x) without overflow: the larger of x and 0 is taken out of the logarithm.
          x[i] = Math.max(x[i], 0) + StrictMath.log1p(StrictMath.exp(-Math.abs(x[i])));
        }
      }
      case AFFINE -> {
        for (int i = from; i < to; i++) {
          x[i] = alpha * x[i] + beta;
        }
      }
      case GELU -> {
        for (int i = from; i < to; i++) {
          // 1 + erf(x) = erfc(-x), which keeps its digits where erf is near -1.
          x[i] = x[i] / 2 * erfc(-x[i] * SQRT_HALF);
        }
      }
      case SWISH -> {
        for (int i = from; i < to; i++) {
          x[i] = x[i] * sigmoid(alpha * x[i]);
        }
      }
      case EXPONENTIAL -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.exp(x[i]);
        }
      }
    }
  }

  /** Applies a function to {@code count} values in place. */
  static void apply(UnaryOperation operation, double[] x, int from, int count) {
    int to = from + count;
    switch (operation) {
      case NEGATE -> {
        for (int i = from; i < to; i++) {
          x[i] = -x[i];
        }
      }
      case ABSOLUTE -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.abs(x[i]);
        }
      }
      case LOGARITHM -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.log(x[i]);
        }
      }
      case SQUARE_ROOT -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.sqrt(x[i]);
        }
      }
      case RECIPROCAL -> {
        for (int i = from; i < to; i++) {
          x[i] = 1 / x[i];
        }
      }
      case FLOOR -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.floor(x[i]);
        }
      }
      case CEILING -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.ceil(x[i]);
        }
      }
      case ROUND -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.rint(x[i]);
        }
      }
      case SIGN -> {
        for (int i = from; i < to; i++) {
          x[i] = Math.signum(x[i]);
        }
      }
      case ERROR_FUNCTION -> {
        for (int i = from; i < to; i++) {
          x[i] = erf(x[i]);
        }
      }
      case SINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.sin(x[i]);
        }
      }
      case COSINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.cos(x[i]);
        }
      }
      case TANGENT -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.tan(x[i]);
        }
      }
      case ARC_SINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.asin(x[i]);
        }
      }
      case ARC_COSINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.acos(x[i]);
        }
      }
      case ARC_TANGENT -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.atan(x[i]);
        }
      }
      case HYPERBOLIC_SINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.sinh(x[i]);
        }
      }
      case HYPERBOLIC_COSINE -> {
        for (int i = from; i < to; i++) {
          x[i] = StrictMath.cosh(x[i]);
        }
      }
      case AREA_SINE -> {
        for (int i = from; i < to; i++) {
          x[i] = areaSine(x[i]);
        }
      }
      case AREA_COSINE -> {
        for (int i = from; i < to; i++) {
          x[i] = areaCosine(x[i]);
        }
      }
      case AREA_TANGENT -> {
        for (int i = from; i < to; i++) {
          x[i] = (StrictMath.log1p(x[i]) - StrictMath.log1p(-x[i])) / 2;
        }
      }
    }
  }

  /** 1 / (1 + e^-x); the exponential is only taken of negative numbers, so nothing overflows. */
  static double sigmoid(double x) {
    if (x >= 0) {
      return 1 / (1 + StrictMath.exp(-x));
    }
    double e = StrictMath.exp(x);
    return e / (1 + e);
  }

  /** The error function; from its series where 1 − erfc(x) would lose digits. */
  private static double erf(double x) {
    return Math.abs(x) < 2 ? Math.signum(x) * TWO_OVER_SQRT_PI * series(Math.abs(x)) : 1 - erfc(x);
  }

  private static double areaSine(double x) {
    double a = Math.abs(x);
    // ln(a + √(a² + 1)), written so that neither small nor large numbers lose their digits.
    double y =
        a > 1e8
            ? StrictMath.log(a) + StrictMath.log(2)
            : StrictMath.log1p(a + a * a / (1 + Math.sqrt(a * a + 1)));
    return x < 0 ? -y : x == 0 ? x : y;
  }

  private static double areaCosine(double x) {
    double d = x - 1;
    return x > 1e8
        ? StrictMath.log(x) + StrictMath.log(2)
        : StrictMath.log1p(d + Math.sqrt(d * (x + 1)));
  }

  /**
   * The complementary error function, 1 − erf(x), with a relative error below 1e-13 as long as the
   * result is a normal number.
   *
   * <p>Below 2 from the series erf(x) = 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)), whose terms
   * all have one sign; from 2 on from the continued fraction √π e^(x²) erfc(x) = 1/(x+ ½/(x+ 1/(x+
   * 3⁄2/(x+ …)))) (Abramowitz and Stegun 7.1.6 and 7.1.14).
   */
  static double erfc(double x) {
    if (x < 0) {
      return 2 - erfc(-x);
    }
    if (x > 28) {
      return 0;
    }
    if (x >= 2) {
      double fraction = x;
      for (int n = 100; n > 0; n--) {
        fraction = x + n / 2.0 / fraction;
      }
      return TWO_OVER_SQRT_PI / 2 * expMinusSquare(x) / fraction;
    }
    return 1 - TWO_OVER_SQRT_PI * series(x);
  }

  /** √π/2 erf(x) for x from 0 to 2. */
  private static double series(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; term > sum * 1e-17; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return StrictMath.exp(-x * x) * sum;
  }

  /** e^(−x²); the rounding error of x² is put back, as it would grow with x² in the result. */
  private static double expMinusSquare(double x) {
    double high = (float) x;
    double low = x - high;
    // high² is exact, 24 bits squared.
    return StrictMath.exp(-high * high) * StrictMath.exp(-low * (x + high));
  }
}

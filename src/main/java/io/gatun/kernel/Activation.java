package io.gatun.kernel;

import java.util.Locale;

/**
 * A function applied to every element, with the parameters the ONNX operator of the same name has.
 *
 * @param kind the function
 * @param alpha its first parameter, where it has one
 * @param beta its second parameter, where it has one
 */
public record Activation(Kind kind, float alpha, float beta) {

  /** The functions. {@code alpha} and {@code beta} default to ONNX' values. */
  public enum Kind {
    /** x. */
    IDENTITY(0, 0),
    /** max(0, x). */
    RELU(0, 0),
    /** tanh(x). */
    TANH(0, 0),
    /** 1 / (1 + e^-x). */
    SIGMOID(0, 0),
    /** max(0, min(1, alpha x + beta)): ONNX' default is 0.2 x + 0.5, Keras 3's is x / 6 + 0.5. */
    HARD_SIGMOID(0.2f, 0.5f),
    /** x for x >= 0, alpha x below. */
    LEAKY_RELU(0.01f, 0),
    /** x for x > alpha, 0 otherwise. */
    THRESHOLDED_RELU(1, 0),
    /** alpha tanh(beta x). */
    SCALED_TANH(1, 1),
    /** x for x >= 0, alpha (e^x - 1) below. */
    ELU(1, 0),
    /** beta x for x > 0, beta alpha (e^x - 1) otherwise: alpha 1.6733, beta (gamma) 1.0507. */
    SELU(1.67326319217681884765625f, 1.05070102214813232421875f),
    /** x / (1 + |x|). */
    SOFTSIGN(0, 0),
    /** ln(1 + e^x). */
    SOFTPLUS(0, 0),
    /** alpha x + beta. */
    AFFINE(1, 0),
    /** x / 2 (1 + erf(x / sqrt 2)). */
    GELU(0, 0),
    /** x sigmoid(alpha x). */
    SWISH(1, 0),
    /** e^x. */
    EXPONENTIAL(0, 0);

    private final float alpha;
    private final float beta;

    Kind(float alpha, float beta) {
      this.alpha = alpha;
      this.beta = beta;
    }
  }

  /** x. */
  public static final Activation IDENTITY = of(Kind.IDENTITY);

  /** max(0, x). */
  public static final Activation RELU = of(Kind.RELU);

  /** tanh(x). */
  public static final Activation TANH = of(Kind.TANH);

  /** 1 / (1 + e^-x). */
  public static final Activation SIGMOID = of(Kind.SIGMOID);

  /** {@code hard_sigmoid} as ONNX and Keras 1 and 2 define it: max(0, min(1, 0.2 x + 0.5)). */
  public static final Activation HARD_SIGMOID = of(Kind.HARD_SIGMOID);

  /** {@code hard_sigmoid} as Keras 3 and PyTorch define it: max(0, min(1, x / 6 + 0.5)). */
  public static final Activation HARD_SIGMOID_SIXTH =
      new Activation(Kind.HARD_SIGMOID, 1f / 6f, 0.5f);

  /** The function with its default parameters. */
  public static Activation of(Kind kind) {
    return new Activation(kind, kind.alpha, kind.beta);
  }

  /**
   * The function of a name as ONNX ({@code HardSigmoid}), Keras ({@code hard_sigmoid}) or PyTorch
   * ({@code relu}) write it, upper and lower case and underscores ignored; {@code linear} and
   * {@code none} are {@link #IDENTITY}, {@code silu} is swish. With default parameters, so {@code
   * hard_sigmoid} is {@link #HARD_SIGMOID}.
   *
   * @throws IllegalArgumentException for a name that is none of them, listing them
   */
  public static Activation of(String name) {
    String plain = name.toLowerCase(Locale.ROOT).replace("_", "");
    if (plain.equals("linear") || plain.equals("none")) {
      return IDENTITY;
    }
    if (plain.equals("silu")) {
      return of(Kind.SWISH);
    }
    StringBuilder known = new StringBuilder();
    for (Kind kind : Kind.values()) {
      String label = kind.name().toLowerCase(Locale.ROOT);
      if (label.replace("_", "").equals(plain)) {
        return of(kind);
      }
      known.append(known.isEmpty() ? "" : ", ").append(label);
    }
    throw new IllegalArgumentException("no activation is called " + name + "; there are " + known);
  }

  /**
   * Whether the derivative is formed from what the function gave rather than from what it was
   * given: true of identity, relu, tanh, sigmoid and the exponential.
   */
  public boolean differentiatesFromOutput() {
    return switch (kind) {
      case IDENTITY, RELU, TANH, SIGMOID, EXPONENTIAL -> true;
      default -> false;
    };
  }

  /** As that of any record, without what the JVM prepares before the first comparison of one. */
  @Override
  public boolean equals(Object other) {
    return this == other
        || (other instanceof Activation that
            && kind == that.kind
            && Float.compare(alpha, that.alpha) == 0
            && Float.compare(beta, that.beta) == 0);
  }

  @Override
  public int hashCode() {
    return (kind.hashCode() * 31 + Float.hashCode(alpha)) * 31 + Float.hashCode(beta);
  }

  @Override
  public String toString() {
    String label = kind.name().toLowerCase(Locale.ROOT);
    return alpha == kind.alpha && beta == kind.beta
        ? label
        : label + "(" + alpha + ", " + beta + ")";
  }
}

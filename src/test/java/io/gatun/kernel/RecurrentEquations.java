package io.gatun.kernel;

import java.util.function.IntToDoubleFunction;

/**
 * One step of a recurrent layer, unit by unit, written from the equations of {@link RecurrentSpec}
 * and of the ONNX operators with no thought of speed: the independent computation that the
 * reference is compared with.
 *
 * <p>All weights as ONNX writes them: {@code w[gate][unit][k]}.
 */
final class RecurrentEquations {
  final RecurrentSpec spec;
  double[][][] w;
  double[][][] r;
  double[][] wb;
  double[][] rb;

  /** i, o, f; or {@code null}. */
  double[][] p;

  /** {@code [projection][hidden]}; or {@code null}. */
  double[][] projection;

  /** Scale and shift of input, recurrent product {@code [gate × hidden]}, cell {@code [hidden]}. */
  double[][] normalisation;

  double[] h;
  double[] c;

  RecurrentEquations(RecurrentSpec spec) {
    this.spec = spec;
  }

  /** Moves {@code h} and {@code c} on by one step. */
  void step(double[] x) {
    int hidden = spec.hiddenSize();
    double[][] xw = product(w, x);
    double[][] hr = product(r, h);
    boolean before = spec.cell() == RecurrentSpec.Cell.GRU && !spec.resetAfter();
    if (spec.layerNormalised()) {
      normalise(xw, spec.gates(), normalisation[0], normalisation[1]);
      normalise(hr, before ? 2 : spec.gates(), normalisation[2], normalisation[3]);
    }
    double[] next = new double[hidden];
    switch (spec.cell()) {
      case RNN -> {
        for (int j = 0; j < hidden; j++) {
          next[j] = f(0, xw[0][j] + wb[0][j] + hr[0][j] + rb[0][j]);
        }
        h = next;
      }
      case GRU -> {
        double[] z = new double[hidden];
        double[] reset = new double[hidden];
        for (int j = 0; j < hidden; j++) {
          z[j] = f(0, xw[0][j] + wb[0][j] + hr[0][j] + rb[0][j]);
          reset[j] = f(0, xw[1][j] + wb[1][j] + hr[1][j] + rb[1][j]);
        }
        if (before) {
          double[] kept = new double[hidden];
          for (int j = 0; j < hidden; j++) {
            kept[j] = reset[j] * h[j];
          }
          hr[2] = product(new double[][][] {r[2]}, kept)[0];
          if (spec.layerNormalised()) {
            double[][] alone = {hr[2]};
            int from = 2 * hidden;
            normalise(
                alone,
                1,
                java.util.Arrays.copyOfRange(normalisation[2], from, from + hidden),
                java.util.Arrays.copyOfRange(normalisation[3], from, from + hidden));
          }
        }
        for (int j = 0; j < hidden; j++) {
          double fromState = hr[2][j] + rb[2][j];
          double n = f(1, xw[2][j] + wb[2][j] + (before ? fromState : reset[j] * fromState));
          next[j] = (1 - z[j]) * n + z[j] * h[j];
        }
        h = next;
      }
      case LSTM -> {
        double[] out = new double[hidden];
        double[] cell = new double[hidden];
        for (int j = 0; j < hidden; j++) {
          double i = f(0, gate(0, xw, hr, j) + peep(0, c[j], j));
          double forget = spec.coupled() ? 1 - i : f(0, gate(2, xw, hr, j) + peep(2, c[j], j));
          cell[j] = forget * c[j] + i * f(1, gate(3, xw, hr, j));
          out[j] = f(0, gate(1, xw, hr, j) + peep(1, cell[j], j));
        }
        c = cell;
        double[][] shown = {cell.clone()};
        if (spec.layerNormalised()) {
          normalise(shown, 1, normalisation[4], normalisation[5]);
        }
        for (int j = 0; j < hidden; j++) {
          next[j] = out[j] * plain(spec.activations().get(2), shown[0][j]);
        }
        h = projection == null ? next : product(new double[][][] {projection}, next)[0];
      }
    }
  }

  private double gate(int gate, double[][] xw, double[][] hr, int unit) {
    return xw[gate][unit] + wb[gate][unit] + hr[gate][unit] + rb[gate][unit];
  }

  private double peep(int which, double cell, int unit) {
    return p == null ? 0 : p[which][unit] * cell;
  }

  /** The gate's activation of a clipped argument. */
  private double f(int which, double x) {
    double clip = spec.clip() == 0 ? Double.POSITIVE_INFINITY : spec.clip();
    double clipped = x > clip ? clip : x < -clip ? -clip : x;
    return plain(spec.activations().get(which), clipped);
  }

  private static double plain(Activation activation, double x) {
    double alpha = activation.alpha();
    double beta = activation.beta();
    return switch (activation.kind()) {
      case IDENTITY -> x;
      case RELU -> Math.max(x, 0);
      case TANH -> Math.tanh(x);
      case SIGMOID -> 1 / (1 + Math.exp(-x));
      case HARD_SIGMOID -> Math.max(0, Math.min(1, alpha * x + beta));
      case SCALED_TANH -> alpha * Math.tanh(beta * x);
      case ELU -> x < 0 ? alpha * (Math.exp(x) - 1) : x;
      case SOFTSIGN -> x / (1 + Math.abs(x));
      default -> throw new IllegalArgumentException(activation + " is not among the test's");
    };
  }

  private static double[][] product(double[][][] matrix, double[] vector) {
    double[][] result = new double[matrix.length][];
    for (int gate = 0; gate < matrix.length; gate++) {
      result[gate] = new double[matrix[gate].length];
      for (int unit = 0; unit < matrix[gate].length; unit++) {
        for (int k = vector.length - 1; k >= 0; k--) {
          result[gate][unit] += matrix[gate][unit][k] * vector[k];
        }
      }
    }
    return result;
  }

  private void normalise(double[][] gates, int count, double[] scale, double[] shift) {
    int hidden = gates[0].length;
    double elements = (double) count * hidden;
    double mean = sum(count, hidden, i -> gates[i / hidden][i % hidden]) / elements;
    double variance =
        sum(count, hidden, i -> Math.pow(gates[i / hidden][i % hidden] - mean, 2)) / elements;
    for (int i = 0; i < count * hidden; i++) {
      double centred = gates[i / hidden][i % hidden] - mean;
      gates[i / hidden][i % hidden] =
          scale[i] * centred / Math.sqrt(variance + spec.layerNormEpsilon()) + shift[i];
    }
  }

  private static double sum(int count, int hidden, IntToDoubleFunction term) {
    double sum = 0;
    for (int i = 0; i < count * hidden; i++) {
      sum += term.applyAsDouble(i);
    }
    return sum;
  }
}

package io.gatun.kernel;

import java.util.List;

/**
 * What one direction of one recurrent layer computes. The equations are those of the ONNX operators
 * RNN, GRU and LSTM; {@code f}, {@code g} and {@code h} below are {@code activations}, {@code ∘} is
 * the elementwise product, {@code x} the input and {@code h'} the hidden state before a time step.
 *
 * <pre>
 * RNN   h = f(x·W + b + h'·R + r)
 *
 * GRU   z = f(x·Wz + bz + h'·Rz + rz)
 *       r = f(x·Wr + br + h'·Rr + rr)
 *       n = g(x·Wn + bn + (r ∘ h')·Rn + rn)      reset before the product (Cho et al. 2014)
 *       n = g(x·Wn + bn + r ∘ (h'·Rn + rn))      reset after it (cuDNN, PyTorch)
 *       h = (1 − z) ∘ n + z ∘ h'
 *
 * LSTM  i = f(x·Wi + bi + h'·Ri + ri + pi ∘ c')
 *       f = f(x·Wf + bf + h'·Rf + rf + pf ∘ c')  1 − i where input and forget gate are coupled
 *       c = f ∘ c' + i ∘ g(x·Wc + bc + h'·Rc + rc)
 *       o = f(x·Wo + bo + h'·Ro + ro + po ∘ c)
 *       h = o ∘ h(c), and h·P with a projection (Sak et al. 2014)
 * </pre>
 *
 * <p>With layer normalisation (Ba et al. 2016), {@code x·W} over all gates together, {@code h'·R}
 * over all gates together, and {@code c} inside {@code h(c)} are each normalised to mean 0 and
 * variance 1 over their elements, scaled and shifted, before anything is added. A GRU with the
 * reset before the product has two recurrent products: {@code h'·R} of z and r together, and {@code
 * (r ∘ h')·Rn}, each normalised by itself.
 *
 * @param cell which of the three
 * @param inputSize size of x
 * @param hiddenSize size of the gates, and of the cell state
 * @param projectionSize size of the hidden state after projection; 0 without one
 * @param activations RNN: f; GRU: f, g; LSTM: f, g, h
 * @param clip bound of the gates' arguments, ± clip; 0 for none
 * @param resetAfter GRU: the reset gate is applied after the product
 * @param coupled LSTM: the forget gate is 1 − input gate
 * @param layerNormEpsilon added to variances; 0 without layer normalisation
 */
public record RecurrentSpec(
    Cell cell,
    int inputSize,
    int hiddenSize,
    int projectionSize,
    List<Activation> activations,
    float clip,
    boolean resetAfter,
    boolean coupled,
    float layerNormEpsilon) {

  /** The kinds of recurrent layer, with the number and order of their gates in memory. */
  public enum Cell {
    /** One gate. */
    RNN(1, List.of(Activation.TANH)),
    /** Update z, reset r, candidate n. */
    GRU(3, List.of(Activation.SIGMOID, Activation.TANH)),
    /** Input i, output o, forget f, candidate c. */
    LSTM(4, List.of(Activation.SIGMOID, Activation.TANH, Activation.TANH));

    private final int gates;
    private final List<Activation> activations;

    Cell(int gates, List<Activation> activations) {
      this.gates = gates;
      this.activations = activations;
    }

    /** The number of gates. */
    public int gates() {
      return gates;
    }

    /** The activations where none are given. */
    public List<Activation> defaultActivations() {
      return activations;
    }
  }

  /** Checks sizes and the number of activations. */
  public RecurrentSpec {
    activations = List.copyOf(activations);
    if (inputSize < 0 || hiddenSize < 1 || projectionSize < 0) {
      throw new IllegalArgumentException(
          cell
              + ": input size "
              + inputSize
              + ", hidden size "
              + hiddenSize
              + ", projection size "
              + projectionSize);
    }
    if (activations.size() != cell.activations.size()) {
      throw new IllegalArgumentException(
          cell + ": " + activations.size() + " activations, expected " + cell.activations.size());
    }
    if (!(clip >= 0) || !(layerNormEpsilon >= 0)) {
      throw new IllegalArgumentException(
          cell + ": clip " + clip + " and epsilon " + layerNormEpsilon + " must not be negative");
    }
    if (cell != Cell.LSTM && (projectionSize != 0 || coupled)) {
      throw new IllegalArgumentException(cell + " has no projection and no coupled gates");
    }
  }

  /**
   * The common case: default activations, nothing special; GRU with the reset after the product.
   */
  public static RecurrentSpec of(Cell cell, int inputSize, int hiddenSize) {
    return new RecurrentSpec(
        cell, inputSize, hiddenSize, 0, cell.activations, 0, cell == Cell.GRU, false, 0);
  }

  /** The number of gates. */
  public int gates() {
    return cell.gates;
  }

  /** The size of the hidden state, and of each output: the projection's where there is one. */
  public int stateSize() {
    return projectionSize > 0 ? projectionSize : hiddenSize;
  }

  /** Whether the layer normalises. */
  public boolean layerNormalised() {
    return layerNormEpsilon > 0;
  }
}

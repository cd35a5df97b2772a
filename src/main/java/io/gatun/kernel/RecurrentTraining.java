package io.gatun.kernel;

/**
 * The operands of one direction of a recurrent layer in training: forward with weights that change
 * from step to step, and backward through time. Made once and filled in again before a run where
 * something changed. The equations are those of {@link RecurrentSpec}; gates are in the order of
 * {@link RecurrentSpec.Cell}.
 *
 * <p>The gradients are exact within the time steps of {@link #call}: with the final state of one
 * stretch of time as the initial state of the next, back-propagation is truncated where a stretch
 * begins; with {@link #finalHiddenGradient} and {@link #initialHiddenGradient} handed from the next
 * stretch to this one it is not.
 */
public final class RecurrentTraining {
  /** What kind of layer it is. */
  public final RecurrentSpec spec;

  /**
   * Input, lengths, states and output, as for a run without training. Forward as well as backward
   * want the {@linkplain RecurrentCall#output output}: backward reads it.
   */
  public final RecurrentCall call = new RecurrentCall();

  /** {@code [gates × hidden, input]}. */
  public Region inputWeights;

  /** {@code [gates × hidden, state]}. */
  public Region recurrentWeights;

  /** {@code [2 × gates × hidden]}, input biases first; {@code null} for none. */
  public Region bias;

  /** LSTM: {@code [3 × hidden]} for i, o, f; {@code null} for none. */
  public Region peepholes;

  /** LSTM: {@code [projection, hidden]}; {@code null} without one. */
  public Region projection;

  /** As {@link RecurrentWeights#normalisation()}; empty without. */
  public Region[] normalisation = {};

  /**
   * {@code [batch, state]}, or {@code null}: what the hidden state is multiplied by, element by
   * element, where it enters the recurrent products (recurrent dropout with one mask for all time
   * steps of a sequence, Gal and Ghahramani 2016). A GRU's {@code z ∘ h'} is not masked.
   */
  public Region hiddenMask;

  /**
   * Written by forward, read and written over by backward: {@code time × batch × } {@link
   * #keptSize} reals in an order of the device's own.
   */
  public Region kept;

  /** {@code [time, batch, state]} through the output's strides; {@code null} for zeros. */
  public Region outputGradient;

  /** {@code [batch, state]}; {@code null} for zeros. */
  public Region finalHiddenGradient;

  /** LSTM: {@code [batch, hidden]}; {@code null} for zeros. */
  public Region finalCellGradient;

  /** {@code [time, batch, input]} through the input's strides; {@code null} if not wanted. */
  public Region inputGradient;

  /** Whether the input's gradient is added to what is there: for the second of two directions. */
  public boolean addToInputGradient;

  /** {@code [batch, state]}; {@code null} if not wanted. */
  public Region initialHiddenGradient;

  /** LSTM: {@code [batch, hidden]}; {@code null} if not wanted. */
  public Region initialCellGradient;

  /** Of {@link #inputWeights}; {@code null} if not wanted. */
  public Region inputWeightsGradient;

  /** Of {@link #recurrentWeights}; {@code null} if not wanted. */
  public Region recurrentWeightsGradient;

  /** Of {@link #bias}; {@code null} if not wanted. */
  public Region biasGradient;

  /** Of {@link #peepholes}; {@code null} if not wanted. */
  public Region peepholesGradient;

  /** Of {@link #projection}; {@code null} if not wanted. */
  public Region projectionGradient;

  /** Of {@link #normalisation}, as many; {@code null} entries if not wanted. */
  public Region[] normalisationGradients = {};

  /** Operands of a kind of layer. */
  public RecurrentTraining(RecurrentSpec spec) {
    this.spec = spec;
  }

  /** The reals of {@link #kept} for one time step of one sequence. */
  public static long keptSize(RecurrentSpec spec) {
    // Gates and cell state, each filled up so that the rows of every device are aligned.
    long filled = (spec.hiddenSize() + 15L) / 16 * 16;
    return switch (spec.cell()) {
      case RNN -> filled;
      case GRU -> 4 * filled;
      case LSTM -> 5 * filled;
    };
  }
}

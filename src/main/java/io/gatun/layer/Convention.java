package io.gatun.layer;

import io.gatun.graph.Names;
import java.util.Arrays;
import java.util.Locale;

/**
 * How a framework lays out the weights of its layers. {@link Weights} says which convention its
 * tensors follow; a layer reads them by the names its framework gives them, without copying.
 *
 * <p>In the tables {@code h} is the hidden size, {@code in} the input size, {@code s} the size of
 * the hidden state: {@code h}, or the projection's size. Gates follow one another in the order
 * given. Every bias may be left out. {@code '/'} in a name may be written {@code '.'}.
 *
 * <p>Layer normalisation of recurrent layers (Ba et al. 2016; none of the frameworks has it in this
 * form) has in every convention the parts {@code norm_input.scale}, {@code norm_input.shift},
 * {@code norm_recurrent.scale}, {@code norm_recurrent.shift} {@code [gates × h]}, in the
 * convention's order of gates, and for an LSTM {@code norm_cell.scale}, {@code norm_cell.shift}
 * {@code [h]}; the shifts may be left out.
 */
public enum Convention {
  /**
   * torch.nn; names without their suffix {@code _l0}, {@code _l0_reverse}.
   *
   * <pre>
   * RNN        weight_ih [h, in]     weight_hh [h, h]     bias_ih, bias_hh [h]
   * GRU        weight_ih [3h, in]    weight_hh [3h, h]    bias_ih, bias_hh [3h]    gates r, z, n
   *            reset after the product: n = tanh(x·Win + bin + r ∘ (h'·Whn + bhn))
   * LSTM       weight_ih [4h, in]    weight_hh [4h, s]    bias_ih, bias_hh [4h]    gates i, f, g, o
   *            weight_hr [s, h]      the projection (proj_size), if there is one
   * Linear     weight [out, in]      bias [out]
   * Embedding  weight [rows, size]
   * LayerNorm  weight [size]         bias [size]
   * Conv       weight [out, in / groups, kernel…]         bias [out]
   * </pre>
   */
  PYTORCH,

  /**
   * Keras, of every version.
   *
   * <pre>
   * SimpleRNN  kernel [in, h]     recurrent_kernel [h, h]     bias [h]
   * GRU        kernel [in, 3h]    recurrent_kernel [h, 3h]    gates z, r, h
   *            bias [2, 3h] with reset_after=True (of input and recurrent product), else [3h]
   * LSTM       kernel [in, 4h]    recurrent_kernel [h, 4h]    bias [4h]    gates i, f, c, o
   *            (unit_forget_bias is but a way to initialise the bias)
   * Dense      kernel [in, out]   bias [out]
   * Embedding  embeddings [rows, size]
   * LayerNormalization  gamma [size]    beta [size]
   * Conv       kernel [kernel…, in / groups, out]             bias [out]
   * </pre>
   */
  KERAS,

  /**
   * TensorFlow 1: tf.nn.rnn_cell, and variables as people name them there.
   *
   * <pre>
   * BasicRNNCell         kernel [in + h, h]      bias [h]
   * GRUCell              gates/kernel [in + h, 2h]      gates/bias [2h]         gates r, u
   *                      candidate/kernel [in + h, h]   candidate/bias [h]
   *                      reset before the product: c = tanh([x, r ∘ h']·Wc + bc),
   *                      h = u ∘ h' + (1 − u) ∘ c, so that u is z of ONNX, Keras and PyTorch
   * BasicLSTMCell, LSTMCell   kernel [in + s, 4h]       bias [4h]        gates i, j, f, o
   *                      forget_bias (1 unless said otherwise) is added to f at run time
   *                      w_i_diag, w_f_diag, w_o_diag [h]     peepholes, if there are any
   *                      projection/kernel [h, s]             the projection, if there is one
   * Dense, LayerNorm, Embedding, Conv      as Keras
   * </pre>
   */
  TENSORFLOW1,

  /**
   * The inputs of the ONNX operators, under their names there; W, R, B and P may also come without
   * their first axis, the directions.
   *
   * <pre>
   * RNN   W [directions, h, in]     R [directions, h, h]     B [directions, 2h]
   * GRU   W [directions, 3h, in]    R [directions, 3h, h]    B [directions, 6h]    gates z, r, h
   * LSTM  W [directions, 4h, in]    R [directions, 4h, s]    B [directions, 8h]    gates i, o, f, c
   *       P [directions, 3h]        peepholes of i, o, f, if there are any
   *       projection [directions, s, h]      beyond ONNX
   * MatMul and Add   B [in, out]    C [out]
   * Gather           data [rows, size]
   * LayerNormalization   Scale [size]    B [size]
   * Conv             W [out, in / groups, kernel…]    B [out]
   * </pre>
   */
  ONNX;

  /** The name in files: {@code pytorch}, {@code keras}, {@code tensorflow1}, {@code onnx}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The convention of a {@linkplain #label() name}.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Convention of(String label) {
    for (Convention convention : values()) {
      if (convention.label().equals(label.toLowerCase(Locale.ROOT))) {
        return convention;
      }
    }
    throw new IllegalArgumentException(
        "no convention is called "
            + label
            + "; "
            + Names.suggest(label, Arrays.stream(values()).map(Convention::label).toList()));
  }
}

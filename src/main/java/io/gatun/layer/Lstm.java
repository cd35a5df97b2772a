package io.gatun.layer;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec.Cell;

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000):
 *
 * <pre>
 * i = f(x·Wi + h'·Ri + bi + pi ∘ c')
 * f = f(x·Wf + h'·Rf + bf + pf ∘ c')        1 − i where coupled
 * c = f ∘ c' + i ∘ g(x·Wc + h'·Rc + bc)
 * o = f(x·Wo + h'·Ro + bo + po ∘ c)
 * h = o ∘ h(c)                              times P with a projection
 * </pre>
 *
 * <p>Peepholes p (Gers and Schmidhuber 2000) and the projection (Sak et al. 2014) are there if the
 * weights have them.
 *
 * <pre>{@code
 * Lstm lstm = Lstm.builder("encoder.lstm").weights(Weights.of(Convention.PYTORCH, parts)).build();
 * Recurrent.Result result = lstm.unroll(graph, x, lengths);
 * result.output();      // encoder.lstm         [time, batch, hidden]
 * result.hidden();      // encoder.lstm.hidden  [batch, hidden]
 * result.cell();        // encoder.lstm.cell    [batch, hidden]
 * }</pre>
 */
public final class Lstm extends Recurrent {
  private Lstm(Builder builder) {
    super(Cell.LSTM, builder, Builder.list(builder.gates, builder.candidate, builder.output));
  }

  /** Begins a layer. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /** Builds a layer. */
  public static final class Builder extends Recurrent.Builder<Builder> {
    private Activation gates = Activation.SIGMOID;
    private Activation candidate = Activation.TANH;
    private Activation output = Activation.TANH;

    private Builder(String name) {
      super(name);
    }

    @Override
    Builder self() {
      return this;
    }

    /** g and h, of the candidate and of the cell state; tanh unless said otherwise. */
    public Builder activation(Activation both) {
      this.candidate = both;
      this.output = both;
      return this;
    }

    /** f, of the gates i, f and o; sigmoid unless said otherwise. */
    public Builder recurrentActivation(Activation f) {
      this.gates = f;
      return this;
    }

    /** f, g and h, as ONNX names them. */
    public Builder activations(Activation f, Activation g, Activation h) {
      this.gates = f;
      this.candidate = g;
      this.output = h;
      return this;
    }

    /**
     * What is added to the forget gate's argument when the layer runs: 0 unless said otherwise, but
     * 1 in TensorFlow 1's convention, whose cells add it to a bias that does not contain it.
     */
    public Builder forgetBias(double added) {
      this.forgetBias = added;
      return this;
    }

    /** Couples the gates: f = 1 − i (ONNX {@code input_forget}); the weights of f are not used. */
    public Builder coupled() {
      this.coupled = true;
      return this;
    }

    /**
     * The layer.
     *
     * @throws io.gatun.tensor.ShapeException if weights do not fit each other
     * @throws IllegalArgumentException if a weight is missing or unknown
     */
    public Lstm build() {
      return new Lstm(this);
    }
  }
}

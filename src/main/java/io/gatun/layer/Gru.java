package io.gatun.layer;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec.Cell;

/**
 * The gated recurrent unit (Cho et al. 2014), with the reset gate before the product as there, or
 * after it as in cuDNN, PyTorch and Keras 2:
 *
 * <pre>
 * z = f(x·Wz + h'·Rz + bz)
 * r = f(x·Wr + h'·Rr + br)
 * n = g(x·Wn + (r ∘ h')·Rn + bn)            before
 * n = g(x·Wn + bn + r ∘ (h'·Rn + rn))       after
 * h = (1 − z) ∘ n + z ∘ h'
 * </pre>
 *
 * <p>Which of the two, the weights' {@link Convention} says where it can: PyTorch after, TensorFlow
 * 1 before, Keras by the form of its bias (after, where there is none), ONNX before unless {@link
 * Builder#resetAfter} says otherwise ({@code linear_before_reset}).
 */
public final class Gru extends Recurrent {
  private Gru(Builder builder) {
    super(Cell.GRU, builder, Builder.list(builder.gates, builder.candidate));
  }

  /** Begins a layer. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /** Builds a layer. */
  public static final class Builder extends Recurrent.Builder<Builder> {
    private Activation gates = Activation.SIGMOID;
    private Activation candidate = Activation.TANH;

    private Builder(String name) {
      super(name);
    }

    @Override
    Builder self() {
      return this;
    }

    /** g, of the candidate n; tanh unless said otherwise. */
    public Builder activation(Activation g) {
      this.candidate = g;
      return this;
    }

    /** f, of the gates z and r; sigmoid unless said otherwise. */
    public Builder recurrentActivation(Activation f) {
      this.gates = f;
      return this;
    }

    /**
     * Whether the reset gate is applied after the product.
     *
     * @see Gru
     */
    public Builder resetAfter(boolean after) {
      this.resetAfter = after;
      return this;
    }

    /**
     * The layer.
     *
     * @throws io.gatun.tensor.ShapeException if weights do not fit each other
     * @throws IllegalArgumentException if a weight is missing or unknown, or if the convention
     *     contradicts {@link #resetAfter}
     */
    public Gru build() {
      return new Gru(this);
    }
  }
}

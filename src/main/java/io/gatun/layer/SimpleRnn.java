package io.gatun.layer;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec.Cell;

/**
 * The plain recurrent layer (Elman 1990): {@code h = f(x·W + b + h'·R)}, f being tanh unless said
 * otherwise. As ONNX {@code RNN}, torch.nn.RNN, Keras {@code SimpleRNN} and TensorFlow's {@code
 * BasicRNNCell}.
 *
 * <pre>{@code
 * Value h = SimpleRnn.builder("rnn").weights(weights).activation(Activation.RELU).build()
 *     .apply(graph, x);
 * }</pre>
 */
public final class SimpleRnn extends Recurrent {
  private SimpleRnn(Builder builder) {
    super(Cell.RNN, builder, Builder.list(builder.activation));
  }

  /** Begins a layer. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /** Builds a layer. */
  public static final class Builder extends Recurrent.Builder<Builder> {
    private Activation activation = Activation.TANH;

    private Builder(String name) {
      super(name);
    }

    @Override
    Builder self() {
      return this;
    }

    /** f; {@link Activation#IDENTITY} for none. */
    public Builder activation(Activation f) {
      this.activation = f;
      return this;
    }

    /**
     * The layer.
     *
     * @throws io.gatun.tensor.ShapeException if weights do not fit each other
     * @throws IllegalArgumentException if a weight is missing or unknown
     */
    public SimpleRnn build() {
      return new SimpleRnn(this);
    }
  }
}

package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;

/**
 * {@code y = activation(x·W + b)} over the last axis: {@code […, in]} becomes {@code […, out]}.
 *
 * <pre>{@code
 * Value logits = Dense.builder("output").weights(weights).build().apply(graph, h);
 * }</pre>
 */
public final class Dense implements Layer {
  private final String name;
  private final Tensor matrix;
  private final Tensor bias;
  private final Activation activation;

  private Dense(Builder builder) {
    name = builder.name;
    activation = builder.activation;
    Parts parts = new Parts(name, builder.weights);
    matrix = matrix(parts, "");
    bias = bias(parts, "", matrix.dim(1));
    parts.done();
  }

  /** A matrix {@code [in, out]} by the name that the convention has for it. */
  static Tensor matrix(Parts parts, String prefix) {
    return switch (parts.convention()) {
      case PYTORCH -> parts.require(prefix + "weight", 2).transpose();
      case KERAS, TENSORFLOW1 -> parts.require(prefix + "kernel", 2);
      case ONNX -> parts.require(prefix + "B", 2);
    };
  }

  /** A bias {@code [out]}, or {@code null}. */
  static Tensor bias(Parts parts, String prefix, long outputs) {
    String part = prefix + (parts.convention() == Convention.ONNX ? "C" : "bias");
    return parts.expect(part, parts.optional(part), "outputs", outputs);
  }

  /** Begins a layer. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  @Override
  public String name() {
    return name;
  }

  /** The number of features of the input. */
  public int inputSize() {
    return Math.toIntExact(matrix.dim(0));
  }

  /** The number of features of the output. */
  public int outputSize() {
    return Math.toIntExact(matrix.dim(1));
  }

  @Override
  public Value apply(Graph.Builder graph, Value input) {
    return linear(graph, name, input, matrix, bias, activation);
  }

  /** Adds the nodes of activation(x·matrix + bias), which a plan joins. */
  static Value linear(
      Graph.Builder graph,
      String name,
      Value input,
      Tensor matrix,
      Tensor bias,
      Activation activation) {
    if (input.rank() < 2 || !input.dim(input.rank() - 1).matches(Dim.of(matrix.dim(0)))) {
      throw new ShapeException(
          name + ": input is " + input + ", expected […, " + matrix.dim(0) + "]");
    }
    boolean plain = activation.equals(Activation.IDENTITY);
    String sum = plain ? name : name + ".sum";
    Value value =
        graph.node(
            bias == null ? sum : name + ".product",
            "MatMul",
            Attributes.NONE,
            input,
            graph.constant(name + ".weight", Constant.of(matrix)));
    if (bias != null) {
      value =
          graph.node(
              sum,
              "Add",
              Attributes.NONE,
              value,
              graph.constant(name + ".bias", Constant.of(bias)));
    }
    return plain ? value : graph.activate(name, activation, value);
  }

  /** Builds a layer. Not thread-safe. */
  public static final class Builder {
    private final String name;
    private Weights weights;
    private Activation activation = Activation.IDENTITY;

    private Builder(String name) {
      this.name = name;
    }

    /** The matrix and, if there is one, the bias. */
    public Builder weights(Weights given) {
      this.weights = given;
      return this;
    }

    /** The activation; none unless said otherwise. */
    public Builder activation(Activation function) {
      this.activation = function;
      return this;
    }

    /**
     * The layer.
     *
     * @throws ShapeException if weights do not fit each other
     * @throws IllegalArgumentException if a weight is missing or unknown
     */
    public Dense build() {
      return new Dense(this);
    }
  }
}

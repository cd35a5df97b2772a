package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Layer normalisation (Ba et al. 2016) over the last axis: {@code (x − mean) / √(variance + ε) ∘
 * scale + shift}, the variance being that of the elements (divided by their number).
 */
public final class LayerNorm implements Layer {
  private final String name;
  private final Tensor scale;
  private final Tensor shift;
  private final float epsilon;

  private LayerNorm(String name, Tensor scale, Tensor shift, float epsilon) {
    this.name = name;
    this.scale = scale;
    this.shift = shift;
    this.epsilon = epsilon;
  }

  /** A layer with the framework's usual ε: 1e-3 in Keras' convention, 1e-5 in the others. */
  public static LayerNorm of(String name, Weights weights) {
    return of(name, weights, weights.convention() == Convention.KERAS ? 1e-3f : 1e-5f);
  }

  /**
   * A layer.
   *
   * @throws io.gatun.tensor.ShapeException if weights do not fit each other
   * @throws IllegalArgumentException if a weight is missing or unknown
   */
  public static LayerNorm of(String name, Weights weights, float epsilon) {
    Parts parts = new Parts(name, weights);
    String[] names =
        switch (parts.convention()) {
          case PYTORCH -> new String[] {"weight", "bias"};
          case KERAS, TENSORFLOW1 -> new String[] {"gamma", "beta"};
          case ONNX -> new String[] {"Scale", "B"};
        };
    Tensor scale = parts.require(names[0], 1);
    Tensor shift = parts.optional(names[1]);
    parts.expect(names[1], shift, "features", scale.dim(0));
    parts.done();
    return new LayerNorm(name, scale, shift, epsilon);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Value apply(Graph.Builder graph, Value input) {
    List<Value> in = new ArrayList<>();
    in.add(input);
    in.add(graph.constant(name + ".scale", Constant.of(scale)));
    if (shift != null) {
      in.add(graph.constant(name + ".shift", Constant.of(shift)));
    }
    return graph.node(
        name,
        "LayerNormalization",
        Attributes.of("axis", -1, "epsilon", epsilon),
        in.toArray(new Value[0]));
  }
}

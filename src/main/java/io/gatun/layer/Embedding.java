package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;

/**
 * A table of vectors, one for each token: int32 or int64 token numbers {@code […]} become {@code
 * […, size]}. As torch.nn.Embedding, Keras {@code Embedding} and ONNX {@code Gather}.
 */
public final class Embedding implements Layer {
  private final String name;
  private final Tensor table;

  private Embedding(String name, Tensor table) {
    this.name = name;
    this.table = table;
  }

  /**
   * A layer.
   *
   * @throws io.gatun.tensor.ShapeException if the table has not two axes
   * @throws IllegalArgumentException if it is missing, or something else is given
   */
  public static Embedding of(String name, Weights weights) {
    Parts parts = new Parts(name, weights);
    String part =
        switch (parts.convention()) {
          case PYTORCH -> "weight";
          case KERAS, TENSORFLOW1 -> "embeddings";
          case ONNX -> "data";
        };
    Tensor table = parts.require(part, 2);
    parts.done();
    return new Embedding(name, table);
  }

  @Override
  public String name() {
    return name;
  }

  /** The number of tokens. */
  public int rows() {
    return Math.toIntExact(table.dim(0));
  }

  /** The size of a vector. */
  public int outputSize() {
    return Math.toIntExact(table.dim(1));
  }

  @Override
  public Value apply(Graph.Builder graph, Value tokens) {
    Value weight = graph.constant(name + ".weight", Constant.of(table));
    return graph.node(name, "Gather", Attributes.of("axis", 0), weight, tokens);
  }
}

package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;

/**
 * Attention of a decoder to an encoder's outputs: for a query q(t) and a memory m(1..S), weights
 * {@code a(t, s) = softmax over s of score(q(t), m(s))} and the context {@code Σ a(t, s) m(s)}. The
 * scores:
 *
 * <pre>
 * dot        q·m                            (Luong et al. 2015); times a factor, if one is given
 * general    q·W·m                          (Luong et al. 2015)
 * additive   v·tanh(q·Wq + bq + m·Wm + bm)  (Bahdanau et al. 2015)
 * </pre>
 *
 * <p>A layer called {@code attention} adds {@code attention}, the context {@code [time, batch,
 * memory]}, and {@code attention.weights} {@code [batch, time, source time]}, which are 0 where a
 * source has ended. The part that depends on the memory alone, {@link #keys}, is computed once per
 * source where a decoder runs step by step.
 */
public final class Attention {
  private enum Score {
    DOT,
    GENERAL,
    ADDITIVE
  }

  private final String name;
  private final Score score;
  private final double scale;
  private final Tensor query;
  private final Tensor queryBias;
  private final Tensor memory;
  private final Tensor memoryBias;
  private final Tensor vector;

  private Attention(
      String name,
      Score score,
      double scale,
      Tensor query,
      Tensor queryBias,
      Tensor memory,
      Tensor memoryBias,
      Tensor vector) {
    this.name = name;
    this.score = score;
    this.scale = scale;
    this.query = query;
    this.queryBias = queryBias;
    this.memory = memory;
    this.memoryBias = memoryBias;
    this.vector = vector;
  }

  /**
   * Scores q·m.
   *
   * @param scale what scores are multiplied by: 1, or {@code 1 / √size} as of Vaswani et al. 2017
   */
  public static Attention dot(String name, double scale) {
    return new Attention(name, Score.DOT, scale, null, null, null, null, null);
  }

  /**
   * Scores q·W·m.
   *
   * @param weights a dense layer from the memory to the query's size, without bias: PyTorch {@code
   *     weight} [query, memory], Keras {@code kernel} [memory, query], ONNX {@code B}
   */
  public static Attention general(String name, Weights weights) {
    Parts parts = new Parts(name, weights);
    Tensor matrix = Dense.matrix(parts, "");
    parts.done();
    return new Attention(name, Score.GENERAL, 1, null, null, matrix, null, null);
  }

  /**
   * Scores v·tanh(q·Wq + bq + m·Wm + bm).
   *
   * @param weights two dense layers to the size of the attention and one from there to a number, by
   *     the prefixes {@code query.}, {@code memory.} and {@code score.} (PyTorch: {@code
   *     query.weight} [size, query], {@code query.bias} [size], {@code memory.weight}, {@code
   *     memory.bias}, {@code score.weight} [1, size]; others as {@link Dense} has them); biases may
   *     be left out, and one of the score would change nothing
   */
  public static Attention additive(String name, Weights weights) {
    Parts parts = new Parts(name, weights);
    Tensor query = Dense.matrix(parts, "query.");
    Tensor memory = Dense.matrix(parts, "memory.");
    Tensor vector = Dense.matrix(parts, "score.");
    long size = query.dim(1);
    if (memory.dim(1) != size || vector.dim(0) != size || vector.dim(1) != 1) {
      throw new ShapeException(
          name
              + ": query gives "
              + size
              + ", memory "
              + memory.dim(1)
              + ", and the score is of "
              + vector.dim(0)
              + " to "
              + vector.dim(1)
              + ", expected one size and 1");
    }
    Tensor queryBias = Dense.bias(parts, "query.", size);
    Tensor memoryBias = Dense.bias(parts, "memory.", size);
    Dense.bias(parts, "score.", 1);
    parts.done();
    return new Attention(name, Score.ADDITIVE, 1, query, queryBias, memory, memoryBias, vector);
  }

  /** The layer's name, and that of the context. */
  public String name() {
    return name;
  }

  /**
   * What attention has added to a graph.
   *
   * @param context {@code [time, batch, memory]}
   * @param weights {@code [batch, time, source time]}
   */
  public record Result(Value context, Value weights) {}

  /**
   * Adds what depends on the memory alone, {@code NAME.keys}: {@code [source time, batch, size]}.
   *
   * @param source the memory: {@code [source time, batch, memory]}
   */
  public Value keys(Graph.Builder graph, Value source) {
    if (score == Score.DOT) {
      return graph.alias(name + ".keys", source);
    }
    return Dense.linear(graph, name + ".keys", source, memory, memoryBias, Activation.IDENTITY);
  }

  /**
   * Adds the layer.
   *
   * @param queries {@code [time, batch, query]}
   * @param source {@code [source time, batch, memory]}
   * @param sourceLengths int32 {@code [batch]}, or {@code null} if all are full
   */
  public Result apply(Graph.Builder graph, Value queries, Value source, Value sourceLengths) {
    return apply(graph, queries, keys(graph, source), source, sourceLengths);
  }

  /**
   * Adds the layer, its keys being known.
   *
   * @param keys what {@link #keys} gave for the memory
   */
  public Result apply(
      Graph.Builder graph, Value queries, Value keys, Value source, Value sourceLengths) {
    for (Value value : new Value[] {queries, keys, source}) {
      if (value.rank() != 3) {
        throw new ShapeException(
            name + ": " + value + " has " + value.rank() + " axes, expected [time, batch, size]");
      }
    }
    Value scores =
        score == Score.ADDITIVE ? additive(graph, queries, keys) : product(graph, queries, keys);
    String weightsName = name + ".weights";
    Value weights =
        sourceLengths == null
            ? Layers.softmax(graph, weightsName, scores)
            : graph.node(weightsName, "MaskedSoftmax", Attributes.NONE, scores, sourceLengths);
    Value rows = Layers.swapTimeAndBatch(graph, name + ".memory_rows", source);
    Value context = graph.node(name + ".sum", "MatMul", Attributes.NONE, weights, rows);
    return new Result(Layers.swapTimeAndBatch(graph, name, context), weights);
  }

  /** {@code [batch, time, source time]}. */
  private Value product(Graph.Builder graph, Value queries, Value keys) {
    Value q = Layers.swapTimeAndBatch(graph, name + ".query_rows", queries);
    Value k = Layers.transpose(graph, name + ".key_columns", keys, 1, 2, 0);
    String scoresName = name + ".scores";
    if (scale == 1) {
      return graph.node(scoresName, "MatMul", Attributes.NONE, q, k);
    }
    Value scores = graph.node(name + ".product", "MatMul", Attributes.NONE, q, k);
    return graph.activate(
        scoresName, new Activation(Activation.Kind.AFFINE, (float) scale, 0), scores);
  }

  /** {@code [batch, time, source time]}. */
  private Value additive(Graph.Builder graph, Value queries, Value keys) {
    Value projected =
        Dense.linear(graph, name + ".query", queries, query, queryBias, Activation.IDENTITY);
    Value q = Layers.swapTimeAndBatch(graph, name + ".query_rows", projected);
    Value k = Layers.swapTimeAndBatch(graph, name + ".key_rows", keys);
    Value wide =
        graph.node(name + ".query_each", "Unsqueeze", Attributes.of("axes", new long[] {2}), q);
    Value tall =
        graph.node(name + ".key_each", "Unsqueeze", Attributes.of("axes", new long[] {1}), k);
    Value sum = Layers.add(graph, name + ".pairs", wide, tall);
    Value bent = graph.activate(name + ".bent", Activation.TANH, sum);
    Value v = graph.constant(name + ".vector", Constant.of(vector));
    Value column = graph.node(name + ".column", "MatMul", Attributes.NONE, bent, v);
    return graph.node(name + ".scores", "Squeeze", Attributes.of("axes", new long[] {3}), column);
  }
}

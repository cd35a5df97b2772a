package io.gatun.training;

import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Adds the loss to the graph of a network: a sum over all terms, which the trainer divides by their
 * number, so that parts of a batch can be added.
 *
 * <ul>
 *   <li>{@code cross_entropy} of logits against labels; a network that ends in a softmax is taken
 *       before it. Label smoothing ε: the right class counts 1 − ε + ε/K, each other ε/K (Szegedy
 *       et al. 2016)
 *   <li>{@code mean_squared_error}
 *   <li>{@code binary_cross_entropy} of logits against numbers from 0 to 1; a network that ends in
 *       a sigmoid is taken before it
 * </ul>
 */
final class Losses {
  static final String LOSS = "training.loss";

  private Losses() {}

  /**
   * Adds a loss.
   *
   * @return the value the loss is formed of: the logits
   */
  static Value add(Graph.Builder graph, Value scores, TrainingConfig.Loss loss) {
    return switch (loss.type()) {
      case "cross_entropy" -> crossEntropy(graph, before(scores, "Softmax", "LogSoftmax"), loss);
      case "mean_squared_error" -> squared(graph, scores);
      default -> binary(graph, before(scores, "Sigmoid"));
    };
  }

  private static Value before(Value scores, String... operators) {
    boolean skip =
        scores.producer() != null
            && List.of(operators).contains(scores.producer().operator().type());
    return skip ? scores.producer().inputs().get(0) : scores;
  }

  private static Value crossEntropy(Graph.Builder graph, Value logits, TrainingConfig.Loss loss) {
    List<Object> dims = new ArrayList<>(logits.dims().subList(0, logits.rank() - 1));
    Value labels = graph.input(Inputs.LABELS, DType.INT32, dims.toArray());
    graph.node(
        LOSS,
        "CrossEntropy",
        Attributes.of("reduction", "sum", "label_smoothing", (float) loss.smoothing()),
        logits,
        labels);
    return logits;
  }

  private static Value input(Graph.Builder graph, String name, Value like) {
    return graph.input(name, DType.FLOAT32, like.dims().toArray());
  }

  private static Value squared(Graph.Builder graph, Value scores) {
    Value right = input(graph, Inputs.VALUES, scores);
    Value mask = input(graph, Inputs.MASK, scores);
    Value difference = graph.node(LOSS + ".difference", "Sub", Attributes.NONE, scores, right);
    Value counted = graph.node(LOSS + ".counted", "Mul", Attributes.NONE, difference, mask);
    Value square = graph.node(LOSS + ".square", "Mul", Attributes.NONE, counted, counted);
    sum(graph, square);
    return scores;
  }

  /** ln(1 + e^z) − y z, which is −y ln σ(z) − (1 − y) ln(1 − σ(z)). */
  private static Value binary(Graph.Builder graph, Value logits) {
    Value right = input(graph, Inputs.VALUES, logits);
    Value mask = input(graph, Inputs.MASK, logits);
    Value bent = graph.node(LOSS + ".softplus", "Softplus", Attributes.NONE, logits);
    Value product = graph.node(LOSS + ".product", "Mul", Attributes.NONE, right, logits);
    Value term = graph.node(LOSS + ".term", "Sub", Attributes.NONE, bent, product);
    Value counted = graph.node(LOSS + ".counted", "Mul", Attributes.NONE, term, mask);
    sum(graph, counted);
    return logits;
  }

  private static void sum(Graph.Builder graph, Value terms) {
    int[] axes = new int[terms.rank()];
    java.util.Arrays.setAll(axes, i -> i);
    graph.node(LOSS, "ReduceSum", Attributes.of("axes", axes, "keepdims", 0), terms);
  }
}

package io.gatun.representation;

import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The path y(0), y(1), …, y(L) through a graph. Stateless. */
final class PathOfValues {
  /** Operators that make another representation although they have no weights. */
  private static final Set<String> LAYERS =
      Set.of(
          "RNN",
          "GRU",
          "LSTM",
          "MaxPool",
          "AveragePool",
          "GlobalMaxPool",
          "GlobalAveragePool",
          "Softmax",
          "MaskedSoftmax");

  /** Operators with weights. */
  private static final Set<String> WEIGHTED =
      Set.of("Conv", "ConvTranspose", "MatMul", "Gemm", "Gather");

  /** Those that only look at a value in another way. */
  private static final Set<String> LOOKS = Set.of("Dropout", "Flatten", "Reshape");

  /** Those that take a part of it, or give it another form or name. */
  private static final Set<String> PARTS =
      Set.of("Slice", "Squeeze", "Unsqueeze", "Identity", "Transpose");

  /** Those that join several values into one. */
  private static final Set<String> JOINS = Set.of("Add", "Concat", "Mul");

  private PathOfValues() {}

  private static boolean begins(Node node) {
    String type = node.operator().type();
    if (LAYERS.contains(type)) {
      return true;
    }
    boolean weights =
        node.inputs().stream()
            .anyMatch(v -> v != null && v.constant() != null && v.constant().shape().rank() >= 2);
    if (WEIGHTED.contains(type)) {
      return weights;
    }
    long joined =
        node.inputs().stream()
            .filter(v -> v != null && v.constant() == null)
            .map(PathOfValues::origin)
            .distinct()
            .count();
    return JOINS.contains(type) && joined > 1;
  }

  /** The node, or the input, whose numbers these are: both directions of a layer have the same. */
  private static Object origin(Value value) {
    Value at = value;
    while (at.producer() != null
        && (LOOKS.contains(at.producer().operator().type())
            || PARTS.contains(at.producer().operator().type()))) {
      at = at.producer().inputs().get(0);
    }
    return at.producer() == null ? at : at.producer();
  }

  static List<Value> of(Graph graph) {
    Set<Value> needed = new HashSet<>(graph.outputs());
    Set<Value> handedOn = new HashSet<>();
    graph.outputs().forEach(output -> handedOn.add(plain(output)));
    for (int i = graph.nodes().size() - 1; i >= 0; i--) {
      Node node = graph.nodes().get(i);
      if (node.outputs().stream().noneMatch(needed::contains)) {
        continue;
      }
      for (Value input : node.inputs()) {
        if (input != null && input.constant() == null) {
          needed.add(input);
          if (begins(node)) {
            handedOn.add(plain(input));
          }
        }
      }
    }
    return graph.values().values().stream()
        .filter(value -> handedOn.contains(value) && value.type().isFloat() && value.rank() > 0)
        .filter(value -> value.producer() == null || hasLayer(value, new HashSet<>()))
        .toList();
  }

  /**
   * The hidden states over time: of each recurrent layer of which only the last state is handed on,
   * its states at all steps.
   */
  static List<Value> loops(Graph graph, List<Value> path) {
    Set<Object> shown = new HashSet<>();
    path.stream().filter(value -> value.rank() == 3).forEach(value -> shown.add(origin(value)));
    List<Value> loops = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean loop = List.of("RNN", "GRU", "LSTM").contains(node.operator().type());
      if (!loop || shown.contains(node)) {
        continue;
      }
      Value steps = node.outputs().get(0);
      graph.values().values().stream()
          .filter(v -> v.rank() == 3 && v.producer() != null && v.producer() != node)
          .filter(v -> v.dim(0).equals(steps.dim(0)) && origin(v) == node && fromSteps(v, steps))
          .findFirst()
          .ifPresent(loops::add);
    }
    return loops;
  }

  private static boolean fromSteps(Value value, Value steps) {
    Value at = value;
    while (at != steps && at.producer() != null && at.producer() != steps.producer()) {
      at = at.producer().inputs().get(0);
    }
    return at == steps;
  }

  /** Whether anything but another look lies between a value and the inputs. */
  private static boolean hasLayer(Value value, Set<Value> seen) {
    if (value.producer() == null || value.constant() != null || !seen.add(value)) {
      return false;
    }
    return begins(value.producer())
        || value.producer().inputs().stream().anyMatch(v -> v != null && hasLayer(v, seen));
  }

  /** What a value is another look at; a second name is kept, because people gave it. */
  private static Value plain(Value value) {
    Value at = value;
    while (at.producer() != null
        && LOOKS.contains(at.producer().operator().type())
        && at.producer().inputs().get(0).constant() == null) {
      at = at.producer().inputs().get(0);
    }
    return at;
  }
}

package io.gatun.graph;

import io.gatun.kernel.Activation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Joins nodes that one kernel can do at once: a product with a constant matrix, the bias added to
 * it, and the activation of the sum; an embedding and the recurrent layer behind it. A value that
 * somebody asked for, or that two nodes need, stays.
 */
final class Fusion {
  private final List<Node> nodes;
  private final List<Value> outputs;
  private final Map<Value, Node> onlyUser = new HashMap<>();
  private final Map<Value, Node> producers = new HashMap<>();

  private Fusion(List<Node> nodes, List<Value> outputs) {
    this.nodes = nodes;
    this.outputs = outputs;
    Set<Value> shared = new HashSet<>(outputs);
    for (Node node : nodes) {
      node.outputs().stream().filter(Objects::nonNull).forEach(v -> producers.put(v, node));
      for (Value input : node.inputs()) {
        if (input != null && onlyUser.put(input, node) != null) {
          shared.add(input);
        }
      }
    }
    onlyUser.keySet().removeAll(shared);
  }

  /** The nodes with what can be joined joined, still each after those it needs. */
  static List<Node> fuse(List<Node> nodes, List<Value> outputs) {
    return new Fusion(nodes, outputs).run();
  }

  private List<Node> run() {
    Set<Node> gone = new HashSet<>();
    List<Node> fused = new ArrayList<>();
    for (Node node : nodes) {
      if (gone.contains(node)) {
        continue;
      }
      fused.add(
          MatrixOperators.isConstantProduct(node)
              ? join(node, gone)
              : node.operator() instanceof RecurrentOperator ? withEmbedding(node) : node);
    }
    dropUnused(fused);
    // A joined node stands where its product stood; its consumers all come later.
    return fused;
  }

  /** A recurrent layer that is given rows of a table is given their numbers instead. */
  private Node withEmbedding(Node layer) {
    Node source = producers.get(layer.inputs().get(0));
    if (source == null || !source.operator().type().equals("Gather")) {
      return layer;
    }
    Node joined = RecurrentOperator.join(layer, source);
    return joined == null ? layer : joined;
  }

  /** What only the joined nodes needed is not computed. */
  private void dropUnused(List<Node> fused) {
    Set<Value> needed = new HashSet<>(outputs);
    for (int i = fused.size() - 1; i >= 0; i--) {
      Node node = fused.get(i);
      if (node.outputs().stream().noneMatch(needed::contains)) {
        fused.remove(i);
      } else {
        node.inputs().stream().filter(Objects::nonNull).forEach(needed::add);
      }
    }
  }

  private Node join(Node product, Set<Node> gone) {
    Value result = product.outputs().get(0);
    Constant matrix = product.inputs().get(1).constant();
    Constant bias = null;
    Node next = onlyUser.get(result);
    if (next != null && next.operator().type().equals("Add")) {
      Value other = next.inputs().get(0) == result ? next.inputs().get(1) : next.inputs().get(0);
      long columns = matrix.shape().dim(1);
      if (other.constant() != null && other.rank() == 1 && other.dim(0).equals(Dim.of(columns))) {
        bias = other.constant();
        result = next.outputs().get(0);
        gone.add(next);
        next = onlyUser.get(result);
      }
    }
    Activation activation = Activation.IDENTITY;
    if (next != null && next.operator() instanceof ElementwiseOperators.Activate activate) {
      activation = activate.activation(next.attributes());
      result = next.outputs().get(0);
      gone.add(next);
    }
    return new Node(
        product.name(),
        new MatrixOperators.Linear(matrix, bias, activation),
        Attributes.NONE,
        List.of(product.inputs().get(0)),
        List.of(result));
  }
}

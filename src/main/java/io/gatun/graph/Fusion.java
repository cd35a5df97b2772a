package io.gatun.graph;

import io.gatun.kernel.Activation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Joins nodes that one kernel can do at once: a product with a constant matrix, the bias added to
 * it, and the activation of the sum. A value that somebody asked for, or that two nodes need,
 * stays.
 */
final class Fusion {
  private final List<Node> nodes;
  private final Map<Value, Node> onlyUser = new HashMap<>();

  private Fusion(List<Node> nodes, List<Value> outputs) {
    this.nodes = nodes;
    Set<Value> shared = new HashSet<>(outputs);
    for (Node node : nodes) {
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
      fused.add(MatrixOperators.isConstantProduct(node) ? join(node, gone) : node);
    }
    // A joined node stands where its product stood; its consumers all come later.
    return fused;
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

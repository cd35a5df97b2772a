package io.gatun.graph;

import java.util.List;

/**
 * A node on its way from a graph into the one that trains it. Most come over as they are; some
 * become something else there, such as dropout, which is nothing outside training.
 */
public final class TrainingCopy {
  private final Gradients.Walk walk;
  private final Node node;
  private final List<Value> inputs;
  private final List<String> outputs;
  private final boolean active;

  TrainingCopy(
      Gradients.Walk walk, Node node, List<Value> inputs, List<String> outputs, boolean active) {
    this.walk = walk;
    this.node = node;
    this.inputs = inputs;
    this.outputs = outputs;
    this.active = active;
  }

  /** The node as it was. */
  public Node node() {
    return node;
  }

  /** Its inputs in the new graph; {@code null} where one is left out. */
  public List<Value> inputs() {
    return inputs;
  }

  /** The names its outputs must have. */
  List<String> outputs() {
    return outputs;
  }

  /** Whether one of its inputs depends on a parameter. */
  public boolean active() {
    return active;
  }

  /** Whether an input of the node is there. */
  boolean has(int input) {
    return input < inputs.size() && inputs.get(input) != null;
  }

  /** Adds the node as it was. */
  public void asItIs() {
    add(node.name(), node.operator(), node.attributes(), inputs, outputs);
  }

  List<Value> add(
      String name, Operator operator, Attributes attributes, List<Value> in, List<String> out) {
    return walk.forward(name, operator, attributes, in, out);
  }

  /** Adds a constant; its memory must stay for as long as the graph is used. */
  Value constant(String name, io.gatun.tensor.Tensor tensor) {
    return walk.constant(name, tensor);
  }

  /** The input from which masks are drawn. */
  Value seed() {
    return walk.seed();
  }
}

package io.gatun.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * One node on the way back: what its operator needs to say how the gradients of its inputs are
 * formed from those of its outputs. The gradients are values of the same graph, formed by nodes
 * that {@link #add} adds.
 */
public final class Differentiation {
  private final Gradients.Walk walk;
  private final Node node;
  private final List<Value> gradients;
  private final Set<Value> wanted;
  private int added;

  Differentiation(Gradients.Walk walk, Node node, List<Value> gradients, Set<Value> wanted) {
    this.walk = walk;
    this.node = node;
    this.gradients = gradients;
    this.wanted = wanted;
  }

  /** The node that is walked back. */
  public Node node() {
    return node;
  }

  /** Its settings. */
  public Attributes attributes() {
    return node.attributes();
  }

  /** Whether an input is there. */
  public boolean has(int input) {
    return input < node.inputs().size() && node.inputs().get(input) != null;
  }

  /** An input; {@code null} where it is left out. */
  public Value input(int input) {
    return has(input) ? node.inputs().get(input) : null;
  }

  /** An output. */
  public Value output(int output) {
    return node.outputs().get(output);
  }

  /** Whether the gradient of an input is asked for. */
  public boolean wanted(int input) {
    return has(input) && wanted.contains(node.inputs().get(input));
  }

  /** The gradient of an output; {@code null} where the loss does not depend on it. */
  public Value gradient(int output) {
    return output < gradients.size() ? gradients.get(output) : null;
  }

  /** Says what an input's gradient is; ignored where nobody asked for it. */
  public void give(int input, Value gradient) {
    if (wanted(input)) {
      walk.add(node.inputs().get(input), gradient);
    }
  }

  /** Adds a node with one output. */
  public Value add(String operator, Attributes attributes, Value... in) {
    return add(Operators.get(operator), attributes, Arrays.asList(in), 1).get(0);
  }

  /** Adds a node of an operator that is not in {@link Operators}. */
  Value add(Operator operator, Attributes attributes, Value... in) {
    return add(operator, attributes, Arrays.asList(in), 1).get(0);
  }

  List<Value> add(Operator operator, Attributes attributes, List<Value> in, int outputs) {
    return walk.node(
        node.name() + "/" + operator.type() + "." + added++, operator, attributes, in, outputs);
  }

  /** Adds a constant; its memory must stay for as long as the graph is used. */
  Value constant(io.gatun.tensor.Tensor tensor) {
    return walk.constant(node.name() + "/constant." + added++, tensor);
  }

  /** The gradient summed over the axes along which a value was repeated to its shape. */
  Value summedTo(Value gradient, Value like) {
    return gradient.dims().equals(like.dims())
        ? gradient
        : add(ShapeGradients.SUM_LIKE, Attributes.NONE, gradient, like);
  }

  /** The gradient in the shape of a value that has as many elements. */
  Value shapedLike(Value gradient, Value like) {
    return gradient.dims().equals(like.dims())
        ? gradient
        : add(ShapeGradients.RESHAPE_LIKE, Attributes.NONE, gradient, like);
  }

  /** An exception that names the node: it cannot be trained. */
  public UnsupportedOperationException unsupported(String why) {
    return new UnsupportedOperationException(
        node.name() + ": " + node.operator().type() + " cannot be trained" + why);
  }

  /** The gradients of all outputs, {@code null} where there is none. */
  List<Value> gradients() {
    return new ArrayList<>(gradients);
  }
}

package io.gatun.graph;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** An operator applied to values. Immutable. */
public final class Node {
  private final String name;
  private final Operator operator;
  private final Attributes attributes;
  private final List<Value> inputs;
  private final List<Value> outputs;

  Node(
      String name,
      Operator operator,
      Attributes attributes,
      List<Value> inputs,
      List<Value> outputs) {
    this.name = name;
    this.operator = operator;
    this.attributes = attributes;
    // List.copyOf refuses null, which stands for an optional input that is left out.
    this.inputs = Collections.unmodifiableList(Arrays.asList(inputs.toArray(new Value[0])));
    this.outputs = List.copyOf(outputs);
  }

  /** The name that errors and {@code inspect} use. */
  public String name() {
    return name;
  }

  /** What it does. */
  public Operator operator() {
    return operator;
  }

  /** Its settings. */
  public Attributes attributes() {
    return attributes;
  }

  /** Its inputs; {@code null} where an optional one is left out. */
  public List<Value> inputs() {
    return inputs;
  }

  /** Its outputs. */
  public List<Value> outputs() {
    return outputs;
  }

  @Override
  public String toString() {
    return name + ": " + operator.type() + "(" + attributes + ")";
  }
}

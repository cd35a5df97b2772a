package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.List;

/**
 * A named value of a {@link Graph}: an input, a constant, or what a node computes. Every value is a
 * representation y(l) that can be asked for. Immutable; belongs to the graph that made it.
 */
public final class Value {
  private final String name;
  private final DType type;
  private final List<Dim> dims;
  private final Constant constant;
  private Node producer;
  private List<Dim> sizes;

  Value(String name, DType type, List<Dim> dims, Constant constant) {
    this.name = name;
    this.type = type;
    this.dims = List.copyOf(dims);
    this.constant = constant;
  }

  void producer(Node node) {
    producer = node;
  }

  void sizes(List<Dim> known) {
    sizes = known;
  }

  /**
   * What it contains where that is one size or a list of sizes of other values, {@code null} in the
   * place of one that is not known; else {@code null}.
   */
  List<Dim> sizes() {
    return sizes;
  }

  /** The name; unique in its graph. */
  public String name() {
    return name;
  }

  /** The type of its elements. */
  public DType type() {
    return type;
  }

  /** Its shape, as far as it is known before there is input. */
  public List<Dim> dims() {
    return dims;
  }

  /** The number of axes. */
  public int rank() {
    return dims.size();
  }

  /** The size of one axis. */
  public Dim dim(int axis) {
    return dims.get(axis);
  }

  /** Its content if it is a constant, else {@code null}. */
  public Constant constant() {
    return constant;
  }

  /** The node that computes it; {@code null} for inputs and constants. */
  public Node producer() {
    return producer;
  }

  @Override
  public String toString() {
    return name + " " + type.label() + dims;
  }
}

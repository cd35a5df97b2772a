package io.gatun.graph;

import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.util.List;

/** A node's inputs, seen by the rule that derives its outputs. */
public final class Inference {
  private final Node node;
  private final List<List<Dim>> dims;
  private final List<DType> outputTypes = new java.util.ArrayList<>();
  private final List<List<Dim>> outputDims = new java.util.ArrayList<>();

  /** {@code dims} are the inputs' sizes, {@code null} where an input is left out. */
  Inference(Node node, List<List<Dim>> dims) {
    this.node = node;
    this.dims = dims;
  }

  /** The node. */
  public Node node() {
    return node;
  }

  /** The node's settings. */
  public Attributes attributes() {
    return node.attributes();
  }

  /** How many inputs there are, those left out included. */
  public int inputs() {
    return dims.size();
  }

  /** Whether the input is there. */
  public boolean has(int input) {
    return input < dims.size() && dims.get(input) != null;
  }

  /** An input's type. */
  public DType type(int input) {
    require(input);
    return node.inputs().get(input).type();
  }

  /**
   * The type of what is computed from an input: float32 where it is a smaller float, in which
   * weights are stored but nothing is computed.
   */
  public DType computedType(int input) {
    DType type = type(input);
    return type == DType.FLOAT16 || type == DType.BFLOAT16 ? DType.FLOAT32 : type;
  }

  /** An input's sizes. */
  public List<Dim> dims(int input) {
    require(input);
    return dims.get(input);
  }

  /** One size of an input; a negative axis counts from the end. */
  public Dim dim(int input, int axis) {
    List<Dim> all = dims(input);
    return all.get(axis < 0 ? axis + all.size() : axis);
  }

  /** The number of an input's axes. */
  public int rank(int input) {
    return dims(input).size();
  }

  /** An input's content where it is constant, else {@code null}. */
  public Constant constant(int input) {
    return has(input) ? node.inputs().get(input).constant() : null;
  }

  /** Whether an input's content will be known only when an execution has its inputs. */
  public boolean later(int input) {
    return has(input) && constant(input) == null;
  }

  /**
   * What an input contains where that is sizes of other values, such as the shape that Reshape is
   * given; {@code null} in the place of a size that is not known, or where nothing is.
   */
  public List<Dim> sizes(int input) {
    return has(input) ? Folding.content(node.inputs().get(input)) : null;
  }

  /** A size that is not known yet, {@code k} telling those of one node from each other. */
  public Dim unknown(int k) {
    return Dim.symbol(node.name().isEmpty() ? "?" + k : "?" + node.name() + "." + k);
  }

  /** Checks that an input is there and has as many axes. */
  public void expectRank(int input, int rank) {
    if (rank(input) != rank) {
      throw error(
          "input "
              + node.inputs().get(input).name()
              + " is "
              + dims(input)
              + ", expected "
              + rank
              + " axes");
    }
  }

  /** Checks that an input is there and its sizes can be the expected ones. */
  public void expect(int input, Dim... expected) {
    List<Dim> come = dims(input);
    boolean fits = come.size() == expected.length;
    for (int i = 0; fits && i < expected.length; i++) {
      fits = come.get(i).matches(expected[i]);
    }
    if (!fits) {
      throw error(
          "input "
              + node.inputs().get(input).name()
              + " is "
              + come
              + ", expected "
              + java.util.Arrays.toString(expected));
    }
  }

  /** An axis from the setting of a name, counted from the front. */
  public int axis(String attribute, long otherwise, int rank) {
    return axis(attributes().integer(attribute, otherwise), rank);
  }

  /** An axis counted from the front, from one that may be negative. */
  public int axis(long axis, int rank) {
    if (axis < -rank || axis >= rank) {
      throw error("axis " + axis + " of " + rank + " axes");
    }
    return (int) (axis < 0 ? axis + rank : axis);
  }

  /**
   * Whole numbers that a setting or, in newer versions of an operator, a constant input gives;
   * {@code null} if neither does.
   */
  public long[] integers(String attribute, int input) {
    if (attributes().has(attribute)) {
      return attributes().integers(attribute);
    }
    if (!has(input)) {
      return null;
    }
    Constant constant = constant(input);
    if (constant == null) {
      throw error(attribute + " must be constant");
    }
    return constant.longs();
  }

  /** Says what an output is; outputs are given in order. */
  public void output(DType type, List<Dim> dims) {
    outputTypes.add(type);
    outputDims.add(List.copyOf(dims));
  }

  /** Says what an output is; outputs are given in order. */
  public void output(DType type, Dim... dims) {
    output(type, List.of(dims));
  }

  /** An exception that names the node. */
  public ShapeException error(String message) {
    return new ShapeException(node.name() + ": " + message);
  }

  /** The sizes that come from broadcasting two shapes against each other. */
  public List<Dim> broadcast(List<Dim> a, List<Dim> b) {
    int rank = Math.max(a.size(), b.size());
    Dim[] result = new Dim[rank];
    for (int i = 1; i <= rank; i++) {
      Dim left = i <= a.size() ? a.get(a.size() - i) : Dim.ONE;
      Dim right = i <= b.size() ? b.get(b.size() - i) : Dim.ONE;
      if (left.equals(Dim.ONE)) {
        result[rank - i] = right;
      } else if (right.equals(Dim.ONE) || left.matches(right)) {
        result[rank - i] = left.isKnown() || right.equals(Dim.ONE) ? left : right;
      } else {
        throw error(a + " and " + b + " cannot be broadcast against each other");
      }
    }
    return List.of(result);
  }

  List<DType> outputTypes() {
    return outputTypes;
  }

  List<List<Dim>> outputDims() {
    return outputDims;
  }

  private void require(int input) {
    if (!has(input)) {
      throw error("input " + input + " is missing");
    }
  }
}

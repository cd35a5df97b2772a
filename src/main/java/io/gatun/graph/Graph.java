package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A network: nodes in an order in which each comes after what it needs, and the named values
 * between them. Immutable and safe to share; its constants are views and stay as long as the memory
 * they look at.
 *
 * <p>To run it, {@linkplain Plan#of make a plan} for the values that are wanted.
 */
public final class Graph {
  private final String name;
  private final List<Value> inputs;
  private final List<Value> outputs;
  private final List<Node> nodes;
  private final Map<String, Value> values;
  private Set<Value> steering;

  private Graph(Builder builder) {
    this.name = builder.name;
    this.inputs = List.copyOf(builder.inputs);
    this.outputs = List.copyOf(builder.outputs);
    this.nodes = List.copyOf(builder.nodes);
    this.values = new LinkedHashMap<>(builder.values);
  }

  /** Begins a graph. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /** The name. */
  public String name() {
    return name;
  }

  /** The values that come from outside. */
  public List<Value> inputs() {
    return inputs;
  }

  /** The values that are computed where nobody asks for others. */
  public List<Value> outputs() {
    return outputs;
  }

  /** The nodes, each after those it needs. */
  public List<Node> nodes() {
    return nodes;
  }

  /** All values by name, in the order in which they were added. */
  public Map<String, Value> values() {
    return java.util.Collections.unmodifiableMap(values);
  }

  /**
   * The value of a name.
   *
   * @throws IllegalArgumentException if there is none, naming those that come close
   */
  public Value value(String valueName) {
    Value value = values.get(valueName);
    if (value == null) {
      throw new IllegalArgumentException(
          "network "
              + name
              + " has no value "
              + valueName
              + "; "
              + Names.suggest(valueName, names()));
    }
    return value;
  }

  /** The values that decide sizes or are packed; worked out once, on first use. */
  Set<Value> steering() {
    Set<Value> known = steering;
    if (known == null) {
      known = Steering.of(nodes);
      steering = known;
    }
    return known;
  }

  private List<String> names() {
    return values.values().stream().filter(v -> v.constant() == null).map(Value::name).toList();
  }

  /**
   * Begins a graph of the part of this network that leads from some values to others: the first
   * become its inputs, beside those of the network's own that are needed, and everything else that
   * the last do not need is left out. Names stay as they are. More nodes can be added (a new head,
   * a loss), and outputs have to be named.
   *
   * <p>The part computes what the network computes where it is used, also when it is {@linkplain
   * Gradients walked back}: its dropout drops nothing there.
   *
   * @param from values of the network that become inputs; none for a network that is only cut at
   *     its end
   * @param to values that the part has to have
   * @throws IllegalArgumentException if there is no value of such a name, or one of {@code from} is
   *     constant
   */
  public Builder part(Collection<String> from, Collection<String> to) {
    Set<Value> cut = new LinkedHashSet<>();
    for (String each : from) {
      Value value = value(each);
      if (value.constant() != null) {
        throw new IllegalArgumentException(
            "network " + name + ": " + each + " is constant and cannot become an input");
      }
      cut.add(value);
    }
    Set<Value> needed = new LinkedHashSet<>();
    to.forEach(each -> needed.add(value(each)));
    Set<Node> kept = new LinkedHashSet<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      if (node.outputs().stream().anyMatch(v -> needed.contains(v) && !cut.contains(v))) {
        kept.add(node);
        node.inputs().stream().filter(v -> v != null).forEach(needed::add);
      }
    }
    Builder part = new Builder(name);
    for (Value value : values.values()) {
      boolean isInput = cut.contains(value) || value.producer() == null;
      if (!needed.contains(value) || !isInput) {
        continue;
      }
      if (value.constant() != null) {
        part.constant(value.name(), value.constant());
      } else {
        part.input(value.name(), value.type(), value.dims().toArray());
      }
    }
    for (Node node : nodes) {
      if (kept.contains(node)) {
        part.copy(node, cut);
      }
    }
    return part;
  }

  /**
   * The sizes of values for sizes of the inputs, as far as these decide them.
   *
   * @param inputs sizes of inputs by name
   * @throws ShapeException if they do not fit
   * @throws IllegalArgumentException if there is no such value
   */
  public Map<Value, long[]> sizes(Map<String, long[]> inputs) {
    Map<Value, List<Dim>> known = new HashMap<>();
    values.values().stream()
        .filter(value -> value.constant() != null)
        .forEach(value -> known.put(value, value.dims()));
    inputs.forEach(
        (input, dims) -> known.put(value(input), Arrays.stream(dims).mapToObj(Dim::of).toList()));
    for (Node node : nodes) {
      if (!node.inputs().stream().allMatch(v -> v == null || known.containsKey(v))) {
        continue;
      }
      Inference inference =
          new Inference(
              node, node.inputs().stream().map(v -> v == null ? null : known.get(v)).toList());
      node.operator().infer(inference);
      for (int i = 0; i < node.outputs().size(); i++) {
        known.putIfAbsent(node.outputs().get(i), inference.outputDims().get(i));
      }
    }
    Map<Value, long[]> sizes = new LinkedHashMap<>();
    for (Value value : values.values()) {
      List<Dim> dims = known.get(value);
      if (dims != null && dims.stream().allMatch(Dim::isKnown)) {
        sizes.put(value, dims.stream().mapToLong(Dim::size).toArray());
      }
    }
    return sizes;
  }

  /**
   * Builds a graph, value by value. Every name is unique within the graph; one that is empty or
   * taken is an {@link IllegalArgumentException}. Not thread-safe.
   */
  public static final class Builder {
    private final String name;
    private final List<Value> inputs = new ArrayList<>();
    private final List<Value> outputs = new ArrayList<>();
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Value> values = new LinkedHashMap<>();

    private Builder(String name) {
      this.name = name;
    }

    /**
     * An input.
     *
     * @param dims a number for a known size, a string for a symbol, or a {@link Dim}, each
     */
    public Value input(String valueName, DType type, Object... dims) {
      Value value =
          add(new Value(valueName, type, Arrays.stream(dims).map(Dim::from).toList(), null));
      inputs.add(value);
      return value;
    }

    /** A constant; the tensor stays the caller's, see {@link Constant} for how long. */
    public Value constant(String valueName, Tensor tensor) {
      return constant(valueName, Constant.of(tensor));
    }

    /** A constant of several blocks. */
    public Value constant(String valueName, Constant constant) {
      List<Dim> dims = Arrays.stream(constant.shape().dims()).mapToObj(Dim::of).toList();
      return add(new Value(valueName, constant.dtype(), dims, constant));
    }

    /** A small constant of whole numbers (axes, sizes): int64, one axis. */
    public Value integers(String valueName, long... numbers) {
      java.nio.ByteBuffer bytes =
          java.nio.ByteBuffer.allocateDirect(Math.max(8, numbers.length * 8))
              .order(java.nio.ByteOrder.nativeOrder());
      for (long number : numbers) {
        bytes.putLong(number);
      }
      bytes.clear().limit(numbers.length * 8);
      return constant(valueName, Tensor.wrap(bytes, DType.INT64, numbers.length));
    }

    /**
     * Adds a node with one output, which gets the node's name.
     *
     * @param operator one of {@link Operators}, such as {@code MatMul}
     * @throws ShapeException if the inputs do not fit the operator
     * @throws UnsupportedOperationException if there is no such operator
     */
    public Value node(String nodeName, String operator, Attributes attributes, Value... in) {
      return node(nodeName, operator, attributes, Arrays.asList(in), List.of(nodeName)).get(0);
    }

    /**
     * Adds a node.
     *
     * @param operator one of {@link Operators}, such as {@code LSTM}
     * @param in its inputs; {@code null} for an optional one that is left out
     * @param out names for its outputs; {@code ""} for one that is not needed
     * @return its outputs, as many as there are names
     * @throws ShapeException if the inputs do not fit the operator
     * @throws IllegalArgumentException if an input is of another graph, or there are too many names
     * @throws UnsupportedOperationException if there is no such operator
     */
    public List<Value> node(
        String nodeName, String operator, Attributes attributes, List<Value> in, List<String> out) {
      return node(nodeName, Operators.get(operator), attributes, in, out);
    }

    /** The same for an operator that need not be in {@link Operators}. */
    List<Value> node(
        String nodeName,
        Operator meaning,
        Attributes attributes,
        List<Value> in,
        List<String> out) {
      for (Value value : in) {
        if (value != null && values.get(value.name()) != value) {
          throw new IllegalArgumentException(
              nodeName + ": input " + value.name() + " belongs to another graph");
        }
      }
      Inference inference =
          new Inference(
              new Node(nodeName, meaning, attributes, in, List.of()),
              in.stream().map(v -> v == null ? null : v.dims()).toList());
      if (meaning instanceof FunctionOperators.Function function) {
        return function.expand(new FunctionOperators.Expansion(this, inference, out));
      }
      meaning.infer(inference);
      if (out.size() > inference.outputTypes().size()) {
        throw new IllegalArgumentException(
            nodeName
                + ": "
                + out.size()
                + " outputs named, "
                + meaning.type()
                + " has "
                + inference.outputTypes().size());
      }
      List<Value> results = new ArrayList<>();
      for (int i = 0; i < out.size(); i++) {
        String valueName = out.get(i).isEmpty() ? nodeName + ":" + i : out.get(i);
        results.add(
            add(
                new Value(
                    valueName,
                    inference.outputTypes().get(i),
                    inference.outputDims().get(i),
                    null)));
      }
      Node node = new Node(nodeName, meaning, attributes, in, results);
      results.forEach(value -> value.producer(node));
      if (results.size() == 1) {
        results.get(0).sizes(Folding.known(Folding.sizes(node)));
      }
      nodes.add(node);
      return results;
    }

    /**
     * What a node would compute, where that is known already: its inputs are constants, or it asks
     * for sizes that are known. Nothing is added.
     *
     * @param outputs how many of its outputs are wanted
     * @return the outputs, or {@code null} where they are not known
     * @throws ShapeException if the inputs do not fit the operator
     */
    public List<Constant> fold(
        String nodeName, String operator, Attributes attributes, List<Value> in, int outputs) {
      Node node = new Node(nodeName, Operators.get(operator), attributes, in, List.of());
      if (node.operator() instanceof FunctionOperators.Function) {
        return null;
      }
      Inference inference =
          new Inference(node, in.stream().map(v -> v == null ? null : v.dims()).toList());
      node.operator().infer(inference);
      return outputs > inference.outputTypes().size()
          ? null
          : Folding.fold(node, inference.outputTypes(), outputs);
    }

    /** Adds a node of another graph whose inputs are here by name. */
    private void copy(Node node, Set<Value> cut) {
      boolean dropout = node.operator().type().equals("Dropout");
      List<Value> in =
          node.inputs().stream().map(v -> v == null ? null : values.get(v.name())).toList();
      List<String> out = new ArrayList<>();
      for (Value value : node.outputs()) {
        // What became an input is still computed where another output of the node is needed.
        out.add(cut.contains(value) ? value.name() + "/computed" : value.name());
      }
      node(
          node.name(),
          dropout ? Operators.get("Identity") : node.operator(),
          dropout ? Attributes.NONE : node.attributes().without("recurrent_dropout"),
          dropout ? in.subList(0, 1) : in,
          dropout ? out.subList(0, 1) : out);
    }

    /** Adds a node that applies an activation to every element; it gets the given name. */
    public Value activate(String valueName, Activation activation, Value value) {
      if (activation.equals(Activation.IDENTITY)) {
        return alias(valueName, value);
      }
      Attributes attributes =
          Attributes.of(
              "alpha",
              activation.alpha(),
              activation.kind() == Activation.Kind.SELU ? "gamma" : "beta",
              activation.beta());
      return node(
          valueName,
          ElementwiseOperators.Activate.operatorFor(activation.kind()),
          attributes,
          value);
    }

    /** Gives a value a second name, under which it can be asked for. */
    public Value alias(String valueName, Value value) {
      return node(valueName, "Identity", Attributes.NONE, value);
    }

    /** Names a value that is computed where nobody asks for others. */
    public Builder output(Value value) {
      if (values.get(value.name()) != value) {
        throw new IllegalArgumentException(value.name() + " belongs to another graph");
      }
      outputs.add(value);
      return this;
    }

    /** The value of a name, or {@code null}. */
    public Value find(String valueName) {
      return values.get(valueName);
    }

    /** All values so far. */
    public List<Value> values() {
      return List.copyOf(values.values());
    }

    /** The finished graph. */
    public Graph build() {
      return new Graph(this);
    }

    private Value add(Value value) {
      if (value.name().isEmpty()) {
        throw new IllegalArgumentException("network " + name + ": a value needs a name");
      }
      if (values.putIfAbsent(value.name(), value) != null) {
        throw new IllegalArgumentException(
            "network " + name + ": two values are called " + value.name());
      }
      return value;
    }
  }

  /** {@code name: inputs -> outputs}. */
  @Override
  public String toString() {
    return name + ": " + inputs + " -> " + outputs;
  }
}

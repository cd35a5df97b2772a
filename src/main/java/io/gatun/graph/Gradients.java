package io.gatun.graph;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A graph walked back: another graph that computes a loss and its gradients by the chain rule. It
 * is an ordinary {@link Graph}, so it is planned, pruned, laid out and run like any other, and all
 * values of the graph it came from can be asked for under their names.
 *
 * <p><b>Parameters.</b> What the gradients are formed of are constants of the graph (weights) or
 * real-valued inputs. A constant that is a parameter becomes an <em>input</em> of the new graph,
 * under its own name: whoever trains keeps the numbers in tensors of his own, gives each of them to
 * the execution once, and changes them between runs. Nothing is planned again, and where the memory
 * may be used in place (see {@link Execution}) nothing is copied. Constants that are no parameters
 * stay constants: that is how layers are frozen.
 *
 * <p><b>Training.</b> In the new graph {@code Dropout} drops: each run draws from the input {@link
 * #SEED}, int64 {@code [1]}, which is there if and only if a node needs it. The same seed gives the
 * same masks, whatever the number of threads. Recurrent layers keep what their way back needs.
 *
 * <pre>{@code
 * Gradients gradients = Gradients.of(graph, "loss", Gradients.trainable(graph));
 * try (Plan plan = Plan.of(gradients.graph());
 *     Execution step = plan.newExecution(workers)) {
 *   for (String parameter : gradients.parameters()) {
 *     step.input(parameter, weights.get(parameter)); // stays given: its numbers are read each run
 *   }
 *   step.input("x", x).input("labels", labels).run();
 *   float loss = step.output("loss").toFloats()[0];
 *   Tensor gradient = step.output(gradients.name("dense.weight"));
 * }
 * }</pre>
 *
 * <p>The first output of the graph is the loss, then come the gradients in the order of the
 * parameters. To carry a state from one stretch of time to the next (truncated back-propagation
 * through time), ask the plan for the final state as well and give it as the initial state of the
 * next run; gradients stop where the run began.
 *
 * <p>Immutable and thread-safe.
 */
public final class Gradients {
  /** The input, int64 {@code [1]}, from which dropout draws; see {@link #needsSeed()}. */
  public static final String SEED = "training.seed";

  private static final Tensor ONE = one();

  private final Graph graph;
  private final Map<String, String> names;
  private final boolean seeded;

  private Gradients(Graph graph, Map<String, String> names, boolean seeded) {
    this.graph = graph;
    this.names = names;
    this.seeded = seeded;
  }

  private static Tensor one() {
    java.nio.ByteBuffer bytes =
        java.nio.ByteBuffer.allocateDirect(Float.BYTES).order(java.nio.ByteOrder.nativeOrder());
    bytes.putFloat(0, 1);
    return Tensor.wrap(bytes, DType.FLOAT32);
  }

  /** As {@link #of(Graph, String, Collection)}. */
  public static Gradients of(Graph graph, String loss, String... parameters) {
    return of(graph, loss, Arrays.asList(parameters));
  }

  /**
   * Forms the gradients of a loss.
   *
   * @param loss a real value of one element
   * @param parameters names of constants or inputs, real-valued
   * @throws IllegalArgumentException if the graph has no value of such a name, the loss is not one
   *     number, a parameter is neither a constant nor an input or not real, or the loss does not
   *     depend on it
   * @throws UnsupportedOperationException if an operator on the way from a parameter to the loss
   *     has no gradient
   */
  public static Gradients of(Graph graph, String loss, Collection<String> parameters) {
    return new Walk(graph, loss, parameters).run();
  }

  /**
   * The constants that can be trained: those of real numbers that a node needs, in the order of the
   * graph, without the means and variances of batch normalisation.
   */
  public static List<String> trainable(Graph graph) {
    Set<Value> used = new HashSet<>();
    for (Node node : graph.nodes()) {
      boolean statistics = node.operator() instanceof BatchNormalizationOperator;
      used.addAll(statistics ? node.inputs().subList(0, 3) : node.inputs());
    }
    return graph.values().values().stream()
        .filter(v -> v.constant() != null && v.type().isFloat() && used.contains(v))
        .map(Value::name)
        .toList();
  }

  /** The graph that computes the loss and the gradients. */
  public Graph graph() {
    return graph;
  }

  /** The parameters, in the order in which they were given. */
  public List<String> parameters() {
    return List.copyOf(names.keySet());
  }

  /**
   * The name of the value that is a parameter's gradient; of the parameter's shape.
   *
   * @throws IllegalArgumentException if it is no parameter
   */
  public String name(String parameter) {
    String name = names.get(parameter);
    if (name == null) {
      throw new IllegalArgumentException(
          "no parameter is called "
              + parameter
              + "; "
              + Names.suggest(parameter, List.copyOf(names.keySet())));
    }
    return name;
  }

  /** Whether the graph has the input {@link #SEED}. */
  public boolean needsSeed() {
    return seeded;
  }

  /** The way there and back. */
  static final class Walk {
    private final Graph source;
    private final String lossName;
    private final Set<String> parameters;
    private final Graph.Builder builder;
    private final Map<Value, Value> copies = new HashMap<>();
    private final Set<Value> active = new HashSet<>();
    private final List<Node> copied = new ArrayList<>();
    private final Map<Value, Value> gradients = new HashMap<>();
    private Value seed;

    Walk(Graph source, String lossName, Collection<String> parameters) {
      this.source = source;
      this.lossName = lossName;
      this.parameters = new java.util.LinkedHashSet<>(parameters);
      this.builder = Graph.builder(source.name());
    }

    Gradients run() {
      check();
      copyInputsAndConstants();
      for (Node node : source.nodes()) {
        copy(node);
      }
      Value loss = builder.find(lossName);
      builder.output(loss);
      Value first = builder.constant("gradient/" + lossName, ONE);
      gradients.put(loss, loss.rank() == 0 ? first : shaped(first, loss));
      for (int i = copied.size() - 1; i >= 0; i--) {
        back(copied.get(i));
      }
      Map<String, String> names = new LinkedHashMap<>();
      for (String parameter : parameters) {
        Value gradient = gradients.get(builder.find(parameter));
        if (gradient == null) {
          throw new IllegalArgumentException(
              "network "
                  + source.name()
                  + ": "
                  + lossName
                  + " does not depend on "
                  + parameter
                  + ", which has no gradient");
        }
        names.put(parameter, gradient.name());
        builder.output(gradient);
      }
      return new Gradients(builder.build(), names, seed != null);
    }

    private Value shaped(Value one, Value loss) {
      return node(
              lossName + "/ReshapeLike",
              ShapeGradients.RESHAPE_LIKE,
              Attributes.NONE,
              List.of(one, loss),
              1)
          .get(0);
    }

    private void check() {
      Value loss = source.value(lossName);
      boolean single =
          loss.type().isFloat() && loss.dims().stream().allMatch(dim -> dim.equals(Dim.ONE));
      if (!single) {
        throw new IllegalArgumentException(
            "network " + source.name() + ": the loss is " + loss + ", expected one real number");
      }
      for (String name : parameters) {
        Value value = source.value(name);
        if (value.producer() != null || !value.type().isFloat()) {
          throw new IllegalArgumentException(
              "network "
                  + source.name()
                  + ": parameter "
                  + value
                  + (value.producer() != null ? " is computed" : " is not real")
                  + ", expected a constant or an input of real numbers");
        }
      }
    }

    private void copyInputsAndConstants() {
      for (Value value : source.values().values()) {
        if (value.producer() != null) {
          continue;
        }
        boolean parameter = parameters.contains(value.name());
        Value copy =
            value.constant() != null && !parameter
                ? builder.constant(value.name(), value.constant())
                : builder.input(value.name(), value.type(), value.dims().toArray());
        copies.put(value, copy);
        if (parameter) {
          active.add(copy);
        }
      }
    }

    private void copy(Node node) {
      List<Value> in = new ArrayList<>();
      for (Value value : node.inputs()) {
        in.add(value == null ? null : copies.get(value));
      }
      List<String> out = node.outputs().stream().map(Value::name).toList();
      boolean isActive = in.stream().anyMatch(active::contains);
      TrainingCopy copy = new TrainingCopy(this, node, in, out, isActive);
      node.operator().copyForTraining(copy);
      for (Value value : node.outputs()) {
        Value made = builder.find(value.name());
        copies.put(value, made);
      }
    }

    /** Adds a node on the way there; what it gives depends on a parameter if one input does. */
    List<Value> forward(
        String name, Operator operator, Attributes attributes, List<Value> in, List<String> out) {
      List<Value> made = builder.node(name, operator, attributes, in, out);
      boolean isActive = in.stream().anyMatch(active::contains);
      if (isActive) {
        made.stream().filter(value -> value.type().isFloat()).forEach(active::add);
      }
      copied.add(made.get(0).producer());
      return made;
    }

    Value seed() {
      if (seed == null) {
        seed = builder.input(SEED, DType.INT64, 1);
      }
      return seed;
    }

    private void back(Node node) {
      List<Value> given = new ArrayList<>();
      boolean some = false;
      for (Value output : node.outputs()) {
        Value gradient = gradients.get(output);
        given.add(gradient);
        some |= gradient != null;
      }
      if (some && node.inputs().stream().anyMatch(active::contains)) {
        node.operator().differentiate(new Differentiation(this, node, given, active));
      }
    }

    /** Adds a share of a value's gradient. */
    void add(Value value, Value gradient) {
      Value before = gradients.get(value);
      if (before != null) {
        gradient =
            node(
                    gradient.name() + "/sum",
                    Operators.get("Add"),
                    Attributes.NONE,
                    List.of(before, gradient),
                    1)
                .get(0);
      }
      gradients.put(value, gradient);
    }

    Value constant(String name, Tensor tensor) {
      return builder.constant("gradient/" + name, tensor);
    }

    /** Adds a node on the way back. */
    List<Value> node(
        String name, Operator operator, Attributes attributes, List<Value> in, int outputs) {
      String prefix = name.startsWith("gradient/") ? name : "gradient/" + name;
      String unique = prefix;
      for (int i = 2; builder.find(unique) != null || builder.find(unique + ":0") != null; i++) {
        unique = prefix + "." + i;
      }
      List<String> out = new ArrayList<>();
      for (int i = 0; i < outputs; i++) {
        out.add(outputs == 1 ? unique : unique + ":" + i);
      }
      return builder.node(unique, operator, attributes, in, out);
    }
  }
}

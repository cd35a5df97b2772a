package io.gatun.graph;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A graph made ready for a device and for the values that are wanted: what they do not need is left
 * out, nodes are fused, weights are packed. Asking for an inner value instead of the last one is
 * how a representation is extracted; asking for several costs one pass.
 *
 * <p>Immutable and thread-safe; each thread runs it through an {@link Execution} of its own.
 * Whoever made it closes it, after its executions.
 */
public final class Plan implements AutoCloseable {
  private final Graph graph;
  private final Device device;
  private final List<Value> outputs;
  private final List<Value> inputs;
  private final List<Node> nodes;
  private final List<Operator.Compiled> compiled = new ArrayList<>();
  private final Map<Value, Buffer> constants = new HashMap<>();
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final AtomicInteger executions = new AtomicInteger();
  private final WeightFormat format;
  private final Set<Value> steering;
  private final Set<Value> used;

  /**
   * A plan on the {@linkplain Devices#best() best device} for values of the given names, with
   * weights as they are stored.
   */
  public static Plan of(Graph graph, String... outputs) {
    return on(Devices.best(), graph, outputs);
  }

  /**
   * A plan with weights as they are stored: bfloat16 stays bfloat16, which is the same numbers in
   * half the memory, and everything else becomes float32.
   *
   * @param outputs the values wanted; none for the graph's own outputs
   * @throws IllegalArgumentException if the graph has no value of such a name
   */
  public static Plan on(Device device, Graph graph, String... outputs) {
    return on(device, null, graph, outputs);
  }

  /**
   * A plan with weights in a format: the constant matrices of products and of recurrent layers.
   * Biases, embeddings, convolutions and all that is computed stay as they are.
   *
   * @param format what the weights are rounded to when they are packed; {@code null} for the one
   *     they are stored in
   * @param outputs the values wanted; none for the graph's own outputs
   * @throws IllegalArgumentException if the graph has no value of such a name, or the format cannot
   *     hold a weight
   */
  public static Plan on(Device device, WeightFormat format, Graph graph, String... outputs) {
    List<Value> wanted =
        outputs.length == 0
            ? graph.outputs()
            : new LinkedHashSet<>(List.of(outputs)).stream().map(graph::value).toList();
    if (wanted.isEmpty()) {
      throw new IllegalArgumentException("network " + graph.name() + ": no value is asked for");
    }
    return new Plan(device, format, graph, wanted);
  }

  private Plan(Device device, WeightFormat format, Graph graph, List<Value> outputs) {
    this.graph = graph;
    this.device = device;
    this.outputs = outputs;
    Set<Value> needed = new HashSet<>(outputs);
    List<Node> kept = new ArrayList<>();
    for (int i = graph.nodes().size() - 1; i >= 0; i--) {
      Node node = graph.nodes().get(i);
      if (node.outputs().stream().anyMatch(needed::contains)) {
        kept.add(0, node);
        node.inputs().stream().filter(v -> v != null).forEach(needed::add);
      }
    }
    this.inputs = graph.inputs().stream().filter(needed::contains).toList();
    this.nodes = Fusion.fuse(kept, outputs);
    this.format = format;
    this.steering = Steering.of(nodes);
    this.used = new HashSet<>(outputs);
    nodes.forEach(node -> node.inputs().stream().filter(v -> v != null).forEach(used::add));
    try (Arena scratch = Arena.ofConfined()) {
      compile(scratch);
    } catch (RuntimeException | Error e) {
      try {
        release();
      } catch (RuntimeException more) {
        e.addSuppressed(more);
      }
      throw e;
    }
  }

  private void compile(Arena scratch) {
    for (Node node : nodes) {
      boolean later = Steering.steers(node) && !(node.operator() instanceof ControlOperator);
      compiled.add(later ? null : compile(node, scratch, owned));
    }
    Set<Value> loose = new LinkedHashSet<>(outputs);
    for (int i = 0; i < nodes.size(); i++) {
      if (compiled.get(i) != null) {
        loose.addAll(compiled.get(i).operands(nodes.get(i)));
      }
    }
    for (Value value : loose) {
      if (value.constant() != null) {
        constants.put(value, buffer(value, scratch, owned));
      }
    }
  }

  /** Prepares a node; what it packs goes to {@code owner}. */
  Operator.Compiled compile(Node node, Arena scratch, List<AutoCloseable> owner) {
    return node.operator()
        .compile(new Compilation(node, device, format, scratch, owner, used::contains));
  }

  /** A constant on the device. */
  Buffer buffer(Value value, Arena scratch, List<AutoCloseable> owner) {
    Buffer buffer = device.constant(value.constant().tensor(scratch), value.name());
    owner.add(buffer);
    return buffer;
  }

  /** Whether a value must be known before a layout is made. */
  boolean steers(Value value) {
    return steering.contains(value);
  }

  /** The graph it was made from. */
  public Graph graph() {
    return graph;
  }

  /** The device it runs on. */
  public Device device() {
    return device;
  }

  /** The values it computes. */
  public List<Value> outputs() {
    return outputs;
  }

  /** The inputs it needs: those of the graph's that the outputs depend on. */
  public List<Value> inputs() {
    return inputs;
  }

  /** The nodes it runs, after pruning and fusion. */
  public List<Node> nodes() {
    return nodes;
  }

  /** An execution that computes on the calling thread alone. The caller closes it. */
  public Execution newExecution() {
    return newExecution(Workers.none());
  }

  /**
   * An execution whose operations are shared by workers. The caller closes it, before the workers
   * and before the plan.
   */
  public Execution newExecution(Workers workers) {
    if (executions.getAndUpdate(n -> n < 0 ? n : n + 1) < 0) {
      throw new IllegalStateException("plan of " + graph.name() + " is closed");
    }
    try {
      return new Execution(this, workers);
    } catch (RuntimeException | Error e) {
      executions.decrementAndGet();
      throw e;
    }
  }

  void executionClosed() {
    executions.decrementAndGet();
  }

  /** What a node was compiled to; {@code null} where that waits for what steers it. */
  Operator.Compiled compiled(int node) {
    return compiled.get(node);
  }

  Buffer constant(Value value) {
    return constants.get(value);
  }

  /**
   * Frees the packed weights.
   *
   * @throws IllegalStateException while executions are open
   */
  @Override
  public void close() {
    int open = executions.compareAndExchange(0, Integer.MIN_VALUE);
    if (open == 0) {
      release();
    } else if (open > 0) {
      throw new IllegalStateException(
          "plan of " + graph.name() + " has " + open + " open executions");
    }
  }

  private void release() {
    RuntimeException first = null;
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        RuntimeException wrapped =
            e instanceof RuntimeException r ? r : new IllegalStateException(e);
        if (first == null) {
          first = wrapped;
        } else {
          first.addSuppressed(wrapped);
        }
      }
    }
    owned.clear();
    if (first != null) {
      throw first;
    }
  }
}

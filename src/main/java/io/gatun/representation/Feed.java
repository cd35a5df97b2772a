package io.gatun.representation;

import io.gatun.graph.Dim;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How examples become the inputs of a network: which input takes them, along which axis they lie
 * side by side, which axis is time, where their lengths go. Immutable and thread-safe.
 *
 * <p>The input that takes them is the only one of real numbers, or else the only one of tokens; one
 * of whole numbers {@code [batch]} beside it takes the lengths. Other inputs are given once and
 * stay the same for all.
 */
public final class Feed {
  private final Graph graph;
  private final Value input;
  private final Value lengths;
  private final int batchAxis;
  private final int timeAxis;
  private final Map<String, Tensor> others;

  private Feed(Graph graph, Map<String, Tensor> others) {
    this.graph = graph;
    this.others = Map.copyOf(others);
    List<Value> open =
        graph.inputs().stream().filter(value -> !others.containsKey(value.name())).toList();
    List<Value> reals = open.stream().filter(value -> value.type().isFloat()).toList();
    List<Value> whole = open.stream().filter(v -> !v.type().isFloat() && v.rank() >= 2).toList();
    List<Value> candidates = reals.isEmpty() ? whole : reals;
    if (candidates.size() != 1 || candidates.get(0).rank() == 0) {
      throw new IllegalArgumentException(
          "network "
              + graph.name()
              + " reads "
              + open
              + ", expected one input of numbers or tokens with an axis for the batch; give what"
              + " stays the same for all examples");
    }
    input = candidates.get(0);
    Value sizes = null;
    for (Value value : open) {
      if (value == input) {
        continue;
      }
      if (sizes != null || value.type().isFloat() || value.rank() != 1) {
        throw new IllegalArgumentException(
            "network " + graph.name() + " also reads " + value + ", which has to be given once");
      }
      sizes = value;
    }
    lengths = sizes;
    batchAxis = batchAxis(input, lengths);
    int time = -1;
    for (int axis = 0; axis < input.rank(); axis++) {
      if (axis != batchAxis && !input.dim(axis).isKnown() && time < 0) {
        time = axis;
      }
    }
    timeAxis = time;
  }

  /** The axis of a symbol that is shared with the lengths, or is called like a batch, or first. */
  private static int batchAxis(Value input, Value lengths) {
    for (int axis = 0; axis < input.rank(); axis++) {
      boolean shared = lengths != null && !lengths.dim(0).isKnown();
      if (shared && input.dim(axis).equals(lengths.dim(0))) {
        return axis;
      }
    }
    for (int axis = 0; axis < input.rank(); axis++) {
      String name = input.dim(axis).toString().toLowerCase(Locale.ROOT);
      if (name.contains("batch") || name.equals("n")) {
        return axis;
      }
    }
    return 0;
  }

  /** The feed of a network with one input for examples, and perhaps their lengths. */
  public static Feed of(Graph graph) {
    return new Feed(graph, Map.of());
  }

  /**
   * The feed of a network with more inputs.
   *
   * @param others inputs that are the same for all examples; their memory stays the caller's
   * @throws IllegalArgumentException if it is not clear what takes the examples
   */
  public static Feed of(Graph graph, Map<String, Tensor> others) {
    others.keySet().forEach(graph::value);
    return new Feed(graph, others);
  }

  /** The network. */
  public Graph graph() {
    return graph;
  }

  /** The input that takes the examples. */
  public Value input() {
    return input;
  }

  /** Whether it takes tokens. */
  public boolean takesTokens() {
    return !input.type().isFloat();
  }

  /** The axis along which examples lie side by side. */
  public int batchAxis() {
    return batchAxis;
  }

  /** The axis of time; −1 where there is none. */
  public int timeAxis() {
    return timeAxis;
  }

  Dim batch() {
    return input.dim(batchAxis);
  }

  Dim time() {
    return timeAxis < 0 ? null : input.dim(timeAxis);
  }

  boolean hasLengths() {
    return lengths != null;
  }

  /** The sizes that an example must have: a number for each known one, −1 for others. */
  public long[] expected() {
    long[] dims = new long[input.rank() - 1];
    for (int axis = 0, at = 0; axis < input.rank(); axis++) {
      if (axis != batchAxis) {
        dims[at++] = input.dim(axis).isKnown() ? input.dim(axis).size() : -1;
      }
    }
    return dims;
  }

  /**
   * Checks an example against the network.
   *
   * @throws IllegalArgumentException that names it, what was expected and what came
   */
  public void check(Example example) {
    long[] expected = expected();
    long[] came = example.dims();
    boolean fits = came.length == expected.length && (example.tokens() != null) == takesTokens();
    for (int i = 0; fits && i < came.length; i++) {
      fits = expected[i] < 0 || came[i] == expected[i];
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "example "
              + example.id()
              + " is "
              + (example.tokens() != null ? "tokens " : "numbers ")
              + Arrays.toString(came)
              + ", but "
              + input
              + " takes "
              + (takesTokens() ? "tokens " : "numbers ")
              + Arrays.toString(expected).replace("-1", "any"));
    }
    if (example.size() == 0) {
      throw new IllegalArgumentException("example " + example.id() + " is empty");
    }
  }

  /** How many steps an example has; 1 without an axis of time. */
  int steps(Example example) {
    if (timeAxis < 0) {
      return 1;
    }
    return Math.toIntExact(example.dims()[timeAxis > batchAxis ? timeAxis - 1 : timeAxis]);
  }

  /** Whether two examples can be computed side by side. */
  boolean together(Example a, Example b, boolean sameLength) {
    if (batch().isKnown() && batch().size() == 1) {
      return false;
    }
    return Arrays.equals(a.dims(), b.dims())
        || lengths != null && !sameLength && timeAxis >= 0 && sameButTime(a, b);
  }

  private boolean sameButTime(Example a, Example b) {
    int time = timeAxis > batchAxis ? timeAxis - 1 : timeAxis;
    for (int axis = 0; axis < a.dims().length; axis++) {
      if (axis != time && a.dims()[axis] != b.dims()[axis]) {
        return false;
      }
    }
    return true;
  }

  /** The input of a batch, padded with zeros behind the end of each example. */
  Tensor pack(List<Example> examples, Arena arena) {
    int count = examples.size();
    long[] dims = new long[input.rank()];
    Example first = examples.get(0);
    for (int axis = 0, at = 0; axis < dims.length; axis++) {
      dims[axis] = axis == batchAxis ? count : first.dims()[at++];
    }
    if (timeAxis >= 0) {
      dims[timeAxis] = examples.stream().mapToInt(this::steps).max().orElse(0);
    }
    DType type = takesTokens() ? input.type() : DType.FLOAT32;
    Tensor all = Tensor.allocate(arena, type, dims);
    for (int b = 0; b < count; b++) {
      Example example = examples.get(b);
      Tensor to = all.select(batchAxis, b);
      if (timeAxis >= 0) {
        to = to.slice(timeAxis > batchAxis ? timeAxis - 1 : timeAxis, 0, steps(example));
      }
      write(example, to);
    }
    return all;
  }

  private static void write(Example example, Tensor to) {
    if (example.tokens() != null) {
      for (int t = 0; t < example.tokens().length; t++) {
        to.setLong(example.tokens()[t], t);
      }
      return;
    }
    float[] numbers = example.numbers();
    if (to.isContiguous()) {
      MemorySegment.copy(numbers, 0, to.segment(), ValueLayout.JAVA_FLOAT, 0, numbers.length);
      return;
    }
    try (Arena scratch = Arena.ofConfined()) {
      to.copyFrom(Tensor.ofFloats(scratch, numbers, example.dims()));
    }
  }

  /** The lengths of a batch. */
  Tensor lengths(List<Example> examples, Arena arena) {
    Tensor sizes = Tensor.allocate(arena, lengths.type(), examples.size());
    for (int b = 0; b < examples.size(); b++) {
      sizes.setLong(steps(examples.get(b)), b);
    }
    return sizes;
  }

  /** Gives an execution what it needs of a batch. */
  void give(Execution execution, List<Example> examples, Arena arena) {
    for (Value needed : execution.plan().inputs()) {
      if (needed.name().equals(input.name())) {
        execution.input(needed.name(), pack(examples, arena));
      } else {
        giveOther(execution, needed, examples, arena);
      }
    }
  }

  /** Gives lengths, or what stays the same for all; anything else is somebody else's to give. */
  boolean giveOther(Execution execution, Value needed, List<Example> examples, Arena arena) {
    if (lengths != null && needed.name().equals(lengths.name())) {
      execution.input(needed.name(), lengths(examples, arena));
    } else if (others.containsKey(needed.name())) {
      execution.input(needed.name(), others.get(needed.name()));
    } else {
      return false;
    }
    return true;
  }

  /** The sizes of the inputs for a batch of one example. */
  Map<String, long[]> sizes(Example example) {
    Map<String, long[]> sizes = new java.util.HashMap<>();
    List<Long> dims = new ArrayList<>();
    for (long dim : example.dims()) {
      dims.add(dim);
    }
    dims.add(batchAxis, 1L);
    sizes.put(input.name(), dims.stream().mapToLong(Long::longValue).toArray());
    if (lengths != null) {
      sizes.put(lengths.name(), new long[] {1});
    }
    others.forEach((name, tensor) -> sizes.put(name, tensor.shape().dims()));
    return sizes;
  }
}

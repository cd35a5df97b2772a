package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;

/**
 * A loop over time with a latent state, h(t) = summary(x(1..t)): what {@link SimpleRnn}, {@link
 * Gru} and {@link Lstm} have in common. The equations are those of {@link
 * io.gatun.kernel.RecurrentSpec}.
 *
 * <p>The input is {@code [time, batch, input]} unless {@link Builder#batchFirst} is told. Values
 * that a layer called {@code rnn} adds:
 *
 * <ul>
 *   <li>{@code rnn}: the sequence output {@code [time, batch, output]}; with {@code
 *       returnSequences(false)} the last state {@code [batch, output]}, and the sequence is {@code
 *       rnn.sequence};
 *   <li>{@code rnn.hidden}: the final hidden state {@code [batch, output]}, and for an LSTM {@code
 *       rnn.cell}: the final cell state; of two directions, both merged as the outputs are;
 *   <li>of two directions also {@code rnn.forward.hidden}, {@code rnn.backward.hidden}, {@code
 *       rnn.forward.cell}, {@code rnn.backward.cell}.
 * </ul>
 *
 * <p>What a plan does not ask for is not computed. {@code output} is the size of the hidden state,
 * twice that where two directions are concatenated. Immutable; see {@link Layer} for its weights.
 */
public abstract sealed class Recurrent implements Layer permits SimpleRnn, Gru, Lstm {
  private final String name;
  private final Cell cell;
  private final List<GateWeights> directions;
  private final List<Activation> activations;
  private final Merge merge;
  private final boolean reversed;
  private final boolean goBackwards;
  private final boolean returnSequences;
  private final boolean batchFirst;
  private final float clip;
  private final float epsilon;
  private final boolean resetAfter;
  private final boolean coupled;

  Recurrent(Cell cell, Builder<?> builder, List<Activation> activations) {
    this.name = builder.name;
    this.cell = cell;
    this.activations = List.copyOf(activations);
    this.merge = builder.merge;
    this.reversed = builder.reversed;
    this.goBackwards = builder.goBackwards;
    this.returnSequences = builder.returnSequences;
    this.batchFirst = builder.batchFirst;
    this.clip = builder.clip;
    this.epsilon = builder.epsilon;
    this.coupled = builder.coupled;
    if (merge != null && (reversed || goBackwards)) {
      throw new IllegalArgumentException(name + ": both directions, and reversed");
    }
    if (merge == null) {
      directions = List.of(GateWeights.read(name, cell, builder.weights, 0, 1, builder.forgetBias));
    } else if (builder.backward != null) {
      directions =
          List.of(
              GateWeights.read(name, cell, builder.weights, 0, 1, builder.forgetBias),
              GateWeights.read(name, cell, builder.backward, 0, 1, builder.forgetBias));
    } else {
      directions =
          List.of(
              GateWeights.read(name, cell, builder.weights, 0, 2, builder.forgetBias),
              GateWeights.read(name, cell, builder.weights, 1, 2, builder.forgetBias));
    }
    GateWeights first = directions.get(0);
    for (GateWeights each : directions) {
      each.expectLike(name, first);
      if (each.normalisation().isEmpty() == epsilon > 0) {
        throw new IllegalArgumentException(
            name
                + (epsilon > 0
                    ? ": layer normalisation without weights norm_input.scale, …"
                    : ": weights of a layer normalisation; layerNorm(epsilon) asks for it"));
      }
    }
    if (builder.hiddenSize > 0 && builder.hiddenSize != first.hiddenSize()) {
      throw new ShapeException(
          name
              + ": hidden size is "
              + builder.hiddenSize
              + ", but the weights are of hidden size "
              + first.hiddenSize());
    }
    this.resetAfter = cell == Cell.GRU && resetAfter(builder, first);
  }

  private static boolean resetAfter(Builder<?> builder, GateWeights weights) {
    Boolean told = builder.resetAfter;
    Boolean implied = weights.resetAfter();
    if (told != null && implied != null && !told.equals(implied)) {
      throw new IllegalArgumentException(
          builder.name
              + ": the reset gate is asked for "
              + (told ? "after" : "before")
              + " the product, but weights of convention "
              + builder.weights.convention().label()
              + " in this form have it "
              + (implied ? "after" : "before")
              + " it");
    }
    if (told != null || implied != null) {
      return told != null ? told : implied;
    }
    // Without a bias Keras' weights look alike; reset_after=True is its default since version 2.
    return builder.weights.convention() == Convention.KERAS;
  }

  @Override
  public final String name() {
    return name;
  }

  /** The number of features of the input. */
  public final int inputSize() {
    return Math.toIntExact(directions.get(0).inputSize());
  }

  /** The number of units; the size of an LSTM's cell state. */
  public final int hiddenSize() {
    return Math.toIntExact(directions.get(0).hiddenSize());
  }

  /** The size of the hidden state of one direction: the projection's where there is one. */
  public final int stateSize() {
    return Math.toIntExact(directions.get(0).stateSize());
  }

  /** The number of features of the output. */
  public final int outputSize() {
    return merge == Merge.CONCAT ? 2 * stateSize() : stateSize();
  }

  /** 1 or 2. */
  public final int directions() {
    return directions.size();
  }

  /** Adds the layer with an initial state of zeros, all sequences of full length. */
  @Override
  public final Value apply(Graph.Builder graph, Value input) {
    return unroll(graph, input, null, null).value();
  }

  /** Adds the layer with an initial state of zeros. */
  public final Result unroll(Graph.Builder graph, Value input, Value lengths) {
    return unroll(graph, input, lengths, null);
  }

  /**
   * Adds the layer.
   *
   * @param graph the graph that is being built
   * @param input {@code [time, batch, input]}
   * @param lengths int32 {@code [batch]}: sequence b has {@code lengths[b]} time steps, later
   *     outputs are 0 and the final state is that after its last step; {@code null}: all are full
   * @param initial the state before the first step, {@code null} for zeros
   * @throws ShapeException if the values do not fit the weights
   */
  public final Result unroll(Graph.Builder graph, Value input, Value lengths, State initial) {
    if (input.rank() != 3 || !input.dim(2).matches(Dim.of(inputSize()))) {
      throw new ShapeException(
          name
              + ": input is "
              + input
              + (batchFirst ? ", expected [batch, time, " : ", expected [time, batch, ")
              + inputSize()
              + "]");
    }
    List<Value> in = new ArrayList<>();
    in.add(input);
    in.add(gates(graph, "W", GateWeights::input, hiddenSize(), inputSize()));
    in.add(gates(graph, "R", GateWeights::recurrent, hiddenSize(), stateSize()));
    in.add(bias(graph));
    in.add(lengths);
    in.add(initial == null ? null : rows(graph, initial.hidden(), stateSize(), "hidden"));
    in.add(
        initial == null || cell != Cell.LSTM
            ? null
            : rows(graph, initial.cell(), hiddenSize(), "cell"));
    in.add(some(graph, "P", GateWeights::peepholes, 3L * hiddenSize()));
    in.add(
        directions.get(0).projection() == null
            ? null
            : constant(
                graph,
                "projection",
                directions.stream().map(GateWeights::projection).toList(),
                directions(),
                stateSize(),
                hiddenSize()));
    for (int i = 0; i < directions.get(0).normalisation().size(); i++) {
      int part = i;
      long size = (i < 4 ? cell.gates() : 1L) * hiddenSize();
      in.add(some(graph, "norm" + i, weights -> weights.normalisation().get(part), size));
    }
    while (in.get(in.size() - 1) == null) {
      in.remove(in.size() - 1);
    }
    List<Activation> all = new ArrayList<>();
    directions.forEach(direction -> all.addAll(activations));
    Attributes attributes =
        Attributes.of(
                "direction",
                directions() == 2
                    ? "bidirectional"
                    : reversed || goBackwards ? "reverse" : "forward",
                "hidden_size",
                hiddenSize(),
                "layout",
                batchFirst ? 1 : 2,
                "clip",
                clip > 0 ? clip : null,
                "epsilon",
                epsilon > 0 ? epsilon : null,
                "linear_before_reset",
                resetAfter ? 1 : null,
                "input_forget",
                coupled ? 1 : null)
            .withActivations(all);
    List<String> names = new ArrayList<>(List.of(name + ".steps", name + ".states"));
    if (cell == Cell.LSTM) {
      names.add(name + ".cells");
    }
    return new Result(graph, graph.node(name, cell.name(), attributes, in, names), initial);
  }

  /**
   * Adds inputs for an initial state, {@code NAME.initial.hidden} and for an LSTM {@code
   * NAME.initial.cell}: {@code [batch, size]}, or {@code [2, batch, size]} for two directions.
   *
   * @param batch the size or symbol of the batch axis, as of the layer's input
   */
  public final State stateInputs(Graph.Builder graph, DType type, Object batch) {
    Value hidden = stateInput(graph, "hidden", type, batch, stateSize());
    return new State(
        hidden, cell == Cell.LSTM ? stateInput(graph, "cell", type, batch, hiddenSize()) : null);
  }

  private Value stateInput(Graph.Builder graph, String what, DType type, Object batch, int size) {
    String valueName = name + ".initial." + what;
    return directions() == 1
        ? graph.input(valueName, type, batch, size)
        : batchFirst
            ? graph.input(valueName, type, batch, 2, size)
            : graph.input(valueName, type, 2, batch, size);
  }

  private Value rows(Graph.Builder graph, Value state, int size, String what) {
    if (state == null) {
      return null;
    }
    if (!state.dim(state.rank() - 1).matches(Dim.of(size))) {
      throw new ShapeException(
          name + ": initial " + what + " state is " + state + ", expected " + size + " features");
    }
    if (state.rank() == 2 && directions() == 1) {
      return graph.node(
          name + ".initial." + what + ".directions",
          "Unsqueeze",
          Attributes.of("axes", new long[] {batchFirst ? 1 : 0}),
          state);
    }
    return state;
  }

  // ---- weights as constants: views, block by block ----------------------------------------------

  private Value gates(
      Graph.Builder graph,
      String what,
      Function<GateWeights, List<Tensor>> part,
      long hidden,
      long columns) {
    List<Tensor> blocks = new ArrayList<>();
    directions.forEach(direction -> blocks.addAll(part.apply(direction)));
    return constant(graph, what, blocks, directions(), cell.gates() * hidden, columns);
  }

  private Value bias(Graph.Builder graph) {
    boolean none =
        directions.stream()
            .allMatch(each -> each.inputBias().isEmpty() && each.recurrentBias().isEmpty());
    if (none) {
      return null;
    }
    List<Tensor> blocks = new ArrayList<>();
    for (GateWeights each : directions) {
      for (List<Tensor> part : List.of(each.inputBias(), each.recurrentBias())) {
        blocks.addAll(
            part.isEmpty()
                ? Collections.nCopies(cell.gates(), Parts.filled(biasType(), 0, hiddenSize()))
                : part);
      }
    }
    return constant(graph, "B", blocks, directions(), 2L * cell.gates() * hiddenSize());
  }

  private DType biasType() {
    for (GateWeights each : directions) {
      for (List<Tensor> part : List.of(each.inputBias(), each.recurrentBias())) {
        if (!part.isEmpty()) {
          return part.get(0).dtype();
        }
      }
    }
    return directions.get(0).dtype();
  }

  private Value some(
      Graph.Builder graph, String what, Function<GateWeights, List<Tensor>> part, long size) {
    List<Tensor> blocks = new ArrayList<>();
    directions.forEach(direction -> blocks.addAll(part.apply(direction)));
    return blocks.isEmpty() ? null : constant(graph, what, blocks, directions(), size);
  }

  private Value constant(Graph.Builder graph, String what, List<Tensor> blocks, long... dims) {
    try {
      return graph.constant(name + "." + what, Constant.of(Shape.of(dims), blocks));
    } catch (ShapeException e) {
      throw new ShapeException(name + "." + what + ": " + e.getMessage());
    }
  }

  // ---- what comes out ---------------------------------------------------------------------------

  /**
   * The state of a recurrent layer between two time steps.
   *
   * @param hidden {@code [batch, state]}, or {@code [2, batch, state]} for two directions
   * @param cell an LSTM's cell state, {@code [batch, hidden]} or {@code [2, batch, hidden]}; {@code
   *     null} for others, and for zeros where the hidden state alone is given
   */
  public record State(Value hidden, Value cell) {
    /** A state that is the hidden state alone. */
    public static State of(Value hidden) {
      return new State(hidden, null);
    }
  }

  /** What a recurrent layer has added to a graph. */
  public final class Result {
    private final Value output;
    private final Value hidden;
    private final Value cellState;
    private final Value value;
    private final State state;
    private final State initial;

    private Result(Graph.Builder graph, List<Value> raw, State initial) {
      this.initial = initial;
      String sequence = returnSequences ? name : name + ".sequence";
      Value steps = merged(graph, raw.get(0), goBackwards ? name + ".natural" : sequence);
      if (goBackwards) {
        steps =
            graph.node(
                sequence,
                "Slice",
                Attributes.of(
                    "starts", new long[] {-1},
                    "ends", new long[] {Integer.MIN_VALUE},
                    "axes", new long[] {batchFirst ? 1 : 0},
                    "steps", new long[] {-1}),
                steps);
      }
      output = steps;
      hidden = last(graph, raw.get(1), "hidden");
      cellState = raw.size() > 2 ? last(graph, raw.get(2), "cell") : null;
      value = returnSequences ? output : graph.alias(name, hidden);
      state =
          directions() == 1
              ? new State(hidden, cellState)
              : new State(raw.get(1), raw.size() > 2 ? raw.get(2) : null);
    }

    /** Joins {@code [time, batch, directions, state]} along the directions. */
    private Value merged(Graph.Builder graph, Value steps, String valueName) {
      if (merge == null) {
        return graph.node(valueName, "Squeeze", Attributes.of("axes", new long[] {2}), steps);
      }
      if (merge == Merge.CONCAT) {
        return graph.node(
            valueName, "Reshape", Attributes.of("shape", new long[] {0, 0, outputSize()}), steps);
      }
      return graph.node(
          valueName,
          merge.reduction(),
          Attributes.of("axes", new long[] {2}, "keepdims", 0),
          steps);
    }

    /** Takes {@code [directions, batch, size]} apart and joins it; batch first where that is so. */
    private Value last(Graph.Builder graph, Value states, String what) {
      int axis = batchFirst ? 1 : 0;
      Attributes first = Attributes.of("axes", new long[] {axis});
      String valueName = name + "." + what;
      if (merge == null) {
        return graph.node(valueName, "Squeeze", first, states);
      }
      List<Value> each = new ArrayList<>();
      for (int d = 0; d < 2; d++) {
        String direction = name + (d == 0 ? ".forward." : ".backward.") + what;
        Value part =
            graph.node(
                direction + ".direction",
                "Slice",
                Attributes.of(
                    "starts", new long[] {d},
                    "ends", new long[] {d + 1},
                    "axes", new long[] {axis}),
                states);
        each.add(graph.node(direction, "Squeeze", first, part));
      }
      if (merge == Merge.CONCAT) {
        return graph.node(
            valueName, "Concat", Attributes.of("axis", 1), each.toArray(new Value[0]));
      }
      return graph.node(
          valueName,
          merge.reduction(),
          Attributes.of("axes", new long[] {axis}, "keepdims", 0),
          states);
    }

    /** The layer: what it was added to the network for. */
    public Value value() {
      return value;
    }

    /** The sequence output {@code [time, batch, output]}. */
    public Value output() {
      return output;
    }

    /** The final hidden state {@code [batch, output]}; of two directions, both merged. */
    public Value hidden() {
      return hidden;
    }

    /** An LSTM's final cell state {@code [batch, …]}, merged likewise; {@code null} for others. */
    public Value cell() {
      return cellState;
    }

    /** The final state as another layer, or this one in the next run, takes it as initial state. */
    public State state() {
      return state;
    }

    /**
     * Which outputs of the graph become which inputs in the next run, for {@link
     * StatefulExecution}; empty without an initial state.
     */
    public List<StatefulExecution.Carry> carries() {
      List<StatefulExecution.Carry> carries = new ArrayList<>();
      if (initial != null) {
        carries.add(new StatefulExecution.Carry(initial.hidden().name(), state.hidden().name()));
        if (initial.cell() != null) {
          carries.add(new StatefulExecution.Carry(initial.cell().name(), state.cell().name()));
        }
      }
      return carries;
    }
  }

  /**
   * Adds recurrent layers one on top of the other: the sequence output of each is the input of the
   * next.
   *
   * @param layers from the first to the topmost
   * @param lengths as for {@link #unroll(Graph.Builder, Value, Value, State)}
   * @param initial a state for each layer, or {@code null}
   * @return what each layer has added
   */
  public static List<Result> stack(
      Graph.Builder graph,
      List<? extends Recurrent> layers,
      Value input,
      Value lengths,
      List<State> initial) {
    if (initial != null && initial.size() != layers.size()) {
      throw new IllegalArgumentException(
          initial.size() + " initial states for " + layers.size() + " layers");
    }
    List<Result> results = new ArrayList<>();
    Value below = input;
    for (int i = 0; i < layers.size(); i++) {
      Result result =
          layers.get(i).unroll(graph, below, lengths, initial == null ? null : initial.get(i));
      results.add(result);
      below = result.output();
    }
    return results;
  }

  /** What all recurrent layers can be told. Not thread-safe. */
  public abstract static sealed class Builder<B extends Builder<B>>
      permits SimpleRnn.Builder, Gru.Builder, Lstm.Builder {
    private final String name;
    private Weights weights;
    private Weights backward;
    private Merge merge;
    private boolean reversed;
    private boolean goBackwards;
    private boolean returnSequences = true;
    private boolean batchFirst;
    private float clip;
    private float epsilon;
    private int hiddenSize;
    double forgetBias = Double.NaN;
    boolean coupled;
    Boolean resetAfter;

    Builder(String name) {
      this.name = name;
    }

    abstract B self();

    /** The weights; of the forward direction, where there are two. */
    public B weights(Weights forward) {
      this.weights = forward;
      return self();
    }

    /** A second direction, from the end of each sequence to its start. */
    public B bidirectional(Merge how, Weights backwardWeights) {
      this.merge = how;
      this.backward = backwardWeights;
      return self();
    }

    /** Two directions whose weights are both in {@link #weights}, as ONNX has them. */
    public B bidirectional(Merge how) {
      return bidirectional(how, null);
    }

    /**
     * Walks each sequence from its end to its start; outputs stay at the time steps they belong to,
     * as in ONNX ({@code direction = reverse}) and in PyTorch's backward half.
     */
    public B reversed() {
      this.reversed = true;
      return self();
    }

    /**
     * Walks each sequence from its end to its start, and gives the outputs in the order in which
     * they were computed, as Keras' {@code go_backwards}: {@code output[0]} belongs to the last
     * time step. Where sequences are shorter, the zeros come first, as with Keras' mask.
     */
    public B goBackwards() {
      this.goBackwards = true;
      return self();
    }

    /**
     * Whether the layer stands for its sequence output (as it does unless told otherwise) or for
     * its last state.
     */
    public B returnSequences(boolean all) {
      this.returnSequences = all;
      return self();
    }

    /**
     * Input and sequence output are {@code [batch, time, …]}, and states of two directions {@code
     * [batch, 2, …]}.
     */
    public B batchFirst() {
      this.batchFirst = true;
      return self();
    }

    /** Bounds the arguments of the gates' activations to ± the given number. */
    public B clip(float bound) {
      this.clip = bound;
      return self();
    }

    /**
     * Normalises the input product, the recurrent product and an LSTM's cell state (Ba et al.
     * 2016); the weights have scales and shifts then, see {@link Convention}.
     *
     * @param added what is added to variances, such as 1e-5
     */
    public B layerNorm(float added) {
      if (!(added > 0)) {
        throw new IllegalArgumentException(name + ": epsilon " + added + ", expected more than 0");
      }
      this.epsilon = added;
      return self();
    }

    /** Has the weights checked to be of as many units; without it they say themselves. */
    public B hiddenSize(int units) {
      this.hiddenSize = units;
      return self();
    }

    static List<Activation> list(Activation... activations) {
      return Arrays.asList(activations);
    }
  }
}

package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedEmbedding;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * ONNX RNN, GRU and LSTM with constant weights. Inputs: X, W {@code [directions, gates × hidden,
 * input]}, R, B, sequence_lens, initial_h, and for an LSTM initial_c and P; outputs Y {@code [time,
 * directions, batch, state]}, Y_h, and for an LSTM Y_c. With {@code layout} 1 the batch comes
 * first. Beyond ONNX, with {@code layout} 2 only Y differs from layout 0: {@code [time, batch,
 * directions, state]}, so that two directions stand side by side without a copy.
 *
 * <p>Beyond ONNX, an LSTM may have a projection (input 8, {@code [directions, projection,
 * hidden]}), and every cell layer normalisation: attribute {@code epsilon} and inputs 9 to 14,
 * {@code [directions, …]} each, in the order of {@link RecurrentWeights#normalisation()}.
 *
 * <p>With a table X are tokens, int32 or int64 without the last axis: the rows of the table that
 * the layer takes as its input.
 *
 * @param table {@code [rows, input]}, or {@code null}
 */
record RecurrentOperator(Cell cell, Constant table) implements Operator {
  static final int BIAS = 3;
  static final int LENGTHS = 4;
  static final int HIDDEN = 5;
  static final int CELL = 6;
  static final int PEEPHOLES = 7;
  static final int PROJECTION = 8;
  static final int NORMALISATION = 9;

  /** Numbers that the products of an embedding's rows may have: 32 MiB in float32. */
  private static final long MOST_PRODUCTS = 1L << 23;

  /** Those whose {@code alpha} ONNX reads from the list; and those that read {@code beta}. */
  static final Set<Activation.Kind> WITH_ALPHA =
      Set.of(
          Activation.Kind.AFFINE,
          Activation.Kind.LEAKY_RELU,
          Activation.Kind.THRESHOLDED_RELU,
          Activation.Kind.SCALED_TANH,
          Activation.Kind.HARD_SIGMOID,
          Activation.Kind.ELU,
          Activation.Kind.SELU,
          Activation.Kind.SWISH);

  static final Set<Activation.Kind> WITH_BETA =
      Set.of(
          Activation.Kind.AFFINE,
          Activation.Kind.SCALED_TANH,
          Activation.Kind.HARD_SIGMOID,
          Activation.Kind.SELU);

  static List<Operator> all() {
    return List.of(
        new RecurrentOperator(Cell.RNN, null),
        new RecurrentOperator(Cell.GRU, null),
        new RecurrentOperator(Cell.LSTM, null));
  }

  @Override
  public String type() {
    return table == null ? cell.name() : "Gather+" + cell.name();
  }

  /**
   * The layer with an embedding in front of it as one node that takes tokens; {@code null} where
   * the device would form too large a table of products.
   */
  static Node join(Node layer, Node gather) {
    Value tokens = gather.inputs().get(1);
    Constant table = gather.inputs().get(0).constant();
    if (table == null
        || layer.inputs().get(1).constant() == null
        || table.shape().rank() != 2
        || tokens.rank() != 2
        || gather.attributes().integer("axis", 0) != 0
        || table.shape().elements() == 0) {
      return null;
    }
    long products = Math.multiplyExact(table.shape().dim(0), layer.inputs().get(1).dim(1).size());
    if (products > MOST_PRODUCTS) {
      return null;
    }
    List<Value> inputs = new ArrayList<>(layer.inputs());
    inputs.set(0, tokens);
    Cell cell = ((RecurrentOperator) layer.operator()).cell;
    return new Node(
        layer.name(),
        new RecurrentOperator(cell, table),
        layer.attributes(),
        inputs,
        layer.outputs());
  }

  static int directions(Attributes attributes) {
    return attributes.string("direction", "forward").equals("bidirectional") ? 2 : 1;
  }

  static boolean batchFirst(Attributes attributes) {
    return attributes.integer("layout", 0) == 1;
  }

  static boolean directionsInner(Attributes attributes) {
    return attributes.integer("layout", 0) == 2;
  }

  static boolean reverse(Attributes attributes, int direction) {
    return direction == 1 || attributes.string("direction", "forward").equals("reverse");
  }

  /** The activations of one direction. */
  private List<Activation> activations(Attributes attributes, int direction) {
    List<String> names = attributes.strings("activations");
    if (names.isEmpty()) {
      return cell.defaultActivations();
    }
    int each = cell.defaultActivations().size();
    if (names.size() != each * directions(attributes)) {
      throw new IllegalArgumentException(
          names.size() + " activations, expected " + each * directions(attributes));
    }
    float[] alphas = attributes.reals("activation_alpha");
    float[] betas = attributes.reals("activation_beta");
    List<Activation> all = new ArrayList<>();
    int alpha = 0;
    int beta = 0;
    for (String name : names) {
      Activation plain = Activation.of(name);
      Activation.Kind kind = plain.kind();
      all.add(
          new Activation(
              kind,
              WITH_ALPHA.contains(kind) && alpha < alphas.length ? alphas[alpha++] : plain.alpha(),
              WITH_BETA.contains(kind) && beta < betas.length ? betas[beta++] : plain.beta()));
    }
    return all.subList(direction * each, (direction + 1) * each);
  }

  RecurrentSpec spec(Node node, int direction, int input, int hidden, int projection) {
    Attributes attributes = node.attributes();
    try {
      return new RecurrentSpec(
          cell,
          input,
          hidden,
          projection,
          activations(attributes, direction),
          attributes.real("clip", 0),
          cell == Cell.GRU && attributes.integer("linear_before_reset", 0) != 0,
          cell == Cell.LSTM && attributes.integer("input_forget", 0) != 0,
          attributes.real("epsilon", 0));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(node.name() + ": " + e.getMessage(), e);
    }
  }

  /** Weights are packed: all inputs but the sequences, their lengths and the states. */
  @Override
  public boolean steers(Node node, int input) {
    return input == 1
        || input == 2
        || input == BIAS
        || (input == PEEPHOLES && cell == Cell.LSTM)
        || input >= PROJECTION;
  }

  @Override
  public void infer(Inference inference) {
    if (table == null) {
      ElementwiseOperators.requireReal(inference);
    }
    Attributes attributes = inference.attributes();
    boolean batchFirst = batchFirst(attributes);
    inference.expectRank(0, table == null ? 3 : 2);
    Dim time = inference.dim(0, batchFirst ? 1 : 0);
    Dim batch = inference.dim(0, batchFirst ? 0 : 1);
    Dim input = table == null ? inference.dim(0, 2) : Dim.of(table.shape().dim(1));
    Dim directions = Dim.of(directions(attributes));
    inference.expectRank(1, 3);
    inference.expectRank(2, 3);
    Dim rows = inference.dim(1, 1);
    int gates = cell.gates();
    if (!rows.isKnown() || rows.size() == 0 || rows.size() % gates != 0) {
      throw inference.error(
          "weight W is " + inference.dims(1) + ", expected " + gates + " × hidden rows");
    }
    Dim hidden = Dim.of(rows.size() / gates);
    if (attributes.has("hidden_size") && attributes.integer("hidden_size", 0) != hidden.size()) {
      throw inference.error(
          "hidden_size is "
              + attributes.integer("hidden_size", 0)
              + ", but weight W is "
              + inference.dims(1));
    }
    if (inference.has(PROJECTION)) {
      inference.expectRank(PROJECTION, 3);
    }
    Dim state = inference.has(PROJECTION) ? inference.dim(PROJECTION, 1) : hidden;
    inference.expect(1, directions, rows, input);
    inference.expect(2, directions, rows, state);
    if (inference.has(BIAS)) {
      inference.expect(BIAS, directions, Dim.of(2 * rows.size()));
    }
    if (inference.has(LENGTHS)) {
      inference.expect(LENGTHS, batch);
      if (inference.type(LENGTHS) != DType.INT32) {
        throw inference.error(
            "sequence lengths are " + inference.type(LENGTHS).label() + ", expected int32");
      }
    }
    if (inference.has(HIDDEN)) {
      inference.expect(
          HIDDEN, batchFirst ? batch : directions, batchFirst ? directions : batch, state);
    }
    if (cell == Cell.LSTM && inference.has(CELL)) {
      inference.expect(
          CELL, batchFirst ? batch : directions, batchFirst ? directions : batch, hidden);
    }
    if (cell == Cell.LSTM && inference.has(PEEPHOLES)) {
      inference.expect(PEEPHOLES, directions, Dim.of(3 * hidden.size()));
    }
    if (inference.has(PROJECTION)) {
      inference.expect(PROJECTION, directions, state, hidden);
    }
    // The settings are checked here so that a wrong one is known when the node is added.
    spec(inference.node(), 0, 0, Math.toIntExact(hidden.size()), 0);
    DType type = inference.computedType(table == null ? 0 : 1);
    if (batchFirst) {
      inference.output(type, batch, time, directions, state);
      inference.output(type, batch, directions, state);
    } else {
      if (directionsInner(attributes)) {
        inference.output(type, time, batch, directions, state);
      } else {
        inference.output(type, time, directions, batch, state);
      }
      inference.output(type, directions, batch, state);
    }
    if (cell == Cell.LSTM) {
      if (batchFirst) {
        inference.output(type, batch, directions, hidden);
      } else {
        inference.output(type, directions, batch, hidden);
      }
    }
  }

  @Override
  public void copyForTraining(TrainingCopy copy) {
    RecurrentGradients.copy(copy, this);
  }

  @Override
  public Compiled compile(Compilation compilation) {
    Node node = compilation.node();
    int directions = directions(compilation.attributes());
    PackedRecurrent[] packed = new PackedRecurrent[directions];
    PackedEmbedding[] embeddings = new PackedEmbedding[directions];
    if (directions == 2 && table == null) {
      packBoth(compilation, packed);
    } else {
      for (int d = 0; d < directions; d++) {
        packed[d] = pack(compilation, d, directions);
        if (table != null) {
          Tensor rows = table.tensor(compilation.scratch());
          embeddings[d] = compilation.own(compilation.device().pack(packed[d], rows));
        }
      }
    }
    return new Compiled() {
      @Override
      public List<Value> operands(Node of) {
        List<Value> used = new ArrayList<>();
        used.add(of.inputs().get(0));
        for (int input = LENGTHS; input < Math.min(PEEPHOLES, of.inputs().size()); input++) {
          if (of.inputs().get(input) != null) {
            used.add(of.inputs().get(input));
          }
        }
        return used;
      }

      @Override
      public Step bind(Binding binding) {
        return RecurrentOperator.this.bind(binding, node, packed, embeddings);
      }
    };
  }

  private PackedRecurrent pack(Compilation compilation, int direction, int directions) {
    DirectionWeights one = direct(compilation, direction, directions);
    try {
      return compilation.own(
          compilation.device().pack(one.spec, one.weights, compilation.format(one.matrices())));
    } catch (IllegalArgumentException e) {
      throw compilation.unpackable(e);
    }
  }

  private void packBoth(Compilation compilation, PackedRecurrent[] packed) {
    DirectionWeights forward = direct(compilation, 0, 2);
    DirectionWeights backward = direct(compilation, 1, 2);
    List<Tensor> matrices = forward.matrices();
    matrices.addAll(backward.matrices());
    try {
      List<PackedRecurrent> both =
          compilation
              .device()
              .pack(
                  List.of(forward.spec, backward.spec),
                  List.of(forward.weights, backward.weights),
                  compilation.format(matrices));
      packed[0] = compilation.own(both.get(0));
      packed[1] = compilation.own(both.get(1));
    } catch (IllegalArgumentException e) {
      throw compilation.unpackable(e);
    }
  }

  /** One direction: what kind of layer, and its weights. */
  private record DirectionWeights(RecurrentSpec spec, RecurrentWeights weights) {
    List<Tensor> matrices() {
      List<Tensor> matrices = new ArrayList<>(weights.input());
      matrices.addAll(weights.recurrent());
      if (weights.projection() != null) {
        matrices.add(weights.projection());
      }
      return matrices;
    }
  }

  private DirectionWeights direct(Compilation compilation, int direction, int directions) {
    Node node = compilation.node();
    Arena scratch = compilation.scratch();
    Constant w = compilation.requireConstant(1, "weight W");
    Constant r = compilation.requireConstant(2, "weight R");
    int gates = cell.gates();
    long hidden = w.shape().dim(1) / gates;
    long input = w.shape().dim(2);
    long state = r.shape().dim(2);
    List<Tensor> inputBias = List.of();
    List<Tensor> recurrentBias = List.of();
    if (compilation.has(BIAS)) {
      List<Tensor> biases = compilation.requireConstant(BIAS, "bias B").blocks(scratch, hidden);
      int from = direction * 2 * gates;
      inputBias = biases.subList(from, from + gates);
      recurrentBias = biases.subList(from + gates, from + 2 * gates);
    }
    List<Tensor> peepholes = List.of();
    if (cell == Cell.LSTM && compilation.has(PEEPHOLES)) {
      peepholes =
          compilation
              .requireConstant(PEEPHOLES, "peepholes P")
              .blocks(scratch, hidden)
              .subList(direction * 3, direction * 3 + 3);
    }
    Tensor projection = null;
    if (compilation.has(PROJECTION)) {
      projection =
          compilation
              .requireConstant(PROJECTION, "the projection")
              .blocks(scratch, state, hidden)
              .get(direction);
    }
    List<Tensor> normalisation = new ArrayList<>();
    for (int i = NORMALISATION; i < node.inputs().size(); i++) {
      Constant part = compilation.requireConstant(i, "layer normalisation");
      normalisation.add(part.blocks(scratch, part.shape().elements() / directions).get(direction));
    }
    RecurrentSpec spec =
        spec(
            node,
            direction,
            Math.toIntExact(input),
            Math.toIntExact(hidden),
            projection == null ? 0 : Math.toIntExact(state));
    RecurrentWeights weights =
        new RecurrentWeights(
            w.blocks(scratch, hidden, input).subList(direction * gates, (direction + 1) * gates),
            r.blocks(scratch, hidden, state).subList(direction * gates, (direction + 1) * gates),
            inputBias,
            recurrentBias,
            peepholes,
            projection,
            normalisation);
    return new DirectionWeights(spec, weights);
  }

  private Step bind(
      Binding binding, Node node, PackedRecurrent[] packed, PackedEmbedding[] embeddings) {
    int directions = packed.length;
    boolean batchFirst = batchFirst(node.attributes());
    boolean inner = directionsInner(node.attributes());
    long[] x = binding.inputDims(0);
    long time = x[batchFirst ? 1 : 0];
    long batch = x[batchFirst ? 0 : 1];
    // Strides count elements of what the layer is given: numbers, or tokens.
    long input = table == null ? x[2] : 1;
    int bytes = binding.inputType(table == null ? 0 : 1).bytes();
    Direction[] all = new Direction[directions];
    for (int d = 0; d < directions; d++) {
      long state = packed[d].spec().stateSize();
      long hidden = packed[d].spec().hiddenSize();
      RecurrentCall call = new RecurrentCall();
      call.reverse = reverse(node.attributes(), d);
      call.time = Math.toIntExact(time);
      call.batch = Math.toIntExact(batch);
      if (table == null) {
        call.input = binding.input(0);
      } else {
        call.embedding = embeddings[d];
        call.tokens = binding.input(0);
        call.tokenType = binding.inputType(0);
      }
      call.inputTimeStride = batchFirst ? input : batch * input;
      call.inputRowStride = batchFirst ? time * input : input;
      call.lengths = binding.has(LENGTHS) ? binding.input(LENGTHS) : null;
      // Y is [time, directions, batch, state], [batch, time, directions, state], or
      // [time, batch, directions, state].
      call.outputTimeStride = batchFirst ? directions * state : directions * batch * state;
      call.outputRowStride =
          batchFirst ? time * directions * state : inner ? directions * state : state;
      long first = batchFirst || inner ? d * state : d * batch * state;
      all[d] =
          new Direction(
              call,
              part(binding.output(0), first * bytes),
              states(
                  binding.has(HIDDEN) ? binding.input(HIDDEN) : null,
                  binding,
                  d,
                  directions,
                  batch,
                  state,
                  batchFirst,
                  bytes),
              states(binding.output(1), binding, d, directions, batch, state, batchFirst, bytes),
              cell != Cell.LSTM
                  ? null
                  : states(
                      binding.has(CELL) ? binding.input(CELL) : null,
                      binding,
                      d,
                      directions,
                      batch,
                      hidden,
                      batchFirst,
                      bytes),
              cell != Cell.LSTM
                  ? null
                  : states(
                      binding.output(2), binding, d, directions, batch, hidden, batchFirst, bytes));
    }
    if (directions == 2 && table == null) {
      return kernels -> {
        all[0].begin(kernels);
        all[1].begin(kernels);
        kernels.recurrent(packed[0], all[0].call, packed[1], all[1].call);
        all[0].finish(kernels);
        all[1].finish(kernels);
      };
    }
    return kernels -> {
      for (int d = 0; d < directions; d++) {
        all[d].begin(kernels);
        kernels.recurrent(packed[d], all[d].call);
        all[d].finish(kernels);
      }
    };
  }

  static Part part(Region whole, long offset) {
    return whole == null ? null : new Part(whole, new Region(), offset);
  }

  /** One direction's rows of a state: [directions, batch, size], or [batch, directions, size]. */
  static States states(
      Region whole,
      Binding binding,
      int direction,
      int directions,
      long batch,
      long size,
      boolean batchFirst,
      int bytes) {
    if (whole == null) {
      return null;
    }
    if (!batchFirst || directions == 1) {
      return new States(
          part(whole, direction * batch * size * bytes), whole, null, 0, null, null, null, bytes);
    }
    Region rows = binding.scratch(batch * size * bytes);
    return new States(
        null,
        whole,
        rows,
        direction * size,
        new long[] {(long) directions * size, 1},
        new long[] {size, 1},
        new long[] {batch, size},
        bytes);
  }

  /** A region that begins somewhere within another one, wherever that points. */
  record Part(Region whole, Region region, long offset) {
    Region point() {
      // Without time steps or sequences there is nothing, not even where this would begin.
      long begin = Math.min(offset, whole.bytes());
      return region.set(whole.buffer(), whole.offset() + begin, whole.bytes() - begin);
    }
  }

  /**
   * A state as the kernels want it, {@code [batch, size]}: in place, or through scratch memory
   * where the rows of two directions alternate.
   */
  record States(
      Part part,
      Region whole,
      Region rows,
      long offset,
      long[] strides,
      long[] dense,
      long[] extent,
      int bytes) {
    Region in(Kernels kernels) {
      if (part != null) {
        return part.point();
      }
      kernels.copyStrided(whole, offset, strides, rows, 0, dense, extent, bytes);
      return rows;
    }

    Region out() {
      return part != null ? part.point() : rows;
    }

    void finish(Kernels kernels) {
      if (part == null) {
        kernels.copyStrided(rows, 0, dense, whole, offset, strides, extent, bytes);
      }
    }
  }

  private record Direction(
      RecurrentCall call,
      Part output,
      States initialHidden,
      States finalHidden,
      States initialCell,
      States finalCell) {
    void begin(Kernels kernels) {
      call.output = output == null ? null : output.point();
      call.initialHidden = initialHidden == null ? null : initialHidden.in(kernels);
      call.initialCell = initialCell == null ? null : initialCell.in(kernels);
      call.finalHidden = finalHidden == null ? null : finalHidden.out();
      call.finalCell = finalCell == null ? null : finalCell.out();
    }

    void finish(Kernels kernels) {
      if (finalHidden != null) {
        finalHidden.finish(kernels);
      }
      if (finalCell != null) {
        finalCell.finish(kernels);
      }
    }
  }
}

package io.gatun.kernel;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.kernel.KernelBench.Packed;
import io.gatun.kernel.KernelBench.Side;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One recurrent layer with weights, and sequences to run it over. */
final class RecurrentCase {

  /** The kinds of layer there are; sizes come later. */
  enum Variant {
    RNN_TANH(RecurrentSpec.Cell.RNN),
    RNN_RELU(RecurrentSpec.Cell.RNN),
    RNN_IDENTITY(RecurrentSpec.Cell.RNN),
    RNN_SOFTSIGN_NO_BIAS(RecurrentSpec.Cell.RNN),
    RNN_CLIP(RecurrentSpec.Cell.RNN),
    RNN_NORMALISED(RecurrentSpec.Cell.RNN),
    GRU_AFTER(RecurrentSpec.Cell.GRU),
    GRU_BEFORE(RecurrentSpec.Cell.GRU),
    GRU_AFTER_HARD_SIGMOID_RELU(RecurrentSpec.Cell.GRU),
    GRU_BEFORE_HARD_SIGMOID_SOFTSIGN(RecurrentSpec.Cell.GRU),
    GRU_AFTER_CLIP(RecurrentSpec.Cell.GRU),
    GRU_BEFORE_CLIP_NO_BIAS(RecurrentSpec.Cell.GRU),
    GRU_AFTER_NORMALISED(RecurrentSpec.Cell.GRU),
    GRU_BEFORE_NORMALISED(RecurrentSpec.Cell.GRU),
    LSTM(RecurrentSpec.Cell.LSTM),
    LSTM_NO_BIAS(RecurrentSpec.Cell.LSTM),
    LSTM_PEEPHOLES(RecurrentSpec.Cell.LSTM),
    LSTM_PROJECTION(RecurrentSpec.Cell.LSTM),
    LSTM_COUPLED(RecurrentSpec.Cell.LSTM),
    LSTM_COUPLED_PEEPHOLES(RecurrentSpec.Cell.LSTM),
    LSTM_CLIP(RecurrentSpec.Cell.LSTM),
    LSTM_HARD_SIGMOID_ELU_SCALED_TANH(RecurrentSpec.Cell.LSTM),
    LSTM_NORMALISED(RecurrentSpec.Cell.LSTM),
    LSTM_EVERYTHING(RecurrentSpec.Cell.LSTM);

    final RecurrentSpec.Cell cell;

    Variant(RecurrentSpec.Cell cell) {
      this.cell = cell;
    }

    boolean has(String feature) {
      return this == LSTM_EVERYTHING
              && !feature.equals("NO_BIAS")
              && !feature.equals("HARD_SIGMOID")
          || name().contains(feature);
    }

    private List<Activation> activations() {
      if (this == RNN_RELU) {
        return List.of(Activation.RELU);
      }
      if (this == RNN_IDENTITY) {
        return List.of(Activation.IDENTITY);
      }
      if (this == RNN_SOFTSIGN_NO_BIAS) {
        return List.of(Activation.of("softsign"));
      }
      if (this == GRU_AFTER_HARD_SIGMOID_RELU) {
        return List.of(Activation.HARD_SIGMOID, Activation.RELU);
      }
      if (this == GRU_BEFORE_HARD_SIGMOID_SOFTSIGN) {
        return List.of(Activation.HARD_SIGMOID_SIXTH, Activation.of("softsign"));
      }
      if (this == LSTM_HARD_SIGMOID_ELU_SCALED_TANH) {
        return List.of(
            Activation.HARD_SIGMOID,
            Activation.of("elu"),
            new Activation(Activation.Kind.SCALED_TANH, 0.75f, 1.5f));
      }
      return cell.defaultActivations();
    }

    RecurrentSpec spec(int input, int hidden, int projection) {
      return new RecurrentSpec(
          cell,
          input,
          hidden,
          has("PROJECTION") ? projection : 0,
          activations(),
          has("CLIP") ? 0.25f : 0,
          has("AFTER"),
          has("COUPLED"),
          has("NORMALISED") ? 1e-3f : 0);
    }
  }

  /**
   * What a run leaves: {@code [time, batch, state]}, {@code [batch, state]}, {@code [.., hidden]}.
   */
  record Result(double[] output, double[] hidden, double[] cell) {}

  final KernelBench bench;
  final Variant variant;
  final RecurrentSpec spec;
  final RecurrentWeights weights;
  final Packed<PackedRecurrent> packed;
  final int time;
  final int batch;
  final boolean reverse;

  /** {@code [time, batch, input]}. */
  final double[] x;

  /** {@code null} if all are full. */
  final long[] lengths;

  /** {@code [batch, state]} and {@code [batch, hidden]}; {@code null} for zeros. */
  final double[] hidden;

  final double[] cell;

  // Where the input is rows of a table.
  private Packed<PackedEmbedding> embedding;
  private int rows;
  private int[] tokens;
  private boolean told;

  RecurrentCase(
      KernelBench bench, Variant variant, int input, int hiddenSize, int time, int batch) {
    this.bench = bench;
    this.variant = variant;
    this.time = time;
    this.batch = batch;
    spec = variant.spec(input, hiddenSize, 1 + bench.random.nextInt(hiddenSize + 3));
    weights = randomWeights();
    packed = bench.pack(device -> device.pack(spec, weights, bench.format));
    reverse = bench.random.nextBoolean();
    x = bench.numbers(time * batch * input, 1);
    if (bench.random.nextInt(3) == 0) {
      lengths = null;
    } else {
      lengths = new long[batch];
      Arrays.setAll(lengths, i -> bench.random.nextInt(time + 1));
    }
    boolean given = bench.random.nextInt(3) > 0;
    hidden = given ? bench.numbers(batch * spec.stateSize(), 0.5) : null;
    cell =
        given && spec.cell() == RecurrentSpec.Cell.LSTM
            ? bench.numbers(batch * hiddenSize, 0.5)
            : null;
  }

  /** Sizes of all sorts, small enough to try many. */
  static RecurrentCase random(KernelBench bench, Variant variant) {
    int input = bench.size(40);
    int hidden = Math.max(1, bench.size(70));
    return new RecurrentCase(
        bench, variant, input, hidden, 1 + bench.random.nextInt(9), 1 + bench.random.nextInt(7));
  }

  /** How the two directions' outputs lie. */
  enum Merged {
    ONE_AFTER_THE_OTHER,
    SIDE_BY_SIDE,
    SIDE_BY_SIDE_BATCH_FIRST,
    ONLY_BACKWARD
  }

  /**
   * Runs this layer forward and the same kind of layer with other weights backward, at once.
   *
   * @param together whether both are packed together
   * @return of the forward direction, and of the backward one
   */
  Result[] runBoth(Side side, Merged merged, boolean together, RecurrentWeights backward) {
    int input = spec.inputSize();
    int state = state();
    int size = spec.hiddenSize();
    boolean lstm = spec.cell() == RecurrentSpec.Cell.LSTM;
    boolean batchFirst = merged == Merged.SIDE_BY_SIDE_BATCH_FIRST;
    double[] laid = x;
    if (batchFirst) {
      laid = new double[x.length];
      for (int i = 0; i < time * batch; i++) {
        int at = (i % batch * time + i / batch) * input;
        System.arraycopy(x, i * input, laid, at, input);
      }
    }
    Operand in = bench.reals(laid);
    Operand ends = lengths == null ? null : bench.integers(DType.INT32, lengths);
    Operand firstHidden = hidden == null ? null : bench.reals(twice(hidden));
    Operand firstCell = cell == null ? null : bench.reals(twice(cell));
    Operand out = bench.output(2 * time * batch * state);
    Operand lastHidden = bench.output(2 * batch * state);
    Operand lastCell = lstm ? bench.output(2 * batch * size) : null;
    Device device = side.kernels().device();
    List<PackedRecurrent> packs = new ArrayList<>();
    RecurrentCall[] calls = new RecurrentCall[2];
    for (int d = 0; d < 2; d++) {
      RecurrentCall call = new RecurrentCall();
      calls[d] = call;
      call.reverse = d == 1;
      call.time = time;
      call.batch = batch;
      call.input = side.of(in);
      call.inputTimeStride = batchFirst ? input : (long) batch * input;
      call.inputRowStride = batchFirst ? (long) time * input : input;
      call.lengths = ends == null ? null : side.of(ends);
      call.initialHidden = half(side, firstHidden, d);
      call.initialCell = half(side, firstCell, d);
      call.finalHidden = half(side, lastHidden, d);
      call.finalCell = half(side, lastCell, d);
      switch (merged) {
        case ONE_AFTER_THE_OTHER, ONLY_BACKWARD -> {
          call.output = d == 0 && merged == Merged.ONLY_BACKWARD ? null : half(side, out, d);
          call.outputTimeStride = (long) batch * state;
          call.outputRowStride = state;
        }
        case SIDE_BY_SIDE, SIDE_BY_SIDE_BATCH_FIRST -> {
          Region whole = side.of(out);
          long from = Math.min((long) d * state * device.real().bytes(), whole.bytes());
          call.output = new Region(whole.buffer(), whole.offset() + from, whole.bytes() - from);
          call.outputTimeStride = 2L * state * (batchFirst ? 1 : batch);
          call.outputRowStride = 2L * state * (batchFirst ? time : 1);
        }
      }
    }
    if (together) {
      packs.addAll(device.pack(List.of(spec, spec), List.of(weights, backward), bench.format));
    } else {
      packs.add(device.pack(spec, weights, bench.format));
      packs.add(device.pack(spec, backward, bench.format));
    }
    side.kernels().recurrent(packs.get(0), calls[0], packs.get(1), calls[1]);
    double[] all = bench.download(side, out);
    double[] allHidden = bench.download(side, lastHidden);
    double[] allCell = lstm ? bench.download(side, lastCell) : new double[0];
    packs.forEach(PackedRecurrent::close);
    Result[] results = new Result[2];
    for (int d = 0; d < 2; d++) {
      double[] dense = new double[time * batch * state];
      for (int i = 0; i < time * batch; i++) {
        long at =
            i / batch * calls[d].outputTimeStride
                + i % batch * calls[d].outputRowStride
                + (merged.name().startsWith("SIDE")
                    ? (long) d * state
                    : (long) d * time * batch * state);
        System.arraycopy(all, (int) at, dense, i * state, state);
      }
      results[d] = new Result(dense, half(allHidden, d), half(allCell, d));
    }
    return results;
  }

  private static double[] twice(double[] values) {
    double[] all = Arrays.copyOf(values, 2 * values.length);
    for (int i = 0; i < values.length; i++) {
      all[values.length + i] = -values[i];
    }
    return all;
  }

  private static double[] half(double[] values, int half) {
    return Arrays.copyOfRange(values, half * values.length / 2, (half + 1) * values.length / 2);
  }

  private static Region half(Side side, Operand whole, int half) {
    if (whole == null) {
      return null;
    }
    Region region = side.of(whole);
    long bytes = region.bytes() / 2;
    return new Region(region.buffer(), region.offset() + half * bytes, bytes);
  }

  /** Other weights of the same kind of layer. */
  RecurrentWeights randomWeights() {
    int size = spec.hiddenSize();
    double scale = 1 / Math.sqrt(size);
    int gates = spec.gates();
    boolean biases = !variant.has("NO_BIAS");
    List<Tensor> normalisation = new ArrayList<>();
    if (spec.layerNormalised()) {
      for (int i = 0; i < (spec.cell() == RecurrentSpec.Cell.LSTM ? 6 : 4); i++) {
        normalisation.add(bench.tensor(1, i < 4 ? gates * size : size));
      }
    }
    return new RecurrentWeights(
        tensors(gates, scale, size, spec.inputSize()),
        tensors(gates, scale, size, spec.stateSize()),
        biases ? tensors(gates, scale, size) : List.of(),
        biases ? tensors(gates, scale, size) : List.of(),
        variant.has("PEEPHOLES") ? tensors(3, 1, size) : List.of(),
        spec.projectionSize() == 0 ? null : bench.tensor(scale, spec.projectionSize(), size),
        normalisation);
  }

  private List<Tensor> tensors(int count, double scale, long... dims) {
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Tensor tensor = bench.tensor(scale, dims);
      // Some lie crooked in memory.
      if (dims.length == 2 && bench.random.nextBoolean()) {
        tensor = tensor.transpose(1, 0).copy(bench.arena).transpose(1, 0);
      }
      tensors.add(tensor);
    }
    return tensors;
  }

  int state() {
    return spec.stateSize();
  }

  /** The number of steps of a sequence. */
  int length(int sequence) {
    return lengths == null ? time : (int) lengths[sequence];
  }

  /** Runs everything as it is. */
  Result run(Side side) {
    return run(side, time, batch, reverse, x, lengths, hidden, cell);
  }

  /** Makes the input rows of a random table. */
  void embed(int tableRows) {
    int input = spec.inputSize();
    rows = tableRows;
    double[] table = bench.numbers(rows * input, 1);
    embedding =
        bench.packWith(
            packed, (device, layer) -> device.pack(layer, bench.tensor(table, rows, input)));
    tokens = new int[time * batch];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = bench.random.nextInt(rows);
      System.arraycopy(table, tokens[i] * input, x, i * input, input);
    }
  }

  /** Runs everything as it is, but that the layer is told the rows of the table. */
  Result runTold(Side side) {
    told = true;
    try {
      return run(side);
    } finally {
      told = false;
    }
  }

  /** Runs the layer over other sequences, laid out in memory in some way or other. */
  Result run(
      Side side,
      int time,
      int batch,
      boolean reverse,
      double[] x,
      long[] lengths,
      double[] hidden,
      double[] cell) {
    int input = spec.inputSize();
    int state = state();
    RecurrentCall call = new RecurrentCall();
    call.reverse = reverse;
    call.time = time;
    call.batch = batch;
    int inputGap = bench.random.nextInt(3);
    if (bench.random.nextBoolean()) {
      call.inputTimeStride = (long) batch * (input + inputGap);
      call.inputRowStride = (long) input + inputGap;
    } else {
      call.inputRowStride = (long) time * (input + inputGap);
      call.inputTimeStride = (long) input + inputGap;
    }
    int outputGap = bench.random.nextInt(3);
    if (bench.random.nextBoolean()) {
      call.outputTimeStride = (long) batch * (state + outputGap);
      call.outputRowStride = (long) state + outputGap;
    } else {
      call.outputRowStride = (long) time * (state + outputGap);
      call.outputTimeStride = (long) state + outputGap;
    }
    double[] laid = new double[time * batch * (input + inputGap)];
    Arrays.fill(laid, Double.NaN);
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < batch; b++) {
        int at = (int) (t * call.inputTimeStride + b * call.inputRowStride);
        System.arraycopy(x, (t * batch + b) * input, laid, at, input);
      }
    }
    boolean lstm = spec.cell() == RecurrentSpec.Cell.LSTM;
    Operand output = bench.output(time * batch * (state + outputGap));
    Operand finalHidden = bench.output(batch * state);
    Operand finalCell = lstm ? bench.output(batch * spec.hiddenSize()) : null;
    if (told) {
      call.embedding = side.of(embedding);
      call.tokenType = bench.random.nextBoolean() ? DType.INT32 : DType.INT64;
      boolean timeFirst = bench.random.nextBoolean();
      call.inputTimeStride = timeFirst ? batch : 1;
      call.inputRowStride = timeFirst ? 1 : time;
      long[] numbers = new long[time * batch];
      for (int i = 0; i < numbers.length; i++) {
        int at = (int) (i / batch * call.inputTimeStride + i % batch * call.inputRowStride);
        // Counted from the front or from the end.
        numbers[at] = (long) tokens[i] - (bench.random.nextInt(4) == 0 ? rows : 0);
      }
      call.tokens = side.of(bench.integers(call.tokenType, numbers));
    } else {
      call.input = side.of(bench.reals(laid));
    }
    call.lengths = lengths == null ? null : side.of(bench.integers(DType.INT32, lengths));
    call.initialHidden = hidden == null ? null : side.of(bench.reals(hidden));
    call.initialCell = cell == null ? null : side.of(bench.reals(cell));
    call.output = side.of(output);
    call.finalHidden = side.of(finalHidden);
    call.finalCell = side.of(finalCell);
    side.kernels().recurrent(side.of(packed), call);
    double[] all = bench.download(side, output);
    double[] dense = new double[time * batch * state];
    int seen = 0;
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < batch; b++) {
        int at = (int) (t * call.outputTimeStride + b * call.outputRowStride);
        System.arraycopy(all, at, dense, (t * batch + b) * state, state);
        Arrays.fill(all, at, at + state, Double.NaN);
        seen += state;
      }
    }
    if (seen < all.length) {
      double[] untouched = new double[all.length];
      Arrays.fill(untouched, Double.NaN);
      KernelBench.sameBits("between the outputs", untouched, all);
    }
    return new Result(
        dense,
        bench.download(side, finalHidden),
        lstm ? bench.download(side, finalCell) : new double[0]);
  }

  /**
   * What the rounding errors are relative to, see {@link Threshold}: the largest state. The weights
   * are such that a gate's argument is no larger, and that what one step got wrong does not grow in
   * the next.
   */
  double magnitude(Result expected) {
    double largest = 1;
    for (double[] values : new double[][] {expected.output, expected.hidden, expected.cell}) {
      for (double value : values) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    // Normalising divides by a deviation, which with few units may be as small as it can be.
    double fewest = 1 / Math.sqrt(spec.layerNormEpsilon());
    double normalised = !spec.layerNormalised() ? 1 : spec.hiddenSize() < 8 ? fewest : 4;
    return largest * normalised;
  }

  /** The number of terms of a gate's argument. */
  double terms() {
    return spec.inputSize() + state() + 2.0;
  }

  @Override
  public String toString() {
    return variant
        + " input "
        + spec.inputSize()
        + ", hidden "
        + spec.hiddenSize()
        + ", state "
        + state()
        + ", time "
        + time
        + ", batch "
        + batch
        + (reverse ? ", reverse" : "")
        + ", lengths "
        + Arrays.toString(lengths)
        + (hidden == null ? "" : ", initial state");
  }
}

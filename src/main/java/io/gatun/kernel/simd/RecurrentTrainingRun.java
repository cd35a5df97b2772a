package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Workers;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Forward and backward of the usual recurrent cells in training.
 *
 * <p>Forward, the input's product of all time steps is one product into the memory for what is
 * kept; then each worker takes its sequences through time, one product with the recurrent weights a
 * step, and the gates take the place of their arguments' share. Backward, each worker takes its
 * sequences back through time, one product a step, and the gradients of the gates' arguments take
 * the place of the gates; the gradients of weights, biases and input are then one product each over
 * all time steps of all sequences. Time steps behind the end of a sequence take part in none of it.
 *
 * <p>A row of what is kept is the gates in groups of a vector of units, gate by gate; then the cell
 * state of an LSTM, or of a GRU the recurrent product of n (reset after the product) or {@code r ∘
 * h'} (before). Rows lie as they are computed: step by step, longest sequence first, those that
 * have ended left out.
 */
final class RecurrentTrainingRun implements AutoCloseable {
  /**
   * Bytes of products that wait for their gates. They may fill half of a second cache: what is kept
   * of a row comes from memory, and the longer the pieces that it is read in, the faster.
   */
  private static final long RUN_BYTES = 256 << 10;

  /** Fewer sequences than these are not worth another worker. */
  private static final int LEAST_SEQUENCES = 4;

  /** From so many time steps on, gradients of weights are computed turned. */
  private static final int TURNED_FROM = 256;

  /** Rows that are turned back at once: their cache lines are met again for the next columns. */
  private static final int TURNED_BACK = 64;

  /**
   * Between rows that are turned back, or those of a power of two would share a place in caches.
   */
  private static final long APART = 64;

  private final Workers workers;
  private final AddressedProduct product;
  private final Scratch[] scratch;
  private final ColumnSums columnSums;
  private final Scratch shared = new Scratch();
  private final StepPanels looped = new StepPanels();
  private final StepPanels candidate = new StepPanels();
  private final Workers.Task pack = (part, worker) -> pack(part);
  private final Workers.Task forward = (part, worker) -> forward(part);
  private final Workers.Task backward = (part, worker) -> backward(part);

  private RecurrentTraining layer;
  private RecurrentSpec spec;
  private Cell cell;
  private boolean resetBefore;
  private int time;
  private int batch;
  private int inputs;
  private int hidden;
  private int gates;
  private int groups;
  private int parts;
  private long rowBytes;
  private long keptBytes;
  private long extra;
  private long kept;
  private long output;
  private long outputTime;
  private long outputRow;
  private long initialHidden;
  private long initialCell;
  private long mask;
  private long zeros;
  private long bias;
  private long resetBias;
  private long sums;
  private long maskedRows;
  private long initialCells;
  private int pairs;

  private int[] order = {};
  private int[] length = {};
  private int[] starts = {};

  /** How many rows of what is kept lie before those of a step. */
  private int[] rowsBefore = {};

  // Where the rows of all time steps of all sequences begin.
  private long[] pairKept = {};
  private long[] pairExtra = {};
  private long[] pairInput = {};
  private long[] pairBefore = {};
  private long[] pairInputGradient = {};

  // Where gate and unit lie in a row of what is kept, and other lists of places.
  private long[] gateAt = {};
  private long[] recurrentAt = {};
  private long[] columnOf = {};
  private long[] innerOf = {};
  private long[] resultOf = {};

  RecurrentTrainingRun(Workers workers, AddressedProduct product) {
    this.workers = workers;
    this.product = product;
    columnSums = new ColumnSums(workers);
    scratch = new Scratch[workers.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  /** Whether a layer is one of those that are computed in this form. */
  static boolean handles(RecurrentTraining layer) {
    RecurrentSpec spec = layer.spec;
    return LANES <= 16
        && 16 % LANES == 0
        && spec.projectionSize() == 0
        && spec.clip() == 0
        && !spec.coupled()
        && !spec.layerNormalised()
        && layer.peepholes == null
        && spec.activations().equals(spec.cell().defaultActivations());
  }

  private static long[] grown(long[] array, int size) {
    return array.length >= size ? array : new long[size];
  }

  private void begin(RecurrentTraining training) {
    layer = training;
    spec = training.spec;
    cell = spec.cell();
    resetBefore = cell == Cell.GRU && !spec.resetAfter();
    RecurrentCall call = training.call;
    time = call.time;
    batch = call.batch;
    inputs = spec.inputSize();
    hidden = spec.hiddenSize();
    gates = spec.gates();
    groups = Lanes.vectors(hidden);
    rowBytes = (long) groups * BYTES;
    keptBytes = RecurrentTraining.keptSize(spec) * Float.BYTES;
    extra = gates * ((hidden + 15L) / 16 * 16) * Float.BYTES;
    kept = SimdTraining.address(training.kept);
    output = SimdTraining.address(call.output);
    outputTime = call.outputTimeStride * Float.BYTES;
    outputRow = call.outputRowStride * Float.BYTES;
    initialHidden = SimdTraining.address(call.initialHidden);
    initialCell = SimdTraining.address(call.initialCell);
    mask = SimdTraining.address(training.hiddenMask);
    sort(SimdTraining.address(call.lengths));
    parts = Math.max(1, Math.min(scratch.length, batch / LEAST_SEQUENCES));
    long vector =
        Scratch.aligned(
            Math.max((long) groups * gates * BYTES, 4L * Math.max(inputs, hidden) + BYTES));
    long cells = initialCell == 0 ? 0 : Scratch.aligned(batch * rowBytes);
    long states = mask == 0 ? 0 : (long) time * batch * rowBytes;
    shared.reserve(0, 0, 4 * vector + cells + states);
    zeros = shared.address();
    bias = zeros + vector;
    resetBias = bias + vector;
    sums = resetBias + vector;
    initialCells = sums + vector;
    maskedRows = initialCells + cells;
    Floats.fill(zeros, 0, (int) (vector / Float.BYTES), 0);
    for (int b = 0; b < batch && initialCell != 0; b++) {
      Floats.fill(initialCells + b * rowBytes, hidden, groups * LANES, 0);
      Floats.copy(
          initialCell + (long) order[b] * hidden * Float.BYTES,
          initialCells + b * rowBytes,
          hidden);
    }
    listPairs(SimdTraining.address(call.input));
    gateAt = grown(gateAt, gates * hidden);
    recurrentAt = grown(recurrentAt, gates * hidden);
    for (int gate = 0; gate < gates; gate++) {
      for (int unit = 0; unit < hidden; unit++) {
        int at = gate * hidden + unit;
        gateAt[at] = (long) column(gate, unit) * Float.BYTES;
        boolean apart = cell == Cell.GRU && gate == 2 && !resetBefore;
        recurrentAt[at] = apart ? extra + (long) unit * Float.BYTES : gateAt[at];
      }
    }
  }

  /** Where a unit of a gate lies among the columns. */
  private int column(int gate, int unit) {
    return (unit / LANES * gates + gate) * LANES + unit % LANES;
  }

  /** A counting sort, longest first, stable. */
  private void sort(long lengths) {
    if (order.length < batch) {
      order = new int[batch];
      length = new int[batch];
    }
    if (starts.length < time + 2) {
      starts = new int[time + 2];
    }
    Arrays.fill(starts, 0, time + 2, 0);
    for (int b = 0; b < batch; b++) {
      int given =
          lengths == 0
              ? time
              : MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, lengths + (long) b * Integer.BYTES);
      // Clamped although checked: another thread may have written there since.
      length[b] = Math.max(0, Math.min(time, given));
      starts[time - length[b] + 1]++;
    }
    for (int i = 0; i <= time; i++) {
      starts[i + 1] += starts[i];
    }
    for (int b = 0; b < batch; b++) {
      order[starts[time - length[b]]++] = b;
    }
    if (rowsBefore.length <= time) {
      rowsBefore = new int[time + 1];
    }
    for (int step = 0; step < time; step++) {
      rowsBefore[step + 1] = rowsBefore[step] + alive(step);
    }
  }

  /** How many sequences have this step; they are the first of {@link #order}. */
  private int alive(int step) {
    // Sorting leaves in place of each start how many sequences are at least so long.
    return starts[time - 1 - step];
  }

  private void listPairs(long input) {
    int most = time * batch;
    pairKept = grown(pairKept, most);
    pairExtra = grown(pairExtra, most);
    pairInput = grown(pairInput, most);
    pairBefore = grown(pairBefore, most);
    pairInputGradient = grown(pairInputGradient, most);
    long gradient = SimdTraining.address(layer.inputGradient);
    pairs = 0;
    for (int step = 0; step < time; step++) {
      for (int rank = 0; rank < alive(step); rank++) {
        int b = order[rank];
        long t = timeOf(b, step);
        long at = (t * layer.call.inputTimeStride + b * layer.call.inputRowStride) * Float.BYTES;
        pairKept[pairs] = keptRow(step, rank);
        pairExtra[pairs] = keptRow(step, rank) + extra;
        pairInput[pairs] = input + at;
        pairInputGradient[pairs] = gradient + at;
        pairBefore[pairs] = before(b, step);
        pairs++;
      }
    }
  }

  /**
   * Where what is kept of a step of a sequence lies.
   *
   * @param rank the sequence's place in {@link #order}
   */
  private long keptRow(int step, int rank) {
    return kept + (rowsBefore[step] + rank) * keptBytes;
  }

  private long timeOf(int sequence, int step) {
    return layer.call.reverse ? length[sequence] - 1 - step : step;
  }

  private long outputRow(int sequence, int step) {
    return output + timeOf(sequence, step) * outputTime + sequence * outputRow;
  }

  /** Where the hidden state before a step lies, as many numbers as there are units. */
  private long before(int sequence, int step) {
    return step > 0
        ? outputRow(sequence, step - 1)
        : initialHidden == 0 ? zeros : initialHidden + (long) sequence * hidden * Float.BYTES;
  }

  private int sequences(int part) {
    return (batch - part + parts - 1) / parts;
  }

  private int sequence(int part, int row) {
    return order[part + row * parts];
  }

  /** How many of a worker's sequences have this step. */
  private int alive(int part, int step) {
    return (alive(step) - part + parts - 1) / parts;
  }

  private void pack(int part) {
    if (part < looped.count) {
      looped.pack(part);
    } else {
      candidate.pack(part - looped.count);
    }
  }

  // ---- forward --------------------------------------------------------------------------------

  void forward(RecurrentTraining training) {
    begin(training);
    addBiases();
    int columns = groups * gates * LANES;
    int most = Math.max(Math.max(inputs, hidden), 1);
    innerOf = grown(innerOf, most);
    for (int k = 0; k < most; k++) {
      innerOf[k] = (long) k * Float.BYTES;
    }
    columnOf = grown(columnOf, columns);
    columns(SimdTraining.address(layer.inputWeights), inputs, 0, gates);
    product.run(pairInput, innerOf, innerOf, columnOf, pairs, inputs, columns, pairKept);
    long r = SimdTraining.address(layer.recurrentWeights);
    if (resetBefore) {
      columns(r, hidden, 0, 2);
      looped.begin(innerOf, 0, hidden, columnOf, columns);
      resultOf = grown(resultOf, hidden);
      for (int unit = 0; unit < hidden; unit++) {
        resultOf[unit] = r + (2L * hidden + unit) * hidden * Float.BYTES;
      }
      candidate.begin(innerOf, 0, hidden, resultOf, hidden);
    } else {
      columns(r, hidden, 0, gates);
      looped.begin(innerOf, 0, hidden, columnOf, columns);
      candidate.count = 0;
    }
    workers.run(looped.count + candidate.count, pack);
    int rows = sequences(0);
    for (int i = 0; i < parts; i++) {
      scratch[i].reserve(
          (long) rows * hidden, rows, Scratch.aligned(2L * rows * rowBytes) + zBytes(rows));
    }
    workers.run(parts, forward);
  }

  /** The columns of weights {@code [gates × hidden, inner]} in groups, other gates' zeros. */
  private void columns(long weights, int inner, int fromGate, int toGate) {
    Arrays.fill(columnOf, 0, groups * gates * LANES, StepPanels.ZEROS);
    for (int gate = fromGate; gate < toGate; gate++) {
      for (int unit = 0; unit < hidden; unit++) {
        columnOf[column(gate, unit)] =
            weights + ((long) gate * hidden + unit) * inner * Float.BYTES;
      }
    }
  }

  private void addBiases() {
    Floats.fill(bias, 0, groups * gates * LANES, 0);
    Floats.fill(resetBias, 0, groups * LANES, 0);
    long from = SimdTraining.address(layer.bias);
    if (from == 0) {
      return;
    }
    for (int gate = 0; gate < gates; gate++) {
      for (int unit = 0; unit < hidden; unit++) {
        long at = (long) gate * hidden + unit;
        float input = Floats.get(from, at);
        float recurrent = Floats.get(from, at + (long) gates * hidden);
        boolean apart = cell == Cell.GRU && gate == 2 && !resetBefore;
        Floats.put(bias, column(gate, unit), apart ? input : input + recurrent);
        if (apart) {
          Floats.put(resetBias, unit, recurrent);
        }
      }
    }
  }

  /** The fewest groups whose gates fill whole wide panels. */
  private int alignedGroups() {
    return gates == 4 || gates == WIDE ? 1 : gates == 2 ? WIDE / 2 : WIDE;
  }

  private int groupsAtOnce(int rows) {
    if (resetBefore) {
      return groups;
    }
    int aligned = alignedGroups();
    long times = Math.max(1, RUN_BYTES / ((long) rows * aligned * gates * BYTES));
    return (int) Math.min(groups, times * aligned);
  }

  private long zStride(int rows) {
    return (long) ((resetBefore ? groups : groupsAtOnce(rows)) * gates + WIDE) * BYTES;
  }

  /** Bytes of the products that wait for their gates, of at most so many rows. */
  private long zBytes(int rows) {
    long most = 0;
    for (int active = 1; active <= rows; active++) {
      most = Math.max(most, active * zStride(active));
    }
    return most + (resetBefore ? rows * productStride() : 0);
  }

  private void forward(int part) {
    Scratch own = scratch[part];
    int rows = sequences(part);
    long h = own.address();
    long masked = h + rows * rowBytes;
    long z = Scratch.aligned(masked + rows * rowBytes);
    for (int row = 0; row < rows; row++) {
      Floats.fill(h + row * rowBytes, 0, groups * LANES, 0);
      Floats.copy(before(sequence(part, row), 0), h + row * rowBytes, hidden);
    }
    int steps = rows == 0 ? 0 : length[sequence(part, 0)];
    for (int step = 0; step < steps; step++) {
      int active = alive(part, step);
      left(own, part, active, h, masked);
      int atOnce = groupsAtOnce(active);
      long zStride = zStride(active);
      for (int group = 0; group < groups; group += atOnce) {
        int some = Math.min(atOnce, groups - group);
        int panel = looped.panelAt(group * gates);
        int end = group + some == groups ? looped.count : looped.panelAt((group + some) * gates);
        multiply(own.left, active, looped, panel, end, z, zStride);
        if (resetBefore) {
          candidate(own, part, active, step, h, masked, z, zStride);
        } else {
          for (int row = 0; row < active; row++) {
            finish(part, row, step, group, some, h + row * rowBytes, z + row * zStride);
          }
        }
      }
      for (int row = 0; row < active; row++) {
        Floats.copy(h + row * rowBytes, outputRow(sequence(part, row), step), hidden);
      }
    }
    finishSequences(part, rows);
  }

  /** What is multiplied by the recurrent weights: h', masked where there is a mask. */
  private void left(Scratch own, int part, int active, long h, long masked) {
    for (int row = 0; row < active; row++) {
      long from = h + row * rowBytes;
      if (mask != 0) {
        long to = masked + row * rowBytes;
        Floats.fill(to, hidden, groups * LANES, 0);
        TrainingPasses.multiply(
            to, from, mask + (long) sequence(part, row) * hidden * Float.BYTES, hidden);
        from = to;
      }
      own.rows[row] = from;
    }
    StepPanels.interleave(own.left, own.rows, 0, active, innerOf, 0, hidden);
  }

  private static void multiply(
      float[] left, int rows, StepPanels panels, int from, int to, long z, long zStride) {
    long out = z;
    for (int panel = from; panel < to; panel++) {
      int width = panels.width(panel);
      Product.panel(left, rows, panels.inner, width, panels.at(panel), out, zStride);
      out += (long) width * BYTES;
    }
  }

  /**
   * From the products of one row to its gates and states, for some groups of units. The gates take
   * the place of the input's products.
   */
  private void finish(int part, int row, int step, int group, int some, long hRow, long z) {
    int rank = part + row * parts;
    int width = gates * BYTES;
    long columns = (long) group * width;
    long unit = (long) group * BYTES;
    long keptRow = keptRow(step, rank);
    long at = keptRow + columns;
    long inner = keptRow + extra + unit;
    long h = hRow + unit;
    switch (cell) {
      case RNN -> Gates.tanh(h, 0, BYTES, z, 0, at, 0, bias + columns, 1, some, width, width);
      case LSTM -> {
        sigmoids(3, at, z, bias + columns, some);
        int g = 3 * BYTES;
        Gates.tanh(
            at + g, 0, width, z + g, 0, at + g, 0, bias + columns + g, 1, some, width, width);
        TrainingPasses.lstmState(at, cellBefore(rank, step) + unit, inner, some);
        Activations.apply(Activation.TANH, inner, 0, h, 0, 1, some);
        TrainingPasses.lstmOutput(at, h, some);
      }
      case GRU -> {
        sigmoids(2, at, z, bias + columns, some);
        Gates.gruResetAfterKept(z, at, bias + columns, resetBias + unit, inner, h, some);
      }
    }
  }

  /** The first gates of one row, in the place of the input's products. */
  private void sigmoids(int count, long kept, long z, long bias, int some) {
    int width = gates * BYTES;
    for (int gate = 0; gate < count; gate++) {
      int at = gate * BYTES;
      Gates.sigmoid(kept + at, 0, width, z + at, 0, bias + at, 1, some, width);
    }
  }

  /**
   * Where the cell state before a step lies, filled up to whole vectors.
   *
   * @param rank the sequence's place in {@link #order}
   */
  private long cellBefore(int rank, int step) {
    if (step > 0) {
      return keptRow(step - 1, rank) + extra;
    }
    return initialCell == 0 ? zeros : initialCells + rank * rowBytes;
  }

  /** GRU with the reset before the product: all that follows the products of z and r. */
  private void candidate(
      Scratch own, int part, int active, int step, long h, long masked, long z, long zStride) {
    int width = gates * BYTES;
    for (int row = 0; row < active; row++) {
      long keptRow = keptRow(step, part + row * parts);
      sigmoids(2, keptRow, z + row * zStride, bias, groups);
      long from = (mask != 0 ? masked : h) + row * rowBytes;
      TrainingPasses.gruReset(keptRow, width, from, keptRow + extra, groups);
      own.rows[row] = keptRow + extra;
    }
    StepPanels.interleave(own.left, own.rows, 0, active, innerOf, 0, hidden);
    long product = z + active * zStride;
    long productStride = productStride();
    multiply(own.left, active, candidate, 0, candidate.count, product, productStride);
    for (int row = 0; row < active; row++) {
      long keptRow = keptRow(step, part + row * parts);
      long n = keptRow + 2L * BYTES;
      long zRow = product + row * productStride;
      Gates.tanh(n, 0, width, zRow, 0, n, 0, bias + 2L * BYTES, 1, groups, BYTES, width);
      TrainingPasses.gruState(keptRow, h + row * rowBytes, groups);
    }
  }

  /** Final states, and zeros behind the ends. */
  private void finishSequences(int part, int rows) {
    long finalHidden = SimdTraining.address(layer.call.finalHidden);
    long finalCell = cell == Cell.LSTM ? SimdTraining.address(layer.call.finalCell) : 0;
    for (int row = 0; row < rows; row++) {
      int b = sequence(part, row);
      for (int t = length[b]; t < time; t++) {
        Floats.fill(output + t * outputTime + b * outputRow, 0, hidden, 0);
      }
      long at = (long) b * hidden * Float.BYTES;
      if (finalHidden != 0) {
        Floats.copy(before(b, length[b]), finalHidden + at, hidden);
      }
      if (finalCell != 0) {
        Floats.copy(cellBefore(part + row * parts, length[b]), finalCell + at, hidden);
      }
    }
  }

  // ---- backward -------------------------------------------------------------------------------

  void backward(RecurrentTraining training) {
    begin(training);
    if (mask != 0) {
      maskStates();
    }
    int all = gates * hidden;
    int most = Math.max(Math.max(inputs, hidden), 1);
    columnOf = grown(columnOf, most);
    for (int k = 0; k < most; k++) {
      columnOf[k] = (long) k * Float.BYTES;
    }
    innerOf = grown(innerOf, all);
    long r = SimdTraining.address(layer.recurrentWeights);
    for (int k = 0; k < all; k++) {
      innerOf[k] = r + (long) k * hidden * Float.BYTES;
    }
    if (resetBefore) {
      looped.begin(innerOf, 0, 2 * hidden, columnOf, hidden);
      candidate.begin(innerOf, 2 * hidden, hidden, columnOf, hidden);
    } else {
      looped.begin(innerOf, 0, all, columnOf, hidden);
      candidate.count = 0;
    }
    workers.run(looped.count + candidate.count, pack);
    int rows = sequences(0);
    for (int i = 0; i < parts; i++) {
      scratch[i].reserve(
          (long) rows * all, rows, rows * (2 * rowBytes + 2 * productStride()) + 3 * rowBytes);
    }
    workers.run(parts, backward);
    giveInput(all);
    giveWeights(all);
    giveBiases();
  }

  /** h' times its mask for all steps, which the gradient of the recurrent weights needs. */
  private void maskStates() {
    int pair = 0;
    for (int step = 0; step < time; step++) {
      for (int rank = 0; rank < alive(step); rank++) {
        long to = maskedRows + pair * rowBytes;
        TrainingPasses.multiply(
            to, pairBefore[pair], mask + (long) order[rank] * hidden * Float.BYTES, hidden);
        pairBefore[pair++] = to;
      }
    }
  }

  /** Bytes from one row of a product with the recurrent weights to the next. */
  private long productStride() {
    return rowBytes + (long) WIDE * BYTES;
  }

  private void backward(int part) {
    Scratch own = scratch[part];
    int rows = sequences(part);
    int all = gates * hidden;
    long stride = productStride();
    long dh = own.address();
    long dc = dh + rows * rowBytes;
    long z = dc + rows * rowBytes;
    long squashed = z + 2L * rows * stride;
    long before = squashed + rowBytes;
    long finalHidden = SimdTraining.address(layer.finalHiddenGradient);
    long finalCell = cell == Cell.LSTM ? SimdTraining.address(layer.finalCellGradient) : 0;
    beginStates(part, rows, dh, finalHidden);
    beginStates(part, rows, dc, finalCell);
    Floats.fill(before, hidden, groups * LANES, 0);
    long given = SimdTraining.address(layer.outputGradient);
    long initialGradient = SimdTraining.address(layer.initialHiddenGradient);
    int steps = rows == 0 ? 0 : length[sequence(part, 0)];
    for (int step = steps - 1; step >= 0; step--) {
      int active = alive(part, step);
      for (int row = 0; row < active; row++) {
        int rank = part + row * parts;
        int b = order[rank];
        long dhRow = dh + row * rowBytes;
        if (given != 0) {
          long at = given + timeOf(b, step) * outputTime + b * outputRow;
          TrainingPasses.add(dhRow, at, hidden);
        }
        backRow(rank, step, dhRow, dc + row * rowBytes, squashed, before);
        own.rows[row] = keptRow(step, rank);
      }
      if (resetBefore) {
        resetBack(own, part, active, step, dh, before, z, stride);
      } else if (step > 0 || initialGradient != 0) {
        StepPanels.interleave(own.left, own.rows, 0, active, recurrentAt, 0, all);
        multiply(own.left, active, looped, 0, looped.count, z, stride);
        handBack(part, active, dh, z, stride);
      }
    }
    endStates(part, rows, dh, initialGradient);
    endStates(
        part, rows, dc, cell == Cell.LSTM ? SimdTraining.address(layer.initialCellGradient) : 0);
  }

  private void beginStates(int part, int rows, long states, long given) {
    for (int row = 0; row < rows; row++) {
      long to = states + row * rowBytes;
      Floats.fill(to, 0, groups * LANES, 0);
      if (given != 0) {
        Floats.copy(given + (long) sequence(part, row) * hidden * Float.BYTES, to, hidden);
      }
    }
  }

  private void endStates(int part, int rows, long states, long target) {
    for (int row = 0; row < rows && target != 0; row++) {
      Floats.copy(
          states + row * rowBytes,
          target + (long) sequence(part, row) * hidden * Float.BYTES,
          hidden);
    }
  }

  /** The gates of one row, back. */
  private void backRow(int rank, int step, long dh, long dc, long squashed, long before) {
    int b = order[rank];
    long keptRow = keptRow(step, rank);
    switch (cell) {
      case RNN -> {
        Floats.fill(squashed, hidden, groups * LANES, 0);
        Floats.copy(outputRow(b, step), squashed, hidden);
        TrainingPasses.tanhBack(keptRow, squashed, dh, groups);
        Floats.fill(dh, 0, groups * LANES, 0);
      }
      case LSTM -> {
        Activations.apply(Activation.TANH, keptRow + extra, 0, squashed, 0, 1, groups);
        TrainingPasses.lstmBack(keptRow, squashed, cellBefore(rank, step), dh, dc, groups);
        Floats.fill(dh, 0, groups * LANES, 0);
      }
      case GRU -> {
        Floats.copy(before(b, step), before, hidden);
        TrainingPasses.gruBack(keptRow, before, dh, resetBefore ? 0 : keptRow + extra, groups);
      }
    }
  }

  /** Adds the products with the recurrent weights to the gradients of the states, masked. */
  private void handBack(int part, int active, long dh, long z, long stride) {
    for (int row = 0; row < active; row++) {
      long from = z + row * stride;
      if (mask != 0) {
        TrainingPasses.multiply(
            from, from, mask + (long) sequence(part, row) * hidden * Float.BYTES, hidden);
      }
      TrainingPasses.addVectors(dh + row * rowBytes, from, groups);
    }
  }

  /** GRU with the reset before the product: back through both products. */
  private void resetBack(
      Scratch own, int part, int active, int step, long dh, long before, long z, long stride) {
    StepPanels.interleave(own.left, own.rows, 0, active, gateAt, 2 * hidden, hidden);
    multiply(own.left, active, candidate, 0, candidate.count, z, stride);
    for (int row = 0; row < active; row++) {
      int b = sequence(part, row);
      if (mask == 0) {
        Floats.copy(before(b, step), before, hidden);
      } else {
        TrainingPasses.multiply(
            before, before(b, step), mask + (long) b * hidden * Float.BYTES, hidden);
      }
      TrainingPasses.gruResetBack(own.rows[row], before, z + row * stride, groups);
    }
    handBack(part, active, dh, z, stride);
    StepPanels.interleave(own.left, own.rows, 0, active, gateAt, 0, 2 * hidden);
    multiply(own.left, active, looped, 0, looped.count, z, stride);
    handBack(part, active, dh, z, stride);
  }

  private void giveInput(int all) {
    if (layer.inputGradient == null) {
      return;
    }
    long gradient = SimdTraining.address(layer.inputGradient);
    long w = SimdTraining.address(layer.inputWeights);
    innerOf = grown(innerOf, all);
    for (int k = 0; k < all; k++) {
      innerOf[k] = w + (long) k * inputs * Float.BYTES;
    }
    if (!layer.addToInputGradient) {
      product.run(pairKept, gateAt, innerOf, columnOf, pairs, all, inputs, pairInputGradient);
      for (int b = 0; b < batch; b++) {
        for (int t = length[b]; t < time; t++) {
          long at = t * layer.call.inputTimeStride + b * layer.call.inputRowStride;
          Floats.fill(gradient + at * Float.BYTES, 0, inputs, 0);
        }
      }
      return;
    }
    long bytes = (long) inputs * Float.BYTES;
    Scratch own = scratch[0];
    own.reserve(0, 0, pairs * bytes);
    resultOf = grown(resultOf, pairs);
    for (int i = 0; i < pairs; i++) {
      resultOf[i] = own.address() + i * bytes;
    }
    product.run(pairKept, gateAt, innerOf, columnOf, pairs, all, inputs, resultOf);
    for (int i = 0; i < pairs; i++) {
      TrainingPasses.add(pairInputGradient[i], resultOf[i], inputs);
    }
  }

  private void giveWeights(int all) {
    long dw = SimdTraining.address(layer.inputWeightsGradient);
    long dr = SimdTraining.address(layer.recurrentWeightsGradient);
    if (pairs >= TURNED_FROM) {
      giveTurned(dw, gateAt, pairInput, inputs);
      if (!resetBefore) {
        giveTurned(dr, recurrentAt, pairBefore, hidden);
        return;
      }
    } else if (dw != 0) {
      results(dw, 0, all, inputs);
      product.run(gateAt, pairKept, pairInput, columnOf, all, pairs, inputs, resultOf);
    }
    if (dr != 0 && !resetBefore) {
      results(dr, 0, all, hidden);
      product.run(recurrentAt, pairKept, pairBefore, columnOf, all, pairs, hidden, resultOf);
    } else if (dr != 0) {
      results(dr, 0, 2 * hidden, hidden);
      product.run(gateAt, pairKept, pairBefore, columnOf, 2 * hidden, pairs, hidden, resultOf);
      results(dr, 2 * hidden, hidden, hidden);
      innerOf = grown(innerOf, hidden);
      System.arraycopy(gateAt, 2 * hidden, innerOf, 0, hidden);
      product.run(innerOf, pairKept, pairExtra, columnOf, hidden, pairs, hidden, resultOf);
    }
  }

  /**
   * The gradient of weights, turned, and turned back: over many time steps it is worth that the
   * longer side, the gates, is the one whose vectors are copied as they lie.
   *
   * @param columnsAt where the columns of the result lie in a row of what is kept
   */
  private void giveTurned(long gradient, long[] columnsAt, long[] left, int rows) {
    if (gradient == 0) {
      return;
    }
    int columns = gates * hidden;
    long stride = (long) groups * gates * BYTES + APART;
    Scratch own = scratch[0];
    own.reserve(0, 0, rows * stride);
    // In the order in which they lie, gate by gate within a group, so that vectors are whole.
    innerOf = grown(innerOf, columns);
    int column = 0;
    for (int unit = 0; unit < hidden; unit += LANES) {
      int some = Math.min(LANES, hidden - unit);
      for (int gate = 0; gate < gates; gate++) {
        for (int i = 0; i < some; i++) {
          innerOf[column++] = columnsAt[gate * hidden + unit + i];
        }
      }
    }
    resultOf = grown(resultOf, rows);
    for (int k = 0; k < rows; k++) {
      resultOf[k] = own.address() + k * stride;
    }
    product.run(columnOf, left, pairKept, innerOf, rows, pairs, columns, resultOf);
    for (int row = 0; row < rows; row += TURNED_BACK) {
      int most = Math.min(TURNED_BACK, rows - row);
      column = 0;
      for (int unit = 0; unit < hidden; unit += LANES) {
        int some = Math.min(LANES, hidden - unit);
        for (int gate = 0; gate < gates; gate++) {
          for (int i = 0; i < some; i++) {
            long to = ((long) gate * hidden + unit + i) * rows + row;
            long from = own.address() + row * stride + (long) column * Float.BYTES;
            Floats.gather(from, stride, gradient + to * Float.BYTES, most);
            column++;
          }
        }
      }
    }
  }

  private void results(long gradient, int first, int rows, int columns) {
    resultOf = grown(resultOf, rows);
    for (int i = 0; i < rows; i++) {
      resultOf[i] = gradient + (long) (first + i) * columns * Float.BYTES;
    }
  }

  /** Of both biases: the same sums, but for the candidate of a GRU with the reset after. */
  private void giveBiases() {
    long target = SimdTraining.address(layer.biasGradient);
    if (target == 0) {
      return;
    }
    int all = gates * hidden;
    columnSums.run(pairKept, pairs, sums, groups * gates);
    for (int k = 0; k < all; k++) {
      float sum = Floats.get(sums + gateAt[k], 0);
      Floats.put(target, k, sum);
      Floats.put(target, all + k, sum);
    }
    if (cell == Cell.GRU && !resetBefore) {
      columnSums.run(pairExtra, pairs, sums, groups);
      for (int unit = 0; unit < hidden; unit++) {
        Floats.put(target, all + 2L * hidden + unit, Floats.get(sums, unit));
      }
    }
  }

  @Override
  public void close() {
    looped.close();
    candidate.close();
    columnSums.close();
    shared.close();
    for (Scratch each : scratch) {
      each.close();
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * A layer with the usual activations and nothing special, packed so that all gates of a unit come
 * out of a product side by side: the columns are ordered by groups of units, one vector wide, and
 * within a group by gate. So the products of some groups can be finished by {@link Gates} while
 * they are in the first caches, before those of the next are formed.
 */
final class UsualRecurrent extends SimdPackedRecurrent {
  /** Bytes of products that wait for their gates. */
  private static final long RUN_BYTES = 64 << 10;

  /**
   * Rows whose gates are formed at once: of more than these, the pages that the rows of the input's
   * product lie in are too many for the first translation cache, and each gate comes by anew.
   */
  private static final int GATE_ROWS = 16;

  /**
   * The same for an LSTM, which comes by five times: so few that what it reads stays in the first
   * cache, where rows of the input's product meet in the same places. It takes 5 % less time so
   * with 512 units; a tanh RNN, which comes by once, 5 % more.
   */
  private static final int LSTM_GATE_ROWS = 4;

  /**
   * Rows of a step that are taken through all groups of units before the next are, where weights
   * are small enough to come by that often: products of many groups then fit into a run, and gates
   * are formed in long loops instead of two vectors a row at a time.
   */
  private static final int BLOCK_ROWS = 48;

  /** Weights that come by for every block of rows: what the second and third caches hold. */
  private static final long BLOCK_BYTES = 2 << 20;

  /** Steps with fewer multiplications are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  private final int gates;
  private final Panels input;

  /** The recurrent weights; of a GRU with the reset before the product only z and r. */
  private final Panels recurrent;

  /** The recurrent weights of the candidate of a GRU with the reset before the product. */
  private final Panels candidate;

  private final HostBuffer biases;

  /** Per group and gate a vector: both biases together, where they are added in one place. */
  private final long bias;

  /** GRU with the reset after the product: the recurrent bias of the candidate, per group. */
  private final long resetBias;

  private final long widenedBytes;

  UsualRecurrent(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    super(spec, format);
    this.gates = spec.gates();
    int state = spec.stateSize();
    List<Tensor> looped = weights.recurrent();
    try (Arena arena = Arena.ofConfined()) {
      this.input = panels(arena, weights.input(), spec.inputSize(), byGroup(gates));
      if (resetBefore(spec)) {
        this.recurrent = panels(arena, looped.subList(0, 2), state, byGroup(2));
        this.candidate = panels(arena, looped.subList(2, 3), state, byGroup(1));
      } else {
        this.recurrent = panels(arena, looped, state, byGroup(gates));
        this.candidate = null;
      }
    }
    this.widenedBytes = widenedBytes(input, recurrent, candidate);
    this.biases = HostBuffer.allocate((long) groups * (gates + 1) * BYTES);
    this.bias = biases.address();
    this.resetBias = bias + (long) groups * gates * BYTES;
    addBiases(weights, bias, resetBias, byGroup(gates));
  }

  /** Whether a layer is one of those that are computed in this form. */
  static boolean handles(RecurrentSpec spec, RecurrentWeights weights) {
    return spec.projectionSize() == 0
        && spec.clip() == 0
        && !spec.coupled()
        && !spec.layerNormalised()
        && weights.peepholes().isEmpty()
        && spec.activations().equals(spec.cell().defaultActivations());
  }

  private static Order byGroup(int gates) {
    return (gate, unit) -> (unit / LANES * gates + gate) * LANES + unit % LANES;
  }

  @Override
  Panels input() {
    return input;
  }

  @Override
  long hiddenStride() {
    return (long) groups * BYTES;
  }

  @Override
  long leftSize(int rows) {
    return (long) rows * recurrent.inner;
  }

  @Override
  long widenedBytes() {
    return widenedBytes;
  }

  @Override
  long stepBytes(int rows) {
    if (candidate != null) {
      return widenedBytes + (long) rows * (recurrent.vectors + candidate.vectors + groups) * BYTES;
    }
    // A run has as many groups as fit, at least the fewest; and the last panel may be wider.
    long run = Math.max(RUN_BYTES, (long) rows * alignedGroups() * gates * BYTES);
    return widenedBytes + run + (long) rows * WIDE * BYTES;
  }

  /** The fewest groups whose gates fill whole wide panels. */
  private int alignedGroups() {
    return gates == 4 || gates == WIDE ? 1 : gates == 2 ? WIDE / 2 : WIDE;
  }

  /** Groups whose products are formed before their gates are. */
  private int groupsAtOnce(int rows) {
    int aligned = alignedGroups();
    long times = Math.max(1, RUN_BYTES / ((long) rows * aligned * gates * BYTES));
    return (int) Math.min(groups, times * aligned);
  }

  /** Bytes from one row's products to the next; the last panel may be wider than its groups. */
  private long zStride(int rows) {
    return (long) (groupsAtOnce(rows) * gates + WIDE) * BYTES;
  }

  @Override
  void step(float[] left, int rows, Origins origins, long h, long c, long scratch, long xs) {
    if (candidate != null) {
      long z = scratch + widenedBytes;
      stepUntilReset(0, groups, left, rows, h, scratch, z, xs);
      stepAfterReset(0, groups, left, rows, h, scratch, z, xs);
      return;
    }
    long stride = hiddenStride();
    int states = origins == null ? rows : origins.gather(0, rows, h, stride);
    int most = Product.evenRows(states, rowsAtOnce());
    for (int row = 0, end; row < rows; row = end) {
      long from = h + row * stride;
      if (origins == null) {
        end = Math.min(rows, row + most);
        states = end - row;
        Product.interleave(left, from, stride, states, recurrent.inner);
      } else {
        end = origins.blockEnd(row, rows, most);
        states = origins.gather(row, end, h, stride);
        Product.interleave(left, origins.addresses(), 0, states, recurrent.inner);
      }
      stepGroups(
          0,
          groups,
          left,
          states,
          end - row,
          origins,
          from,
          c + row * cellStride(),
          scratch,
          xs + (long) row * input.vectors * BYTES);
    }
  }

  @Override
  int rowsAtOnce() {
    return candidate == null && format == WeightFormat.FLOAT32 && recurrent.bytes() <= BLOCK_BYTES
        ? BLOCK_ROWS
        : Integer.MAX_VALUE;
  }

  @Override
  int stepParts(int rows, int workers) {
    long work = (long) rows * recurrent.inner * recurrent.vectors * LANES;
    return candidate != null || work < LEAST_SHARED ? 1 : Math.min(workers, mostShares());
  }

  @Override
  void beginStep(float[] left, int rows, long h) {
    Product.interleave(left, h, hiddenStride(), rows, recurrent.inner);
  }

  @Override
  void stepPart(
      int part, int parts, float[] left, int rows, long h, long c, long scratch, long xs) {
    int first = firstGroup(part, parts);
    int end = firstGroup(part + 1, parts);
    stepGroups(first, end, left, rows, rows, null, h, c, scratch, xs);
  }

  /** The fewest groups whose weights fill whole wide panels in all matrices. */
  private int sharedGroups() {
    return candidate == null ? alignedGroups() : WIDE;
  }

  @Override
  int mostShares() {
    return (groups + sharedGroups() - 1) / sharedGroups();
  }

  @Override
  int phases() {
    return candidate == null ? 1 : 2;
  }

  @Override
  long sharedBytes(int rows) {
    return candidate == null ? 0 : stepBytes(rows) - widenedBytes;
  }

  /** The first group that belongs to a share. */
  private int firstGroup(int share, int shares) {
    int aligned = sharedGroups();
    return Math.min(groups, mostShares() * share / shares * aligned);
  }

  @Override
  int firstInputPanel(int share, int shares) {
    return share == shares ? input.count : input.panelAt(firstGroup(share, shares) * gates);
  }

  @Override
  int firstElement(int share, int shares) {
    return Math.min(spec.hiddenSize(), firstGroup(share, shares) * LANES);
  }

  @Override
  void stepShare(
      int phase,
      int share,
      int shares,
      float[] left,
      int rows,
      long before,
      long h,
      long c,
      long scratch,
      long shared,
      long xs) {
    int first = firstGroup(share, shares);
    int end = firstGroup(share + 1, shares);
    if (candidate != null) {
      if (phase == 0) {
        stepUntilReset(first, end, left, rows, h, scratch, shared, xs);
      } else {
        stepAfterReset(first, end, left, rows, h, scratch, shared, xs);
      }
      return;
    }
    Product.interleave(left, before, hiddenStride(), rows, recurrent.inner);
    if (spec.cell() == Cell.GRU) {
      // The one cell whose new state depends on the old one beyond the product.
      for (int row = 0; row < rows; row++) {
        long at = row * hiddenStride() + (long) first * BYTES;
        Floats.copy(before + at, h + at, (end - first) * LANES);
      }
    }
    stepGroups(first, end, left, rows, rows, null, h, c, scratch, xs);
  }

  /**
   * A step of the groups {@code first} to {@code end} − 1.
   *
   * @param states how many states there are, interleaved: as many as rows, or those of origins
   */
  private void stepGroups(
      int first,
      int end,
      float[] left,
      int states,
      int rows,
      Origins origins,
      long h,
      long c,
      long scratch,
      long xs) {
    long z = scratch + widenedBytes;
    int atOnce = groupsAtOnce(rows);
    int gateRows = spec.cell() == Cell.LSTM ? LSTM_GATE_ROWS : GATE_ROWS;
    long zStride = zStride(rows);
    for (int group = first; group < end; group += atOnce) {
      int some = Math.min(atOnce, end - group);
      int from = recurrent.panelAt(group * gates);
      int to = group + some == groups ? recurrent.count : recurrent.panelAt((group + some) * gates);
      Product.run(left, states, recurrent, from, to, z, zStride, scratch);
      if (origins != null) {
        origins.spread(z, zStride, some * gates * LANES);
      }
      long columns = (long) group * gates * BYTES;
      for (int row = 0; row < rows; row += gateRows) {
        finish(
            Math.min(gateRows, rows - row),
            group,
            some,
            h + row * hiddenStride(),
            c + row * cellStride(),
            z + row * zStride,
            zStride,
            xs + (long) row * input.vectors * BYTES + columns,
            bias + columns);
      }
    }
  }

  /** From products to states, for {@code some} groups from {@code group} on. */
  private void finish(
      int rows, int group, int some, long h, long c, long z, long zStride, long xs, long bias) {
    long state = (long) group * BYTES;
    long hStride = hiddenStride();
    long xStride = (long) input.vectors * BYTES;
    int step = gates * BYTES;
    int passes =
        switch (spec.cell()) {
          case RNN -> ColdStart.TANH;
          case LSTM -> ColdStart.SIGMOID | ColdStart.TANH | ColdStart.LSTM_STATE;
          case GRU -> ColdStart.SIGMOID | ColdStart.GRU_STATE;
        };
    if (ColdStart.lasts(passes)) {
      finishPlainly(rows, group, some, h, c, z, zStride, xs, bias);
      ColdStart.rehearse(passes, 0);
      return;
    }
    switch (spec.cell()) {
      case RNN ->
          Gates.tanh(
              h + state, hStride, BYTES, z, zStride, xs, xStride, bias, rows, some, step, step);
      case LSTM -> {
        for (int gate = 0; gate < 3; gate++) {
          int at = gate * BYTES;
          Gates.sigmoid(z + at, zStride, step, xs + at, xStride, bias + at, rows, some, step);
        }
        int at = 3 * BYTES;
        Gates.tanh(
            z + at, zStride, step, z + at, zStride, xs + at, xStride, bias + at, rows, some, step,
            step);
        Gates.lstmState(z, zStride, c + state, cellStride(), h + state, hStride, rows, some);
      }
      case GRU -> {
        for (int gate = 0; gate < 2; gate++) {
          int at = gate * BYTES;
          Gates.sigmoid(z + at, zStride, step, xs + at, xStride, bias + at, rows, some, step);
        }
        Gates.gruResetAfter(
            z, zStride, xs, xStride, bias, resetBias + state, h + state, hStride, rows, some);
      }
    }
  }

  private void finishPlainly(
      int rows, int group, int some, long h, long c, long z, long zStride, long xs, long bias) {
    long state = (long) group * BYTES;
    long hs = h + state;
    long hStride = hiddenStride();
    long xStride = (long) input.vectors * BYTES;
    switch (spec.cell()) {
      case RNN -> PlainLoops.rnn(z, zStride, xs, xStride, bias, hs, hStride, rows, some);
      case LSTM ->
          PlainLoops.lstm(
              z, zStride, xs, xStride, bias, c + state, cellStride(), hs, hStride, rows, some);
      case GRU ->
          PlainLoops.gru(z, zStride, xs, xStride, bias, resetBias + state, hs, hStride, rows, some);
    }
  }

  /**
   * The groups {@code first} to {@code end} − 1 of a GRU with the reset before the product, up to
   * what the candidate's product reads.
   *
   * @param z the gates z and r of all groups, behind them the candidate, behind that r h
   */
  private void stepUntilReset(
      int first, int end, float[] left, int rows, long h, long widened, long z, long xs) {
    if (first == end) {
      return;
    }
    int some = end - first;
    long hStride = hiddenStride();
    long zStride = (long) recurrent.vectors * BYTES;
    long xStride = (long) input.vectors * BYTES;
    int zStep = 2 * BYTES;
    int xStep = 3 * BYTES;
    long own = z + (long) first * zStep;
    int to = end == groups ? recurrent.count : recurrent.panelAt(end * 2);
    Product.interleave(left, h, hStride, rows, recurrent.inner);
    Product.run(left, rows, recurrent, recurrent.panelAt(first * 2), to, own, zStride, widened);
    for (int gate = 0; gate < 2; gate++) {
      int at = gate * BYTES;
      long x = (long) first * xStep + at;
      Gates.sigmoid(own + at, zStride, zStep, xs + x, xStride, bias + x, rows, some, xStep);
    }
    long units = (long) first * BYTES;
    Gates.gruReset(own, zStride, h + units, hStride, reset(z, rows) + units, rows, some);
  }

  private long candidate(long z, int rows) {
    return z + rows * (long) recurrent.vectors * BYTES;
  }

  private long reset(long z, int rows) {
    return candidate(z, rows) + rows * (long) candidate.vectors * BYTES;
  }

  /** The same groups from there to the states. */
  private void stepAfterReset(
      int first, int end, float[] left, int rows, long h, long widened, long z, long xs) {
    if (first == end) {
      return;
    }
    int some = end - first;
    long hStride = hiddenStride();
    long nStride = (long) candidate.vectors * BYTES;
    long units = (long) first * BYTES;
    long n = candidate(z, rows) + units;
    int to = end == groups ? candidate.count : candidate.panelAt(end);
    Product.interleave(left, reset(z, rows), hStride, rows, candidate.inner);
    Product.run(left, rows, candidate, candidate.panelAt(first), to, n, nStride, widened);
    int xStep = 3 * BYTES;
    long xStride = (long) input.vectors * BYTES;
    long x = (long) first * xStep + 2L * BYTES;
    Gates.tanh(n, nStride, BYTES, n, nStride, xs + x, xStride, bias + x, rows, some, BYTES, xStep);
    long zStride = (long) recurrent.vectors * BYTES;
    Gates.gruState(z + 2 * units, zStride, n, nStride, h + units, hStride, rows, some);
  }

  @Override
  public long bytes() {
    return input.bytes()
        + recurrent.bytes()
        + (candidate == null ? 0 : candidate.bytes())
        + biases.bytes();
  }

  @Override
  public void close() {
    input.close();
    recurrent.close();
    if (candidate != null) {
      candidate.close();
    }
    biases.close();
  }
}

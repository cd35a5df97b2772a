package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.Activation;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * A layer with anything special: any activations, clip, peepholes, projection, coupled gates, layer
 * normalisation. Each gate has columns of its own, one gate after the other, and a step is put
 * together from passes over whole gates.
 */
final class GeneralRecurrent extends SimdPackedRecurrent {
  private final int gates;
  private final Panels input;

  /** The recurrent weights; of a GRU with the reset before the product only z and r. */
  private final Panels recurrent;

  /** The recurrent weights of the candidate of a GRU with the reset before the product. */
  private final Panels candidate;

  /** {@code [hidden, projection]}, or {@code null}. */
  private final Panels projection;

  private final HostBuffer vectors;

  /** Bytes of one gate of one row. */
  private final int gateBytes;

  // Where one number for each unit and gate lies, in the order of the columns.
  private final long bias;
  private final long resetBias;
  private final long peepholes;
  private final boolean peeping;
  private final long inputScale;
  private final long inputShift;
  private final long recurrentScale;
  private final long recurrentShift;
  private final long cellScale;
  private final long cellShift;

  private final long widenedBytes;

  GeneralRecurrent(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    super(spec, format);
    this.gates = spec.gates();
    this.gateBytes = groups * BYTES;
    int state = spec.stateSize();
    Order order = (gate, unit) -> gate * groups * LANES + unit;
    List<Tensor> looped = weights.recurrent();
    try (Arena arena = Arena.ofConfined()) {
      this.input = panels(arena, weights.input(), spec.inputSize(), order);
      if (resetBefore(spec)) {
        this.recurrent = panels(arena, looped.subList(0, 2), state, order);
        this.candidate = panels(arena, looped.subList(2, 3), state, order);
      } else {
        this.recurrent = panels(arena, looped, state, order);
        this.candidate = null;
      }
      this.projection =
          weights.projection() == null ? null : projection(arena, weights.projection(), format);
    }
    this.widenedBytes = widenedBytes(input, recurrent, candidate, projection);
    long all = (long) gates * gateBytes;
    this.vectors = HostBuffer.allocate(5 * all + 6L * gateBytes);
    this.bias = vectors.address();
    this.inputScale = bias + all;
    this.inputShift = inputScale + all;
    this.recurrentScale = inputShift + all;
    this.recurrentShift = recurrentScale + all;
    this.resetBias = recurrentShift + all;
    this.peepholes = resetBias + gateBytes;
    this.cellScale = peepholes + 3L * gateBytes;
    this.cellShift = cellScale + gateBytes;
    addBiases(weights, bias, resetBias, order);
    this.peeping = !weights.peepholes().isEmpty();
    for (int i = 0; i < weights.peepholes().size(); i++) {
      add(weights.peepholes().get(i), i, peepholes, order);
    }
    if (spec.layerNormalised()) {
      int hidden = spec.hiddenSize();
      Order split = (first, i) -> order.column(i / hidden, i % hidden);
      List<Tensor> normalisation = weights.normalisation();
      add(normalisation.get(0), 0, inputScale, split);
      add(normalisation.get(1), 0, inputShift, split);
      add(normalisation.get(2), 0, recurrentScale, split);
      add(normalisation.get(3), 0, recurrentShift, split);
      if (spec.cell() == Cell.LSTM) {
        add(normalisation.get(4), 0, cellScale, split);
        add(normalisation.get(5), 0, cellShift, split);
      }
    }
  }

  /** {@code [projection, hidden]}: its rows become columns. */
  private static Panels projection(Arena arena, Tensor weights, WeightFormat format) {
    int columns = (int) weights.dim(0);
    int inner = (int) weights.dim(1);
    long from = Floats.copyOf(arena, weights);
    long[] starts = new long[columns];
    long[] strides = new long[columns];
    for (int column = 0; column < columns; column++) {
      starts[column] = from + (long) column * inner * Float.BYTES;
      strides[column] = Float.BYTES;
    }
    return new Panels(inner, starts, strides, format);
  }

  @Override
  Panels input() {
    return input;
  }

  @Override
  long hiddenStride() {
    return projection == null ? gateBytes : (long) projection.vectors * BYTES;
  }

  @Override
  long leftSize(int rows) {
    return (long) rows * Math.max(spec.stateSize(), spec.hiddenSize());
  }

  @Override
  long widenedBytes() {
    return widenedBytes;
  }

  @Override
  long stepBytes(int rows) {
    long candidateVectors = candidate == null ? 0 : candidate.vectors;
    return widenedBytes
        + (long) BYTES
        + rows * (recurrent.vectors + candidateVectors + groups) * BYTES;
  }

  @Override
  boolean finishesInput() {
    return spec.layerNormalised();
  }

  @Override
  void finishInput(long products, int rows, long scratch) {
    if (spec.layerNormalised()) {
      normalise(
          products, (long) input.vectors * BYTES, rows, gates, inputScale, inputShift, scratch);
    }
  }

  /** Each row of some gates together to mean 0 and variance 1, scaled and shifted. */
  private void normalise(
      long at, long stride, int rows, int count, long scale, long shift, long partial) {
    int hidden = spec.hiddenSize();
    int padded = groups * LANES;
    for (int i = 0; i < rows; i++) {
      long row = at + i * stride;
      double sum = 0;
      for (int gate = 0; gate < count; gate++) {
        long part = row + (long) gate * gateBytes;
        Floats.fill(part, hidden, padded, 0);
        RowPasses.sum(part, groups, partial);
        sum += Floats.sum(partial);
      }
      float mean = (float) (sum / ((double) count * hidden));
      double squares = 0;
      for (int gate = 0; gate < count; gate++) {
        long part = row + (long) gate * gateBytes;
        // What fills a gate up lies at the mean and adds nothing to the variance.
        Floats.fill(part, hidden, padded, mean);
        RowPasses.squares(part, groups, partial, mean);
        squares += Floats.sum(partial);
      }
      double variance = squares / ((double) count * hidden);
      float factor = (float) (1 / Math.sqrt(variance + spec.layerNormEpsilon()));
      RowPasses.normalise(row, row, count * groups, mean, factor, scale);
      RowPasses.addBias(row, 0, 1, count * groups, shift);
    }
  }

  @Override
  void step(float[] left, int rows, Origins origins, long h, long c, long scratch, long xs) {
    long partial = scratch + widenedBytes;
    long z = partial + BYTES;
    multiply(0, recurrent.count, left, rows, h, scratch, z);
    untilSecondProduct(rows, h, c, z, partial, xs);
    if (secondProduct() != null) {
      multiplySecond(0, secondProduct().count, left, rows, h, scratch, z);
      afterSecondProduct(rows, h, z, partial, xs);
    }
  }

  /** The product in the middle of a step, where there is one. */
  private Panels secondProduct() {
    return candidate != null ? candidate : projection;
  }

  @Override
  int mostShares() {
    return recurrent.count;
  }

  @Override
  int phases() {
    return candidate != null ? 4 : projection != null ? 3 : 2;
  }

  @Override
  long sharedBytes(int rows) {
    return stepBytes(rows) - widenedBytes - BYTES;
  }

  @Override
  int firstInputPanel(int share, int shares) {
    return input.count * share / shares;
  }

  @Override
  int firstElement(int share, int shares) {
    int state = spec.stateSize();
    if (projection == null) {
      return share == 0 ? 0 : state;
    }
    int panel = projection.count * share / shares;
    return Math.min(state, projection.firstVector(panel) * LANES);
  }

  /** The products are shared; what is between them is little, and all of it the first share's. */
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
    long partial = scratch + widenedBytes;
    switch (phase) {
      case 0 -> {
        int count = recurrent.count;
        int from = count * share / shares;
        multiply(from, count * (share + 1) / shares, left, rows, h, scratch, shared);
      }
      case 1 -> {
        if (share == 0) {
          untilSecondProduct(rows, h, c, shared, partial, xs);
        }
      }
      case 2 -> {
        int count = secondProduct().count;
        int from = count * share / shares;
        multiplySecond(from, count * (share + 1) / shares, left, rows, h, scratch, shared);
      }
      default -> {
        if (share == 0) {
          afterSecondProduct(rows, h, shared, partial, xs);
        }
      }
    }
  }

  /** The recurrent product by the panels {@code from} to {@code to} − 1. */
  private void multiply(int from, int to, float[] left, int rows, long h, long widened, long z) {
    long at = z + (long) recurrent.firstVector(from) * BYTES;
    Product.interleave(left, h, hiddenStride(), rows, recurrent.inner);
    Product.run(left, rows, recurrent, from, to, at, zStride(), widened);
  }

  private long zStride() {
    return (long) recurrent.vectors * BYTES;
  }

  /** Where the left side of the second product lies. */
  private long second(long z, int rows) {
    return z + rows * zStride();
  }

  private void multiplySecond(
      int from, int to, float[] left, int rows, long h, long widened, long z) {
    Panels panels = secondProduct();
    long column = (long) panels.firstVector(from) * BYTES;
    Product.interleave(left, second(z, rows), gateBytes, rows, panels.inner);
    if (candidate != null) {
      long stride = (long) candidate.vectors * BYTES;
      Product.run(left, rows, panels, from, to, candidates(z, rows) + column, stride, widened);
    } else {
      Product.run(left, rows, panels, from, to, h + column, hiddenStride(), widened);
    }
  }

  /** Where the second product of a GRU goes. */
  private long candidates(long z, int rows) {
    return second(z, rows) + (long) rows * gateBytes;
  }

  private void untilSecondProduct(int rows, long h, long c, long z, long partial, long xs) {
    long zStride = zStride();
    if (spec.layerNormalised()) {
      int count = candidate == null ? gates : 2;
      normalise(z, zStride, rows, count, recurrentScale, recurrentShift, partial);
    }
    switch (spec.cell()) {
      case RNN -> {
        addUp(z, zStride, xs, 0, 1, rows);
        gate(0, z, zStride, rows, 1);
        Activations.apply(Activation.IDENTITY, z, zStride, h, hiddenStride(), rows, groups);
      }
      case GRU -> gru(rows, h, z, zStride, second(z, rows), xs);
      case LSTM -> lstm(rows, h, c, z, zStride, second(z, rows), partial, xs);
    }
  }

  private void afterSecondProduct(int rows, long h, long z, long partial, long xs) {
    if (candidate != null) {
      long n = candidates(z, rows);
      long nStride = (long) candidate.vectors * BYTES;
      if (spec.layerNormalised()) {
        long at = 2L * gateBytes;
        normalise(n, nStride, rows, 1, recurrentScale + at, recurrentShift + at, partial);
      }
      update(rows, h, z, n, nStride, xs);
    }
  }

  /** The new state of a GRU, from the product of its candidate. */
  private void update(int rows, long h, long z, long n, long nStride, long xs) {
    addUp(n, nStride, xs, 2, 1, rows);
    gate(1, n, nStride, rows, 1);
    CellPasses.update(h, hiddenStride(), z, zStride(), n, nStride, rows, groups);
  }

  /** Adds the input's product and the bias to {@code count} gates from {@code first} on. */
  private void addUp(long z, long zStride, long xs, int first, int count, int rows) {
    long at = (long) first * gateBytes;
    CellPasses.add(z, zStride, xs + at, (long) input.vectors * BYTES, rows, count * groups);
    RowPasses.addBias(z, zStride, rows, count * groups, bias + at);
  }

  /** Clip and activation of {@code count} gates. */
  private void gate(int activation, long z, long zStride, int rows, int count) {
    if (spec.clip() > 0) {
      CellPasses.clip(z, zStride, rows, count * groups, spec.clip());
    }
    Activations.apply(
        spec.activations().get(activation), z, zStride, z, zStride, rows, count * groups);
  }

  private void gru(int rows, long h, long z, long zStride, long masked, long xs) {
    long reset = z + gateBytes;
    addUp(z, zStride, xs, 0, 2, rows);
    gate(0, z, zStride, rows, 2);
    if (candidate != null) {
      CellPasses.multiply(masked, gateBytes, reset, zStride, h, hiddenStride(), rows, groups);
      return;
    }
    long n = z + 2L * gateBytes;
    RowPasses.addBias(n, zStride, rows, groups, resetBias);
    CellPasses.multiply(n, zStride, n, zStride, reset, zStride, rows, groups);
    update(rows, h, z, n, zStride, xs);
  }

  private void lstm(
      int rows, long h, long c, long z, long zStride, long shown, long partial, long xs) {
    long output = z + gateBytes;
    long forget = output + gateBytes;
    long candidates = forget + gateBytes;
    addUp(z, zStride, xs, 0, 4, rows);
    if (peeping) {
      CellPasses.addWeighted(z, zStride, c, gateBytes, peepholes, rows, groups);
      CellPasses.addWeighted(
          forget, zStride, c, gateBytes, peepholes + 2L * gateBytes, rows, groups);
    }
    gate(0, z, zStride, rows, 1);
    if (spec.coupled()) {
      Activations.affine(z, zStride, forget, zStride, rows, groups, -1f, 1f);
    } else {
      gate(0, forget, zStride, rows, 1);
    }
    gate(1, candidates, zStride, rows, 1);
    CellPasses.state(c, gateBytes, forget, z, candidates, zStride, rows, groups);
    if (peeping) {
      CellPasses.addWeighted(output, zStride, c, gateBytes, peepholes + gateBytes, rows, groups);
    }
    gate(0, output, zStride, rows, 1);
    Activations.apply(Activation.IDENTITY, c, gateBytes, shown, gateBytes, rows, groups);
    if (spec.layerNormalised()) {
      normalise(shown, gateBytes, rows, 1, cellScale, cellShift, partial);
    }
    // Not a gate's argument, so the clip does not apply.
    Activations.apply(spec.activations().get(2), shown, gateBytes, shown, gateBytes, rows, groups);
    if (projection == null) {
      CellPasses.multiply(h, hiddenStride(), shown, gateBytes, output, zStride, rows, groups);
    } else {
      CellPasses.multiply(shown, gateBytes, shown, gateBytes, output, zStride, rows, groups);
    }
  }

  @Override
  public long bytes() {
    return input.bytes()
        + recurrent.bytes()
        + (candidate == null ? 0 : candidate.bytes())
        + (projection == null ? 0 : projection.bytes())
        + vectors.bytes();
  }

  @Override
  public void close() {
    input.close();
    recurrent.close();
    if (candidate != null) {
      candidate.close();
    }
    if (projection != null) {
      projection.close();
    }
    vectors.close();
  }
}

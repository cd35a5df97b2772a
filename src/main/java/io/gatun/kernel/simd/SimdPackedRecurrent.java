package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;

import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * The packed weights of one direction of a recurrent layer, and what one time step does with them.
 * {@link RecurrentRun} sees to sequences, lengths, threads and memory; a step sees rows of states.
 *
 * <p>The hidden size is filled up to whole vectors with units whose weights are 0.
 */
abstract class SimdPackedRecurrent implements PackedRecurrent {
  final RecurrentSpec spec;

  /** What the matrices are rounded to. */
  final WeightFormat format;

  /** Units in groups of a vector: the hidden size in vectors. */
  final int groups;

  SimdPackedRecurrent(RecurrentSpec spec, WeightFormat format) {
    this.spec = spec;
    this.format = format;
    this.groups = Lanes.vectors(spec.hiddenSize());
  }

  static SimdPackedRecurrent pack(
      RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    weights.check(spec);
    // Before anything is allocated that would have to be given back.
    for (List<Tensor> part :
        List.of(
            weights.input(),
            weights.recurrent(),
            weights.inputBias(),
            weights.recurrentBias(),
            weights.peepholes(),
            weights.normalisation())) {
      part.forEach(Tensor::checkAccess);
    }
    if (weights.projection() != null) {
      weights.projection().checkAccess();
    }
    return UsualRecurrent.handles(spec, weights)
        ? new UsualRecurrent(spec, weights, format)
        : new GeneralRecurrent(spec, weights, format);
  }

  /** The input's weights of all gates. */
  abstract Panels input();

  /** Bytes from the hidden state of one row to the next. */
  abstract long hiddenStride();

  /** Bytes from the cell state of one row to the next. */
  final long cellStride() {
    return (long) groups * BYTES;
  }

  /** How many rows a step takes through all weights at a time. */
  int rowsAtOnce() {
    return Integer.MAX_VALUE;
  }

  /** Elements of the interleaved left sides a step of so many rows needs. */
  abstract long leftSize(int rows);

  /**
   * Bytes of scratch memory to widen a panel in, see {@link Product#run}: that of a step begins
   * with them, and so does that which the input's product is given.
   */
  abstract long widenedBytes();

  /** Bytes of scratch memory a step of at most so many rows needs. */
  abstract long stepBytes(int rows);

  /** Whether {@link #finishInput} does anything. */
  boolean finishesInput() {
    return false;
  }

  /** What becomes of the input's product before it is used. */
  void finishInput(long products, int rows, long scratch) {}

  /**
   * One time step.
   *
   * @param left room for left sides
   * @param origins which rows begin in the same state, or null where no two are known to
   * @param h the hidden states before the step, and after it
   * @param c the cell states likewise, where there are any
   * @param scratch {@link #stepBytes} of memory
   * @param xs the input's product of these rows
   */
  abstract void step(
      float[] left, int rows, Origins origins, long h, long c, long scratch, long xs);

  /**
   * Into how many parts a step of so many rows falls that may run at the same time, each a call of
   * its own: for one who has one step at a time. {@link #stepShare} is for all of them together.
   */
  int stepParts(int rows, int workers) {
    return 1;
  }

  /** What comes before the parts of a step. */
  void beginStep(float[] left, int rows, long h) {
    throw new UnsupportedOperationException(spec + " is computed in one piece");
  }

  /**
   * One part of a step.
   *
   * @param scratch {@link #stepBytes} of memory of this part's own
   */
  void stepPart(
      int part, int parts, float[] left, int rows, long h, long c, long scratch, long xs) {
    throw new UnsupportedOperationException(spec + " is computed in one piece");
  }

  /**
   * Into how many shares a layer can be divided, each some groups of units with all their weights,
   * which then stay in the cache of one core.
   */
  abstract int mostShares();

  /**
   * How many phases a step has that is shared: each reads what all shares of those before wrote.
   */
  abstract int phases();

  /** Bytes of memory that the shares of a step of at most so many rows have in common. */
  abstract long sharedBytes(int rows);

  /** The first panel of the input's weights that belongs to a share; that of the next ends it. */
  abstract int firstInputPanel(int share, int shares);

  /** The first element of the hidden state that the last phase of a share writes. */
  abstract int firstElement(int share, int shares);

  /**
   * One share of one phase of a time step. The same as {@link #step} when all are done.
   *
   * @param left room for left sides
   * @param before the hidden states before the step; the same as {@code h} with several phases
   * @param h the hidden states after it
   * @param scratch {@link #stepBytes} of memory of the thread's own
   * @param shared {@link #sharedBytes} of memory
   */
  abstract void stepShare(
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
      long xs);

  /** The most bytes that any of some panels, which may be missing, needs to be widened in. */
  static long widenedBytes(Panels... panels) {
    long most = 0;
    for (Panels each : panels) {
      most = Math.max(most, each == null ? 0 : each.widenedBytes());
    }
    return Scratch.aligned(most);
  }

  static boolean resetBefore(RecurrentSpec spec) {
    return spec.cell() == Cell.GRU && !spec.resetAfter();
  }

  /** Where a unit of a gate lies among the columns. */
  interface Order {
    int column(int gate, int unit);
  }

  /** Packs the weights of some gates, {@code [hidden, inner]} each. */
  final Panels panels(Arena arena, List<Tensor> gates, int inner, Order order) {
    long[] starts = new long[groups * gates.size() * Lanes.LANES];
    long[] strides = new long[starts.length];
    for (int gate = 0; gate < gates.size(); gate++) {
      long from = Floats.copyOf(arena, gates.get(gate));
      for (int unit = 0; unit < spec.hiddenSize(); unit++) {
        int column = order.column(gate, unit);
        starts[column] = from + (long) unit * inner * Float.BYTES;
        strides[column] = Float.BYTES;
      }
    }
    return new Panels(inner, starts, strides, format);
  }

  /**
   * Adds the biases to where they belong; that of a GRU's candidate may have a place of its own.
   */
  final void addBiases(RecurrentWeights weights, long bias, long resetBias, Order order) {
    boolean resetAfter = spec.cell() == Cell.GRU && spec.resetAfter();
    for (int gate = 0; gate < weights.inputBias().size(); gate++) {
      add(weights.inputBias().get(gate), gate, bias, order);
    }
    for (int gate = 0; gate < weights.recurrentBias().size(); gate++) {
      if (resetAfter && gate == 2) {
        add(weights.recurrentBias().get(gate), 0, resetBias, (first, unit) -> unit);
      } else {
        add(weights.recurrentBias().get(gate), gate, bias, order);
      }
    }
  }

  /** Adds a vector of one number a unit to numbers in the order of the columns. */
  static void add(Tensor vector, int gate, long target, Order order) {
    float[] values = vector.toFloats();
    for (int unit = 0; unit < values.length; unit++) {
      int at = order.column(gate, unit);
      Floats.put(target, at, Floats.get(target, at) + values[unit]);
    }
  }

  @Override
  public RecurrentSpec spec() {
    return spec;
  }
}

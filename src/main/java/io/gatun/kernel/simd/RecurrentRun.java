package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.Workers;

/**
 * One run of a recurrent layer. Sequences are sorted by length, longest first, and dealt out to the
 * workers like cards, so that each has its share of long ones; a worker takes its sequences through
 * all time steps without waiting for anybody. Those that have ended drop off the end of its rows,
 * so padded steps are never computed.
 *
 * <p>The input's product does not depend on the state, so it is formed for many time steps at once;
 * inside the loop only the state's product is left. Where the sequences are too few for the workers
 * they share the products instead, by columns.
 */
final class RecurrentRun implements Workers.Task {
  /** Rows of the input's product that are formed at once, if no time step has more. */
  private static final int ROWS_AT_ONCE = 512;

  /** Sequences a worker takes at once at most, which bounds its scratch memory. */
  private static final int MOST_SEQUENCES = 256;

  /** Fewer sequences than these are not worth another worker. */
  private static final int LEAST_SEQUENCES = 4;

  /** Input products with fewer multiplications are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  private final Workers workers;
  private final Scratch[] scratch;
  private final InputParts inputParts = new InputParts();
  private final StepParts stepParts = new StepParts();
  private SimdPackedRecurrent layer;
  private boolean reverse;
  private int time;
  private int batch;
  private int parts;
  private int hidden;
  private int state;
  private int[] order = {};
  private int[] length = {};
  private int[] starts = {};
  private long input;
  private long inputTime;
  private long inputRow;
  private long output;
  private long outputTime;
  private long outputRow;
  private long initialHidden;
  private long initialCell;
  private long finalHidden;
  private long finalCell;

  RecurrentRun(Workers workers, Scratch[] scratch) {
    this.workers = workers;
    this.scratch = scratch;
  }

  /**
   * Takes down the operands and sorts the sequences. Addresses are 0 for what is not there.
   *
   * @param lengths address of the int32 lengths
   */
  void prepare(
      SimdPackedRecurrent layer,
      RecurrentCall call,
      long input,
      long lengths,
      long initialHidden,
      long initialCell,
      long output,
      long finalHidden,
      long finalCell) {
    this.layer = layer;
    this.reverse = call.reverse;
    this.time = call.time;
    this.batch = call.batch;
    this.hidden = layer.spec.hiddenSize();
    this.state = layer.spec.stateSize();
    this.input = input;
    this.inputTime = call.inputTimeStride * Float.BYTES;
    this.inputRow = call.inputRowStride * Float.BYTES;
    this.output = output;
    this.outputTime = call.outputTimeStride * Float.BYTES;
    this.outputRow = call.outputRowStride * Float.BYTES;
    this.initialHidden = initialHidden;
    this.initialCell = initialCell;
    this.finalHidden = finalHidden;
    this.finalCell = finalCell;
    sort(lengths);
    int useful = Math.max(1, Math.min(scratch.length, batch / LEAST_SEQUENCES));
    int most = (batch + MOST_SEQUENCES - 1) / MOST_SEQUENCES;
    this.parts = Math.max(1, (most + useful - 1) / useful * useful);
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      reserve(scratch[i]);
    }
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
    java.util.Arrays.fill(starts, 0, time + 2, 0);
    for (int b = 0; b < batch; b++) {
      int given =
          lengths == 0
              ? time
              : MEMORY.get(
                  java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED,
                  lengths + (long) b * Integer.BYTES);
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
  }

  int parts() {
    return parts;
  }

  private int sequences(int part) {
    return (batch - part + parts - 1) / parts;
  }

  private long inputStride() {
    return (long) layer.input().vectors * BYTES;
  }

  /** Parts of a step that may run at the same time. */
  private int stepsAtOnce() {
    return parts == 1 ? scratch.length : 1;
  }

  private void reserve(Scratch worker) {
    int rows = sequences(0);
    long products = Math.min((long) rows * time, Math.max(rows, ROWS_AT_ONCE));
    long block = Math.min(Product.blockRows(layer.input().inner), products);
    worker.reserve(
        Math.max(block * layer.input().inner, layer.leftSize(rows)),
        products,
        Scratch.aligned(rows * layer.hiddenStride())
            + Scratch.aligned(rows * layer.cellStride())
            + stepsAtOnce() * Scratch.aligned(layer.stepBytes(rows))
            + products * inputStride());
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    Scratch own = scratch[parts <= scratch.length ? part : worker];
    int rows = sequences(part);
    int most = sequences(0);
    long h = own.address();
    long c = h + Scratch.aligned(most * layer.hiddenStride());
    long temporary = c + Scratch.aligned(most * layer.cellStride());
    long products = temporary + stepsAtOnce() * Scratch.aligned(layer.stepBytes(most));
    boolean lstm = layer.spec.cell() == Cell.LSTM;
    begin(part, rows, h, layer.hiddenStride(), initialHidden, state);
    if (lstm) {
      begin(part, rows, c, layer.cellStride(), initialCell, hidden);
    }
    int steps = rows == 0 ? 0 : length[sequence(part, 0)];
    int active = rows;
    int step = 0;
    while (step < steps) {
      int until = step;
      int waiting = 0;
      int alive = active;
      while (until < steps) {
        alive = alive(part, alive, until);
        if (waiting > 0 && waiting + alive > ROWS_AT_ONCE) {
          break;
        }
        for (int row = 0; row < alive; row++) {
          int b = sequence(part, row);
          own.rows[waiting + row] = input + timeOf(b, until) * inputTime + b * inputRow;
        }
        waiting += alive;
        until++;
      }
      multiplyInput(own, waiting, products, temporary);
      layer.finishInput(products, waiting, temporary);
      long xs = products;
      for (; step < until; step++) {
        active = alive(part, active, step);
        int shares = parts == 1 ? layer.stepParts(active, scratch.length) : 1;
        if (shares > 1) {
          layer.beginStep(own.left, active, h);
          stepParts.set(shares, own.left, active, h, c, temporary, xs);
          workers.run(shares, stepParts);
        } else {
          layer.step(own.left, active, h, c, temporary, xs);
        }
        if (output != 0) {
          for (int row = 0; row < active; row++) {
            int b = sequence(part, row);
            Floats.copy(
                h + row * layer.hiddenStride(),
                output + timeOf(b, step) * outputTime + b * outputRow,
                state);
          }
        }
        xs += active * inputStride();
      }
    }
    end(part, rows, h, layer.hiddenStride(), finalHidden, state);
    if (lstm) {
      end(part, rows, c, layer.cellStride(), finalCell, hidden);
    }
    if (output != 0) {
      for (int row = 0; row < rows; row++) {
        int b = sequence(part, row);
        for (int t = length[b]; t < time; t++) {
          Floats.fill(output + t * outputTime + b * outputRow, 0, state, 0);
        }
      }
    }
  }

  private int sequence(int part, int row) {
    return order[part + row * parts];
  }

  private long timeOf(int sequence, int step) {
    return reverse ? length[sequence] - 1 - step : step;
  }

  /** How many of the first {@code rows} sequences still have this step. */
  private int alive(int part, int rows, int step) {
    int alive = rows;
    while (alive > 0 && length[sequence(part, alive - 1)] <= step) {
      alive--;
    }
    return alive;
  }

  private void begin(int part, int rows, long states, long stride, long initial, int size) {
    for (int row = 0; row < rows; row++) {
      long to = states + row * stride;
      Floats.fill(to, 0, (int) (stride / Float.BYTES), 0);
      if (initial != 0) {
        Floats.copy(initial + (long) sequence(part, row) * size * Float.BYTES, to, size);
      }
    }
  }

  private void end(int part, int rows, long states, long stride, long target, int size) {
    if (target == 0) {
      return;
    }
    for (int row = 0; row < rows; row++) {
      Floats.copy(
          states + row * stride, target + (long) sequence(part, row) * size * Float.BYTES, size);
    }
  }

  private void multiplyInput(Scratch own, int rows, long products, long temporary) {
    Panels panels = layer.input();
    long stride = inputStride();
    int most = Product.blockRows(panels.inner);
    for (int first = 0; first < rows; first += most) {
      int block = Math.min(most, rows - first);
      Product.interleave(own.left, own.rows, first, block, panels.inner);
      long to = products + first * stride;
      long work = (long) block * panels.inner * panels.vectors * Lanes.LANES;
      if (parts == 1 && scratch.length > 1 && work >= LEAST_SHARED) {
        inputParts.set(own.left, block, to, temporary);
        workers.run(Math.min(scratch.length, panels.count), inputParts);
      } else {
        Product.run(own.left, block, panels, 0, panels.count, to, stride, temporary);
      }
    }
  }

  /** The input's product of some rows, by panels: for few sequences, which only one worker has. */
  private final class InputParts implements Workers.Task {
    private float[] left;
    private int rows;
    private long to;
    private long temporary;

    void set(float[] left, int rows, long to, long temporary) {
      this.left = left;
      this.rows = rows;
      this.to = to;
      this.temporary = temporary;
    }

    @Override
    public void run(int part, int worker) {
      Panels panels = layer.input();
      int shares = Math.min(scratch.length, panels.count);
      int from = panels.count * part / shares;
      int end = panels.count * (part + 1) / shares;
      long column = (long) panels.firstVector(from) * BYTES;
      long own = temporary + part * Scratch.aligned(layer.stepBytes(sequences(0)));
      Product.run(left, rows, panels, from, end, to + column, inputStride(), own);
    }
  }

  /** One time step by groups of units: for few sequences of a large layer. */
  private final class StepParts implements Workers.Task {
    private int shares;
    private float[] left;
    private int rows;
    private long h;
    private long c;
    private long temporary;
    private long xs;

    void set(int shares, float[] left, int rows, long h, long c, long temporary, long xs) {
      this.shares = shares;
      this.left = left;
      this.rows = rows;
      this.h = h;
      this.c = c;
      this.temporary = temporary;
      this.xs = xs;
    }

    @Override
    public void run(int part, int worker) {
      long own = temporary + part * Scratch.aligned(layer.stepBytes(sequences(0)));
      layer.stepPart(part, shares, left, rows, h, c, own, xs);
    }
  }
}

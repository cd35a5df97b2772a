package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.WIDE;

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
 * inside the loop only the state's product is left. Both are finished by {@link Gates} while the
 * rows are in the first caches.
 */
final class RecurrentRun implements Workers.Task {
  /** Rows of the input's product that are formed at once, if no time step has more. */
  private static final int ROWS_AT_ONCE = 384;

  /** Rows of one block of that product: what is interleaved at a time. */
  private static final int BLOCK = 96;

  /** Sequences a worker takes at once at most, which bounds its scratch memory. */
  private static final int MOST_SEQUENCES = 252;

  /** Fewer sequences than these are not worth another worker. */
  private static final int LEAST_SEQUENCES = 4;

  /** Bytes of products that wait for their gates. */
  private static final long RUN_BYTES = 64 << 10;

  private final Scratch[] scratch;
  private SimdPackedRecurrent layer;
  private boolean reverse;
  private int time;
  private int batch;
  private int parts;
  private int hidden;
  private int gates;
  private int groups;
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

  RecurrentRun(Scratch[] scratch) {
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
    this.hidden = layer.spec().hiddenSize();
    this.gates = layer.spec().gates();
    this.groups = layer.groups;
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
    int workers = scratch.length;
    int useful = Math.max(1, Math.min(workers, batch / LEAST_SEQUENCES));
    int most = (batch + MOST_SEQUENCES - 1) / MOST_SEQUENCES;
    this.parts = Math.max(1, (most + useful - 1) / useful * useful);
    for (int i = 0; i < Math.min(workers, parts); i++) {
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
      length[b] =
          lengths == 0
              ? time
              : MEMORY.get(
                  java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED,
                  lengths + (long) b * Integer.BYTES);
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

  private long stateBytes() {
    return (long) groups * BYTES;
  }

  private long inputProductStride() {
    return (long) layer.input.vectors * BYTES;
  }

  /** The fewest groups whose gates fill whole wide panels. */
  private static int alignedGroups(int gates) {
    return gates == 4 || gates == WIDE ? 1 : gates == 2 ? WIDE / 2 : WIDE;
  }

  /** Groups whose products are formed before their gates are. */
  private int groupsAtOnce(int rows, int gates) {
    int aligned = alignedGroups(gates);
    long bytes = (long) rows * aligned * gates * BYTES;
    long times = Math.max(1, RUN_BYTES / bytes);
    return (int) Math.min(groups, times * aligned);
  }

  private void reserve(Scratch worker) {
    int rows = sequences(0);
    long products = Math.min((long) rows * time, Math.max(rows, ROWS_AT_ONCE));
    int block = (int) Math.min(BLOCK, products);
    long left = Math.max((long) block * layer.input.inner, (long) rows * layer.recurrent.inner);
    worker.reserve(
        left,
        products,
        3 * Scratch.aligned(rows * stateBytes())
            + Scratch.aligned(zBytes(rows))
            + Scratch.aligned(products * inputProductStride()));
  }

  /** Products of a time step: at most one row's panels too many at the end. */
  private long zBytes(int rows) {
    if (layer.candidate != null) {
      return (long) rows * (layer.recurrent.vectors + layer.candidate.vectors) * BYTES;
    }
    // A run may be as small as one row's, when few sequences are left: then it is the longest.
    long most = 0;
    for (int active = 1; active <= rows; active++) {
      most = Math.max(most, active * zStride(active, gates));
    }
    return most;
  }

  private long zStride(int rows, int gates) {
    return (long) (groupsAtOnce(rows, gates) * gates + WIDE) * BYTES;
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    Scratch own = scratch[parts <= scratch.length ? part : worker];
    int rows = sequences(part);
    long h = own.address();
    long c = h + Scratch.aligned(sequences(0) * stateBytes());
    long reset = c + Scratch.aligned(sequences(0) * stateBytes());
    long z = reset + Scratch.aligned(sequences(0) * stateBytes());
    long products = z + Scratch.aligned(zBytes(sequences(0)));
    begin(part, rows, h, initialHidden);
    if (layer.spec().cell() == Cell.LSTM) {
      begin(part, rows, c, initialCell);
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
      multiplyInput(own, waiting, products);
      long xs = products;
      for (; step < until; step++) {
        active = alive(part, active, step);
        if (layer.candidate != null) {
          stepResetBefore(own.left, active, h, reset, z, xs);
        } else {
          step(own.left, active, h, c, z, xs);
        }
        if (output != 0) {
          for (int row = 0; row < active; row++) {
            int b = sequence(part, row);
            copy(h + row * stateBytes(), output + timeOf(b, step) * outputTime + b * outputRow);
          }
        }
        xs += active * inputProductStride();
      }
    }
    end(part, rows, h, finalHidden);
    if (layer.spec().cell() == Cell.LSTM) {
      end(part, rows, c, finalCell);
    }
    if (output != 0) {
      for (int row = 0; row < rows; row++) {
        int b = sequence(part, row);
        for (int t = length[b]; t < time; t++) {
          clear(output + t * outputTime + b * outputRow, hidden);
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

  private void begin(int part, int rows, long state, long initial) {
    for (int row = 0; row < rows; row++) {
      long to = state + row * stateBytes();
      clear(to, groups * Lanes.LANES);
      if (initial != 0) {
        copy(initial + (long) sequence(part, row) * hidden * Float.BYTES, to);
      }
    }
  }

  private void end(int part, int rows, long state, long target) {
    if (target == 0) {
      return;
    }
    for (int row = 0; row < rows; row++) {
      copy(state + row * stateBytes(), target + (long) sequence(part, row) * hidden * Float.BYTES);
    }
  }

  private void copy(long from, long to) {
    java.lang.foreign.MemorySegment.copy(MEMORY, from, MEMORY, to, (long) hidden * Float.BYTES);
  }

  private static void clear(long at, int elements) {
    for (int i = 0; i < elements; i++) {
      MEMORY.set(
          java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED, at + (long) i * Float.BYTES, 0f);
    }
  }

  private void multiplyInput(Scratch own, int rows, long products) {
    Panels panels = layer.input;
    long stride = inputProductStride();
    for (int first = 0; first < rows; first += BLOCK) {
      int block = Math.min(BLOCK, rows - first);
      Product.interleave(own.left, own.rows, first, block, panels.inner);
      Product.run(own.left, block, panels, 0, panels.count, products + first * stride, stride);
    }
  }

  private void step(float[] left, int rows, long h, long c, long z, long xs) {
    Panels panels = layer.recurrent;
    Product.interleave(left, h, stateBytes(), rows, panels.inner);
    int atOnce = groupsAtOnce(rows, gates);
    long zStride = zStride(rows, gates);
    long xStride = inputProductStride();
    for (int group = 0; group < groups; group += atOnce) {
      int some = Math.min(atOnce, groups - group);
      int from = panels.panelAt(group * gates);
      int to = group + some == groups ? panels.count : panels.panelAt((group + some) * gates);
      Product.run(left, rows, panels, from, to, z, zStride);
      long x = xs + (long) group * gates * BYTES;
      long bias = layer.bias + (long) group * gates * BYTES;
      long state = (long) group * BYTES;
      switch (layer.spec().cell()) {
        case RNN ->
            Gates.tanh(
                h + state,
                stateBytes(),
                BYTES,
                z,
                zStride,
                x,
                xStride,
                bias,
                rows,
                some,
                BYTES,
                BYTES);
        case LSTM -> {
          int step = 4 * BYTES;
          for (int gate = 0; gate < 3; gate++) {
            int at = gate * BYTES;
            Gates.sigmoid(z + at, zStride, step, x + at, xStride, bias + at, rows, some, step);
          }
          int at = 3 * BYTES;
          Gates.tanh(
              z + at, zStride, step, z + at, zStride, x + at, xStride, bias + at, rows, some, step,
              step);
          Gates.lstmState(z, zStride, c + state, stateBytes(), h + state, stateBytes(), rows, some);
        }
        case GRU -> {
          int step = 3 * BYTES;
          Gates.sigmoid(z, zStride, step, x, xStride, bias, rows, some, step);
          Gates.sigmoid(
              z + BYTES, zStride, step, x + BYTES, xStride, bias + BYTES, rows, some, step);
          Gates.gruResetAfter(
              z,
              zStride,
              x,
              xStride,
              bias,
              layer.resetBias + state,
              h + state,
              stateBytes(),
              rows,
              some);
        }
      }
    }
  }

  private void stepResetBefore(float[] left, int rows, long h, long reset, long z, long xs) {
    Panels panels = layer.recurrent;
    Panels last = layer.candidate;
    long zStride = (long) panels.vectors * BYTES;
    long n = z + rows * zStride;
    long nStride = (long) last.vectors * BYTES;
    long xStride = inputProductStride();
    int step = 3 * BYTES;
    Product.interleave(left, h, stateBytes(), rows, panels.inner);
    Product.run(left, rows, panels, 0, panels.count, z, zStride);
    for (int gate = 0; gate < 2; gate++) {
      Gates.sigmoid(
          z + (long) gate * BYTES,
          zStride,
          2 * BYTES,
          xs + (long) gate * BYTES,
          xStride,
          layer.bias + (long) gate * BYTES,
          rows,
          groups,
          step);
    }
    Gates.gruReset(z, zStride, h, stateBytes(), reset, rows, groups);
    Product.interleave(left, reset, stateBytes(), rows, last.inner);
    Product.run(left, rows, last, 0, last.count, n, nStride);
    Gates.tanh(
        n,
        nStride,
        BYTES,
        n,
        nStride,
        xs + 2L * BYTES,
        xStride,
        layer.bias + 2L * BYTES,
        rows,
        groups,
        BYTES,
        step);
    Gates.gruState(z, zStride, n, nStride, h, stateBytes(), rows, groups);
  }
}

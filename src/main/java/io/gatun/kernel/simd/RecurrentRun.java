package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.Team;
import io.gatun.kernel.Workers;

/**
 * One run of a recurrent layer. Sequences are sorted by length, longest first, and dealt out to the
 * workers like cards, so that each has its share of long ones; a worker takes its sequences through
 * all time steps without waiting for anybody. Those that have ended drop off the end of its rows,
 * so padded steps are never computed.
 *
 * <p>The input's product does not depend on the state, so it is formed for many time steps at once;
 * inside the loop only the state's product is left.
 *
 * <p>Where the sequences are few, a team goes through the time steps together: each member has some
 * of the units with all their weights, input and recurrent, so that they stay in its core's cache,
 * and the members wait for each other once a step.
 */
final class RecurrentRun implements Workers.Task, Workers.TeamTask {
  /**
   * Rows of the input's product that are formed at once, if no time step has more: the fewer, the
   * nearer they still are when the loop comes to them.
   */
  private static final int ROWS_AT_ONCE = 256;

  /** The same where weights are large: they come from far for each time. */
  private static final int ROWS_AT_ONCE_OF_LARGE = 512;

  /** Weights larger than this are not in the second cache when they are needed again. */
  private static final long LARGE = 2 << 20;

  /** Sequences a worker takes at once at most, which bounds its scratch memory. */
  private static final int MOST_SEQUENCES = 256;

  /**
   * Fewer sequences than these are not worth another worker. With as many for each, a team that
   * waits for all its members at every step was the slower: 4.2 ms against 3.4 where 8 sequences of
   * an LSTM of 256 units met 2 threads.
   */
  private static final int LEAST_SEQUENCES = 4;

  /** Layers with fewer multiplications in all are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  /** Nor are steps with fewer worth a round of a team. */
  private static final long LEAST_TOGETHER = 1 << 15;

  // Rounds of a team that are no phase of a step.
  private static final int INPUT = -1;
  private static final int FINISH = -2;

  private final Workers workers;
  private final Scratch[] scratch;
  private final Origins[] origins;
  private final Member[] team;
  private SimdPackedRecurrent layer;
  private boolean reverse;
  private int time;
  private int batch;
  private int parts;
  private int members;
  private int rowsAtOnce;
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
    this.team = new Member[scratch.length];
    this.origins = new Origins[scratch.length];
    for (int i = 0; i < team.length; i++) {
      team[i] = new Member(scratch[i]);
      origins[i] = new Origins();
    }
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
    this.rowsAtOnce = layer.input().bytes() > LARGE ? ROWS_AT_ONCE_OF_LARGE : ROWS_AT_ONCE;
    sort(lengths);
    long work = work(layer, time, batch, state);
    this.members = members(work);
    int useful = Math.min(work < LEAST_SHARED ? 1 : scratch.length, batch / LEAST_SEQUENCES);
    useful = members > 1 ? 1 : Math.max(1, useful);
    int most = (batch + MOST_SEQUENCES - 1) / MOST_SEQUENCES;
    this.parts = (most + useful - 1) / useful * useful;
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      reserve(scratch[i]);
      origins[i].reserve(sequences(0));
    }
    for (int i = 0; i < members && members > 1; i++) {
      reserveMember(scratch[i], i);
    }
  }

  /**
   * Whether each of two directions had better be run by a thread of its own: where there is enough
   * to do for both, but sequences are too few to be dealt out, and threads are too few for a team
   * on each direction in turn to be faster.
   */
  static boolean sideBySide(SimdPackedRecurrent layer, RecurrentCall call, int workers) {
    int state = layer.spec.stateSize();
    return workers == 2
        && call.batch > 0
        && call.batch < LEAST_SEQUENCES * workers
        && work(layer, call.time, call.batch, state) >= LEAST_SHARED;
  }

  /** Multiplications in all, about. */
  private static long work(SimdPackedRecurrent layer, int time, int batch, int state) {
    Panels panels = layer.input();
    return (long) batch * time * panels.vectors * Lanes.LANES * (panels.inner + state);
  }

  /** How large a team computes the layer; 1 if its sequences are dealt out instead. */
  private int members(long work) {
    long step = (long) batch * layer.input().vectors * Lanes.LANES * state;
    boolean little = work < LEAST_SHARED || step < LEAST_TOGETHER;
    if (little || batch >= LEAST_SEQUENCES * scratch.length) {
      return 1;
    }
    return Math.min(scratch.length, layer.mostShares());
  }

  /** The states before the first time step, where a team computes. */
  private void begin() {
    long h = scratch[0].address();
    begin(0, batch, h, layer.hiddenStride(), initialHidden, state);
    if (layer.spec.cell() == Cell.LSTM) {
      long c = h + 2 * Scratch.aligned(batch * layer.hiddenStride());
      begin(0, batch, c, layer.cellStride(), initialCell, hidden);
    }
  }

  /** Computes what {@link #prepare} has taken down. */
  void run() {
    if (members > 1) {
      begin();
      workers.together(members, this);
    } else {
      workers.run(parts, this);
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

  private int sequences(int part) {
    return (batch - part + parts - 1) / parts;
  }

  private long inputStride() {
    return (long) layer.input().vectors * BYTES;
  }

  /** Rows of the input's product that are formed at once, where a part has so many sequences. */
  private int productRows(int rows) {
    return (int) Math.min((long) rows * time, Math.max(rows, rowsAtOnce));
  }

  /** Elements of the interleaved left sides of so many sequences. */
  private long leftSize(int rows) {
    int inner = layer.input().inner;
    long block = Math.min(Product.blockRows(inner), productRows(rows));
    return Math.max(block * inner, layer.leftSize(rows));
  }

  private void reserve(Scratch worker) {
    int rows = sequences(0);
    worker.reserve(
        leftSize(rows),
        productRows(rows),
        Scratch.aligned(rows * layer.hiddenStride())
            + Scratch.aligned(rows * layer.cellStride())
            + Scratch.aligned(layer.stepBytes(rows))
            + productRows(rows) * inputStride());
  }

  /** The same where a team works together: the first member has what they share. */
  private void reserveMember(Scratch worker, int member) {
    long bytes = Scratch.aligned(layer.stepBytes(batch));
    if (member == 0) {
      bytes +=
          2 * Scratch.aligned(batch * layer.hiddenStride())
              + Scratch.aligned(batch * layer.cellStride())
              + Scratch.aligned(layer.sharedBytes(batch))
              + productRows(batch) * inputStride();
    }
    worker.reserve(leftSize(batch), productRows(batch), bytes);
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    int place = parts <= scratch.length ? part : worker;
    Scratch own = scratch[place];
    int rows = sequences(part);
    int most = sequences(0);
    long h = own.address();
    long c = h + Scratch.aligned(most * layer.hiddenStride());
    long temporary = c + Scratch.aligned(most * layer.cellStride());
    long products = temporary + Scratch.aligned(layer.stepBytes(most));
    boolean lstm = layer.spec.cell() == Cell.LSTM;
    begin(part, rows, h, layer.hiddenStride(), initialHidden, state);
    if (lstm) {
      begin(part, rows, c, layer.cellStride(), initialCell, hidden);
    }
    int steps = rows == 0 ? 0 : length[sequence(part, 0)];
    origins[place].find(h, layer.hiddenStride(), rows);
    int active = rows;
    int step = 0;
    while (step < steps) {
      int waiting = gather(part, own.rows, active, step, steps);
      multiplyInput(own, waiting, 0, layer.input().count, products, temporary);
      layer.finishInput(products, waiting, temporary);
      long xs = products;
      for (long end = xs + waiting * inputStride(); xs < end; step++) {
        active = alive(part, active, step);
        Origins same = step == 0 ? origins[place].orNull() : null;
        layer.step(own.left, active, same, h, c, temporary, xs);
        if (output != 0) {
          store(part, active, step, h, 0, state);
        }
        xs += active * inputStride();
      }
    }
    end(part, rows, h, layer.hiddenStride(), finalHidden, state);
    if (lstm) {
      end(part, rows, c, layer.cellStride(), finalCell, hidden);
    }
    if (output != 0) {
      pad(part, rows);
    }
  }

  /** What a member of a team does. */
  @Override
  public void run(int member, Team team) {
    this.team[member].run(member, team);
  }

  /**
   * Notes where the inputs of some time steps from {@code first} on lie, step by step.
   *
   * @param rows where to; as many as {@link #productRows}
   * @param active how many sequences had the step before
   * @param steps the last time step
   * @return how many inputs there are
   */
  private int gather(int part, long[] rows, int active, int first, int steps) {
    int waiting = 0;
    int alive = active;
    for (int step = first; step < steps; step++) {
      alive = alive(part, alive, step);
      if (waiting > 0 && waiting + alive > rowsAtOnce) {
        break;
      }
      for (int row = 0; row < alive; row++) {
        int b = sequence(part, row);
        rows[waiting + row] = input + timeOf(b, step) * inputTime + b * inputRow;
      }
      waiting += alive;
    }
    return waiting;
  }

  /** Writes the elements {@code from} to {@code to} − 1 of hidden states to the output. */
  private void store(int part, int rows, int step, long h, int from, int to) {
    for (int row = 0; row < rows; row++) {
      int b = sequence(part, row);
      Floats.copy(
          h + row * layer.hiddenStride() + (long) from * Float.BYTES,
          output + timeOf(b, step) * outputTime + b * outputRow + (long) from * Float.BYTES,
          to - from);
    }
  }

  /** The outputs after each sequence's end are 0. */
  private void pad(int part, int rows) {
    for (int row = 0; row < rows; row++) {
      int b = sequence(part, row);
      for (int t = length[b]; t < time; t++) {
        Floats.fill(output + t * outputTime + b * outputRow, 0, state, 0);
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

  /** The input's product of some rows by the panels {@code from} to {@code to} − 1. */
  private void multiplyInput(
      Scratch own, int rows, int from, int to, long products, long temporary) {
    Panels panels = layer.input();
    long stride = inputStride();
    long column = (long) panels.firstVector(from) * BYTES;
    int most = Product.blockRows(panels.inner);
    for (int first = 0; first < rows; first += most) {
      int block = Math.min(most, rows - first);
      Product.interleave(own.left, own.rows, first, block, panels.inner);
      long at = products + first * stride + column;
      Product.run(own.left, block, panels, from, to, at, stride, temporary);
    }
  }

  /**
   * A member of a team: where it is in time. All members go through the same rounds, each of which
   * is the input's product of some time steps, or a phase of a step; and in each a member does the
   * share of some units, as a rule the same ones.
   */
  private final class Member implements Workers.Task {
    private final Scratch own;

    /** What a round is about: {@link #INPUT}, {@link #FINISH}, or a phase of a step. */
    private int phase;

    private int shares;
    private int phases;
    private int waiting;
    private int step;
    private int active;
    private int alive;
    private long h;
    private long next;
    private long c;
    private long shared;
    private long products;
    private long temporary;
    private long xs;

    Member(Scratch own) {
      this.own = own;
    }

    void run(int member, Team team) {
      shares = team.size();
      phases = layer.phases();
      // The first member has what they share.
      h = scratch[0].address();
      next = h + Scratch.aligned(batch * layer.hiddenStride());
      c = next + Scratch.aligned(batch * layer.hiddenStride());
      shared = c + Scratch.aligned(batch * layer.cellStride());
      products = shared + Scratch.aligned(layer.sharedBytes(batch));
      temporary = member == 0 ? products + productRows(batch) * inputStride() : own.address();
      active = batch;
      int steps = length[order[0]];
      step = 0;
      while (step < steps) {
        waiting = gather(0, own.rows, active, step, steps);
        phase = INPUT;
        team.round(member, this);
        if (layer.finishesInput()) {
          phase = FINISH;
          team.round(member, this);
        }
        xs = products;
        for (long end = xs + waiting * inputStride(); xs < end; step++) {
          alive = alive(0, active, step);
          for (phase = 0; phase < phases; phase++) {
            team.round(member, this);
          }
          active = alive;
          if (phases == 1) {
            // While some still read the states before the step others write those after it.
            long before = h;
            h = next;
            next = before;
          }
          xs += active * inputStride();
        }
      }
      if (member == 0) {
        end(0, batch, h, layer.hiddenStride(), finalHidden, state);
        if (layer.spec.cell() == Cell.LSTM) {
          end(0, batch, c, layer.cellStride(), finalCell, hidden);
        }
        if (output != 0) {
          pad(0, batch);
        }
      }
    }

    /** A share of the round. */
    @Override
    public void run(int share, int member) {
      if (phase == INPUT) {
        int from = layer.firstInputPanel(share, shares);
        int to = layer.firstInputPanel(share + 1, shares);
        multiplyInput(own, waiting, from, to, products, temporary);
      } else if (phase == FINISH) {
        if (share == 0) {
          layer.finishInput(products, waiting, temporary);
        }
      } else {
        step(share);
      }
    }

    private void step(int share) {
      int from = layer.firstElement(share, shares);
      int to = layer.firstElement(share + 1, shares);
      for (int row = alive; row < active && phases == 1; row++) {
        // Sequences that have ended stay what they are in either place.
        long at = row * layer.hiddenStride() + (long) from * Float.BYTES;
        Floats.copy(h + at, next + at, to - from);
      }
      long after = phases == 1 ? next : h;
      layer.stepShare(phase, share, shares, own.left, alive, h, after, c, temporary, shared, xs);
      if (output != 0 && phase == phases - 1) {
        store(0, alive, step, after, from, to);
      }
    }
  }
}

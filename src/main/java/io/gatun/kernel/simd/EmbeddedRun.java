package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * One run of a recurrent layer whose inputs are rows of a table. The input's products are looked up
 * instead of formed.
 *
 * <p>Sequences that began in the same state and have had the same tokens are in the same state, so
 * there is one row for all of them until their tokens differ: a tree of prefixes, walked level by
 * level. Words have far fewer different beginnings than there are words, the more so when they come
 * sorted by their letters. Where initial states are given, each sequence is a row of its own. What
 * rows in the same state have in common even then, {@link Origins} knows.
 *
 * <p>Sequences are sorted by length, longest first, and fall into runs of neighbours, one for each
 * part, with about as many tokens each.
 */
final class EmbeddedRun implements Workers.Task {
  /** Sequences a part has at most, which bounds its scratch memory: its rows, and where shared. */
  private static final int MOST_SEQUENCES = 252;

  private static final int MOST_SHARED_SEQUENCES = 504;

  /** Fewer sequences than these are not worth another worker. */
  private static final int LEAST_SEQUENCES = 4;

  /** Rows of a part from which on it is cut in whole tiles. */
  private static final int LEAST_EVEN = 4 * Lanes.TILE_ROWS;

  private static final int NONE = -1;

  private final Workers workers;
  private final Scratch[] scratch;
  private final Prefixes[] prefixes;
  private final StepParts stepParts = new StepParts();
  private SimdPackedEmbedding embedding;
  private SimdPackedRecurrent layer;
  private boolean lstm;
  private boolean reverse;
  private boolean shared;

  /** Whether sequences are as long as each other, and each a row of its own: no order is needed. */
  private boolean inOrder;

  private int time;
  private int batch;
  private int parts;
  private int most;
  private int hidden;
  private int state;
  private int[] tokens = {};
  private int[] order = {};
  private int[] length = {};
  private int[] starts = {};
  private int[] bounds = {};
  private long output;
  private long outputTime;
  private long outputRow;
  private long initialHidden;
  private long initialCell;
  private long finalHidden;
  private long finalCell;

  /** What a worker knows of its sequences and of the prefixes they have in common. */
  private static final class Prefixes {
    /** The row of each sequence. */
    int[] rows = {};

    /** The token that a row takes in the step to come; {@link #NONE} if no sequence needs it. */
    int[] token = {};

    /** The next row that has the same prefix before it, or {@link #NONE}. */
    int[] sibling = {};

    /** Where a row has been moved to. */
    int[] moved = {};

    /** The tokens of rows in the order of where they have been moved to. */
    int[] movedToken = {};

    final Origins origins = new Origins();

    void reserve(int sequences) {
      if (rows.length < sequences) {
        rows = new int[sequences];
        token = new int[sequences];
        sibling = new int[sequences];
        moved = new int[sequences];
        movedToken = new int[sequences];
        origins.reserve(sequences);
      }
    }
  }

  EmbeddedRun(Workers workers, Scratch[] scratch) {
    this.workers = workers;
    this.scratch = scratch;
    prefixes = new Prefixes[scratch.length];
    for (int i = 0; i < prefixes.length; i++) {
      prefixes[i] = new Prefixes();
    }
  }

  /**
   * Takes down the operands and sorts the sequences. Addresses are 0 for what is not there.
   *
   * @param given address of the tokens
   * @param lengths address of the int32 lengths
   */
  void prepare(
      RecurrentCall call,
      long given,
      long lengths,
      long initialHidden,
      long initialCell,
      long output,
      long finalHidden,
      long finalCell) {
    this.embedding = (SimdPackedEmbedding) call.embedding;
    this.layer = embedding.layer;
    this.lstm = layer.spec.cell() == Cell.LSTM;
    this.reverse = call.reverse;
    this.time = call.time;
    this.batch = call.batch;
    this.hidden = layer.spec.hiddenSize();
    this.state = layer.spec.stateSize();
    this.output = output;
    this.outputTime = call.outputTimeStride * Float.BYTES;
    this.outputRow = call.outputRowStride * Float.BYTES;
    this.initialHidden = initialHidden;
    this.initialCell = initialCell;
    this.finalHidden = finalHidden;
    this.finalCell = finalCell;
    this.shared = initialHidden == 0 && initialCell == 0;
    this.inOrder = lengths == 0 && !shared;
    takeTokens(call, given);
    sort(lengths);
    divide();
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      reserve(i);
    }
  }

  private void takeTokens(RecurrentCall call, long given) {
    if (tokens.length < Math.multiplyExact(time, batch)) {
      tokens = new int[time * batch];
    }
    boolean narrow = call.tokenType == DType.INT32;
    long rows = embedding.rows();
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < batch; b++) {
        long at = t * call.inputTimeStride + b * call.inputRowStride;
        long token =
            narrow
                ? MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, given + at * Integer.BYTES)
                : MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, given + at * Long.BYTES);
        // Clamped although checked: another thread may have written there since.
        tokens[t * batch + b] =
            (int) Math.max(0, Math.min(rows - 1, token < 0 ? token + rows : token));
      }
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
  }

  /** Cuts the sorted sequences into parts. */
  private void divide() {
    int limit = shared ? MOST_SHARED_SEQUENCES : Math.min(MOST_SEQUENCES, layer.rowsAtOnce());
    int useful = Math.max(1, Math.min(scratch.length, batch / LEAST_SEQUENCES));
    int least = ((batch + limit - 1) / limit + useful - 1) / useful * useful;
    long all = 0;
    for (int b = 0; b < batch; b++) {
      all += length[b] + 1;
    }
    long share = (all + least - 1) / least;
    if (bounds.length < batch + 1) {
      bounds = new int[batch + 1];
    }
    parts = 0;
    most = 0;
    bounds[0] = 0;
    if (inOrder) {
      // All of a length: whole tiles, but where there are few rows rather the same for each worker.
      most = (batch + least - 1) / least;
      most = most < LEAST_EVEN ? most : Product.evenRows(batch, most);
      for (int from = 0; from < batch; from += most) {
        bounds[++parts] = Math.min(batch, from + most);
      }
      return;
    }
    long waiting = 0;
    for (int i = 0; i < batch; i++) {
      waiting += length[order[i]] + 1;
      int some = i + 1 - bounds[parts];
      if (waiting >= share || some == limit || i + 1 == batch) {
        bounds[++parts] = i + 1;
        most = Math.max(most, some);
        waiting = 0;
      }
    }
  }

  int parts() {
    return parts;
  }

  /** Parts of a step that may run at the same time. */
  private int stepsAtOnce() {
    return parts == 1 ? scratch.length : 1;
  }

  private void reserve(int worker) {
    prefixes[worker].reserve(most);
    scratch[worker].reserve(
        Math.max(embedding.leftSize(), layer.leftSize(most)),
        0,
        Scratch.aligned(most * layer.hiddenStride())
            + Scratch.aligned(most * layer.cellStride())
            + stepsAtOnce() * Scratch.aligned(layer.stepBytes(most))
            + most * embedding.stride());
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    int place = parts <= scratch.length ? part : worker;
    Scratch own = scratch[place];
    Prefixes known = prefixes[place];
    int from = bounds[part];
    int sequences = bounds[part + 1] - from;
    long h = own.address();
    long c = h + Scratch.aligned(most * layer.hiddenStride());
    long temporary = c + Scratch.aligned(most * layer.cellStride());
    long products = temporary + stepsAtOnce() * Scratch.aligned(layer.stepBytes(most));
    int rows = begin(known, from, sequences, h, c);
    int active = ended(known, from, sequences, 0, h, c);
    int before = active;
    for (int step = 0; active > 0; step++) {
      Origins origins = null;
      if (shared) {
        if (active < before) {
          rows = drop(known, active, rows, h, c);
        }
        rows = part(known, from, active, rows, step, h, c);
        origins = known.origins.orNull();
      } else {
        rows = active;
        if (step == 0) {
          known.origins.find(h, layer.hiddenStride(), rows);
          origins = known.origins.orNull();
        }
        for (int i = 0; i < active; i++) {
          known.token[i] = token(order[from + i], step);
        }
      }
      step(own, known, rows, origins, h, c, temporary, products);
      if (inOrder && output != 0 && outputRow == (long) state * Float.BYTES) {
        copyRows(
            h, layer.hiddenStride(), output + timeOf(from, step) * outputTime, from, active, state);
      } else if (output != 0) {
        for (int i = 0; i < active; i++) {
          int b = order[from + i];
          Floats.copy(
              h + known.rows[i] * layer.hiddenStride(),
              output + timeOf(b, step) * outputTime + b * outputRow,
              state);
        }
      }
      before = active;
      active = ended(known, from, active, step + 1, h, c);
    }
    if (output != 0) {
      for (int i = 0; i < sequences; i++) {
        int b = order[from + i];
        for (int t = length[b]; t < time; t++) {
          Floats.fill(output + t * outputTime + b * outputRow, 0, state, 0);
        }
      }
    }
  }

  private long timeOf(int sequence, int step) {
    return reverse ? length[sequence] - 1 - step : step;
  }

  private int token(int sequence, int step) {
    return tokens[(int) timeOf(sequence, step) * batch + sequence];
  }

  /** The rows before the first step: one for all where it is the same; returns how many. */
  private int begin(Prefixes known, int from, int sequences, long h, long c) {
    int rows = shared ? 1 : sequences;
    begin(from, rows, h, layer.hiddenStride(), initialHidden, state);
    if (lstm) {
      begin(from, rows, c, layer.cellStride(), initialCell, hidden);
    }
    for (int i = 0; i < sequences; i++) {
      known.rows[i] = shared ? 0 : i;
    }
    return rows;
  }

  private void begin(int from, int rows, long states, long stride, long initial, int size) {
    int padded = (int) (stride / Float.BYTES);
    if (inOrder && initial != 0 && size == padded) {
      Floats.copy(initial + from * stride, states, rows * size);
      return;
    }
    for (int row = 0; row < rows; row++) {
      long to = states + row * stride;
      if (initial != 0) {
        Floats.copy(initial + (long) order[from + row] * size * Float.BYTES, to, size);
        Floats.fill(to, size, padded, 0);
      } else {
        Floats.fill(to, 0, padded, 0);
      }
    }
  }

  /**
   * Hands out the states of those of the first sequences that have so many steps and no more;
   * returns how many go on.
   */
  private int ended(Prefixes known, int from, int sequences, int steps, long h, long c) {
    if (inOrder && steps == time && sequences > 0) {
      if (finalHidden != 0) {
        copyRows(h, layer.hiddenStride(), finalHidden, from, sequences, state);
      }
      if (lstm && finalCell != 0) {
        copyRows(c, layer.cellStride(), finalCell, from, sequences, hidden);
      }
      return 0;
    }
    int active = sequences;
    while (active > 0 && length[order[from + active - 1]] == steps) {
      active--;
      int b = order[from + active];
      int row = known.rows[active];
      if (finalHidden != 0) {
        Floats.copy(
            h + row * layer.hiddenStride(), finalHidden + (long) b * state * Float.BYTES, state);
      }
      if (lstm && finalCell != 0) {
        Floats.copy(
            c + row * layer.cellStride(), finalCell + (long) b * hidden * Float.BYTES, hidden);
      }
    }
    return active;
  }

  /**
   * Fills up the places of rows that no sequence needs any more; returns how many rows are left.
   */
  private int drop(Prefixes known, int active, int rows, long h, long c) {
    Arrays.fill(known.moved, 0, rows, NONE);
    for (int i = 0; i < active; i++) {
      known.moved[known.rows[i]] = known.rows[i];
    }
    int left = rows;
    for (int row = 0; row < left; row++) {
      if (known.moved[row] == NONE) {
        while (left > row + 1 && known.moved[left - 1] == NONE) {
          left--;
        }
        left--;
        if (left > row) {
          copy(left, row, h, c);
          known.moved[left] = row;
        }
      }
    }
    for (int i = 0; i < active; i++) {
      known.rows[i] = known.moved[known.rows[i]];
    }
    return left;
  }

  /** Copies rows that are in the order of their sequences to where those are. */
  private static void copyRows(long states, long stride, long to, int from, int rows, int size) {
    long first = to + (long) from * size * Float.BYTES;
    if (stride == (long) size * Float.BYTES) {
      Floats.copy(states, first, rows * size);
      return;
    }
    for (int row = 0; row < rows; row++) {
      Floats.copy(states + row * stride, first + (long) row * size * Float.BYTES, size);
    }
  }

  private void copy(int row, int to, long h, long c) {
    long hStride = layer.hiddenStride();
    Floats.copy(h + row * hStride, h + to * hStride, (int) (hStride / Float.BYTES));
    if (lstm) {
      long cStride = layer.cellStride();
      Floats.copy(c + row * cStride, c + to * cStride, (int) (cStride / Float.BYTES));
    }
  }

  /**
   * Gives sequences whose tokens differ from here on rows of their own, side by side where they
   * were one; returns how many rows.
   */
  private int part(Prefixes known, int from, int active, int rows, int step, long h, long c) {
    Arrays.fill(known.token, 0, rows, NONE);
    Arrays.fill(known.sibling, 0, rows, NONE);
    int all = rows;
    for (int i = 0; i < active; i++) {
      int token = token(order[from + i], step);
      int row = known.rows[i];
      if (known.token[row] == NONE) {
        known.token[row] = token;
      }
      while (known.token[row] != token) {
        if (known.sibling[row] == NONE) {
          known.sibling[row] = all;
          known.token[all] = token;
          known.sibling[all] = NONE;
          all++;
        }
        row = known.sibling[row];
      }
      known.rows[i] = row;
    }
    int next = 0;
    for (int row = 0; row < rows; row++) {
      int eldest = next;
      for (int each = row; each != NONE; each = known.sibling[each]) {
        known.origins.set(next, eldest);
        known.movedToken[next] = known.token[each];
        known.moved[each] = next++;
      }
    }
    if (all > rows) {
      for (int i = 0; i < active; i++) {
        known.rows[i] = known.moved[known.rows[i]];
      }
      int[] token = known.token;
      known.token = known.movedToken;
      known.movedToken = token;
      spread(known, rows, all, h, c);
    }
    return all;
  }

  /** Copies the states of rows to all their children, of which none lies before its parent. */
  private void spread(Prefixes known, int rows, int all, long h, long c) {
    for (int row = rows - 1, end = all; row >= 0; row--) {
      int eldest = known.moved[row];
      for (int child = end - 1; child >= eldest; child--) {
        if (child != row) {
          copy(row, child, h, c);
        }
      }
      end = eldest;
    }
  }

  private void step(
      Scratch own,
      Prefixes known,
      int rows,
      Origins origins,
      long h,
      long c,
      long temporary,
      long products) {
    long stride = embedding.stride();
    for (int row = 0; row < rows; row++) {
      long product = embedding.product(known.token[row], own.left, temporary);
      Floats.copy(product, products + row * stride, (int) (stride / Float.BYTES));
    }
    int shares = parts == 1 ? layer.stepParts(rows, scratch.length) : 1;
    if (shares > 1) {
      layer.beginStep(own.left, rows, h);
      stepParts.set(shares, own.left, rows, h, c, temporary, products);
      workers.run(shares, stepParts);
    } else {
      layer.step(own.left, rows, origins, h, c, temporary, products);
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
    private long products;

    void set(int shares, float[] left, int rows, long h, long c, long temporary, long products) {
      this.shares = shares;
      this.left = left;
      this.rows = rows;
      this.h = h;
      this.c = c;
      this.temporary = temporary;
      this.products = products;
    }

    @Override
    public void run(int part, int worker) {
      long own = temporary + part * Scratch.aligned(layer.stepBytes(most));
      layer.stepPart(part, shares, left, rows, h, c, own, products);
    }
  }
}

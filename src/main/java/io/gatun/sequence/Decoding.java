package io.gatun.sequence;

import io.gatun.graph.Dim;
import io.gatun.graph.Execution;
import io.gatun.graph.Value;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.sequence.EncoderDecoder.Carried;
import io.gatun.tensor.DType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The device's side of decoding: the encoder's run, the decoder's steps, and the rows of state and
 * memory between them. It knows rows and log-probabilities, not hypotheses. A row is one sequence
 * that the decoder works on; every row belongs to a source of the batch.
 */
final class Decoding implements AutoCloseable {
  /** Up to so many rows the decoder computes no more than there are. */
  private static final int EXACT_ROWS = 32;

  final Kernels kernels;
  private final EncoderDecoder model;
  private final Device device;
  private final Execution encoder;
  private final Execution decoder;
  private final HostArray sourceTokens;
  private final HostArray sourceLengths;
  private final HostArray tokens;
  private final HostArray index;
  private final HostArray gathered;
  private final HostArray attention;
  private final HostArray inspected;
  private final Slot[] slots;
  private final int realBytes;
  private final Region logProbabilities = new Region();
  private Buffer logProbabilityBuffer;
  private boolean normalised;
  private int sources;
  private int sourceTime;

  /** The rows that are sequences. */
  private int rows;

  /**
   * The rows that the decoder computes; those behind the sequences repeat the last one. Every
   * number of rows is laid out anew when it first occurs, so only some numbers do.
   */
  private int filled;

  /** Whether the encoder's output goes on as memory, which is best used where it is. */
  private final boolean remembers;

  private final long[] tokenDims;

  /** A decoder input that is carried, in this run. */
  private static final class Slot {
    final Carried carried;
    final int elementBytes;
    final boolean used;
    final Region region = new Region();
    final Region aside = new Region();
    Buffer buffer;
    Buffer spare;
    Region next;
    Region from;
    long fromRows;
    long[] dims;
    long outer;
    long rowBytes;

    Slot(Carried carried, int elementBytes, boolean used) {
      this.carried = carried;
      this.elementBytes = elementBytes;
      this.used = used;
    }

    void size(long rows) {
      dims[carried.axis()] = rows;
      outer = 1;
      rowBytes = elementBytes;
      for (int axis = 0; axis < dims.length; axis++) {
        if (axis < carried.axis()) {
          outer = Math.multiplyExact(outer, dims[axis]);
        } else if (axis > carried.axis()) {
          rowBytes = Math.multiplyExact(rowBytes, dims[axis]);
        }
      }
    }

    long bytes() {
      return outer * dims[carried.axis()] * rowBytes;
    }
  }

  Decoding(EncoderDecoder model, Workers workers) {
    this.model = model;
    this.device = model.device();
    DType real = device.real();
    realBytes = real.bytes();
    decoder = model.decoder.newExecution(workers);
    kernels = decoder.kernels();
    encoder = model.encoder == null ? null : encoder(workers);
    sourceTokens = new HostArray(device, model.sourceType);
    sourceLengths = new HostArray(device, model.lengthsType);
    tokens = new HostArray(device, model.token.type());
    index = new HostArray(device, DType.INT32);
    gathered = new HostArray(device, real);
    attention = new HostArray(device, real);
    inspected = new HostArray(device, real);
    slots = new Slot[model.carried.size()];
    boolean memory = false;
    for (int i = 0; i < slots.length; i++) {
      Carried each = model.carried.get(i);
      slots[i] =
          new Slot(
              each,
              device.stored(each.input().type()).bytes(),
              model.decoder.inputs().contains(each.input()));
      memory |=
          slots[i].used && each.isMemory() && !each.encoderValue().equals(model.sourceLengths);
    }
    remembers = memory;
    tokenDims = new long[model.token.rank()];
    Arrays.fill(tokenDims, 1);
  }

  /** The encoder's execution; if there can be none, the decoder's is given back. */
  private Execution encoder(Workers workers) {
    try {
      return model.encoder.newExecution(workers);
    } catch (RuntimeException | Error e) {
      decoder.close();
      throw e;
    }
  }

  // ---- the encoder ----------------------------------------------------------------------------

  /** Runs the encoder over a batch; sources must have been checked. */
  void encode(List<int[]> batch) {
    sources = batch.size();
    sourceTime = 1;
    for (int[] source : batch) {
      sourceTime = Math.max(sourceTime, source.length);
    }
    long elements = Math.multiplyExact((long) sourceTime, sources);
    sourceTokens.ensure(elements);
    sourceLengths.ensure(sources);
    for (int b = 0; b < sources; b++) {
      int[] source = batch.get(b);
      for (int t = 0; t < sourceTime; t++) {
        long at = model.batchFirst ? (long) b * sourceTime + t : (long) t * sources + b;
        sourceTokens.setInt(at, t < source.length ? source[t] : 0);
      }
      sourceLengths.setInt(b, source.length);
    }
    sourceLengths.push(kernels, sources);
    if (encoder == null) {
      return;
    }
    sourceTokens.push(kernels, elements);
    kernels.synchronize();
    for (Value input : model.encoder.inputs()) {
      if (input.name().equals(model.sourceTokens)) {
        encoder.input(
            input.name(),
            sourceTokens.region(),
            model.batchFirst ? sources : sourceTime,
            model.batchFirst ? sourceTime : sources);
      } else {
        encoder.input(input.name(), sourceLengths.region(), sources);
      }
    }
    encoder.run();
    encoder.kernels().synchronize();
  }

  /** The time steps of the longest source. */
  int sourceTime() {
    return sourceTime;
  }

  // ---- rows -----------------------------------------------------------------------------------

  /**
   * Puts every row at the beginning of its source.
   *
   * @param count the number of rows
   * @param most the most there will be before the next start
   * @param sourceOfRow the source of each
   */
  void start(int count, int most, int[] sourceOfRow) {
    int mostRows = filled(most);
    tokens.ensure(mostRows);
    logProbabilityBuffer =
        atLeast(
            logProbabilityBuffer,
            Math.multiplyExact((long) mostRows, (long) model.vocabulary()) * realBytes);
    Map<Dim, Long> sizes = new HashMap<>();
    for (Slot slot : slots) {
      if (slot.carried.encoderValue() != null) {
        begin(slot, sizes);
      }
    }
    for (Slot slot : slots) {
      if (slot.carried.encoderValue() == null) {
        slot.dims = new long[slot.carried.input().rank()];
        for (int axis = 0; axis < slot.dims.length; axis++) {
          Dim dim = slot.carried.input().dim(axis);
          slot.dims[axis] =
              axis == slot.carried.axis() ? 0 : dim.isKnown() ? dim.size() : sizes.get(dim);
        }
      }
    }
    long mostIndices = mostRows;
    for (Slot slot : slots) {
      slot.size(mostRows);
      mostIndices = Math.max(mostIndices, Math.multiplyExact(slot.outer, mostRows));
      slot.buffer = atLeast(slot.buffer, slot.bytes());
    }
    index.ensure(mostIndices);
    rows = count;
    resize();
    for (Slot slot : slots) {
      Carried carried = slot.carried;
      if (!carried.isMemory()) {
        slot.region.set(slot.buffer, 0, slot.bytes());
        if (carried.encoderValue() != null) {
          pick(slot, slot.from, slot.fromRows, sourceOfRow);
        } else if (carried.constant() != null) {
          repeat(slot);
        } else {
          kernels.fill(slot.region, carried.input().type(), slot.bytes() / slot.elementBytes, 0);
        }
      }
    }
    remember(sourceOfRow);
    bind();
  }

  private void begin(Slot slot, Map<Dim, Long> sizes) {
    String name = slot.carried.encoderValue();
    Value input = slot.carried.input();
    if (name.equals(model.sourceLengths)) {
      slot.from = sourceLengths.region();
      slot.dims = new long[] {sources};
    } else {
      slot.from = encoder.region(name);
      slot.dims = encoder.shape(name).dims();
    }
    slot.fromRows = slot.dims[slot.carried.axis()];
    for (int axis = 0; axis < slot.dims.length; axis++) {
      sizes.put(input.dim(axis), slot.dims[axis]);
    }
  }

  private void repeat(Slot slot) {
    long count = slot.carried.constant().elements();
    try (Buffer one = device.allocate(count * slot.elementBytes)) {
      Region row = new Region(one);
      kernels.upload(slot.carried.constant(), row);
      pick(slot, row, 1, new int[rows]);
      kernels.synchronize();
    }
  }

  /** The least number of rows that is computed for so many. */
  private static int filled(int rows) {
    if (rows <= EXACT_ROWS) {
      return rows;
    }
    // At most a sixteenth more: of a thousand numbers little more than a hundred are left.
    int unit = Integer.highestOneBit(rows - 1) / 16;
    return Math.multiplyExact((rows - 1) / unit + 1, unit);
  }

  /** Sizes everything for the rows there are now. */
  private void resize() {
    filled = remembers && rows == sources ? rows : filled(rows);
    logProbabilities.set(logProbabilityBuffer, 0, (long) filled * model.vocabulary() * realBytes);
    for (Slot slot : slots) {
      slot.size(filled);
    }
  }

  /** Tells the decoder where its inputs lie and how many rows they have. */
  private void bind() {
    tokenDims[model.tokenAxis] = filled;
    decoder.input(model.token.name(), tokens.region(), tokenDims);
    for (Slot slot : slots) {
      if (slot.used) {
        decoder.input(slot.carried.input().name(), slot.region, slot.dims);
      }
    }
  }

  /** Points memory at each row's source: at the encoder's own where rows are sources. */
  private void remember(int[] sourceOfRow) {
    boolean same = isIdentity(sourceOfRow, rows, sources);
    for (Slot slot : slots) {
      if (slot.carried.isMemory() && slot.used) {
        if (same && slot.fromRows == filled) {
          slot.region.set(slot.from);
        } else {
          slot.region.set(slot.buffer, 0, slot.bytes());
          pick(slot, slot.from, slot.fromRows, sourceOfRow);
        }
      }
    }
  }

  /**
   * Makes new rows out of the present ones, after a step.
   *
   * @param count how many
   * @param parents which present row each continues
   * @param sourceOfRow the source of each
   * @param sameSources whether there are as many as before, each with the source it had
   */
  void advance(int count, int[] parents, int[] sourceOfRow, boolean sameSources) {
    int before = filled;
    boolean inPlace = isIdentity(parents, count, rows);
    rows = count;
    resize();
    for (Slot slot : slots) {
      if (!slot.carried.isMemory()) {
        slot.next = decoder.region(slot.carried.output());
        if (isInput(slot.next) && !(inPlace && Objects.equals(slot.next.buffer(), slot.buffer))) {
          setAside(slot);
        }
      }
    }
    for (Slot slot : slots) {
      if (slot.carried.isMemory()) {
        continue;
      }
      slot.region.set(slot.buffer, 0, slot.bytes());
      if (!inPlace) {
        pick(slot, slot.next, before, parents);
      } else if (!Objects.equals(slot.next.buffer(), slot.buffer)) {
        kernels.copy(slot.next, slot.region, slot.bytes());
      }
    }
    if (!sameSources) {
      remember(sourceOfRow);
    }
    if (filled != before || !sameSources) {
      bind();
    }
  }

  /** Whether a state's next value is itself an input, which is about to be written to. */
  private boolean isInput(Region next) {
    for (Slot slot : slots) {
      if (Objects.equals(slot.buffer, next.buffer())) {
        return true;
      }
    }
    return false;
  }

  private void setAside(Slot slot) {
    Region next = slot.next;
    slot.spare = atLeast(slot.spare, next.bytes());
    slot.next = slot.aside.set(slot.spare, 0, next.bytes());
    kernels.copy(next, slot.next, next.bytes());
  }

  /** {@code slot[o, r] = from[o, map[r]]}. */
  private void pick(Slot slot, Region from, long fromRows, int[] map) {
    long count = slot.outer * filled;
    index.reuse(kernels);
    for (long o = 0, i = 0; o < slot.outer; o++) {
      for (int r = 0; r < filled; r++) {
        index.setInt(i++, Math.toIntExact(o * fromRows + map[Math.min(r, rows - 1)]));
      }
    }
    index.push(kernels, count);
    kernels.gatherRows(
        from,
        slot.outer * fromRows,
        slot.rowBytes,
        index.region(),
        DType.INT32,
        count,
        slot.region);
  }

  private static boolean isIdentity(int[] map, int count, int of) {
    if (count != of) {
      return false;
    }
    for (int i = 0; i < count; i++) {
      if (map[i] != i) {
        return false;
      }
    }
    return true;
  }

  // ---- the decoder ----------------------------------------------------------------------------

  /** Gives a row the token before. */
  void token(int row, int token) {
    tokens.setInt(row, token);
  }

  /** Runs the decoder for one step. */
  void step() {
    for (int row = rows; row < filled; row++) {
      tokens.setInt(row, tokens.getInt(rows - 1));
    }
    tokens.push(kernels, filled);
    decoder.run();
    normalised = false;
  }

  /** {@code [rows, vocabulary]} of the last step. */
  Region logProbabilities() {
    if (!normalised) {
      kernels.logSoftmax(decoder.region(model.logits), logProbabilities, rows, model.vocabulary());
      normalised = true;
    }
    return logProbabilities;
  }

  /** The best tokens of each row of the last step, where nothing is masked. */
  void best(int count, HostArray values, HostArray ids) {
    kernels.topLogSoftmax(
        decoder.region(model.logits),
        rows,
        model.vocabulary(),
        count,
        values.region(),
        ids.region(),
        DType.INT32);
  }

  /** The best tokens of each row of the last step, once something was masked. */
  void bestOfMasked(int count, HostArray values, HostArray ids) {
    kernels.topK(
        logProbabilities(),
        rows,
        model.vocabulary(),
        count,
        values.region(),
        ids.region(),
        DType.INT32);
  }

  /** The log-probability of one token for each of some rows of the last step. */
  HostArray gather(int count, int[] ofRows, int[] tokensWanted) {
    gathered.ensure(count);
    index.ensure(count);
    index.reuse(kernels);
    for (int i = 0; i < count; i++) {
      index.setInt(i, Math.toIntExact((long) ofRows[i] * model.vocabulary() + tokensWanted[i]));
    }
    index.push(kernels, count);
    kernels.gatherRows(
        logProbabilities(),
        (long) rows * model.vocabulary(),
        realBytes,
        index.region(),
        DType.INT32,
        count,
        gathered.region());
    gathered.pull(kernels, count);
    return gathered;
  }

  /** Whether the decoder's answer for a row had no meaning; slow, for when there is a suspicion. */
  boolean hasNaN(int row) {
    long size = (long) model.vocabulary();
    inspected.ensure(size);
    Region whole = decoder.region(model.logits);
    Region one =
        new Region(whole.buffer(), whole.offset() + row * size * realBytes, size * realBytes);
    kernels.copy(one, inspected.region(), one.bytes());
    inspected.pull(kernels, size);
    boolean finite = false;
    for (long i = 0; i < size; i++) {
      double logit = inspected.getReal(i);
      if (Double.isNaN(logit) || logit == Double.POSITIVE_INFINITY) {
        return true;
      }
      finite |= logit > Double.NEGATIVE_INFINITY;
    }
    return !finite;
  }

  /** The attention of the last step, {@code [rows, source time]}. */
  HostArray attention() {
    long count = (long) rows * sourceTime;
    attention.ensure(count);
    kernels.copy(decoder.region(model.attention), attention.region(), count * realBytes);
    attention.pull(kernels, count);
    return attention;
  }

  private Buffer atLeast(Buffer buffer, long bytes) {
    if (buffer != null && buffer.bytes() >= bytes) {
      return buffer;
    }
    if (buffer == null) {
      return device.allocate(bytes);
    }
    // First the new one: where memory is missing for it, the old one is still there.
    Buffer larger = device.allocate(Math.max(bytes, buffer.bytes() + buffer.bytes() / 2));
    kernels.synchronize();
    buffer.close();
    return larger;
  }

  @Override
  public void close() {
    if (encoder != null) {
      encoder.close();
    }
    decoder.close();
    for (HostArray array :
        new HostArray[] {
          sourceTokens, sourceLengths, tokens, index, gathered, attention, inspected
        }) {
      array.close();
    }
    for (Slot slot : slots) {
      if (slot.buffer != null) {
        slot.buffer.close();
      }
      if (slot.spare != null) {
        slot.spare.close();
      }
    }
    if (logProbabilityBuffer != null) {
      logProbabilityBuffer.close();
    }
  }
}

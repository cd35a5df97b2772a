package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * Whole recurrent layers through cuDNN, in one order of work. Operands go as they lie where cuDNN
 * takes them so, {@code [time, batch, size]} or {@code [batch, time, size]} without gaps; others
 * are copied. One direction that runs backwards is turned around on the way in and out, sequence by
 * sequence; both directions at once are cuDNN's own.
 */
final class CudnnRun {
  /** A time step alone is left to a product and a kernel, which begin sooner. */
  private static final int LEAST_TIME = 2;

  private final Order order;

  CudnnRun(Order order) {
    this.order = order;
  }

  /** Whether a call is one for cuDNN. */
  static boolean fits(RecurrentCall call) {
    return call.time >= LEAST_TIME
        && (call.embedding == null || ((CudaEmbedding) call.embedding).table != null);
  }

  /** Whether two calls are the two directions of one. */
  static boolean fit(
      RecurrentCall forward,
      RecurrentRun.Operands there,
      RecurrentCall backward,
      RecurrentRun.Operands back) {
    return fits(forward)
        && forward.embedding == null
        && backward.embedding == null
        && !forward.reverse
        && backward.reverse
        && forward.time == backward.time
        && forward.batch == backward.batch
        && there.input == back.input
        && forward.inputTimeStride == backward.inputTimeStride
        && forward.inputRowStride == backward.inputRowStride
        && there.lengths == back.lengths;
  }

  /**
   * Runs a layer.
   *
   * @param calls one call, or that of each direction
   * @param at the operands of each
   */
  void run(CudnnLayer layer, RecurrentCall[] calls, RecurrentRun.Operands[] at) {
    RecurrentSpec spec = layer.spec();
    RecurrentCall call = calls[0];
    int size = spec.inputSize();
    int width = layer.directions() * spec.stateSize();
    boolean turned = layer.directions() == 1 && call.reverse;
    CudnnOrder cudnn = order.cudnn();
    long deviceLengths = cudnn.sequences(call, at[0].hostLengths, at[0].lengths);

    long from = at[0].input;
    long timeStride = call.inputTimeStride;
    long rowStride = call.inputRowStride;
    if (call.embedding != null) {
      boolean byTime = !CudnnOrder.batchMajor(call, timeStride, rowStride, 1);
      from = gathered(call, at[0].tokens, byTime, size);
      timeStride = byTime ? (long) call.batch * size : size;
      rowStride = byTime ? size : (long) call.time * size;
    }
    boolean byTime = turned || CudnnOrder.timeMajor(call, timeStride, rowStride, size);
    boolean byBatch = !byTime && CudnnOrder.batchMajor(call, timeStride, rowStride, size);
    if (turned || !byTime && !byBatch) {
      long copy = order.scratchReals(Order.Slot.LAYER_INPUT, (long) call.time * call.batch * size);
      RecurrentRun.move(
          order,
          call,
          size,
          turned,
          at[0].lengths,
          from,
          timeStride,
          rowStride,
          copy,
          (long) call.batch * size,
          size);
      from = copy;
    }

    boolean direct = !turned && direct(calls, at, spec.stateSize(), byBatch);
    long to =
        direct
            ? at[0].output
            : order.scratchReals(Order.Slot.LAYER_OUTPUT, (long) call.time * call.batch * width);
    forward(layer, call, at, deviceLengths, byBatch, from, to);
    if (!direct) {
      long toTime = byBatch ? width : (long) call.batch * width;
      long toRow = byBatch ? (long) call.time * width : width;
      for (int d = 0; d < calls.length; d++) {
        if (at[d].output != 0) {
          RecurrentRun.move(
              order,
              call,
              spec.stateSize(),
              turned,
              at[0].lengths,
              to + (long) d * spec.stateSize() * Float.BYTES,
              toTime,
              toRow,
              at[d].output,
              calls[d].outputTimeStride,
              calls[d].outputRowStride);
        }
      }
    }
    clearEmpty(calls, at, spec.stateSize());
  }

  /** Whether the outputs lie where and as cuDNN would put them. */
  private static boolean direct(
      RecurrentCall[] calls, RecurrentRun.Operands[] at, int state, boolean byBatch) {
    int width = calls.length * state;
    for (int d = 0; d < calls.length; d++) {
      RecurrentCall call = calls[d];
      long time = call.outputTimeStride;
      long row = call.outputRowStride;
      if (at[d].output == 0
          || at[d].output != at[0].output + (long) d * state * Float.BYTES
          || !(byBatch
              ? CudnnOrder.batchMajor(call, time, row, width)
              : CudnnOrder.timeMajor(call, time, row, width))) {
        return false;
      }
    }
    return true;
  }

  private void forward(
      CudnnLayer layer,
      RecurrentCall call,
      RecurrentRun.Operands[] at,
      long deviceLengths,
      boolean byBatch,
      long from,
      long to) {
    RecurrentSpec spec = layer.spec();
    boolean lstm = spec.cell() == Cell.LSTM;
    long states = (long) call.batch * spec.stateSize();
    long cells = (long) call.batch * spec.hiddenSize();
    RecurrentRun.Operands there = at[0];
    RecurrentRun.Operands back = at[at.length - 1];
    CudnnOrder cudnn = order.cudnn();
    cudnn.describe(call, byBatch, spec.inputSize(), layer);
    cudnn.sizes(layer, false);
    MemorySegment work = cudnn.work();
    long[] hidden = {there.initialHidden, back.initialHidden};
    long[] lastHidden = {there.finalHidden, back.finalHidden};
    long[] cell = {there.initialCell, back.initialCell};
    long[] lastCell = {there.finalCell, back.finalCell};
    int count = at.length;
    long hx = initial(Order.Slot.HIDDEN, count, hidden, lastHidden, states);
    long cx = lstm ? initial(Order.Slot.CELL, count, cell, lastCell, cells) : 0;
    long hy = last(Order.Slot.LAST_HIDDEN, count, lastHidden, states);
    long cy = lstm ? last(Order.Slot.LAST_CELL, count, lastCell, cells) : 0;
    Calls.cudnn(
        "cudnnRNNForward",
        Cudnn.cudnnRNNForward(
            cudnn.handle(),
            layer.descriptor(),
            Cudnn.CUDNN_FWD_MODE_INFERENCE,
            MemorySegment.ofAddress(deviceLengths),
            cudnn.input(),
            MemorySegment.ofAddress(from),
            cudnn.output(),
            MemorySegment.ofAddress(to),
            cudnn.hidden(),
            MemorySegment.ofAddress(hx),
            MemorySegment.ofAddress(hy),
            cudnn.cell(),
            MemorySegment.ofAddress(cx),
            MemorySegment.ofAddress(cy),
            layer.weights().bytes(),
            MemorySegment.ofAddress(layer.weights().address()),
            cudnn.workBytes(),
            work,
            0,
            MemorySegment.NULL));
    stay(at[0].hostLengths, count, spec.stateSize(), hx, hy, states);
    stay(at[0].hostLengths, count, spec.hiddenSize(), cx, cy, cells);
    for (int d = 0; d < count; d++) {
      handOut(hy, d, lastHidden[d], states);
      handOut(cy, d, lastCell[d], cells);
    }
  }

  /** The initial states of all directions, one after the other, apart from the final ones. */
  private long initial(Order.Slot slot, int count, long[] given, long[] last, long each) {
    boolean none = true;
    boolean inPlace = true;
    for (int d = 0; d < count; d++) {
      none &= given[d] == 0;
      // A state may be final where it is initial.
      inPlace &= given[d] != 0 && given[d] == given[0] + d * each * Float.BYTES;
      inPlace &= given[d] != last[d];
    }
    if (none || inPlace) {
      return given[0];
    }
    long copy = order.scratchReals(slot, count * each);
    for (int d = 0; d < count; d++) {
      long place = copy + d * each * Float.BYTES;
      if (given[d] == 0) {
        order.zero(place, each * Float.BYTES);
      } else {
        order.copy(given[d], place, each * Float.BYTES);
      }
    }
    return copy;
  }

  /** Where the final states of all directions go; 0 where nobody wants them. */
  private long last(Order.Slot slot, int count, long[] wanted, long each) {
    boolean none = true;
    boolean inPlace = true;
    for (int d = 0; d < count; d++) {
      none &= wanted[d] == 0;
      inPlace &= wanted[d] != 0 && wanted[d] == wanted[0] + d * each * Float.BYTES;
    }
    return none ? 0 : inPlace ? wanted[0] : order.scratchReals(slot, count * each);
  }

  private void handOut(long from, int direction, long to, long each) {
    if (to != 0) {
      order.copy(from + direction * each * Float.BYTES, to, each * Float.BYTES);
    }
  }

  /** An empty sequence's final state is its initial one. */
  private void stay(
      long[] hostLengths, int directions, int size, long initial, long last, long each) {
    for (int row = 0; hostLengths != null && last != 0 && row < each / size; row++) {
      for (int d = 0; d < directions && hostLengths[row] == 0; d++) {
        long at = (d * each + (long) row * size) * Float.BYTES;
        long bytes = (long) size * Float.BYTES;
        if (initial == 0) {
          order.zero(last + at, bytes);
        } else {
          order.copy(initial + at, last + at, bytes);
        }
      }
    }
  }

  /** An empty sequence has no output. */
  private void clearEmpty(RecurrentCall[] calls, RecurrentRun.Operands[] at, int state) {
    long[] hostLengths = at[0].hostLengths;
    for (int row = 0; hostLengths != null && row < calls[0].batch; row++) {
      for (int d = 0; d < calls.length && hostLengths[row] == 0; d++) {
        if (at[d].output != 0) {
          order.zero(
              at[d].output + row * calls[d].outputRowStride * Float.BYTES,
              (long) state * Float.BYTES);
        }
      }
    }
  }

  /** The table's rows that a call's tokens name, in the tokens' order or by time. */
  private long gathered(RecurrentCall call, long tokens, boolean byTime, int size) {
    CudaEmbedding embedding = (CudaEmbedding) call.embedding;
    long count = (long) call.time * call.batch;
    boolean wide = call.tokenType == DType.INT64;
    if (byTime && !CudnnOrder.timeMajor(call, call.inputTimeStride, call.inputRowStride, 1)) {
      long copy = order.scratch(Order.Slot.TOKENS, count * call.tokenType.bytes());
      order
          .launch
          .of("copy" + call.tokenType.bytes())
          .pointer(tokens)
          .number(0)
          .pointer(copy)
          .number(0)
          .axes(
              new long[] {call.time, call.batch},
              new long[] {call.inputTimeStride, call.inputRowStride},
              new long[] {call.batch, 1},
              0)
          .overElements(count);
      tokens = copy;
    }
    long rows = order.scratchReals(Order.Slot.GATHERED, count * size);
    order
        .launch
        .of("gatherRows")
        .pointer(embedding.table.address())
        .pointer(tokens)
        .pointer(rows)
        .number(embedding.rows())
        .number((long) size * Float.BYTES)
        .number(count)
        .flag(wide)
        .overElements(count * size);
    return rows;
  }
}

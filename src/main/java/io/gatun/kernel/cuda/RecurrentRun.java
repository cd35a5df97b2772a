package io.gatun.kernel.cuda;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;

/**
 * A recurrent layer step by step: the input's product for all time steps at once, then for each
 * step the state's product and one kernel that does all that comes after it. What cuDNN has whole
 * goes there.
 */
final class RecurrentRun {
  private final Order order;
  private final Step step = new Step();
  private final CudnnRun cudnn;
  private final RecurrentCall[] oneCall = new RecurrentCall[1];
  private final Operands[] oneOperands = new Operands[1];
  private final RecurrentCall[] calls = new RecurrentCall[2];
  private final Operands[] both = new Operands[2];

  RecurrentRun(Order order) {
    this.order = order;
    this.cudnn = new CudnnRun(order);
  }

  /** The addresses of a call's operands, checked; 0 where there is none. */
  static final class Operands {
    long input;
    long tokens;
    long lengths;
    long initialHidden;
    long initialCell;
    long output;
    long finalHidden;
    long finalCell;

    /** The lengths as the host knows them; {@code null} if all are full. */
    long[] hostLengths;
  }

  void run(CudaRecurrent layer, RecurrentCall call, Operands operands) {
    RecurrentSpec spec = layer.spec();
    if (call.batch == 0) {
      return;
    }
    CudnnLayer alone = layer.alone();
    if (alone != null && CudnnRun.fits(call)) {
      oneCall[0] = call;
      oneOperands[0] = operands;
      cudnn.run(alone, oneCall, oneOperands);
      return;
    }
    begin(layer, call, operands);
    for (int i = 0; i < call.time; i++) {
      step(layer, i);
    }
    finish(spec, call, operands);
  }

  /** Both directions, at once where cuDNN has both. */
  void run(
      CudaRecurrent forward,
      RecurrentCall forwardCall,
      Operands there,
      CudaRecurrent backward,
      RecurrentCall backwardCall,
      Operands back) {
    CudnnLayer layer = forward.with(backward);
    if (layer != null
        && forwardCall.batch > 0
        && CudnnRun.fit(forwardCall, there, backwardCall, back)) {
      calls[0] = forwardCall;
      calls[1] = backwardCall;
      both[0] = there;
      both[1] = back;
      cudnn.run(layer, calls, both);
      return;
    }
    run(forward, forwardCall, there);
    run(backward, backwardCall, back);
  }

  private void begin(CudaRecurrent layer, RecurrentCall call, Operands operands) {
    RecurrentSpec spec = layer.spec();
    int columns = spec.gates() * spec.hiddenSize();
    step.set(spec, call);
    step.inputBias = Packing.address(layer.inputBias);
    step.recurrentBias = Packing.address(layer.recurrentBias);
    step.peepholes = Packing.address(layer.peepholes);
    step.mask = 0;
    step.kept = 0;
    step.output = operands.output;
    step.lengths = operands.lengths;
    step.rRowStride = columns;
    states(spec, call, operands.initialHidden, operands.initialCell);
    if (call.embedding != null) {
      CudaEmbedding embedding = (CudaEmbedding) call.embedding;
      step.x = embedding.products.address();
      step.timeStride = 0;
      step.rowStride = columns;
      step.tokens = operands.tokens;
      step.tableRows = embedding.rows();
    } else {
      step.tokens = 0;
      step.tableRows = 0;
      step.x =
          inputProduct(order, spec, call, operands.input, layer.input.address(), columns, false);
      step.timeStride = (long) call.batch * columns;
      step.rowStride = columns;
      if (spec.layerNormalised()) {
        normalise(order, spec, step.x, call.time * call.batch, columns, layer.normalisation, 0);
      }
    }
    step.r = order.scratchReals(Order.Slot.HR, (long) call.batch * columns);
    step.scratch = order.scratchReals(Order.Slot.STEP, (long) call.batch * spec.hiddenSize());
    step.reset =
        order.scratchReals(
            Order.Slot.RESET, (long) call.batch * Math.max(spec.hiddenSize(), spec.stateSize()));
  }

  /** The states in scratch memory: what a call begins with, or zeros. */
  private void states(RecurrentSpec spec, RecurrentCall call, long hidden, long cell) {
    long states = (long) call.batch * spec.stateSize() * Float.BYTES;
    long cells = (long) call.batch * spec.hiddenSize() * Float.BYTES;
    step.h = order.scratch(Order.Slot.HIDDEN, states);
    step.c = order.scratch(Order.Slot.CELL, cells);
    set(step.h, hidden, states);
    if (spec.cell() == Cell.LSTM) {
      set(step.c, cell, cells);
    }
  }

  private void set(long target, long source, long bytes) {
    if (source == 0) {
      order.zero(target, bytes);
    } else {
      order.copy(source, target, bytes);
    }
  }

  /**
   * The input's product for all time steps, {@code [time, batch, columns]}.
   *
   * @param weights {@code [input, columns]}, or transposed
   */
  static long inputProduct(
      Order order,
      RecurrentSpec spec,
      RecurrentCall call,
      long input,
      long weights,
      int columns,
      boolean transposed) {
    int inputs = spec.inputSize();
    int rows = Math.multiplyExact(call.time, call.batch);
    long products = order.scratchReals(Order.Slot.WX, (long) rows * columns);
    long row = call.inputRowStride;
    boolean even = call.time <= 1 || call.batch <= 1 || call.inputTimeStride == call.batch * row;
    long stride = call.batch > 1 ? row : call.inputTimeStride;
    if (!even || stride < inputs && rows > 1) {
      input = contiguous(order, call, 0, input, inputs);
      stride = inputs;
    }
    order.products.multiply(
        input,
        stride,
        1,
        weights,
        transposed ? 1 : columns,
        transposed ? inputs : 1,
        rows,
        inputs,
        columns,
        products,
        columns,
        false);
    return products;
  }

  /** The input copied to {@code [time, batch, size]}, with zeros behind the ends. */
  static long contiguous(Order order, RecurrentCall call, long lengths, long input, int size) {
    long copy = order.scratchReals(Order.Slot.LAYER_INPUT, (long) call.time * call.batch * size);
    long time = (long) call.batch * size;
    move(
        order,
        call,
        size,
        false,
        lengths,
        input,
        call.inputTimeStride,
        call.inputRowStride,
        copy,
        time,
        size);
    return copy;
  }

  /**
   * Copies sequences from some strides to others, with zeros behind their ends.
   *
   * @param turned whether each goes from its last step to its first
   * @param lengths on the device; 0 if all are full
   */
  static void move(
      Order order,
      RecurrentCall call,
      int size,
      boolean turned,
      long lengths,
      long from,
      long fromTime,
      long fromRow,
      long to,
      long toTime,
      long toRow) {
    order
        .launch
        .of("moveSequences")
        .pointer(from)
        .pointer(to)
        .pointer(lengths)
        .number(call.time)
        .number(call.batch)
        .number(size)
        .number(fromTime)
        .number(fromRow)
        .number(toTime)
        .number(toRow)
        .flag(turned)
        .overElements((long) call.time * call.batch * size);
  }

  /** Normalises rows in place with the scale and shift of a pair. */
  static void normalise(
      Order order, RecurrentSpec spec, long rows, int count, int size, CudaBuffer[] of, int pair) {
    normalise(order, spec, rows, count, size, size, of[pair].address(), of[pair + 1].address(), 0);
  }

  private static void normalise(
      Order order,
      RecurrentSpec spec,
      long rows,
      int count,
      int size,
      int stride,
      long scale,
      long shift,
      int first) {
    order
        .launch
        .of("layerNorm")
        .pointer(rows)
        .pointer(rows)
        .pointer(scale + (long) first * Float.BYTES)
        .pointer(shift + (long) first * Float.BYTES)
        .number(count)
        .number(size)
        .number(stride)
        .number(stride)
        .precise(spec.layerNormEpsilon())
        .overRows(count, size);
  }

  private void step(CudaRecurrent layer, int index) {
    RecurrentSpec spec = step.spec;
    switch (spec.cell()) {
      case RNN -> {
        recurrentProduct(layer, step.h, 0, spec.hiddenSize());
        step.launch(order.launch, "rnnStep", index, spec.hiddenSize());
      }
      case GRU -> {
        if (spec.resetAfter()) {
          recurrentProduct(layer, step.h, 0, 3 * spec.hiddenSize());
          step.launch(order.launch, "gruStep", index, spec.hiddenSize());
        } else {
          resetBefore(layer, index);
        }
      }
      case LSTM -> {
        recurrentProduct(layer, step.h, 0, 4 * spec.hiddenSize());
        lstm(layer, index);
      }
    }
  }

  /** Some columns of the state's product, normalised together, to the same columns of r. */
  private void recurrentProduct(CudaRecurrent layer, long state, int first, int count) {
    RecurrentSpec spec = step.spec;
    int columns = spec.gates() * spec.hiddenSize();
    long at = step.r + (long) first * Float.BYTES;
    order.products.multiply(
        state,
        spec.stateSize(),
        1,
        layer.recurrent.address() + (long) first * Float.BYTES,
        columns,
        1,
        (int) step.batch,
        spec.stateSize(),
        count,
        at,
        columns,
        false);
    if (spec.layerNormalised()) {
      normalise(
          order,
          spec,
          at,
          (int) step.batch,
          count,
          columns,
          layer.normalisation[2].address(),
          layer.normalisation[3].address(),
          first);
    }
  }

  private void resetBefore(CudaRecurrent layer, int index) {
    int hidden = step.spec.hiddenSize();
    recurrentProduct(layer, step.h, 0, 2 * hidden);
    step.launch(order.launch, "gruGates", index, hidden);
    recurrentProduct(layer, step.reset, 2 * hidden, hidden);
    long all = step.r;
    step.r = all + 2L * hidden * Float.BYTES;
    step.launch(order.launch, "gruCandidate", index, hidden);
    step.r = all;
  }

  private void lstm(CudaRecurrent layer, int index) {
    RecurrentSpec spec = step.spec;
    int hidden = spec.hiddenSize();
    int projection = spec.projectionSize();
    step.projected = projection > 0;
    if (spec.layerNormalised()) {
      step.launch(order.launch, "lstmCell", index, hidden);
      order
          .launch
          .of("layerNorm")
          .pointer(step.c)
          .pointer(step.reset)
          .pointer(layer.normalisation[4].address())
          .pointer(layer.normalisation[5].address())
          .number(step.batch)
          .number(hidden)
          .number(hidden)
          .number(hidden)
          .precise(spec.layerNormEpsilon())
          .overRows(step.batch, hidden);
      step.launch(order.launch, "lstmOutput", index, hidden);
    } else {
      step.launch(order.launch, "lstmStep", index, hidden);
    }
    if (step.projected) {
      project(layer.projection.address(), false, index);
    }
  }

  /** The projection of what a step left in scratch memory, stored as state and output. */
  private void project(long projection, boolean transposed, int index) {
    RecurrentSpec spec = step.spec;
    int hidden = spec.hiddenSize();
    int size = spec.projectionSize();
    order.products.multiply(
        step.scratch,
        hidden,
        1,
        projection,
        transposed ? 1 : size,
        transposed ? hidden : 1,
        (int) step.batch,
        hidden,
        size,
        step.reset,
        size,
        false);
    long r = step.r;
    long row = step.rRowStride;
    step.r = step.reset;
    step.rRowStride = size;
    step.launch(order.launch, "storeState", index, size);
    step.r = r;
    step.rRowStride = row;
  }

  private void finish(RecurrentSpec spec, RecurrentCall call, Operands operands) {
    long states = (long) call.batch * spec.stateSize() * Float.BYTES;
    if (operands.finalHidden != 0) {
      order.copy(step.h, operands.finalHidden, states);
    }
    if (operands.finalCell != 0) {
      order.copy(step.c, operands.finalCell, (long) call.batch * spec.hiddenSize() * Float.BYTES);
    }
  }
}

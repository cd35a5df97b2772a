package io.gatun.kernel.cuda;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Reduction;

/**
 * Recurrent layers in training: the way there keeps what the gates were given, the way back walks
 * from the last step to the first with one kernel between a step's products, and forms the
 * gradients of all weights by one product each at the end.
 */
final class RecurrentTrainingRun implements AutoCloseable {
  private final CudaKernels kernels;
  private final Order order;
  private final Step step = new Step();
  private final CudnnTrainingRun cudnn;

  /** The addresses of a layer's operands, checked; 0 where there is none. */
  static final class Operands {
    final RecurrentRun.Operands call = new RecurrentRun.Operands();
    long inputWeights;
    long recurrentWeights;
    long bias;
    long peepholes;
    long projection;
    long mask;
    long kept;
    long outputGradient;
    long finalHiddenGradient;
    long finalCellGradient;
    long inputGradient;
    long initialHiddenGradient;
    long initialCellGradient;
    long inputWeightsGradient;
    long recurrentWeightsGradient;
    long biasGradient;
    long peepholesGradient;
    long projectionGradient;
  }

  private RecurrentTraining layer;
  private RecurrentSpec spec;
  private RecurrentCall call;
  private Operands at;
  private int hidden;
  private int state;
  private int columns;
  private int rows;

  RecurrentTrainingRun(CudaKernels kernels, Order order) {
    this.kernels = kernels;
    this.order = order;
    this.cudnn = new CudnnTrainingRun(order);
  }

  private void set(RecurrentTraining layer, Operands operands) {
    this.layer = layer;
    spec = layer.spec;
    call = layer.call;
    at = operands;
    hidden = spec.hiddenSize();
    state = spec.stateSize();
    columns = spec.gates() * hidden;
    rows = Math.multiplyExact(call.time, call.batch);
  }

  private long states() {
    return (long) call.batch * state;
  }

  private long cells() {
    return (long) call.batch * hidden;
  }

  // ---- the way there --------------------------------------------------------------------------

  void forward(RecurrentTraining layer, Operands operands) {
    set(layer, operands);
    if (call.batch == 0) {
      return;
    }
    if (cudnn.fits(layer, operands)) {
      cudnn.forward(layer, operands);
      return;
    }
    step.set(spec, call);
    step.x =
        RecurrentRun.inputProduct(order, spec, call, at.call.input, at.inputWeights, columns, true);
    step.timeStride = (long) call.batch * columns;
    step.rowStride = columns;
    step.inputBias = at.bias;
    step.recurrentBias = at.bias == 0 ? 0 : at.bias + (long) columns * Float.BYTES;
    step.peepholes = at.peepholes;
    step.mask = at.mask;
    step.kept = at.kept;
    step.output = at.call.output;
    step.lengths = at.call.lengths;
    step.r = order.scratchReals(Order.Slot.HR, (long) call.batch * columns);
    step.rRowStride = columns;
    step.h = begin(Order.Slot.HIDDEN, at.call.initialHidden, states());
    step.c = begin(Order.Slot.CELL, at.call.initialCell, cells());
    step.scratch = order.scratchReals(Order.Slot.STEP, cells());
    step.reset = order.scratchReals(Order.Slot.RESET, Math.max(cells(), states()));
    step.projected = spec.projectionSize() > 0;
    for (int i = 0; i < call.time; i++) {
      stepForward(i);
    }
    end(step.h, at.call.finalHidden, states());
    end(step.c, at.call.finalCell, cells());
  }

  private long begin(Order.Slot slot, long initial, long count) {
    long scratch = order.scratchReals(slot, count);
    if (initial == 0) {
      order.zero(scratch, count * Float.BYTES);
    } else {
      order.copy(initial, scratch, count * Float.BYTES);
    }
    return scratch;
  }

  private void end(long source, long target, long count) {
    if (target != 0) {
      order.copy(source, target, count * Float.BYTES);
    }
  }

  private void stepForward(int index) {
    boolean before = spec.cell() == Cell.GRU && !spec.resetAfter();
    int first = before ? 2 * hidden : columns;
    productForward(masked(step.h), 0, first);
    switch (spec.cell()) {
      case RNN -> step.launch(order.launch, "rnnStep", index, hidden);
      case GRU -> {
        if (before) {
          step.launch(order.launch, "gruGates", index, hidden);
          productForward(step.reset, first, hidden);
          long all = step.r;
          step.r = all + (long) first * Float.BYTES;
          step.launch(order.launch, "gruCandidate", index, hidden);
          step.r = all;
        } else {
          step.launch(order.launch, "gruStep", index, hidden);
        }
      }
      case LSTM -> {
        step.launch(order.launch, "lstmStep", index, hidden);
        if (step.projected) {
          project(index);
        }
      }
    }
  }

  /** The state as it enters a product. */
  private long masked(long h) {
    if (at.mask == 0) {
      return h;
    }
    long product = order.scratchReals(Order.Slot.PRODUCT, Math.max(states(), cells()));
    order.zero(product, states() * Float.BYTES);
    multiplyAdd(product, h, at.mask);
    return product;
  }

  private void multiplyAdd(long target, long a, long b) {
    order
        .launch
        .of("multiplyAdd")
        .pointer(target)
        .pointer(a)
        .pointer(b)
        .number(states())
        .overElements(states());
  }

  /** Some columns of the state's product: rows of R, which lies as {@code [columns, state]}. */
  private void productForward(long h, int first, int count) {
    order.products.multiply(
        h,
        state,
        1,
        at.recurrentWeights + (long) first * state * Float.BYTES,
        1,
        state,
        call.batch,
        state,
        count,
        step.r + (long) first * Float.BYTES,
        columns,
        false);
  }

  private void project(int index) {
    order.products.multiply(
        step.scratch,
        hidden,
        1,
        at.projection,
        1,
        hidden,
        call.batch,
        hidden,
        state,
        step.reset,
        state,
        false);
    long r = step.r;
    step.r = step.reset;
    step.rRowStride = state;
    step.launch(order.launch, "storeState", index, state);
    step.r = r;
    step.rRowStride = columns;
  }

  // ---- the way back ---------------------------------------------------------------------------

  private long dh;
  private long dc;
  private long dzx;
  private long dzh;
  private long now;
  private long inner;
  private long all;
  private long product;

  void backward(RecurrentTraining layer, Operands operands) {
    set(layer, operands);
    if (call.batch == 0) {
      zeroGradients();
      return;
    }
    if (cudnn.fits(layer, operands)) {
      cudnn.backward(layer, operands);
      return;
    }
    boolean after = spec.cell() == Cell.GRU && spec.resetAfter();
    boolean before = spec.cell() == Cell.GRU && !spec.resetAfter();
    boolean projected = spec.projectionSize() > 0;
    long gates = (long) rows * columns;
    dh = begin(Order.Slot.HIDDEN_GRADIENT, at.finalHiddenGradient, states());
    dc = begin(Order.Slot.CELL_GRADIENT, at.finalCellGradient, cells());
    dzx = order.scratchReals(Order.Slot.GATES_X, gates);
    dzh = after ? order.scratchReals(Order.Slot.GATES_H, gates) : dzx;
    now = order.scratchReals(Order.Slot.NOW, (long) call.batch * columns);
    product = order.scratchReals(Order.Slot.PRODUCT, Math.max(states(), cells()));
    long most = (long) rows * Math.max(hidden, state);
    inner = before || projected ? order.scratchReals(Order.Slot.INNER, most) : 0;
    all = projected ? order.scratchReals(Order.Slot.ALL, (long) rows * state) : 0;
    for (int i = call.time - 1; i >= 0; i--) {
      stepBackward(i);
    }
    end(dh, at.initialHiddenGradient, states());
    end(dc, at.initialCellGradient, cells());
    inputGradient();
    weightGradients(before, projected);
  }

  private void stepBackward(int index) {
    launch("addOutputGradient", index, state, 0);
    switch (spec.cell()) {
      case RNN -> {
        launch("rnnBack", index, hidden, 0);
        intoState(0, columns);
      }
      case GRU -> {
        if (spec.resetAfter()) {
          launch("gruBack", index, hidden, 0);
          intoState(0, columns);
        } else {
          launch("gruBackCandidate", index, hidden, 0);
          productBack(2 * hidden, hidden, product, false);
          launch("gruBackGates", index, hidden, product);
          intoState(0, 2 * hidden);
        }
      }
      case LSTM -> {
        if (spec.projectionSize() > 0) {
          // The gradient of what is projected, with P as [projection, hidden].
          order.products.multiply(dh, at.projection, call.batch, state, hidden, product);
          launch("lstmBack", index, hidden, product);
          launch("clearState", index, state, 0);
        } else {
          launch("lstmBack", index, hidden, 0);
        }
        intoState(0, columns);
      }
    }
  }

  /** Adds to the state's gradient what comes through the recurrent product. */
  private void intoState(int first, int count) {
    if (at.mask == 0) {
      productBack(first, count, dh, true);
    } else {
      productBack(first, count, product, false);
      multiplyAdd(dh, product, at.mask);
    }
  }

  private void productBack(int first, int count, long target, boolean add) {
    order.products.multiply(
        now + (long) first * Float.BYTES,
        columns,
        1,
        at.recurrentWeights + (long) first * state * Float.BYTES,
        state,
        1,
        call.batch,
        count,
        state,
        target,
        state,
        add);
  }

  private void launch(String kernel, int index, int units, long given) {
    order
        .launch
        .of(kernel)
        .pointer(at.kept)
        .pointer(at.call.initialHidden)
        .pointer(at.call.initialCell)
        .pointer(dh)
        .pointer(dc)
        .pointer(at.outputGradient)
        .pointer(dzx)
        .pointer(dzh)
        .pointer(at.mask)
        .pointer(at.peepholes)
        .pointer(at.call.output)
        .pointer(given)
        .pointer(inner)
        .pointer(all)
        .pointer(now)
        .pointer(at.call.lengths)
        .number(call.outputTimeStride)
        .number(call.outputRowStride)
        .number(index)
        .number(call.time)
        .number(call.batch)
        .number(units)
        .real(spec.clip())
        .activation(Step.activation(spec, 0))
        .activation(Step.activation(spec, 1))
        .activation(Step.activation(spec, 2))
        .flag(call.reverse)
        .flag(spec.coupled())
        .overElements((kernel.equals("previousStates") ? (long) rows : (long) call.batch) * units);
  }

  private void inputGradient() {
    if (at.inputGradient == 0 || spec.inputSize() == 0) {
      return;
    }
    int inputs = spec.inputSize();
    long row = call.inputRowStride;
    long time = call.inputTimeStride;
    boolean even = call.time <= 1 || call.batch <= 1 || time == call.batch * row;
    long stride = call.batch > 1 ? row : time;
    if (even && (stride >= inputs || rows <= 1)) {
      order.products.multiply(
          dzx,
          columns,
          1,
          at.inputWeights,
          inputs,
          1,
          rows,
          columns,
          inputs,
          at.inputGradient,
          stride,
          layer.addToInputGradient);
      return;
    }
    for (int t = 0; t < call.time; t++) {
      for (int b = 0; b < (row >= inputs ? 1 : call.batch); b++) {
        order.products.multiply(
            dzx + ((long) t * call.batch + b) * columns * Float.BYTES,
            columns,
            1,
            at.inputWeights,
            inputs,
            1,
            row >= inputs ? call.batch : 1,
            columns,
            inputs,
            at.inputGradient + (t * time + b * row) * Float.BYTES,
            row,
            layer.addToInputGradient);
      }
    }
  }

  private void weightGradients(boolean before, boolean projected) {
    int inputs = spec.inputSize();
    if (at.inputWeightsGradient != 0) {
      long row = call.inputRowStride;
      boolean even = call.time <= 1 || call.batch <= 1 || call.inputTimeStride == call.batch * row;
      long stride = call.batch > 1 ? row : call.inputTimeStride;
      long input = at.call.input;
      // What lies behind the ends may be anything, and not a number times 0 is not 0.
      if (at.call.lengths != 0 || !even || stride < inputs && rows > 1) {
        input = RecurrentRun.contiguous(order, call, at.call.lengths, input, inputs);
        stride = inputs;
      }
      order.products.multiply(
          dzx,
          1,
          columns,
          input,
          stride,
          1,
          columns,
          rows,
          inputs,
          at.inputWeightsGradient,
          inputs,
          false);
    }
    if (at.projectionGradient != 0 && projected) {
      order.products.multiply(
          all,
          1,
          state,
          inner,
          hidden,
          1,
          state,
          rows,
          hidden,
          at.projectionGradient,
          hidden,
          false);
    }
    if (at.recurrentWeightsGradient != 0) {
      recurrentWeights(before);
    }
    if (at.biasGradient != 0) {
      long half = (long) columns * Float.BYTES;
      kernels.reduce(Reduction.SUM, dzx, at.biasGradient, 1, rows, columns);
      kernels.reduce(Reduction.SUM, dzh, at.biasGradient + half, 1, rows, columns);
    }
    if (at.peepholesGradient != 0) {
      order
          .launch
          .of("peepholeGradient")
          .pointer(dzx)
          .pointer(at.kept)
          .pointer(at.call.initialCell)
          .pointer(at.peepholesGradient)
          .pointer(at.call.lengths)
          .number(call.time)
          .number(call.batch)
          .number(hidden)
          .flag(call.reverse)
          .overElements(3L * hidden);
    }
  }

  private void recurrentWeights(boolean before) {
    if (before) {
      // The candidate's left side was kept by its own kernel, and would be written over below.
      product(2 * hidden, hidden);
    }
    inner = order.scratchReals(Order.Slot.INNER, (long) rows * Math.max(hidden, state));
    launch("previousStates", 0, state, 0);
    product(0, before ? 2 * hidden : columns);
  }

  /** Some rows of the gradient of R: the gates' gradients with what they were multiplied by. */
  private void product(int first, int count) {
    order.products.multiply(
        dzh + (long) first * Float.BYTES,
        1,
        columns,
        inner,
        state,
        1,
        count,
        rows,
        state,
        at.recurrentWeightsGradient + (long) first * state * Float.BYTES,
        state,
        false);
  }

  private void zeroGradients() {
    long each = (long) columns * Float.BYTES;
    zero(at.inputWeightsGradient, each * spec.inputSize());
    zero(at.recurrentWeightsGradient, each * state);
    zero(at.biasGradient, 2 * each);
    zero(at.peepholesGradient, 3L * hidden * Float.BYTES);
    zero(at.projectionGradient, (long) state * hidden * Float.BYTES);
  }

  private void zero(long target, long bytes) {
    if (target != 0) {
      order.zero(target, bytes);
    }
  }

  @Override
  public void close() {
    cudnn.close();
  }
}

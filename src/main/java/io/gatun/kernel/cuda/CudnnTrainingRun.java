package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Recurrent layers in training through cuDNN, there and back. Weights change from step to step, so
 * each pass puts them where cuDNN wants them, and the way back takes their gradients from there.
 * What the way back needs of the way there lies in the room that the caller keeps where it is large
 * enough; where it is not, the way back goes there once more.
 */
final class CudnnTrainingRun implements AutoCloseable {
  private final Order order;

  /** One for each kind of layer that was met, with memory for its weights. */
  private final Map<RecurrentSpec, CudnnLayer> layers = new HashMap<>();

  private RecurrentTraining layer;
  private RecurrentTrainingRun.Operands at;
  private RecurrentSpec spec;
  private RecurrentCall call;
  private CudnnLayer own;
  private CudnnOrder cudnn;
  private boolean byBatch;
  private boolean keeps;
  private long deviceLengths;
  private long input;
  private long output;

  CudnnTrainingRun(Order order) {
    this.order = order;
  }

  /** Whether cuDNN trains a layer; the same for both passes. */
  boolean fits(RecurrentTraining layer, RecurrentTrainingRun.Operands at) {
    RecurrentCall call = layer.call;
    int inputs = layer.spec.inputSize();
    if (!CudnnLayer.fits(order.device, layer.spec, at.peepholes != 0)
        || at.mask != 0
        || call.embedding != null
        || !CudnnRun.fits(call)
        || !CudnnOrder.timeMajor(call, call.inputTimeStride, call.inputRowStride, inputs)
            && !CudnnOrder.batchMajor(call, call.inputTimeStride, call.inputRowStride, inputs)) {
      return false;
    }
    // An empty sequence's one step would take part in the weights' gradients.
    for (int i = 0; at.call.hostLengths != null && i < call.batch; i++) {
      if (at.call.hostLengths[i] == 0) {
        return false;
      }
    }
    return true;
  }

  private void set(RecurrentTraining layer, RecurrentTrainingRun.Operands operands) {
    this.layer = layer;
    at = operands;
    spec = layer.spec;
    call = layer.call;
    own = layers.get(spec);
    if (own == null) {
      own = CudnnLayer.trained(order.device, spec);
      layers.put(spec, own);
    }
    cudnn = order.cudnn();
    deviceLengths = cudnn.sequences(call, at.call.hostLengths, at.call.lengths);
    byBatch =
        !call.reverse
            && !CudnnOrder.timeMajor(
                call, call.inputTimeStride, call.inputRowStride, spec.inputSize());
    cudnn.describe(call, byBatch, spec.inputSize(), own);
    cudnn.sizes(own, true);
    keeps =
        cudnn.reserveBytes()
            <= (long) call.time * call.batch * RecurrentTraining.keptSize(spec) * Float.BYTES;
    input = call.reverse ? laid(Order.Slot.LAYER_INPUT, at.call.input, true) : at.call.input;
    output = outputIsDirect() ? at.call.output : scratch(Order.Slot.LAYER_OUTPUT, false);
    putWeights();
  }

  // ---- how sequences lie ----------------------------------------------------------------------

  /** From one time step to the next as cuDNN is told. */
  private long timeStride(int size) {
    return byBatch ? size : (long) call.batch * size;
  }

  private long rowStride(int size) {
    return byBatch ? (long) call.time * size : size;
  }

  private long scratch(Order.Slot slot, boolean ofInput) {
    int size = ofInput ? spec.inputSize() : spec.stateSize();
    return order.scratchReals(slot, (long) call.time * call.batch * size);
  }

  /** Input or output, or a gradient that lies as they do, in scratch memory as cuDNN is told. */
  private long laid(Order.Slot slot, long from, boolean ofInput) {
    int size = ofInput ? spec.inputSize() : spec.stateSize();
    long to = scratch(slot, ofInput);
    RecurrentRun.move(
        order,
        call,
        size,
        call.reverse,
        at.call.lengths,
        from,
        ofInput ? call.inputTimeStride : call.outputTimeStride,
        ofInput ? call.inputRowStride : call.outputRowStride,
        to,
        timeStride(size),
        rowStride(size));
    return to;
  }

  /** The other way. */
  private void handOut(long from, long to, boolean ofInput) {
    int size = ofInput ? spec.inputSize() : spec.stateSize();
    RecurrentRun.move(
        order,
        call,
        size,
        call.reverse,
        at.call.lengths,
        from,
        timeStride(size),
        rowStride(size),
        to,
        ofInput ? call.inputTimeStride : call.outputTimeStride,
        ofInput ? call.inputRowStride : call.outputRowStride);
  }

  private boolean outputIsDirect() {
    long time = call.outputTimeStride;
    long row = call.outputRowStride;
    return !call.reverse
        && (byBatch
            ? CudnnOrder.batchMajor(call, time, row, spec.stateSize())
            : CudnnOrder.timeMajor(call, time, row, spec.stateSize()));
  }

  // ---- weights --------------------------------------------------------------------------------

  /** Where a place's numbers lie with the caller, among the weights or their gradients. */
  private long ours(
      CudnnLayer.Place place, long inputs, long recurrents, long biases, long projection) {
    long gate = place.gate() * place.count() * Float.BYTES;
    long half = (long) spec.gates() * spec.hiddenSize() * Float.BYTES;
    return switch (place.kind()) {
      case INPUT -> inputs == 0 ? 0 : inputs + gate;
      case RECURRENT -> recurrents == 0 ? 0 : recurrents + gate;
      case INPUT_BIAS -> biases == 0 ? 0 : biases + gate;
      case RECURRENT_BIAS -> biases == 0 ? 0 : biases + half + gate;
      case PROJECTION -> projection;
    };
  }

  private void putWeights() {
    long to = own.weights().address();
    for (CudnnLayer.Place place : own.places()) {
      long from = ours(place, at.inputWeights, at.recurrentWeights, at.bias, at.projection);
      if (from == 0) {
        order.zero(to + place.offset(), place.count() * Float.BYTES);
      } else {
        order.copy(from, to + place.offset(), place.count() * Float.BYTES);
      }
    }
  }

  // ---- the passes -----------------------------------------------------------------------------

  void forward(RecurrentTraining layer, RecurrentTrainingRun.Operands operands) {
    set(layer, operands);
    forward(keeps ? at.kept : 0, output, at.call.finalHidden, at.call.finalCell);
    if (!outputIsDirect()) {
      handOut(output, at.call.output, false);
    }
  }

  /**
   * The way there.
   *
   * @param reserve where what the way back needs is kept; 0 for a run without
   */
  private void forward(long reserve, long to, long finalHidden, long finalCell) {
    boolean training = reserve != 0;
    boolean lstm = spec.cell() == Cell.LSTM;
    cudnn.sizes(own, training);
    MemorySegment work = cudnn.work();
    Calls.cudnn(
        "cudnnRNNForward",
        Cudnn.cudnnRNNForward(
            cudnn.handle(),
            own.descriptor(),
            training ? Cudnn.CUDNN_FWD_MODE_TRAINING : Cudnn.CUDNN_FWD_MODE_INFERENCE,
            MemorySegment.ofAddress(deviceLengths),
            cudnn.input(),
            MemorySegment.ofAddress(input),
            cudnn.output(),
            MemorySegment.ofAddress(to),
            cudnn.hidden(),
            MemorySegment.ofAddress(at.call.initialHidden),
            MemorySegment.ofAddress(finalHidden),
            cudnn.cell(),
            MemorySegment.ofAddress(lstm ? at.call.initialCell : 0),
            MemorySegment.ofAddress(lstm ? finalCell : 0),
            own.weights().bytes(),
            MemorySegment.ofAddress(own.weights().address()),
            cudnn.workBytes(),
            work,
            cudnn.reserveBytes(),
            MemorySegment.ofAddress(reserve)));
  }

  void backward(RecurrentTraining layer, RecurrentTrainingRun.Operands operands) {
    set(layer, operands);
    long reserve = at.kept;
    if (!keeps) {
      reserve = order.scratch(Order.Slot.RESERVE, cudnn.reserveBytes());
      output = scratch(Order.Slot.LAYER_OUTPUT, false);
      forward(reserve, output, 0, 0);
    } else if (!outputIsDirect()) {
      output = laid(Order.Slot.LAYER_OUTPUT, at.call.output, false);
    }
    cudnn.sizes(own, true);
    data(reserve);
    weights(reserve);
  }

  private void data(long reserve) {
    boolean lstm = spec.cell() == Cell.LSTM;
    long given;
    if (at.outputGradient == 0) {
      given = scratch(Order.Slot.OUTPUT_GRADIENT, false);
      order.zero(given, (long) call.time * call.batch * spec.stateSize() * Float.BYTES);
    } else {
      given =
          outputIsDirect()
              ? at.outputGradient
              : laid(Order.Slot.OUTPUT_GRADIENT, at.outputGradient, false);
    }
    boolean direct =
        at.inputGradient != 0 && !call.reverse && !layer.addToInputGradient && at.call.lengths == 0;
    long wanted = direct ? at.inputGradient : scratch(Order.Slot.INPUT_GRADIENT, true);
    Calls.cudnn(
        "cudnnRNNBackwardData_v8",
        Cudnn.cudnnRNNBackwardData_v8(
            cudnn.handle(),
            own.descriptor(),
            MemorySegment.ofAddress(deviceLengths),
            cudnn.output(),
            MemorySegment.ofAddress(output),
            MemorySegment.ofAddress(given),
            cudnn.input(),
            MemorySegment.ofAddress(wanted),
            cudnn.hidden(),
            MemorySegment.ofAddress(at.call.initialHidden),
            MemorySegment.ofAddress(at.finalHiddenGradient),
            MemorySegment.ofAddress(at.initialHiddenGradient),
            cudnn.cell(),
            MemorySegment.ofAddress(lstm ? at.call.initialCell : 0),
            MemorySegment.ofAddress(lstm ? at.finalCellGradient : 0),
            MemorySegment.ofAddress(lstm ? at.initialCellGradient : 0),
            own.weights().bytes(),
            MemorySegment.ofAddress(own.weights().address()),
            cudnn.workBytes(),
            cudnn.work(),
            cudnn.reserveBytes(),
            MemorySegment.ofAddress(reserve)));
    if (direct || at.inputGradient == 0) {
      return;
    }
    if (!layer.addToInputGradient) {
      handOut(wanted, at.inputGradient, true);
      return;
    }
    long turned = scratch(Order.Slot.TURNED_GRADIENT, true);
    handOut(wanted, turned, true);
    long count = (long) call.time * call.batch * spec.inputSize();
    long[] one = {1};
    order
        .launch
        .of("binaryF32")
        .pointer(at.inputGradient)
        .pointer(turned)
        .pointer(at.inputGradient)
        .pointer(0)
        .axes(new long[] {count}, one, one, 0)
        .code(BinaryOperation.ADD.ordinal())
        .overElements(count);
  }

  private void weights(long reserve) {
    if (at.inputWeightsGradient == 0
        && at.recurrentWeightsGradient == 0
        && at.biasGradient == 0
        && at.projectionGradient == 0) {
      return;
    }
    long bytes = own.weights().bytes();
    long gradient = order.scratch(Order.Slot.CUDNN_WEIGHTS_GRADIENT, bytes);
    order.zero(gradient, bytes);
    Calls.cudnn(
        "cudnnRNNBackwardWeights_v8",
        Cudnn.cudnnRNNBackwardWeights_v8(
            cudnn.handle(),
            own.descriptor(),
            Cudnn.CUDNN_WGRAD_MODE_ADD,
            MemorySegment.ofAddress(deviceLengths),
            cudnn.input(),
            MemorySegment.ofAddress(input),
            cudnn.hidden(),
            MemorySegment.ofAddress(at.call.initialHidden),
            cudnn.output(),
            MemorySegment.ofAddress(output),
            bytes,
            MemorySegment.ofAddress(gradient),
            cudnn.workBytes(),
            cudnn.work(),
            cudnn.reserveBytes(),
            MemorySegment.ofAddress(reserve)));
    for (CudnnLayer.Place place : own.places()) {
      long to =
          ours(
              place,
              at.inputWeightsGradient,
              at.recurrentWeightsGradient,
              at.biasGradient,
              at.projectionGradient);
      if (to != 0) {
        order.copy(gradient + place.offset(), to, place.count() * Float.BYTES);
      }
    }
  }

  @Override
  public void close() {
    layers.values().forEach(CudnnLayer::close);
    layers.clear();
  }
}

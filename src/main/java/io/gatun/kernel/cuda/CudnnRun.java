package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Whole recurrent layers through cuDNN, in one order of work. Time that runs backwards is turned
 * around on the way in and out.
 */
final class CudnnRun implements AutoCloseable {
  /** A time step alone is left to a product and a kernel, which begin sooner. */
  private static final int LEAST_TIME = 2;

  private final Order order;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment padding = arena.allocate(ValueLayout.JAVA_FLOAT);
  private final MemorySegment numbers = arena.allocate(2L * Long.BYTES, Long.BYTES);
  private final MemorySegment dims = arena.allocate(3L * Integer.BYTES, Integer.BYTES);
  private final MemorySegment strides = arena.allocate(3L * Integer.BYTES, Integer.BYTES);
  private MemorySegment handle;
  private MemorySegment input;
  private MemorySegment output;
  private MemorySegment hidden;
  private MemorySegment cell;
  private MemorySegment lengths = MemorySegment.NULL;

  CudnnRun(Order order) {
    this.order = order;
    try {
      handle = CudnnLayer.newHandle(order.stream);
      Calls.cudnn("cudnnCreateRNNDataDescriptor", Cudnn.cudnnCreateRNNDataDescriptor(numbers));
      input = numbers.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateRNNDataDescriptor", Cudnn.cudnnCreateRNNDataDescriptor(numbers));
      output = numbers.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateTensorDescriptor", Cudnn.cudnnCreateTensorDescriptor(numbers));
      hidden = numbers.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateTensorDescriptor", Cudnn.cudnnCreateTensorDescriptor(numbers));
      cell = numbers.get(ValueLayout.ADDRESS, 0);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Whether a call is one for cuDNN: several steps, of rows of numbers, none of them empty. */
  static boolean fits(RecurrentCall call, RecurrentRun.Operands operands) {
    if (call.time < LEAST_TIME || call.embedding != null) {
      return false;
    }
    if (operands.hostLengths != null) {
      for (int i = 0; i < call.batch; i++) {
        // Turned around, rows that end early would begin at different steps.
        if (operands.hostLengths[i] < 1 || (call.reverse && operands.hostLengths[i] < call.time)) {
          return false;
        }
      }
    }
    return true;
  }

  void run(CudnnLayer layer, RecurrentCall call, RecurrentRun.Operands operands) {
    RecurrentSpec spec = layer.spec();
    int size = spec.inputSize();
    int state = spec.stateSize();
    long deviceLengths = setLengths(call, operands);
    long from = operands.input;
    if (!plain(call.batch, call.inputTimeStride, call.inputRowStride, size) || call.reverse) {
      from = turned(call, operands.input, size);
    }
    boolean direct =
        operands.output != 0
            && !call.reverse
            && plain(call.batch, call.outputTimeStride, call.outputRowStride, state);
    long to =
        direct
            ? operands.output
            : order.scratchReals(Order.Slot.LAYER_OUTPUT, (long) call.time * call.batch * state);
    describe(input, call, size);
    describe(output, call, state);
    describe(hidden, call.batch, state);
    describe(cell, call.batch, spec.hiddenSize());
    Calls.cudnn(
        "cudnnGetRNNTempSpaceSizes",
        Cudnn.cudnnGetRNNTempSpaceSizes(
            handle,
            layer.descriptor(),
            Cudnn.CUDNN_FWD_MODE_INFERENCE,
            input,
            numbers,
            numbers.asSlice(Long.BYTES, Long.BYTES)));
    long workBytes = numbers.get(ValueLayout.JAVA_LONG, 0);
    long work = order.scratch(Order.Slot.CUDNN, workBytes);
    boolean lstm = spec.cell() == Cell.LSTM;
    // A state may be final where it is initial.
    long finalHidden = operands.finalHidden;
    Calls.cudnn(
        "cudnnRNNForward",
        Cudnn.cudnnRNNForward(
            handle,
            layer.descriptor(),
            Cudnn.CUDNN_FWD_MODE_INFERENCE,
            MemorySegment.ofAddress(deviceLengths),
            input,
            MemorySegment.ofAddress(from),
            output,
            MemorySegment.ofAddress(to),
            hidden,
            MemorySegment.ofAddress(
                apart(operands.initialHidden, finalHidden, (long) call.batch * state)),
            MemorySegment.ofAddress(finalHidden),
            cell,
            MemorySegment.ofAddress(
                lstm
                    ? apartCell(
                        operands.initialCell,
                        operands.finalCell,
                        (long) call.batch * spec.hiddenSize())
                    : 0),
            MemorySegment.ofAddress(lstm ? operands.finalCell : 0),
            layer.weights().bytes(),
            MemorySegment.ofAddress(layer.weights().address()),
            workBytes,
            MemorySegment.ofAddress(work),
            0,
            MemorySegment.NULL));
    if (operands.output != 0 && !direct) {
      back(call, to, operands.output, state);
    }
  }

  /** An initial state, copied aside if it lies where the final one goes. */
  private long apart(long initial, long last, long count) {
    return aside(Order.Slot.HIDDEN, initial, last, count);
  }

  private long apartCell(long initial, long last, long count) {
    return aside(Order.Slot.CELL, initial, last, count);
  }

  private long aside(Order.Slot slot, long initial, long last, long count) {
    if (initial == 0 || initial != last) {
      return initial;
    }
    long copy = order.scratchReals(slot, count);
    order.copy(initial, copy, count * Float.BYTES);
    return copy;
  }

  /** The lengths for the host, in {@link #lengths}, and for the device; returns the latter. */
  private long setLengths(RecurrentCall call, RecurrentRun.Operands operands) {
    long bytes = (long) call.batch * Integer.BYTES;
    if (lengths.byteSize() < bytes) {
      lengths = arena.allocate(bytes, Integer.BYTES);
    }
    for (int i = 0; i < call.batch; i++) {
      int length = operands.hostLengths == null ? call.time : (int) operands.hostLengths[i];
      lengths.setAtIndex(ValueLayout.JAVA_INT, i, length);
    }
    if (operands.lengths != 0) {
      return operands.lengths;
    }
    long device = order.scratch(Order.Slot.LENGTHS, bytes);
    order
        .launch
        .of("fill4")
        .pointer(device)
        .number(call.batch)
        .number(call.time)
        .overElements(call.batch);
    return device;
  }

  private static boolean plain(int batch, long timeStride, long rowStride, int size) {
    return (batch == 1 || rowStride == size) && timeStride == (long) batch * size;
  }

  /** The input as {@code [time, batch, size]}, turned around where time runs backwards. */
  private long turned(RecurrentCall call, long from, int size) {
    long count = (long) call.time * call.batch * size;
    long copy = order.scratchReals(Order.Slot.LAYER_INPUT, count);
    long last = call.reverse ? (call.time - 1) * call.inputTimeStride : 0;
    order
        .launch
        .of("copy4")
        .pointer(from)
        .number(last)
        .pointer(copy)
        .number(0)
        .axes(
            new long[] {call.time, call.batch, size},
            new long[] {
              call.reverse ? -call.inputTimeStride : call.inputTimeStride, call.inputRowStride, 1
            },
            new long[] {(long) call.batch * size, size, 1},
            0)
        .overElements(count);
    return copy;
  }

  private void back(RecurrentCall call, long from, long to, int size) {
    long last = call.reverse ? (call.time - 1) * call.outputTimeStride : 0;
    order
        .launch
        .of("copy4")
        .pointer(from)
        .number(0)
        .pointer(to)
        .number(last)
        .axes(
            new long[] {call.time, call.batch, size},
            new long[] {(long) call.batch * size, size, 1},
            new long[] {
              call.reverse ? -call.outputTimeStride : call.outputTimeStride, call.outputRowStride, 1
            },
            0)
        .overElements((long) call.time * call.batch * size);
  }

  private void describe(MemorySegment descriptor, RecurrentCall call, int size) {
    Calls.cudnn(
        "cudnnSetRNNDataDescriptor",
        Cudnn.cudnnSetRNNDataDescriptor(
            descriptor,
            Cudnn.CUDNN_DATA_FLOAT,
            Cudnn.CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED,
            call.time,
            call.batch,
            size,
            lengths,
            padding));
  }

  private void describe(MemorySegment descriptor, int batch, int size) {
    dims.setAtIndex(ValueLayout.JAVA_INT, 0, 1);
    dims.setAtIndex(ValueLayout.JAVA_INT, 1, batch);
    dims.setAtIndex(ValueLayout.JAVA_INT, 2, size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 0, batch * size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 1, size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 2, 1);
    Calls.cudnn(
        "cudnnSetTensorNdDescriptor",
        Cudnn.cudnnSetTensorNdDescriptor(descriptor, Cudnn.CUDNN_DATA_FLOAT, 3, dims, strides));
  }

  @Override
  public void close() {
    CudaDevice device = order.device;
    if (device.usable()) {
      destroy("cudnnDestroyRNNDataDescriptor", input, Cudnn::cudnnDestroyRNNDataDescriptor);
      destroy("cudnnDestroyRNNDataDescriptor", output, Cudnn::cudnnDestroyRNNDataDescriptor);
      destroy("cudnnDestroyTensorDescriptor", hidden, Cudnn::cudnnDestroyTensorDescriptor);
      destroy("cudnnDestroyTensorDescriptor", cell, Cudnn::cudnnDestroyTensorDescriptor);
      CudnnLayer.destroyHandle(device, handle);
    }
    arena.close();
  }

  private interface Destroying {
    int destroy(MemorySegment descriptor);
  }

  private void destroy(String function, MemorySegment descriptor, Destroying destroying) {
    if (descriptor != null) {
      CudnnLayer.released(order.device, function, destroying.destroy(descriptor));
    }
  }
}

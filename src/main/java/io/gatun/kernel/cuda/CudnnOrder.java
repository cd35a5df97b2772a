package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.RecurrentCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What cuDNN has of an order of work, and is told of sequences and states before each layer. */
final class CudnnOrder implements AutoCloseable {
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
  private CudnnConvolution convolution;
  private long workBytes;
  private long reserveBytes;

  CudnnOrder(Order order) {
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

  /** Whether rows of one time step after the other lie without gaps. */
  static boolean timeMajor(RecurrentCall call, long timeStride, long rowStride, int size) {
    return (call.batch == 1 || rowStride == size) && timeStride == (long) call.batch * size;
  }

  /** Whether time steps of one sequence after the other lie without gaps. */
  static boolean batchMajor(RecurrentCall call, long timeStride, long rowStride, int size) {
    return (call.time == 1 || timeStride == size) && rowStride == (long) call.time * size;
  }

  /**
   * Tells what sequences there are. cuDNN is not given empty ones: they count as one step, and what
   * comes of it is not theirs.
   *
   * @param hostLengths {@code null} if all are full
   * @param deviceLengths the same on the device; 0 for none
   * @return the lengths that cuDNN reads on the device
   */
  long sequences(RecurrentCall call, long[] hostLengths, long deviceLengths) {
    long bytes = (long) call.batch * Integer.BYTES;
    if (lengths.byteSize() < bytes) {
      lengths = arena.allocate(bytes, Integer.BYTES);
    }
    boolean empty = false;
    for (int i = 0; i < call.batch; i++) {
      int length = hostLengths == null ? call.time : (int) hostLengths[i];
      empty |= length == 0;
      lengths.setAtIndex(ValueLayout.JAVA_INT, i, Math.max(1, length));
    }
    if (hostLengths != null && !empty) {
      return deviceLengths;
    }
    long device = order.scratch(Order.Slot.LENGTHS, bytes);
    if (empty) {
      order.send(lengths, device, bytes);
    } else {
      order
          .launch
          .of("fill4")
          .pointer(device)
          .number(call.batch)
          .number(call.time)
          .overElements(call.batch);
    }
    return device;
  }

  /** Tells how input, output and states lie. */
  void describe(RecurrentCall call, boolean batchMajor, int inputSize, CudnnLayer layer) {
    int directions = layer.directions();
    describe(input, call, batchMajor, inputSize);
    describe(output, call, batchMajor, directions * layer.spec().stateSize());
    describe(hidden, directions, call.batch, layer.spec().stateSize());
    describe(cell, directions, call.batch, layer.spec().hiddenSize());
  }

  private void describe(
      MemorySegment descriptor, RecurrentCall call, boolean batchMajor, int size) {
    Calls.cudnn(
        "cudnnSetRNNDataDescriptor",
        Cudnn.cudnnSetRNNDataDescriptor(
            descriptor,
            Cudnn.CUDNN_DATA_FLOAT,
            batchMajor
                ? Cudnn.CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED
                : Cudnn.CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED,
            call.time,
            call.batch,
            size,
            lengths,
            padding));
  }

  private void describe(MemorySegment descriptor, int directions, int batch, int size) {
    dims.setAtIndex(ValueLayout.JAVA_INT, 0, directions);
    dims.setAtIndex(ValueLayout.JAVA_INT, 1, batch);
    dims.setAtIndex(ValueLayout.JAVA_INT, 2, size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 0, batch * size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 1, size);
    strides.setAtIndex(ValueLayout.JAVA_INT, 2, 1);
    Calls.cudnn(
        "cudnnSetTensorNdDescriptor",
        Cudnn.cudnnSetTensorNdDescriptor(descriptor, Cudnn.CUDNN_DATA_FLOAT, 3, dims, strides));
  }

  /** Asks how much memory the layer needs for the sequences that were described. */
  void sizes(CudnnLayer layer, boolean training) {
    Calls.cudnn(
        "cudnnGetRNNTempSpaceSizes",
        Cudnn.cudnnGetRNNTempSpaceSizes(
            handle,
            layer.descriptor(),
            training ? Cudnn.CUDNN_FWD_MODE_TRAINING : Cudnn.CUDNN_FWD_MODE_INFERENCE,
            input,
            numbers,
            numbers.asSlice(Long.BYTES, Long.BYTES)));
    workBytes = numbers.get(ValueLayout.JAVA_LONG, 0);
    reserveBytes = training ? numbers.get(ValueLayout.JAVA_LONG, Long.BYTES) : 0;
  }

  /** What the way back needs of the way there, by {@link #sizes}. */
  long reserveBytes() {
    return reserveBytes;
  }

  /** Memory to work in, by {@link #sizes}. */
  MemorySegment work() {
    return MemorySegment.ofAddress(order.scratch(Order.Slot.CUDNN, workBytes));
  }

  long workBytes() {
    return workBytes;
  }

  /** Convolutions in this order. */
  CudnnConvolution convolution() {
    if (convolution == null) {
      convolution = new CudnnConvolution(order);
    }
    return convolution;
  }

  MemorySegment handle() {
    return handle;
  }

  MemorySegment input() {
    return input;
  }

  MemorySegment output() {
    return output;
  }

  MemorySegment hidden() {
    return hidden;
  }

  MemorySegment cell() {
    return cell;
  }

  @Override
  public void close() {
    CudaDevice device = order.device;
    if (convolution != null) {
      convolution.close();
    }
    if (device.usable()) {
      destroy(device, "cudnnDestroyRNNDataDescriptor", input, Cudnn::cudnnDestroyRNNDataDescriptor);
      destroy(
          device, "cudnnDestroyRNNDataDescriptor", output, Cudnn::cudnnDestroyRNNDataDescriptor);
      destroy(device, "cudnnDestroyTensorDescriptor", hidden, Cudnn::cudnnDestroyTensorDescriptor);
      destroy(device, "cudnnDestroyTensorDescriptor", cell, Cudnn::cudnnDestroyTensorDescriptor);
      CudnnLayer.destroyHandle(device, handle);
    }
    arena.close();
  }

  /** A function of cuDNN's that ends a descriptor's life. */
  interface Destroying {
    int destroy(MemorySegment descriptor);
  }

  static void destroy(
      CudaDevice device, String function, MemorySegment descriptor, Destroying destroying) {
    if (descriptor != null) {
      CudnnLayer.released(device, function, destroying.destroy(descriptor));
    }
  }
}

package io.gatun.jmh.peer;

import io.gatun.bindings.Cudart;
import io.gatun.bindings.Cudnn;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * One recurrent layer called as cuDNN's documentation shows it, with nothing of Gatun's around it:
 * what a call costs at best. Its weights and its input are small random numbers: a GPU multiplies
 * zeros faster. A device of Gatun's must be open, since it is what loads the libraries.
 */
final class CudnnDirect implements AutoCloseable {
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment out = arena.allocate(2L * Long.BYTES, Long.BYTES);
  private final List<MemorySegment> memory = new ArrayList<>();
  private final MemorySegment handle;
  private final MemorySegment stream;
  private final MemorySegment dropout;
  private final MemorySegment layer;
  private final MemorySegment sequences;
  private final MemorySegment states;
  private final MemorySegment input;
  private final MemorySegment output;
  private final MemorySegment lengths;
  private final MemorySegment weights;
  private final MemorySegment work;
  private final long weightBytes;
  private final long workBytes;

  CudnnDirect(LayerProblem problem) {
    int time = problem.time();
    int batch = problem.batch();
    int hidden = problem.hidden();
    check(Cudart.cudaStreamCreateWithFlags(out, Cudart.cudaStreamNonBlocking));
    stream = pointer();
    check(Cudnn.cudnnCreate(out));
    handle = pointer();
    check(Cudnn.cudnnSetStream(handle, stream));
    check(Cudnn.cudnnCreateDropoutDescriptor(out));
    dropout = pointer();
    check(Cudnn.cudnnSetDropoutDescriptor(dropout, handle, 0, MemorySegment.NULL, 0, 0));
    check(Cudnn.cudnnCreateRNNDescriptor(out));
    layer = pointer();
    int mode =
        switch (problem.cell()) {
          case "LSTM" -> Cudnn.CUDNN_LSTM;
          case "GRU" -> Cudnn.CUDNN_GRU;
          default -> Cudnn.CUDNN_RNN_TANH;
        };
    check(
        Cudnn.cudnnSetRNNDescriptor_v8(
            layer,
            Cudnn.CUDNN_RNN_ALGO_STANDARD,
            mode,
            Cudnn.CUDNN_RNN_DOUBLE_BIAS,
            Cudnn.CUDNN_UNIDIRECTIONAL,
            Cudnn.CUDNN_LINEAR_INPUT,
            Cudnn.CUDNN_DATA_FLOAT,
            Cudnn.CUDNN_DATA_FLOAT,
            Cudnn.CUDNN_FMA_MATH,
            hidden,
            hidden,
            hidden,
            1,
            dropout,
            Cudnn.CUDNN_RNN_PADDED_IO_ENABLED));
    MemorySegment ends = arena.allocate((long) batch * Integer.BYTES, Integer.BYTES);
    for (int i = 0; i < batch; i++) {
      ends.setAtIndex(ValueLayout.JAVA_INT, i, time);
    }
    check(Cudnn.cudnnCreateRNNDataDescriptor(out));
    sequences = pointer();
    check(
        Cudnn.cudnnSetRNNDataDescriptor(
            sequences,
            Cudnn.CUDNN_DATA_FLOAT,
            Cudnn.CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED,
            time,
            batch,
            hidden,
            ends,
            MemorySegment.NULL));
    check(Cudnn.cudnnCreateTensorDescriptor(out));
    states = pointer();
    MemorySegment sizes = arena.allocate(6L * Integer.BYTES, Integer.BYTES);
    int[] numbers = {1, batch, hidden, batch * hidden, hidden, 1};
    for (int i = 0; i < numbers.length; i++) {
      sizes.setAtIndex(ValueLayout.JAVA_INT, i, numbers[i]);
    }
    check(
        Cudnn.cudnnSetTensorNdDescriptor(
            states, Cudnn.CUDNN_DATA_FLOAT, 3, sizes, sizes.asSlice(3L * Integer.BYTES)));
    check(Cudnn.cudnnGetRNNWeightSpaceSize(handle, layer, out));
    weightBytes = out.get(ValueLayout.JAVA_LONG, 0);
    check(
        Cudnn.cudnnGetRNNTempSpaceSizes(
            handle,
            layer,
            Cudnn.CUDNN_FWD_MODE_INFERENCE,
            sequences,
            out,
            out.asSlice(Long.BYTES, Long.BYTES)));
    workBytes = out.get(ValueLayout.JAVA_LONG, 0);
    weights = numbers(weightBytes);
    work = zeros(workBytes);
    long bytes = (long) time * batch * hidden * Float.BYTES;
    input = numbers(bytes);
    output = zeros(bytes);
    lengths = zeros(ends.byteSize());
    check(
        Cudart.cudaMemcpyAsync(
            lengths, ends, ends.byteSize(), Cudart.cudaMemcpyHostToDevice, stream));
    await();
  }

  private MemorySegment pointer() {
    return out.get(ValueLayout.ADDRESS, 0);
  }

  private MemorySegment zeros(long bytes) {
    check(Cudart.cudaMalloc(out, Math.max(bytes, 1)));
    MemorySegment pointer = pointer();
    memory.add(pointer);
    check(Cudart.cudaMemsetAsync(pointer, 0, bytes, stream));
    return pointer;
  }

  /** Device memory with random numbers up to a twentieth. */
  private MemorySegment numbers(long bytes) {
    MemorySegment target = zeros(bytes);
    try (Arena aside = Arena.ofConfined()) {
      MemorySegment source = aside.allocate(bytes, Float.BYTES);
      Random random = new Random(1);
      for (long i = 0; i < bytes / Float.BYTES; i++) {
        source.setAtIndex(ValueLayout.JAVA_FLOAT, i, (random.nextFloat() - 0.5f) / 10);
      }
      check(Cudart.cudaMemcpyAsync(target, source, bytes, Cudart.cudaMemcpyHostToDevice, stream));
      await();
    }
    return target;
  }

  private static void check(int code) {
    if (code != 0) {
      throw new IllegalStateException("cuDNN, called directly, failed with " + code);
    }
  }

  /** Starts a run. */
  void run() {
    check(
        Cudnn.cudnnRNNForward(
            handle,
            layer,
            Cudnn.CUDNN_FWD_MODE_INFERENCE,
            lengths,
            sequences,
            input,
            sequences,
            output,
            states,
            MemorySegment.NULL,
            MemorySegment.NULL,
            states,
            MemorySegment.NULL,
            MemorySegment.NULL,
            weightBytes,
            weights,
            workBytes,
            work,
            0,
            MemorySegment.NULL));
  }

  /** Waits for what was started. */
  void await() {
    check(Cudart.cudaStreamSynchronize(stream));
  }

  @Override
  public void close() {
    memory.forEach(Cudart::cudaFree);
    Cudnn.cudnnDestroyTensorDescriptor(states);
    Cudnn.cudnnDestroyRNNDataDescriptor(sequences);
    Cudnn.cudnnDestroyRNNDescriptor(layer);
    Cudnn.cudnnDestroyDropoutDescriptor(dropout);
    Cudnn.cudnnDestroy(handle);
    Cudart.cudaStreamDestroy(stream);
    arena.close();
  }
}

package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A recurrent layer as cuDNN has it: what kind it is, and its weights in cuDNN's own order, which
 * cuDNN tells place by place. Shared by threads; nothing of it changes.
 */
final class CudnnLayer implements AutoCloseable {
  /** Our gate of each of cuDNN's: it has i, f, c, o where we have i, o, f, c; and r, z, n. */
  private static final int[] LSTM_GATES = {0, 2, 3, 1};

  private static final int[] GRU_GATES = {1, 0, 2};
  private static final int[] RNN_GATES = {0};

  /** The number under which cuDNN has an LSTM's projection. */
  private static final int PROJECTION = 8;

  private final CudaDevice device;
  private final RecurrentSpec spec;
  private MemorySegment dropout;
  private MemorySegment descriptor;
  private CudaBuffer weights;

  /** Whether cuDNN has layers of a kind, in the range of sizes that it takes. */
  static boolean fits(CudaDevice device, RecurrentSpec spec, boolean peepholes) {
    return device.hasCudnn()
        && !peepholes
        && spec.inputSize() > 0
        && spec.clip() == 0
        && !spec.coupled()
        && !spec.layerNormalised()
        && spec.projectionSize() < spec.hiddenSize()
        && switch (spec.cell()) {
          case RNN ->
              spec.activations().get(0).equals(Activation.TANH)
                  || spec.activations().get(0).equals(Activation.RELU);
          case GRU -> spec.resetAfter() && spec.activations().equals(Cell.GRU.defaultActivations());
          case LSTM -> spec.activations().equals(Cell.LSTM.defaultActivations());
        };
  }

  /**
   * Makes the layer of weights on the host.
   *
   * @param input {@code [input, gates × hidden]}
   * @param recurrent {@code [state, gates × hidden]}
   * @param inputBias {@code [gates × hidden]}, or {@code null}
   * @param recurrentBias {@code [gates × hidden]}, or {@code null}
   * @param projection {@code [hidden, projection]}, or {@code null}
   */
  CudnnLayer(
      CudaDevice device,
      RecurrentSpec spec,
      Tensor input,
      Tensor recurrent,
      Tensor inputBias,
      Tensor recurrentBias,
      Tensor projection) {
    this.device = device;
    this.spec = spec;
    device.makeCurrent();
    MemorySegment handle = null;
    try (Arena arena = Arena.ofConfined();
        Setup setup = new Setup(device)) {
      handle = newHandle(setup.stream());
      describe(arena, handle);
      MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
      Calls.cudnn(
          "cudnnGetRNNWeightSpaceSize", Cudnn.cudnnGetRNNWeightSpaceSize(handle, descriptor, size));
      weights = device.take(size.get(ValueLayout.JAVA_LONG, 0));
      MemorySegment host = arena.allocate(Math.max(weights.bytes(), 1), 64);
      Filling filling = new Filling(arena, handle, host);
      try {
        int[] gates =
            switch (spec.cell()) {
              case RNN -> RNN_GATES;
              case GRU -> GRU_GATES;
              case LSTM -> LSTM_GATES;
            };
        for (int i = 0; i < gates.length; i++) {
          filling.fill(i, gate(input, gates[i]), part(inputBias, gates[i]));
          filling.fill(i + gates.length, gate(recurrent, gates[i]), part(recurrentBias, gates[i]));
        }
        if (projection != null) {
          filling.fill(PROJECTION, projection.transpose(1, 0), null);
        }
      } finally {
        filling.close();
      }
      setup.upload(host, weights, weights.bytes());
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    } finally {
      destroyHandle(device, handle);
    }
  }

  /** A gate's columns as {@code [hidden, size]}. */
  private Tensor gate(Tensor side, int gate) {
    long hidden = spec.hiddenSize();
    return side.slice(1, gate * hidden, (gate + 1) * hidden).transpose(1, 0);
  }

  private Tensor part(Tensor bias, int gate) {
    long hidden = spec.hiddenSize();
    return bias == null ? null : bias.slice(0, gate * hidden, (gate + 1) * hidden);
  }

  /** A handle of cuDNN that works on a stream. */
  static MemorySegment newHandle(MemorySegment stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      Calls.cudnn("cudnnCreate", Cudnn.cudnnCreate(pointer));
      MemorySegment handle = pointer.get(ValueLayout.ADDRESS, 0);
      int code = Cudnn.cudnnSetStream(handle, stream);
      if (code != 0) {
        Cudnn.cudnnDestroy(handle);
        Calls.cudnn("cudnnSetStream", code);
      }
      return handle;
    }
  }

  static void destroyHandle(CudaDevice device, MemorySegment handle) {
    if (handle != null && device.usable()) {
      released(device, "cudnnDestroy", Cudnn.cudnnDestroy(handle));
    }
  }

  static void released(CudaDevice device, String function, int code) {
    if (code != 0) {
      device.complain(
          new CudaException(function, code, Calls.text(Cudnn.cudnnGetErrorString(code)), "cuDNN"));
    }
  }

  private void describe(Arena arena, MemorySegment handle) {
    MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
    Calls.cudnn("cudnnCreateDropoutDescriptor", Cudnn.cudnnCreateDropoutDescriptor(pointer));
    dropout = pointer.get(ValueLayout.ADDRESS, 0);
    Calls.cudnn(
        "cudnnSetDropoutDescriptor",
        Cudnn.cudnnSetDropoutDescriptor(dropout, handle, 0, MemorySegment.NULL, 0, 0));
    Calls.cudnn("cudnnCreateRNNDescriptor", Cudnn.cudnnCreateRNNDescriptor(pointer));
    descriptor = pointer.get(ValueLayout.ADDRESS, 0);
    int mode =
        switch (spec.cell()) {
          case RNN ->
              spec.activations().get(0).equals(Activation.RELU)
                  ? Cudnn.CUDNN_RNN_RELU
                  : Cudnn.CUDNN_RNN_TANH;
          case GRU -> Cudnn.CUDNN_GRU;
          case LSTM -> Cudnn.CUDNN_LSTM;
        };
    Calls.cudnn(
        "cudnnSetRNNDescriptor_v8",
        Cudnn.cudnnSetRNNDescriptor_v8(
            descriptor,
            Cudnn.CUDNN_RNN_ALGO_STANDARD,
            mode,
            Cudnn.CUDNN_RNN_DOUBLE_BIAS,
            Cudnn.CUDNN_UNIDIRECTIONAL,
            Cudnn.CUDNN_LINEAR_INPUT,
            Cudnn.CUDNN_DATA_FLOAT,
            Cudnn.CUDNN_DATA_FLOAT,
            device.precision().cudnnMath,
            spec.inputSize(),
            spec.hiddenSize(),
            spec.stateSize(),
            1,
            dropout,
            Cudnn.CUDNN_RNN_PADDED_IO_ENABLED));
  }

  /** Puts weights to where cuDNN wants them, in a copy on the host of the memory it will read. */
  private final class Filling {
    private final MemorySegment handle;
    private final MemorySegment host;
    private final MemorySegment pointers;
    private final MemorySegment sizes;
    private final MemorySegment[] shapes = new MemorySegment[2];

    Filling(Arena arena, MemorySegment handle, MemorySegment host) {
      this.handle = handle;
      this.host = host;
      pointers = arena.allocate(2L * Long.BYTES, Long.BYTES);
      sizes = arena.allocate(16L * Integer.BYTES, Integer.BYTES);
      try {
        for (int i = 0; i < 2; i++) {
          Calls.cudnn("cudnnCreateTensorDescriptor", Cudnn.cudnnCreateTensorDescriptor(pointers));
          shapes[i] = pointers.get(ValueLayout.ADDRESS, 0);
        }
      } catch (RuntimeException | Error e) {
        close();
        throw e;
      }
    }

    void fill(int number, Tensor matrix, Tensor bias) {
      MemorySegment matrixAt = pointers.asSlice(0, Long.BYTES);
      MemorySegment biasAt = pointers.asSlice(Long.BYTES, Long.BYTES);
      Calls.cudnn(
          "cudnnGetRNNWeightParams",
          Cudnn.cudnnGetRNNWeightParams(
              handle,
              descriptor,
              0,
              weights.bytes(),
              MemorySegment.ofAddress(weights.address()),
              number,
              shapes[0],
              matrixAt,
              shapes[1],
              biasAt));
      put(matrixAt.get(ValueLayout.JAVA_LONG, 0), shapes[0], matrix, "matrix " + number);
      if (bias != null) {
        put(biasAt.get(ValueLayout.JAVA_LONG, 0), shapes[1], bias, "bias " + number);
      }
    }

    private void put(long address, MemorySegment shape, Tensor values, String what) {
      MemorySegment type = sizes.asSlice(0, Integer.BYTES);
      MemorySegment count = sizes.asSlice(Integer.BYTES, Integer.BYTES);
      MemorySegment dims = sizes.asSlice(2L * Integer.BYTES, 3L * Integer.BYTES);
      MemorySegment strides = sizes.asSlice(8L * Integer.BYTES, 3L * Integer.BYTES);
      Calls.cudnn(
          "cudnnGetTensorNdDescriptor",
          Cudnn.cudnnGetTensorNdDescriptor(shape, 3, type, count, dims, strides));
      long elements = 1;
      for (int i = 0; i < 3; i++) {
        elements *= dims.getAtIndex(ValueLayout.JAVA_INT, i);
      }
      long offset = address - weights.address();
      if (address == 0
          || elements != values.elements()
          || offset < 0
          || offset > weights.bytes() - elements * Float.BYTES) {
        throw new IllegalStateException(
            "cuDNN has room for "
                + elements
                + " numbers at "
                + offset
                + " of its weights, the layer's "
                + what
                + " has "
                + values.elements());
      }
      Tensor.wrap(host.asSlice(offset, elements * Float.BYTES), weightType(), values.shape().dims())
          .copyFrom(values);
    }

    private static io.gatun.tensor.DType weightType() {
      return io.gatun.tensor.DType.FLOAT32;
    }

    void close() {
      for (MemorySegment shape : shapes) {
        if (shape != null && device.usable()) {
          released(
              device, "cudnnDestroyTensorDescriptor", Cudnn.cudnnDestroyTensorDescriptor(shape));
        }
      }
    }
  }

  RecurrentSpec spec() {
    return spec;
  }

  MemorySegment descriptor() {
    return descriptor;
  }

  CudaBuffer weights() {
    return weights;
  }

  long bytes() {
    return weights.bytes();
  }

  @Override
  public void close() {
    if (device.usable()) {
      if (descriptor != null) {
        released(device, "cudnnDestroyRNNDescriptor", Cudnn.cudnnDestroyRNNDescriptor(descriptor));
      }
      if (dropout != null) {
        released(
            device, "cudnnDestroyDropoutDescriptor", Cudnn.cudnnDestroyDropoutDescriptor(dropout));
      }
    }
    descriptor = null;
    dropout = null;
    Packing.close(weights);
  }
}

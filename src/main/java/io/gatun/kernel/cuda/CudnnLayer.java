package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A recurrent layer as cuDNN has it, in one direction or in both: what kind it is, and its weights
 * in cuDNN's own order, which cuDNN tells place by place. Shared by threads; nothing of it changes.
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
  private final int directions;
  private final List<List<Place>> places = new ArrayList<>();
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
   * One direction's weights on the host.
   *
   * @param input {@code [input, gates × hidden]}
   * @param recurrent {@code [state, gates × hidden]}
   * @param inputBias {@code [gates × hidden]}, or {@code null}
   * @param recurrentBias {@code [gates × hidden]}, or {@code null}
   * @param projection {@code [hidden, projection]}, or {@code null}
   */
  record Weights(
      Tensor input, Tensor recurrent, Tensor inputBias, Tensor recurrentBias, Tensor projection) {}

  /**
   * Makes the layer.
   *
   * @param all the forward direction's weights, and the backward direction's where there are both
   */
  CudnnLayer(CudaDevice device, RecurrentSpec spec, Weights... all) {
    this(device, spec, all.length);
    try (Arena arena = Arena.ofConfined();
        Setup setup = new Setup(device)) {
      MemorySegment host = arena.allocate(Math.max(weights.bytes(), 1), 64);
      for (int d = 0; d < directions; d++) {
        for (Place place : places.get(d)) {
          Tensor values = values(all[d], place);
          if (values != null) {
            Tensor.wrap(
                    host.asSlice(place.offset, place.count * Float.BYTES),
                    DType.FLOAT32,
                    values.shape().dims())
                .copyFrom(values);
          }
        }
      }
      setup.upload(host, weights, weights.bytes());
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** A layer of one direction whose weights are put where they belong before each run. */
  static CudnnLayer trained(CudaDevice device, RecurrentSpec spec) {
    return new CudnnLayer(device, spec, 1);
  }

  private CudnnLayer(CudaDevice device, RecurrentSpec spec, int directions) {
    this.device = device;
    this.spec = spec;
    this.directions = directions;
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
      try (Asking asking = new Asking(arena, handle)) {
        for (int d = 0; d < directions; d++) {
          places.add(asking.places(d));
        }
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    } finally {
      destroyHandle(device, handle);
    }
  }

  /** What lies in a place of cuDNN's weights. */
  enum Kind {
    INPUT,
    RECURRENT,
    INPUT_BIAS,
    RECURRENT_BIAS,
    PROJECTION
  }

  /**
   * A place in cuDNN's weights.
   *
   * @param gate which of our gates; 0 for the projection
   * @param offset in bytes
   * @param count of float32
   */
  record Place(Kind kind, int gate, long offset, long count) {}

  /** What a place holds, in the shape that it has there; {@code null} where there is nothing. */
  private Tensor values(Weights all, Place place) {
    return switch (place.kind) {
      case INPUT -> gate(all.input, place.gate);
      case RECURRENT -> gate(all.recurrent, place.gate);
      case INPUT_BIAS -> part(all.inputBias, place.gate);
      case RECURRENT_BIAS -> part(all.recurrentBias, place.gate);
      case PROJECTION -> all.projection.transpose(1, 0);
    };
  }

  /** Our gate of each of cuDNN's. */
  private static int[] gates(Cell cell) {
    return switch (cell) {
      case RNN -> RNN_GATES;
      case GRU -> GRU_GATES;
      case LSTM -> LSTM_GATES;
    };
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
            directions == 2 ? Cudnn.CUDNN_BIDIRECTIONAL : Cudnn.CUDNN_UNIDIRECTIONAL,
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

  /** Asks cuDNN where weights belong. */
  private final class Asking implements AutoCloseable {
    private final MemorySegment handle;
    private final MemorySegment pointers;
    private final MemorySegment sizes;
    private final MemorySegment[] shapes = new MemorySegment[2];

    Asking(Arena arena, MemorySegment handle) {
      this.handle = handle;
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

    /** A direction's places: in cuDNN's words those of a pseudo-layer, forward before backward. */
    List<Place> places(int direction) {
      List<Place> all = new ArrayList<>();
      int[] gates = gates(spec.cell());
      long hidden = spec.hiddenSize();
      for (int i = 0; i < gates.length; i++) {
        int gate = gates[i];
        ask(direction, i);
        all.add(place(Kind.INPUT, gate, 0, hidden * spec.inputSize()));
        all.add(place(Kind.INPUT_BIAS, gate, 1, hidden));
        ask(direction, i + gates.length);
        all.add(place(Kind.RECURRENT, gate, 0, hidden * spec.stateSize()));
        all.add(place(Kind.RECURRENT_BIAS, gate, 1, hidden));
      }
      if (spec.projectionSize() > 0) {
        ask(direction, PROJECTION);
        all.add(place(Kind.PROJECTION, 0, 0, hidden * spec.projectionSize()));
      }
      return all;
    }

    private void ask(int direction, int number) {
      Calls.cudnn(
          "cudnnGetRNNWeightParams",
          Cudnn.cudnnGetRNNWeightParams(
              handle,
              descriptor,
              direction,
              weights.bytes(),
              MemorySegment.ofAddress(weights.address()),
              number,
              shapes[0],
              pointers.asSlice(0, Long.BYTES),
              shapes[1],
              pointers.asSlice(Long.BYTES, Long.BYTES)));
    }

    /** The matrix (0) or the bias (1) that was asked for. */
    private Place place(Kind kind, int gate, int which, long expected) {
      MemorySegment type = sizes.asSlice(0, Integer.BYTES);
      MemorySegment count = sizes.asSlice(Integer.BYTES, Integer.BYTES);
      MemorySegment dims = sizes.asSlice(2L * Integer.BYTES, 3L * Integer.BYTES);
      MemorySegment strides = sizes.asSlice(8L * Integer.BYTES, 3L * Integer.BYTES);
      Calls.cudnn(
          "cudnnGetTensorNdDescriptor",
          Cudnn.cudnnGetTensorNdDescriptor(shapes[which], 3, type, count, dims, strides));
      long elements = 1;
      for (int i = 0; i < 3; i++) {
        elements *= dims.getAtIndex(ValueLayout.JAVA_INT, i);
      }
      long address = pointers.get(ValueLayout.JAVA_LONG, (long) which * Long.BYTES);
      long offset = address - weights.address();
      if (address == 0
          || elements != expected
          || offset < 0
          || offset > weights.bytes() - elements * Float.BYTES) {
        throw new IllegalStateException(
            "cuDNN has room for "
                + elements
                + " numbers at "
                + offset
                + " of its weights, the layer's "
                + kind
                + " of gate "
                + gate
                + " has "
                + expected);
      }
      return new Place(kind, gate, offset, elements);
    }

    @Override
    public void close() {
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

  /** 1, or 2 for forward and backward at once. */
  int directions() {
    return directions;
  }

  /** Where the forward direction's weights lie. */
  List<Place> places() {
    return places.get(0);
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

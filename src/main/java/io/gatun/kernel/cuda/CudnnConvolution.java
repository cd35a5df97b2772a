package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudnn;
import io.gatun.kernel.ConvolutionSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Convolutions through cuDNN, in one order of work. Of its algorithms the two are asked that form
 * products without laying out windows, take every shape and give the same bits each time: that with
 * a table of where things lie, and that without. cuDNN pads both ends of an axis alike.
 */
final class CudnnConvolution implements AutoCloseable {
  private static final int[] ALGORITHMS = {
    Cudnn.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
    Cudnn.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM
  };

  /** As {@link Windows} has them; leading ones are 1. */
  private static final int AXES = 3;

  /** cuDNN has no convolution over one axis. */
  private static final int LEAST_AXES = 2;

  private final Order order;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment one = arena.allocate(ValueLayout.JAVA_FLOAT);
  private final MemorySegment zero = arena.allocate(ValueLayout.JAVA_FLOAT);
  private final MemorySegment dims = ints(AXES + 2);
  private final MemorySegment strides = ints(AXES + 2);
  private final MemorySegment pads = ints(AXES);
  private final MemorySegment steps = ints(AXES);
  private final MemorySegment dilations = ints(AXES);
  private MemorySegment input;
  private MemorySegment output;
  private MemorySegment filter;
  private MemorySegment convolution;

  CudnnConvolution(Order order) {
    this.order = order;
    one.set(ValueLayout.JAVA_FLOAT, 0, 1);
    try {
      Calls.cudnn("cudnnCreateTensorDescriptor", Cudnn.cudnnCreateTensorDescriptor(out));
      input = out.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateTensorDescriptor", Cudnn.cudnnCreateTensorDescriptor(out));
      output = out.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateFilterDescriptor", Cudnn.cudnnCreateFilterDescriptor(out));
      filter = out.get(ValueLayout.ADDRESS, 0);
      Calls.cudnn("cudnnCreateConvolutionDescriptor", Cudnn.cudnnCreateConvolutionDescriptor(out));
      convolution = out.get(ValueLayout.ADDRESS, 0);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private MemorySegment ints(int count) {
    return arena.allocate((long) count * Integer.BYTES, Integer.BYTES);
  }

  /**
   * Whether cuDNN has a convolution: where more zeros behind an axis than before it, or fewer, make
   * no difference to what comes out.
   *
   * @param in the input's size along three axes
   * @param outSizes the output's
   */
  static boolean fits(ConvolutionSpec spec, long[] in, long[] outSizes, int batch) {
    long elements = Math.max(spec.inputChannels(), spec.outputChannels()) * (long) batch;
    for (int i = 0; i < AXES; i++) {
      long reach = at(spec.dilations(), i, 1) * (at(spec.kernel(), i, 1) - 1L) + 1;
      long room = in[i] + 2L * at(spec.padsBegin(), i, 0) - reach;
      if (in[i] == 0 || room < 0 || outSizes[i] != 1 + room / at(spec.strides(), i, 1)) {
        return false;
      }
      elements = Math.multiplyExact(elements, Math.max(in[i], outSizes[i]));
    }
    return batch > 0 && elements <= Integer.MAX_VALUE;
  }

  /** Of values of some axes, that of the i-th of three. */
  private static int at(List<Integer> values, int i, int none) {
    int axis = i - (AXES - values.size());
    return axis < 0 ? none : values.get(axis);
  }

  /**
   * The output of {@code batch} images, without bias.
   *
   * @return false if cuDNN has no algorithm for it; nothing was done then
   */
  boolean run(
      ConvolutionSpec spec,
      long[] in,
      long[] outSizes,
      long images,
      long weights,
      int batch,
      long results) {
    int axes = Math.max(LEAST_AXES, spec.kernel().size());
    MemorySegment handle = order.cudnn().handle();
    tensor(input, axes, batch, spec.inputChannels(), in);
    tensor(output, axes, batch, spec.outputChannels(), outSizes);
    set(dims, 0, spec.outputChannels());
    set(dims, 1, spec.inputChannels() / spec.groups());
    for (int i = 0; i < axes; i++) {
      int axis = i + AXES - axes;
      set(dims, i + 2, at(spec.kernel(), axis, 1));
      set(pads, i, at(spec.padsBegin(), axis, 0));
      set(steps, i, at(spec.strides(), axis, 1));
      set(dilations, i, at(spec.dilations(), axis, 1));
    }
    Calls.cudnn(
        "cudnnSetFilterNdDescriptor",
        Cudnn.cudnnSetFilterNdDescriptor(
            filter, Cudnn.CUDNN_DATA_FLOAT, Cudnn.CUDNN_TENSOR_NCHW, axes + 2, dims));
    Calls.cudnn(
        "cudnnSetConvolutionNdDescriptor",
        Cudnn.cudnnSetConvolutionNdDescriptor(
            convolution,
            axes,
            pads,
            steps,
            dilations,
            Cudnn.CUDNN_CROSS_CORRELATION,
            Cudnn.CUDNN_DATA_FLOAT));
    Calls.cudnn(
        "cudnnSetConvolutionGroupCount",
        Cudnn.cudnnSetConvolutionGroupCount(convolution, spec.groups()));
    Calls.cudnn(
        "cudnnSetConvolutionMathType",
        Cudnn.cudnnSetConvolutionMathType(convolution, order.device.precision().cudnnMath));
    for (int algorithm : ALGORITHMS) {
      int code =
          Cudnn.cudnnGetConvolutionForwardWorkspaceSize(
              handle, input, filter, convolution, output, algorithm, out);
      if (code == Cudnn.CUDNN_8_STATUS_NOT_SUPPORTED
          || code == Cudnn.CUDNN_9_STATUS_NOT_SUPPORTED) {
        continue;
      }
      Calls.cudnn("cudnnGetConvolutionForwardWorkspaceSize", code);
      long bytes = out.get(ValueLayout.JAVA_LONG, 0);
      long work = bytes == 0 ? 0 : order.scratch(Order.Slot.CUDNN, bytes);
      Calls.cudnn(
          "cudnnConvolutionForward",
          Cudnn.cudnnConvolutionForward(
              handle,
              one,
              input,
              MemorySegment.ofAddress(images),
              filter,
              MemorySegment.ofAddress(weights),
              convolution,
              algorithm,
              MemorySegment.ofAddress(work),
              bytes,
              zero,
              output,
              MemorySegment.ofAddress(results)));
      return true;
    }
    return false;
  }

  private static void set(MemorySegment ints, int index, int value) {
    ints.setAtIndex(ValueLayout.JAVA_INT, index, value);
  }

  /** Images {@code [batch, channels, axes...]} without gaps. */
  private void tensor(MemorySegment descriptor, int axes, int batch, int channels, long[] sizes) {
    set(dims, 0, batch);
    set(dims, 1, channels);
    for (int i = 0; i < axes; i++) {
      set(dims, i + 2, (int) sizes[i + AXES - axes]);
    }
    int stride = 1;
    for (int i = axes + 1; i >= 0; i--) {
      set(strides, i, stride);
      stride *= dims.getAtIndex(ValueLayout.JAVA_INT, i);
    }
    Calls.cudnn(
        "cudnnSetTensorNdDescriptor",
        Cudnn.cudnnSetTensorNdDescriptor(
            descriptor, Cudnn.CUDNN_DATA_FLOAT, axes + 2, dims, strides));
  }

  @Override
  public void close() {
    CudaDevice device = order.device;
    if (device.usable()) {
      CudnnOrder.destroy(
          device, "cudnnDestroyTensorDescriptor", input, Cudnn::cudnnDestroyTensorDescriptor);
      CudnnOrder.destroy(
          device, "cudnnDestroyTensorDescriptor", output, Cudnn::cudnnDestroyTensorDescriptor);
      CudnnOrder.destroy(
          device, "cudnnDestroyFilterDescriptor", filter, Cudnn::cudnnDestroyFilterDescriptor);
      CudnnOrder.destroy(
          device,
          "cudnnDestroyConvolutionDescriptor",
          convolution,
          Cudnn::cudnnDestroyConvolutionDescriptor);
    }
    arena.close();
  }
}

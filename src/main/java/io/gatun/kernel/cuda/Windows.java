package io.gatun.kernel.cuda;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Bounds;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.tensor.ShapeException;
import java.util.List;

/**
 * Convolutions and poolings. A convolution that cuDNN does not have lays the windows of some images
 * side by side as columns and is a matrix product then; its gradients are the products the other
 * way.
 */
final class Windows {
  /** What kernels take; leading ones are 1. */
  private static final int AXES = 3;

  /** Columns are made for as many images as fit into this. */
  private static final long COLUMN_BYTES = 64L << 20;

  private final Order order;
  private final long[] in = new long[AXES];
  private final long[] out = new long[AXES];
  private ConvolutionSpec spec;
  private long plane;
  private long outPlane;
  private long kernel;

  Windows(Order order) {
    this.order = order;
  }

  static void check(ConvolutionSpec spec) {
    if (spec.kernel().size() > AXES) {
      throw new UnsupportedOperationException(
          "a convolution or pooling over "
              + spec.kernel().size()
              + " axes: a GPU does "
              + AXES
              + " at most, the devices simd and scalar any");
    }
  }

  /** Sets the sizes. */
  void shape(ConvolutionSpec spec, long[] spatial) {
    check(spec);
    int axes = spec.kernel().size();
    if (spatial.length != axes) {
      throw new ShapeException(
          "the input has " + spatial.length + " spatial axes, the kernel " + axes);
    }
    this.spec = spec;
    plane = 1;
    outPlane = 1;
    kernel = 1;
    for (int i = 0; i < AXES; i++) {
      int axis = i - (AXES - axes);
      in[i] = axis < 0 ? 1 : Bounds.count("spatial size", spatial[axis]);
      out[i] = axis < 0 ? 1 : spec.outputSize(axis, spatial[axis]);
      plane *= in[i];
      outPlane *= out[i];
      kernel *= axis < 0 ? 1 : spec.kernel().get(axis);
    }
  }

  long plane() {
    return plane;
  }

  long outPlane() {
    return outPlane;
  }

  /** How many weights there are. */
  long weights() {
    return (long) spec.outputChannels() * inner();
  }

  private long inner() {
    return spec.inputChannels() / spec.groups() * kernel;
  }

  private Launch window(Launch launch) {
    // The structure is aligned as its int64s are.
    for (long size : in) {
      launch.number(size);
    }
    for (long size : out) {
      launch.number(size);
    }
    each(launch, spec.kernel(), 1);
    each(launch, spec.strides(), 1);
    each(launch, spec.dilations(), 1);
    return each(launch, spec.padsBegin(), 0);
  }

  private static Launch each(Launch launch, List<Integer> values, int none) {
    for (int i = 0; i < AXES; i++) {
      int axis = i - (AXES - values.size());
      launch.code(axis < 0 ? none : values.get(axis));
    }
    return launch;
  }

  private int chunk(int batch) {
    long each = Math.max(1, inner() * outPlane * Float.BYTES);
    return (int) Math.max(1, Math.min(batch, COLUMN_BYTES / each));
  }

  private void columns(long input, long columns, int images, int group) {
    int channels = spec.inputChannels() / spec.groups();
    order
        .launch
        .of("im2col")
        .pointer(input + (long) group * channels * plane * Float.BYTES)
        .pointer(columns)
        .number(images)
        .number(channels)
        .number(spec.inputChannels() * plane);
    window(order.launch).overElements(images * inner() * outPlane);
  }

  /** The output of {@code batch} images, without bias. */
  void convolve(long input, long weights, int batch, long output) {
    int outs = spec.outputChannels() / spec.groups();
    int chunk = chunk(batch);
    int inner = Math.toIntExact(inner());
    int area = Math.toIntExact(outPlane);
    if (area == 0 || batch == 0) {
      return;
    }
    if (order.device.hasCudnn()
        && CudnnConvolution.fits(spec, in, out, batch)
        && order.cudnn().convolution().run(spec, in, out, input, weights, batch, output)) {
      return;
    }
    long columns = order.scratchReals(Order.Slot.COLUMNS, chunk * inner() * outPlane);
    long outImage = spec.outputChannels() * outPlane;
    for (int done = 0; done < batch; done += chunk) {
      int images = Math.min(chunk, batch - done);
      long from = input + (long) done * spec.inputChannels() * plane * Float.BYTES;
      for (int group = 0; group < spec.groups(); group++) {
        columns(from, columns, images, group);
        order.products.multiplyStrided(
            weights + (long) group * outs * inner * Float.BYTES,
            inner,
            1,
            0,
            columns,
            area,
            1,
            (long) inner * area,
            outs,
            inner,
            area,
            output + (done * outImage + (long) group * outs * outPlane) * Float.BYTES,
            outImage,
            images);
      }
    }
  }

  /** Adds the bias and applies the activation. */
  void finish(long output, long bias, int batch, Activation activation) {
    if (bias != 0 || activation.kind() != Activation.Kind.IDENTITY) {
      order
          .launch
          .of("channelActivate")
          .pointer(output)
          .pointer(bias)
          .number(batch)
          .number(spec.outputChannels())
          .number(outPlane)
          .activation(activation)
          .overElements((long) batch * spec.outputChannels() * outPlane);
    }
  }

  /** The input's gradient. */
  void inputGradient(long weights, long outputGradient, int batch, long inputGradient) {
    int channels = spec.inputChannels() / spec.groups();
    int outs = spec.outputChannels() / spec.groups();
    int chunk = chunk(batch);
    int inner = Math.toIntExact(inner());
    int area = Math.toIntExact(outPlane);
    long columns = order.scratchReals(Order.Slot.COLUMNS, chunk * inner() * outPlane);
    long outImage = spec.outputChannels() * outPlane;
    for (int done = 0; done < batch; done += chunk) {
      int images = Math.min(chunk, batch - done);
      for (int group = 0; group < spec.groups(); group++) {
        order.products.multiplyStrided(
            weights + (long) group * outs * inner * Float.BYTES,
            1,
            inner,
            0,
            outputGradient + (done * outImage + (long) group * outs * outPlane) * Float.BYTES,
            area,
            1,
            outImage,
            inner,
            outs,
            area,
            columns,
            (long) inner * area,
            images);
        long first = done * (long) spec.inputChannels() * plane + (long) group * channels * plane;
        order
            .launch
            .of("col2im")
            .pointer(columns)
            .pointer(inputGradient + first * Float.BYTES)
            .number(images)
            .number(channels)
            .number(spec.inputChannels() * plane);
        window(order.launch).overElements((long) images * channels * plane);
      }
    }
  }

  /** The weights' gradient, added up over the images in their order. */
  void weightsGradient(long input, long outputGradient, int batch, long weightsGradient) {
    int outs = spec.outputChannels() / spec.groups();
    int chunk = chunk(batch);
    int inner = Math.toIntExact(inner());
    int area = Math.toIntExact(outPlane);
    order.zero(weightsGradient, weights() * Float.BYTES);
    if (area == 0) {
      return;
    }
    long columns = order.scratchReals(Order.Slot.COLUMNS, chunk * inner() * outPlane);
    for (int done = 0; done < batch; done += chunk) {
      int images = Math.min(chunk, batch - done);
      long from = input + (long) done * spec.inputChannels() * plane * Float.BYTES;
      for (int group = 0; group < spec.groups(); group++) {
        columns(from, columns, images, group);
        for (int image = 0; image < images; image++) {
          long at =
              ((done + image) * (long) spec.outputChannels() + (long) group * outs) * outPlane;
          order.products.multiply(
              outputGradient + at * Float.BYTES,
              area,
              1,
              columns + (long) image * inner * area * Float.BYTES,
              1,
              area,
              outs,
              area,
              inner,
              weightsGradient + (long) group * outs * inner * Float.BYTES,
              inner,
              true);
        }
      }
    }
  }

  void pool(PoolingSpec pooling, long input, long planes, long output) {
    order.launch.of("pool").pointer(input).pointer(output).number(planes);
    window(order.launch)
        .flag(pooling.maximum())
        .flag(pooling.countsPadding())
        .overElements(planes * outPlane);
  }

  void poolGradient(
      PoolingSpec pooling, long input, long outputGradient, long planes, long inputGradient) {
    order
        .launch
        .of("poolGradient")
        .pointer(input)
        .pointer(outputGradient)
        .pointer(inputGradient)
        .number(planes);
    window(order.launch)
        .flag(pooling.maximum())
        .flag(pooling.countsPadding())
        .overElements(planes * plane);
  }
}

package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;

/**
 * A convolution over any number of axes, one output channel of one input at a time. Each sum is
 * formed in float64: the bias, then channel by channel the kernel's elements in row-major order;
 * elements that lie on padding are left out.
 */
final class ScalarConvolver implements Workers.Task {
  private final DType real;
  private final Scratch scratch;
  private ScalarConvolution packed;
  private Region input;
  private Activation activation;
  private Region output;
  private int axes;
  private int[] inSize = new int[0];
  private int[] outSize = new int[0];
  private int[] kernel = new int[0];
  private int[] strides = new int[0];
  private int[] dilations = new int[0];
  private int[] pads = new int[0];
  private int plane;
  private int outPlane;

  /** Where each worker is in the kernel and in the output: {@code [worker][axis]}. */
  private final int[][] tap;

  private final int[][] place;

  ScalarConvolver(DType real, Scratch scratch, int workers) {
    this.real = real;
    this.scratch = scratch;
    tap = new int[workers][0];
    place = new int[workers][0];
  }

  /**
   * Takes the sizes.
   *
   * @throws ShapeException if there are not as many as the convolution has axes, or a channel has
   *     more elements than an array can have
   */
  void shape(ConvolutionSpec spec, long[] spatial) {
    axes = spec.kernel().size();
    if (spatial.length != axes) {
      throw new ShapeException(
          "convolution input has spatial sizes "
              + Arrays.toString(spatial)
              + ", expected "
              + axes
              + " axes");
    }
    if (inSize.length < axes) {
      inSize = new int[axes];
      outSize = new int[axes];
      kernel = new int[axes];
      strides = new int[axes];
      dilations = new int[axes];
      pads = new int[axes];
      for (int worker = 0; worker < tap.length; worker++) {
        tap[worker] = new int[axes];
        place[worker] = new int[axes];
      }
    }
    long in = 1;
    long out = 1;
    for (int axis = 0; axis < axes; axis++) {
      long size = HostKernels.count("spatial size", spatial[axis]);
      long outputSize = size > Integer.MAX_VALUE ? size : spec.outputSize(axis, size);
      in = size > Integer.MAX_VALUE ? size : in * size;
      out *= Math.min(outputSize, Integer.MAX_VALUE);
      if (in > Integer.MAX_VALUE - 8 || out > Integer.MAX_VALUE - 8) {
        throw new ShapeException(
            "convolution input has spatial sizes "
                + Arrays.toString(spatial)
                + ", expected less than 2^31 elements in each channel");
      }
      inSize[axis] = (int) size;
      outSize[axis] = (int) outputSize;
      kernel[axis] = spec.kernel().get(axis);
      strides[axis] = spec.strides().get(axis);
      dilations[axis] = spec.dilations().get(axis);
      pads[axis] = spec.padsBegin().get(axis);
    }
    plane = (int) in;
    outPlane = (int) out;
  }

  /** The elements of a channel of the input. */
  int plane() {
    return plane;
  }

  /** The elements of a channel of the output. */
  int outPlane() {
    return outPlane;
  }

  /** Takes the checked operands; returns the number of parts. */
  int begin(
      ScalarConvolution packed, Region input, int batch, Activation activation, Region output) {
    this.packed = packed;
    this.input = input;
    this.activation = activation;
    this.output = output;
    return outPlane == 0 ? 0 : Math.multiplyExact(batch, packed.spec.outputChannels());
  }

  @Override
  public void run(int part, int worker) {
    ConvolutionSpec spec = packed.spec;
    int outputChannel = part % spec.outputChannels();
    long item = part / spec.outputChannels();
    int groupInputs = spec.inputChannels() / spec.groups();
    int group = outputChannel / (spec.outputChannels() / spec.groups());
    double[] weights = packed.weights[outputChannel];
    double[] sums = scratch.get(worker, 0, outPlane);
    double[] channel = scratch.get(worker, 1, plane);
    Arrays.fill(sums, 0, outPlane, packed.bias[outputChannel]);
    int[] at = tap[worker];
    int weight = 0;
    for (int i = 0; i < groupInputs; i++) {
      long index = item * spec.inputChannels() + (long) group * groupInputs + i;
      long offset = input.offset() + index * plane * real.bytes();
      Elements.load(HostKernels.segment(input), real, offset, 1, channel, 0, plane);
      Arrays.fill(at, 0, axes, 0);
      do {
        addTap(weights[weight++], channel, at, sums, place[worker]);
      } while (advance(at, kernel, axes));
    }
    ScalarActivations.apply(activation, sums, 0, outPlane);
    long offset = output.offset() + (long) part * outPlane * real.bytes();
    Elements.store(sums, 0, HostKernels.segment(output), real, offset, outPlane);
  }

  /** Adds one element of the kernel times the input to every sum whose input is not padding. */
  private void addTap(double weight, double[] channel, int[] at, double[] sums, int[] row) {
    int last = axes - 1;
    // input = output · stride + shift along the last axis, within the input for output first..end
    long shift = (long) at[last] * dilations[last] - pads[last];
    long stride = strides[last];
    int first = (int) Math.min(outSize[last], shift >= 0 ? 0 : Math.ceilDiv(-shift, stride));
    int end =
        (int)
            Math.min(
                outSize[last], inSize[last] <= shift ? 0 : (inSize[last] - 1 - shift) / stride + 1);
    Arrays.fill(row, 0, axes, 0);
    int sum = 0;
    do {
      long source = 0;
      boolean inside = true;
      for (int axis = 0; axis < last; axis++) {
        long index = (long) row[axis] * strides[axis] + (long) at[axis] * dilations[axis];
        index -= pads[axis];
        inside &= index >= 0 && index < inSize[axis];
        source = source * inSize[axis] + index;
      }
      if (inside) {
        long base = source * inSize[last] + shift;
        for (int i = first; i < end; i++) {
          sums[sum + i] += weight * channel[(int) (base + i * stride)];
        }
      }
      sum += outSize[last];
    } while (advance(row, outSize, last));
  }

  /** Moves to the next index of the first {@code axes} axes in row-major order. */
  private static boolean advance(int[] index, int[] size, int axes) {
    for (int axis = axes - 1; axis >= 0; axis--) {
      if (++index[axis] < size[axis]) {
        return true;
      }
      index[axis] = 0;
    }
    return false;
  }
}

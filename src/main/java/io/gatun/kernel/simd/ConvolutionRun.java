package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Workers;
import io.gatun.tensor.ShapeException;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A convolution as a product: the weights of a group on the left, and on the right a panel of
 * output places, each a column of the inputs it sees. A panel is gathered, multiplied, finished and
 * stored before the next, so that the columns never exist as a whole.
 */
final class ConvolutionRun implements Workers.Task {
  private static final int WIDTH = WIDE * LANES;

  private final Scratch[] scratch;
  private SimdPackedConvolution packed;
  private Activation activation;
  private long input;
  private long output;
  private int axes;
  private int plane;
  private int outPlane;
  private int panels;
  private int parts;
  private int[] size = {};
  private int[] outSize = {};
  private int[] kernel = {};
  private int[] strides = {};
  private int[] dilations = {};
  private int[] pads = {};

  /** For each worker, where it is in the kernel and in the output, axis by axis. */
  private final int[][] tap;

  private final int[][] place;

  ConvolutionRun(Scratch[] scratch) {
    this.scratch = scratch;
    this.tap = new int[scratch.length][0];
    this.place = new int[scratch.length][0];
  }

  /** Takes the sizes. */
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
    if (size.length < axes) {
      size = new int[axes];
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
      long extent = spatial[axis];
      if (extent < 0) {
        throw new IllegalArgumentException("spatial size is " + extent + ", expected 0 or more");
      }
      // Bounded before they are multiplied, so that nothing overflows.
      in *= Math.min(extent, Integer.MAX_VALUE);
      long outExtent = spec.outputSize(axis, Math.min(extent, Integer.MAX_VALUE));
      out *= Math.min(outExtent, Integer.MAX_VALUE);
      if (in > Integer.MAX_VALUE - 8 || out > Integer.MAX_VALUE - 8) {
        throw new ShapeException(
            "convolution input has spatial sizes "
                + Arrays.toString(spatial)
                + ", expected less than 2^31 elements in each channel");
      }
      size[axis] = (int) extent;
      outSize[axis] = (int) outExtent;
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

  /** Takes down the operands; returns the number of parts. */
  int prepare(
      SimdPackedConvolution packed, long input, int batch, Activation activation, long output) {
    this.packed = packed;
    this.input = input;
    this.activation = activation;
    this.output = output;
    panels = (outPlane + WIDTH - 1) / WIDTH;
    parts = Math.multiplyExact(Math.multiplyExact(batch, packed.spec.groups()), panels);
    if (packed.bias.length == 0) {
      parts = 0;
    }
    int rows = packed.spec.outputChannels() / packed.spec.groups();
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      scratch[i].reserve(0, 0, (long) WIDE * BYTES * ((long) packed.inner + rows));
    }
    return parts;
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own.
    int mine = parts <= scratch.length ? part : worker;
    ConvolutionSpec spec = packed.spec;
    final int first = part % panels * WIDTH;
    int group = part / panels % spec.groups();
    int item = part / panels / spec.groups();
    int rows = spec.outputChannels() / spec.groups();
    int channels = spec.inputChannels() / spec.groups();
    final int some = Math.min(WIDTH, outPlane - first);
    long panel = scratch[mine].address();
    long z = panel + (long) packed.inner * WIDE * BYTES;
    long zStride = (long) WIDE * BYTES;
    long channel =
        input + ((long) item * spec.inputChannels() + (long) group * channels) * plane * 4;
    long to = panel;
    int[] at = tap[mine];
    for (int i = 0; i < channels; i++) {
      Arrays.fill(at, 0, axes, 0);
      do {
        gather(channel + (long) i * plane * Float.BYTES, at, place[mine], first, some, to);
        to += zStride;
      } while (advance(at, kernel));
    }
    Product.panel(packed.left[group], rows, packed.inner, WIDE, panel, z, zStride);
    long out =
        output
            + (((long) item * spec.outputChannels() + (long) group * rows) * outPlane + first)
                * Float.BYTES;
    for (int row = 0; row < rows; row++) {
      long line = z + row * zStride;
      Activations.affine(line, 0, line, 0, 1, WIDE, 1f, packed.bias[group * rows + row]);
    }
    Activations.apply(activation, z, zStride, z, zStride, rows, WIDE);
    for (int row = 0; row < rows; row++) {
      Floats.copy(z + row * zStride, out + (long) row * outPlane * Float.BYTES, some);
    }
  }

  /** What some output places see of a channel through one element of the kernel. */
  private void gather(long channel, int[] at, int[] index, int first, int count, long to) {
    int last = axes - 1;
    int rest = first;
    for (int axis = last; axis >= 0; axis--) {
      index[axis] = rest % outSize[axis];
      rest /= outSize[axis];
    }
    int done = 0;
    while (done < count) {
      int run = Math.min(count - done, outSize[last] - index[last]);
      long source = 0;
      boolean inside = true;
      for (int axis = 0; axis < last; axis++) {
        long x = (long) index[axis] * strides[axis] + (long) at[axis] * dilations[axis];
        x -= pads[axis];
        inside &= x >= 0 && x < size[axis];
        source = source * size[axis] + x;
      }
      long target = to + (long) done * Float.BYTES;
      if (inside) {
        long x = (long) index[last] * strides[last] + (long) at[last] * dilations[last];
        long line = channel + source * size[last] * Float.BYTES;
        gatherLine(line, x - pads[last], strides[last], size[last], target, run);
      } else {
        Floats.fill(target, 0, run, 0);
      }
      done += run;
      index[last] = 0;
      for (int axis = last - 1; axis >= 0; axis--) {
        if (++index[axis] < outSize[axis]) {
          break;
        }
        index[axis] = 0;
      }
    }
    Floats.fill(to, count, WIDTH, 0);
  }

  private static void gatherLine(long line, long x, int stride, int size, long to, int count) {
    for (int i = 0; i < count; i++) {
      long at = x + (long) i * stride;
      float value =
          at >= 0 && at < size
              ? MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, line + at * Float.BYTES)
              : 0;
      MEMORY.set(ValueLayout.JAVA_FLOAT_UNALIGNED, to + (long) i * Float.BYTES, value);
    }
  }

  /** Moves to the next element of the kernel in row-major order. */
  private boolean advance(int[] index, int[] extent) {
    for (int axis = axes - 1; axis >= 0; axis--) {
      if (++index[axis] < extent[axis]) {
        return true;
      }
      index[axis] = 0;
    }
    return false;
  }
}

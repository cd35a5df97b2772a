package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Workers;
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
  private final ConvolutionShape shape;
  private SimdPackedConvolution packed;
  private Activation activation;
  private long input;
  private long output;
  private int panels;
  private int parts;

  /** For each worker, where it is in the kernel and in the output, axis by axis. */
  private final int[][] tap;

  private final int[][] place;

  ConvolutionRun(Scratch[] scratch, ConvolutionShape shape) {
    this.scratch = scratch;
    this.shape = shape;
    this.tap = ConvolutionShape.indices(scratch.length);
    this.place = ConvolutionShape.indices(scratch.length);
  }

  /** Takes down the operands; returns the number of parts. */
  int prepare(
      SimdPackedConvolution packed, long input, int batch, Activation activation, long output) {
    this.packed = packed;
    this.input = input;
    this.activation = activation;
    this.output = output;
    shape.fit(tap);
    shape.fit(place);
    panels = (shape.outPlane + WIDTH - 1) / WIDTH;
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
    int plane = shape.plane;
    int outPlane = shape.outPlane;
    final int some = Math.min(WIDTH, outPlane - first);
    long panel = scratch[mine].address();
    long z = panel + (long) packed.inner * WIDE * BYTES;
    long zStride = (long) WIDE * BYTES;
    long channel =
        input + ((long) item * spec.inputChannels() + (long) group * channels) * plane * 4;
    long to = panel;
    int[] at = tap[mine];
    for (int i = 0; i < channels; i++) {
      Arrays.fill(at, 0, shape.axes, 0);
      do {
        gather(channel + (long) i * plane * Float.BYTES, at, place[mine], first, some, to);
        to += zStride;
      } while (ConvolutionShape.advance(at, shape.kernel, shape.axes));
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
    int[] size = shape.size;
    int[] outSize = shape.outSize;
    int[] strides = shape.strides;
    int[] dilations = shape.dilations;
    int[] pads = shape.pads;
    int last = shape.axes - 1;
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
}

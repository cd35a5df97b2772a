package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Workers;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * A convolution whose groups have one input channel each (depthwise): too little in a group for a
 * product, so that the sums are formed along the lines of the output. The lines of the input that
 * an output line sees are laid out with the zeros around them first. The bits are those of {@link
 * ConvolutionRun}: each sum is the same chain of terms.
 */
final class ChannelRun implements Workers.Task {
  /** Sums of fewer terms in all are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 18;

  private final Scratch[] scratch;
  private final ConvolutionShape shape;

  /** For each worker, where it is in the kernel and in the output, all axes but the last. */
  private final int[][] tap;

  private final int[][] place;

  private SimdPackedConvolution packed;
  private Activation activation;
  private long input;
  private long output;
  private int lines;
  private int parts;

  /** Vectors of an output line. */
  private int vectors;

  /** Bytes of what one line of the kernel sees, laid out. */
  private long seen;

  ChannelRun(Scratch[] scratch, ConvolutionShape shape) {
    this.scratch = scratch;
    this.shape = shape;
    this.tap = ConvolutionShape.indices(scratch.length);
    this.place = ConvolutionShape.indices(scratch.length);
  }

  /** Whether it is a convolution of this kind. */
  static boolean fits(ConvolutionSpec spec) {
    return spec.groups() > 1 && spec.groups() == spec.inputChannels();
  }

  /** Takes down the operands; returns the number of parts. */
  int prepare(
      SimdPackedConvolution packed, long input, int batch, Activation activation, long output) {
    this.packed = packed;
    this.input = input;
    this.activation = activation;
    this.output = output;
    lines = Math.multiplyExact(batch, packed.spec.outputChannels());
    if (lines == 0 || shape.outPlane == 0) {
      return 0;
    }
    shape.fit(tap);
    shape.fit(place);
    int last = shape.axes - 1;
    int wide = shape.kernel[last];
    vectors = Lanes.vectors(shape.outSize[last]);
    long reach = (long) (wide - 1) * shape.dilations[last] * Float.BYTES + (long) vectors * BYTES;
    seen = Scratch.aligned(shape.strides[last] == 1 ? reach : (long) wide * vectors * BYTES);
    boolean shared = (long) lines * shape.outPlane * packed.inner >= LEAST_SHARED;
    parts = shared ? Math.min(lines, scratch.length) : 1;
    for (int i = 0; i < parts; i++) {
      scratch[i].reserve(0, packed.inner, packed.inner / wide * seen + (long) vectors * BYTES);
    }
    return parts;
  }

  @Override
  public void run(int part, int worker) {
    int end = (int) ((long) lines * (part + 1) / parts);
    for (int line = (int) ((long) lines * part / parts); line < end; line++) {
      channel(line, scratch[part], tap[part], place[part]);
    }
  }

  /** One channel of the output of one item of the batch. */
  private void channel(int number, Scratch own, int[] index, int[] at) {
    ConvolutionSpec spec = packed.spec;
    int last = shape.axes - 1;
    int channel = number % spec.outputChannels();
    int rows = spec.outputChannels() / spec.groups();
    int item = number / spec.outputChannels();
    long plane = (long) shape.plane * Float.BYTES;
    long data = input + ((long) item * spec.groups() + channel / rows) * plane;
    long out = output + (long) number * shape.outPlane * Float.BYTES;
    int count = shape.outSize[last];
    int wide = shape.kernel[last];
    int stride = shape.strides[last];
    // Where the left side of the group's tile begins, and how far its terms lie apart.
    int row = channel % rows;
    int tile = 0;
    int height = Product.tileRows(rows);
    while (tile + height <= row) {
      tile += height;
      height = Product.tileRows(rows - tile);
    }
    float[] weights = packed.left[channel / rows];
    final int first = tile * packed.inner + row - tile;
    // Whole vectors go where they belong at once.
    boolean whole = count % LANES == 0;
    long staged = own.address() + packed.inner / wide * seen;
    float bias = packed.bias[channel];
    Arrays.fill(at, 0, last, 0);
    do {
      Arrays.fill(index, 0, last, 0);
      int k = 0;
      long to = own.address();
      do {
        long source = 0;
        boolean inside = true;
        for (int axis = 0; axis < last; axis++) {
          long x = (long) at[axis] * shape.strides[axis] - shape.pads[axis];
          x += (long) index[axis] * shape.dilations[axis];
          inside &= x >= 0 && x < shape.size[axis];
          source = source * shape.size[axis] + x;
        }
        long from = data + source * shape.size[last] * Float.BYTES;
        if (stride == 1) {
          int length = (int) ((seen + Float.BYTES - 1) / Float.BYTES);
          line(from, -shape.pads[last], 1, inside ? shape.size[last] : 0, to, length);
        }
        for (int t = 0; t < wide; t++) {
          int shift = t * shape.dilations[last];
          if (stride == 1) {
            own.rows[k++] = to + (long) shift * Float.BYTES;
          } else {
            long start = (long) shift - shape.pads[last];
            long line = to + (long) t * vectors * BYTES;
            line(from, start, stride, inside ? shape.size[last] : 0, line, vectors * LANES);
            own.rows[k++] = line;
          }
        }
        to += seen;
      } while (ConvolutionShape.advance(index, shape.kernel, last));
      long z = whole ? out : staged;
      if (ColdStart.lasts(ColdStart.TAPS)) {
        PlainLoops.taps(weights, first, height, own.rows, k, bias, z, vectors * LANES);
        ColdStart.rehearse(ColdStart.TAPS, (long) k * vectors * LANES);
      } else {
        sums(weights, first, height, own.rows, k, bias, z, vectors);
      }
      Activations.apply(activation, z, 0, z, 0, 1, vectors);
      if (!whole) {
        Floats.copy(z, out, count);
      }
      out += (long) count * Float.BYTES;
    } while (ConvolutionShape.advance(at, shape.outSize, last));
  }

  /** Numbers {@code stride} apart from place {@code x} of a line on, zeros outside of it. */
  private static void line(long from, long x, int stride, int size, long to, int count) {
    long begin = Math.min(count, (Math.max(0, -x) + stride - 1) / stride);
    long end = Math.max(begin, Math.min(count, (size - x + stride - 1) / stride));
    Floats.fill(to, 0, (int) begin, 0);
    long at = from + (x + begin * stride) * Float.BYTES;
    for (int i = (int) begin; i < end; i++) {
      MEMORY.set(
          ValueLayout.JAVA_FLOAT_UNALIGNED,
          to + (long) i * Float.BYTES,
          MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at));
      at += (long) stride * Float.BYTES;
    }
    Floats.fill(to, (int) end, count, 0);
  }

  /**
   * {@code out[i] = sum over k of a[at + step k] lines[k][i], + bias}.
   *
   * @param lines where the numbers begin that a term is taken from
   */
  static void sums(
      float[] a, int at, int step, long[] lines, int terms, float bias, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long next = (long) i * BYTES;
      FloatVector sum = FloatVector.zero(SPECIES);
      for (int k = 0; k < terms; k++) {
        FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, lines[k] + next, ORDER);
        sum = FloatVector.broadcast(SPECIES, a[at + step * k]).fma(x, sum);
      }
      VECTOR.cast(sum.add(bias)).intoMemorySegment(MEMORY, out + next, ORDER);
    }
  }
}

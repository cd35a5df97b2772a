package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.TILE_ROWS;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Workers;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A convolution with few output places as a product the other way round: what each place sees is a
 * row on the left, interleaved as it is gathered, and the weights of a group are the panels on the
 * right. So no vector is filled up with places that are not there, and a network that hears frame
 * by frame reads its weights once and computes nothing beside. The bits are those of {@link
 * ConvolutionRun}: each sum is the same chain of terms.
 */
final class PlaceRun implements Workers.Task {
  /** Products with fewer multiplications are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  /** Places that are gathered at a time, while the weights pass by once. */
  private static final int BLOCK_ROWS = 16 * TILE_ROWS;

  private final Scratch[] scratch;
  private final ConvolutionShape shape;

  /** For each worker, where it is in the kernel and where a place's window begins. */
  private final int[][] tap;

  private final long[][] begin;

  private SimdPackedConvolution packed;
  private SimdPackedMatrix[] right;
  private Activation activation;
  private long input;
  private long output;
  private int rows;
  private int block;
  private int blocks;
  private int panelBlocks;
  private int panelsPerBlock;
  private int parts;

  PlaceRun(Scratch[] scratch, ConvolutionShape shape) {
    this.scratch = scratch;
    this.shape = shape;
    this.tap = ConvolutionShape.indices(scratch.length);
    this.begin = new long[scratch.length][0];
  }

  /**
   * Whether this is less work than the other way round, where each term of a sum is gathered for a
   * whole panel of places and multiplied by each channel: two multiplications of vectors count like
   * the gathering of a number.
   */
  static boolean pays(ConvolutionSpec spec, ConvolutionShape shape) {
    int channels = spec.outputChannels() / spec.groups();
    return shape.outPlane <= WIDE * LANES
        && shape.outPlane * (Lanes.vectors(channels) + 2) < (channels + 2 * LANES) * WIDE;
  }

  /** Takes down the operands; returns the number of parts. */
  int prepare(
      SimdPackedConvolution packed, long input, int batch, Activation activation, long output) {
    this.packed = packed;
    this.input = input;
    this.activation = activation;
    this.output = output;
    rows = Math.multiplyExact(batch, shape.outPlane);
    if (rows == 0 || packed.bias.length == 0) {
      return 0;
    }
    right = packed.right();
    Panels panels = right[0].panels;
    panels.checkOpen("convolution");
    shape.fit(tap);
    for (int worker = 0; worker < begin.length; worker++) {
      if (begin[worker].length < shape.axes) {
        begin[worker] = new long[shape.axes];
      }
    }
    int groups = right.length;
    int workers =
        (long) rows * panels.inner * panels.vectors * LANES * groups < LEAST_SHARED
            ? 1
            : scratch.length;
    block = Math.min(rows, Math.min(BLOCK_ROWS, Product.blockRows(panels.inner)));
    blocks = (rows + block - 1) / block;
    int shared = Math.multiplyExact(blocks, groups);
    panelBlocks = Math.min(panels.count, (workers + shared - 1) / shared);
    panelsPerBlock = (panels.count + panelBlocks - 1) / panelBlocks;
    parts = Math.multiplyExact(shared, panelBlocks);
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      scratch[i].reserve((long) block * panels.inner, 0, (long) block * panels.vectors * BYTES);
    }
    return parts;
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own.
    int mine = parts <= scratch.length ? part : worker;
    int group = part / panelBlocks / blocks;
    int first = part / panelBlocks % blocks * block;
    int some = Math.min(block, rows - first);
    SimdPackedMatrix matrix = right[group];
    Panels panels = matrix.panels;
    int from = part % panelBlocks * panelsPerBlock;
    int to = Math.min(panels.count, from + panelsPerBlock);
    if (from >= to) {
      return;
    }
    float[] left = scratch[mine].left;
    for (int tile = 0, height; tile < some; tile += height) {
      height = Product.tileRows(some - tile);
      for (int i = 0; i < height; i++) {
        gather(left, tile * panels.inner + i, height, group, first + tile + i, mine);
      }
    }
    int firstVector = panels.firstVector(from);
    int vectors = panels.firstVector(to - 1) + panels.width(to - 1) - firstVector;
    long z = scratch[mine].address();
    long zStride = (long) vectors * BYTES;
    Product.run(left, some, panels, from, to, z, zStride, 0);
    MultiplyRun.finish(matrix, activation, z, zStride, some, firstVector, vectors);
    int channel = firstVector * LANES;
    int channels = Math.min(matrix.columns() - channel, vectors * LANES);
    for (int row = 0; row < some; row++) {
      scatter(z + row * zStride, first + row, group * matrix.columns() + channel, channels);
    }
  }

  /** What a place sees, as one row among {@code height} that lie interleaved. */
  private void gather(float[] left, int at, int height, int group, int row, int worker) {
    ConvolutionSpec spec = packed.spec;
    int channels = spec.inputChannels() / spec.groups();
    int last = shape.axes - 1;
    long[] start = begin[worker];
    int rest = row % shape.outPlane;
    for (int axis = last; axis >= 0; axis--) {
      start[axis] = (long) (rest % shape.outSize[axis]) * shape.strides[axis] - shape.pads[axis];
      rest /= shape.outSize[axis];
    }
    int item = row / shape.outPlane;
    long plane = (long) shape.plane * Float.BYTES;
    long data = input + ((long) item * spec.inputChannels() + (long) group * channels) * plane;
    int wide = shape.kernel[last];
    int dilation = shape.dilations[last];
    // The elements of the kernel's last axis that lie inside: from the first to before the end.
    int firstIn = (int) Math.min(wide, (Math.max(0, -start[last]) + dilation - 1) / dilation);
    long reach = (shape.size[last] - start[last] + dilation - 1) / dilation;
    int endIn = (int) Math.max(firstIn, Math.min(wide, reach));
    int[] index = tap[worker];
    Arrays.fill(index, 0, last, 0);
    int taps = packed.inner / channels;
    int line = at;
    do {
      long source = 0;
      boolean there = true;
      for (int axis = 0; axis < last; axis++) {
        long x = start[axis] + (long) index[axis] * shape.dilations[axis];
        there &= x >= 0 && x < shape.size[axis];
        source = source * shape.size[axis] + x;
      }
      long from = data + (source * shape.size[last] + start[last]) * Float.BYTES;
      int begins = there ? firstIn : wide;
      int ends = there ? endIn : wide;
      // The longer loop is the inner one.
      if (channels > wide) {
        int step = taps * height;
        for (int t = 0; t < wide; t++) {
          int to = line + t * height;
          if (t >= begins && t < ends) {
            copy(left, to, step, from + (long) t * dilation * Float.BYTES, plane, channels);
          } else {
            clear(left, to, step, channels);
          }
        }
      } else {
        long apart = (long) dilation * Float.BYTES;
        for (int channel = 0; channel < channels; channel++) {
          int to = line + channel * taps * height;
          clear(left, to, height, begins);
          long numbers = from + channel * plane + begins * apart;
          copy(left, to + begins * height, height, numbers, apart, ends - begins);
          clear(left, to + ends * height, height, wide - ends);
        }
      }
      line += wide * height;
    } while (ConvolutionShape.advance(index, shape.kernel, last));
  }

  private static void copy(float[] left, int at, int step, long from, long apart, int count) {
    for (int i = 0; i < count; i++) {
      left[at + i * step] = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + i * apart);
    }
  }

  private static void clear(float[] left, int at, int step, int count) {
    for (int i = 0; i < count; i++) {
      left[at + i * step] = 0;
    }
  }

  /** Puts one place's channels where they belong. */
  private void scatter(long z, int row, int channel, int channels) {
    int item = row / shape.outPlane;
    long to =
        output
            + (((long) item * packed.spec.outputChannels() + channel) * shape.outPlane
                    + row % shape.outPlane)
                * Float.BYTES;
    if (shape.outPlane == 1) {
      Floats.copy(z, to, channels);
      return;
    }
    long step = (long) shape.outPlane * Float.BYTES;
    for (int i = 0; i < channels; i++) {
      MEMORY.set(ValueLayout.JAVA_FLOAT_UNALIGNED, to + i * step, Floats.get(z, i));
    }
  }
}

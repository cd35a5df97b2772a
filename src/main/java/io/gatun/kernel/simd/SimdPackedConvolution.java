package io.gatun.kernel.simd;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * A convolution's weights as left sides of products, interleaved, group by group, and where they
 * are wanted there as right sides, too.
 */
final class SimdPackedConvolution implements PackedConvolution {
  final ConvolutionSpec spec;

  /** {@code [output channels of a group, input channels of a group × kernel]} a group. */
  final float[][] left;

  /** {@code [outputChannels]}; zeros where there is none. */
  final float[] bias;

  /** Terms of each sum. */
  final int inner;

  /** See {@link #right}; {@code null} until then. */
  private volatile SimdPackedMatrix[] right;

  private boolean closed;

  SimdPackedConvolution(ConvolutionSpec spec, Tensor weights, Tensor bias) {
    this.spec = spec;
    int rows = spec.outputChannels() / spec.groups();
    this.inner =
        spec.outputChannels() == 0
            ? 0
            : Math.toIntExact(weights.elements() / spec.outputChannels());
    this.left = new float[spec.groups()][Math.multiplyExact(rows, inner)];
    long stride = (long) inner * Float.BYTES;
    try (Arena arena = Arena.ofConfined()) {
      long from = Floats.copyOf(arena, weights);
      for (int group = 0; group < left.length; group++) {
        Product.interleave(left[group], from + (long) group * rows * stride, stride, rows, inner);
      }
    }
    this.bias = bias == null ? new float[spec.outputChannels()] : bias.toFloats();
  }

  /**
   * The weights as right sides of products, {@code [input channels of a group × kernel, output
   * channels of a group]} a group, with their biases; made when they are first asked for, because
   * only the sizes of an input tell which side they are wanted on.
   */
  SimdPackedMatrix[] right() {
    SimdPackedMatrix[] made = right;
    return made != null ? made : makeRight();
  }

  private synchronized SimdPackedMatrix[] makeRight() {
    if (closed) {
      throw new IllegalStateException("convolution: the packed weights are closed");
    }
    if (right == null) {
      int rows = spec.outputChannels() / spec.groups();
      SimdPackedMatrix[] made = new SimdPackedMatrix[left.length];
      try (Arena arena = Arena.ofConfined()) {
        Tensor matrix = Tensor.allocate(arena, DType.FLOAT32, inner, rows);
        long to = matrix.segment().address();
        for (int group = 0; group < made.length; group++) {
          for (int tile = 0, height; tile < rows; tile += height) {
            height = Product.tileRows(rows - tile);
            for (int i = 0; i < height * inner; i++) {
              int row = tile + i % height;
              Floats.put(to, (long) (i / height) * rows + row, left[group][tile * inner + i]);
            }
          }
          float[] own = Arrays.copyOfRange(bias, group * rows, (group + 1) * rows);
          made[group] =
              new SimdPackedMatrix(matrix, Tensor.ofFloats(arena, own, rows), WeightFormat.FLOAT32);
        }
      }
      right = made;
    }
    return right;
  }

  @Override
  public ConvolutionSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    long elements = bias.length;
    for (float[] group : left) {
      elements += group.length;
    }
    long bytes = elements * Float.BYTES;
    if (right != null) {
      for (SimdPackedMatrix matrix : right) {
        bytes += matrix.bytes();
      }
    }
    return bytes;
  }

  @Override
  public synchronized void close() {
    if (right != null && !closed) {
      for (SimdPackedMatrix matrix : right) {
        matrix.close();
      }
    }
    closed = true;
  }
}

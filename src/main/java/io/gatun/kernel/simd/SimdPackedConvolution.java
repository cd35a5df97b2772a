package io.gatun.kernel.simd;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** A convolution's weights as left sides of products, interleaved, group by group. */
final class SimdPackedConvolution implements PackedConvolution {
  final ConvolutionSpec spec;

  /** {@code [output channels of a group, input channels of a group × kernel]} a group. */
  final float[][] left;

  /** {@code [outputChannels]}; zeros where there is none. */
  final float[] bias;

  /** Terms of each sum. */
  final int inner;

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
    return elements * Float.BYTES;
  }

  @Override
  public void close() {}
}

package io.gatun.kernel.scalar;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.Arrays;

/** A convolution's weights as the plain loops want them: a row for each output channel. */
final class ScalarConvolution implements PackedConvolution {
  final ConvolutionSpec spec;

  /** {@code [outputChannels][inputChannels / groups × kernel elements]}. */
  final double[][] weights;

  /** {@code [outputChannels]}, zeros where there is none. */
  final double[] bias;

  private ScalarConvolution(ConvolutionSpec spec, double[][] weights, double[] bias) {
    this.spec = spec;
    this.weights = weights;
    this.bias = bias;
  }

  static ScalarConvolution pack(DType real, ConvolutionSpec spec, Tensor weights, Tensor bias) {
    int axes = spec.kernel().size();
    long[] expected = new long[axes + 2];
    expected[0] = spec.outputChannels();
    expected[1] = spec.inputChannels() / spec.groups();
    for (int axis = 0; axis < axes; axis++) {
      expected[axis + 2] = spec.kernel().get(axis);
    }
    ScalarMatrix.requireFloat("convolution weights", weights);
    if (!Arrays.equals(weights.shape().dims(), expected)) {
      throw new ShapeException(
          "convolution weights are "
              + weights.shape()
              + ", expected "
              + Arrays.toString(expected)
              + " (output channels, input channels / groups, kernel)");
    }
    if (bias != null) {
      ScalarMatrix.requireFloat("convolution bias", bias);
      if (!Arrays.equals(bias.shape().dims(), new long[] {spec.outputChannels()})) {
        throw new ShapeException(
            "convolution bias is "
                + bias.shape()
                + ", expected ["
                + spec.outputChannels()
                + "] (output channels)");
      }
    }
    double[][] packed = new double[spec.outputChannels()][];
    for (int channel = 0; channel < packed.length; channel++) {
      packed[channel] = ScalarMatrix.vector(real, weights.select(0, channel));
    }
    return new ScalarConvolution(
        spec, packed, bias == null ? new double[packed.length] : ScalarMatrix.vector(real, bias));
  }

  @Override
  public ConvolutionSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    long each = weights.length == 0 ? 0 : weights[0].length;
    return (weights.length * each + bias.length) * Double.BYTES;
  }

  @Override
  public void close() {}
}

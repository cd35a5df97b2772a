package io.gatun.kernel.cuda;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** The weights of a convolution on the device, a row for each output channel. */
final class CudaConvolution implements PackedConvolution, Door.Owned {
  private final CudaDevice device;
  private final ConvolutionSpec spec;
  final CudaBuffer weights;
  final CudaBuffer bias;

  private CudaConvolution(
      CudaDevice device, ConvolutionSpec spec, CudaBuffer weights, CudaBuffer bias) {
    this.device = device;
    this.spec = spec;
    this.weights = weights;
    this.bias = bias;
  }

  static CudaConvolution pack(
      CudaDevice device, ConvolutionSpec spec, Tensor weights, Tensor bias) {
    Windows.check(spec);
    int axes = spec.kernel().size();
    long[] expected = new long[axes + 2];
    expected[0] = spec.outputChannels();
    expected[1] = spec.inputChannels() / spec.groups();
    for (int axis = 0; axis < axes; axis++) {
      expected[axis + 2] = spec.kernel().get(axis);
    }
    if (!Arrays.equals(weights.shape().dims(), expected)) {
      throw new ShapeException(
          "convolution weights are "
              + weights.shape()
              + ", expected "
              + Arrays.toString(expected)
              + " (output channels, input channels / groups, kernel)");
    }
    if (bias != null && !Arrays.equals(bias.shape().dims(), new long[] {spec.outputChannels()})) {
      throw new ShapeException(
          "convolution bias is "
              + bias.shape()
              + ", expected ["
              + spec.outputChannels()
              + "] (output channels)");
    }
    CudaBuffer packed = null;
    try (Arena arena = Arena.ofConfined()) {
      Tensor plain = Packing.plain(arena, "convolution weights", weights);
      Tensor plainBias = bias == null ? null : Packing.plain(arena, "convolution bias", bias);
      packed = Packing.upload(device, plain);
      return new CudaConvolution(device, spec, packed, Packing.upload(device, plainBias));
    } catch (RuntimeException | Error e) {
      Packing.close(packed);
      throw e;
    }
  }

  @Override
  public CudaDevice device() {
    return device;
  }

  @Override
  public ConvolutionSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    return Packing.bytes(weights, bias);
  }

  @Override
  public void close() {
    Packing.close(weights, bias);
  }
}

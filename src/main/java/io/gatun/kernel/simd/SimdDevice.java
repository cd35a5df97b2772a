package io.gatun.kernel.simd;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedEmbedding;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/**
 * The CPU through the Vector API, as wide as the machine is. Reals are float32. What has no vector
 * form is inherited from the plain loops.
 *
 * <p>Thread-safe; packed weights are native memory, given back when they are closed.
 */
public final class SimdDevice extends ScalarDevice {

  /** Opens the device; {@link SimdProvider} knows whether that is possible. */
  SimdDevice() {
    super(SimdProvider.NAME, DType.FLOAT32);
  }

  @Override
  public String description() {
    return "Vector API, "
        + Lanes.SPECIES.vectorBitSize()
        + "-bit ("
        + Lanes.LANES
        + " float32 lanes), JDK "
        + System.getProperty("java.version");
  }

  @Override
  public PackedMatrix pack(Tensor matrix, Tensor bias, WeightFormat format) {
    return new SimdPackedMatrix(matrix, bias, format);
  }

  @Override
  public PackedRecurrent pack(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    return SimdPackedRecurrent.pack(spec, weights, format);
  }

  @Override
  public PackedEmbedding pack(PackedRecurrent layer, Tensor table) {
    return new SimdPackedEmbedding(
        SimdKernels.own(SimdPackedRecurrent.class, "layer", layer), table);
  }

  @Override
  public PackedConvolution pack(ConvolutionSpec spec, Tensor weights, Tensor bias) {
    // The plain loops check the operands; what they pack is not needed.
    super.pack(spec, weights, bias).close();
    return new SimdPackedConvolution(spec, weights, bias);
  }

  @Override
  public Kernels open(Workers workers) {
    return new SimdKernels(this, workers);
  }
}

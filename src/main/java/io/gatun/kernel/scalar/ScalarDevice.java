package io.gatun.kernel.scalar;

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
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/**
 * The CPU through plain loops. With reals in float32 it is the fallback where the Vector API is
 * missing; with reals in float64 it is the reference that all other devices are compared with.
 * Either way everything is computed and summed in float64 and rounded when it is stored, with the
 * same bits on every platform. Weights of a smaller {@link WeightFormat} are rounded to it, and
 * then kept as reals.
 *
 * <pre>{@code
 * try (Device device = new ScalarDevice(DType.FLOAT32);
 *     Kernels kernels = device.open(Workers.none());
 *     PackedMatrix b = device.pack(matrix, bias)) {
 *   kernels.multiply(a, b.inner(), rows, b, Activation.TANH, c, b.columns());
 * }
 * }</pre>
 *
 * <p>Thread-safe; its packed weights lie on the Java heap and need no closing.
 */
public class ScalarDevice extends HostDevice {
  /** What providers and users call it. */
  static final String NAME = "scalar";

  /**
   * Opens the device.
   *
   * @param real float32 or float64
   * @throws IllegalArgumentException for another type
   */
  public ScalarDevice(DType real) {
    this(NAME, real);
  }

  /** For devices that inherit what they do not do themselves. */
  protected ScalarDevice(String name, DType real) {
    super(name, real);
  }

  @Override
  public String description() {
    return "plain loops, " + real().label() + ", summed in float64";
  }

  @Override
  public PackedMatrix pack(Tensor matrix, Tensor bias, WeightFormat format) {
    return ScalarMatrix.pack(real(), matrix, bias, format);
  }

  @Override
  public PackedRecurrent pack(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    return new ScalarRecurrent(real(), spec, weights, format);
  }

  @Override
  public PackedEmbedding pack(PackedRecurrent layer, Tensor table) {
    return new ScalarEmbedding(real(), layer, table);
  }

  @Override
  public PackedConvolution pack(ConvolutionSpec spec, Tensor weights, Tensor bias) {
    return ScalarConvolution.pack(real(), spec, weights, bias);
  }

  @Override
  public Kernels open(Workers workers) {
    return new ScalarKernels(this, workers);
  }
}

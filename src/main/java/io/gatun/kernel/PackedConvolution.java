package io.gatun.kernel;

/**
 * The weights of a convolution in the form the kernels of one device want. Shared by threads;
 * whoever packed it closes it.
 */
public interface PackedConvolution extends AutoCloseable {

  /** What kind of convolution it is. */
  ConvolutionSpec spec();

  /** The memory it takes. */
  long bytes();

  @Override
  void close();
}

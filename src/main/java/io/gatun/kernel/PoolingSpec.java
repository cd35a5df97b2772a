package io.gatun.kernel;

/**
 * A pooling over windows of each channel by itself, as ONNX' {@code MaxPool} and {@code
 * AveragePool} mean it.
 *
 * @param maximum whether the largest of a window is taken, or the mean
 * @param countsPadding mean: whether zeros beyond the edges count as elements
 * @param window the windows: kernel, strides, dilations and pads of a convolution of one channel
 */
public record PoolingSpec(boolean maximum, boolean countsPadding, ConvolutionSpec window) {}

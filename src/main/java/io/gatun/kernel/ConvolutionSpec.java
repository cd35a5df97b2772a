package io.gatun.kernel;

import java.util.List;

/**
 * A convolution over one or more spatial axes, as ONNX' {@code Conv} means it (a cross-correlation:
 * the kernel is not flipped). Inputs are {@code [batch, inputChannels, spatial...]}.
 *
 * @param inputChannels channels of the input
 * @param outputChannels channels of the output
 * @param groups into how many groups the channels fall
 * @param kernel the kernel's size along each spatial axis
 * @param strides the step along each axis
 * @param dilations the distance of the kernel's elements along each axis
 * @param padsBegin zeros before each axis
 * @param padsEnd zeros behind each axis
 */
public record ConvolutionSpec(
    int inputChannels,
    int outputChannels,
    int groups,
    List<Integer> kernel,
    List<Integer> strides,
    List<Integer> dilations,
    List<Integer> padsBegin,
    List<Integer> padsEnd) {

  /** Copies the lists and checks that they fit each other. */
  public ConvolutionSpec {
    kernel = List.copyOf(kernel);
    strides = List.copyOf(strides);
    dilations = List.copyOf(dilations);
    padsBegin = List.copyOf(padsBegin);
    padsEnd = List.copyOf(padsEnd);
    int axes = kernel.size();
    if (axes == 0
        || strides.size() != axes
        || dilations.size() != axes
        || padsBegin.size() != axes
        || padsEnd.size() != axes) {
      throw new IllegalArgumentException(
          "a convolution over "
              + axes
              + " axes has strides "
              + strides
              + ", dilations "
              + dilations
              + ", pads "
              + padsBegin
              + " and "
              + padsEnd);
    }
    for (int axis = 0; axis < axes; axis++) {
      if (kernel.get(axis) < 1
          || strides.get(axis) < 1
          || dilations.get(axis) < 1
          || padsBegin.get(axis) < 0
          || padsEnd.get(axis) < 0) {
        throw new IllegalArgumentException(
            "convolution: kernel "
                + kernel
                + ", strides "
                + strides
                + " and dilations "
                + dilations
                + " are at least 1, pads "
                + padsBegin
                + " and "
                + padsEnd
                + " at least 0");
      }
    }
    if (groups < 1 || inputChannels % groups != 0 || outputChannels % groups != 0) {
      throw new IllegalArgumentException(
          "convolution: "
              + groups
              + " groups do not divide "
              + inputChannels
              + " input and "
              + outputChannels
              + " output channels");
    }
  }

  /** The size of the output along an axis whose input has {@code size} elements. */
  public long outputSize(int axis, long size) {
    long extent = (long) dilations.get(axis) * (kernel.get(axis) - 1) + 1;
    long padded = size + padsBegin.get(axis) + padsEnd.get(axis);
    return padded < extent ? 0 : (padded - extent) / strides.get(axis) + 1;
  }
}

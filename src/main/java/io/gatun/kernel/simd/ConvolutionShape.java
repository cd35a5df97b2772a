package io.gatun.kernel.simd;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;

/** The sizes of one call of a convolution, axis by axis; made once and filled anew. */
final class ConvolutionShape {
  /** How many spatial axes there are; the arrays may be longer. */
  int axes;

  /** The elements of a channel of the input. */
  int plane;

  /** The elements of a channel of the output. */
  int outPlane;

  int[] size = {};
  int[] outSize = {};
  int[] kernel = {};
  int[] strides = {};
  int[] dilations = {};
  int[] pads = {};

  /** Takes the sizes; an exception where they do not fit or cannot be counted. */
  void take(ConvolutionSpec spec, long[] spatial) {
    axes = spec.kernel().size();
    if (spatial.length != axes) {
      throw new ShapeException(
          "convolution input has spatial sizes "
              + Arrays.toString(spatial)
              + ", expected "
              + axes
              + " axes");
    }
    if (size.length < axes) {
      size = new int[axes];
      outSize = new int[axes];
      kernel = new int[axes];
      strides = new int[axes];
      dilations = new int[axes];
      pads = new int[axes];
    }
    long in = 1;
    long out = 1;
    for (int axis = 0; axis < axes; axis++) {
      long extent = spatial[axis];
      if (extent < 0) {
        throw new IllegalArgumentException("spatial size is " + extent + ", expected 0 or more");
      }
      // Bounded before they are multiplied, so that nothing overflows.
      in *= Math.min(extent, Integer.MAX_VALUE);
      long outExtent = spec.outputSize(axis, Math.min(extent, Integer.MAX_VALUE));
      out *= Math.min(outExtent, Integer.MAX_VALUE);
      if (in > Integer.MAX_VALUE - 8 || out > Integer.MAX_VALUE - 8) {
        throw new ShapeException(
            "convolution input has spatial sizes "
                + Arrays.toString(spatial)
                + ", expected less than 2^31 elements in each channel");
      }
      size[axis] = (int) extent;
      outSize[axis] = (int) outExtent;
      kernel[axis] = spec.kernel().get(axis);
      strides[axis] = spec.strides().get(axis);
      dilations[axis] = spec.dilations().get(axis);
      pads[axis] = spec.padsBegin().get(axis);
    }
    plane = (int) in;
    outPlane = (int) out;
  }

  /** Moves to the next element of the kernel, or of its first axes, in row-major order. */
  static boolean advance(int[] index, int[] extent, int axes) {
    for (int axis = axes - 1; axis >= 0; axis--) {
      if (++index[axis] < extent[axis]) {
        return true;
      }
      index[axis] = 0;
    }
    return false;
  }

  /** An index for each worker. */
  static int[][] indices(int workers) {
    return new int[workers][0];
  }

  /** Makes room for the axes there are now. */
  int[][] fit(int[][] indices) {
    for (int worker = 0; worker < indices.length; worker++) {
      if (indices[worker].length < axes) {
        indices[worker] = new int[axes];
      }
    }
    return indices;
  }
}

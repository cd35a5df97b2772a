package io.gatun.kernel.scalar;

import io.gatun.kernel.ConvolutionSpec;
import java.util.Arrays;

/**
 * Which element of an input plane each element of a window looks at, for all places of the window:
 * worked out once for a kind of window and a size, and used again while they stay.
 */
public final class Taps {
  private ConvolutionSpec spec;
  private long[] spatial = {};
  private int[] taps = {};
  private int plane;
  private int outPlane;
  private int kernel;

  /** Sets up for a window and the sizes of the input's spatial axes. */
  public void set(ConvolutionSpec window, long[] sizes) {
    if (window.equals(spec) && Arrays.equals(sizes, spatial)) {
      return;
    }
    if (sizes.length != window.kernel().size()) {
      throw new io.gatun.tensor.ShapeException(
          "a window of " + window.kernel().size() + " axes over " + sizes.length + " spatial axes");
    }
    spec = window;
    spatial = sizes.clone();
    int axes = sizes.length;
    long[] out = new long[axes];
    plane = 1;
    outPlane = 1;
    kernel = 1;
    for (int axis = 0; axis < axes; axis++) {
      out[axis] = window.outputSize(axis, sizes[axis]);
      plane = Math.multiplyExact(plane, Math.toIntExact(sizes[axis]));
      outPlane = Math.multiplyExact(outPlane, Math.toIntExact(out[axis]));
      kernel *= window.kernel().get(axis);
    }
    taps = new int[Math.multiplyExact(kernel, outPlane)];
    for (int k = 0; k < kernel; k++) {
      for (int p = 0; p < outPlane; p++) {
        int at = 0;
        int step = 1;
        int restP = p;
        int restK = k;
        for (int axis = axes - 1; axis >= 0; axis--) {
          int place = (int) (restP % out[axis]);
          int tap = restK % window.kernel().get(axis);
          restP /= (int) out[axis];
          restK /= window.kernel().get(axis);
          int index =
              place * window.strides().get(axis)
                  + tap * window.dilations().get(axis)
                  - window.padsBegin().get(axis);
          if (at >= 0 && index >= 0 && index < sizes[axis]) {
            at += index * step;
          } else {
            at = -1;
          }
          step *= (int) sizes[axis];
        }
        taps[k * outPlane + p] = at;
      }
    }
  }

  /** The elements of an input plane. */
  public int plane() {
    return plane;
  }

  /** The elements of an output plane. */
  public int outPlane() {
    return outPlane;
  }

  /** The elements of a window. */
  public int kernel() {
    return kernel;
  }

  /**
   * The element of the input plane that element k of the window at place p sees; −1 for padding.
   */
  public int at(int k, int p) {
    return taps[k * outPlane + p];
  }
}

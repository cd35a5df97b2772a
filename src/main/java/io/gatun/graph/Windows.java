package io.gatun.graph;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;
import java.util.List;

/**
 * The windows of a pooling over planes of known sizes, as {@code kernel_shape}, {@code strides},
 * {@code dilations}, {@code pads}, {@code auto_pad} and {@code ceil_mode} say.
 */
final class Windows {
  /** How many windows there are along each axis. */
  final long[] out;

  /** Whether padding counts as elements. */
  final boolean countsPadding;

  private final long[] in;
  private final long[] kernel;
  private final long[] strides;
  private final long[] dilations;
  private final long[] pads;
  private final boolean rounded;

  private Windows(Node node, long[] kernel, long[] in) {
    Attributes attributes = node.attributes();
    int axes = in.length;
    this.in = in;
    this.kernel = kernel;
    strides = attributes.integers("strides", repeated(axes, 1));
    dilations = attributes.integers("dilations", repeated(axes, 1));
    pads = attributes.integers("pads", repeated(2 * axes, 0));
    rounded = attributes.integer("ceil_mode", 0) != 0;
    countsPadding = attributes.integer("count_include_pad", 0) != 0;
    String autoPad = attributes.string("auto_pad", "NOTSET");
    if (kernel.length != axes
        || strides.length != axes
        || dilations.length != axes
        || pads.length != 2 * axes
        || Arrays.stream(strides).anyMatch(s -> s < 1)
        || Arrays.stream(kernel).anyMatch(k -> k < 1)
        || Arrays.stream(dilations).anyMatch(d -> d < 1)
        || Arrays.stream(pads).anyMatch(p -> p < 0)) {
      throw new ShapeException(
          node.name()
              + ": kernel_shape "
              + Arrays.toString(kernel)
              + ", strides "
              + Arrays.toString(strides)
              + ", dilations "
              + Arrays.toString(dilations)
              + " and pads "
              + Arrays.toString(pads)
              + " for "
              + axes
              + " spatial axes");
    }
    if (autoPad.equals("VALID")) {
      Arrays.fill(pads, 0);
    } else if (autoPad.startsWith("SAME_")) {
      for (int i = 0; i < axes; i++) {
        same(autoPad, in[i], extent(i), strides[i], pads, i);
      }
    } else if (!autoPad.equals("NOTSET")) {
      throw new ShapeException(
          node.name()
              + ": auto_pad is '"
              + autoPad
              + "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
    }
    out = new long[axes];
    Arrays.setAll(out, i -> size(i, in[i]));
  }

  /** The windows of a node over planes of these sizes. */
  static Windows of(Node node, long[] spatial) {
    return new Windows(node, node.attributes().integers("kernel_shape"), spatial);
  }

  /** The windows of a kernel of a size. */
  static Windows of(Node node, long[] kernel, long[] spatial) {
    return new Windows(node, kernel, spatial);
  }

  static long[] repeated(int count, long value) {
    long[] all = new long[count];
    Arrays.fill(all, value);
    return all;
  }

  /** Sets the pads of an axis so that there is a window for each {@code stride} elements. */
  static void same(String mode, long size, long extent, long stride, long[] pads, int axis) {
    long total = Math.max(0, (Math.ceilDiv(size, stride) - 1) * stride + extent - size);
    long less = total / 2;
    pads[axis] = mode.equals("SAME_UPPER") ? less : total - less;
    pads[pads.length / 2 + axis] = total - pads[axis];
  }

  private long extent(int axis) {
    return dilations[axis] * (kernel[axis] - 1) + 1;
  }

  private long padsEnd(int axis) {
    return pads[in.length + axis];
  }

  /** How many windows there are along an axis of a size. */
  long size(int axis, long size) {
    long free = size + pads[axis] + padsEnd(axis) - extent(axis);
    if (free < 0) {
      return 0;
    }
    long count = (rounded ? Math.ceilDiv(free, strides[axis]) : free / strides[axis]) + 1;
    // None begins behind the elements and the padding before them.
    return rounded && (count - 1) * strides[axis] >= size + pads[axis] ? count - 1 : count;
  }

  /** The elements behind an axis that its last window reaches. */
  private long reach(int axis) {
    return (out[axis] - 1) * strides[axis] + extent(axis) - in[axis] - pads[axis];
  }

  /** Whether windows reach further than the padding. */
  boolean reachesBeyond() {
    for (int axis = 0; axis < in.length; axis++) {
      if (reach(axis) > padsEnd(axis)) {
        return true;
      }
    }
    return false;
  }

  /** The same for a device. */
  PoolingSpec pooling(boolean maximum) {
    long[] end = new long[in.length];
    Arrays.setAll(end, i -> rounded ? Math.max(0, reach(i)) : padsEnd(i));
    return new PoolingSpec(
        maximum,
        countsPadding,
        new ConvolutionSpec(
            1,
            1,
            1,
            ints(kernel),
            ints(strides),
            ints(dilations),
            ints(Arrays.copyOf(pads, in.length)),
            ints(end)));
  }

  private static List<Integer> ints(long[] longs) {
    return Arrays.stream(longs).mapToObj(Math::toIntExact).toList();
  }

  /** The elements of a plane that a window sees, in their order. */
  int[] places(int window) {
    return Arrays.stream(taps(window)).filter(place -> place >= 0).toArray();
  }

  /** Where each element of the kernel lies in a plane, −1 where that is beyond its edges. */
  int[] taps(int window) {
    int[] places = {0};
    int rest = window;
    long[] begin = new long[in.length];
    for (int axis = in.length - 1; axis >= 0; axis--) {
      begin[axis] = rest % (int) out[axis] * strides[axis] - pads[axis];
      rest /= (int) out[axis];
    }
    for (int axis = 0; axis < in.length; axis++) {
      int[] next = new int[places.length * (int) kernel[axis]];
      int count = 0;
      for (int place : places) {
        for (int k = 0; k < kernel[axis]; k++) {
          long at = begin[axis] + k * dilations[axis];
          boolean inside = place >= 0 && at >= 0 && at < in[axis];
          next[count++] = inside ? place * (int) in[axis] + (int) at : -1;
        }
      }
      places = next;
    }
    return places;
  }

  /** The elements that a window sees, those of the padding included. */
  int counted(int window) {
    int count = 1;
    int rest = window;
    for (int axis = in.length - 1; axis >= 0; axis--) {
      long begin = rest % (int) out[axis] * strides[axis] - pads[axis];
      rest /= (int) out[axis];
      int along = 0;
      for (int k = 0; k < kernel[axis]; k++) {
        along += begin + k * dilations[axis] < in[axis] + padsEnd(axis) ? 1 : 0;
      }
      count *= along;
    }
    return count;
  }

  /** The number of an element of a plane if the first axis is the one that moves fastest. */
  long columnMajor(int place) {
    long result = 0;
    int rest = place;
    long[] index = new long[in.length];
    for (int axis = in.length - 1; axis >= 0; axis--) {
      index[axis] = rest % (int) in[axis];
      rest /= (int) in[axis];
    }
    for (int axis = in.length - 1; axis >= 0; axis--) {
      result = result * in[axis] + index[axis];
    }
    return result;
  }
}

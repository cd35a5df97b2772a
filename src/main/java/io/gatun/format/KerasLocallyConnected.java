package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Value;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.util.Arrays;

/**
 * LocallyConnected1D and 2D: convolutions that have other weights at each place. The windows are
 * gathered, and each is multiplied by the matrix of its place.
 *
 * <p>Keras 2 keeps the weights in one of three ways, which its {@code implementation} says: 1 as
 * {@code [places, window, filters]}; 2 as the whole matrix from every input to every output, zeros
 * where they are not connected; 3 as the numbers of that matrix that are connected, by output and
 * then by input. All come to the first here. Keras 3 has no such layers.
 */
final class KerasLocallyConnected {
  private final KerasGraph to;
  private final KerasActivations activations;

  KerasLocallyConnected(KerasGraph to, KerasActivations activations) {
    this.to = to;
    this.activations = activations;
  }

  Value layer(KerasCall call, int axes) {
    String name = call.name();
    Windows windows = new Windows(call, axes);
    int count = windows.places * windows.window();
    Tensor indices = Tensor.ofInts(to.arena(), windows.indices(), windows.places, windows.window());
    Value gathered =
        to.node(
            name + ".windows",
            "Gather",
            Attributes.of("axis", 1),
            to.reshape(name + ".flat", windows.padded(), -1, windows.paddedElements()),
            to.constant(name + ".indices", indices));
    Value byPlace = to.transpose(name + ".by_place", gathered, 1, 0, 2);
    Value weights = to.constant(name + ".weight", windows.weights(count));
    Value product = to.node(name + ".product", "MatMul", byPlace, weights);
    boolean first = windows.channelsFirst;
    Value byBatch =
        first
            ? to.transpose(name + ".by_batch", product, 1, 2, 0)
            : to.transpose(name + ".by_batch", product, 1, 0, 2);
    long[] dims = windows.dims(windows.outputs, windows.filters);
    Value y = to.reshape(name + ".places", byBatch, dims);
    if (call.config().bool("use_bias", true)) {
      Tensor bias = to.weight(call, "bias");
      long[] own = Arrays.copyOfRange(dims, 1, dims.length);
      if (bias.elements() != Shape.of(own).elements()) {
        throw call.error("has a bias of shape " + bias.shape() + ", expected " + Shape.of(own));
      }
      // [places…, filters] is read as [filters, places…] where channels come first, as Keras does.
      Tensor bent = bias.contiguous(to.arena()).reshape(own);
      y = to.node(name + ".linear", "Add", y, to.constant(name + ".bias", bent));
    }
    return activations.apply(call, name, y);
  }

  /** Where each place of the output looks. */
  private final class Windows {
    private final KerasCall call;
    private final int axes;
    private final boolean channelsFirst;
    private final int channels;
    private final int filters;
    private final int[] inputs;
    private final int[] outputs;
    private final int[] size;
    private final int[] strides;
    private final int[] before;
    private final int[] behind;
    private final int places;
    private final Tensor kernel;

    Windows(KerasCall call, int axes) {
      this.call = call;
      this.axes = axes;
      Value x = call.only().value();
      if (x.rank() != axes + 2) {
        throw call.error("works on " + x + ", expected " + (axes + 2) + " axes");
      }
      channelsFirst = call.config().string("data_format", "channels_last").equals("channels_first");
      channels = Math.toIntExact(KerasGraph.size(call, x, channelsFirst ? 1 : axes + 1));
      filters = call.config().require("filters").integer(1);
      kernel = to.weight(call, "kernel");
      String padding = call.config().string("padding", "valid");
      if (!padding.equals("valid") && !padding.equals("same")) {
        throw call.unsupported("the padding " + Json.quoted(padding));
      }
      boolean same = padding.equals("same");
      size = ints(KerasGraph.each(call.config(), "kernel_size", axes, 1, 1));
      strides = ints(KerasGraph.each(call.config(), "strides", axes, 1, 1));
      inputs = new int[axes];
      outputs = new int[axes];
      before = new int[axes];
      behind = new int[axes];
      int all = 1;
      long connections = (long) channels * filters;
      for (int axis = 0; axis < axes; axis++) {
        inputs[axis] = Math.toIntExact(KerasGraph.size(call, x, axis + (channelsFirst ? 2 : 1)));
        // The window of a place is around it; that of an even size has one more in front.
        before[axis] = same ? size[axis] / 2 : 0;
        int room = same ? inputs[axis] : inputs[axis] - size[axis] + 1;
        if (room < 1 || size[axis] > 2L * inputs[axis]) {
          throw call.error("has a kernel_size of " + size[axis] + " on " + x);
        }
        outputs[axis] = (room - 1) / strides[axis] + 1;
        long end = (outputs[axis] - 1L) * strides[axis] - before[axis] + size[axis];
        behind[axis] = Math.toIntExact(Math.max(0, end - inputs[axis]));
        all = Math.multiplyExact(all, outputs[axis]);
        if (all > kernel.elements()) {
          throw call.error("has a kernel of shape " + kernel.shape() + " for " + x);
        }
        connections = Math.multiplyExact(connections, connected(axis));
      }
      places = all;
      check(connections);
    }

    private static int[] ints(long[] all) {
      return Arrays.stream(all).mapToInt(Math::toIntExact).toArray();
    }

    /** How many pairs of a place and an element of its window there are along an axis. */
    private long connected(int axis) {
      long count = 0;
      for (int place = 0; place < outputs[axis]; place++) {
        int start = place * strides[axis] - before[axis];
        count += Math.min(inputs[axis], start + size[axis]) - Math.max(0, start);
      }
      return count;
    }

    private void check(long connections) {
      int implementation = call.config().integer("implementation", 1, 1);
      long[] expected =
          switch (implementation) {
            case 1 -> new long[] {places, window(), filters};
            case 2 -> {
              long[] in = dims(inputs, channels);
              long[] out = dims(outputs, filters);
              long[] both = Arrays.copyOf(Arrays.copyOfRange(in, 1, in.length), 2 * axes + 2);
              System.arraycopy(out, 1, both, axes + 1, axes + 1);
              yield both;
            }
            case 3 -> new long[] {connections};
            default -> throw call.unsupported("the implementation " + implementation);
          };
      if (!Arrays.equals(expected, kernel.shape().dims())) {
        throw call.error(
            "has a kernel of shape " + kernel.shape() + ", expected " + Shape.of(expected));
      }
    }

    int window() {
      int all = channels;
      for (int each : size) {
        all = Math.multiplyExact(all, each);
      }
      return all;
    }

    /** Places and channels in the model's order, any number of them behind each other. */
    long[] dims(int[] at, int last) {
      long[] dims = new long[axes + 2];
      dims[0] = -1;
      for (int axis = 0; axis < axes; axis++) {
        dims[axis + (channelsFirst ? 2 : 1)] = at[axis];
      }
      dims[channelsFirst ? 1 : axes + 1] = last;
      return dims;
    }

    Value padded() {
      Value x = call.only().value();
      if (Arrays.stream(before).sum() == 0 && Arrays.stream(behind).sum() == 0) {
        return x;
      }
      long[] pads = new long[2 * x.rank()];
      for (int axis = 0; axis < axes; axis++) {
        int at = axis + (channelsFirst ? 2 : 1);
        pads[at] = before[axis];
        pads[x.rank() + at] = behind[axis];
      }
      Value amounts = to.graph().integers(call.name() + ".pads", pads);
      return to.node(call.name() + ".padded", "Pad", Attributes.of("mode", "constant"), x, amounts);
    }

    private int paddedSize(int axis) {
      return before[axis] + inputs[axis] + behind[axis];
    }

    int paddedElements() {
      int all = channels;
      for (int axis = 0; axis < axes; axis++) {
        all = Math.multiplyExact(all, paddedSize(axis));
      }
      return all;
    }

    /** Where along an axis an element of a window is, in what is padded. */
    private int at(int axis, int place, int element) {
      return place * strides[axis] + element;
    }

    /** An index of several axes from one: how far along an axis. */
    private static int along(int[] sizes, int axis, int index) {
      int rest = index;
      for (int i = sizes.length - 1; i > axis; i--) {
        rest /= sizes[i];
      }
      return rest % sizes[axis];
    }

    /** The elements of a window: their place in it, and their channel. */
    private int elementPlace(int element) {
      return channelsFirst ? element % (window() / channels) : element / channels;
    }

    private int elementChannel(int element) {
      return channelsFirst ? element / (window() / channels) : element % channels;
    }

    /** For each place and element of its window, which number of the padded input it is. */
    int[] indices() {
      int[] all = new int[Math.multiplyExact(places, window())];
      int area = paddedElements() / channels;
      for (int place = 0; place < places; place++) {
        for (int element = 0; element < window(); element++) {
          int spot = 0;
          for (int axis = 0; axis < axes; axis++) {
            int local = along(size, axis, elementPlace(element));
            spot = spot * paddedSize(axis) + at(axis, along(outputs, axis, place), local);
          }
          int channel = elementChannel(element);
          all[place * window() + element] =
              channelsFirst ? channel * area + spot : spot * channels + channel;
        }
      }
      return all;
    }

    /** The place of the input that an element of a window is, or −1 if it is around it. */
    private int inputPlace(int place, int element) {
      int spot = 0;
      for (int axis = 0; axis < axes; axis++) {
        int local = along(size, axis, elementPlace(element));
        int from = at(axis, along(outputs, axis, place), local) - before[axis];
        if (from < 0 || from >= inputs[axis]) {
          return -1;
        }
        spot = spot * inputs[axis] + from;
      }
      return spot;
    }

    /** The weights as {@code [places, window, filters]}. */
    Tensor weights(int count) {
      if (kernel.rank() == 3) {
        return kernel;
      }
      float[] from = kernel.toFloats();
      float[] weights = new float[Math.multiplyExact(count, filters)];
      int inputPlaces = Arrays.stream(inputs).reduce(1, Math::multiplyExact);
      int taken = 0;
      // Outputs in the order in which they lie; the elements of a window are in that of the inputs.
      for (int output = 0; output < places * filters; output++) {
        int place = channelsFirst ? output % places : output / filters;
        int filter = channelsFirst ? output / places : output % filters;
        for (int element = 0; element < window(); element++) {
          int spot = inputPlace(place, element);
          if (spot < 0) {
            continue;
          }
          int channel = elementChannel(element);
          int input = channelsFirst ? channel * inputPlaces + spot : spot * channels + channel;
          float weight =
              kernel.rank() == 1 ? from[taken++] : from[input * places * filters + output];
          weights[(place * window() + element) * filters + filter] = weight;
        }
      }
      return Tensor.ofFloats(to.arena(), weights, places, window(), filters);
    }
  }
}

package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Dim;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.layer.Convention;
import io.gatun.layer.Convolution;
import io.gatun.layer.Weights;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Keras' convolutions, pooling, and what goes around them. */
final class KerasConvolution {
  private final KerasGraph to;
  private final KerasActivations activations;

  KerasConvolution(KerasGraph to, KerasActivations activations) {
    this.to = to;
    this.activations = activations;
  }

  private static boolean channelsFirst(KerasCall call) {
    return call.config().string("data_format", "channels_last").equals("channels_first");
  }

  private static int spatial(KerasCall call, int axes) {
    Value x = call.only().value();
    if (x.rank() != axes + 2) {
      throw call.error("works on " + x + ", expected " + (axes + 2) + " axes");
    }
    return axes;
  }

  // ---- convolutions
  // ------------------------------------------------------------------------------

  /** Conv1D, Conv2D, Conv3D. */
  Value convolution(KerasCall call, int axes) {
    Map<String, Tensor> parts = to.parts(call.weights());
    int groups = call.config().integer("groups", 1, 1);
    return convolve(
        call, call.name(), call.only().value(), spatial(call, axes), parts, groups, true);
  }

  /** DepthwiseConv: every channel has its own kernels. */
  Value depthwise(KerasCall call, int axes) {
    Map<String, Tensor> parts = new LinkedHashMap<>(to.parts(call.weights()));
    Tensor kernel = to.weight(call, "depthwise_kernel");
    parts.remove("depthwise_kernel");
    parts.put("kernel", grouped(call, kernel, axes));
    return convolve(
        call,
        call.name(),
        call.only().value(),
        spatial(call, axes),
        parts,
        Math.toIntExact(kernel.dim(axes)),
        true);
  }

  /** SeparableConv: a depthwise convolution, then one of a single point. */
  Value separable(KerasCall call, int axes) {
    Map<String, Tensor> parts = to.parts(call.weights());
    Tensor kernel = to.weight(call, "depthwise_kernel");
    Value depthwise =
        convolve(
            call,
            call.name() + ".depthwise",
            call.only().value(),
            spatial(call, axes),
            Map.of("kernel", grouped(call, kernel, axes)),
            Math.toIntExact(kernel.dim(axes)),
            false);
    Map<String, Tensor> point = new LinkedHashMap<>(parts);
    point.remove("depthwise_kernel");
    point.remove("pointwise_kernel");
    point.put("kernel", to.weight(call, "pointwise_kernel"));
    Convolution.Builder builder =
        Convolution.builder(call.name() + (activations.simple(call).isPresent() ? "" : ".linear"))
            .weights(Weights.of(Convention.KERAS, point));
    return finish(call, builder, depthwise, true);
  }

  /** {@code [kernel…, channels, each]} as {@code [kernel…, 1, channels · each]}. */
  private Tensor grouped(KerasCall call, Tensor kernel, int axes) {
    if (kernel.rank() != axes + 2) {
      throw call.error("has a depthwise_kernel of shape " + kernel.shape());
    }
    long[] dims = kernel.shape().dims();
    dims[axes + 1] *= dims[axes];
    dims[axes] = 1;
    return kernel.contiguous(to.arena()).reshape(dims);
  }

  private Value convolve(
      KerasCall call,
      String name,
      Value x,
      int axes,
      Map<String, Tensor> parts,
      int groups,
      boolean activated) {
    Tensor kernel = parts.get("kernel");
    if (kernel == null || kernel.rank() != axes + 2) {
      throw call.error(
          "has " + (kernel == null ? "no kernel" : "a kernel of shape " + kernel.shape()));
    }
    long[] strides = KerasGraph.each(call.config(), "strides", axes, 1, 1);
    long[] dilations = KerasGraph.each(call.config(), "dilation_rate", axes, 1, 1);
    long[] reach = new long[axes];
    for (int axis = 0; axis < axes; axis++) {
      reach[axis] = (kernel.dim(axis) - 1) * dilations[axis] + 1;
    }
    boolean plain = !activated || activations.simple(call).isPresent();
    Convolution.Builder builder =
        Convolution.builder(plain ? name : name + ".linear")
            .weights(Weights.of(Convention.KERAS, parts))
            .strides(strides)
            .dilations(dilations)
            .groups(groups)
            .pads(pads(call, x, reach, strides));
    return finish(call, builder, x, activated);
  }

  private Value finish(KerasCall call, Convolution.Builder builder, Value x, boolean activated) {
    if (!channelsFirst(call)) {
      builder.channelsLast();
    }
    Optional<Activation> simple = activations.simple(call);
    if (activated) {
      simple.ifPresent(builder::activation);
    }
    Value y = builder.build().apply(to.graph(), x);
    if (!activated || simple.isPresent()) {
      return y;
    }
    return activations.apply(call, call.name(), y);
  }

  /** Zeros before each axis, then behind each, as TensorFlow reckons them. */
  private long[] pads(KerasCall call, Value x, long[] reach, long[] strides) {
    int axes = reach.length;
    long[] pads = new long[2 * axes];
    String padding = call.config().string("padding", "valid");
    switch (padding) {
      case "valid" -> {}
      case "causal" -> {
        if (axes != 1) {
          throw call.unsupported("causal padding of " + axes + " axes");
        }
        pads[0] = reach[0] - 1;
      }
      case "same" -> {
        for (int axis = 0; axis < axes; axis++) {
          long total = reach[axis] - 1;
          if (strides[axis] != 1) {
            long size = KerasGraph.size(call, x, channelsFirst(call) ? axis + 2 : axis + 1);
            long outputs = (size + strides[axis] - 1) / strides[axis];
            total = Math.max(0, (outputs - 1) * strides[axis] + reach[axis] - size);
          }
          pads[axis] = total / 2;
          pads[axes + axis] = total - total / 2;
        }
      }
      default -> throw call.unsupported("the padding " + Json.quoted(padding));
    }
    return pads;
  }

  /** Conv1DTranspose, Conv2DTranspose, Conv3DTranspose. */
  Value transposed(KerasCall call, int axes) {
    Tensor kernel = to.weight(call, "kernel");
    if (kernel.rank() != spatial(call, axes) + 2) {
      throw call.error("has a kernel of shape " + kernel.shape());
    }
    long[] strides = KerasGraph.each(call.config(), "strides", axes, 1, 1);
    long[] dilations = KerasGraph.each(call.config(), "dilation_rate", axes, 1, 1);
    long[] stated =
        call.config().has("output_padding")
            ? KerasGraph.each(call.config(), "output_padding", axes, 0, 0)
            : null;
    boolean same = call.config().string("padding", "valid").equals("same");
    long[] pads = new long[2 * axes];
    long[] more = new long[axes];
    int[] order = new int[axes + 2];
    order[0] = axes + 1;
    order[1] = axes;
    for (int axis = 0; axis < axes; axis++) {
      order[axis + 2] = axis;
      long reach = (kernel.dim(axis) - 1) * dilations[axis] + 1;
      if (stated == null) {
        // same: outputs = inputs · stride; valid: room for every element of the kernel.
        long cut = same ? Math.max(0, reach - strides[axis]) : 0;
        pads[axis] = cut / 2;
        pads[axes + axis] = cut - cut / 2;
        more[axis] = Math.max(0, strides[axis] - reach);
      } else {
        long cut = same ? 2 * (reach / 2) : 0;
        pads[axis] = cut / 2;
        pads[axes + axis] = cut / 2;
        more[axis] = stated[axis];
      }
    }
    String name = call.name();
    Value x = toChannelsFirst(call, call.only().value());
    List<Value> in = new ArrayList<>();
    in.add(x);
    in.add(to.constant(name + ".weight", kernel.transpose(order)));
    if (call.config().bool("use_bias", true)) {
      in.add(to.constant(name + ".bias", to.weight(call, "bias")));
    }
    Value y =
        to.node(
            name + ".transposed",
            "ConvTranspose",
            Attributes.of(
                "strides", strides, "dilations", dilations, "pads", pads, "output_padding", more),
            in.toArray(new Value[0]));
    Value last = fromChannelsFirst(call, name + ".linear", y);
    return activations.apply(call, name, last);
  }

  // ---- pooling
  // -----------------------------------------------------------------------------------

  private Value toChannelsFirst(KerasCall call, Value x) {
    if (channelsFirst(call)) {
      return x;
    }
    int[] order = new int[x.rank()];
    for (int i = 2; i < order.length; i++) {
      order[i] = i - 1;
    }
    order[1] = order.length - 1;
    return to.transpose(call.name() + ".channels_first", x, order);
  }

  private Value fromChannelsFirst(KerasCall call, String name, Value y) {
    if (channelsFirst(call)) {
      return to.alias(name, y);
    }
    int[] order = new int[y.rank()];
    for (int i = 1; i < order.length - 1; i++) {
      order[i] = i + 1;
    }
    order[order.length - 1] = 1;
    return to.transpose(name, y, order);
  }

  /** MaxPooling and AveragePooling over windows. */
  Value pool(KerasCall call, int axes, boolean maximum) {
    spatial(call, axes);
    String key = call.config().has("pool_size") ? "pool_size" : "pool_length";
    long[] size = KerasGraph.each(call.config(), key, axes, 2, 1);
    long[] strides =
        call.config().has("strides")
            ? KerasGraph.each(call.config(), "strides", axes, 1, 1)
            : size.clone();
    long[] pads = pads(call, call.only().value(), size, strides);
    Value x = toChannelsFirst(call, call.only().value());
    Value y =
        to.node(
            call.name() + ".pool",
            maximum ? "MaxPool" : "AveragePool",
            Attributes.of("kernel_shape", size, "strides", strides, "pads", pads),
            x);
    return fromChannelsFirst(call, call.name(), y);
  }

  /** GlobalMaxPooling and GlobalAveragePooling, of which the latter knows masks. */
  Value globalPool(KerasCall call, int axes, boolean maximum) {
    Value x = call.only().value();
    long[] over = new long[spatial(call, axes)];
    for (int axis = 0; axis < axes; axis++) {
      over[axis] = channelsFirst(call) ? axis + 2 : axis + 1;
    }
    boolean keep = call.config().bool("keepdims", false);
    String name = call.name();
    Value mask = call.mask();
    if (maximum || mask == null || axes != 1) {
      return to.reduce(name, maximum ? "ReduceMax" : "ReduceMean", x, keep, over);
    }
    Value weights = to.unsqueeze(name + ".mask", mask, channelsFirst(call) ? 1 : 2);
    Value kept = to.node(name + ".kept", "Mul", x, weights);
    Value sum = to.reduce(name + ".sum", "ReduceSum", kept, keep, over);
    Value count = to.reduce(name + ".count", "ReduceSum", weights, keep, over);
    return to.node(name, "Div", sum, count);
  }

  // ---- around
  // ------------------------------------------------------------------------------------

  /** The numbers at both ends of each axis: one for all, one for each axis, or a pair for each. */
  private static long[][] ends(KerasCall call, String key, int axes) {
    Json value = call.config().require(key);
    long[][] ends = new long[axes][2];
    if (value.kind() != Json.Kind.ARRAY) {
      for (long[] each : ends) {
        Arrays.fill(each, value.integer(0));
      }
      return ends;
    }
    List<Json> items = value.items();
    boolean onePair = axes == 1 && items.size() == 2;
    if (items.size() != axes && !onePair) {
      throw value.error("has " + items.size() + " numbers, expected " + axes);
    }
    for (int axis = 0; axis < axes; axis++) {
      if (onePair) {
        ends[axis] = new long[] {items.get(0).integer(0), items.get(1).integer(0)};
      } else if (items.get(axis).kind() == Json.Kind.ARRAY) {
        List<Json> pair = items.get(axis).items();
        if (pair.size() != 2) {
          throw items.get(axis).error("has " + pair.size() + " numbers, expected 2");
        }
        ends[axis] = new long[] {pair.get(0).integer(0), pair.get(1).integer(0)};
      } else {
        Arrays.fill(ends[axis], items.get(axis).integer(0));
      }
    }
    return ends;
  }

  /** ZeroPadding1D, 2D and 3D. */
  Value pad(KerasCall call, int axes) {
    Value x = call.only().value();
    long[][] ends = ends(call, "padding", spatial(call, axes));
    long[] pads = new long[2 * x.rank()];
    for (int axis = 0; axis < axes; axis++) {
      int at = channelsFirst(call) ? axis + 2 : axis + 1;
      pads[at] = ends[axis][0];
      pads[x.rank() + at] = ends[axis][1];
    }
    Value amounts = to.graph().integers(call.name() + ".pads", pads);
    return to.node(call.name(), "Pad", Attributes.of("mode", "constant"), x, amounts);
  }

  /** Cropping1D, 2D and 3D. */
  Value crop(KerasCall call, int axes) {
    Value x = call.only().value();
    long[][] cut = ends(call, "cropping", spatial(call, axes));
    long[] starts = new long[axes];
    long[] ends = new long[axes];
    long[] over = new long[axes];
    for (int axis = 0; axis < axes; axis++) {
      over[axis] = channelsFirst(call) ? axis + 2 : axis + 1;
      starts[axis] = cut[axis][0];
      ends[axis] = cut[axis][1] == 0 ? Integer.MAX_VALUE : -cut[axis][1];
    }
    return to.node(
        call.name(), "Slice", Attributes.of("starts", starts, "ends", ends, "axes", over), x);
  }

  /** UpSampling: every element several times along each axis. */
  Value upSample(KerasCall call, int axes) {
    Value x = call.only().value();
    String how = call.config().string("interpolation", "nearest");
    if (!how.equals("nearest")) {
      throw call.unsupported("the interpolation " + Json.quoted(how));
    }
    long[] size = KerasGraph.each(call.config(), "size", spatial(call, axes), 2, 1);
    long[] added = new long[axes];
    long[] times = new long[x.rank() + axes];
    long[] dims = new long[x.rank()];
    Arrays.fill(times, 1);
    int first = channelsFirst(call) ? 2 : 1;
    int unknown = 0;
    for (int axis = 0; axis < dims.length; axis++) {
      Dim dim = x.dim(axis);
      boolean sampled = axis >= first && axis < first + axes;
      if (sampled) {
        int i = axis - first;
        added[i] = axis + i + 1L;
        times[axis + i + 1] = size[i];
        unknown += dim.isKnown() ? 0 : 1;
        dims[axis] = dim.isKnown() ? dim.size() * size[i] : -1;
      } else {
        dims[axis] = dim.isKnown() ? dim.size() : 0;
      }
    }
    boolean behind = first + axes < dims.length && !x.dim(first + axes).isKnown();
    if (unknown > 1 || behind) {
      throw call.error("needs to know the axes of its input " + x);
    }
    String name = call.name();
    Value apart = to.unsqueeze(name + ".apart", x, added);
    Value repeated = to.node(name + ".repeated", "Expand", Attributes.of("shape", times), apart);
    return to.reshape(name, repeated, dims);
  }
}

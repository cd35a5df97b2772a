package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A convolution over one or more spatial axes (a cross-correlation, as in all frameworks): {@code
 * y[n, k, p] = b[k] + Σ x[n, c, p·stride + q·dilation − pad] · w[k, c, q]}.
 *
 * <p>Three axis orders of input and output are offered: channels first {@code [batch, channels,
 * spatial…]} (PyTorch, ONNX; what it is unless said otherwise), channels last {@code [batch,
 * spatial…, channels]} (Keras, TensorFlow), and for one spatial axis time first {@code [time,
 * batch, channels]}, the order of recurrent layers. With {@link Builder#causal} it is the direct
 * function of the prefix, p(y(t) given x(1)..x(t)): the alternative to the loop.
 */
public final class Convolution implements Layer {
  /** What stands where the kernel reaches beyond the input. */
  private enum Padding {
    EXPLICIT,
    SAME,
    CAUSAL
  }

  private enum Axes {
    CHANNELS_FIRST,
    CHANNELS_LAST,
    TIME_FIRST
  }

  private final String name;
  private final Tensor kernel;
  private final Tensor bias;
  private final Activation activation;
  private final Padding padding;
  private final Axes axes;
  private final long[] strides;
  private final long[] dilations;
  private final long[] pads;
  private final int groups;

  private Convolution(Builder builder) {
    name = builder.name;
    activation = builder.activation;
    padding = builder.padding;
    axes = builder.axes;
    groups = builder.groups;
    Parts parts = new Parts(name, builder.weights);
    String kernelName =
        switch (parts.convention()) {
          case PYTORCH -> "weight";
          case KERAS, TENSORFLOW1 -> "kernel";
          case ONNX -> "W";
        };
    Tensor given = parts.optional(kernelName);
    if (given == null || given.rank() < 3) {
      given = parts.require(kernelName, 3);
    }
    kernel =
        switch (parts.convention()) {
          case PYTORCH, ONNX -> given;
          case KERAS, TENSORFLOW1 -> outputsFirst(given);
        };
    int spatial = kernel.rank() - 2;
    String biasName = parts.convention() == Convention.ONNX ? "B" : "bias";
    bias = parts.expect(biasName, parts.optional(biasName), "outputs", kernel.dim(0));
    parts.done();
    strides = each("strides", builder.strides, spatial, 1);
    dilations = each("dilations", builder.dilations, spatial, 1);
    pads = each("pads", builder.pads, 2 * spatial, 0);
    if (axes == Axes.TIME_FIRST && spatial != 1) {
      throw new ShapeException(
          name + ": time first, but the kernel has " + spatial + " spatial axes, expected 1");
    }
    if (padding == Padding.CAUSAL && (spatial != 1 || strides[0] != 1)) {
      throw new IllegalArgumentException(
          name + ": causal over " + spatial + " axes with strides " + Arrays.toString(strides));
    }
  }

  /** {@code [kernel…, in, out]} as {@code [out, in, kernel…]}. */
  private static Tensor outputsFirst(Tensor kernel) {
    int[] permutation = new int[kernel.rank()];
    permutation[0] = kernel.rank() - 1;
    permutation[1] = kernel.rank() - 2;
    for (int i = 2; i < permutation.length; i++) {
      permutation[i] = i - 2;
    }
    return kernel.transpose(permutation);
  }

  private long[] each(String what, long[] given, int count, long otherwise) {
    if (given == null) {
      long[] all = new long[count];
      Arrays.fill(all, otherwise);
      return all;
    }
    if (given.length != count) {
      throw new ShapeException(
          name + ": " + what + " are " + Arrays.toString(given) + ", expected " + count);
    }
    return given.clone();
  }

  /** Begins a layer. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  @Override
  public String name() {
    return name;
  }

  /** The number of channels of the output. */
  public int outputSize() {
    return Math.toIntExact(kernel.dim(0));
  }

  @Override
  public Value apply(Graph.Builder graph, Value input) {
    if (input.rank() != kernel.rank()) {
      throw new ShapeException(
          name + ": input is " + input + ", expected " + kernel.rank() + " axes");
    }
    int[] in = toChannelsFirst();
    boolean moved = axes != Axes.CHANNELS_FIRST;
    Value x = moved ? Layers.transpose(graph, name + ".channels_first", input, in) : input;
    List<Value> operands = new ArrayList<>();
    operands.add(x);
    operands.add(graph.constant(name + ".weight", Constant.of(kernel)));
    if (bias != null) {
      operands.add(graph.constant(name + ".bias", Constant.of(bias)));
    }
    Attributes attributes =
        Attributes.of("group", groups, "strides", strides, "dilations", dilations, "pads", pads(x));
    boolean activated = !activation.equals(Activation.IDENTITY);
    String raw = moved || activated ? name + ".convolution" : name;
    Value y = graph.node(raw, "Conv", attributes, operands.toArray(new Value[0]));
    if (activated) {
      y = graph.activate(moved ? name + ".activation" : name, activation, y);
    }
    return moved ? Layers.transpose(graph, name, y, inverse(in)) : y;
  }

  private int[] toChannelsFirst() {
    int rank = kernel.rank();
    int[] permutation = new int[rank];
    for (int i = 0; i < rank; i++) {
      permutation[i] =
          switch (axes) {
            case CHANNELS_FIRST -> i;
            case CHANNELS_LAST -> i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
            case TIME_FIRST -> (i + 1) % rank;
          };
    }
    return permutation;
  }

  private static int[] inverse(int[] permutation) {
    int[] inverse = new int[permutation.length];
    for (int i = 0; i < permutation.length; i++) {
      inverse[permutation[i]] = i;
    }
    return inverse;
  }

  /** Zeros before each axis, then behind each. */
  private long[] pads(Value x) {
    int spatial = kernel.rank() - 2;
    if (padding == Padding.EXPLICIT) {
      return pads;
    }
    long[] all = new long[2 * spatial];
    for (int axis = 0; axis < spatial; axis++) {
      long reach = (kernel.dim(axis + 2) - 1) * dilations[axis];
      if (padding == Padding.CAUSAL) {
        all[axis] = reach;
        continue;
      }
      long total = reach;
      if (strides[axis] != 1) {
        Dim size = x.dim(axis + 2);
        if (!size.isKnown()) {
          throw new ShapeException(
              name
                  + ": padding 'same' with stride "
                  + strides[axis]
                  + " needs the size of "
                  + size);
        }
        long outputs = (size.size() + strides[axis] - 1) / strides[axis];
        total = Math.max(0, (outputs - 1) * strides[axis] + reach + 1 - size.size());
      }
      all[axis] = total / 2;
      all[spatial + axis] = total - total / 2;
    }
    return all;
  }

  /** Builds a layer. Not thread-safe. */
  public static final class Builder {
    private final String name;
    private Weights weights;
    private Activation activation = Activation.IDENTITY;
    private Padding padding = Padding.EXPLICIT;
    private Axes axes = Axes.CHANNELS_FIRST;
    private long[] strides;
    private long[] dilations;
    private long[] pads;
    private int groups = 1;

    private Builder(String name) {
      this.name = name;
    }

    /** The kernel and, if there is one, the bias. */
    public Builder weights(Weights given) {
      this.weights = given;
      return this;
    }

    /** The activation; none unless said otherwise. */
    public Builder activation(Activation function) {
      this.activation = function;
      return this;
    }

    /** The step along each spatial axis; 1 unless said otherwise. */
    public Builder strides(long... perAxis) {
      this.strides = perAxis;
      return this;
    }

    /** The distance of the kernel's elements along each axis; 1 unless said otherwise. */
    public Builder dilations(long... perAxis) {
      this.dilations = perAxis;
      return this;
    }

    /** Zeros before each axis, then behind each axis; none unless said otherwise ('valid'). */
    public Builder pads(long... beforeThenBehind) {
      this.padding = Padding.EXPLICIT;
      this.pads = beforeThenBehind;
      return this;
    }

    /**
     * Zeros around the input so that {@code outputs = ⌈inputs / stride⌉}, the odd one behind, as
     * TensorFlow's and Keras' {@code same} and ONNX' {@code SAME_UPPER}.
     */
    public Builder same() {
      this.padding = Padding.SAME;
      return this;
    }

    /**
     * Zeros before the first time step only, so that output t depends on inputs up to t and on
     * nothing later (van den Oord et al. 2016).
     */
    public Builder causal() {
      this.padding = Padding.CAUSAL;
      return this;
    }

    /** Input and output are {@code [batch, spatial…, channels]}. */
    public Builder channelsLast() {
      this.axes = Axes.CHANNELS_LAST;
      return this;
    }

    /** Input and output are {@code [time, batch, channels]}. */
    public Builder timeFirst() {
      this.axes = Axes.TIME_FIRST;
      return this;
    }

    /** Into how many groups the channels fall, each convolved alone; 1 unless said otherwise. */
    public Builder groups(int count) {
      this.groups = count;
      return this;
    }

    /**
     * The layer.
     *
     * @throws ShapeException if weights or settings do not fit each other
     * @throws IllegalArgumentException if a weight is missing or unknown
     */
    public Convolution build() {
      return new Convolution(this);
    }
  }
}

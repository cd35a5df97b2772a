package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Dim;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.layer.Dense;
import io.gatun.layer.Embedding;
import io.gatun.layer.Layers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What each class of Keras' layers adds to a graph. */
final class KerasLayers {
  /** The least that Keras adds to nothing. */
  private static final double EPSILON = 1e-3;

  /** Layers that hand on the mask of their input. */
  private static final Set<String> HAND_ON_MASK =
      Set.of(
          "Dense",
          "Dropout",
          "SpatialDropout1D",
          "GaussianNoise",
          "GaussianDropout",
          "AlphaDropout",
          "ActivityRegularization",
          "Identity",
          "Activation",
          "ReLU",
          "LeakyReLU",
          "ThresholdedReLU",
          "ELU",
          "PReLU",
          "Softmax",
          "BatchNormalization",
          "SyncBatchNormalization",
          "LayerNormalization",
          "UnitNormalization",
          "Rescaling");

  private final KerasGraph to;
  private final KerasActivations activations;
  private final KerasRecurrent recurrent;
  private final KerasConvolution convolutions;
  private final KerasLocallyConnected unshared;
  private final KerasAttention attention;

  KerasLayers(KerasGraph to) {
    this.to = to;
    this.activations = new KerasActivations(to);
    this.recurrent = new KerasRecurrent(to, activations);
    this.convolutions = new KerasConvolution(to, activations);
    this.unshared = new KerasLocallyConnected(to, activations);
    this.attention = new KerasAttention(to);
  }

  /**
   * Adds a layer.
   *
   * @return its outputs, the first of which has the name of the call
   * @throws ModelFormatException if it is of no class that is known here, or has settings that are
   *     not computed
   */
  List<KerasTensor> add(KerasCall call) {
    String type = call.className();
    return switch (type) {
      case "SimpleRNN",
          "LSTM",
          "GRU",
          "CuDNNLSTM",
          "CuDNNGRU",
          "ConvLSTM1D",
          "ConvLSTM2D",
          "ConvLSTM3D" ->
          recurrent.layer(call);
      case "RNN" -> recurrent.loop(call);
      case "Bidirectional" -> recurrent.bidirectional(call);
      case "TimeDistributed" -> List.of(timeDistributed(call));
      case "Attention" -> attention.simple(call, false);
      case "AdditiveAttention" -> attention.simple(call, true);
      case "MultiHeadAttention" -> attention.multiHead(call);
      case "Masking" -> List.of(masking(call));
      case "Embedding" -> List.of(embedding(call));
      case "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate" ->
          List.of(merge(call));
      default -> {
        Value value = one(call);
        yield List.of(new KerasTensor(value, HAND_ON_MASK.contains(type) ? call.mask() : null));
      }
    };
  }

  private Value one(KerasCall call) {
    String type = call.className();
    String name = call.name();
    return switch (type) {
      case "Dense" -> dense(call);
      case "Dropout" ->
          Layers.dropout(to.graph(), name, call.config().number("rate", 0.5), value(call));
      case "SpatialDropout1D",
          "SpatialDropout2D",
          "SpatialDropout3D",
          "GaussianNoise",
          "GaussianDropout",
          "AlphaDropout",
          "ActivityRegularization",
          "Identity" ->
          to.alias(name, value(call));
      case "Activation", "ReLU", "LeakyReLU", "ThresholdedReLU", "ELU", "PReLU", "Softmax" ->
          activations.layer(call);
      case "BatchNormalization", "SyncBatchNormalization" -> batchNormalization(call);
      case "LayerNormalization" -> layerNormalization(call);
      case "UnitNormalization" -> unitNormalization(call);
      case "Normalization" -> normalization(call);
      case "Rescaling" -> {
        Activation affine =
            new Activation(
                Activation.Kind.AFFINE,
                (float) call.config().number("scale", 1),
                (float) call.config().number("offset", 0));
        yield to.graph().activate(name, affine, value(call));
      }
      case "Conv1D" -> convolutions.convolution(call, 1);
      case "Conv2D" -> convolutions.convolution(call, 2);
      case "Conv3D" -> convolutions.convolution(call, 3);
      case "Conv1DTranspose" -> convolutions.transposed(call, 1);
      case "Conv2DTranspose" -> convolutions.transposed(call, 2);
      case "Conv3DTranspose" -> convolutions.transposed(call, 3);
      case "DepthwiseConv1D" -> convolutions.depthwise(call, 1);
      case "DepthwiseConv2D" -> convolutions.depthwise(call, 2);
      case "SeparableConv1D" -> convolutions.separable(call, 1);
      case "SeparableConv2D" -> convolutions.separable(call, 2);
      case "LocallyConnected1D" -> unshared.layer(call, 1);
      case "LocallyConnected2D" -> unshared.layer(call, 2);
      case "MaxPooling1D" -> convolutions.pool(call, 1, true);
      case "MaxPooling2D" -> convolutions.pool(call, 2, true);
      case "MaxPooling3D" -> convolutions.pool(call, 3, true);
      case "AveragePooling1D" -> convolutions.pool(call, 1, false);
      case "AveragePooling2D" -> convolutions.pool(call, 2, false);
      case "AveragePooling3D" -> convolutions.pool(call, 3, false);
      case "GlobalMaxPooling1D" -> convolutions.globalPool(call, 1, true);
      case "GlobalMaxPooling2D" -> convolutions.globalPool(call, 2, true);
      case "GlobalMaxPooling3D" -> convolutions.globalPool(call, 3, true);
      case "GlobalAveragePooling1D" -> convolutions.globalPool(call, 1, false);
      case "GlobalAveragePooling2D" -> convolutions.globalPool(call, 2, false);
      case "GlobalAveragePooling3D" -> convolutions.globalPool(call, 3, false);
      case "ZeroPadding1D" -> convolutions.pad(call, 1);
      case "ZeroPadding2D" -> convolutions.pad(call, 2);
      case "ZeroPadding3D" -> convolutions.pad(call, 3);
      case "Cropping1D" -> convolutions.crop(call, 1);
      case "Cropping2D" -> convolutions.crop(call, 2);
      case "Cropping3D" -> convolutions.crop(call, 3);
      case "UpSampling1D" -> convolutions.upSample(call, 1);
      case "UpSampling2D" -> convolutions.upSample(call, 2);
      case "UpSampling3D" -> convolutions.upSample(call, 3);
      case "Flatten" -> flatten(call);
      case "Reshape" -> reshape(call);
      case "Permute" -> permute(call);
      case "RepeatVector" -> repeat(call);
      case "Dot" -> attention.dot(call);
      case "NotEqual" -> notEqual(call);
      case "Any" -> any(call);
      case "Lambda" ->
          throw call.error(
              "is a program in Python and not run; replace it by layers, or save the model without"
                  + " it");
      default ->
          throw call.layer()
              .error(
                  "is a "
                      + Json.quoted(type)
                      + " called "
                      + Json.quoted(name)
                      + ", a layer that is not supported");
    };
  }

  private static Value value(KerasCall call) {
    return call.only().value();
  }

  private Value dense(KerasCall call) {
    Optional<Activation> simple = activations.simple(call);
    String name = simple.isPresent() ? call.name() : call.name() + ".linear";
    Dense.Builder builder = Dense.builder(name).weights(to.weights(call.weights()));
    simple.ifPresent(builder::activation);
    Value y = builder.build().apply(to.graph(), value(call));
    return simple.isPresent() ? y : activations.apply(call, call.name(), y);
  }

  private KerasTensor embedding(KerasCall call) {
    Value tokens = value(call);
    if (!tokens.type().isInteger()) {
      tokens = to.cast(call.name() + ".tokens", DType.INT32, tokens);
    }
    Value vectors = Embedding.of(call.name(), to.weights(call.weights())).apply(to.graph(), tokens);
    if (!call.config().bool("mask_zero", false)) {
      return KerasTensor.of(vectors);
    }
    Value zero = zero(call.name() + ".zero", tokens.type());
    return new KerasTensor(
        vectors, new KerasMasks(to).differs(call.name() + ".mask", tokens, zero));
  }

  private Value zero(String name, DType type) {
    return to.constant(name, Tensor.allocate(to.arena(), type));
  }

  private KerasTensor masking(KerasCall call) {
    String name = call.name();
    Value x = value(call);
    Value number = to.number(name + ".value", call.config().number("mask_value", 0));
    Value differs = new KerasMasks(to).differs(name + ".differs", x, number);
    Value kept = to.reduce(name + ".any", "ReduceMax", differs, true, x.rank() - 1L);
    Value mask = to.squeeze(name + ".mask", kept, x.rank() - 1L);
    return new KerasTensor(to.node(name, "Mul", x, kept), mask);
  }

  // ---- operations that Keras 3 puts into a model for its masks
  // -------------------------------------

  private Value notEqual(KerasCall call) {
    Value x = call.inputs().get(0).value();
    Value other;
    if (call.inputs().size() == 2) {
      other = call.inputs().get(1).value();
    } else {
      Json number = call.settings().getOrDefault("x2", call.settings().get("1"));
      if (number == null) {
        throw call.error("compares with nothing");
      }
      other =
          x.type() == DType.INT32
              ? to.constant(
                  call.name() + ".number",
                  Tensor.ofInts(
                      to.arena(),
                      new int[] {(int) number.integer(Integer.MIN_VALUE, Integer.MAX_VALUE)}))
              : to.number(call.name() + ".number", number.number());
    }
    return to.node(call.name(), "Not", to.node(call.name() + ".equal", "Equal", x, other));
  }

  private Value any(KerasCall call) {
    Value x = new KerasMasks(to).real(call, value(call));
    boolean keep = call.config().bool("keepdims", false);
    return to.reduce(call.name(), "ReduceMax", x, keep, KerasGraph.axis(call, x.rank()));
  }

  // ---- normalisation
  // -------------------------------------------------------------------------------

  /** γ (x − μ) / √(σ² + ε) + β, with everything that is known beforehand put together. */
  private Value batchNormalization(KerasCall call) {
    Value x = value(call);
    int axis = KerasGraph.axis(call, x.rank());
    double[] mean = to.weight(call, "moving_mean").toDoubles();
    double[] variance = to.weight(call, "moving_variance").toDoubles();
    double epsilon = call.config().number("epsilon", EPSILON);
    double[] gamma =
        call.config().bool("scale", true) ? to.weight(call, "gamma").toDoubles() : null;
    double[] beta = call.config().bool("center", true) ? to.weight(call, "beta").toDoubles() : null;
    float[] scale = new float[mean.length];
    float[] shift = new float[mean.length];
    if (variance.length != mean.length
        || (gamma != null && gamma.length != mean.length)
        || (beta != null && beta.length != mean.length)) {
      throw call.error("has weights of different lengths");
    }
    for (int i = 0; i < mean.length; i++) {
      double factor = (gamma == null ? 1 : gamma[i]) / Math.sqrt(variance[i] + epsilon);
      scale[i] = (float) factor;
      shift[i] = (float) ((beta == null ? 0 : beta[i]) - mean[i] * factor);
    }
    return affine(call, x, axis, scale, shift);
  }

  private Value affine(KerasCall call, Value x, int axis, float[] scale, float[] shift) {
    if (!x.dim(axis).matches(Dim.of(scale.length))) {
      throw call.error("has weights for " + scale.length + " features, but its input is " + x);
    }
    long[] dims = new long[x.rank() - axis];
    Arrays.fill(dims, 1);
    dims[0] = scale.length;
    String name = call.name();
    Value scaled = to.node(name + ".scaled", "Mul", x, to.constant(name + ".scale", scale, dims));
    return to.node(name, "Add", scaled, to.constant(name + ".shift", shift, dims));
  }

  private Value normalization(KerasCall call) {
    Value x = value(call);
    boolean inConfig = call.config().has("mean");
    double[] mean = inConfig ? numbers(call, "mean") : to.weight(call, "mean").toDoubles();
    double[] variance =
        inConfig ? numbers(call, "variance") : to.weight(call, "variance").toDoubles();
    if (call.config().bool("invert", false) || mean.length != variance.length) {
      throw call.unsupported(mean.length != variance.length ? "different lengths" : "invert");
    }
    float[] scale = new float[mean.length];
    float[] shift = new float[mean.length];
    for (int i = 0; i < mean.length; i++) {
      double factor = 1 / Math.max(Math.sqrt(variance[i]), 1e-7);
      scale[i] = (float) factor;
      shift[i] = (float) (-mean[i] * factor);
    }
    if (mean.length == 1) {
      return to.graph()
          .activate(call.name(), new Activation(Activation.Kind.AFFINE, scale[0], shift[0]), x);
    }
    return affine(call, x, KerasGraph.axis(call, x.rank()), scale, shift);
  }

  private static double[] numbers(KerasCall call, String key) {
    Json value = call.config().require(key);
    if (value.kind() != Json.Kind.ARRAY) {
      return new double[] {value.number()};
    }
    List<Double> all = new ArrayList<>();
    flatten(value, all);
    return all.stream().mapToDouble(Double::doubleValue).toArray();
  }

  private static void flatten(Json value, List<Double> all) {
    if (value.kind() == Json.Kind.ARRAY) {
      value.items().forEach(item -> flatten(item, all));
    } else {
      all.add(value.number());
    }
  }

  private Value layerNormalization(KerasCall call) {
    Value x = value(call);
    int first = x.rank() - 1;
    Json stated = call.config().find("axis").orElse(null);
    if (stated != null) {
      long[] axes =
          stated.kind() == Json.Kind.ARRAY
              ? stated.items().stream().mapToLong(axis -> axis.integer(-8, 8)).toArray()
              : new long[] {stated.integer(-8, 8)};
      first = x.rank() - axes.length;
      for (int i = 0; i < axes.length; i++) {
        if (KerasGraph.axis(call, axes[i], x.rank()) != first + i) {
          throw call.unsupported("axes that are not the last");
        }
      }
    }
    if (call.config().bool("rms_scaling", false)) {
      throw call.unsupported("rms_scaling");
    }
    long[] dims = new long[x.rank() - first];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = KerasGraph.size(call, x, first + i);
    }
    String name = call.name();
    List<Value> in = new ArrayList<>();
    in.add(x);
    if (call.config().bool("scale", true)) {
      in.add(to.constant(name + ".gamma", to.weight(call, "gamma")));
    } else {
      Tensor ones = Tensor.allocate(to.arena(), DType.FLOAT32, dims);
      in.add(to.constant(name + ".gamma", ones.fill(1)));
    }
    if (call.config().bool("center", true)) {
      in.add(to.constant(name + ".beta", to.weight(call, "beta")));
    }
    return to.node(
        name,
        "LayerNormalization",
        Attributes.of("axis", first, "epsilon", call.config().number("epsilon", EPSILON)),
        in.toArray(new Value[0]));
  }

  private Value unitNormalization(KerasCall call) {
    Value x = value(call);
    return attention.unit(call.name(), x, KerasGraph.axis(call, x.rank()));
  }

  // ---- shapes
  // --------------------------------------------------------------------------------------

  private Value flatten(KerasCall call) {
    Value x = value(call);
    if (call.config().string("data_format", "channels_last").equals("channels_first")
        && x.rank() > 2) {
      int[] order = new int[x.rank()];
      for (int i = 1; i < order.length - 1; i++) {
        order[i] = i + 1;
      }
      order[order.length - 1] = 1;
      x = to.transpose(call.name() + ".channels_last", x, order);
    }
    return to.node(call.name(), "Flatten", Attributes.of("axis", 1), x);
  }

  private Value reshape(KerasCall call) {
    List<Json> target = call.config().require("target_shape").items();
    long[] dims = new long[target.size() + 1];
    Value x = value(call);
    boolean open = false;
    for (int i = 1; i < dims.length; i++) {
      Json dim = target.get(i - 1);
      dims[i] = dim.kind() == Json.Kind.NULL ? -1 : dim.integer(-1, Integer.MAX_VALUE);
      open |= dims[i] < 0;
    }
    // The batch is what it was; where nothing else is open, it is what is left.
    dims[0] = open ? 0 : x.dim(0).isKnown() ? x.dim(0).size() : 0;
    return to.reshape(call.name(), x, dims);
  }

  private Value permute(KerasCall call) {
    List<Json> dims = call.config().require("dims").items();
    int[] order = new int[dims.size() + 1];
    for (int i = 1; i < order.length; i++) {
      order[i] = (int) dims.get(i - 1).integer(1, dims.size());
    }
    Value x = value(call);
    if (x.rank() != order.length) {
      throw call.error("permutes " + (order.length - 1) + " axes of " + x);
    }
    return to.transpose(call.name(), x, order);
  }

  private Value repeat(KerasCall call) {
    int times = call.config().require("n").integer(1);
    Value step = to.unsqueeze(call.name() + ".step", value(call), 1);
    return to.node(call.name(), "Expand", Attributes.of("shape", new long[] {1, times, 1}), step);
  }

  // ---- several values
  // ------------------------------------------------------------------------------

  private KerasTensor merge(KerasCall call) {
    List<KerasTensor> inputs = call.inputs();
    if (inputs.size() < 2) {
      throw call.error("joins " + inputs.size() + " values, expected at least two");
    }
    List<Value> masks =
        inputs.stream().map(KerasTensor::mask).filter(mask -> mask != null).toList();
    String name = call.name();
    List<Value> values = new ArrayList<>(inputs.stream().map(KerasTensor::value).toList());
    if (call.className().equals("Concatenate")) {
      return concatenate(call, values, masks);
    }
    align(call, values);
    String operator =
        switch (call.className()) {
          case "Add", "Average" -> "Add";
          case "Subtract" -> "Sub";
          case "Multiply" -> "Mul";
          case "Maximum" -> "Max";
          default -> "Min";
        };
    boolean average = call.className().equals("Average");
    Value sum = values.get(0);
    for (int i = 1; i < values.size(); i++) {
      boolean last = i == values.size() - 1 && !average;
      sum = to.node(last ? name : name + "." + i, operator, sum, values.get(i));
    }
    if (average) {
      sum = to.node(name, "Mul", sum, to.number(name + ".share", 1.0 / values.size()));
    }
    Value mask =
        masks.size() == inputs.size() ? new KerasMasks(to).all(name + ".mask", masks) : null;
    return new KerasTensor(sum, mask);
  }

  /** Values of fewer axes get axes of size 1 behind the batch. */
  private void align(KerasCall call, List<Value> values) {
    int rank = values.stream().mapToInt(Value::rank).max().orElse(0);
    for (int i = 0; i < values.size(); i++) {
      int missing = rank - values.get(i).rank();
      if (missing > 0) {
        long[] axes = new long[missing];
        Arrays.setAll(axes, axis -> axis + 1);
        values.set(i, to.unsqueeze(call.name() + ".aligned." + i, values.get(i), axes));
      }
    }
  }

  private KerasTensor concatenate(KerasCall call, List<Value> values, List<Value> masks) {
    long stated = call.config().find("axis").map(a -> a.integer(-8, 8)).orElse(-1L);
    int axis = KerasGraph.axis(call, stated, values.get(0).rank());
    Value joined = to.concat(call.name(), axis, values);
    if (masks.isEmpty()) {
      return KerasTensor.of(joined);
    }
    if (axis == 1) {
      throw call.unsupported("masks of values that are joined along time");
    }
    return new KerasTensor(joined, new KerasMasks(to).all(call.name() + ".mask", masks));
  }

  // ---- every time step by itself
  // -------------------------------------------------------------------

  private KerasTensor timeDistributed(KerasCall call) {
    Json inner = call.config().require("layer");
    KerasTensor input = call.only();
    KerasCall each = call.with(inner, call.name(), call.weights());
    Value x = input.value();
    if (x.rank() < 3) {
      throw call.error("works on " + x + ", expected [batch, time, …]");
    }
    switch (KerasJson.className(inner)) {
      case "Dense",
          "Dropout",
          "GaussianNoise",
          "GaussianDropout",
          "AlphaDropout",
          "Activation",
          "ReLU",
          "LeakyReLU",
          "ThresholdedReLU",
          "ELU",
          "Embedding",
          "Rescaling" -> {
        return new KerasTensor(
            add(each.on(List.of(KerasTensor.of(x)))).get(0).value(), input.mask());
      }
      default -> {}
    }
    // All steps of all sequences as one batch.
    long[] folded = new long[x.rank() - 1];
    folded[0] = -1;
    for (int axis = 2; axis < x.rank(); axis++) {
      folded[axis - 1] = KerasGraph.size(call, x, axis);
    }
    Value steps = to.reshape(call.name() + ".steps", x, folded);
    KerasCall on =
        call.with(inner, call.name() + ".step", call.weights()).on(List.of(KerasTensor.of(steps)));
    Value y = nested(on);
    long[] apart = new long[y.rank() + 1];
    apart[0] = -1;
    for (int axis = 1; axis < y.rank(); axis++) {
      apart[axis + 1] = KerasGraph.size(call, y, axis);
    }
    if (x.dim(1).isKnown()) {
      apart[1] = x.dim(1).size();
      return new KerasTensor(to.reshape(call.name(), y, apart), input.mask());
    }
    // As many sequences, of as many steps, as came in.
    String name = call.name();
    Value before = to.node(name + ".before", "Shape", Attributes.of("start", 0, "end", 2), x);
    Value behind =
        to.graph().integers(name + ".behind", Arrays.copyOfRange(apart, 2, apart.length));
    Value sizes = to.concat(name + ".sizes", 0, List.of(before, behind));
    return new KerasTensor(to.node(name, "Reshape", y, sizes), input.mask());
  }

  private Value nested(KerasCall call) {
    if (KerasJson.isModel(call.layer())) {
      return new KerasNetwork(to).add(call).get(0).value();
    }
    return add(call).get(0).value();
  }
}

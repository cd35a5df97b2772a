package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Keras' activation functions, by name or as the layers of that name. */
final class KerasActivations {
  /** The layers that are functions, and have no weights. */
  private static final Set<String> FUNCTIONS =
      Set.of("Activation", "ReLU", "LeakyReLU", "ThresholdedReLU", "ELU", "Softmax");

  private final KerasGraph to;

  KerasActivations(KerasGraph to) {
    this.to = to;
  }

  /** The name of the function that a layer has as a setting; {@code linear} where it has none. */
  static String name(Json.Fields config, String key, String otherwise) {
    Optional<Json> value = config.find(key);
    if (value.isEmpty()) {
      // A setting that is null is none, one that is missing is the default.
      return config.isNull(key) ? "linear" : otherwise;
    }
    if (value.get().kind() == Json.Kind.OBJECT) {
      Json.Fields fields = value.get().fields();
      String name = fields.string("class_name", "");
      if (name.equals("function")) {
        return fields.string("config");
      }
      throw value
          .get()
          .error("is a " + name + " with settings of its own, expected the name of a function");
    }
    return value.get().string();
  }

  /**
   * The function as recurrent layers, dense layers and convolutions compute it themselves; empty
   * where it is not one of a single number, or takes several steps.
   */
  Optional<Activation> simple(String name) {
    return switch (name) {
      case "linear" -> Optional.of(Activation.IDENTITY);
      case "hard_sigmoid" ->
          Optional.of(to.major() >= 3 ? Activation.HARD_SIGMOID_SIXTH : Activation.HARD_SIGMOID);
      case "leaky_relu" -> Optional.of(new Activation(Activation.Kind.LEAKY_RELU, 0.2f, 0));
      case "relu",
          "tanh",
          "sigmoid",
          "elu",
          "selu",
          "softplus",
          "softsign",
          "swish",
          "silu",
          "gelu" ->
          Optional.of(Activation.of(name));
      case "exponential" -> Optional.of(Activation.of(Activation.Kind.EXPONENTIAL));
      default -> Optional.empty();
    };
  }

  /** The function of a layer's setting {@code activation}, if it computes that itself. */
  Optional<Activation> simple(KerasCall call) {
    return layerOf(call).isPresent()
        ? Optional.empty()
        : simple(name(call.config(), "activation", "linear"));
  }

  /** Applies the function of a layer's setting {@code activation}. */
  Value apply(KerasCall call, String name, Value x) {
    Optional<Json> layer = layerOf(call);
    return layer.isPresent()
        ? layer(call.with(layer.get(), name, name).on(List.of(KerasTensor.of(x))))
        : apply(call, name(call.config(), "activation", "linear"), name, x);
  }

  /** A layer without weights that is the activation of another, such as LeakyReLU. */
  private static Optional<Json> layerOf(KerasCall call) {
    return call.config()
        .find("activation")
        .filter(each -> each.kind() == Json.Kind.OBJECT)
        .filter(each -> FUNCTIONS.contains(each.fields().string("class_name", "")));
  }

  /** A function that a recurrent layer can have. */
  Activation required(KerasCall call, String key, String otherwise) {
    String name = name(call.config(), key, otherwise);
    return simple(name).orElseThrow(() -> call.unsupported("the " + key + " " + Json.quoted(name)));
  }

  /** Applies a function of a name. */
  Value apply(KerasCall call, String function, String name, Value x) {
    Optional<Activation> simple = simple(function);
    if (simple.isPresent()) {
      return to.graph().activate(name, simple.get(), x);
    }
    return switch (function) {
      case "softmax" -> softmax(call, "Softmax", name, x, -1);
      case "log_softmax" -> softmax(call, "LogSoftmax", name, x, -1);
      case "relu6" -> relu(name, x, 6, 0, 0);
      case "hard_silu", "hard_swish" -> {
        Value gate = to.graph().activate(name + ".gate", Activation.HARD_SIGMOID_SIXTH, x);
        yield to.node(name, "Mul", x, gate);
      }
      case "mish" -> {
        Value plus =
            to.graph().activate(name + ".softplus", Activation.of(Activation.Kind.SOFTPLUS), x);
        Value tanh = to.graph().activate(name + ".tanh", Activation.TANH, plus);
        yield to.node(name, "Mul", x, tanh);
      }
      case "hard_tanh" -> {
        Value above = to.node(name + ".above", "Max", x, to.number(name + ".least", -1));
        yield to.node(name, "Min", above, to.number(name + ".most", 1));
      }
      case "tanh_shrink" ->
          to.node(name, "Sub", x, to.graph().activate(name + ".tanh", Activation.TANH, x));
      case "log_sigmoid" -> {
        Value negative = to.node(name + ".negative", "Neg", x);
        Value plus =
            to.graph()
                .activate(name + ".softplus", Activation.of(Activation.Kind.SOFTPLUS), negative);
        yield to.node(name, "Neg", plus);
      }
      default -> throw call.unsupported("the activation " + Json.quoted(function));
    };
  }

  Value softmax(KerasCall call, String operator, String name, Value x, long stated) {
    int axis = KerasGraph.axis(call, stated, x.rank());
    if (axis == x.rank() - 1) {
      return to.node(name, operator, Attributes.of("axis", -1), x);
    }
    int[] swap = new int[x.rank()];
    for (int i = 0; i < swap.length; i++) {
      swap[i] = i == axis ? swap.length - 1 : i == swap.length - 1 ? axis : i;
    }
    Value last = to.transpose(name + ".last", x, swap);
    Value y = to.node(name + ".softmax", operator, Attributes.of("axis", -1), last);
    return to.transpose(name, y, swap);
  }

  /**
   * Keras' relu: {@code most} at most (NaN for no bound), x above the threshold, slope · (x −
   * threshold) below.
   */
  Value relu(String name, Value x, double most, double slope, double threshold) {
    boolean bounded = !Double.isNaN(most);
    if (!bounded && threshold == 0) {
      return slope == 0
          ? to.graph().activate(name, Activation.RELU, x)
          : to.graph()
              .activate(name, new Activation(Activation.Kind.LEAKY_RELU, (float) slope, 0), x);
    }
    Activation positive =
        threshold == 0
            ? Activation.RELU
            : new Activation(Activation.Kind.THRESHOLDED_RELU, (float) threshold, 0);
    boolean more = bounded || slope != 0;
    Value y = to.graph().activate(more ? name + ".positive" : name, positive, x);
    if (bounded) {
      y = to.node(slope != 0 ? name + ".bounded" : name, "Min", y, to.number(name + ".most", most));
    }
    if (slope != 0) {
      // slope · relu(threshold − x), taken away
      Value below =
          to.graph()
              .activate(
                  name + ".below",
                  new Activation(Activation.Kind.AFFINE, -1, (float) threshold),
                  x);
      Value negative = to.graph().activate(name + ".negative", Activation.RELU, below);
      Value scaled = to.node(name + ".scaled", "Mul", negative, to.number(name + ".slope", slope));
      y = to.node(name, "Sub", y, scaled);
    }
    return y;
  }

  /** The layers that are functions: Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax, … */
  Value layer(KerasCall call) {
    Value x = call.only().value();
    Json.Fields config = call.config();
    String name = call.name();
    return switch (call.className()) {
      case "Activation" -> apply(call, name(config, "activation", "linear"), name, x);
      case "ReLU" ->
          relu(
              name,
              x,
              config.number("max_value", Double.NaN),
              config.number("negative_slope", 0),
              config.number("threshold", 0));
      case "LeakyReLU" -> {
        double alpha = config.number("negative_slope", config.number("alpha", 0.3));
        yield to.graph()
            .activate(name, new Activation(Activation.Kind.LEAKY_RELU, (float) alpha, 0), x);
      }
      case "ThresholdedReLU" -> {
        float theta = (float) config.number("theta", 1);
        yield to.graph()
            .activate(name, new Activation(Activation.Kind.THRESHOLDED_RELU, theta, 0), x);
      }
      case "ELU" -> {
        float alpha = (float) config.number("alpha", 1);
        yield to.graph().activate(name, new Activation(Activation.Kind.ELU, alpha, 0), x);
      }
      case "PReLU" -> {
        Value slope = to.constant(name + ".alpha", to.weight(call, "alpha"));
        Value positive = to.graph().activate(name + ".positive", Activation.RELU, x);
        Value below = to.node(name + ".below", "Neg", x);
        Value negative = to.graph().activate(name + ".negative", Activation.RELU, below);
        Value scaled = to.node(name + ".scaled", "Mul", negative, slope);
        yield to.node(name, "Sub", positive, scaled);
      }
      case "Softmax" -> {
        if (call.mask() != null || call.named().containsKey("mask")) {
          throw call.unsupported("a mask");
        }
        long axis = config.find("axis").map(a -> a.integer(-8, 8)).orElse(-1L);
        yield softmax(call, "Softmax", name, x, axis);
      }
      default -> throw new AssertionError(call.className());
    };
  }
}

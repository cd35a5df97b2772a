package io.gatun.format;

import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Turns a Keras model, sequential or functional, into a graph. Values have the names of the layers
 * that make them, and Keras' order of axes: the batch first. A layer that is used a second time
 * makes {@code NAME.1}, and a layer of a model within the model {@code MODEL.NAME}.
 *
 * <p>The definition is Keras' own documentation and the files that it writes. For one model.
 */
final class KerasNetwork {
  private final KerasGraph to;
  private final KerasLayers layers;

  KerasNetwork(KerasGraph to) {
    this.to = to;
    this.layers = new KerasLayers(to);
  }

  /**
   * Reads a model.
   *
   * @param keras the file, which has a model
   * @param tensors its weights
   * @param used filled with the names of the weights that are used
   * @param arena where weights are put that must be computed from others
   * @throws ModelFormatException if something in it is not supported, or does not fit
   */
  static Graph read(KerasFile keras, NamedTensors tensors, Set<String> used, Arena arena) {
    Json model = keras.model().orElseThrow();
    Graph.Builder graph = Graph.builder("network");
    String version = keras.version() == null ? "" : keras.version();
    // tf.keras calls itself 2.2.4-tf and the like; from 2.4 on there is no other.
    boolean own = version.matches("2\\.[0-3](\\..*)?") && !version.endsWith("-tf");
    KerasNetwork network =
        new KerasNetwork(new KerasGraph(graph, tensors, used, arena, keras.major(), own));
    List<KerasTensor> outputs =
        KerasJson.className(model).equals("Sequential")
            ? network.sequential(model)
            : network.functional(model, "", "", List.of());
    Set<Value> seen = new HashSet<>();
    for (KerasTensor output : outputs) {
      if (seen.add(output.value())) {
        graph.output(output.value());
      }
    }
    return graph.build();
  }

  /** Adds a model that is a layer of another one. */
  List<KerasTensor> add(KerasCall call) {
    String prefix = call.name() + ".";
    List<KerasTensor> outputs;
    if (call.className().equals("Sequential")) {
      KerasTensor last = call.only();
      for (Json layer : KerasJson.layers(call.layer())) {
        last = step(layer, last, prefix, call.weights() + ".");
      }
      outputs = List.of(last);
    } else {
      outputs = functional(call.layer(), prefix, call.weights() + ".", call.inputs());
    }
    List<KerasTensor> named = new ArrayList<>(outputs);
    Value first = named.get(0).value();
    named.set(0, new KerasTensor(to.alias(call.name(), first), named.get(0).mask()));
    return named;
  }

  // ---- one layer after the other
  // -------------------------------------------------------------------

  private List<KerasTensor> sequential(Json model) {
    List<Json> all = KerasJson.layers(model);
    if (all.isEmpty()) {
      throw model.error("has no layers");
    }
    Json first = all.get(0);
    KerasTensor last;
    int from = 0;
    if (KerasJson.className(first).equals("InputLayer")) {
      last = KerasTensor.of(input(first, KerasJson.name(first), tokensAlone(all, 1)));
      from = 1;
    } else {
      last =
          KerasTensor.of(input(shaped(model, first), name(first) + "_input", tokensAlone(all, 0)));
    }
    for (Json layer : all.subList(from, all.size())) {
      last = step(layer, last, "", "");
    }
    return List.of(last);
  }

  private static boolean tokensAlone(List<Json> layers, int first) {
    return first < layers.size() && KerasJson.className(layers.get(first)).equals("Embedding");
  }

  /** Whichever description says what shape the input has. */
  private static Json shaped(Json model, Json first) {
    Json shaped = first;
    while (!KerasJson.config(shaped).has("batch_input_shape")) {
      Json.Fields config = KerasJson.config(shaped);
      if (KerasJson.isModel(shaped)) {
        shaped = KerasJson.layers(shaped).get(0);
      } else if (config.has("layer")) {
        shaped = config.require("layer");
      } else {
        boolean built =
            model.fields().require("config").kind() == Json.Kind.OBJECT
                && KerasJson.config(model).has("build_input_shape");
        if (!built) {
          throw model.error("does not say what shape its input has");
        }
        return model;
      }
    }
    return shaped;
  }

  private KerasTensor step(Json layer, KerasTensor input, String prefix, String weights) {
    if (KerasJson.className(layer).equals("InputLayer")) {
      return input;
    }
    String layerName = KerasJson.name(layer);
    return call(new KerasCall(
            layer,
            KerasJson.config(layer),
            prefix + name(layer),
            weights + layerName,
            List.of(input),
            Map.of(),
            Map.of()))
        .get(0);
  }

  private static String name(Json layer) {
    return KerasJson.name(layer);
  }

  private List<KerasTensor> call(KerasCall call) {
    try {
      return KerasJson.isModel(call.layer()) ? add(call) : layers.add(call);
    } catch (IllegalArgumentException
        | UnsupportedOperationException
        | ArithmeticException
        | IndexOutOfBoundsException e) {
      throw call.error("is not possible: " + e.getMessage(), e);
    }
  }

  // ---- layers in any order
  // -------------------------------------------------------------------------

  /** Where a value comes from: a layer, which of its uses, which of its outputs. */
  private record Source(String layer, long use, long output) {}

  private List<KerasTensor> functional(
      Json model, String prefix, String weights, List<KerasTensor> inputs) {
    Json.Fields config = KerasJson.config(model);
    Map<Source, KerasTensor> known = new LinkedHashMap<>();
    List<Source> given = new ArrayList<>();
    sources(config.require("input_layers"), given);
    List<Json> all = KerasJson.layers(model);
    for (int i = 0; i < inputs.size() && i < given.size(); i++) {
      known.put(given.get(i), inputs.get(i));
    }
    if (!inputs.isEmpty() && inputs.size() != given.size()) {
      throw model.error("is given " + inputs.size() + " values, expected " + given.size());
    }
    List<Use> open = new ArrayList<>();
    for (Json layer : all) {
      if (KerasJson.className(layer).equals("InputLayer")) {
        Source source = new Source(name(layer), 0, 0);
        if (!known.containsKey(source)) {
          known.put(
              source,
              KerasTensor.of(input(layer, prefix + name(layer), tokensAlone(all, name(layer)))));
        }
        continue;
      }
      List<Json> nodes = layer.fields().require("inbound_nodes").items();
      for (int use = 0; use < nodes.size(); use++) {
        open.add(new Use(layer, use, nodes.get(use)));
      }
    }
    while (!open.isEmpty()) {
      List<Use> waiting = new ArrayList<>();
      for (Use use : open) {
        if (!add(use, known, prefix, weights)) {
          waiting.add(use);
        }
      }
      if (waiting.size() == open.size()) {
        throw waiting
            .get(0)
            .layer()
            .error("needs a value that no layer makes, or one that needs itself");
      }
      open = waiting;
    }
    List<Source> wanted = new ArrayList<>();
    Json outputs = config.require("output_layers");
    sources(outputs, wanted);
    if (wanted.isEmpty()) {
      throw outputs.error("is empty, expected the outputs of the model");
    }
    List<KerasTensor> found = new ArrayList<>();
    for (Source source : wanted) {
      KerasTensor value = known.get(source);
      if (value == null) {
        throw outputs.error("names " + source + ", which is not there");
      }
      found.add(value);
    }
    return found;
  }

  private record Use(Json layer, int use, Json node) {}

  /** Whether an input feeds embeddings and nothing else, so that it is whole numbers. */
  private static boolean tokensAlone(List<Json> layers, String input) {
    boolean found = false;
    for (Json layer : layers) {
      Json nodes = layer.fields().find("inbound_nodes").orElse(null);
      List<Source> from = new ArrayList<>();
      if (nodes != null) {
        sources(nodes, from);
      }
      if (from.stream().anyMatch(source -> source.layer().equals(input))) {
        String type = KerasJson.className(layer);
        if (!type.equals("Embedding") && !type.equals("NotEqual")) {
          return false;
        }
        found = true;
      }
    }
    return found;
  }

  /** All values that a description names, in order. */
  private static void sources(Json description, List<Source> all) {
    switch (description.kind()) {
      case ARRAY -> {
        Source source = source(description);
        if (source != null) {
          all.add(source);
          List<Json> items = description.items();
          items.subList(3, items.size()).forEach(item -> sources(item, all));
        } else {
          description.items().forEach(item -> sources(item, all));
        }
      }
      case OBJECT -> {
        if (isTensor(description)) {
          Json.Fields config = description.fields().require("config").fields();
          sources(config.require("keras_history"), all);
        } else {
          description.members().values().forEach(member -> sources(member, all));
        }
      }
      default -> {}
    }
  }

  private static boolean isTensor(Json description) {
    Json type = description.members().get("class_name");
    return type != null
        && type.kind() == Json.Kind.STRING
        && type.string().equals("__keras_tensor__");
  }

  /** {@code [layer, use, output, …]}, or null if it is something else. */
  private static Source source(Json description) {
    List<Json> items = description.items();
    if (items.size() >= 3
        && items.get(0).kind() == Json.Kind.STRING
        && items.get(1).isWhole()
        && items.get(2).isWhole()) {
      return new Source(
          items.get(0).string(),
          items.get(1).integer(0, Integer.MAX_VALUE),
          items.get(2).integer(0, Integer.MAX_VALUE));
    }
    return null;
  }

  /** Adds one use of a layer if everything it needs is there. */
  private boolean add(Use use, Map<Source, KerasTensor> known, String prefix, String weights) {
    List<Source> needed = new ArrayList<>();
    sources(use.node(), needed);
    if (!known.keySet().containsAll(needed)) {
      return false;
    }
    String name = name(use.layer());
    List<KerasTensor> inputs = new ArrayList<>();
    Map<String, List<KerasTensor>> named = new LinkedHashMap<>();
    Map<String, Json> settings = new LinkedHashMap<>();
    if (use.node().kind() == Json.Kind.OBJECT) {
      Json.Fields node = use.node().fields();
      List<Json> arguments = node.require("args").items();
      for (int i = 0; i < arguments.size(); i++) {
        List<KerasTensor> found = tensors(arguments.get(i), known);
        if (i == 0 || !found.isEmpty()) {
          inputs.addAll(found);
        } else {
          settings.put(Integer.toString(i), arguments.get(i));
        }
      }
      node.find("kwargs").ifPresent(given -> named(given, known, named, settings));
    } else {
      for (Json each : entries(use.node())) {
        List<Json> items = each.items();
        inputs.add(known.get(source(each)));
        if (items.size() > 3) {
          named(items.get(3), known, named, settings);
        }
      }
    }
    if (inputs.isEmpty()) {
      throw use.layer().error("works on nothing");
    }
    KerasCall call =
        new KerasCall(
            use.layer(),
            KerasJson.config(use.layer()),
            prefix + (use.use() == 0 ? name : name + "." + use.use()),
            weights + name,
            inputs,
            named,
            settings);
    List<KerasTensor> outputs = call(call);
    for (int i = 0; i < outputs.size(); i++) {
      known.put(new Source(name, use.use(), i), outputs.get(i));
    }
    return true;
  }

  /** The entries of a node of Keras 2: one, or a list of them. */
  private static List<Json> entries(Json node) {
    if (source(node) != null) {
      return List.of(node);
    }
    for (Json each : node.items()) {
      if (each.kind() != Json.Kind.ARRAY || source(each) == null) {
        throw each.error("is no value of a layer, expected [layer, use, output]");
      }
    }
    return node.items();
  }

  private static List<KerasTensor> tensors(Json description, Map<Source, KerasTensor> known) {
    List<Source> found = new ArrayList<>();
    sources(description, found);
    return found.stream().map(known::get).toList();
  }

  private static void named(
      Json given,
      Map<Source, KerasTensor> known,
      Map<String, List<KerasTensor>> named,
      Map<String, Json> settings) {
    for (Map.Entry<String, Json> each : given.members().entrySet()) {
      List<KerasTensor> found = tensors(each.getValue(), known);
      if (found.isEmpty()) {
        settings.put(each.getKey(), each.getValue());
      } else {
        named.put(each.getKey(), found);
      }
    }
  }

  // ---- what goes in
  // --------------------------------------------------------------------------------

  private Value input(Json layer, String name, boolean tokens) {
    Json.Fields config = KerasJson.config(layer);
    Json shape =
        config
            .find("batch_shape")
            .or(() -> config.find("batch_input_shape"))
            .or(() -> config.find("build_input_shape"))
            .orElseThrow(() -> layer.error("does not say what shape its input has"));
    List<Json> items = shape.items();
    if (items.isEmpty() || items.size() > 8) {
      throw shape.error("has " + items.size() + " axes, expected 1 to 8");
    }
    List<Object> dims = new ArrayList<>();
    dims.add("batch");
    String symbol = name.replaceAll("[^A-Za-z0-9_]", "_");
    for (int axis = 1; axis < items.size(); axis++) {
      Json dim = items.get(axis);
      if (dim.kind() != Json.Kind.NULL) {
        dims.add(dim.integer(0));
      } else {
        String first = axis == 1 ? "time" : "axis" + axis;
        dims.add(to.graph().values().isEmpty() ? first : "of_" + symbol + "_" + first);
      }
    }
    return to.graph().input(name, tokens ? DType.INT32 : type(config), dims.toArray());
  }

  private static DType type(Json.Fields config) {
    Json stated = config.find("dtype").orElse(null);
    if (stated == null || stated.kind() != Json.Kind.STRING) {
      return DType.FLOAT32;
    }
    return switch (stated.string()) {
      case "int8", "int16", "int32", "uint8", "uint16" -> DType.INT32;
      case "int64", "uint32" -> DType.INT64;
      case "bool" -> DType.BOOL;
      default -> DType.FLOAT32;
    };
  }
}

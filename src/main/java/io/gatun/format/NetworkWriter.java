package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Writes a network of another format as a model folder: {@code model.json} with an {@code operator}
 * layer for each node of the graph, and its constants in {@code weights.safetensors}; graphs within
 * nodes (If, Loop, Scan) likewise. Opened again, it is the same graph, and gives the same numbers.
 *
 * <pre>{@code
 * try (Model model = NetworkFile.open(Path.of("model.keras"))) {
 *   NetworkWriter.write(model, Path.of("model"));
 * }
 * }</pre>
 *
 * <p>Stateless and thread-safe.
 */
public final class NetworkWriter {
  private static final String WEIGHTS = "weights.safetensors";

  private NetworkWriter() {}

  /**
   * Writes a folder. It appears when it is complete; on failure nothing is left behind.
   *
   * @param model a single network
   * @param folder where to; must not exist, or be empty
   * @throws IOException if there is something already, or it cannot be written
   * @throws IllegalArgumentException if the model is no single network or is given nothing, or has
   *     a node that a model folder cannot describe, which the message names
   */
  public static void write(Model model, Path folder) throws IOException {
    if (model.kind() != Model.Kind.NETWORK) {
      throw new IllegalArgumentException(
          model.file() + " is a model folder already: a " + model.kind().label());
    }
    if (model.network().inputs().isEmpty()) {
      throw new IllegalArgumentException(
          model.file() + " has no inputs: whatever it gives is the same every time");
    }
    if (Files.exists(folder)) {
      try (Stream<Path> content = Files.list(folder)) {
        if (content.findAny().isPresent()) {
          throw new IOException(folder + " is there already and not empty");
        }
      }
    }
    Path target = folder.toAbsolutePath();
    Path parent = target.getParent();
    Path temporary =
        parent.resolve("." + target.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
    Files.createDirectories(parent);
    Files.createDirectory(temporary);
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      String json = JsonText.of(new Description(model, tensors, arena).top());
      Safetensors.write(temporary.resolve(WEIGHTS), tensors, Map.of());
      Files.write(temporary.resolve(ModelFolder.MODEL_FILE), json.getBytes(StandardCharsets.UTF_8));
      Files.deleteIfExists(target);
      Files.move(temporary, target);
    } finally {
      Files.deleteIfExists(temporary.resolve(WEIGHTS));
      Files.deleteIfExists(temporary.resolve(ModelFolder.MODEL_FILE));
      Files.deleteIfExists(temporary);
    }
  }

  /** The text of one model file. */
  private static final class Description {
    private final Model model;
    private final Map<String, Tensor> tensors;
    private final Arena arena;
    private final Map<String, String> symbols = new HashMap<>();

    Description(Model model, Map<String, Tensor> tensors, Arena arena) {
      this.model = model;
      this.tensors = tensors;
      this.arena = arena;
    }

    Map<String, Object> top() {
      Map<String, Object> top = new LinkedHashMap<>();
      top.put("format", ModelFolder.FORMAT);
      top.put("kind", Model.Kind.NETWORK.label());
      top.put("name", model.name());
      model.description().ifPresent(text -> top.put("description", text));
      model.license().ifPresent(text -> top.put("license", text));
      model.origin().ifPresent(text -> top.put("origin", text));
      top.put("weights", Map.of("file", WEIGHTS));
      top.put("network", network(model.network()));
      return top;
    }

    private Map<String, Object> network(Graph graph) {
      Map<String, Object> network = new LinkedHashMap<>();
      network.put("inputs", graph.inputs().stream().map(this::input).toList());
      List<Object> layers = new ArrayList<>();
      Set<Value> constants = new LinkedHashSet<>();
      for (Node node : graph.nodes()) {
        for (Value in : node.inputs()) {
          if (in != null && in.constant() != null && constants.add(in)) {
            layers.add(constant(in));
          }
        }
        layers.add(operator(graph, node));
      }
      for (Value output : graph.outputs()) {
        if (output.constant() != null && constants.add(output)) {
          layers.add(constant(output));
        }
      }
      network.put("layers", layers);
      network.put("outputs", graph.outputs().stream().map(Value::name).toList());
      return network;
    }

    private Map<String, Object> input(Value input) {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("name", input.name());
      json.put("type", input.type().label());
      json.put("shape", input.dims().stream().map(this::dim).toList());
      return json;
    }

    private Object dim(Dim dim) {
      return dim.isKnown()
          ? (Object) dim.size()
          : symbols.computeIfAbsent(dim.toString(), this::symbol);
    }

    /** A name that a model file can have, and no other symbol has. */
    private String symbol(String text) {
      String name = text.replaceAll("[^A-Za-z0-9_]", "_");
      name = name.matches("[A-Za-z_].*") ? name : "_" + name;
      Set<String> taken = new HashSet<>(symbols.values());
      while (taken.contains(name)) {
        name += "_";
      }
      return name;
    }

    private Map<String, Object> constant(Value value) {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("type", "constant");
      json.put("name", value.name());
      json.put("tensor", tensor(value.name(), value.constant()));
      return json;
    }

    /** Keeps a tensor, and returns the name it has in the file. */
    private String tensor(String name, Constant constant) {
      String free = name;
      // Beside one of int8, NAME.scale would be taken for its scale.
      while (tensors.containsKey(free) || (constant.dtype() == DType.INT8 && free.equals(name))) {
        free += "_";
      }
      tensors.put(free, constant.tensor(arena));
      return free;
    }

    private Map<String, Object> operator(Graph graph, Node node) {
      Map<String, Object> json = new LinkedHashMap<>();
      List<String> outputs = node.outputs().stream().map(Value::name).toList();
      String name = outputs.get(0);
      if (outputs.size() > 1) {
        name = node.name();
        while (graph.values().containsKey(name)) {
          name += ".node";
        }
      }
      json.put("type", "operator");
      json.put("name", name);
      json.put("operator", node.operator().type());
      if (!node.attributes().names().isEmpty()) {
        Map<String, Object> attributes = attributes(node, name);
        if (!attributes.isEmpty()) {
          json.put("attributes", attributes);
        }
      }
      List<String> from = new ArrayList<>();
      node.inputs().forEach(in -> from.add(in == null ? null : in.name()));
      json.put("from", from);
      if (outputs.size() > 1) {
        json.put("outputs", outputs);
      }
      return json;
    }

    private Map<String, Object> attributes(Node node, String name) {
      Attributes attributes = node.attributes();
      Map<String, Object> json = new LinkedHashMap<>();
      for (String key : attributes.names()) {
        switch (attributes.value(key)) {
          case long[] longs -> json.put(key, Arrays.stream(longs).boxed().toList());
          case float[] floats -> {
            List<Float> all = new ArrayList<>();
            for (float number : floats) {
              all.add(finite(node, key, number));
            }
            if (!all.isEmpty()) {
              json.put(key, all);
            }
          }
          case Float number -> json.put(key, finite(node, key, number));
          case Constant constant ->
              json.put(key, Map.of("tensor", tensor(name + "." + key, constant)));
          case List<?> list -> {
            if (!list.isEmpty()) {
              json.put(key, list);
            }
          }
          case Graph within -> json.put(key, Map.of("graph", network(within)));
          case Object value -> json.put(key, value);
        }
      }
      return json;
    }

    private static float finite(Node node, String key, float number) {
      if (!Float.isFinite(number)) {
        throw new IllegalArgumentException(
            node.name() + " has " + key + " " + number + ", which JSON cannot write");
      }
      return number;
    }
  }
}

package io.gatun.format;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Finds the weights of the layers of a Keras model in its HDF5 file, and names them by layer and
 * part: {@code lstm_1.recurrent_kernel}, {@code bidirectional.forward.kernel}, {@code
 * rnn.cells.0.bias}, {@code attention.query.kernel}; those of a model within a model {@code
 * inner.dense.kernel}.
 *
 * <p>There are two layouts. Keras 2 has a group for each layer with the names of its weights, in
 * order, in the attribute {@code weight_names}. Keras 3 ({@code model.weights.h5}) follows the
 * objects: {@code layers/CLASS_n/…/vars/i}, where the layers of a class are counted and its weights
 * are in the order in which the layer creates them.
 */
final class KerasWeights {
  /** Where the versions of Keras 2 that write the format of Keras 3 keep a model's layers. */
  private static final String DEPENDENCIES = "_layer_checkpoint_dependencies";

  /** Where Keras 3 does, and they. */
  private static final List<String> CONTAINERS = List.of("layers", DEPENDENCIES);

  private static final int MAX_DEPTH = 16;

  private final Hdf5File hdf;
  private final int major;
  private final Map<String, String> paths = new LinkedHashMap<>();

  private KerasWeights(Hdf5File hdf, int major) {
    this.hdf = hdf;
    this.major = major;
  }

  /**
   * The datasets of a model's weights by their names here.
   *
   * @param model the model as Keras describes it: class and configuration
   * @param root the group that the weights are in; {@code ""} for the whole file
   */
  static Map<String, String> paths(Hdf5File hdf, String root, Json model, int major) {
    KerasWeights weights = new KerasWeights(hdf, major);
    List<Json> layers = KerasJson.layers(model);
    if (hdf.texts(root, "layer_names") != null) {
      for (Json layer : layers) {
        weights.inGroup(layer, root);
      }
    } else {
      weights.byObject(layers, "", root, 0);
    }
    return weights.paths;
  }

  /** Whether a group has the weights of a model in one of the layouts. */
  static boolean isRoot(Hdf5File hdf, String root) {
    return hdf.texts(root, "layer_names") != null || container(hdf, root) != null;
  }

  private static String container(Hdf5File hdf, String root) {
    for (String name : CONTAINERS) {
      String path = root.isEmpty() ? name : root + "/" + name;
      if (hdf.isGroup(path)) {
        return path;
      }
    }
    return null;
  }

  /**
   * The weights that one layer, or one part of it, has itself.
   *
   * @param name what their names start with
   * @param roles the parts, in the order in which Keras creates them
   * @param objects where the object is below its layer, in Keras 3's layout; one of several
   */
  private record Leaf(String name, List<String> roles, List<String> objects) {}

  private List<Leaf> leaves(Json layer, String name, List<String> objects) {
    List<Leaf> leaves = new ArrayList<>();
    addLeaves(leaves, layer, name, objects, 0);
    return leaves;
  }

  private void addLeaves(
      List<Leaf> leaves, Json layer, String name, List<String> objects, int depth) {
    if (depth > MAX_DEPTH) {
      throw layer.error("is nested deeper than " + MAX_DEPTH + " layers");
    }
    Json.Fields config = KerasJson.config(layer);
    switch (KerasJson.className(layer)) {
      case "Bidirectional" -> {
        Json inner = config.require("layer");
        addLeaves(leaves, inner, name + ".forward", below(objects, "forward_layer"), depth + 1);
        addLeaves(
            leaves,
            config.find("backward_layer").orElse(inner),
            name + ".backward",
            below(objects, "backward_layer"),
            depth + 1);
      }
      case "TimeDistributed" ->
          addLeaves(leaves, config.require("layer"), name, below(objects, "layer"), depth + 1);
      case "RNN" ->
          addLeaves(leaves, config.require("cell"), name, below(objects, "cell"), depth + 1);
      case "StackedRNNCells" -> {
        List<Json> cells = config.require("cells").items();
        Counter counter = new Counter();
        for (int i = 0; i < cells.size(); i++) {
          String cell = "cells/" + counter.next(KerasJson.className(cells.get(i)));
          addLeaves(leaves, cells.get(i), name + ".cells." + i, below(objects, cell), depth + 1);
        }
      }
      case "MultiHeadAttention" -> {
        for (String part : List.of("query", "key", "value", "output")) {
          String role = part.equals("output") ? "attention_output" : part;
          List<String> either = new ArrayList<>(below(objects, "_" + part + "_dense"));
          either.addAll(below(objects, part + "_dense"));
          leaves.add(new Leaf(name + "." + role, bias(config, "kernel"), either));
        }
      }
      case "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D" ->
          leaves.add(new Leaf(name, roles(layer), below(objects, "cell")));
      default -> {
        if (KerasJson.isModel(layer)) {
          for (Json inner : KerasJson.layers(layer)) {
            addLeaves(leaves, inner, name + "." + KerasJson.name(inner), objects, depth + 1);
          }
        } else {
          leaves.add(new Leaf(name, roles(layer), objects));
        }
      }
    }
  }

  private static List<String> below(List<String> objects, String child) {
    return objects.stream().map(object -> object + "/" + child).toList();
  }

  /** The weights of a layer that has no parts, in the order in which Keras creates them. */
  private List<String> roles(Json layer) {
    Json.Fields config = KerasJson.config(layer);
    return switch (KerasJson.className(layer)) {
      case "Dense",
          "EinsumDense",
          "Conv1D",
          "Conv2D",
          "Conv3D",
          "Conv1DTranspose",
          "Conv2DTranspose",
          "Conv3DTranspose",
          "LocallyConnected1D",
          "LocallyConnected2D" ->
          config.has("equation") && !config.has("bias_axes")
              ? List.of("kernel")
              : bias(config, "kernel");
      case "DepthwiseConv1D", "DepthwiseConv2D" -> bias(config, "depthwise_kernel");
      case "SeparableConv1D", "SeparableConv2D" ->
          bias(config, "depthwise_kernel", "pointwise_kernel");
      case "Embedding" -> List.of("embeddings");
      case "SimpleRNN",
          "LSTM",
          "GRU",
          "CuDNNLSTM",
          "CuDNNGRU",
          "ConvLSTM1D",
          "ConvLSTM2D",
          "ConvLSTM3D",
          "SimpleRNNCell",
          "LSTMCell",
          "GRUCell" ->
          bias(config, "kernel", "recurrent_kernel");
      case "BatchNormalization", "SyncBatchNormalization" -> {
        List<String> roles = scaleAndShift(config);
        roles.add("moving_mean");
        roles.add("moving_variance");
        yield roles;
      }
      case "LayerNormalization" ->
          config.bool("rms_scaling", false) ? List.of("gamma") : scaleAndShift(config);
      case "GroupNormalization" -> scaleAndShift(config);
      case "PReLU" -> List.of("alpha");
      case "Normalization" -> config.has("mean") ? List.of() : List.of("mean", "variance", "count");
      case "Attention" -> {
        List<String> roles = new ArrayList<>();
        if (config.bool("use_scale", false)) {
          roles.add("scale");
        }
        if (config.string("score_mode", "dot").equals("concat")) {
          roles.add("concat_score_weight");
        }
        yield roles;
      }
      case "AdditiveAttention" -> config.bool("use_scale", true) ? List.of("scale") : List.of();
      default -> List.of();
    };
  }

  private static List<String> bias(Json.Fields config, String... roles) {
    List<String> all = new ArrayList<>(List.of(roles));
    if (config.bool("use_bias", true)) {
      all.add("bias");
    }
    return all;
  }

  private static List<String> scaleAndShift(Json.Fields config) {
    List<String> roles = new ArrayList<>();
    if (config.bool("scale", true)) {
      roles.add("gamma");
    }
    if (config.bool("center", true)) {
      roles.add("beta");
    }
    return roles;
  }

  // ---- Keras 2: a group for each layer
  // -----------------------------------------------------------

  private void inGroup(Json layer, String root) {
    String name = KerasJson.name(layer);
    String group = root.isEmpty() ? name : root + "/" + name;
    List<String> names = hdf.texts(group, "weight_names");
    List<String> entries = names == null ? List.of() : names;
    List<Leaf> leaves = leaves(layer, name, List.of());
    int expected = leaves.stream().mapToInt(leaf -> leaf.roles().size()).sum();
    if (expected == 0) {
      return; // weights of what has none here, such as a counter of random numbers
    }
    if (entries.size() != expected) {
      throw layer.error(
          "is a "
              + KerasJson.className(layer)
              + " called "
              + Json.quoted(name)
              + " with "
              + expected
              + " weights, but the file has "
              + entries.size()
              + " in "
              + group);
    }
    assign(layer, name, group, entries);
  }

  /** Gives a layer its weights, which are as many as it has. */
  private void assign(Json layer, String name, String group, List<String> entries) {
    if (KerasJson.isModel(layer)) {
      assignModel(layer, name, group, entries);
      return;
    }
    List<Leaf> leaves = leaves(layer, name, List.of());
    int at = 0;
    for (Leaf leaf : leaves) {
      int end = at + leaf.roles().size();
      byRole(layer, leaf, group, entries.subList(at, end));
      at = end;
    }
  }

  /** By the names of the layers within, else in order; statistics come behind everything else. */
  private void assignModel(Json model, String name, String group, List<String> entries) {
    List<String> ordered = new ArrayList<>();
    entries.stream().filter(entry -> !isStatistic(entry)).forEach(ordered::add);
    List<String> statistics = new ArrayList<>();
    entries.stream().filter(KerasWeights::isStatistic).forEach(statistics::add);
    for (Json inner : KerasJson.layers(model)) {
      String innerName = KerasJson.name(inner);
      List<Leaf> leaves = leaves(inner, innerName, List.of());
      int expected = leaves.stream().mapToInt(leaf -> leaf.roles().size()).sum();
      if (expected == 0) {
        continue;
      }
      List<String> own =
          entries.stream().filter(entry -> List.of(entry.split("/")).contains(innerName)).toList();
      if (own.size() != expected) {
        own = inOrder(model, leaves, ordered, statistics);
      }
      ordered.removeAll(own);
      statistics.removeAll(own);
      assign(inner, name + "." + innerName, group, own);
    }
  }

  private static List<String> inOrder(
      Json model, List<Leaf> leaves, List<String> ordered, List<String> statistics) {
    List<String> own = new ArrayList<>();
    for (Leaf leaf : leaves) {
      for (String role : leaf.roles()) {
        List<String> from = isStatistic(role) ? statistics : ordered;
        if (from.isEmpty()) {
          throw model.error("has fewer weights in the file than its layers have");
        }
        own.add(from.remove(0));
      }
    }
    return own;
  }

  private static boolean isStatistic(String entry) {
    String role = role(entry);
    return role.equals("moving_mean") || role.equals("moving_variance");
  }

  private static String role(String entry) {
    String last = entry.substring(entry.lastIndexOf('/') + 1);
    int colon = last.lastIndexOf(':');
    return colon < 0 ? last : last.substring(0, colon);
  }

  /** Under the names of the parts; where the file calls them something else, in order. */
  private void byRole(Json layer, Leaf leaf, String group, List<String> entries) {
    for (int i = 0; i < leaf.roles().size(); i++) {
      String wanted = leaf.roles().get(i);
      List<String> found = entries.stream().filter(entry -> role(entry).equals(wanted)).toList();
      String entry = found.size() == 1 ? found.get(0) : entries.get(i);
      if (found.size() != 1 && leaf.roles().contains(role(entry))) {
        throw layer.error(
            "has "
                + found.size()
                + " weights "
                + wanted
                + " in the file, expected one of "
                + String.join(", ", entries));
      }
      put(layer, leaf.name() + "." + wanted, group + "/" + entry);
    }
  }

  // ---- Keras 3: by object
  // ------------------------------------------------------------------------

  /** Names the layers of one class as Keras 3 does: dense, dense_1, … */
  private static final class Counter {
    private final Map<String, Integer> counts = new LinkedHashMap<>();

    String next(String className) {
      String name = snake(className);
      int count = counts.merge(name, 1, Integer::sum);
      return count == 1 ? name : name + "_" + (count - 1);
    }

    private static String snake(String className) {
      return className
          .replaceAll("\\W+", "")
          .replaceAll("(.)([A-Z][a-z]+)", "$1_$2")
          .replaceAll("([a-z])([A-Z])", "$1_$2")
          .toLowerCase(Locale.ROOT);
    }
  }

  private void byObject(List<Json> layers, String prefix, String root, int depth) {
    String container = container(hdf, root);
    List<String> objects = objects(layers, container, false);
    if (container != null && container.endsWith(DEPENDENCIES) && !areThere(layers, objects)) {
      List<String> twice = objects(layers, container, true);
      objects = areThere(layers, twice) ? twice : objects;
    }
    for (int i = 0; i < layers.size(); i++) {
      Json layer = layers.get(i);
      String name = prefix + KerasJson.name(layer);
      String path = objects.get(i);
      if (depth > MAX_DEPTH) {
        throw layer.error("is nested deeper than " + MAX_DEPTH + " models");
      }
      Json inner = layer;
      while (KerasJson.className(inner).equals("TimeDistributed")) {
        inner = KerasJson.config(inner).require("layer");
        path += "/layer";
      }
      if (KerasJson.isModel(inner)) {
        byObject(KerasJson.layers(inner), name + ".", path, depth + 1);
        continue;
      }
      for (Leaf leaf : leaves(inner, name, List.of(path))) {
        fromVars(layer, leaf);
      }
    }
  }

  /**
   * The objects of layers. Before 2.14, Keras came across a layer that has weights twice, and
   * counted it twice.
   */
  private List<String> objects(List<Json> layers, String container, boolean twice) {
    Counter counter = new Counter();
    List<String> objects = new ArrayList<>();
    for (Json layer : layers) {
      String type = KerasJson.className(layer);
      objects.add(container + "/" + counter.next(type));
      if (twice
          && leaves(layer, "", List.of("")).stream().anyMatch(leaf -> !leaf.roles().isEmpty())) {
        counter.next(type);
      }
    }
    return objects;
  }

  private boolean areThere(List<Json> layers, List<String> objects) {
    for (int i = 0; i < objects.size(); i++) {
      boolean input = KerasJson.className(layers.get(i)).equals("InputLayer");
      if (!input && !hdf.isGroup(objects.get(i))) {
        return false;
      }
    }
    return true;
  }

  private void fromVars(Json layer, Leaf leaf) {
    if (leaf.roles().isEmpty()) {
      return;
    }
    String vars =
        leaf.objects().stream()
            .map(object -> object + "/vars")
            .filter(hdf::isGroup)
            .findFirst()
            .orElse(leaf.objects().get(0) + "/vars");
    for (int i = 0; i < leaf.roles().size(); i++) {
      put(layer, leaf.name() + "." + leaf.roles().get(i), vars + "/" + i);
    }
    if (hdf.isDataset(vars + "/" + leaf.roles().size())) {
      throw layer.error(
          "has more weights in "
              + vars
              + " than a "
              + KerasJson.className(layer)
              + " of Keras "
              + major
              + ", expected "
              + String.join(", ", leaf.roles()));
    }
  }

  private void put(Json layer, String name, String path) {
    if (!hdf.isDataset(path)) {
      throw layer.error("has a weight " + name + ", but the file has no dataset /" + path);
    }
    if (paths.put(name, path) != null) {
      throw layer.error("is called as another layer is, expected a name of its own");
    }
  }
}

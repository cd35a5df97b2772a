package io.gatun.format;

import io.gatun.graph.Dim;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import io.gatun.layer.Weights;
import io.gatun.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Finds the weights of a layer in the file of a model: part by part under the names that the model
 * file gives, or all whose names start with a prefix, under the rest of their names.
 */
class LayerWeights {
  private final NamedTensors file;
  private final Optional<Convention> usual;
  private final Set<String> used = new LinkedHashSet<>();

  LayerWeights(NamedTensors file, Optional<Convention> usual) {
    this.file = file;
    this.usual = usual;
  }

  /** The tensors that no layer has asked for. */
  Set<String> unused() {
    Set<String> unused = new LinkedHashSet<>(file.names());
    unused.removeAll(used);
    return unused;
  }

  /** The convention of a layer: its own, or that of the whole file. */
  Convention convention(Json.Fields layer) {
    Optional<Convention> own = layer.find("convention").map(LayerWeights::convention);
    return own.or(() -> usual)
        .orElseThrow(
            () ->
                layer
                    .object()
                    .error(
                        "has weights, but neither it nor \"weights\" of the model says in which"
                            + " \"convention\" they are"));
  }

  static Convention convention(Json value) {
    return value.oneOf(Convention.values(), Convention::label);
  }

  /**
   * Weights of an embedding.
   *
   * @param vocabulary how many tokens it is for; 0 if nobody knows
   */
  Weights embedding(Json.Fields layer, String name, int vocabulary) {
    return read(layer);
  }

  /** Weights of a dense layer. */
  Weights dense(Json.Fields layer, String name, Value input) {
    return read(layer);
  }

  /** Weights of a layer normalisation. */
  Weights layerNorm(Json.Fields layer, String name, Value input) {
    return read(layer);
  }

  /** Weights of a convolution. */
  Weights convolution(Json.Fields layer, String name, Value input) {
    return read(layer);
  }

  /** Weights of a general or additive attention. */
  Weights attention(Json.Fields layer, String name, Value queries, Dim memory) {
    return read(layer);
  }

  /** Weights of a layer that is not recurrent. */
  private Weights read(Json.Fields layer) {
    Convention convention = convention(layer);
    Json weights = layer.require("weights");
    return Weights.of(convention, parts(weights, convention, ""));
  }

  /**
   * Weights of one direction of a recurrent layer.
   *
   * @param weights what the model file says
   * @param index which of several layers under one prefix, as PyTorch numbers them
   * @param reverse whether the second direction is meant, where PyTorch has both under one prefix
   */
  Weights recurrent(Json weights, Convention convention, int index, boolean reverse) {
    String suffix =
        convention == Convention.PYTORCH ? "_l" + index + (reverse ? "_reverse" : "") : "";
    return Weights.of(convention, parts(weights, convention, suffix));
  }

  /**
   * Refuses a layer of one direction whose prefix has weights of two, as PyTorch names them: it
   * would give numbers that nobody has trained.
   */
  void refuseSecondDirection(Json weights, int index) {
    String prefix = prefix(weights).string();
    for (String name : file.names()) {
      if (part(name, prefix, Convention.PYTORCH, "_l" + index + "_reverse") != null) {
        throw weights.error(
            "has a second direction ("
                + name
                + "); add \"bidirectional\", or name the parts of"
                + " one direction");
      }
    }
  }

  /** Whether the parts are found by a prefix. */
  static boolean hasPrefix(Json weights) {
    return weights.kind() == Json.Kind.STRING || weights.members().containsKey("prefix");
  }

  private Map<String, Tensor> parts(Json weights, Convention convention, String suffix) {
    if (hasPrefix(weights)) {
      return byPrefix(weights, convention, suffix);
    }
    Map<String, Tensor> parts = new LinkedHashMap<>();
    weights.members().forEach((part, name) -> parts.put(part, tensor(name)));
    if (parts.isEmpty()) {
      throw weights.error("is empty, expected the parts of the layer or a \"prefix\"");
    }
    return parts;
  }

  private Map<String, Tensor> byPrefix(Json weights, Convention convention, String suffix) {
    Json value = prefix(weights);
    String prefix = value.string();
    Map<String, Tensor> parts = new LinkedHashMap<>();
    for (String name : file.names()) {
      String part = part(name, prefix, convention, suffix);
      if (part != null) {
        used.add(name);
        parts.put(part, file.tensor(name));
      }
    }
    if (parts.isEmpty()) {
      throw value.error(
          "is "
              + Json.quoted(prefix)
              + ", but no tensor of "
              + file
              + " is called "
              + Json.quoted(prefix + ".…" + suffix)
              + Names.didYouMean(prefix, parents()));
    }
    return parts;
  }

  private static Json prefix(Json weights) {
    if (weights.kind() != Json.Kind.OBJECT) {
      return weights;
    }
    Json.Fields fields = weights.fields();
    Json prefix = fields.require("prefix");
    fields.done();
    return prefix;
  }

  /** The part that a tensor is, or {@code null} if it belongs to something else. */
  private static String part(String name, String prefix, Convention convention, String suffix) {
    String rest = name;
    if (!prefix.isEmpty()) {
      boolean below =
          name.startsWith(prefix)
              && name.length() > prefix.length() + 1
              && (name.charAt(prefix.length()) == '.' || name.charAt(prefix.length()) == '/');
      if (!below) {
        return null;
      }
      rest = name.substring(prefix.length() + 1);
    }
    if (!suffix.isEmpty()) {
      // A single cell of PyTorch has no numbers behind its names.
      boolean numbered = rest.matches(".*_l\\d+(_reverse)?");
      if (numbered) {
        return rest.endsWith(suffix) && !rest.equals(suffix)
            ? rest.substring(0, rest.length() - suffix.length())
            : null;
      }
      return suffix.equals("_l0") ? rest : null;
    }
    boolean variable =
        (convention == Convention.KERAS || convention == Convention.TENSORFLOW1)
            && rest.endsWith(":0");
    return variable ? rest.substring(0, rest.length() - 2) : rest;
  }

  private Set<String> parents() {
    Set<String> parents = new LinkedHashSet<>();
    for (String name : file.names()) {
      int end = Math.max(name.lastIndexOf('.'), name.lastIndexOf('/'));
      if (end > 0) {
        parents.add(name.substring(0, end));
      }
    }
    return parents;
  }

  /** The tensor that a string of the model file names. */
  Tensor tensor(Json name) {
    String wanted = name.string();
    if (!file.names().contains(wanted)) {
      throw name.error(
          "is "
              + Json.quoted(wanted)
              + ", but "
              + file
              + " has no tensor of that name"
              + Names.didYouMean(wanted, file.names()));
    }
    used.add(wanted);
    return file.tensor(wanted);
  }
}

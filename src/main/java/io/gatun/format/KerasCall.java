package io.gatun.format;

import io.gatun.graph.Value;
import java.util.List;
import java.util.Map;

/**
 * One use of a layer.
 *
 * @param layer the layer's description
 * @param config its settings
 * @param name what the values it makes are called; its own in the graph
 * @param weights what the names of its weights start with
 * @param inputs what it works on, in order
 * @param named tensors that are given by name, such as {@code initial_state}
 * @param settings what else is given at the call, such as {@code use_causal_mask}
 */
record KerasCall(
    Json layer,
    Json.Fields config,
    String name,
    String weights,
    List<KerasTensor> inputs,
    Map<String, List<KerasTensor>> named,
    Map<String, Json> settings) {

  /** A use of another layer in place of this one, on the same inputs. */
  KerasCall with(Json inner, String innerName, String innerWeights) {
    return new KerasCall(
        inner, KerasJson.config(inner), innerName, innerWeights, inputs, named, settings);
  }

  /** The same use on other inputs. */
  KerasCall on(List<KerasTensor> others) {
    return new KerasCall(layer, config, name, weights, others, named, settings);
  }

  String className() {
    return KerasJson.className(layer);
  }

  /** The input of a layer that has one. */
  KerasTensor only() {
    if (inputs.size() != 1) {
      throw error("works on " + inputs.size() + " values, expected one");
    }
    return inputs.get(0);
  }

  /** The mask that is given by name, or that comes with the first input. */
  Value mask() {
    return inputs.get(0).mask();
  }

  boolean setting(String key) {
    Json value = settings.get(key);
    return value != null && value.kind() == Json.Kind.BOOLEAN && value.bool();
  }

  ModelFormatException error(String problem) {
    return error(problem, null);
  }

  ModelFormatException error(String problem, Throwable cause) {
    String text = "is a " + className() + " called " + Json.quoted(name) + " that " + problem;
    return layer.error(text, cause);
  }

  /** An error about a setting that is not computed here. */
  ModelFormatException unsupported(String what) {
    return error("has " + what + ", which is not supported");
  }
}

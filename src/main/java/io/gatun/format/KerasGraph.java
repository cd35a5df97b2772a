package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import io.gatun.layer.Layers;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The graph that a Keras model becomes, with what its layers need to add to it.
 *
 * @param graph the graph so far
 * @param tensors the weights by name
 * @param used the names of those that some layer has taken
 * @param arena where weights are put that must be computed from others
 * @param major the major version of Keras
 * @param repeatsMasked whether outputs of a bidirectional layer at time steps that are masked
 *     repeat the one before, as Keras did before it was TensorFlow's; otherwise they are 0
 */
record KerasGraph(
    Graph.Builder graph,
    NamedTensors tensors,
    Set<String> used,
    Arena arena,
    int major,
    boolean repeatsMasked) {

  private static final int MAX_RANK = 8;

  /** The weights of a layer, by the names of its parts. */
  Map<String, Tensor> parts(String layer) {
    Map<String, Tensor> parts = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      int dot = name.lastIndexOf('.');
      if (dot == layer.length() && name.startsWith(layer)) {
        parts.put(name.substring(dot + 1), tensors.tensor(name));
        used.add(name);
      }
    }
    return parts;
  }

  /** The weights of a layer in Keras' convention. */
  Weights weights(String layer) {
    return Weights.of(Convention.KERAS, parts(layer));
  }

  /** One weight of a layer. */
  Tensor weight(KerasCall call, String part) {
    Tensor tensor = parts(call.weights()).get(part);
    if (tensor == null) {
      throw call.error("has no weight " + part);
    }
    return tensor;
  }

  Value node(String name, String operator, Attributes attributes, Value... in) {
    return graph.node(name, operator, attributes, in);
  }

  Value node(String name, String operator, Value... in) {
    return graph.node(name, operator, Attributes.NONE, in);
  }

  Value alias(String name, Value value) {
    return graph.alias(name, value);
  }

  Value constant(String name, Tensor tensor) {
    return graph.constant(name, tensor);
  }

  Value constant(String name, float[] numbers, long... dims) {
    return graph.constant(name, Tensor.ofFloats(arena, numbers, dims));
  }

  /** A constant that is one number. */
  Value number(String name, double number) {
    return constant(name, new float[] {(float) number});
  }

  Value cast(String name, DType type, Value value) {
    return value.type() == type
        ? value
        : node(name, "Cast", Attributes.of("to", type.label()), value);
  }

  /** Some of an axis, from {@code start} to before {@code end}. */
  Value slice(String name, Value value, int axis, long start, long end) {
    return node(
        name,
        "Slice",
        Attributes.of(
            "starts", new long[] {start}, "ends", new long[] {end}, "axes", new long[] {axis}),
        value);
  }

  Value unsqueeze(String name, Value value, long... axes) {
    return node(name, "Unsqueeze", Attributes.of("axes", axes), value);
  }

  Value squeeze(String name, Value value, long... axes) {
    return node(name, "Squeeze", Attributes.of("axes", axes), value);
  }

  Value reshape(String name, Value value, long... dims) {
    return node(name, "Reshape", Attributes.of("shape", dims), value);
  }

  Value transpose(String name, Value value, int... permutation) {
    return Layers.transpose(graph, name, value, permutation);
  }

  Value concat(String name, int axis, List<Value> values) {
    return node(name, "Concat", Attributes.of("axis", axis), values.toArray(new Value[0]));
  }

  Value reduce(String name, String operator, Value value, boolean keep, long... axes) {
    return node(name, operator, Attributes.of("axes", axes, "keepdims", keep ? 1 : 0), value);
  }

  /** The last axis, which layers need to know. */
  static long last(KerasCall call, Value value) {
    return size(call, value, value.rank() - 1);
  }

  static long size(KerasCall call, Value value, int axis) {
    Dim dim = value.dim(axis);
    if (!dim.isKnown()) {
      throw call.error("needs to know axis " + axis + " of its input " + value);
    }
    return dim.size();
  }

  /** An axis as Keras gives it, counted from the front. */
  static int axis(KerasCall call, long axis, int rank) {
    if (axis < -rank || axis >= rank) {
      throw call.error("has axis " + axis + ", but its input has " + rank + " axes");
    }
    return (int) (axis < 0 ? axis + rank : axis);
  }

  /** The setting {@code axis}, one number or a list of one; the last axis where it is missing. */
  static int axis(KerasCall call, int rank) {
    Json stated = call.config().find("axis").orElse(null);
    if (stated == null) {
      return rank - 1;
    }
    if (stated.kind() == Json.Kind.ARRAY) {
      if (stated.items().size() != 1) {
        throw call.unsupported("several axes");
      }
      stated = stated.items().get(0);
    }
    return axis(call, stated.integer(-MAX_RANK, MAX_RANK), rank);
  }

  /** One number, or a list of as many numbers as there are axes. */
  static long[] each(Json.Fields config, String key, int count, long otherwise, int least) {
    long[] all = new long[count];
    Arrays.fill(all, otherwise);
    config
        .find(key)
        .ifPresent(
            value -> {
              if (value.kind() != Json.Kind.ARRAY) {
                Arrays.fill(all, value.integer(least));
                return;
              }
              List<Json> items = value.items();
              if (items.size() != count) {
                throw value.error("has " + items.size() + " numbers, expected " + count);
              }
              for (int i = 0; i < count; i++) {
                all[i] = items.get(i).integer(least);
              }
            });
    return all;
  }
}

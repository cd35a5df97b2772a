package io.gatun.format;

import io.gatun.graph.Dim;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;

/**
 * The weights of a network that is yet to be trained. Where a model file says which tensor is which
 * weight, here the settings of a layer say how large its weights are, and they are made: in ONNX'
 * convention, a tensor {@code LAYER.PART} each. A layer that is asked for again gets the same ones.
 *
 * <p>They begin as is usual: matrices and convolutions uniform in ±√(6 / (fan in + fan out))
 * (Glorot and Bengio 2010), each gate by itself; recurrent matrices orthogonal (Saxe et al. 2014),
 * each gate by itself; embeddings normal with a standard deviation of 1/√size; biases 0, but an
 * LSTM's forget gate 1 (Jozefowicz et al. 2015); scales of normalisations 1. The random numbers of
 * a tensor depend on the seed and the tensor's name alone.
 *
 * <p>Of matrices, embeddings and convolutions it is known which axis is that of the outputs: {@link
 * #scale}.
 */
final class FreshWeights extends LayerWeights implements NamedTensors {
  /** Where ONNX has the forget gate of an LSTM: i, o, f, c. */
  private static final int FORGET = 2;

  private final Arena arena;
  private final long seed;

  /** How many symbols or labels are scored: the size of a dense layer that does not say its own. */
  private final int scores;

  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, long[]> scales = new HashMap<>();
  private final Map<String, Map<String, Object>> entries = new LinkedHashMap<>();

  FreshWeights(Arena arena, long seed, int scores) {
    super(null, Optional.of(Convention.ONNX));
    this.arena = arena;
    this.seed = seed;
    this.scores = scores;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public Tensor tensor(String name) {
    return tensors.get(name);
  }

  @Override
  Set<String> unused() {
    return Set.of();
  }

  /**
   * Returns the shape of a scale for each output of a tensor, such as {@code [rows, 1]}: a row of
   * an embedding, a column of a dense layer's or an attention's matrix, a filter of a convolution,
   * a unit of a recurrent layer's gate. Empty for biases and normalisations.
   */
  Optional<long[]> scale(String name) {
    return Optional.ofNullable(scales.get(name)).map(long[]::clone);
  }

  /** The members that the layer of a model file has beyond the settings it was made from. */
  Map<String, Object> entry(String layer) {
    return entries.getOrDefault(layer, Map.of());
  }

  /** The settings that say how a layer is made, and that a model file has not. */
  static Set<String> settings() {
    return Set.of("rows", "kernel", "bias", "tie");
  }

  // ------------------------------------------------------------------------------- layers

  @Override
  Weights embedding(Json.Fields layer, String name, int vocabulary) {
    Optional<Json> tie = layer.find("tie");
    if (tie.isPresent()) {
      String shared = tied(tie.get(), "data");
      entries.put(name, Map.of("weights", Map.of("data", shared)));
      layer.find("size");
      return Weights.of(Convention.ONNX, Map.of("data", tensors.get(shared)));
    }
    int rows = vocabulary > 0 ? vocabulary : layer.require("rows").integer(1);
    int size = layer.require("size").integer(1);
    Tensor data = normal(name + ".data", 1 / Math.sqrt(size), rows, size);
    scales.put(name + ".data", new long[] {rows, 1});
    return known(name, Map.of("data", data));
  }

  @Override
  Weights dense(Json.Fields layer, String name, Value input) {
    int inputs = last(layer, input);
    int size = layer.find("size").map(s -> s.integer(1)).orElse(scores);
    if (size == 0) {
      throw layer.object().error("needs a \"size\"");
    }
    Map<String, Tensor> parts = new LinkedHashMap<>();
    Tensor bias = layer.bool("bias", true) ? constant(name + ".C", 0, size) : null;
    Optional<Json> tie = layer.find("tie");
    if (tie.isPresent()) {
      String shared = tied(tie.get(), "data");
      Map<String, String> names = new LinkedHashMap<>();
      names.put("weight", shared);
      parts.put("weight", tensors.get(shared));
      if (bias != null) {
        names.put("bias", name + ".C");
        parts.put("bias", bias);
      }
      entries.put(name, Map.of("convention", "pytorch", "weights", names));
      return Weights.of(Convention.PYTORCH, parts);
    }
    parts.put("B", matrix(name + ".B", inputs, size));
    if (bias != null) {
      parts.put("C", bias);
    }
    return known(name, parts);
  }

  @Override
  Weights layerNorm(Json.Fields layer, String name, Value input) {
    int size = last(layer, input);
    return known(
        name,
        Map.of("Scale", constant(name + ".Scale", 1, size), "B", constant(name + ".B", 0, size)));
  }

  @Override
  Weights convolution(Json.Fields layer, String name, Value input) {
    List<Json> kernel = layer.require("kernel").items();
    int size = layer.require("size").integer(1);
    int groups = layer.find("groups").map(g -> g.integer(1)).orElse(1);
    String axes = layer.find("axes").map(Json::string).orElse("channels_first");
    int axis = axes.equals("channels_first") ? 1 : input.rank() - 1;
    Dim channels = input.dim(axis);
    if (!channels.isKnown() || channels.size() % groups != 0) {
      throw layer.object().error("works on " + input + ", whose channels are not known");
    }
    long[] dims = new long[2 + kernel.size()];
    dims[0] = size;
    dims[1] = channels.size() / groups;
    long field = 1;
    for (int i = 0; i < kernel.size(); i++) {
      dims[2 + i] = kernel.get(i).integer(1);
      field *= dims[2 + i];
    }
    Map<String, Tensor> parts = new LinkedHashMap<>();
    parts.put("W", uniform(name + ".W", (double) (dims[1] * field), (double) (size * field), dims));
    long[] filters = new long[dims.length];
    Arrays.fill(filters, 1);
    filters[0] = size;
    scales.put(name + ".W", filters);
    if (layer.bool("bias", true)) {
      parts.put("B", constant(name + ".B", 0, size));
    }
    return known(name, parts);
  }

  @Override
  Weights attention(Json.Fields layer, String name, Value queries, Dim memory) {
    int query = last(layer, queries);
    long source = memory.size();
    Map<String, Tensor> parts = new LinkedHashMap<>();
    if (layer.string("score").equals("general")) {
      parts.put("B", matrix(name + ".B", source, query));
      return known(name, parts);
    }
    int size = layer.require("size").integer(1);
    parts.put("query.B", matrix(name + ".query.B", query, size));
    parts.put("query.C", constant(name + ".query.C", 0, size));
    parts.put("memory.B", matrix(name + ".memory.B", source, size));
    parts.put("score.B", matrix(name + ".score.B", size, 1));
    return known(name, parts);
  }

  /** Weights of a recurrent layer, in one direction or both. */
  Weights recurrent(Json.Fields layer, String name, Value input, int directions) {
    int gates =
        switch (layer.string("type")) {
          case "lstm" -> 4;
          case "gru" -> 3;
          default -> 1;
        };
    int inputs = last(layer, input);
    int hidden = layer.require("hidden").integer(1);
    if (layer.has("layer_norm")) {
      throw layer
          .require("layer_norm")
          .error("cannot be trained within a recurrent layer; put a layer of this type behind it");
    }
    Map<String, Tensor> parts = new LinkedHashMap<>();
    parts.put("W", gates(name + ".W", directions * gates, inputs, hidden, directions));
    parts.put("R", orthogonal(name + ".R", directions * gates, hidden, directions));
    if (layer.bool("bias", true)) {
      boolean known = tensors.containsKey(name + ".B");
      Tensor bias = constant(name + ".B", 0, directions, 2L * gates * hidden);
      if (gates == 4 && !known) {
        for (int d = 0; d < directions; d++) {
          bias.select(0, d).slice(0, (long) FORGET * hidden, (FORGET + 1L) * hidden).fill(1);
        }
      }
      parts.put("B", bias);
    }
    return known(name, parts);
  }

  private String tied(Json tie, String part) {
    String name = tie.string() + "." + part;
    if (!tensors.containsKey(name)) {
      List<String> embeddings =
          tensors.keySet().stream()
              .filter(each -> each.endsWith("." + part))
              .map(each -> each.substring(0, each.length() - part.length() - 1))
              .toList();
      throw tie.error(
          "is "
              + Json.quoted(tie.string())
              + ", which is no embedding before it"
              + Names.didYouMean(tie.string(), embeddings));
    }
    return name;
  }

  private Weights known(String name, Map<String, Tensor> parts) {
    entries.put(name, Map.of("weights", name));
    return Weights.of(Convention.ONNX, parts);
  }

  private static int last(Json.Fields layer, Value input) {
    Dim last = input.dim(input.rank() - 1);
    if (!last.isKnown()) {
      throw layer.object().error("works on " + input + ", whose last size is not known");
    }
    return Math.toIntExact(last.size());
  }

  // ------------------------------------------------------------------------------- numbers

  private Random random(String name) {
    return new Random(seed * 0x9E3779B97F4A7C15L + name.hashCode());
  }

  /** Fills a new tensor, or returns that of the name. */
  private Tensor make(String name, long[] dims, java.util.function.Consumer<Tensor> fill) {
    Tensor known = tensors.get(name);
    if (known != null) {
      return known;
    }
    Tensor made = Tensor.allocate(arena, DType.FLOAT32, dims);
    fill.accept(made);
    tensors.put(name, made);
    return made;
  }

  private Tensor constant(String name, double value, long... dims) {
    return make(name, dims, tensor -> tensor.fill(value));
  }

  /** {@code [inputs, outputs]}. */
  private Tensor matrix(String name, long inputs, long outputs) {
    scales.put(name, new long[] {1, outputs});
    return uniform(name, (double) inputs, (double) outputs, inputs, outputs);
  }

  private Tensor uniform(String name, double fanIn, double fanOut, long... dims) {
    return make(name, dims, tensor -> uniform(tensor, random(name), fanIn, fanOut));
  }

  private static void uniform(Tensor tensor, Random random, double fanIn, double fanOut) {
    double bound = Math.sqrt(6 / (fanIn + fanOut));
    fill(tensor, () -> (2 * random.nextDouble() - 1) * bound);
  }

  private Tensor normal(String name, double deviation, long... dims) {
    Random random = random(name);
    return make(name, dims, tensor -> fill(tensor, () -> random.nextGaussian() * deviation));
  }

  private static void fill(Tensor tensor, java.util.function.DoubleSupplier numbers) {
    Tensor flat = tensor.reshape(tensor.elements());
    for (long i = 0; i < flat.elements(); i++) {
      flat.setFloat((float) numbers.getAsDouble(), i);
    }
  }

  /** {@code [directions, gates · hidden, inputs]}. */
  private Tensor gates(String name, int blocks, int inputs, int hidden, int directions) {
    long rows = (long) blocks / directions * hidden;
    scales.put(name, new long[] {directions, rows, 1});
    return make(
        name,
        new long[] {directions, rows, inputs},
        tensor -> uniform(tensor, random(name), inputs, hidden));
  }

  /** {@code [directions, gates · hidden, hidden]}, each gate an orthogonal matrix. */
  private Tensor orthogonal(String name, int blocks, int hidden, int directions) {
    long rows = (long) blocks / directions * hidden;
    scales.put(name, new long[] {directions, rows, 1});
    return make(
        name,
        new long[] {directions, rows, hidden},
        tensor -> {
          Random random = random(name);
          Tensor all = tensor.reshape(blocks, hidden, hidden);
          for (int block = 0; block < blocks; block++) {
            List<double[]> basis = new ArrayList<>();
            for (int row = 0; row < hidden; row++) {
              double[] vector = orthogonal(random, basis, hidden);
              basis.add(vector);
              for (int column = 0; column < hidden; column++) {
                all.setFloat((float) vector[column], block, row, column);
              }
            }
          }
        });
  }

  /** A random unit vector at right angles to others (Gram and Schmidt, twice for accuracy). */
  private static double[] orthogonal(Random random, List<double[]> basis, int size) {
    double[] vector = {};
    double norm = 0;
    while (norm < 1e-6) {
      vector = new double[size];
      for (int i = 0; i < size; i++) {
        vector[i] = random.nextGaussian();
      }
      for (int pass = 0; pass < 2; pass++) {
        for (double[] each : basis) {
          double dot = 0;
          for (int i = 0; i < size; i++) {
            dot += each[i] * vector[i];
          }
          for (int i = 0; i < size; i++) {
            vector[i] -= dot * each[i];
          }
        }
      }
      norm = 0;
      for (double each : vector) {
        norm += each * each;
      }
      norm = Math.sqrt(norm);
    }
    for (int i = 0; i < size; i++) {
      vector[i] /= norm;
    }
    return vector;
  }
}

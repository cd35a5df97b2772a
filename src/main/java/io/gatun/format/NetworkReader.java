package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.layer.Attention;
import io.gatun.layer.Convention;
import io.gatun.layer.Convolution;
import io.gatun.layer.Dense;
import io.gatun.layer.Embedding;
import io.gatun.layer.Gru;
import io.gatun.layer.Layer;
import io.gatun.layer.LayerNorm;
import io.gatun.layer.Layers;
import io.gatun.layer.Lstm;
import io.gatun.layer.Merge;
import io.gatun.layer.Recurrent;
import io.gatun.layer.SimpleRnn;
import io.gatun.layer.StatefulExecution;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Reads one network of a model file, layer by layer, into a graph. For one graph and one thread.
 *
 * <p>What layers and weights refuse becomes a {@link ModelFormatException} with the line of the
 * layer.
 */
final class NetworkReader {
  /** The encoder's or network's input of tokens, int32 [time, batch]. */
  static final String TOKENS = "tokens";

  /** The input of lengths, int32 [batch]. */
  static final String LENGTHS = "lengths";

  /** The decoder's input of the token before, int32 [1, batch]. */
  static final String TOKEN = "token";

  /** A forced decoder's input of the tokens before, int32 [target_time, batch]. */
  static final String TARGET_TOKENS = "target.tokens";

  /** A forced decoder's input of lengths, int32 [batch]. */
  static final String TARGET_LENGTHS = "target.lengths";

  private static final String[] TYPES = {
    "embedding", "dense", "simple_rnn", "gru", "lstm", "layer_norm", "convolution", "attention",
    "dropout", "activation", "softmax", "log_softmax", "concat", "add", "multiply", "flatten",
    "reshape", "transpose", "swap_time_and_batch", "reverse_time", "constant", "operator", "one_hot"
  };

  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_RANK = 8;

  /** One-hot vectors of more symbols take a matrix of more than 64 MiB. */
  private static final int MAX_ONE_HOT = 4096;

  private final String prefix;
  private final LayerWeights weights;
  private final Graph.Builder graph;

  /** The encoder that a decoder hangs on; null for every other network. */
  private final NetworkReader encoder;

  private final int vocabulary;

  /** Whether a decoder goes through a whole target that is given, in the encoder's own graph. */
  private final boolean forced;

  /** Whether it is a graph within a node, which may be without inputs, and without layers. */
  private boolean within;

  /** Whether recurrent layers begin with states that are inputs, though there is no encoder. */
  private boolean carried;

  private final List<Model.State> states = new ArrayList<>();
  private final List<Model.Memory> memories = new ArrayList<>();
  private String attention;
  private Value last;

  /**
   * Makes a reader.
   *
   * @param prefix what the graph is called, and names of layers start with that have none
   * @param encoder the reader of the encoder if this reads a decoder, else null
   * @param vocabulary the number of tokens that go in; 0 if none do
   */
  NetworkReader(String prefix, LayerWeights weights, NetworkReader encoder, int vocabulary) {
    this(prefix, weights, encoder, vocabulary, false);
  }

  private NetworkReader(
      String prefix, LayerWeights weights, NetworkReader encoder, int vocabulary, boolean forced) {
    this.prefix = prefix;
    this.weights = weights;
    this.encoder = encoder;
    this.vocabulary = vocabulary;
    this.forced = forced;
    this.graph = forced ? encoder.graph : Graph.builder(prefix);
  }

  /**
   * Makes a reader of a decoder that is forced: its layers go on in the encoder's graph and compute
   * the scores of all tokens of a target at once, {@code [target_time, batch, vocabulary]}.
   */
  static NetworkReader forced(LayerWeights weights, NetworkReader encoder, int vocabulary) {
    return new NetworkReader("decoder", weights, encoder, vocabulary, true);
  }

  /** Lets recurrent layers begin where a stretch of time before ended: {@link #states} says how. */
  NetworkReader carried() {
    carried = true;
    return this;
  }

  List<Model.State> states() {
    return states;
  }

  List<Model.Memory> memories() {
    return memories;
  }

  String attention() {
    return attention;
  }

  /** The graph; the last thing to ask for, since a decoder may add to its encoder. */
  Graph graph() {
    return graph.build();
  }

  /** The graph as far as it is built, for what comes behind it. */
  Graph.Builder builder() {
    return graph;
  }

  /** The value that the last layer made. */
  Value last() {
    return last;
  }

  /** Reads the network. */
  void read(Json network) {
    Json.Fields fields = network.fields();
    inputs(fields, network);
    Json layersJson = fields.require("layers");
    List<Json> layers = layersJson.items();
    Optional<Json> outputs = fields.find("outputs");
    fields.done();
    boolean any = !layers.isEmpty() || (within && outputs.isPresent());
    if (!any || layers.size() > MAX_LAYERS) {
      throw layersJson.error("has " + layers.size() + " layers, expected 1 to " + MAX_LAYERS);
    }
    for (Json layer : layers) {
      try {
        addLayer(layer);
      } catch (IllegalArgumentException
          | UnsupportedOperationException
          | ArithmeticException
          | IndexOutOfBoundsException e) {
        throw layer.error("is not possible: " + e.getMessage(), e);
      }
    }
    if (outputs.isPresent()) {
      List<Json> names = outputs.get().items();
      if (names.isEmpty()) {
        throw outputs.get().error("is empty, expected the names of values");
      }
      names.forEach(name -> graph.output(value(name)));
      last = value(names.get(0));
    } else {
      graph.output(last);
    }
  }

  private void inputs(Json.Fields fields, Json network) {
    Optional<Json> stated = encoder == null ? fields.find("inputs") : Optional.empty();
    if (forced) {
      last = graph.input(TARGET_TOKENS, DType.INT32, "target_time", "batch");
      graph.input(TARGET_LENGTHS, DType.INT32, "batch");
    } else if (encoder != null) {
      last = graph.input(TOKEN, DType.INT32, 1, "batch");
    } else if (stated.isEmpty()) {
      if (vocabulary == 0) {
        throw network.error("has no \"inputs\", and the model has no \"source\" of tokens");
      }
      last = graph.input(TOKENS, DType.INT32, "time", "batch");
      graph.input(LENGTHS, DType.INT32, "batch");
    } else {
      for (Json input : stated.get().items()) {
        Value value = input(input);
        last = last == null ? value : last;
      }
      if (last == null && !within) {
        throw stated.get().error("is empty, expected at least one input");
      }
    }
  }

  private Value input(Json input) {
    Json.Fields fields = input.fields();
    String name = fields.string("name");
    DType type =
        fields
            .find("type")
            .map(label -> label.oneOf(DType.values(), DType::label))
            .orElse(DType.FLOAT32);
    List<Object> dims = new ArrayList<>();
    for (Json dim : fields.require("shape").items()) {
      if (dim.kind() == Json.Kind.STRING) {
        dims.add(symbol(dim));
      } else {
        dims.add(Dim.of(dim.integer(0)));
      }
    }
    if (dims.size() > MAX_RANK) {
      throw input.error("has " + dims.size() + " axes, expected at most " + MAX_RANK);
    }
    fields.done();
    if (name.isEmpty() || graph.find(name) != null) {
      throw input.error("has the name " + Json.quoted(name) + ", expected one of its own");
    }
    return graph.input(name, type, dims.toArray());
  }

  private static Dim symbol(Json dim) {
    if (!dim.string().matches("[A-Za-z_][A-Za-z_0-9]*")) {
      throw dim.error(
          "is " + Json.quoted(dim.string()) + ", expected a size or a name such as \"time\"");
    }
    return Dim.symbol(dim.string());
  }

  // ------------------------------------------------------------------------------- layers

  /** Adds what a layer is to the graph. */
  private interface Step {
    Value add();
  }

  private void addLayer(Json layer) {
    Json.Fields fields = layer.fields();
    String type = fields.require("type").oneOf(TYPES);
    String name = fields.string("name", prefix + "." + type);
    if (name.isEmpty()) {
      throw layer.error("has an empty name");
    }
    Value known = graph.find(name);
    if (known == null && encoder != null) {
      known = encoder.graph.find(name);
    }
    if (known != null) {
      throw layer.error(
          "is called "
              + Json.quoted(name)
              + ", and so is something before it; each layer needs a"
              + " \"name\" of its own");
    }
    List<Value> from =
        switch (type) {
          case "constant" -> List.of();
          case "operator" -> operands(fields);
          default -> from(fields);
        };
    Step step =
        switch (type) {
          case "embedding" -> embedding(fields, name, from);
          case "one_hot" -> oneHot(fields, name, from);
          case "dense" -> dense(fields, name, from);
          case "simple_rnn" -> simpleRnn(fields, name, from);
          case "gru" -> gru(fields, name, from);
          case "lstm" -> lstm(fields, name, from);
          case "layer_norm" -> layerNorm(fields, name, from);
          case "convolution" -> convolution(fields, name, from);
          case "attention" -> attention(fields, name, from);
          case "constant" -> constant(fields, name);
          case "operator" -> operator(fields, name, from);
          default -> withoutWeights(type, fields, name, from);
        };
    fields.done();
    Value added = step.add();
    if (!type.equals("constant")) {
      last = added;
    }
  }

  /** The values a layer works on: those it names, or what the layer before it made. */
  private List<Value> from(Json.Fields fields) {
    Optional<Json> from = fields.find("from");
    if (from.isEmpty()) {
      if (last == null) {
        throw fields.object().error("has no \"from\", and there is nothing before it");
      }
      return List.of(last);
    }
    if (from.get().kind() == Json.Kind.STRING) {
      return List.of(value(from.get()));
    }
    List<Value> values = from.get().items().stream().map(this::value).toList();
    if (values.isEmpty()) {
      throw from.get().error("is empty, expected the names of values");
    }
    return values;
  }

  /** Those of an operator, of which some may be left out: {@code null}. */
  private List<Value> operands(Json.Fields fields) {
    Optional<Json> from = fields.find("from");
    if (from.isEmpty() || from.get().kind() == Json.Kind.STRING) {
      return from(fields);
    }
    List<Value> values = new ArrayList<>();
    for (Json name : from.get().items()) {
      values.add(name.kind() == Json.Kind.NULL ? null : value(name));
    }
    return values;
  }

  private Value value(Json name) {
    return find(graph, name);
  }

  private static Value find(Graph.Builder graph, Json name) {
    Value value = graph.find(name.string());
    if (value == null) {
      List<String> names =
          graph.values().stream().filter(v -> v.constant() == null).map(Value::name).toList();
      throw name.error(
          "is "
              + Json.quoted(name.string())
              + ", but there is no such value before it"
              + Names.didYouMean(name.string(), names));
    }
    return value;
  }

  private static Value only(Json.Fields fields, List<Value> from) {
    if (from.size() != 1) {
      throw fields.require("from").error("names " + from.size() + " values, expected one");
    }
    return from.get(0);
  }

  private Step embedding(Json.Fields fields, String name, List<Value> from) {
    Value tokens = only(fields, from);
    Optional<Json> size = fields.find("size");
    boolean fromText =
        tokens.name().equals(TOKENS)
            || tokens.name().equals(TOKEN)
            || tokens.name().equals(TARGET_TOKENS);
    Weights parts = weights.embedding(fields, name, fromText ? vocabulary : 0);
    return () -> {
      Embedding layer = Embedding.of(name, parts);
      check(size, layer.outputSize(), "the weights are of size");
      if (fromText && layer.rows() < vocabulary) {
        throw fields
            .object()
            .error(
                "has a table of "
                    + layer.rows()
                    + " rows, but the vocabulary has "
                    + vocabulary
                    + " symbols");
      }
      return layer.apply(graph, tokens);
    };
  }

  /** Tokens as vectors that are 1 at one place: rows of a matrix that is 1 on its diagonal. */
  private Step oneHot(Json.Fields fields, String name, List<Value> from) {
    Value tokens = only(fields, from);
    Optional<Json> stated = fields.find("size");
    int size = stated.isPresent() ? (int) stated.get().integer(1, MAX_ONE_HOT) : vocabulary;
    if (size == 0 || size > MAX_ONE_HOT) {
      throw fields
          .object()
          .error("is of size " + size + ", expected 1 to " + MAX_ONE_HOT + "; use an embedding");
    }
    return () -> {
      ByteBuffer ones =
          ByteBuffer.allocateDirect(size * size * Float.BYTES).order(ByteOrder.nativeOrder());
      for (int i = 0; i < size; i++) {
        ones.putFloat((i * size + i) * Float.BYTES, 1);
      }
      Value table = graph.constant(name + ".ones", Tensor.wrap(ones, DType.FLOAT32, size, size));
      return graph.node(name, "Gather", Attributes.of("axis", 0), table, tokens);
    };
  }

  private Step dense(Json.Fields fields, String name, List<Value> from) {
    Value input = only(fields, from);
    Optional<Json> size = fields.find("size");
    Dense.Builder builder = Dense.builder(name).weights(weights.dense(fields, name, input));
    fields.find("activation").ifPresent(a -> builder.activation(activation(a)));
    return () -> {
      Dense layer = builder.build();
      check(size, layer.outputSize(), "the weights are of size");
      return layer.apply(graph, input);
    };
  }

  private Step layerNorm(Json.Fields fields, String name, List<Value> from) {
    Value input = only(fields, from);
    Weights parts = weights.layerNorm(fields, name, input);
    float epsilon = (float) fields.number("epsilon", 1e-5);
    return () -> apply(LayerNorm.of(name, parts, epsilon), input);
  }

  private Value apply(Layer layer, Value input) {
    return layer.apply(graph, input);
  }

  private Step convolution(Json.Fields fields, String name, List<Value> from) {
    Value input = only(fields, from);
    Convolution.Builder builder =
        Convolution.builder(name).weights(weights.convolution(fields, name, input));
    fields.find("activation").ifPresent(a -> builder.activation(activation(a)));
    fields.find("strides").ifPresent(s -> builder.strides(longs(s, 1, Integer.MAX_VALUE)));
    fields.find("dilations").ifPresent(d -> builder.dilations(longs(d, 1, Integer.MAX_VALUE)));
    builder.groups(fields.integer("groups", 1, 1));
    fields
        .find("padding")
        .ifPresent(
            padding -> {
              if (padding.kind() == Json.Kind.ARRAY) {
                builder.pads(longs(padding, 0, Integer.MAX_VALUE));
              } else {
                String kind = padding.oneOf("valid", "same", "causal");
                if (kind.equals("same")) {
                  builder.same();
                } else if (kind.equals("causal")) {
                  builder.causal();
                }
              }
            });
    String[] orders = {"channels_first", "channels_last", "time_first"};
    String axes = fields.find("axes").map(a -> a.oneOf(orders)).orElse(orders[0]);
    if (axes.equals("channels_last")) {
      builder.channelsLast();
    } else if (axes.equals("time_first")) {
      builder.timeFirst();
    }
    Optional<Json> size = fields.find("size");
    return () -> {
      Convolution layer = builder.build();
      check(size, layer.outputSize(), "the weights make");
      return layer.apply(graph, input);
    };
  }

  private Step simpleRnn(Json.Fields fields, String name, List<Value> from) {
    SimpleRnn.Builder builder = SimpleRnn.builder(name);
    fields.find("activation").ifPresent(a -> builder.activation(activation(a)));
    RecurrentOptions options = recurrent(fields, name, builder, from);
    return () -> unroll(builder.build(), options);
  }

  private Step gru(Json.Fields fields, String name, List<Value> from) {
    Gru.Builder builder = Gru.builder(name);
    fields.find("activation").ifPresent(a -> builder.activation(activation(a)));
    fields.find("recurrent_activation").ifPresent(a -> builder.recurrentActivation(activation(a)));
    fields.find("reset_after").ifPresent(r -> builder.resetAfter(r.bool()));
    RecurrentOptions options = recurrent(fields, name, builder, from);
    return () -> unroll(builder.build(), options);
  }

  private Step lstm(Json.Fields fields, String name, List<Value> from) {
    Lstm.Builder builder = Lstm.builder(name);
    Optional<Activation> gates = fields.find("recurrent_activation").map(NetworkReader::activation);
    Optional<Activation> candidate = fields.find("activation").map(NetworkReader::activation);
    Optional<Activation> output = fields.find("output_activation").map(NetworkReader::activation);
    Activation g = candidate.orElse(Activation.TANH);
    builder.activations(gates.orElse(Activation.SIGMOID), g, output.orElse(g));
    fields.find("forget_bias").ifPresent(b -> builder.forgetBias(b.number()));
    if (fields.bool("coupled", false)) {
      builder.coupled();
    }
    RecurrentOptions options = recurrent(fields, name, builder, from);
    return () -> unroll(builder.build(), options);
  }

  private record RecurrentOptions(
      Json layer, Value input, Value lengths, Optional<Json> initial, boolean twoDirections) {}

  private RecurrentOptions recurrent(
      Json.Fields fields, String name, Recurrent.Builder<?> builder, List<Value> from) {
    Value input = only(fields, from);
    Optional<Json> merge = fields.find("bidirectional");
    if (weights instanceof FreshWeights fresh) {
      builder.weights(fresh.recurrent(fields, name, input, merge.isPresent() ? 2 : 1));
      merge.map(NetworkReader::merge).ifPresent(builder::bidirectional);
    } else {
      directions(fields, merge, builder);
    }
    return recurrentOptions(fields, input, merge, builder);
  }

  private static Merge merge(Json value) {
    return Merge.of(value.oneOf("concat", "sum", "mean", "product"));
  }

  /** The weights of a recurrent layer's one or two directions. */
  private void directions(Json.Fields fields, Optional<Json> merge, Recurrent.Builder<?> builder) {
    Convention convention = weights.convention(fields);
    Json parts = fields.require("weights");
    int index = fields.integer("index", 0, 0);
    Optional<Json> backward = fields.find("backward");
    builder.weights(weights.recurrent(parts, convention, index, false));
    if (merge.isPresent()) {
      Merge how = merge(merge.get());
      if (backward.isPresent()) {
        builder.bidirectional(how, weights.recurrent(backward.get(), convention, index, false));
      } else if (convention == Convention.PYTORCH && LayerWeights.hasPrefix(parts)) {
        builder.bidirectional(how, weights.recurrent(parts, convention, index, true));
      } else if (convention == Convention.ONNX) {
        builder.bidirectional(how);
      } else {
        throw merge.get().error("needs the weights of the second direction as \"backward\"");
      }
    } else if (backward.isPresent()) {
      throw backward.get().error("needs \"bidirectional\": how the two directions are joined");
    } else if (convention == Convention.PYTORCH && LayerWeights.hasPrefix(parts)) {
      weights.refuseSecondDirection(parts, index);
    }
  }

  private RecurrentOptions recurrentOptions(
      Json.Fields fields, Value input, Optional<Json> merge, Recurrent.Builder<?> builder) {
    if (fields.bool("reversed", false)) {
      builder.reversed();
    }
    if (fields.bool("go_backwards", false)) {
      builder.goBackwards();
    }
    builder.returnSequences(fields.bool("return_sequences", true));
    fields.find("clip").ifPresent(c -> builder.clip((float) c.number()));
    fields.find("layer_norm").ifPresent(e -> builder.layerNorm((float) e.number()));
    fields.find("hidden").ifPresent(h -> builder.hiddenSize(h.integer(1)));
    Value lengths =
        forced ? graph.find(TARGET_LENGTHS) : encoder == null ? graph.find(LENGTHS) : null;
    if (fields.isNull("lengths")) {
      lengths = null;
    } else if (fields.has("lengths")) {
      lengths = value(fields.require("lengths"));
    }
    Optional<Json> initial = fields.find("initial_state");
    return new RecurrentOptions(fields.object(), input, lengths, initial, merge.isPresent());
  }

  private Value unroll(Recurrent layer, RecurrentOptions options) {
    if (encoder == null) {
      return carried ? unrollCarried(layer, options) : unrollFrom(layer, options);
    }
    if (options.twoDirections()) {
      throw options.layer().error("has two directions, but a decoder sees no later token");
    }
    if (forced) {
      return unrollFrom(layer, options);
    }
    Recurrent.State before = layer.stateInputs(graph, DType.FLOAT32, "batch");
    Recurrent.Result result = layer.unroll(graph, options.input(), options.lengths(), before);
    List<StatefulExecution.Carry> carries = result.carries();
    List<Optional<String>> sources = sources(options, carries.size());
    for (int i = 0; i < carries.size(); i++) {
      StatefulExecution.Carry carry = carries.get(i);
      states.add(new Model.State(carry.input(), carry.output(), sources.get(i)));
    }
    return result.value();
  }

  /** All time steps, from a state that is a value of the same graph, or zeros. */
  private Value unrollFrom(Recurrent layer, RecurrentOptions options) {
    List<Optional<String>> from = sources(options, layer instanceof Lstm ? 2 : 1);
    Value hidden = from.get(0).map(graph::find).orElse(null);
    Value cell = from.size() < 2 ? null : from.get(1).map(graph::find).orElse(null);
    Recurrent.State initial =
        hidden == null && cell == null ? null : new Recurrent.State(hidden, cell);
    return layer.unroll(graph, options.input(), options.lengths(), initial).value();
  }

  private Value unrollCarried(Recurrent layer, RecurrentOptions options) {
    Map<String, Json> said = options.layer().members();
    if (options.initial().isPresent()) {
      throw options
          .initial()
          .get()
          .error("is what \"truncate\" of the training carries over itself");
    }
    for (String key : List.of("bidirectional", "reversed", "go_backwards")) {
      if (said.containsKey(key)) {
        throw said.get(key)
            .error("looks ahead, which \"truncate\" of the training has no place for");
      }
    }
    Recurrent.State before = layer.stateInputs(graph, DType.FLOAT32, "batch");
    Recurrent.Result result = layer.unroll(graph, options.input(), options.lengths(), before);
    for (StatefulExecution.Carry carry : result.carries()) {
      states.add(new Model.State(carry.input(), carry.output(), Optional.empty()));
    }
    return result.value();
  }

  /**
   * Where the states of a layer begin: the hidden one, and an LSTM's cell. Those of a decoder are
   * values of the encoder, those of other networks their own.
   */
  private List<Optional<String>> sources(RecurrentOptions options, int count) {
    if (options.initial().isEmpty()) {
      return List.of(Optional.empty(), Optional.empty());
    }
    Graph.Builder where = encoder == null ? graph : encoder.graph;
    Json initial = options.initial().get();
    if (initial.kind() == Json.Kind.OBJECT) {
      Json.Fields fields = initial.fields();
      Optional<String> hidden = fields.find("hidden").map(v -> find(where, v).name());
      Optional<String> cell =
          count == 1 ? Optional.empty() : fields.find("cell").map(v -> find(where, v).name());
      fields.done();
      return List.of(hidden, cell);
    }
    String layer = initial.string();
    Value hidden = where.find(layer + ".hidden");
    if (hidden == null) {
      hidden = find(where, initial);
    }
    Value cell = count == 1 ? null : where.find(layer + ".cell");
    if (count == 2 && cell == null) {
      throw initial.error(
          "is "
              + Json.quoted(layer)
              + ", which has no cell state; write {\"hidden\": …, \"cell\":"
              + " …}, and leave out what begins as zeros");
    }
    return List.of(Optional.of(hidden.name()), Optional.ofNullable(cell).map(Value::name));
  }

  private Step attention(Json.Fields fields, String name, List<Value> from) {
    Value queries = only(fields, from);
    Json memoryName = fields.require("memory");
    String score = fields.require("score").oneOf("dot", "general", "additive");
    double scale = fields.number("scale", 1);
    Attention layer =
        switch (score) {
          case "dot" -> Attention.dot(name, scale);
          case "general" ->
              Attention.general(name, weights.attention(fields, name, queries, size(memoryName)));
          default ->
              Attention.additive(name, weights.attention(fields, name, queries, size(memoryName)));
        };
    return () -> {
      if (encoder == null || forced) {
        Value memory = value(memoryName);
        return layer.apply(graph, queries, memory, graph.find(LENGTHS)).context();
      }
      Value source = find(encoder.graph, memoryName);
      Value memory = memory(name + ".memory", source);
      // What depends on the memory alone belongs to the encoder: it is computed once.
      Value keys =
          score.equals("dot")
              ? memory
              : memory(name + ".memory_keys", layer.keys(encoder.graph, source));
      Value lengths = graph.find(LENGTHS);
      if (lengths == null && encoder.graph.find(LENGTHS) != null) {
        lengths = graph.input(LENGTHS, DType.INT32, "batch");
        memories.add(new Model.Memory(LENGTHS, LENGTHS));
      }
      Attention.Result result = layer.apply(graph, queries, keys, memory, lengths);
      attention = Layers.swapTimeAndBatch(graph, name + ".alignment", result.weights()).name();
      return result.context();
    };
  }

  /** The size of what is attended to. */
  private Dim size(Json memoryName) {
    Value memory = find(encoder == null ? graph : encoder.graph, memoryName);
    return memory.dim(memory.rank() - 1);
  }

  /** An input that holds a value of the encoder at every step. */
  private Value memory(String name, Value source) {
    if (source.rank() != 3) {
      throw new IllegalArgumentException(
          source + " cannot be attended to, expected [time, batch, size]");
    }
    memories.add(new Model.Memory(name, source.name()));
    return graph.input(name, source.type(), "source_time", "batch", source.dim(2));
  }

  private Step constant(Json.Fields fields, String name) {
    Json tensor = fields.require("tensor");
    return () -> graph.constant(name, weights.tensor(tensor));
  }

  private Step operator(Json.Fields fields, String name, List<Value> from) {
    String operator = fields.string("operator");
    List<Object> attributes = new ArrayList<>();
    fields
        .find("attributes")
        .ifPresent(
            given ->
                given
                    .members()
                    .forEach(
                        (key, value) -> {
                          attributes.add(key);
                          attributes.add(attribute(name + "." + key, value));
                        }));
    List<String> outputs = fields.find("outputs").map(Json::strings).orElseGet(() -> List.of(name));
    return () ->
        graph.node(name, operator, Attributes.of(attributes.toArray()), from, outputs).get(0);
  }

  /**
   * Whole numbers, other numbers, strings, truths, lists of one of these, a tensor of the weights,
   * and a graph.
   */
  private Object attribute(String name, Json value) {
    return switch (value.kind()) {
      case STRING -> value.string();
      case BOOLEAN -> value.bool();
      case NUMBER ->
          value.isWhole() ? (Object) value.integer(Long.MIN_VALUE, Long.MAX_VALUE) : value.number();
      case ARRAY -> {
        List<Json> items = value.items();
        if (!items.isEmpty() && items.stream().allMatch(item -> item.kind() == Json.Kind.STRING)) {
          yield value.strings();
        }
        if (items.stream().allMatch(Json::isWhole)) {
          yield longs(value, Long.MIN_VALUE, Long.MAX_VALUE);
        }
        float[] numbers = new float[items.size()];
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = (float) items.get(i).number();
        }
        yield numbers;
      }
      case OBJECT -> {
        Json.Fields fields = value.fields();
        Optional<Json> graphWithin = fields.find("graph");
        if (graphWithin.isPresent()) {
          fields.done();
          NetworkReader reader = new NetworkReader(name, weights, null, 0);
          reader.within = true;
          reader.read(graphWithin.get());
          yield reader.graph();
        }
        Json tensor = fields.require("tensor");
        fields.done();
        yield Constant.of(weights.tensor(tensor));
      }
      default -> throw value.error("is no attribute: a number, a string, or a list of these");
    };
  }

  private Step withoutWeights(String type, Json.Fields fields, String name, List<Value> from) {
    if (type.equals("concat")) {
      long stated = fields.find("axis").map(a -> a.integer(-MAX_RANK, MAX_RANK)).orElse(-1L);
      int axis = (int) stated;
      return () -> Layers.concat(graph, name, axis, from.toArray(new Value[0]));
    }
    if (type.equals("add") || type.equals("multiply")) {
      if (from.size() != 2) {
        throw fields.object().error("needs two values in \"from\", there are " + from.size());
      }
      return () ->
          type.equals("add")
              ? Layers.add(graph, name, from.get(0), from.get(1))
              : Layers.multiply(graph, name, from.get(0), from.get(1));
    }
    Value input = only(fields, from);
    return switch (type) {
      case "dropout" -> {
        double rate = fields.number("rate", 0.5);
        yield () -> Layers.dropout(graph, name, rate, input);
      }
      case "activation" -> {
        Activation function = activation(fields.require("activation"));
        yield () -> Layers.activation(graph, name, function, input);
      }
      case "softmax" -> () -> Layers.softmax(graph, name, input);
      case "log_softmax" -> () -> Layers.logSoftmax(graph, name, input);
      case "flatten" -> () -> Layers.flatten(graph, name, input);
      case "reshape" -> {
        long[] dims = longs(fields.require("shape"), -1, Integer.MAX_VALUE);
        yield () -> Layers.reshape(graph, name, input, dims);
      }
      case "transpose" -> {
        long[] axes = longs(fields.require("permutation"), 0, MAX_RANK);
        int[] permutation = Arrays.stream(axes).mapToInt(axis -> (int) axis).toArray();
        yield () -> Layers.transpose(graph, name, input, permutation);
      }
      case "swap_time_and_batch" -> () -> Layers.swapTimeAndBatch(graph, name, input);
      case "reverse_time" -> () -> Layers.reverseTime(graph, name, input);
      default -> throw new AssertionError(type);
    };
  }

  // ------------------------------------------------------------------------------- values

  private static Activation activation(Json value) {
    try {
      if (value.kind() != Json.Kind.OBJECT) {
        return Activation.of(value.string());
      }
      Json.Fields fields = value.fields();
      Activation plain = Activation.of(fields.string("name"));
      Activation function =
          new Activation(
              plain.kind(),
              (float) fields.number("alpha", plain.alpha()),
              (float) fields.number("beta", plain.beta()));
      fields.done();
      return function;
    } catch (IllegalArgumentException e) {
      throw value.error("is not possible: " + e.getMessage(), e);
    }
  }

  private static long[] longs(Json list, long least, long most) {
    return list.items().stream().mapToLong(item -> item.integer(least, most)).toArray();
  }

  private static void check(Optional<Json> stated, int came, String weightsSay) {
    if (stated.isPresent() && stated.get().integer(1) != came) {
      throw stated
          .get()
          .error(
              String.format(
                  Locale.ROOT, "is %d, but %s %d", stated.get().integer(1), weightsSay, came));
    }
  }
}

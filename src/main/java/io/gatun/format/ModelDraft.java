package io.gatun.format;

import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;

/**
 * A network whose weights are yet to be trained. It is described in the words of a model file, but
 * the layers say how large they are instead of where their weights lie: {@code size} and {@code
 * hidden} must be there, and besides
 *
 * <ul>
 *   <li>{@code size} of an additive attention;
 *   <li>{@code kernel}: the sizes of a convolution's kernel;
 *   <li>{@code rows}: how many rows an embedding has that does not read the model's own tokens;
 *   <li>{@code bias}: false for a layer without one;
 *   <li>{@code tie}: the name of an embedding before it whose table an embedding shares, or a dense
 *       layer uses transposed.
 * </ul>
 *
 * <p>A dense layer without {@code size} has as many outputs as there are labels or target symbols.
 *
 * <p>The graphs look at {@link #parameters()}, which lie in the caller's arena: to change their
 * numbers is to change the network, as far as plans have not packed them. Immutable but for them;
 * {@link #write} must not run while they are changed.
 */
public final class ModelDraft {
  private static final int INLINE_SYMBOLS = 300;

  private final Json config;
  private final Model model;
  private final Graph training;
  private final List<Model.State> carried;
  private final FreshWeights weights;
  private final TextCodec source;
  private final TextCodec target;
  private final Vocabulary labels;

  private ModelDraft(
      Json config,
      Model model,
      Graph training,
      List<Model.State> carried,
      FreshWeights weights,
      TextCodec source,
      TextCodec target,
      Vocabulary labels) {
    this.config = config;
    this.model = model;
    this.training = training;
    this.carried = List.copyOf(carried);
    this.weights = weights;
    this.source = source;
    this.target = target;
    this.labels = labels;
  }

  /**
   * Makes a network.
   *
   * @param config an object with {@code kind}, {@code encoder} and {@code decoder} or {@code
   *     network}, and if they are wanted {@code name}, {@code description}, {@code license}, {@code
   *     origin}, {@code generation}; other members are left alone
   * @param source how text becomes tokens; {@code null} if the network reads no text
   * @param target how tokens become text; {@code null} but for an encoder–decoder
   * @param labels what the scores stand for; {@code null} but for a classifier or tagger
   * @param arena where the parameters are allocated; it must stay open as long as they are used
   * @param seed of the random numbers they begin with
   * @param stretches whether recurrent layers of {@link #training()} begin with states that are
   *     inputs, so that it can be run over one stretch of time after the other; for networks that
   *     are no encoder–decoder, and do not look ahead
   * @param loss adds nodes behind the scores to the graph that is {@link #training()}
   * @return the network
   * @throws ModelFormatException if the description is not possible, with file and line
   */
  public static ModelDraft of(
      Json config,
      TextCodec source,
      TextCodec target,
      Vocabulary labels,
      SharedArena arena,
      long seed,
      boolean stretches,
      BiConsumer<Graph.Builder, Value> loss) {
    Json.Fields fields = config.fields();
    Path file = Path.of(config.source());
    Model.Kind kind = fields.require("kind").oneOf(Model.Kind.values(), Model.Kind::label);
    Model.Description description =
        new Model.Description(
            fields.string("name", "network"),
            kind,
            fields.string("description", null),
            fields.string("license", null),
            fields.string("origin", null));
    Model.Codecs codecs = new Model.Codecs(source, target, labels);
    int scores = target != null ? target.vocabulary().size() : labels != null ? labels.size() : 0;
    FreshWeights weights = new FreshWeights(arena, seed, scores);
    int tokens = source == null ? 0 : source.vocabulary().size();
    Map<String, Graph> graphs = new LinkedHashMap<>();
    Model.Links links = new Model.Links(List.of(), List.of(), null);
    Model.Generation generation = Model.Generation.DEFAULT;
    Json last;
    Graph training;
    List<Model.State> carried = List.of();
    if (kind == Model.Kind.ENCODER_DECODER) {
      last = fields.require("decoder");
      NetworkReader encoder = encoder(fields, weights, tokens);
      NetworkReader decoder = new NetworkReader("decoder", weights, encoder, scores);
      decoder.read(last);
      graphs.put("encoder", encoder.graph());
      graphs.put("decoder", decoder.graph());
      links = new Model.Links(decoder.states(), decoder.memories(), decoder.attention());
      NetworkReader forced =
          NetworkReader.forced(weights, encoder(fields, weights, tokens), scores);
      forced.read(last);
      loss.accept(forced.builder(), forced.last());
      training = forced.graph();
      generation = ModelFolder.Reader.generation(fields.find("generation"), target);
    } else {
      last = fields.require("network");
      NetworkReader network = new NetworkReader("network", weights, null, tokens);
      network.read(last);
      graphs.put("network", network.graph());
      NetworkReader trained = new NetworkReader("network", weights, null, tokens);
      (stretches ? trained.carried() : trained).read(last);
      carried = trained.states();
      loss.accept(trained.builder(), trained.last());
      training = trained.graph();
    }
    Model model =
        new Model(file, description, null, graphs, links, codecs, generation, weights.unused());
    ModelFolder.Reader.checkScores(model, last, codecs);
    return new ModelDraft(config, model, training, carried, weights, source, target, labels);
  }

  private static NetworkReader encoder(Json.Fields fields, FreshWeights weights, int tokens) {
    NetworkReader encoder = new NetworkReader("encoder", weights, null, tokens);
    encoder.read(fields.require("encoder"));
    return encoder;
  }

  /** The states that one stretch of time hands to the next; empty where there are no stretches. */
  public List<Model.State> carried() {
    return carried;
  }

  /** Returns the network as the reader of model folders would, but without a file of weights. */
  public Model model() {
    return model;
  }

  /**
   * Returns the graph to be trained. Of an encoder–decoder it has the inputs {@code tokens} {@code
   * [time, batch]}, {@code lengths}, {@code target.tokens} {@code [target_time, batch]} and {@code
   * target.lengths}, and scores the token behind each of the target's.
   */
  public Graph training() {
    return training;
  }

  /** Returns the parameters by the names they have in a file, in the order of the layers. */
  public Map<String, Tensor> parameters() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    weights.names().forEach(name -> all.put(name, weights.tensor(name)));
    return Collections.unmodifiableMap(all);
  }

  // ------------------------------------------------------------------------------- writing

  /**
   * Writes the network as a model folder, whole or not at all: weights and vocabularies go under
   * names of their own and are forced to the disk, then the model file takes its place and what the
   * one before it used is removed. The folder is made if it is not there; other files in it stay.
   *
   * @param folder where to
   * @param parameters what to write under the names of {@link #parameters()}
   * @param type of the weights in the file: float32, float16 or bfloat16; or int8, for matrices,
   *     embeddings and convolutions of that type with a float32 scale for each output, as {@link
   *     io.gatun.kernel.WeightFormat#INT8} defines it, and everything else in float32
   * @param metadata what to keep with the weights
   * @throws IOException if it cannot be written; what was there before is as it was
   * @throws IllegalArgumentException if a weight is not finite, for int8
   */
  public void write(
      Path folder, Map<String, Tensor> parameters, DType type, Map<String, String> metadata)
      throws IOException {
    Files.createDirectories(folder);
    Names names = new Names(folder);
    List<Path> unused = names.fresh;
    try {
      write(names, parameters, type, metadata);
      unused = names.old;
    } finally {
      for (Path each : unused) {
        Files.deleteIfExists(each);
      }
    }
  }

  private void write(
      Names names, Map<String, Tensor> parameters, DType type, Map<String, String> metadata)
      throws IOException {
    Path weightsFile = names.free("weights", ".safetensors");
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("format", ModelFolder.FORMAT);
    for (String key : List.of("name", "kind", "description", "license", "origin")) {
      if (config.members().containsKey(key)) {
        json.put(key, config.members().get(key));
      }
    }
    // In one order in every process, which a Map.of has not: the same model is the same bytes.
    Map<String, Object> fileOfWeights = new LinkedHashMap<>();
    fileOfWeights.put("file", weightsFile.getFileName().toString());
    fileOfWeights.put("convention", "onnx");
    json.put("weights", fileOfWeights);
    if (source != null) {
      json.put("source", text(source, names, "source"));
    }
    if (target != null) {
      json.put("target", text(target, names, "target"));
    }
    if (labels != null) {
      json.put("labels", Map.of("vocabulary", vocabulary(labels, names, "labels")));
    }
    for (String network : List.of("encoder", "decoder", "network")) {
      if (config.members().containsKey(network)) {
        json.put(network, network(network, config.members().get(network)));
      }
    }
    if (config.members().containsKey("generation")) {
      json.put("generation", config.members().get("generation"));
    }
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      parameters.forEach(
          (name, tensor) -> {
            Optional<long[]> scale = weights.scale(name);
            if (type != DType.INT8) {
              tensors.put(name, tensor.to(arena, type));
            } else if (scale.isPresent()) {
              ScaledTensors.put(tensors, name, tensor, scale.get(), arena);
            } else {
              tensors.put(name, tensor.to(arena, DType.FLOAT32));
            }
          });
      Safetensors.write(weightsFile, tensors, metadata);
    }
    write(names.folder.resolve(ModelFolder.MODEL_FILE), JsonText.of(json));
  }

  private static void write(Path file, String text) throws IOException {
    try (ReplacedFile out = ReplacedFile.open(file)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
      out.commit();
    }
  }

  /** The names of a model's files in its folder. */
  private static final class Names {
    private final Path folder;

    /** What the model that is there now has under these names; of no use once it is replaced. */
    private final List<Path> old = new ArrayList<>();

    /** What nobody needs if it is not replaced after all. */
    private final List<Path> fresh = new ArrayList<>();

    Names(Path folder) {
      this.folder = folder;
    }

    /** A name that the model which is there now does not use. */
    Path free(String stem, String extension) {
      Path first = folder.resolve(stem + extension);
      Path second = folder.resolve(stem + "-2" + extension);
      boolean taken = Files.exists(first) && Files.exists(folder.resolve(ModelFolder.MODEL_FILE));
      old.add(taken ? first : second);
      Path free = taken ? second : first;
      if (!Files.exists(free)) {
        fresh.add(free);
      }
      return free;
    }
  }

  private static Map<String, Object> text(TextCodec codec, Names names, String stem)
      throws IOException {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("tokens", codec.tokens().label());
    if (codec.lowercase()) {
      json.put("lowercase", true);
    }
    json.put("separator", codec.separator());
    json.put("vocabulary", vocabulary(codec.vocabulary(), names, stem));
    Vocabulary symbols = codec.vocabulary();
    codec.pad().ifPresent(id -> json.put("pad", symbols.symbol(id)));
    codec.unknown().ifPresent(id -> json.put("unknown", symbols.symbol(id)));
    codec.start().ifPresent(id -> json.put("start", symbols.symbol(id)));
    codec.end().ifPresent(id -> json.put("end", symbols.symbol(id)));
    return json;
  }

  private static Object vocabulary(Vocabulary symbols, Names names, String stem)
      throws IOException {
    boolean lines = symbols.symbols().stream().noneMatch(each -> each.matches("(?s).*[\r\n].*"));
    if (symbols.size() <= INLINE_SYMBOLS || !lines) {
      return symbols.symbols();
    }
    Path file = names.free(stem, ".txt");
    write(file, String.join("\n", symbols.symbols()) + "\n");
    return Map.of("file", file.getFileName().toString());
  }

  /** The network with its weights, and without what said how to make them. */
  private Map<String, Object> network(String prefix, Json network) {
    Map<String, Object> json = new LinkedHashMap<>(network.members());
    List<Object> layers = new ArrayList<>();
    for (Json layer : network.members().get("layers").items()) {
      Map<String, Object> members = new LinkedHashMap<>(layer.members());
      members.keySet().removeAll(FreshWeights.settings());
      if (layer.members().get("type").string().equals("attention")) {
        members.remove("size");
      }
      Json.Fields fields = layer.fields();
      String name = fields.string("name", prefix + "." + fields.string("type"));
      members.putAll(weights.entry(name));
      layers.add(members);
    }
    json.put("layers", layers);
    return json;
  }
}

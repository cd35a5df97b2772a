package io.gatun.format;

import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the model folder: {@code model.json} (the network, where its weights are and in whose
 * convention, how text becomes tokens and back) beside its weights. {@code docs/model-folder.md}
 * describes it, {@code docs/model.schema.json} is its JSON schema.
 *
 * <pre>{@code
 * try (Model model = ModelFolder.open(Path.of("examples/g2p_en"))) {
 *   int[] tokens = model.source().orElseThrow().encode("hello");
 * }
 * }</pre>
 *
 * <p>Stateless and thread-safe.
 */
public final class ModelFolder {
  /** The name of the model file in its folder. */
  public static final String MODEL_FILE = "model.json";

  /** What a model file says of itself. */
  public static final String FORMAT = "gatun-model/1";

  private ModelFolder() {}

  /**
   * Opens a model with the weights that it names.
   *
   * @param model the folder, or the model file in it
   * @return the model; the caller closes it
   * @throws IOException if there is no such file, or it cannot be read
   * @throws ModelFormatException if the model file, its vocabularies or its weights are not what
   *     they should be, or do not fit each other; the message has file and line
   */
  public static Model open(Path model) throws IOException {
    return open(model, Optional.empty());
  }

  /**
   * Opens a model, with other weights if they are given.
   *
   * @param model the folder, or the model file in it
   * @param weights a file of tensors to use in place of the one that the model names
   * @return the model; the caller closes it
   * @throws IOException if there is no such file, or it cannot be read
   * @throws ModelFormatException if the model file, its vocabularies or its weights are not what
   *     they should be, or do not fit each other; the message has file and line
   */
  public static Model open(Path model, Optional<Path> weights) throws IOException {
    Path file = Files.isDirectory(model) ? model.resolve(MODEL_FILE) : model;
    return new Reader(file, Json.read(file)).read(weights);
  }

  /** Reads one model file. */
  static final class Reader {
    private final Path file;
    private final Path folder;
    private final Json.Fields fields;

    Reader(Path file, Json model) {
      this.file = file;
      this.folder = file.toAbsolutePath().getParent();
      this.fields = model.fields();
    }

    Model read(Optional<Path> otherWeights) throws IOException {
      Json format = fields.require("format");
      if (!format.string().equals(FORMAT)) {
        throw format.error("is " + Json.quoted(format.string()) + ", expected \"" + FORMAT + "\"");
      }
      fields.find("$schema").ifPresent(Json::string);
      Model.Kind kind = fields.require("kind").oneOf(Model.Kind.values(), Model.Kind::label);
      Model.Description description =
          new Model.Description(
              fields.string("name", String.valueOf(folder.getFileName())),
              kind,
              fields.string("description", null),
              fields.string("license", null),
              fields.string("origin", null));
      boolean pair = kind == Model.Kind.ENCODER_DECODER;
      boolean labelled = kind == Model.Kind.CLASSIFIER || kind == Model.Kind.TAGGER;
      TextCodec source = pair ? codec(fields.require("source")) : codec(fields.find("source"));
      TextCodec target = pair ? codec(fields.require("target")) : null;
      Vocabulary labels = labelled ? vocabulary(fields.require("labels").fields(), true) : null;
      Json weights = fields.require("weights");
      List<Json> networks = new ArrayList<>();
      for (String name : pair ? List.of("encoder", "decoder") : List.of("network")) {
        networks.add(fields.require(name));
      }
      Model.Generation generation =
          pair ? generation(fields.find("generation"), target) : Model.Generation.DEFAULT;
      fields.done();
      if (pair && target.start().isEmpty()) {
        throw fields.require("target").error("has no \"start\", the token before the first one");
      }
      Model.Codecs codecs = new Model.Codecs(source, target, labels);
      return read(description, weights, otherWeights, networks, codecs, generation);
    }

    private Model read(
        Model.Description description,
        Json weightsJson,
        Optional<Path> otherWeights,
        List<Json> networks,
        Model.Codecs codecs,
        Model.Generation generation)
        throws IOException {
      Json.Fields weightsFields = weightsJson.fields();
      Optional<Json> name = weightsFields.find("file");
      Optional<Convention> convention =
          weightsFields.find("convention").map(LayerWeights::convention);
      weightsFields.done();
      TensorFile tensors = openWeights(weightsJson, name, otherWeights);
      boolean opened = false;
      try {
        LayerWeights weights = new LayerWeights(new ScaledTensors(tensors), convention);
        Map<String, Graph> graphs = new LinkedHashMap<>();
        Model.Links links = build(networks, weights, codecs, graphs);
        Model model =
            new Model(
                file, description, tensors, graphs, links, codecs, generation, weights.unused());
        checkScores(model, networks.get(networks.size() - 1), codecs);
        opened = true;
        return model;
      } finally {
        if (!opened) {
          tensors.close();
        }
      }
    }

    private static Model.Links build(
        List<Json> networks, LayerWeights weights, Model.Codecs codecs, Map<String, Graph> graphs) {
      int sourceSize = codecs.source() == null ? 0 : codecs.source().vocabulary().size();
      if (networks.size() == 1) {
        NetworkReader network = new NetworkReader("network", weights, null, sourceSize);
        network.read(networks.get(0));
        graphs.put("network", network.graph());
        return new Model.Links(List.of(), List.of(), null);
      }
      NetworkReader encoder = new NetworkReader("encoder", weights, null, sourceSize);
      encoder.read(networks.get(0));
      int targetSize = codecs.target().vocabulary().size();
      NetworkReader decoder = new NetworkReader("decoder", weights, encoder, targetSize);
      decoder.read(networks.get(1));
      graphs.put("encoder", encoder.graph());
      graphs.put("decoder", decoder.graph());
      return new Model.Links(decoder.states(), decoder.memories(), decoder.attention());
    }

    /** The last axis of the scores is the vocabulary, or the labels. */
    static void checkScores(Model model, Json network, Model.Codecs codecs) {
      Vocabulary symbols = codecs.target() != null ? codecs.target().vocabulary() : codecs.labels();
      if (symbols == null) {
        return;
      }
      Value scores = model.logits();
      boolean fits =
          scores.rank() > 0
              && scores.dim(scores.rank() - 1).isKnown()
              && scores.dim(scores.rank() - 1).size() == symbols.size();
      int rank = model.kind() == Model.Kind.CLASSIFIER ? 2 : 3;
      if (!fits || scores.rank() != rank) {
        String axes =
            switch (model.kind()) {
              case ENCODER_DECODER -> "[1, batch, ";
              case CLASSIFIER -> "[batch, ";
              default -> "[time, batch, ";
            };
        throw network.error(
            "ends in "
                + scores
                + ", expected "
                + axes
                + symbols.size()
                + "], a score for each of "
                + (codecs.target() != null ? "the target's symbols" : "the labels"));
      }
    }

    private TensorFile openWeights(Json weights, Optional<Json> name, Optional<Path> other)
        throws IOException {
      if (other.isPresent()) {
        return TensorFile.open(other.get());
      }
      if (name.isEmpty()) {
        throw weights.error("has no \"file\", so the weights must be given beside the model");
      }
      Path path = inFolder(name.get());
      if (!Files.exists(path)) {
        throw name.get()
            .error(
                "is "
                    + Json.quoted(name.get().string())
                    + ", but there is no such file beside the model; put it there, or give another"
                    + " file of weights");
      }
      return TensorFile.open(path);
    }

    /** A file in the folder of the model, and nowhere else. */
    private Path inFolder(Json name) {
      String text = name.string();
      boolean fits = !text.isEmpty() && text.indexOf('\0') < 0 && text.indexOf('\\') < 0;
      if (fits) {
        Path relative = file.getFileSystem().getPath(text);
        fits = !relative.isAbsolute() && !text.startsWith("/") && !text.contains(":");
        for (Path part : relative) {
          fits &= !part.toString().equals("..");
        }
      }
      if (!fits) {
        throw name.error(
            "is " + Json.quoted(text) + ", expected the name of a file in the model's folder");
      }
      return folder.resolve(text);
    }

    private TextCodec codec(Optional<Json> side) throws IOException {
      return side.isPresent() ? codec(side.get()) : null;
    }

    private TextCodec codec(Json side) throws IOException {
      Json.Fields text = side.fields();
      Vocabulary vocabulary = vocabulary(text, false);
      TextCodec.Tokens tokens =
          text.require("tokens").oneOf(TextCodec.Tokens.values(), TextCodec.Tokens::label);
      TextCodec.Builder builder =
          TextCodec.builder(vocabulary)
              .tokens(tokens)
              .lowercase(text.bool("lowercase", false))
              .separator(text.string("separator", null))
              .start(symbol(text, "start", vocabulary))
              .end(symbol(text, "end", vocabulary))
              .pad(symbol(text, "pad", vocabulary))
              .unknown(symbol(text, "unknown", vocabulary));
      text.done();
      try {
        return builder.build();
      } catch (IllegalArgumentException e) {
        throw side.error("is not possible: " + e.getMessage(), e);
      }
    }

    private static String symbol(Json.Fields text, String key, Vocabulary vocabulary) {
      Optional<Json> value = text.find(key);
      if (value.isEmpty()) {
        return null;
      }
      String symbol = value.get().string();
      if (!vocabulary.contains(symbol)) {
        throw value
            .get()
            .error(
                "is "
                    + Json.quoted(symbol)
                    + ", which is not in the vocabulary"
                    + Names.didYouMean(symbol, vocabulary.symbols()));
      }
      return symbol;
    }

    private Vocabulary vocabulary(Json.Fields owner, boolean alone) throws IOException {
      Json value = owner.require("vocabulary");
      if (alone) {
        owner.done();
      }
      if (value.kind() == Json.Kind.OBJECT) {
        Json.Fields reference = value.fields();
        Json name = reference.require("file");
        reference.done();
        Path path = inFolder(name);
        if (!Files.exists(path)) {
          throw name.error(
              "is " + Json.quoted(name.string()) + ", but there is no such file beside the model");
        }
        return Vocabulary.read(path);
      }
      try {
        return Vocabulary.of(value.strings());
      } catch (IllegalArgumentException e) {
        throw value.error("is no vocabulary: " + e.getMessage(), e);
      }
    }

    static Model.Generation generation(Optional<Json> value, TextCodec target) {
      if (value.isEmpty()) {
        return Model.Generation.DEFAULT;
      }
      Model.Generation usual = Model.Generation.DEFAULT;
      Json.Fields wishes = value.get().fields();
      int maxLength = wishes.integer("max_length", 1, usual.maxLength());
      int minLength = wishes.integer("min_length", 0, usual.minLength());
      int beam = wishes.integer("beam", 1, usual.beam());
      int best = wishes.integer("n_best", 1, usual.nBest());
      double penalty = wishes.number("length_penalty", usual.lengthPenalty());
      int ngram = wishes.integer("no_repeat_ngram", 0, usual.noRepeatNgram());
      List<Integer> suppressed = new ArrayList<>();
      for (Json each : wishes.find("suppress").map(Json::items).orElse(List.of())) {
        int id = target.vocabulary().id(each.string(), -1);
        if (id < 0) {
          throw each.error("is " + Json.quoted(each.string()) + ", which the target has not");
        }
        suppressed.add(id);
      }
      wishes.done();
      if (minLength > maxLength) {
        throw value.get().error("has a min_length above its max_length of " + maxLength);
      }
      if (!(penalty >= 0 && penalty <= 10)) {
        throw wishes.require("length_penalty").error("is " + penalty + ", expected 0 to 10");
      }
      if (best > beam) {
        throw value.get().error("has n_best above its beam of " + beam);
      }
      return new Model.Generation(maxLength, minLength, beam, best, penalty, ngram, suppressed);
    }
  }
}

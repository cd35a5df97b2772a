package io.gatun.training;

import io.gatun.format.Json;
import io.gatun.format.Model;
import io.gatun.format.ModelFormatException;
import io.gatun.format.TextCodec;
import io.gatun.format.Vocabulary;
import io.gatun.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoublePredicate;

/**
 * What a person says of a training: a JSON file whose schema is {@code docs/train.schema.json} and
 * whose settings, with their defaults, {@code docs/training.md} explains. Reading it reads the data
 * too, so that whatever is wrong with either is found before any time is spent.
 *
 * <p>Immutable and thread-safe.
 */
public final class TrainingConfig {
  /** What a configuration says of itself. */
  public static final String FORMAT = "gatun-train/1";

  /** How batches are made. */
  record Batch(int sequences, int tokens, int pool, int longest) {}

  /** When the state is looked at, and what ends the training. */
  record Validation(String metric, int every, int patience, int limit) {}

  /** The share of target tokens that are given: from start to end, over so many epochs. */
  record ForcingSchedule(double start, double end, int epochs) {
    double at(int epoch) {
      return epochs == 0 || epoch >= epochs ? end : start + (end - start) * epoch / epochs;
    }
  }

  /** What the loss is. */
  record Loss(String type, double smoothing) {}

  private final Path file;
  private final Json json;
  private final Model.Kind kind;
  private final Path output;
  private final DType weightType;
  private final Split split;
  private final TextCodec source;
  private final TextCodec target;
  private final Vocabulary labels;
  private final Optional<Path> initial;
  private final long seed;
  private final int epochs;
  private final int steps;
  private final double minutes;
  private final Batch batch;
  private final Loss loss;
  private final Optimiser optimiser;
  private final Schedule schedule;
  private final double clip;
  private final ForcingSchedule forcing;
  private final Validation validation;
  private final int checkpointSteps;
  private final int shards;
  private final int averageFrom;
  private final int truncate;
  private final int threads;
  private final List<Json> frozen;

  /**
   * Reads a configuration and its data.
   *
   * @param file the configuration
   * @return what it says
   * @throws IOException if it, or a file it names, cannot be read
   * @throws ModelFormatException if something in it is not known or not possible, a file is
   *     missing, a class has no example; the message has file and line and what may have been meant
   */
  public static TrainingConfig read(Path file) throws IOException {
    return new TrainingConfig(file);
  }

  private TrainingConfig(Path file) throws IOException {
    this.file = file;
    json = Json.read(file);
    Path folder = file.toAbsolutePath().getParent();
    Json.Fields top = json.fields();
    Json format = top.require("format");
    if (!format.string().equals(FORMAT)) {
      throw format.error("is not \"" + FORMAT + "\"");
    }
    top.find("$schema").ifPresent(Json::string);
    for (String key : List.of("name", "description", "license", "origin")) {
      top.find(key).ifPresent(Json::string);
    }
    kind = kind(top.require("kind"));
    boolean pair = kind == Model.Kind.ENCODER_DECODER;
    output = folder.resolve(top.string("output", "model")).normalize();
    weightType =
        top.find("weights")
            .map(w -> DType.of(w.oneOf("float32", "bfloat16", "int8")))
            .orElse(DType.FLOAT32);
    initial = top.find("initial").map(name -> model(name, folder));
    top.find(pair ? "encoder" : "network");
    if (pair) {
      top.find("decoder");
      top.find("generation");
    }

    Json training = top.require("training");
    Json.Fields fields = training.fields();
    seed = fields.integer("seed", 0, 1);
    epochs = fields.integer("epochs", 1, 10);
    steps = fields.integer("steps", 0, 0);
    minutes = number(fields, "minutes", 0, value -> value >= 0, "0 or more");
    clip = number(fields, "clip_norm", 0, value -> value >= 0, "0 or more");
    checkpointSteps = fields.integer("checkpoint_steps", 0, 0);
    averageFrom = fields.integer("average_from", 0, 0);
    if (averageFrom > epochs) {
      throw fields
          .require("average_from")
          .error("is " + averageFrom + ", expected one of the " + epochs + " epochs");
    }
    shards = fields.integer("shards", 1, 2);
    truncate = fields.integer("truncate", 0, 0);
    if (truncate > 0 && kind != Model.Kind.NETWORK) {
      throw fields.require("truncate").error("is for \"kind\": \"network\"");
    }
    threads = fields.integer("threads", 0, 0);
    frozen = fields.find("freeze").map(Json::items).orElse(List.of());
    frozen.forEach(Json::string);
    batch = batch(object(fields, "batch"));
    loss = loss(object(fields, "loss"), kind);
    optimiser = Optimiser.read(object(fields, "optimizer"));
    schedule = Schedule.read(object(fields, "schedule"));
    validation = validation(object(fields, "validation"), kind);
    forcing = pair ? forcing(object(fields, "forcing")) : new ForcingSchedule(1, 1, 0);
    fields.done();

    Json data = top.require("data");
    Json.Fields parts = object(top, "split");
    Optional<Json> sourceText = top.find("source");
    Optional<Json> targetText = pair ? Optional.of(top.require("target")) : Optional.empty();
    top.done();

    List<Sample> samples = DataReader.read(data, folder);
    split = split(parts, samples);
    boolean labelled = kind == Model.Kind.CLASSIFIER;
    labels = labelled ? Vocabularies.labels(samples) : null;
    check(samples, data, labelled, pair, sourceText);
    if (labelled) {
      checkClasses(data);
    }
    List<String> texts = split.train().stream().map(Sample::text).toList();
    source = sourceText.map(text -> Vocabularies.codec(text, texts, pair, false)).orElse(null);
    List<String> right = new ArrayList<>();
    split.train().forEach(sample -> right.addAll(sample.targets()));
    target = targetText.map(text -> Vocabularies.codec(text, right, true, true)).orElse(null);
  }

  private static Model.Kind kind(Json value) {
    return switch (value.oneOf("encoder-decoder", "classifier", "network")) {
      case "encoder-decoder" -> Model.Kind.ENCODER_DECODER;
      case "classifier" -> Model.Kind.CLASSIFIER;
      default -> Model.Kind.NETWORK;
    };
  }

  /** The members of an object that may be left out. */
  private static Json.Fields object(Json.Fields owner, String key) {
    return owner.find(key).orElseGet(() -> Json.parse(key, "{}")).fields();
  }

  private static Path model(Json name, Path folder) {
    Path path = folder.resolve(name.string()).normalize();
    if (!Files.exists(path)) {
      throw name.error("is " + path + ", but there is no such model");
    }
    return path;
  }

  /** A number that may be left out, and is refused with its line where it is not possible. */
  static double number(
      Json.Fields fields, String key, double otherwise, DoublePredicate fits, String expected) {
    double value = fields.number(key, otherwise);
    if (!fits.test(value)) {
      throw fields.require(key).error("is " + value + ", expected " + expected);
    }
    return value;
  }

  private static Batch batch(Json.Fields fields) {
    Batch batch =
        new Batch(
            fields.integer("sequences", 1, 64),
            fields.integer("tokens", 1, Integer.MAX_VALUE),
            fields.integer("pool", 1, 50),
            fields.integer("longest", 1, Integer.MAX_VALUE));
    fields.done();
    return batch;
  }

  private static Loss loss(Json.Fields fields, Model.Kind kind) {
    String[] possible =
        kind == Model.Kind.NETWORK
            ? new String[] {"mean_squared_error", "binary_cross_entropy"}
            : new String[] {"cross_entropy"};
    Loss loss =
        new Loss(
            fields.find("type").map(t -> t.oneOf(possible)).orElse(possible[0]),
            number(
                fields,
                "label_smoothing",
                0,
                value -> value >= 0 && value < 1,
                "0 or more, less than 1"));
    fields.done();
    return loss;
  }

  private static Validation validation(Json.Fields fields, Model.Kind kind) {
    String[] metrics =
        switch (kind) {
          case ENCODER_DECODER -> new String[] {"per", "wer", "bleu", "chrf", "perplexity"};
          case CLASSIFIER -> new String[] {"accuracy", "macro_f1", "loss"};
          default -> new String[] {"loss"};
        };
    Validation validation =
        new Validation(
            fields.find("metric").map(m -> m.oneOf(metrics)).orElse(metrics[0]),
            fields.integer("every", 0, 0),
            fields.integer("patience", 0, 0),
            fields.integer("limit", 1, 2000));
    fields.done();
    return validation;
  }

  private static ForcingSchedule forcing(Json.Fields fields) {
    double start = fields.number("start", 1);
    ForcingSchedule forcing =
        new ForcingSchedule(start, fields.number("end", start), fields.integer("epochs", 0, 0));
    for (double each : new double[] {forcing.start(), forcing.end()}) {
      if (!(each >= 0 && each <= 1)) {
        throw fields.object().error("has a share of " + each + ", expected 0 to 1");
      }
    }
    fields.done();
    return forcing;
  }

  private static Split split(Json.Fields fields, List<Sample> samples) {
    double validation = fields.number("validation", 0.05);
    double test = fields.number("test", 0.05);
    if (!(validation >= 0 && test >= 0 && validation + test < 1)) {
      throw fields.object().error("leaves nothing to learn from: expected shares below 1 together");
    }
    boolean byClass =
        fields.find("by").map(b -> b.oneOf("class", "sample").equals("class")).orElse(false);
    long splitSeed = fields.integer("seed", 0, 1);
    fields.done();
    return Split.of(samples, validation, test, splitSeed, byClass);
  }

  private static void check(
      List<Sample> samples, Json data, boolean labelled, boolean pair, Optional<Json> text) {
    Sample first = samples.get(0);
    if ((first.text() != null) != text.isPresent()) {
      throw data.error(
          first.text() != null
              ? "has texts, but there is no \"source\" that says how they become tokens"
              : "has no texts, but there is a \"source\" for texts");
    }
    if ((labelled || pair) == (first.values() != null)) {
      throw data.error(
          first.values() != null
              ? "has numbers as right answers, which are for \"kind\": \"network\""
              : "has texts as right answers, which are not for \"kind\": \"network\"");
    }
  }

  /** Every class must be learnt, and can be judged only where it is held out. */
  private void checkClasses(Json data) {
    for (String label : labels.symbols()) {
      if (split.train().stream().noneMatch(s -> s.targets().get(0).equals(label))) {
        throw data.error("has no example of class " + label + " left to learn from");
      }
    }
    if (labels.size() < 2) {
      throw data.error("has one class, " + labels.symbols().get(0) + ", expected two at least");
    }
  }

  // ------------------------------------------------------------------------------- questions

  /** The file. */
  public Path file() {
    return file;
  }

  /** What the file says, for what it says of the network. */
  public Json json() {
    return json;
  }

  /** What kind of network it is. */
  public Model.Kind kind() {
    return kind;
  }

  /** The folder of the model that comes out. */
  public Path output() {
    return output;
  }

  /** The samples, in their parts. */
  public Split split() {
    return split;
  }

  /** The type of the weights in the file that comes out; int8 is that of its matrices alone. */
  DType weightType() {
    return weightType;
  }

  /** How text becomes tokens; {@code null} where numbers are read. */
  TextCodec source() {
    return source;
  }

  /** How tokens become text; {@code null} but for an encoder–decoder. */
  TextCodec target() {
    return target;
  }

  /** The classes; {@code null} but for a classifier. */
  Vocabulary labels() {
    return labels;
  }

  /** A model whose weights are begun with where names and shapes are the same. */
  Optional<Path> initial() {
    return initial;
  }

  long seed() {
    return seed;
  }

  int epochs() {
    return epochs;
  }

  /** The most steps; 0 for no limit. */
  int steps() {
    return steps;
  }

  /** The most minutes; 0 for no limit. */
  double minutes() {
    return minutes;
  }

  Batch batch() {
    return batch;
  }

  Loss loss() {
    return loss;
  }

  Optimiser optimiser() {
    return optimiser;
  }

  Schedule schedule() {
    return schedule;
  }

  /** The most that the global norm of the gradient may be; 0 for no limit. */
  double clip() {
    return clip;
  }

  ForcingSchedule forcing() {
    return forcing;
  }

  Validation validation() {
    return validation;
  }

  /** Steps between checkpoints beside those at each validation; 0 for none. */
  int checkpointSteps() {
    return checkpointSteps;
  }

  /** The epoch, from 1, from whose first step on weights are averaged; 0 for never. */
  int averageFrom() {
    return averageFrom;
  }

  /** Time steps behind which back-propagation is cut and only the state goes on; 0 for never. */
  int truncate() {
    return truncate;
  }

  /** Into how many parts a batch is split; their gradients are added in order. */
  int shards() {
    return shards;
  }

  /** How many threads compute; 0 for as many as there are processors. */
  int threads() {
    return threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
  }

  /** Names of layers, or the beginnings of names followed by '*', that are not changed. */
  List<Json> frozen() {
    return frozen;
  }

  /** The samples of a map, for messages. */
  @Override
  public String toString() {
    return file
        + ": "
        + Map.of(
            "train", split.train().size(),
            "validation", split.validation().size(),
            "test", split.test().size());
  }
}

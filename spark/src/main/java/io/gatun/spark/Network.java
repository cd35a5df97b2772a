package io.gatun.spark;

import io.gatun.batch.Classifier;
import io.gatun.batch.Extractor;
import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.NetworkFile;
import io.gatun.job.ClassificationAnswers;
import io.gatun.job.RepresentationAnswers;
import io.gatun.job.TranslationAnswers;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.table.Column;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkFiles;

/** A network that is loaded, with the device it is on. Thread-safe. */
final class Network implements AutoCloseable {
  /**
   * Which network it is; two tasks that want the same share it.
   *
   * @param changed when the model's file was written: a model that is replaced is another one
   */
  record Key(
      Settings.Kind kind,
      Path model,
      Path weights,
      FileTime changed,
      String device,
      WeightFormat weightFormat,
      Settings.Wanted wanted) {
    static Key of(Settings settings) {
      Path model = local(settings.model());
      try {
        Path file = Files.isDirectory(model) ? model.resolve("model.json") : model;
        return new Key(
            settings.kind(),
            model,
            settings.weights() == null ? null : local(settings.weights()),
            Files.exists(file) ? Files.getLastModifiedTime(file) : null,
            settings.device(),
            settings.weightFormat(),
            settings.wanted());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private final Model model;
  private final Device device;
  private final Facade facade;
  private final Map<Settings, Answering<?, ?>> answerings = new HashMap<>();

  /**
   * A network made ready for one kind of question.
   *
   * @param answering how it answers what settings ask
   * @param end closes it
   */
  private record Facade(Function<Settings, Answering<?, ?>> answering, Runnable end) {
    static Facade of(Key key, Model model, Device device) {
      return switch (key.kind()) {
        case TRANSLATE -> {
          Translator translator = Translator.of(model, device, key.weightFormat());
          yield new Facade(
              settings ->
                  new Answering<>(
                      translator.translation(settings.generation(translator.options())),
                      translations(settings),
                      settings.batch()),
              translator::close);
        }
        case CLASSIFY -> {
          Classifier classifier = Classifier.of(model, device, key.weightFormat());
          yield new Facade(
              settings ->
                  new Answering<>(classifier.task(), classes(settings, model), settings.batch()),
              classifier::close);
        }
        case REPRESENT -> {
          Extractor extractor =
              Extractor.of(
                  model, key.wanted().values(), key.wanted().pooling(), device, key.weightFormat());
          yield new Facade(
              settings ->
                  new Answering<>(
                      extractor.task(),
                      new RepresentationAnswers(extractor.columns()),
                      extractor.bounded(settings.batch())),
              extractor::close);
        }
      };
    }
  }

  private Network(Model model, Device device, Facade facade) {
    this.model = model;
    this.device = device;
    this.facade = facade;
  }

  /** A path on this machine, or what {@code --files} or {@code --archives} brought here. */
  static Path local(String name) {
    Path path = Path.of(name);
    if (Files.exists(path) || SparkEnv.get() == null) {
      return path.toAbsolutePath().normalize();
    }
    Path shipped = Path.of(SparkFiles.get(name));
    if (!path.isAbsolute() && Files.exists(shipped)) {
      return shipped;
    }
    throw new IllegalArgumentException(
        "there is no "
            + name
            + " here, neither as a path nor among the files that --files or --archives brought: "
            + "expected a path that every machine has, or the name of what was shipped");
  }

  static Model open(Key key) throws IOException {
    return NetworkFile.open(key.model(), Optional.ofNullable(key.weights()));
  }

  static Network load(Key key) {
    Model model = null;
    Device own = null;
    try {
      model = open(key);
      own = key.device().equals("auto") ? null : Devices.open(key.device());
      Device device = own == null ? Devices.best() : own;
      return new Network(model, own, Facade.of(key, model, device));
    } catch (IOException | RuntimeException e) {
      if (own != null) {
        own.close();
      }
      if (model != null) {
        model.close();
      }
      throw e instanceof IOException io ? new UncheckedIOException(io) : (RuntimeException) e;
    }
  }

  /** The columns that answers make, as the model is. */
  static List<Column> columns(Settings settings, Model model) {
    return switch (settings.kind()) {
      case TRANSLATE -> translations(settings).columns();
      case CLASSIFY -> classes(settings, model).columns();
      case REPRESENT -> {
        try (Extractor extractor =
            Extractor.of(model, settings.wanted().values(), settings.wanted().pooling())) {
          yield new RepresentationAnswers(extractor.columns()).columns();
        }
      }
    };
  }

  // Nothing is written as lines of text here.
  private static TranslationAnswers translations(Settings settings) {
    return new TranslationAnswers(settings.answers(), (number, answer) -> "");
  }

  private static ClassificationAnswers classes(Settings settings, Model model) {
    return new ClassificationAnswers(
        model.labels().isPresent(), settings.answers(), (number, answer) -> "");
  }

  /** The network with what is asked of it. */
  synchronized Answering<?, ?> answering(Settings settings) {
    return answerings.computeIfAbsent(settings, facade.answering());
  }

  @Override
  public synchronized void close() {
    answerings.values().forEach(Answering::close);
    facade.end().run();
    if (device != null) {
      device.close();
    }
    model.close();
  }
}

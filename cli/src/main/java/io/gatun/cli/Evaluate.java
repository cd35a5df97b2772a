package io.gatun.cli;

import io.gatun.format.Model;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.training.Confusion;
import io.gatun.training.Evaluation;
import io.gatun.training.Sample;
import io.gatun.training.TrainingConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;

/** {@code gatun evaluate}: how good a model is on data that was held out. */
final class Evaluate implements Syntax.Subcommand {
  /** The parts of the data. */
  enum Part {
    /** What was learnt from. */
    train,
    /** What decided when to stop. */
    validation,
    /** What nothing was decided by. */
    test
  }

  private final CommandSpec spec =
      new Syntax(
              "evaluate",
              this,
              "Measures a model on data: accuracy and F1 of a classifier; word and token error"
                  + " rate, BLEU,"
                  + " chrF and perplexity of an encoder-decoder; the mean squared error of a"
                  + " network of"
                  + " numbers.",
              "",
              "The data are those of a training's configuration, split as it says, so that what is"
                  + " measured"
                  + " was not learnt from.")
          .exitCodes()
          .examples(
              "  gatun evaluate examples/names --data examples/names/train.json",
              "  gatun evaluate examples/names --data examples/names/train.json --confusion");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<Path> data =
      Argument.option(
              Path.class,
              "--data",
              "CONFIG",
              "The training's configuration, which says where the data are.")
          .required()
          .in(spec);

  private final Argument<Part> part =
      Argument.option(
              Part.class,
              "--split",
              "PART",
              "Which part: ${COMPLETION-CANDIDATES}; ${DEFAULT-VALUE} by default (validation where"
                  + " there is none).")
          .by("test")
          .in(spec);

  private final Argument<Integer> beam =
      Argument.option(
              Integer.class,
              "--beam",
              "N",
              "The width of the beam, 1 for greedy; what the model says by default.")
          .by("0")
          .in(spec);

  private final Argument<Integer> threads = RunOptions.threads().in(spec);

  private final Argument<String> device = RunOptions.device().in(spec);

  private final Argument<Boolean> confusion =
      Argument.flag("--confusion", "Also print how often each class was taken for each other.")
          .in(spec);

  private final Argument<Path> answers =
      Argument.option(
              Path.class,
              "--answers",
              "FILE",
              "Write each source, what is right and the answer, with tabs between.")
          .in(spec);

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!Files.exists(data.get())) {
      throw new NoSuchFileException(data.get().toString());
    }
    TrainingConfig config = TrainingConfig.read(data.get());
    List<Sample> samples =
        switch (part.get()) {
          case train -> config.split().train();
          case validation -> config.split().validation();
          case test ->
              config.split().test().isEmpty() ? config.split().validation() : config.split().test();
        };
    return RunOptions.on(device.get(), opened -> evaluate(samples, opened));
  }

  private int evaluate(List<Sample> samples, Device opened) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (Model model = modelOptions.open();
        Workers workers = new Workers(threads.get())) {
      Evaluation found = Evaluation.of(model, samples, opened, workers, beam.get());
      out.printf(Locale.ROOT, "%-12s %,d%n", "samples", samples.size());
      found
          .metrics()
          .forEach((name, figure) -> out.printf(Locale.ROOT, "%-12s %.6f%n", name, figure));
      found.signatures().forEach(signature -> out.println("# " + signature));
      if (confusion.get()) {
        found.confusion().ifPresent(matrix -> print(out, matrix));
      }
      if (answers.get() != null) {
        write(samples, found.answers());
      }
    }
    return ExitCode.OK;
  }

  private void write(List<Sample> samples, List<String> found) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < samples.size(); i++) {
      Sample sample = samples.get(i);
      text.append(sample.text() == null ? "" : sample.text())
          .append('\t')
          .append(String.join(" | ", sample.targets()))
          .append('\t')
          .append(found.get(i))
          .append('\n');
    }
    Files.writeString(answers.get(), text);
  }

  private static void print(PrintWriter out, Confusion matrix) {
    List<String> labels = matrix.labels();
    out.println("right \\ answer\t" + String.join("\t", labels) + "\tF1");
    for (int i = 0; i < labels.size(); i++) {
      StringBuilder row = new StringBuilder(labels.get(i));
      for (int k = 0; k < labels.size(); k++) {
        row.append('\t').append(matrix.count(i, k));
      }
      out.println(row.append(String.format(Locale.ROOT, "\t%.3f", matrix.f1(i))));
    }
  }
}

package io.gatun.cli;

import io.gatun.batch.Classification;
import io.gatun.batch.Classifier;
import io.gatun.batch.LineWriter;
import io.gatun.format.Model;
import io.gatun.job.ClassificationAnswers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun classify}: lines in, classes out. */
final class Classify implements Syntax.Subcommand {
  private final Streams streams;

  private final CommandSpec spec =
      new Syntax(
              "classify",
              this,
              "Prints the class of each line of the input, in the same order.",
              "",
              "A model that reads numbers takes them from the line, with spaces or commas between;"
                  + " one that"
                  + " computes numbers prints them. An empty line gives an empty line.")
          .exitCodes("3", "done, but some lines were bad and have no answer")
          .examples(
              "  echo Kowalski | gatun classify examples/names",
              "  gatun classify examples/names names.txt --n-best 3");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<List<Path>> files =
      Argument.parameters(Path.class, 1, "FILE", TableOptions.FILES).in(spec);

  private final TableOptions tableOptions = new TableOptions(spec);

  private final Argument<Integer> count =
      Argument.option(
              Integer.class,
              "--n-best",
              "N",
              "Print the N most probable classes of each line, with tabs between.")
          .by("1")
          .in(spec);

  private final Argument<Boolean> scores =
      Argument.flag("--scores", "Put a space and the probability behind each class.").in(spec);

  private final RunOptions runOptions = new RunOptions(spec, modelOptions);

  Classify(Streams streams) {
    this.streams = streams;
  }

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (count.get() < 1) {
      throw new ParameterException(
          spec.commandLine(), "--n-best is " + count.get() + ", expected at least 1");
    }
    try {
      tableOptions.check(files.get());
      runOptions.batch();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage());
    }
    try (Model model = modelOptions.open();
        TableOptions.Table table = tableOptions.open(files.get(), streams)) {
      return runOptions.withDevice(
          device -> {
            try (Classifier classifier = Classifier.of(model, device, runOptions.weightFormat())) {
              return runOptions.run(
                  streams,
                  table,
                  classifier.task(),
                  new ClassificationAnswers(model.labels().isPresent(), count.get(), format()));
            }
          });
    }
  }

  private LineWriter.Format<Classification> format() {
    return (number, answer) -> {
      if (answer == null) {
        return "";
      }
      StringJoiner line = new StringJoiner(answer.numbers().isEmpty() ? "\t" : " ");
      answer.numbers().forEach(each -> line.add(String.format(Locale.ROOT, "%.6f", each)));
      answer.choices().stream()
          .limit(count.get())
          .forEach(
              each ->
                  line.add(
                      scores.get()
                          ? each.label() + " " + Decimals.score(each.probability())
                          : each.label()));
      return line.toString();
    };
  }
}

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
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun classify}: lines in, classes out. */
@Command(
    name = "classify",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    sortOptions = false,
    description = {
      "Prints the class of each line of the input, in the same order.",
      "",
      "A model that reads numbers takes them from the line, with spaces or commas between; one that"
          + " computes numbers prints them. An empty line gives an empty line."
    },
    parameterListHeading = "%n",
    optionListHeading = "%nOptions:%n",
    exitCodeListHeading = ExitCode.HEADING,
    exitCodeList = {
      "0:all went well",
      "1:something failed; a message on standard error says what",
      "2:the command line is wrong",
      "3:done, but some lines were bad and have no answer"
    },
    footerHeading = "%nExamples:%n",
    footer = {
      "  echo Kowalski | gatun classify examples/names",
      "  gatun classify examples/names names.txt --n-best 3",
    })
final class Classify implements Callable<Integer> {
  private final Streams streams;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions modelOptions;

  @Parameters(index = "1..*", arity = "0..*", paramLabel = "FILE", description = TableOptions.FILES)
  private List<Path> files = List.of();

  @Mixin private TableOptions tableOptions;

  @Option(
      names = "--n-best",
      paramLabel = "N",
      defaultValue = "1",
      description = "Print the N most probable classes of each line, with tabs between.")
  private int count;

  @Option(names = "--scores", description = "Put a space and the probability behind each class.")
  private boolean scores;

  @Mixin private RunOptions runOptions;

  Classify(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (count < 1) {
      throw new ParameterException(
          spec.commandLine(), "--n-best is " + count + ", expected at least 1");
    }
    try {
      tableOptions.check(files);
      runOptions.batch();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage());
    }
    try (Model model = modelOptions.open();
        TableOptions.Table table = tableOptions.open(files, streams)) {
      return runOptions.withDevice(
          device -> {
            try (Classifier classifier = Classifier.of(model, device, runOptions.weightFormat())) {
              return runOptions.run(
                  streams,
                  table,
                  classifier.task(),
                  new ClassificationAnswers(model.labels().isPresent(), count, format()));
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
          .limit(count)
          .forEach(
              each ->
                  line.add(
                      scores
                          ? each.label() + " " + Decimals.score(each.probability())
                          : each.label()));
      return line.toString();
    };
  }
}

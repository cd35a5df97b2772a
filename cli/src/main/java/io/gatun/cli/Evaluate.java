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
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun evaluate}: how good a model is on data that was held out. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    sortOptions = false,
    description = {
      "Measures a model on data: accuracy and F1 of a classifier; word and token error rate, BLEU,"
          + " chrF and perplexity of an encoder-decoder; the mean squared error of a network of"
          + " numbers.",
      "",
      "The data are those of a training's configuration, split as it says, so that what is measured"
          + " was not learnt from."
    },
    parameterListHeading = "%n",
    optionListHeading = "%nOptions:%n",
    exitCodeListHeading = ExitCode.HEADING,
    exitCodeList = {
      "0:all went well",
      "1:something failed; a message on standard error says what",
      "2:the command line is wrong"
    },
    footerHeading = "%nExamples:%n",
    footer = {
      "  gatun evaluate examples/names --data examples/names/train.json",
      "  gatun evaluate examples/names --data examples/names/train.json --confusion"
    })
final class Evaluate implements Callable<Integer> {
  /** The parts of the data. */
  enum Part {
    /** What was learnt from. */
    train,
    /** What decided when to stop. */
    validation,
    /** What nothing was decided by. */
    test
  }

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions modelOptions;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "CONFIG",
      description = "The training's configuration, which says where the data are.")
  private Path data;

  @Option(
      names = "--split",
      paramLabel = "PART",
      defaultValue = "test",
      description =
          "Which part: ${COMPLETION-CANDIDATES}; ${DEFAULT-VALUE} by default (validation where"
              + " there is none).")
  private Part part;

  @Option(
      names = "--beam",
      paramLabel = "N",
      defaultValue = "0",
      description = "The width of the beam, 1 for greedy; what the model says by default.")
  private int beam;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "How many threads compute; by default as many as there are processors.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--device",
      paramLabel = "NAME",
      defaultValue = "auto",
      description =
          "What computes: auto (the best there is, the default), simd, scalar, cuda, cuda:N, and"
              + " behind it :tf32, :float16 or :bfloat16; 'gatun devices' says what there is.")
  private String device;

  @Option(
      names = "--confusion",
      description = "Also print how often each class was taken for each other.")
  private boolean confusion;

  @Option(
      names = "--answers",
      paramLabel = "FILE",
      description = "Write each source, what is right and the answer, with tabs between.")
  private Path answers;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!Files.exists(data)) {
      throw new NoSuchFileException(data.toString());
    }
    TrainingConfig config = TrainingConfig.read(data);
    List<Sample> samples =
        switch (part) {
          case train -> config.split().train();
          case validation -> config.split().validation();
          case test ->
              config.split().test().isEmpty() ? config.split().validation() : config.split().test();
        };
    return RunOptions.on(device, opened -> evaluate(samples, opened));
  }

  private int evaluate(List<Sample> samples, Device opened) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (Model model = modelOptions.open();
        Workers workers = new Workers(threads)) {
      Evaluation found = Evaluation.of(model, samples, opened, workers, beam);
      out.printf(Locale.ROOT, "%-12s %,d%n", "samples", samples.size());
      found
          .metrics()
          .forEach((name, figure) -> out.printf(Locale.ROOT, "%-12s %.6f%n", name, figure));
      found.signatures().forEach(signature -> out.println("# " + signature));
      if (confusion) {
        found.confusion().ifPresent(matrix -> print(out, matrix));
      }
      if (answers != null) {
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
    Files.writeString(answers, text);
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

package io.gatun.cli;

import io.gatun.batch.InputRecord;
import io.gatun.batch.LinePairReader;
import io.gatun.batch.LineReader;
import io.gatun.batch.RecordReader;
import io.gatun.batch.TargetScore;
import io.gatun.format.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun score}: how probable the model finds given targets. */
final class Score implements Syntax.Subcommand {
  private final Streams streams;

  private final CommandSpec spec =
      new Syntax(
              "score",
              this,
              "Prints for each line how probable the model finds a given target: the sum of the"
                  + " natural"
                  + " logarithms of its tokens' probabilities, the end of the sequence included.",
              "",
              "A line of the input is a source, a tab and its target; or the sources are in one"
                  + " file and"
                  + " the targets, line by line, in that of --targets. A bad line is reported with"
                  + " its"
                  + " number, its output stays empty, and the rest goes on; the command then ends"
                  + " with 3.")
          .exitCodes("3", "done, but some lines were bad and have no answer")
          .examples(
              "  printf 'hello\\tHH AH0 L OW1\\n' | gatun score examples/g2p_en",
              "  gatun score examples/g2p_en --input words.txt --targets phonemes.txt --tokens",
              "",
              "Where the weights do not lie beside model.json, say where with --weights FILE.");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<Path> file =
      Argument.parameter(
              Path.class, 1, "0..1", "FILE", "The input; standard input by default, or '-'.")
          .in(spec);

  private final Argument<Path> input =
      Argument.option(Path.class, "-i,--input", "FILE", "The same as FILE.").in(spec);

  private final Argument<Path> targets =
      Argument.option(
              Path.class,
              "--targets",
              "FILE",
              "The targets, one for each line of the input, which then has sources alone.")
          .in(spec);

  private final Argument<Boolean> tokens =
      Argument.flag(
              "--tokens",
              "Behind the sum, print each token with its own logarithm: a tab, the token, '=', the"
                  + " number.")
          .in(spec);

  private final RunOptions runOptions = new RunOptions(spec, modelOptions);

  Score(Streams streams) {
    this.streams = streams;
  }

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (file.get() != null && input.get() != null) {
      throw usage("the input is given twice, as " + file.get() + " and as --input " + input.get());
    }
    Path sources = file.get() != null ? file.get() : input.get();
    if (RunOptions.isStandard(targets.get())
        && RunOptions.isStandard(sources)
        && targets.get() != null) {
      throw usage("sources and targets cannot both come from standard input");
    }
    try {
      runOptions.batch();
    } catch (IllegalArgumentException e) {
      throw usage(e.getMessage());
    }
    try (Model model = modelOptions.open();
        RunOptions.Input lines = RunOptions.Input.open(sources, streams)) {
      if (targets.get() == null) {
        return run(model, lines.name(), new TabbedReader(lines.lines()));
      }
      try (RunOptions.Input targetLines = RunOptions.Input.open(targets.get(), streams)) {
        return run(model, lines.name(), new LinePairReader(lines.lines(), targetLines.lines()));
      }
    }
  }

  private int run(Model model, String name, RecordReader<LinePairReader.Pair> reader)
      throws IOException, InterruptedException {
    return runOptions.withTranslator(
        model,
        translator -> runOptions.run(streams, name, reader, translator.scoring(), this::text));
  }

  private String text(long number, TargetScore score) {
    if (score == null) {
      return "";
    }
    StringBuilder text = new StringBuilder(Decimals.score(score.logProbability()));
    if (tokens.get()) {
      for (TargetScore.Token token : score.tokens()) {
        text.append('\t')
            .append(escaped(token.symbol()))
            .append('=')
            .append(Decimals.score(token.logProbability()));
      }
    }
    return text.toString();
  }

  private static String escaped(String symbol) {
    return symbol
        .replace("\\", "\\\\")
        .replace("\t", "\\t")
        .replace("\n", "\\n")
        .replace("\r", "\\r");
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** Lines of a source, a tab and a target. */
  private static final class TabbedReader implements RecordReader<LinePairReader.Pair> {
    private final LineReader lines;

    TabbedReader(LineReader lines) {
      this.lines = lines;
    }

    @Override
    public InputRecord<LinePairReader.Pair> next(Runnable waiting) throws IOException {
      InputRecord<String> line = lines.next(waiting);
      if (line == null) {
        return null;
      }
      if (line.problem() != null) {
        return InputRecord.bad(line.number(), line.problem(), line.endOffset());
      }
      int tab = line.value().indexOf('\t');
      if (tab < 0 || line.value().indexOf('\t', tab + 1) >= 0) {
        String found = tab < 0 ? "no tab" : "more than one tab";
        return InputRecord.bad(
            line.number(), found + ", expected a source, a tab and a target", line.endOffset());
      }
      LinePairReader.Pair pair =
          new LinePairReader.Pair(line.value().substring(0, tab), line.value().substring(tab + 1));
      return InputRecord.of(line.number(), pair, line.endOffset());
    }

    @Override
    public String place(long number) {
      return lines.place(number);
    }

    @Override
    public OptionalLong size() {
      return lines.size();
    }
  }
}

package io.gatun.cli;

import io.gatun.batch.BatchTask;
import io.gatun.batch.LineWriter;
import io.gatun.batch.Translation;
import io.gatun.format.Model;
import io.gatun.job.TranslationAnswers;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.LengthPenalty;
import io.gatun.sequence.Sentence;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.StringJoiner;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun translate}: lines in, lines out. */
final class Translate implements Syntax.Subcommand {
  private final Streams streams;

  private final CommandSpec spec =
      new Syntax(
              "translate",
              this,
              "Turns each line of the input into a line of the output, in the same order.",
              "",
              "An empty line gives an empty line. A line that is no UTF-8, has a token that the"
                  + " model does"
                  + " not know, or is too long (over 1 MiB or 32,768 tokens) is reported with its"
                  + " number,"
                  + " its output stays empty, and the rest goes on; the command then ends with 3.")
          .exitCodes("3", "done, but some lines were bad and have no answer")
          .examples(
              "  echo hello | gatun translate examples/g2p_en",
              "  gatun translate examples/g2p_en words.txt --output phonemes.txt --threads 4",
              "  gatun translate examples/g2p_en words.txt --beam 5 --n-best 3",
              "  gatun translate examples/g2p_en words.txt --sample --temperature 0.7 --seed 1",
              "  gatun translate examples/g2p_en words.txt --scores | sort -t$'\\t' -k2,2g | head",
              "",
              "Where the weights do not lie beside model.json, say where with --weights FILE.");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<List<Path>> files =
      Argument.parameters(Path.class, 1, "FILE", TableOptions.FILES).in(spec);

  private final TableOptions tableOptions = new TableOptions(spec);

  private final Argument<Integer> beam =
      Argument.option(
              Integer.class,
              "--beam",
              "N",
              "Keep the N best hypotheses while searching; 1 is greedy.")
          .in(spec);

  private final Argument<Integer> answers =
      Argument.option(
              Integer.class,
              "--n-best",
              "N",
              "Print up to N answers for each line, best first, in the format of Moses: the line's"
                  + " number from 0, the answer, its score, with ' ||| ' between. With --sample, N"
                  + " independent samples.")
          .in(spec);

  private final Argument<Integer> maxLength =
      Argument.option(
              Integer.class,
              "--max-length",
              "N",
              "Stop an answer after N tokens; the model says how many by default.")
          .in(spec);

  private final Argument<Integer> minLength =
      Argument.option(Integer.class, "--min-length", "N", "No answer shorter than N tokens.")
          .in(spec);

  private final Argument<Double> lengthPenalty =
      Argument.option(
              Double.class,
              "--length-penalty",
              "A",
              "Rank answers by log-probability / length^A; 0 is no penalty.")
          .in(spec);

  private final Argument<Integer> noRepeatNgram =
      Argument.option(
              Integer.class,
              "--no-repeat-ngram",
              "N",
              "No N tokens in a row come twice in an answer; 0 for no limit.")
          .in(spec);

  private final Argument<Boolean> scores =
      Argument.flag("--scores", "Put a tab and the score behind each answer.").in(spec);

  private final Argument<Boolean> sample =
      Argument.flag("--sample", "Draw tokens at random, by the probabilities the model gives them.")
          .in(spec);

  private final Argument<Double> temperature =
      Argument.option(
              Double.class,
              "--temperature",
              "T",
              "With --sample: below 1 the probable becomes more so; 1 by default.")
          .in(spec);

  private final Argument<Integer> topK =
      Argument.option(
              Integer.class, "--top-k", "K", "With --sample: draw from the K most probable tokens.")
          .in(spec);

  private final Argument<Double> topP =
      Argument.option(
              Double.class,
              "--top-p",
              "P",
              "With --sample: draw from the fewest tokens that have probability P together.")
          .in(spec);

  private final Argument<Long> seed =
      Argument.option(
              Long.class,
              "--seed",
              "N",
              "With --sample: the same seed gives the same answers; 0 by default.")
          .in(spec);

  private final RunOptions runOptions = new RunOptions(spec, modelOptions);

  Translate(Streams streams) {
    this.streams = streams;
  }

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    checkSampling();
    checked(
        () -> {
          tableOptions.check(files.get());
          return runOptions.batch();
        });
    try (Model model = modelOptions.open();
        TableOptions.Table table = tableOptions.open(files.get(), streams)) {
      return runOptions.withTranslator(
          model,
          translator -> {
            GenerationOptions generation = checked(() -> options(translator.options()));
            BatchTask<String, Sentence, Translation> task = translator.translation(generation);
            return runOptions.run(
                streams, table, task, new TranslationAnswers(generation.nBest(), format()));
          });
    }
  }

  private void checkSampling() {
    if (sample.get()) {
      return;
    }
    Object[] values = {temperature.get(), topK.get(), topP.get(), seed.get()};
    String[] names = {"--temperature", "--top-k", "--top-p", "--seed"};
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null) {
        throw usage(names[i] + " goes with --sample only");
      }
    }
  }

  private GenerationOptions options(GenerationOptions.Builder options) {
    int count = answers.get() == null ? 1 : answers.get();
    options.nBest(count);
    if (beam.get() != null) {
      options.beamWidth(beam.get());
    } else if (sample.get()) {
      options.beamWidth(1);
    } else if (count > 1) {
      options.beamWidth(count);
    }
    if (maxLength.get() != null) {
      options.maxLength(maxLength.get());
    }
    if (minLength.get() != null) {
      options.minLength(minLength.get());
    }
    if (lengthPenalty.get() != null) {
      options.lengthPenalty(LengthPenalty.power(lengthPenalty.get()));
    }
    if (noRepeatNgram.get() != null) {
      options.noRepeatNgram(noRepeatNgram.get());
    }
    if (sample.get()) {
      options.sampling(true);
      options.temperature(temperature.get() == null ? 1 : temperature.get());
      options.topK(topK.get() == null ? 0 : topK.get());
      options.topP(topP.get() == null ? 1 : topP.get());
      options.seed(seed.get() == null ? 0 : seed.get());
    }
    return options.build();
  }

  private LineWriter.Format<Translation> format() {
    if (answers.get() != null && answers.get() > 1) {
      return Translate::moses;
    }
    return (number, translation) -> {
      if (translation == null || translation.answers().isEmpty()) {
        return "";
      }
      Translation.Answer best = translation.answers().get(0);
      String text = oneLine(best.text());
      return scores.get() ? text + "\t" + Decimals.score(best.score()) : text;
    };
  }

  /** The n-best list of Moses; a line without an answer has none there. */
  private static String moses(long number, Translation translation) {
    if (translation == null || translation.answers().isEmpty()) {
      return null;
    }
    StringJoiner lines = new StringJoiner("\n");
    for (Translation.Answer answer : translation.answers()) {
      lines.add(
          (number - 1)
              + " ||| "
              + oneLine(answer.text())
              + " ||| "
              + Decimals.score(answer.score()));
    }
    return lines.toString();
  }

  /** An answer is one line, also that of a model whose symbols are line breaks. */
  private static String oneLine(String text) {
    return text.indexOf('\n') < 0 && text.indexOf('\r') < 0
        ? text
        : text.replace('\n', ' ').replace('\r', ' ');
  }

  private <T> T checked(java.util.function.Supplier<T> options) {
    try {
      return options.get();
    } catch (IllegalArgumentException e) {
      throw usage(e.getMessage());
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}

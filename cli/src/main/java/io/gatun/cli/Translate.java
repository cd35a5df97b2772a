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
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun translate}: lines in, lines out. */
@Command(
    name = "translate",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    sortOptions = false,
    description = {
      "Turns each line of the input into a line of the output, in the same order.",
      "",
      "An empty line gives an empty line. A line that is no UTF-8, has a token that the model does"
          + " not know, or is too long (over 1 MiB or 32,768 tokens) is reported with its number,"
          + " its output stays empty, and the rest goes on; the command then ends with 3."
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
      "  echo hello | gatun translate examples/g2p_en",
      "  gatun translate examples/g2p_en words.txt --output phonemes.txt --threads 4",
      "  gatun translate examples/g2p_en words.txt --beam 5 --n-best 3",
      "  gatun translate examples/g2p_en words.txt --sample --temperature 0.7 --seed 1",
      "  gatun translate examples/g2p_en words.txt --scores | sort -t$'\\t' -k2,2g | head",
      "",
      "Where the weights do not lie beside model.json, say where with --weights FILE."
    })
final class Translate implements Callable<Integer> {
  private final Streams streams;

  @Spec private CommandSpec spec;
  @Mixin private ModelOptions modelOptions;

  @Parameters(index = "1..*", arity = "0..*", paramLabel = "FILE", description = TableOptions.FILES)
  private List<Path> files = List.of();

  @Mixin private TableOptions tableOptions;

  @Option(
      names = "--beam",
      paramLabel = "N",
      description = "Keep the N best hypotheses while searching; 1 is greedy.")
  private Integer beam;

  @Option(
      names = "--n-best",
      paramLabel = "N",
      description =
          "Print up to N answers for each line, best first, in the format of Moses: the line's"
              + " number from 0, the answer, its score, with ' ||| ' between. With --sample, N"
              + " independent samples.")
  private Integer answers;

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "Stop an answer after N tokens; the model says how many by default.")
  private Integer maxLength;

  @Option(
      names = "--min-length",
      paramLabel = "N",
      description = "No answer shorter than N tokens.")
  private Integer minLength;

  @Option(
      names = "--length-penalty",
      paramLabel = "A",
      description = "Rank answers by log-probability / length^A; 0 is no penalty.")
  private Double lengthPenalty;

  @Option(
      names = "--no-repeat-ngram",
      paramLabel = "N",
      description = "No N tokens in a row come twice in an answer; 0 for no limit.")
  private Integer noRepeatNgram;

  @Option(names = "--scores", description = "Put a tab and the score behind each answer.")
  private boolean scores;

  @Option(
      names = "--sample",
      description = "Draw tokens at random, by the probabilities the model gives them.")
  private boolean sample;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "With --sample: below 1 the probable becomes more so; 1 by default.")
  private Double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "With --sample: draw from the K most probable tokens.")
  private Integer topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "With --sample: draw from the fewest tokens that have probability P together.")
  private Double topP;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "With --sample: the same seed gives the same answers; 0 by default.")
  private Long seed;

  @Mixin private RunOptions runOptions;

  Translate(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    checkSampling();
    checked(
        () -> {
          tableOptions.check(files);
          return runOptions.batch();
        });
    try (Model model = modelOptions.open();
        TableOptions.Table table = tableOptions.open(files, streams)) {
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
    if (sample) {
      return;
    }
    Object[] values = {temperature, topK, topP, seed};
    String[] names = {"--temperature", "--top-k", "--top-p", "--seed"};
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null) {
        throw usage(names[i] + " goes with --sample only");
      }
    }
  }

  private GenerationOptions options(GenerationOptions.Builder options) {
    int count = answers == null ? 1 : answers;
    options.nBest(count);
    if (beam != null) {
      options.beamWidth(beam);
    } else if (sample) {
      options.beamWidth(1);
    } else if (count > 1) {
      options.beamWidth(count);
    }
    if (maxLength != null) {
      options.maxLength(maxLength);
    }
    if (minLength != null) {
      options.minLength(minLength);
    }
    if (lengthPenalty != null) {
      options.lengthPenalty(LengthPenalty.power(lengthPenalty));
    }
    if (noRepeatNgram != null) {
      options.noRepeatNgram(noRepeatNgram);
    }
    if (sample) {
      options.sampling(true);
      options.temperature(temperature == null ? 1 : temperature);
      options.topK(topK == null ? 0 : topK);
      options.topP(topP == null ? 1 : topP);
      options.seed(seed == null ? 0 : seed);
    }
    return options.build();
  }

  private LineWriter.Format<Translation> format() {
    if (answers != null && answers > 1) {
      return Translate::moses;
    }
    return (number, translation) -> {
      if (translation == null || translation.answers().isEmpty()) {
        return "";
      }
      Translation.Answer best = translation.answers().get(0);
      String text = oneLine(best.text());
      return scores ? text + "\t" + Decimals.score(best.score()) : text;
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

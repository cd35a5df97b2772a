package io.gatun.batch;

import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.sequence.EncoderDecoder;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.Generator;
import io.gatun.sequence.Hypothesis;
import io.gatun.sequence.LengthPenalty;
import io.gatun.sequence.Score;
import io.gatun.sequence.Sentence;
import io.gatun.sequence.SequenceException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * Text in, text out: an {@link EncoderDecoder} with the codecs of the {@link Model} it is made
 * from.
 *
 * <p>{@link #translation} and {@link #scoring} are tasks for a {@link BatchRun} over many lines,
 * {@link #translate} answers a single text.
 *
 * <pre>{@code
 * try (Model model = ModelFolder.open(Path.of("examples/g2p_en"));
 *     Translator translator = Translator.of(model)) {
 *   String phonemes = translator.translate("hello"); // HH EH1 L OW0
 * }
 * }</pre>
 *
 * <p>Immutable and thread-safe; the weights are packed once and shared. The caller closes it, after
 * its runs and before the model.
 */
public final class Translator implements AutoCloseable {
  private final Model model;
  private final TextCodec source;
  private final TextCodec target;
  private final EncoderDecoder network;

  private Translator(Model model, Device device, WeightFormat format) {
    if (model.kind() != Model.Kind.ENCODER_DECODER) {
      throw new IllegalArgumentException(
          model.file()
              + " is a model of kind "
              + model.kind().label()
              + ", expected "
              + Model.Kind.ENCODER_DECODER.label());
    }
    this.model = model;
    source = model.source().orElseThrow();
    target = model.target().orElseThrow();
    EncoderDecoder.Builder builder =
        EncoderDecoder.builder(model.encoder(), model.decoder())
            .logits(model.logits().name())
            .startToken(target.start().orElseThrow())
            .sourceVocabulary(source.vocabulary().size());
    target.end().ifPresent(builder::endTokens);
    model.attention().ifPresent(builder::attention);
    for (Model.State state : model.states()) {
      if (state.source().isPresent()) {
        builder.state(state.input(), state.output(), state.source().get());
      } else {
        builder.zeroState(state.input(), state.output());
      }
    }
    for (Model.Memory memory : model.memories()) {
      builder.memory(memory.input(), memory.source());
    }
    network = builder.weightFormat(format).build(device);
  }

  /**
   * Makes a translator on the {@linkplain Devices#best() best device}.
   *
   * @param model an encoder–decoder with codecs; stays open as long as the translator
   * @return the translator; the caller closes it
   * @throws IllegalArgumentException if the model is no encoder–decoder
   */
  public static Translator of(Model model) {
    return of(model, Devices.best());
  }

  /**
   * Makes a translator on a device.
   *
   * @param model an encoder–decoder with codecs; stays open as long as the translator
   * @param device where it computes; stays open as long as the translator
   * @return the translator; the caller closes it
   * @throws IllegalArgumentException if the model is no encoder–decoder
   */
  public static Translator of(Model model, Device device) {
    return of(model, device, null);
  }

  /**
   * Makes a translator on a device, with weights in a format.
   *
   * @param model an encoder–decoder with codecs; stays open as long as the translator
   * @param device where it computes; stays open as long as the translator
   * @param format what the weights are rounded to; {@code null} for the one they are stored in
   * @return the translator; the caller closes it
   * @throws IllegalArgumentException if the model is no encoder–decoder
   */
  public static Translator of(Model model, Device device, WeightFormat format) {
    return new Translator(model, device, format);
  }

  /** Returns the network. */
  public EncoderDecoder network() {
    return network;
  }

  /** Returns how the model's makers want it to generate, to be changed or built. */
  public GenerationOptions.Builder options() {
    Model.Generation usual = model.generation();
    return GenerationOptions.builder()
        .beamWidth(usual.beam())
        .nBest(usual.nBest())
        .maxLength(usual.maxLength())
        .minLength(usual.minLength())
        .lengthPenalty(LengthPenalty.power(usual.lengthPenalty()))
        .noRepeatNgram(usual.noRepeatNgram())
        .suppress(usual.suppressed().stream().mapToInt(Integer::intValue).toArray());
  }

  /**
   * Translates one text as the model's makers want it. For more than a few texts a {@link BatchRun}
   * over {@link #translation} is faster by far.
   *
   * @param text the text
   * @return the best answer; empty for a text without tokens
   * @throws BadRecordException if the text has a token that the model does not know
   */
  public String translate(String text) {
    var task = translation(options().nBest(1).build());
    Sentence sentence = task.prepare(1, text);
    Translation trivial = task.trivial(sentence);
    if (trivial != null) {
      return trivial.text();
    }
    try (BatchTask.Worker<Sentence, Translation> worker = task.newWorker()) {
      return worker.run(List.of(sentence)).get(0).text();
    }
  }

  /**
   * The task of translating lines. When sampling, a line's random numbers depend on the seed and
   * the line's number and on nothing else.
   *
   * @param options how tokens are chosen
   * @return a task for a {@link BatchRun}, to be used while this is open
   */
  public BatchTask<String, Sentence, Translation> translation(GenerationOptions options) {
    return new Translating(options);
  }

  /**
   * The task of scoring given targets: how probable the model finds the second text of a pair, if
   * the first is its source.
   *
   * @return a task for a {@link BatchRun}, to be used while this is open
   */
  public BatchTask<LinePairReader.Pair, SourceAndTarget, TargetScore> scoring() {
    return new Scoring();
  }

  /**
   * The tokens of a pair of texts.
   *
   * @param source those of the source
   * @param target those of the target, without start and end
   */
  public record SourceAndTarget(int[] source, int[] target) {}

  /** Frees the packed weights. */
  @Override
  public void close() {
    network.close();
  }

  /** The tokens of a text without those that were put around it. */
  private static int[] bare(TextCodec codec, int[] tokens) {
    int from = codec.start().isPresent() ? 1 : 0;
    int to = codec.end().isPresent() ? tokens.length - 1 : tokens.length;
    return Arrays.copyOfRange(tokens, from, to);
  }

  /**
   * Sources of like lengths stand together, and among these what begins alike; where what begins
   * alike is encoded once, that alone counts.
   */
  private int compare(int[] a, int[] b) {
    return a.length == b.length || network.sharesBeginnings()
        ? Arrays.compare(a, b)
        : Integer.compare(b.length, a.length);
  }

  /** In a batch of one the place of the sentence says nothing. */
  private static BadRecordException bad(SequenceException e) {
    String place = "sentence " + e.sentence() + ": ";
    String message = e.getMessage();
    return new BadRecordException(
        message.startsWith(place) ? message.substring(place.length()) : message, e);
  }

  private final class Translating implements BatchTask<String, Sentence, Translation> {
    private final GenerationOptions options;

    Translating(GenerationOptions options) {
      this.options = options;
    }

    @Override
    public Sentence prepare(long number, String line) {
      return new Sentence(number, ExampleText.tokens(source, line));
    }

    @Override
    public int tokens(Sentence sentence) {
      return sentence.tokens().length;
    }

    @Override
    public int compare(Sentence a, Sentence b) {
      return Translator.this.compare(a.tokens(), b.tokens());
    }

    @Override
    public Translation trivial(Sentence sentence) {
      return ExampleText.isBare(source, sentence.tokens()) ? Translation.EMPTY : null;
    }

    @Override
    public Worker<Sentence, Translation> newWorker() {
      Generator generator = network.newGenerator();
      return new Worker<>() {
        @Override
        public List<Translation> run(List<Sentence> sentences) {
          try {
            return generator.generate(sentences, options).stream()
                .map(Translating.this::translation)
                .toList();
          } catch (SequenceException e) {
            throw bad(e);
          }
        }

        @Override
        public void close() {
          generator.close();
        }
      };
    }

    private Translation translation(List<Hypothesis> hypotheses) {
      Stream<Translation.Answer> answers =
          hypotheses.stream()
              .map(
                  hypothesis ->
                      new Translation.Answer(
                          target.decode(hypothesis.tokens()),
                          hypothesis.score(),
                          hypothesis.logProbability()));
      return new Translation(answers.toList());
    }
  }

  private final class Scoring
      implements BatchTask<LinePairReader.Pair, SourceAndTarget, TargetScore> {
    @Override
    public SourceAndTarget prepare(long number, LinePairReader.Pair pair) {
      int[] from = ExampleText.tokens(source, pair.first());
      try {
        return new SourceAndTarget(from, bare(target, ExampleText.tokens(target, pair.second())));
      } catch (BadRecordException e) {
        throw new BadRecordException("target: " + e.getMessage(), e);
      }
    }

    @Override
    public int tokens(SourceAndTarget pair) {
      return Math.max(pair.source().length, pair.target().length + 1);
    }

    @Override
    public int compare(SourceAndTarget a, SourceAndTarget b) {
      return Translator.this.compare(a.source(), b.source());
    }

    @Override
    public TargetScore trivial(SourceAndTarget pair) {
      return null; // also an empty target has a probability: that of ending at once
    }

    @Override
    public Worker<SourceAndTarget, TargetScore> newWorker() {
      Generator generator = network.newGenerator();
      return new Worker<>() {
        @Override
        public List<TargetScore> run(List<SourceAndTarget> pairs) {
          List<Score> scores;
          try {
            scores =
                generator.score(
                    pairs.stream().map(SourceAndTarget::source).toList(),
                    pairs.stream().map(SourceAndTarget::target).toList());
          } catch (SequenceException e) {
            throw bad(e);
          }
          List<TargetScore> answers = new ArrayList<>();
          for (int i = 0; i < pairs.size(); i++) {
            answers.add(score(pairs.get(i).target(), scores.get(i)));
          }
          return answers;
        }

        @Override
        public void close() {
          generator.close();
        }
      };
    }

    private TargetScore score(int[] tokens, Score score) {
      List<TargetScore.Token> terms = new ArrayList<>();
      double[] values = score.logProbabilities();
      for (int i = 0; i < values.length; i++) {
        OptionalInt id = i < tokens.length ? OptionalInt.of(tokens[i]) : target.end();
        String symbol = target.vocabulary().symbol(id.orElseThrow());
        terms.add(new TargetScore.Token(symbol, values[i]));
      }
      return new TargetScore(score.logProbability(), terms);
    }
  }
}

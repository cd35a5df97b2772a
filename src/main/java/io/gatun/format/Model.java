package io.gatun.format;

import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A network as {@link NetworkFile#open} found it: its graphs, how text becomes their tokens and
 * back, and how it likes to be run. Nothing is computed here; plans are made from the graphs.
 *
 * <p>What the graphs of the two shapes of models have in common:
 *
 * <ul>
 *   <li>an encoder–decoder: the encoder has the inputs {@code tokens} int32 {@code [time, batch]}
 *       and {@code lengths} int32 {@code [batch]}; the decoder makes one step from the input {@code
 *       token} int32 {@code [1, batch]} and its {@link #states()}, and computes {@link #logits()}
 *       {@code [1, batch, vocabulary]};
 *   <li>a single network has the inputs its file states, or, where it reads text, {@code tokens}
 *       and {@code lengths} as above.
 * </ul>
 *
 * <p><b>Ownership.</b> The model owns its mapped weights (not those of a {@link ModelDraft}); the
 * graphs look at them. It is closed after the plans that use them in place: {@link #close()}
 * refuses while they hold a lease.
 *
 * <p>Immutable and thread-safe.
 */
public final class Model implements AutoCloseable {
  /** What a model is for. */
  public enum Kind {
    /** Makes one sequence of tokens from another. */
    ENCODER_DECODER("encoder-decoder"),
    /** Gives a whole sequence one label: scores {@code [batch, labels]}. */
    CLASSIFIER("classifier"),
    /** Gives each time step a label: scores {@code [time, batch, labels]}. */
    TAGGER("tagger"),
    /** Any other network: values in, values out. */
    NETWORK("network");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    /** Returns the name used in a model file. */
    public String label() {
      return label;
    }
  }

  /**
   * A state that the decoder carries from step to step.
   *
   * @param input the decoder's input that takes it
   * @param output the decoder's value that is it after the step
   * @param source the encoder's value it begins as; empty for zeros
   */
  public record State(String input, String output, Optional<String> source) {}

  /**
   * A value of the encoder that the decoder sees in every step, for attention.
   *
   * @param input the decoder's input that takes it
   * @param source the encoder's value
   */
  public record Memory(String input, String source) {}

  /**
   * How the model's makers want it to generate, unless the user says otherwise.
   *
   * @param maxLength the most tokens, the end token counted: the number of decoder steps
   * @param minLength the fewest tokens, without the end token
   * @param beam the width of the beam; 1 is greedy
   * @param nBest how many answers to give
   * @param lengthPenalty α: answers are ranked by their log-probability divided by their length^α;
   *     0 to 10, 0 for none
   * @param noRepeatNgram the length of n-grams that are not repeated; 0 for none
   * @param suppressed ids that are never generated
   */
  public record Generation(
      int maxLength,
      int minLength,
      int beam,
      int nBest,
      double lengthPenalty,
      int noRepeatNgram,
      List<Integer> suppressed) {

    /** Greedy, up to 256 tokens. */
    public static final Generation DEFAULT = new Generation(256, 0, 1, 1, 0, 0, List.of());

    /** Copies the list. */
    public Generation {
      suppressed = List.copyOf(suppressed);
    }
  }

  private final Path file;
  private final Description description;
  private final TensorFile weights;
  private final Runnable closing;
  private final Map<String, Graph> graphs;
  private final List<State> states;
  private final List<Memory> memories;
  private final String attention;
  private final Codecs codecs;
  private final Generation generation;
  private final Set<String> unusedWeights;

  /** What people are told about a model. */
  record Description(String name, Kind kind, String text, String license, String origin) {}

  /** Text and tokens; each may be null. */
  record Codecs(TextCodec source, TextCodec target, Vocabulary labels) {}

  /** How the decoder hangs on the encoder. */
  record Links(List<State> states, List<Memory> memories, String attention) {}

  Model(
      Path file,
      Description description,
      TensorFile weights,
      Map<String, Graph> graphs,
      Links links,
      Codecs codecs,
      Generation generation,
      Set<String> unusedWeights) {
    this(
        file,
        description,
        weights,
        weights == null ? () -> {} : weights::close,
        graphs,
        links,
        codecs,
        generation,
        unusedWeights);
  }

  private Model(
      Path file,
      Description description,
      TensorFile weights,
      Runnable closing,
      Map<String, Graph> graphs,
      Links links,
      Codecs codecs,
      Generation generation,
      Set<String> unusedWeights) {
    this.file = file;
    this.description = description;
    this.weights = weights;
    this.closing = closing;
    this.graphs = Map.copyOf(graphs);
    this.states = List.copyOf(links.states());
    this.memories = List.copyOf(links.memories());
    this.attention = links.attention();
    this.codecs = codecs;
    this.generation = generation;
    this.unusedWeights = unusedWeights;
  }

  /** A single network that some other format has, with the weights in the same file. */
  static Model of(
      Path file,
      Description description,
      Graph network,
      TensorFile weights,
      Runnable closing,
      Set<String> unusedWeights) {
    return new Model(
        file,
        description,
        weights,
        closing,
        Map.of("network", network),
        new Links(List.of(), List.of(), null),
        new Codecs(null, null, null),
        Generation.DEFAULT,
        unusedWeights);
  }

  /** Returns the model file: {@code model.json} in its folder, or the network file. */
  public Path file() {
    return file;
  }

  /** Returns the name. */
  public String name() {
    return description.name();
  }

  /** Returns what the model is for. */
  public Kind kind() {
    return description.kind();
  }

  /** Returns a sentence for people. */
  public Optional<String> description() {
    return Optional.ofNullable(description.text());
  }

  /** Returns the licence of the weights, as an SPDX identifier where there is one. */
  public Optional<String> license() {
    return Optional.ofNullable(description.license());
  }

  /** Returns where the weights come from. */
  public Optional<String> origin() {
    return Optional.ofNullable(description.origin());
  }

  /**
   * Returns the opened file of weights; it is closed with this model.
   *
   * @throws IllegalStateException if there is none, see {@link #hasWeightFile}
   */
  public TensorFile weights() {
    if (weights == null) {
      throw new IllegalStateException(file + ": the weights are in no file of their own");
    }
    return weights;
  }

  /**
   * Returns whether the weights are in a file of tensors: not those of a {@link ModelDraft}, which
   * are being trained, nor those of an ONNX file, which has them within its graph.
   */
  public boolean hasWeightFile() {
    return weights != null;
  }

  /** Returns the tensors of the weights that no layer uses, in the order of the file. */
  public Set<String> unusedWeights() {
    return unusedWeights;
  }

  /**
   * Returns the encoder.
   *
   * @throws IllegalStateException if this is no encoder–decoder
   */
  public Graph encoder() {
    return graph("encoder");
  }

  /**
   * Returns the decoder, which makes one step.
   *
   * @throws IllegalStateException if this is no encoder–decoder
   */
  public Graph decoder() {
    return graph("decoder");
  }

  /**
   * Returns the only graph of a model that is no encoder–decoder.
   *
   * @throws IllegalStateException if this is an encoder–decoder
   */
  public Graph network() {
    return graph("network");
  }

  private Graph graph(String name) {
    Graph graph = graphs.get(name);
    if (graph == null) {
      throw new IllegalStateException(
          file + ": a model of kind " + kind().label() + " has no " + name);
    }
    return graph;
  }

  /** Returns the graphs in the order in which a sequence runs through them. */
  public List<Graph> graphs() {
    return kind() == Kind.ENCODER_DECODER ? List.of(encoder(), decoder()) : List.of(network());
  }

  /** Returns the states of the decoder; empty for other kinds. */
  public List<State> states() {
    return states;
  }

  /** Returns the values of the encoder that the decoder attends to; may be empty. */
  public List<Memory> memories() {
    return memories;
  }

  /** Returns the decoder's value of attention weights {@code [1, batch, source time]}. */
  public Optional<String> attention() {
    return Optional.ofNullable(attention);
  }

  /**
   * Returns the value with the scores: of the decoder, or of a single network its first output.
   * Whether these are logits or probabilities already, the model's last layer says.
   */
  public Value logits() {
    return graphs().get(graphs().size() - 1).outputs().get(0);
  }

  /** Returns how text becomes the tokens that the encoder or network reads. */
  public Optional<TextCodec> source() {
    return Optional.ofNullable(codecs.source());
  }

  /** Returns how the decoder's tokens become text. */
  public Optional<TextCodec> target() {
    return Optional.ofNullable(codecs.target());
  }

  /** Returns what the scores of a classifier or tagger stand for. */
  public Optional<Vocabulary> labels() {
    return Optional.ofNullable(codecs.labels());
  }

  /** Returns how to generate where the user does not say. */
  public Generation generation() {
    return generation;
  }

  /**
   * Closes the weights; the graphs cannot be used any more.
   *
   * @throws IllegalStateException if a plan still uses them, or this is closed already
   */
  @Override
  public void close() {
    closing.run();
  }

  /** Returns name and kind. */
  @Override
  public String toString() {
    return name() + " (" + kind().label() + ")";
  }
}

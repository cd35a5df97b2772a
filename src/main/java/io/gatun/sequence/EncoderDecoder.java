package io.gatun.sequence;

import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Two graphs and a loop: the encoder reads a source once, the decoder makes or scores a target, one
 * token per step.
 *
 * <p>The encoder has the inputs source tokens, {@code [time, batch]} or {@linkplain
 * Builder#sourceBatchFirst() the other way round}, and, if it wants it, source lengths, {@code
 * [batch]}; sources shorter than {@code time} are padded with token 0. The decoder has an input for
 * the token before, {@code [batch]}, {@code [1, batch]} or {@code [batch, 1]}, and computes logits
 * {@code [batch, vocabulary]}, {@code [1, batch, vocabulary]} or {@code [batch, 1, vocabulary]}.
 * Tokens and lengths are int32 or int64. Besides, the decoder has
 *
 * <ul>
 *   <li>states: inputs that hold what an output was the step before, and at the first step the
 *       context (a value of the encoder), zeros or a constant;
 *   <li>memory: inputs that hold a value of the encoder at every step, for attention.
 * </ul>
 *
 * In each of these inputs one axis must be the symbol that is the batch axis of the token input; it
 * may be any axis.
 *
 * <pre>{@code
 * try (EncoderDecoder model =
 *         EncoderDecoder.builder(encoder, decoder)
 *             .state("h", "h_next", "context")
 *             .startToken(2)
 *             .endTokens(3)
 *             .build();
 *     Generator generator = model.newGenerator(Workers.none())) {
 *   Hypothesis best = generator.generate(new int[] {7, 4, 9, 3}, GenerationOptions.GREEDY);
 * }
 * }</pre>
 *
 * <p>Immutable and thread-safe; weights are packed once and shared by all generators. Whoever made
 * it closes it, after its generators. The memory of the graphs' constants must live as long.
 */
public final class EncoderDecoder implements AutoCloseable {
  final Plan encoder;
  final Plan decoder;
  final String sourceTokens;
  final DType sourceType;
  final boolean batchFirst;
  final String sourceLengths;
  final DType lengthsType;
  final Value token;
  final int tokenAxis;
  final String logits;
  final String attention;
  final List<Carried> carried;
  final int startToken;
  final int[] endTokens;
  private final int sourceVocabulary;
  private final int vocabulary;
  private final boolean sharesBeginnings;

  /**
   * A decoder input that is kept from step to step.
   *
   * @param output the decoder output that is its next value; {@code null} for memory
   * @param axis the batch axis of the input
   * @param encoderValue where its first value comes from; {@code null} for a constant or zeros
   * @param constant its first value, one row of it; {@code null} for zeros
   */
  record Carried(Value input, String output, int axis, String encoderValue, Tensor constant) {
    boolean isMemory() {
      return output == null;
    }
  }

  private EncoderDecoder(Builder builder, Device device) {
    Graph encoding = builder.encoder;
    Graph decoding = builder.decoder;
    Value source = input(encoding, builder.sourceTokens);
    batchFirst = builder.batchFirst;
    if (!areTokens(source) || source.rank() != 2) {
      throw new ShapeException(
          encoding.name()
              + ": source tokens are "
              + source
              + ", expected int32 or int64 "
              + (batchFirst ? "[batch, time]" : "[time, batch]"));
    }
    sourceTokens = source.name();
    sourceType = source.type();
    sourceLengths = lengths(encoding, builder.sourceLengths);
    lengthsType = sourceLengths == null ? DType.INT32 : encoding.value(sourceLengths).type();
    token = input(decoding, builder.token);
    boolean column = token.rank() == 2 && token.dim(1).equals(Dim.ONE);
    tokenAxis = column ? 0 : token.rank() - 1;
    if (!areTokens(token)
        || token.rank() < 1
        || token.rank() > 2
        || token.dim(tokenAxis).isKnown()) {
      throw new ShapeException(
          decoding.name()
              + ": the token input is "
              + token
              + ", expected int32 or int64 [batch], [1, batch] or [batch, 1] with a symbol for"
              + " batch");
    }
    Dim batch = token.dim(tokenAxis);
    carried = builder.carried.stream().map(link -> resolve(decoding, link, batch)).toList();
    Value scores = decoding.value(builder.logits);
    Dim last = scores.rank() == 0 ? Dim.symbol("none") : scores.dim(scores.rank() - 1);
    if (!scores.type().isFloat() || scores.rank() < 2 || !last.isKnown() || last.size() == 0) {
      throw new ShapeException(
          decoding.name()
              + ": logits are "
              + scores
              + ", expected reals [1, batch, vocabulary] with a known vocabulary");
    }
    logits = scores.name();
    vocabulary = Math.toIntExact(last.size());
    attention = builder.attention == null ? null : decoding.value(builder.attention).name();
    startToken = known("start token", builder.startToken, vocabulary);
    endTokens = builder.endTokens.clone();
    for (int end : endTokens) {
      known("end token", end, vocabulary);
    }
    sourceVocabulary =
        builder.sourceVocabulary > 0 ? builder.sourceVocabulary : rowsGathered(encoding, source);
    checkInputs(encoding, decoding);

    Set<String> fromEncoder = new LinkedHashSet<>();
    Set<String> fromDecoder = new LinkedHashSet<>(List.of(logits));
    for (Carried each : carried) {
      checkCarried(encoding, decoding, each);
      if (each.encoderValue != null && !each.encoderValue.equals(sourceLengths)) {
        fromEncoder.add(each.encoderValue);
      }
      if (each.output != null) {
        fromDecoder.add(each.output);
      }
    }
    if (attention != null) {
      fromDecoder.add(attention);
    }
    encoder =
        fromEncoder.isEmpty()
            ? null
            : Plan.on(device, builder.format, encoding, fromEncoder.toArray(new String[0]));
    try {
      decoder = Plan.on(device, builder.format, decoding, fromDecoder.toArray(new String[0]));
    } catch (RuntimeException | Error e) {
      if (encoder != null) {
        encoder.close();
      }
      throw e;
    }
    sharesBeginnings = beginningsAreShared();
  }

  private static boolean areTokens(Value value) {
    return value.type() == DType.INT32 || value.type() == DType.INT64;
  }

  private static Value input(Graph graph, String name) {
    Value value = graph.value(name);
    if (!graph.inputs().contains(value)) {
      throw new IllegalArgumentException(
          graph.name() + ": " + name + " is no input, expected one of " + graph.inputs());
    }
    return value;
  }

  private static String lengths(Graph graph, String name) {
    if (!graph.values().containsKey(name)) {
      return null;
    }
    Value value = input(graph, name);
    if (!areTokens(value) || value.rank() != 1) {
      throw new ShapeException(
          graph.name() + ": source lengths are " + value + ", expected int32 or int64 [batch]");
    }
    return name;
  }

  private static int known(String what, int token, int vocabulary) {
    if (token < 0 || token >= vocabulary) {
      throw new IllegalArgumentException(
          what + " is " + token + ", expected 0 to " + (vocabulary - 1));
    }
    return token;
  }

  /** How many rows an embedding has that the tokens pick from; as many as there are if unknown. */
  private static int rowsGathered(Graph graph, Value tokens) {
    int rows = Integer.MAX_VALUE;
    for (Node node : graph.nodes()) {
      if (node.operator().type().equals("Gather")
          && node.inputs().get(1) == tokens
          && node.inputs().get(0).dim(0).isKnown()) {
        rows = (int) Math.min(rows, node.inputs().get(0).dim(0).size());
      }
    }
    return rows;
  }

  private static Carried resolve(Graph graph, Builder.Link link, Dim batch) {
    Value input = input(graph, link.input());
    int axis = input.dims().indexOf(batch);
    if (axis < 0 || axis != input.dims().lastIndexOf(batch)) {
      throw new ShapeException(
          graph.name() + ": input " + input + " must have " + batch + " as one of its axes");
    }
    return new Carried(input, link.output(), axis, link.encoderValue(), link.constant());
  }

  private void checkInputs(Graph encoding, Graph graph) {
    for (Value input : encoding.inputs()) {
      if (!input.name().equals(sourceTokens) && !input.name().equals(sourceLengths)) {
        throw new IllegalArgumentException(
            encoding.name()
                + ": nothing is said about input "
                + input
                + ", expected tokens and lengths only");
      }
    }
    for (Value input : graph.inputs()) {
      if (input != token && carried.stream().noneMatch(each -> each.input == input)) {
        throw new IllegalArgumentException(
            graph.name()
                + ": nothing is said about input "
                + input
                + ", expected it as a state or as memory");
      }
    }
  }

  private void checkCarried(Graph encoding, Graph decoding, Carried each) {
    Value input = each.input;
    if (each.output != null) {
      Value next = decoding.value(each.output);
      if (next.type() != input.type() || !fit(next.dims(), input.dims())) {
        throw new ShapeException(
            decoding.name()
                + ": state "
                + next
                + " becomes input "
                + input
                + ", expected the same");
      }
    }
    if (each.encoderValue != null) {
      Value from = encoding.value(each.encoderValue);
      List<Dim> dims = new ArrayList<>(from.dims());
      if (dims.size() == input.rank()) {
        dims.set(each.axis, input.dim(each.axis));
      }
      if (from.type() != input.type() || !fit(dims, input.dims())) {
        throw new ShapeException(
            "encoder value " + from + " goes to decoder input " + input + ", expected the same");
      }
    } else if (each.constant != null) {
      long[] dims = each.constant.shape().dims();
      boolean fits = dims.length == input.rank() && each.constant.dtype().isFloat();
      for (int axis = 0; fits && axis < dims.length; axis++) {
        Dim dim = axis == each.axis ? Dim.ONE : input.dim(axis);
        fits = dim.isKnown() && dim.size() == dims[axis];
      }
      if (!fits) {
        throw new ShapeException(
            "state "
                + input
                + " begins as "
                + each.constant
                + ", expected its sizes with 1 for the batch");
      }
    } else {
      for (int axis = 0; axis < input.rank(); axis++) {
        Dim dim = input.dim(axis);
        if (axis != each.axis && !dim.isKnown() && !isSizeOfMemory(dim)) {
          throw new ShapeException(
              "state " + input + " begins as zeros, but nothing says how many " + dim + " is");
        }
      }
    }
  }

  private boolean isSizeOfMemory(Dim dim) {
    return carried.stream()
        .anyMatch(each -> each.encoderValue != null && each.input.dims().contains(dim));
  }

  private static boolean fit(List<Dim> a, List<Dim> b) {
    boolean fits = a.size() == b.size();
    for (int i = 0; fits && i < a.size(); i++) {
      fits = a.get(i).matches(b.get(i));
    }
    return fits;
  }

  /**
   * Begins a description of how two graphs fit.
   *
   * @param encoder reads the source
   * @param decoder makes one step
   */
  public static Builder builder(Graph encoder, Graph decoder) {
    return new Builder(encoder, decoder);
  }

  /** The number of tokens there are on the source side; the largest int if that is not known. */
  public int sourceVocabulary() {
    return sourceVocabulary;
  }

  /** The number of tokens there are on the target side. */
  public int vocabulary() {
    return vocabulary;
  }

  /** The token that stands before the first one of a target. */
  public int startToken() {
    return startToken;
  }

  /** The tokens that end a target; may be none. */
  public int[] endTokens() {
    return endTokens.clone();
  }

  /** Whether hypotheses can carry attention. */
  public boolean hasAttention() {
    return attention != null;
  }

  /**
   * Whether the encoder computes only once what sources of a batch have in common before their
   * tokens first differ, and needs no padding: it is a forward recurrent layer behind an embedding,
   * of which the decoder sees the last state alone. Then a batch is best made of sources that begin
   * alike, whatever their lengths; otherwise of sources of like lengths.
   */
  public boolean sharesBeginnings() {
    return sharesBeginnings;
  }

  private boolean beginningsAreShared() {
    if (encoder == null) {
      return false;
    }
    Dim time = encoder.graph().value(sourceTokens).dim(batchFirst ? 1 : 0);
    if (encoder.outputs().stream().anyMatch(value -> value.dims().contains(time))) {
      return false;
    }
    for (Node node : encoder.nodes()) {
      boolean layer =
          node.operator().type().startsWith("Gather+")
              && node.attributes().string("direction", "forward").equals("forward");
      boolean view = Set.of("Squeeze", "Unsqueeze", "Identity").contains(node.operator().type());
      if (!layer && !view) {
        return false;
      }
    }
    return true;
  }

  /** The device it runs on. */
  public Device device() {
    return decoder.device();
  }

  /** A generator that computes on the calling thread alone. The caller closes it. */
  public Generator newGenerator() {
    return newGenerator(Workers.none());
  }

  /**
   * A generator, for one thread, whose operations are shared by workers. The caller closes it,
   * before the workers and before this.
   */
  public Generator newGenerator(Workers workers) {
    return new Generator(this, workers);
  }

  /**
   * Frees the packed weights.
   *
   * @throws IllegalStateException while generators are open
   */
  @Override
  public void close() {
    decoder.close();
    if (encoder != null) {
      encoder.close();
    }
  }

  /** Says how two graphs fit. Not thread-safe. */
  public static final class Builder {
    private final Graph encoder;
    private final Graph decoder;
    private final List<Link> carried = new ArrayList<>();
    private String sourceTokens = "tokens";
    private boolean batchFirst;
    private String sourceLengths = "lengths";
    private String token = "token";
    private String logits = "logits";
    private String attention;
    private int startToken = -1;
    private int[] endTokens = {};
    private int sourceVocabulary;
    private WeightFormat format;

    private record Link(String input, String output, String encoderValue, Tensor constant) {}

    private Builder(Graph encoder, Graph decoder) {
      this.encoder = encoder;
      this.decoder = decoder;
    }

    /** The encoder's input for tokens, [time, batch]; by default {@code tokens}. */
    public Builder sourceTokens(String input) {
      sourceTokens = input;
      return this;
    }

    /** The encoder's input for tokens is [batch, time]. */
    public Builder sourceBatchFirst() {
      batchFirst = true;
      return this;
    }

    /**
     * The encoder's input for the lengths of sources, [batch]; by default {@code lengths}, if there
     * is one.
     */
    public Builder sourceLengths(String input) {
      sourceLengths = input;
      return this;
    }

    /** The decoder's input for the token before; by default {@code token}. */
    public Builder token(String input) {
      token = input;
      return this;
    }

    /** The decoder's value for the scores of all tokens; by default {@code logits}. */
    public Builder logits(String value) {
      logits = value;
      return this;
    }

    /** The decoder's value for attention weights, [1, batch, source time]; none by default. */
    public Builder attention(String value) {
      attention = value;
      return this;
    }

    /** A state that begins as a value of the encoder: the context. */
    public Builder state(String input, String output, String encoderValue) {
      carried.add(new Link(input, output, encoderValue, null));
      return this;
    }

    /** A state that begins as zeros. */
    public Builder zeroState(String input, String output) {
      carried.add(new Link(input, output, null, null));
      return this;
    }

    /**
     * A state that begins as a constant, the same for every sentence: reals of the state's shape
     * with 1 for the batch axis. The tensor must live as long as the network.
     */
    public Builder constantState(String input, String output, Tensor constant) {
      carried.add(new Link(input, output, null, constant));
      return this;
    }

    /**
     * A value of the encoder, or its lengths, that the decoder sees at every step. Batch and other
     * axes stand where they stand in the encoder's value.
     */
    public Builder memory(String input, String encoderValue) {
      carried.add(new Link(input, null, encoderValue, null));
      return this;
    }

    /** The token before the first one. Must be given. */
    public Builder startToken(int id) {
      startToken = id;
      return this;
    }

    /** The tokens that end a target; none by default. The first is the one that scoring adds. */
    public Builder endTokens(int... ids) {
      endTokens = Arrays.stream(ids).distinct().toArray();
      return this;
    }

    /**
     * The number of tokens there are on the source side; by default the number of rows of the table
     * that the encoder picks from.
     */
    public Builder sourceVocabulary(int tokens) {
      sourceVocabulary = tokens;
      return this;
    }

    /**
     * What the matrices of both graphs are rounded to when they are packed; by default they stay as
     * they are stored, see {@link Plan#on(Device, WeightFormat, Graph, String...)}.
     */
    public Builder weightFormat(WeightFormat weights) {
      format = weights;
      return this;
    }

    /** The network on the {@linkplain Devices#best() best device}. */
    public EncoderDecoder build() {
      return build(Devices.best());
    }

    /**
     * The network on a device. The caller closes it.
     *
     * @throws IllegalArgumentException if a name is none of the graph's, an input is left over, or
     *     a token is not in the vocabulary
     * @throws ShapeException if two values do not fit
     */
    public EncoderDecoder build(Device device) {
      return new EncoderDecoder(this, device);
    }
  }
}

package io.gatun.jmh.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What somebody would write who translates a file of words with ONNX Runtime: the encoder as one
 * ONNX model, a step of the decoder as another, the search in Java. For models of one recurrent
 * layer without attention on each side, such as {@code examples/g2p_en}.
 *
 * <p>Written to be as fast as that allows: sources are batched by equal length, so that nothing is
 * padded; what goes in and comes out lies in direct buffers that are used again (pinned outputs);
 * the state that a step leaves is the next one's input without a copy as long as no row leaves;
 * rows that have ended are moved out of the way; log-softmax and top-k of beam search are part of
 * the decoder's model. Several programs with sessions of their own may share the batches, which is
 * the faster way to use two processors where a session with two threads does not scale.
 *
 * <p>It finds what {@link io.gatun.batch.Translator} finds with the same beam: the hypothesis of
 * the greatest log-probability among those that ended first.
 */
public final class OnnxTranslator implements AutoCloseable {
  private static final OrtEnvironment ENVIRONMENT = OrtEnvironment.getEnvironment();

  private final TextCodec source;
  private final TextCodec target;
  private final int startToken;
  private final int endToken;
  private final int maxLength;
  private final int beam;
  private final int batch;
  private final int hidden;
  private final int vocabulary;
  private final byte[] encoderModel;
  private final byte[] decoderModel;
  private final List<Program> programs = new ArrayList<>();

  /**
   * Loads a model.
   *
   * @param model an encoder–decoder with codecs
   * @param beam how many hypotheses of a word live at a time; 1 is greedy
   * @param programs how many batches are worked on at a time, each with sessions of its own
   * @param threads how many threads each session may use
   * @param batch how many words are in a batch at most
   */
  public OnnxTranslator(Model model, int beam, int programs, int threads, int batch)
      throws OrtException {
    source = model.source().orElseThrow();
    target = model.target().orElseThrow();
    startToken = target.start().orElseThrow();
    endToken = target.end().orElseThrow();
    maxLength = model.generation().maxLength();
    this.beam = beam;
    this.batch = batch;
    Node layer = node(model.decoder(), "GRU");
    hidden = Math.toIntExact(layer.inputs().get(2).dim(2).size());
    vocabulary = target.vocabulary().size();
    encoderModel = OnnxWriter.write(encoder(model), "states");
    decoderModel =
        beam == 1
            ? OnnxWriter.write(decoder(model), "states", "logits")
            : OnnxWriter.write(decoder(model), "states", "values", "ids");
    try {
      for (int i = 0; i < programs; i++) {
        this.programs.add(new Program(encoderModel, decoderModel, threads));
      }
    } catch (OrtException | RuntimeException e) {
      close();
      throw e;
    }
  }

  private static Node node(Graph graph, String type) {
    List<Node> found =
        graph.nodes().stream().filter(node -> node.operator().type().equals(type)).toList();
    if (found.size() != 1) {
      throw new IllegalArgumentException(
          graph.name() + " has " + found.size() + " nodes " + type + ", expected one");
    }
    return found.get(0);
  }

  /** The embedding and the recurrent layer of a graph, in the layout that ONNX has. */
  private static List<Value> layer(
      Graph.Builder g, Graph from, Value tokens, Value initial, String... outputs) {
    Value table = node(from, "Gather").inputs().get(0);
    Value embedded =
        g.node(
            "embedded",
            "Gather",
            Attributes.of("axis", 0),
            g.constant("table", table.constant()),
            tokens);
    List<Value> inputs = node(from, "GRU").inputs();
    List<Value> operands = new ArrayList<>();
    operands.add(embedded);
    operands.add(g.constant("W", inputs.get(1).constant()));
    operands.add(g.constant("R", inputs.get(2).constant()));
    operands.add(g.constant("B", inputs.get(3).constant()));
    operands.add(null);
    operands.add(initial);
    long after = node(from, "GRU").attributes().integer("linear_before_reset", 0);
    return g.node(
        "layer", "GRU", Attributes.of("linear_before_reset", after), operands, List.of(outputs));
  }

  private static Graph encoder(Model model) {
    Graph.Builder g = Graph.builder("encoder");
    Value tokens = g.input("tokens", DType.INT32, "time", "batch");
    layer(g, model.encoder(), tokens, null, "steps", "states");
    return g.build();
  }

  private Graph decoder(Model model) {
    Graph.Builder g = Graph.builder("decoder");
    Value tokens = g.input("token", DType.INT32, 1, "batch");
    Value initial = g.input("initial", DType.FLOAT32, 1, "batch", hidden);
    Value states = layer(g, model.decoder(), tokens, initial, "steps", "states").get(1);
    Value matrix = node(model.decoder(), "MatMul").inputs().get(1);
    Value bias = node(model.decoder(), "Add").inputs().get(1);
    Value product =
        g.node(
            "product",
            "MatMul",
            Attributes.NONE,
            states,
            g.constant("projection", matrix.constant()));
    Value logits =
        g.node("logits", "Add", Attributes.NONE, product, g.constant("bias", bias.constant()));
    if (beam > 1) {
      Value logarithms = g.node("logarithms", "LogSoftmax", Attributes.of("axis", -1), logits);
      g.node(
          "best",
          "TopK",
          Attributes.of("k", candidates()),
          List.of(logarithms),
          List.of("values", "ids"));
    }
    return g.build();
  }

  /**
   * Writes the two models and the vocabularies, a symbol on each line, for a program that has
   * nothing else: {@link OnnxWord}.
   */
  public void write(Path folder) throws IOException {
    Files.write(folder.resolve(OnnxWord.ENCODER), encoderModel);
    Files.write(folder.resolve(OnnxWord.DECODER), decoderModel);
    Files.write(folder.resolve(OnnxWord.SOURCE), source.vocabulary().symbols());
    Files.write(folder.resolve(OnnxWord.TARGET), target.vocabulary().symbols());
  }

  /** The best tokens that do not end a hypothesis are among so many. */
  private int candidates() {
    return Math.min(vocabulary, beam + 1);
  }

  /**
   * Translates a file of words, one a line.
   *
   * @param words the words in UTF-8
   * @param out where the answers go, a line each, in the same order
   */
  public void translate(Path words, OutputStream out) throws IOException, OrtException {
    List<String> lines = Files.readAllLines(words);
    StringBuilder text = new StringBuilder();
    for (String answer : translate(lines)) {
      text.append(answer).append('\n');
    }
    out.write(text.toString().getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  /** Translates words; the answers in the same order. */
  public String[] translate(List<String> words) throws OrtException {
    int[][] tokens = new int[words.size()][];
    Integer[] order = new Integer[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = source.encode(words.get(i));
      order[i] = i;
    }
    Arrays.sort(order, Comparator.comparingInt(i -> -tokens[i].length));
    List<int[]> batches = new ArrayList<>();
    int first = 0;
    for (int i = 1; i <= order.length; i++) {
      if (i == order.length
          || i - first == batch
          || tokens[order[i]].length != tokens[order[first]].length) {
        batches.add(Arrays.stream(order, first, i).mapToInt(Integer::intValue).toArray());
        first = i;
      }
    }
    String[] answers = new String[tokens.length];
    AtomicInteger next = new AtomicInteger();
    if (programs.size() == 1) {
      programs.get(0).work(batches, next, tokens, answers);
      return answers;
    }
    try (ExecutorService threads = Executors.newFixedThreadPool(programs.size())) {
      List<Future<Object>> all = new ArrayList<>();
      for (Program program : programs) {
        all.add(
            threads.submit(
                () -> {
                  program.work(batches, next, tokens, answers);
                  return null;
                }));
      }
      for (Future<Object> each : all) {
        each.get();
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    return answers;
  }

  @Override
  public void close() throws OrtException {
    for (Program program : programs) {
      program.close();
    }
  }

  /** One thread's sessions and buffers. */
  private final class Program implements AutoCloseable {
    private final OrtSession encoder;
    private final OrtSession decoder;
    private final ByteBuffer tokens;
    private final ByteBuffer values;
    private final ByteBuffer ids;
    private ByteBuffer states;
    private ByteBuffer nextStates;
    private ByteBuffer sources = bytes(0);

    // The tensors of a step with so many rows; the two states change places at each step.
    private int boundRows = -1;
    private OnnxTensor tokenTensor;
    private OnnxTensor valueTensor;
    private OnnxTensor idTensor;
    private OnnxTensor stateTensor;
    private OnnxTensor nextStateTensor;

    // What lives: the rows of a word lie together, best first.
    private int rows;
    private int[] word;
    private int[][] history;
    private double[] sum;
    private int[] nextWord;
    private int[][] nextHistory;
    private double[] nextSum;
    private final int[] parents;
    private final int[] heads;

    Program(byte[] encoderModel, byte[] decoderModel, int threads) throws OrtException {
      encoder = session(encoderModel, threads);
      decoder = session(decoderModel, threads);
      int most = batch * beam;
      tokens = bytes((long) most * Integer.BYTES);
      states = bytes((long) most * hidden * Float.BYTES);
      nextStates = bytes((long) most * hidden * Float.BYTES);
      values = bytes((long) most * (beam == 1 ? vocabulary : candidates()) * Float.BYTES);
      ids = bytes((long) most * candidates() * Long.BYTES);
      word = new int[most];
      history = new int[most][];
      sum = new double[most];
      nextWord = new int[most];
      nextHistory = new int[most][];
      nextSum = new double[most];
      parents = new int[most];
      heads = new int[most];
    }

    private OrtSession session(byte[] model, int threads) throws OrtException {
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        options.setIntraOpNumThreads(threads);
        options.setInterOpNumThreads(1);
        options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        return ENVIRONMENT.createSession(model, options);
      }
    }

    private static ByteBuffer bytes(long count) {
      return ByteBuffer.allocateDirect(Math.toIntExact(count)).order(ByteOrder.nativeOrder());
    }

    private static FloatBuffer floats(ByteBuffer buffer, long count) {
      return buffer
          .slice(0, Math.toIntExact(count * Float.BYTES))
          .order(ByteOrder.nativeOrder())
          .asFloatBuffer();
    }

    private static IntBuffer ints(ByteBuffer buffer, long count) {
      return buffer
          .slice(0, Math.toIntExact(count * Integer.BYTES))
          .order(ByteOrder.nativeOrder())
          .asIntBuffer();
    }

    private static LongBuffer longs(ByteBuffer buffer, long count) {
      return buffer
          .slice(0, Math.toIntExact(count * Long.BYTES))
          .order(ByteOrder.nativeOrder())
          .asLongBuffer();
    }

    void work(List<int[]> batches, AtomicInteger next, int[][] sources, String[] answers)
        throws OrtException {
      for (int i = next.getAndIncrement(); i < batches.size(); i = next.getAndIncrement()) {
        int[] places = batches.get(i);
        encode(places, sources);
        int[][] best = beam == 1 ? greedy(places.length) : search(places.length);
        for (int k = 0; k < places.length; k++) {
          answers[places[k]] = target.decode(best[k]);
        }
      }
    }

    private void encode(int[] places, int[][] all) throws OrtException {
      int count = places.length;
      int time = all[places[0]].length;
      if (sources.capacity() < time * count * Integer.BYTES) {
        sources = bytes((long) time * count * Integer.BYTES);
      }
      for (int k = 0; k < count; k++) {
        int[] each = all[places[k]];
        for (int t = 0; t < time; t++) {
          sources.putInt((t * count + k) * Integer.BYTES, each[t]);
        }
      }
      try (OnnxTensor in =
              OnnxTensor.createTensor(
                  ENVIRONMENT, ints(sources, (long) time * count), new long[] {time, count});
          OnnxTensor out =
              OnnxTensor.createTensor(
                  ENVIRONMENT, floats(states, (long) count * hidden), stateDims(count))) {
        encoder.run(Map.of("tokens", in), Map.of("states", out)).close();
      }
    }

    private long[] stateDims(int count) {
      return new long[] {1, count, hidden};
    }

    private void bind() throws OrtException {
      if (rows == boundRows) {
        return;
      }
      unbind();
      boundRows = rows;
      int columns = beam == 1 ? vocabulary : candidates();
      long[] dims = {1, rows, columns};
      tokenTensor = OnnxTensor.createTensor(ENVIRONMENT, ints(tokens, rows), new long[] {1, rows});
      valueTensor =
          OnnxTensor.createTensor(ENVIRONMENT, floats(values, (long) rows * columns), dims);
      idTensor =
          OnnxTensor.createTensor(
              ENVIRONMENT,
              longs(ids, (long) rows * candidates()),
              new long[] {1, rows, candidates()});
      long numbers = (long) rows * hidden;
      stateTensor = OnnxTensor.createTensor(ENVIRONMENT, floats(states, numbers), stateDims(rows));
      nextStateTensor =
          OnnxTensor.createTensor(ENVIRONMENT, floats(nextStates, numbers), stateDims(rows));
    }

    private void unbind() {
      if (boundRows >= 0) {
        tokenTensor.close();
        valueTensor.close();
        idTensor.close();
        stateTensor.close();
        nextStateTensor.close();
        boundRows = -1;
      }
    }

    private void step() throws OrtException {
      bind();
      Map<String, OnnxTensor> inputs = Map.of("token", tokenTensor, "initial", stateTensor);
      Map<String, OnnxTensor> outputs =
          beam == 1
              ? Map.of("states", nextStateTensor, "logits", valueTensor)
              : Map.of("states", nextStateTensor, "values", valueTensor, "ids", idTensor);
      decoder.run(inputs, Set.of(), outputs).close();
    }

    /** Makes the states that the step left the next one's. */
    private void swap() {
      ByteBuffer before = states;
      states = nextStates;
      nextStates = before;
      OnnxTensor tensorBefore = stateTensor;
      stateTensor = nextStateTensor;
      nextStateTensor = tensorBefore;
    }

    private int[][] greedy(int count) throws OrtException {
      int[][] best = new int[count][maxLength];
      rows = count;
      for (int row = 0; row < rows; row++) {
        word[row] = row;
        tokens.putInt(row * Integer.BYTES, startToken);
      }
      for (int step = 0; rows > 0 && step < maxLength; step++) {
        step();
        int kept = 0;
        for (int row = 0; row < rows; row++) {
          int token = argmax(row * vocabulary);
          if (token == endToken) {
            best[word[row]] = Arrays.copyOf(best[word[row]], step);
            continue;
          }
          best[word[row]][step] = token;
          if (kept < row) {
            int bytes = hidden * Float.BYTES;
            nextStates.put(kept * bytes, nextStates, row * bytes, bytes);
          }
          tokens.putInt(kept * Integer.BYTES, token);
          word[kept++] = word[row];
        }
        swap();
        rows = kept;
      }
      return best;
    }

    private int argmax(int from) {
      int at = 0;
      float most = Float.NEGATIVE_INFINITY;
      for (int i = 0; i < vocabulary; i++) {
        float value = values.getFloat((from + i) * Float.BYTES);
        if (value > most) {
          most = value;
          at = i;
        }
      }
      return at;
    }

    private int[][] search(int count) throws OrtException {
      int[][] best = new int[count][];
      double[] score = new double[count];
      int[] ended = new int[count];
      rows = count;
      for (int row = 0; row < rows; row++) {
        word[row] = row;
        history[row] = new int[0];
        sum[row] = 0;
      }
      for (int step = 0; rows > 0; step++) {
        for (int row = 0; row < rows; row++) {
          int token = step == 0 ? startToken : history[row][step - 1];
          tokens.putInt(row * Integer.BYTES, token);
        }
        step();
        boolean last = step + 1 == maxLength;
        int made = 0;
        for (int first = 0; first < rows; ) {
          int end = first + 1;
          while (end < rows && word[end] == word[first]) {
            end++;
          }
          made = select(first, end, step, last, made, best, score, ended);
          first = end;
        }
        reorder(made);
        rows = made;
      }
      return best;
    }

    /** The continuations of one word; returns how many rows there are then. */
    private int select(
        int first,
        int end,
        int step,
        boolean last,
        int begin,
        int[][] best,
        double[] score,
        int[] ended) {
      int made = begin;
      int place = word[first];
      Arrays.fill(heads, first, end, 0);
      for (int rank = 0; rank < beam || (!last && made - begin < beam); rank++) {
        int from = -1;
        double most = Double.NEGATIVE_INFINITY;
        for (int row = first; row < end; row++) {
          if (heads[row] < candidates()) {
            int at = row * candidates() + heads[row];
            double total = sum[row] + values.getFloat(at * Float.BYTES);
            if (total > most) {
              most = total;
              from = row;
            }
          }
        }
        if (from < 0) {
          break;
        }
        int at = from * candidates() + heads[from]++;
        int token = (int) ids.getLong(at * Long.BYTES);
        if (token == endToken || last) {
          if (rank < beam) {
            ended[place]++;
            if (best[place] == null || most > score[place]) {
              score[place] = most;
              best[place] = token == endToken ? history[from] : append(history[from], step, token);
            }
          }
        } else {
          nextWord[made] = place;
          nextSum[made] = most;
          nextHistory[made] = append(history[from], step, token);
          parents[made++] = from;
        }
      }
      // Sums only fall: where no live one is better than the best that ended, that one has won.
      boolean won = made > begin && best[place] != null && nextSum[begin] <= score[place];
      return won || ended[place] >= beam ? begin : made;
    }

    private static int[] append(int[] tokens, int count, int token) {
      int[] longer = Arrays.copyOf(tokens, count + 1);
      longer[count] = token;
      return longer;
    }

    private void reorder(int made) {
      int bytes = hidden * Float.BYTES;
      boolean same = made == rows;
      for (int row = 0; same && row < made; row++) {
        same = parents[row] == row;
      }
      if (same) {
        swap();
      } else {
        for (int row = 0; row < made; row++) {
          states.put(row * bytes, nextStates, parents[row] * bytes, bytes);
        }
      }
      int[] wordBefore = word;
      word = nextWord;
      nextWord = wordBefore;
      int[][] historyBefore = history;
      history = nextHistory;
      nextHistory = historyBefore;
      double[] sumBefore = sum;
      sum = nextSum;
      nextSum = sumBefore;
    }

    @Override
    public void close() throws OrtException {
      unbind();
      encoder.close();
      decoder.close();
    }
  }
}

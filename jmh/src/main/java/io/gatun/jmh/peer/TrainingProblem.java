package io.gatun.jmh.peer;

import io.gatun.format.Json;
import io.gatun.format.Model;
import io.gatun.format.ModelDraft;
import io.gatun.format.ModelFolder;
import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A network, a batch and how it is trained: a step is forward, backward, and Adam's update of all
 * weights. Always the same numbers.
 *
 * @param name what it is called in tables
 * @param config the training configuration whose network it is; {@code null} for a single LSTM
 * @param time time steps: of the input, or the source's tokens
 * @param targetTime the target's tokens
 * @param batch sequences, all of them as long as that
 * @param hidden size of input and state of the LSTM
 * @param clip what the gradient's global norm is clipped to; 0 for no limit
 * @param rate the learning rate
 * @param dropout whether there is any
 */
record TrainingProblem(
    String name,
    Path config,
    int time,
    int targetTime,
    int batch,
    int hidden,
    double clip,
    double rate,
    boolean dropout) {
  static final String LOSS = "loss";
  static final double SMOOTHING = 0.1;
  private static final long SEED = 42;
  private static final int GATES = 4;

  /** The network as a graph with a sum as its loss, and its weights by name. */
  record Network(Graph graph, Map<String, Tensor> weights) {}

  /** An LSTM over whole sequences, its output compared with numbers: mean squared error. */
  static TrainingProblem lstm(int time, int batch, int hidden) {
    String name = "LSTM " + time + " × " + batch + " × " + hidden;
    return new TrainingProblem(name, null, time, 0, batch, hidden, 0, 1e-3, false);
  }

  /**
   * The network of examples/pronunciation, as its configuration trains it: an encoder–decoder with
   * attention. A batch of words of eight letters and seven phonemes.
   */
  static TrainingProblem pronunciation(Path config, int batch, boolean dropout) {
    String name = "pronunciation, " + batch + " words";
    return new TrainingProblem(name, config, 9, 8, batch, 0, 1, 3e-3, dropout);
  }

  /** How many terms the loss has. */
  long terms() {
    return config == null ? (long) time * batch * hidden : (long) targetTime * batch;
  }

  /** The network; its weights lie in the arena. */
  Network network(SharedArena arena) {
    return config == null ? layer(arena) : encoderDecoder(arena);
  }

  private Network layer(SharedArena arena) {
    Random random = new Random(SEED);
    double deviation = 1 / Math.sqrt(hidden);
    Map<String, Tensor> weights = new LinkedHashMap<>();
    int rows = GATES * hidden;
    weights.put("W", gaussian(arena, random, deviation, 1, rows, hidden));
    weights.put("R", gaussian(arena, random, deviation, 1, rows, hidden));
    weights.put("B", gaussian(arena, random, 0.1, 1, 2L * rows));
    Graph.Builder g = Graph.builder("lstm");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", hidden);
    Value right = g.input("y", DType.FLOAT32, "time", "batch", hidden);
    Value y =
        g.node(
                "lstm",
                "LSTM",
                Attributes.of("layout", 2),
                Arrays.asList(
                    x,
                    g.constant("W", weights.get("W")),
                    g.constant("R", weights.get("R")),
                    g.constant("B", weights.get("B"))),
                List.of("Y"))
            .get(0);
    Value steps = g.node("steps", "Squeeze", Attributes.of("axes", new long[] {2}), y);
    Value apart = g.node("apart", "Sub", Attributes.NONE, steps, right);
    Value square = g.node("square", "Mul", Attributes.NONE, apart, apart);
    g.output(
        g.node(
            LOSS, "ReduceSum", Attributes.of("axes", new int[] {0, 1, 2}, "keepdims", 0), square));
    return new Network(g.build(), weights);
  }

  private static Tensor gaussian(SharedArena arena, Random random, double deviation, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    float[] numbers = gaussian(random, deviation, Math.toIntExact(tensor.elements()));
    return tensor.copyFrom(Tensor.ofFloats(arena, numbers, dims));
  }

  private static float[] gaussian(Random random, double deviation, int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) (deviation * random.nextGaussian());
    }
    return numbers;
  }

  private Network encoderDecoder(SharedArena arena) {
    try (Model trained = ModelFolder.open(config.getParent())) {
      String text = Files.readString(config);
      if (!dropout) {
        text = text.replaceAll("\"rate\": *[0-9.]+", "\"rate\": 0");
      }
      ModelDraft draft =
          ModelDraft.of(
              Json.parse(config.toString(), text),
              trained.source().orElseThrow(),
              trained.target().orElseThrow(),
              null,
              arena,
              SEED,
              false,
              (g, scores) -> {
                Value labels = g.input("labels", DType.INT32, "target_time", "batch");
                Attributes settings =
                    Attributes.of("reduction", "sum", "label_smoothing", (float) SMOOTHING);
                g.node(LOSS, "CrossEntropy", settings, scores, labels);
              });
      return new Network(draft.training(), draft.parameters());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The rate of a dropout layer of the configuration. */
  double dropoutRate(String layer) {
    try {
      Pattern rate = Pattern.compile('"' + Pattern.quote(layer) + "\", *\"rate\": *([0-9.]+)");
      Matcher found = rate.matcher(Files.readString(config));
      if (!found.find()) {
        throw new IllegalArgumentException(config + " has no dropout " + layer);
      }
      return Double.parseDouble(found.group(1));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The LSTM's input {@code [time, batch, hidden]}. */
  float[] input() {
    return gaussian(new Random(SEED + 1), 1, time * batch * hidden);
  }

  /** What the LSTM's output should be. */
  float[] values() {
    return gaussian(new Random(SEED + 2), 0.5, time * batch * hidden);
  }

  /** Source tokens {@code [time, batch]}, none of them special. */
  int[] source(int symbols) {
    return new Random(SEED + 3).ints((long) time * batch, 3, symbols).toArray();
  }

  /** Target tokens {@code [targetTime, batch]}, of the decoder's input. */
  int[] target(int symbols) {
    return new Random(SEED + 4).ints((long) targetTime * batch, 4, symbols).toArray();
  }

  /** The tokens that should come. */
  int[] labels(int symbols) {
    return new Random(SEED + 5).ints((long) targetTime * batch, 3, symbols).toArray();
  }

  @Override
  public String toString() {
    return name;
  }
}

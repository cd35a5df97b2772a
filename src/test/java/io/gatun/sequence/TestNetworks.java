package io.gatun.sequence;

import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.layer.Attention;
import io.gatun.layer.Convention;
import io.gatun.layer.Layers;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Networks for the tests of this room, and what they compute, written down once more. */
final class TestNetworks {
  /**
   * A network, and somebody else who knows what it says, and where it looks for the token after
   * some others; {@code null} if it has no attention.
   */
  record Known(EncoderDecoder model, Oracle oracle, Oracle looks) implements AutoCloseable {
    @Override
    public void close() {
      model.close();
    }
  }

  private TestNetworks() {}

  static Tensor random(Arena arena, Random random, double scale, long... dims) {
    int size = 1;
    for (long dim : dims) {
      size *= Math.toIntExact(dim);
    }
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    return Tensor.ofFloats(arena, values, dims);
  }

  private static Value gather(Graph.Builder g, String name, Tensor table, Value tokens) {
    return g.node(name, "Gather", Attributes.NONE, g.constant(name + ".table", table), tokens);
  }

  /**
   * The logits after token p are {@code transitions[p] + state}, where the state begins as {@code Σ
   * biases[source tokens]} and is {@code 0.75 state + transitions[0]} a step later: every number is
   * known.
   *
   * @param transitions {@code [vocabulary, vocabulary]}
   * @param biases {@code [source vocabulary, vocabulary]}; the first row all 0, since sources are
   *     padded with token 0
   */
  static Known chain(
      Device device, Tensor transitions, Tensor biases, int startToken, int... endTokens) {
    int vocabulary = Math.toIntExact(transitions.dim(0));
    Graph.Builder e = Graph.builder("encoder");
    Value tokens = e.input("tokens", DType.INT32, "time", "batch");
    e.output(
        e.node(
            "sum",
            "ReduceSum",
            Attributes.of("keepdims", 0),
            gather(e, "bias", biases, tokens),
            e.integers("axis", 0)));
    Graph.Builder d = Graph.builder("decoder");
    Value token = d.input("token", DType.INT32, "batch");
    Value state = d.input("state", DType.FLOAT32, "batch", vocabulary);
    Value faded = d.activate("faded", new Activation(Activation.Kind.AFFINE, 0.75f, 0), state);
    d.output(Layers.add(d, "next", faded, d.constant("drift", transitions.select(0, 0))));
    d.output(Layers.add(d, "logits", gather(d, "row", transitions, token), state));
    EncoderDecoder model =
        EncoderDecoder.builder(e.build(), d.build())
            .state("state", "next", "sum")
            .startToken(startToken)
            .endTokens(endTokens)
            .build(device);
    double[] t = transitions.toDoubles();
    double[] b = biases.toDoubles();
    Oracle oracle =
        (source, target) -> {
          int before = target.length == 0 ? startToken : target[target.length - 1];
          double[] logits = new double[vocabulary];
          for (int i = 0; i < vocabulary; i++) {
            double bias = 0;
            for (int s : source) {
              bias += b[s * vocabulary + i];
            }
            for (int step = 0; step < target.length; step++) {
              bias = 0.75 * bias + t[i];
            }
            logits[i] = t[before * vocabulary + i] + bias;
          }
          return Oracle.logSoftmax(logits);
        };
    return new Known(model, oracle, null);
  }

  /** A chain with random numbers and six source tokens. */
  static Known chain(
      Arena arena, Random random, Device device, int vocabulary, int start, int... ends) {
    Tensor transitions = random(arena, random, 2, vocabulary, vocabulary);
    Tensor biases = random(arena, random, 1, 6, vocabulary);
    biases.select(0, 0).fill(0);
    return chain(device, transitions, biases, start, ends);
  }

  /** One direction of a GRU: W [3 hidden, input], R [3 hidden, hidden], B [6 hidden]; z, r, h. */
  private record Gru(double[] w, double[] r, double[] b, int input, int hidden) {
    double[] step(double[] x, double[] h) {
      double[][] a = new double[3][hidden];
      double[][] u = new double[3][hidden];
      for (int g = 0; g < 3; g++) {
        for (int i = 0; i < hidden; i++) {
          int row = g * hidden + i;
          a[g][i] = b[row];
          u[g][i] = b[3 * hidden + row];
          for (int j = 0; j < input; j++) {
            a[g][i] += w[row * input + j] * x[j];
          }
          for (int j = 0; j < hidden; j++) {
            u[g][i] += r[row * hidden + j] * h[j];
          }
        }
      }
      double[] next = new double[hidden];
      for (int i = 0; i < hidden; i++) {
        double z = 1 / (1 + Math.exp(-(a[0][i] + u[0][i])));
        double reset = 1 / (1 + Math.exp(-(a[1][i] + u[1][i])));
        double n = Math.tanh(a[2][i] + reset * u[2][i]);
        next[i] = (1 - z) * n + z * h[i];
      }
      return next;
    }
  }

  private static List<Value> gru(
      Graph.Builder g, String name, Tensor[] weights, Value x, Value lengths, Value initial) {
    return g.node(
        name,
        "GRU",
        Attributes.of("linear_before_reset", 1),
        Arrays.asList(
            x,
            g.constant(name + ".W", weights[0]),
            g.constant(name + ".R", weights[1]),
            g.constant(name + ".B", weights[2]),
            lengths,
            initial),
        List.of(name + ".sequence", name + ".last"));
  }

  private static Tensor[] gruWeights(Arena arena, Random random, int input, int hidden) {
    double scale = 1.5 / Math.sqrt(hidden);
    return new Tensor[] {
      random(arena, random, scale, 1, 3L * hidden, input),
      random(arena, random, scale, 1, 3L * hidden, hidden),
      random(arena, random, scale, 1, 6L * hidden)
    };
  }

  private static Gru gru(Tensor[] weights, int input, int hidden) {
    return new Gru(
        weights[0].toDoubles(), weights[1].toDoubles(), weights[2].toDoubles(), input, hidden);
  }

  private static double[] row(double[] table, int row, int size) {
    return Arrays.copyOfRange(table, row * size, (row + 1) * size);
  }

  /**
   * A GRU that reads and a GRU that writes, from the last state; with {@code attend} additive
   * attention to what the first one read, with the state before the step as the query, whose
   * context joins the token's embedding.
   */
  static Known gru(
      Arena arena,
      Random random,
      Device device,
      int sourceVocabulary,
      int vocabulary,
      int hidden,
      boolean attend,
      int start,
      int... ends) {
    int embedding = 5;
    Tensor sourceTable = random(arena, random, 1, sourceVocabulary, embedding);
    Tensor targetTable = random(arena, random, 1, vocabulary, embedding);
    int joined = attend ? embedding + hidden : embedding;
    Tensor[] reading = gruWeights(arena, random, embedding, hidden);
    Tensor[] writing = gruWeights(arena, random, joined, hidden);
    Tensor out = random(arena, random, 3 / Math.sqrt(hidden), hidden, vocabulary);
    Tensor wq = random(arena, random, 0.5, 4, hidden);
    Tensor wm = random(arena, random, 0.5, 4, hidden);
    Tensor v = random(arena, random, 2, 1, 4);

    Graph.Builder e = Graph.builder("encoder");
    Value tokens = e.input("tokens", DType.INT32, "time", "batch");
    Value lengths = e.input("lengths", DType.INT32, "batch");
    List<Value> read =
        gru(e, "reader", reading, gather(e, "embedding", sourceTable, tokens), lengths, null);
    e.output(read.get(1));
    Value memory = e.node("memory", "Squeeze", Attributes.of("axes", new long[] {1}), read.get(0));
    e.output(memory);

    Graph.Builder d = Graph.builder("decoder");
    Value token = d.input("token", DType.INT32, attend ? 1 : "time", "batch");
    Value state = d.input("state", DType.FLOAT32, 1, "batch", hidden);
    Value x = gather(d, "embedding", targetTable, token);
    if (attend) {
      Value source = d.input("source", DType.FLOAT32, "source_time", "batch", hidden);
      Value sourceLengths = d.input("source_lengths", DType.INT32, "batch");
      Attention.Result attention =
          Attention.additive(
                  "attention",
                  Weights.of(
                      Convention.PYTORCH,
                      Map.of("query.weight", wq, "memory.weight", wm, "score.weight", v)))
              .apply(d, state, source, sourceLengths);
      x = Layers.concat(d, "joined", 2, x, attention.context());
    }
    List<Value> written = gru(d, "writer", writing, x, null, state);
    Value hiddenOut =
        d.node("hidden", "Squeeze", Attributes.of("axes", new long[] {1}), written.get(0));
    d.output(d.node("logits", "MatMul", Attributes.NONE, hiddenOut, d.constant("out", out)));
    EncoderDecoder.Builder builder =
        EncoderDecoder.builder(e.build(), d.build())
            .state("state", "writer.last", "reader.last")
            .startToken(start)
            .endTokens(ends);
    if (attend) {
      builder
          .memory("source", "memory")
          .memory("source_lengths", "lengths")
          .attention("attention.weights");
    }

    Gru reader = gru(reading, embedding, hidden);
    Gru writer = gru(writing, joined, hidden);
    double[] sourceRows = sourceTable.toDoubles();
    double[] targetRows = targetTable.toDoubles();
    double[] outWeights = out.toDoubles();
    double[] q = wq.toDoubles();
    double[] m = wm.toDoubles();
    double[] score = v.toDoubles();
    Oracle looks =
        (source, target) -> {
          double[][] seen = read(reader, sourceRows, embedding, source);
          double[] h = seen[source.length];
          double[] weights = {};
          for (int t = 0; t <= target.length; t++) {
            int before = t == 0 ? start : target[t - 1];
            double[] in = Arrays.copyOf(row(targetRows, before, embedding), joined);
            if (attend) {
              weights = attention(h, Arrays.copyOf(seen, source.length), q, m, score);
              for (int s = 0; s < source.length; s++) {
                for (int i = 0; i < hidden; i++) {
                  in[embedding + i] += weights[s] * seen[s][i];
                }
              }
            }
            h = writer.step(in, h);
          }
          // The state that the logits are made of comes behind the weights.
          double[] both = Arrays.copyOf(weights, weights.length + hidden);
          System.arraycopy(h, 0, both, weights.length, hidden);
          return both;
        };
    Oracle oracle =
        (source, target) -> {
          double[] both = looks.next(source, target);
          double[] h = Arrays.copyOfRange(both, both.length - hidden, both.length);
          double[] logits = new double[vocabulary];
          for (int i = 0; i < vocabulary; i++) {
            for (int j = 0; j < hidden; j++) {
              logits[i] += outWeights[j * vocabulary + i] * h[j];
            }
          }
          return Oracle.logSoftmax(logits);
        };
    return new Known(builder.build(device), oracle, attend ? looks : null);
  }

  /** The states after each token of the source; the last place holds the last state, or zeros. */
  private static double[][] read(Gru reader, double[] rows, int embedding, int[] source) {
    double[][] seen = new double[source.length + 1][];
    double[] h = new double[reader.hidden()];
    for (int t = 0; t < source.length; t++) {
      h = reader.step(row(rows, source[t], embedding), h);
      seen[t] = h;
    }
    seen[source.length] = h;
    return seen;
  }

  private static double[] attention(
      double[] query, double[][] memory, double[] wq, double[] wm, double[] v) {
    int hidden = query.length;
    double[] scores = new double[memory.length];
    for (int s = 0; s < memory.length; s++) {
      for (int k = 0; k < v.length; k++) {
        double sum = 0;
        for (int i = 0; i < hidden; i++) {
          sum += wq[k * hidden + i] * query[i] + wm[k * hidden + i] * memory[s][i];
        }
        scores[s] += v[k] * Math.tanh(sum);
      }
    }
    double[] logs = Oracle.logSoftmax(scores);
    return Arrays.stream(logs).map(Math::exp).toArray();
  }
}

package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What a translation needs of a whole network, over random ones: embedding, bidirectional encoder,
 * decoder with attention, dense layer and log-softmax answer for a sentence what they answer for it
 * alone, bit for bit, whoever else is in the batch and however much padding there is.
 */
class NetworkPropertiesTest {
  private static final int NETWORKS = 12;
  private static final int WORDS = 19;

  /** A random network and a ragged batch of tokens for it. */
  private static final class Net implements AutoCloseable {
    final Arena arena = Arena.ofConfined();
    final Random random;
    final int size;
    final int hidden;
    final Graph graph;

    Net(Random random) {
      this.random = random;
      size = 1 + random.nextInt(20);
      hidden = 1 + random.nextInt(24);
      Graph.Builder g = Graph.builder("net");
      Value source = g.input("source", DType.INT32, "source time", "batch");
      Value lengths = g.input("lengths", DType.INT32, "batch");
      Value target = g.input("target", DType.INT32, "time", "batch");
      Embedding embedding =
          Embedding.of(
              "embedding", Weights.of(Convention.PYTORCH, Map.of("weight", random(WORDS, size))));
      Value memory =
          Lstm.builder("encoder")
              .weights(recurrent(4, size, hidden))
              .bidirectional(Merge.CONCAT, recurrent(4, size, hidden))
              .build()
              .unroll(g, embedding.apply(g, source), lengths)
              .output();
      Value table = g.constant("target.weight", random(WORDS, size));
      Value x =
          g.node("target.rows", "Gather", io.gatun.graph.Attributes.of("axis", 0), table, target);
      Value query = Gru.builder("decoder").weights(recurrent(3, size, hidden)).build().apply(g, x);
      Value context = attention(random.nextInt(3)).apply(g, query, memory, lengths).context();
      Value both = Layers.concat(g, "both", -1, query, context);
      Map<String, Tensor> last =
          Map.of("weight", random(WORDS, 3L * hidden), "bias", random(WORDS));
      Value logits =
          Dense.builder("logits")
              .weights(Weights.of(Convention.PYTORCH, last))
              .build()
              .apply(g, both);
      Layers.logSoftmax(g, "answer", logits);
      graph = g.build();
    }

    private Attention attention(int kind) {
      Tensor general = random(hidden, 2L * hidden);
      if (kind < 2) {
        return Attention.general(
            "attention", Weights.of(Convention.PYTORCH, Map.of("weight", general)));
      }
      return Attention.additive(
          "attention",
          Weights.of(
              Convention.PYTORCH,
              Map.of(
                  "query.weight", random(11, hidden),
                  "memory.weight", random(11, 2L * hidden),
                  "memory.bias", random(11),
                  "score.weight", random(1, 11))));
    }

    private Weights recurrent(int gates, int in, int units) {
      return Weights.of(
          Convention.PYTORCH,
          Map.of(
              "weight_ih", random((long) gates * units, in),
              "weight_hh", random((long) gates * units, units),
              "bias_ih", random((long) gates * units),
              "bias_hh", random((long) gates * units)));
    }

    private Tensor random(long... dims) {
      Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
      Tensor flat = tensor.reshape(tensor.elements());
      double scale = 1 / Math.sqrt((double) dims[dims.length - 1]);
      for (long i = 0; i < flat.elements(); i++) {
        flat.setFloat((float) (random.nextGaussian() * scale), i);
      }
      return tensor;
    }

    Tensor tokens(int time, int batch) {
      int[] ids = new int[time * batch];
      Arrays.setAll(ids, i -> random.nextInt(WORDS));
      return Tensor.ofInts(arena, ids, time, batch);
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  private static long[] bits(Evaluation.Numbers numbers, int b) {
    long[] dims = numbers.shape().dims();
    int size = (int) dims[2];
    long[] bits = new long[(int) dims[0] * size];
    for (int t = 0; t < dims[0]; t++) {
      for (int i = 0; i < size; i++) {
        bits[t * size + i] =
            Double.doubleToRawLongBits(numbers.values()[(t * (int) dims[1] + b) * size + i]);
      }
    }
    return bits;
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aSentenceIsAnsweredAsIfItWereAlone(Device device) {
    Random random = Seeds.random("a sentence is answered as if it were alone");
    try (Workers workers = new Workers(3)) {
      for (int i = 0; i < NETWORKS; i++) {
        try (Net net = new Net(random)) {
          int source = 1 + random.nextInt(20);
          int time = 1 + random.nextInt(4);
          int batch = 1 + random.nextInt(9);
          int[] lengths = new int[batch];
          Arrays.setAll(lengths, b -> 1 + random.nextInt(source));
          Map<String, Tensor> inputs = new LinkedHashMap<>();
          inputs.put("source", net.tokens(source, batch));
          inputs.put("target", net.tokens(time, batch));
          inputs.put("lengths", Tensor.ofInts(net.arena, lengths, batch));
          var all = Evaluation.of(device, net.graph, inputs, "answer").get("answer");
          var shared = Evaluation.of(device, workers, net.graph, inputs, "answer").get("answer");
          for (int b = 0; b < batch; b++) {
            Map<String, Tensor> alone =
                Map.of(
                    "source", inputs.get("source").slice(1, b, b + 1).slice(0, 0, lengths[b]),
                    "target", inputs.get("target").slice(1, b, b + 1),
                    "lengths", Tensor.ofInts(net.arena, new int[] {lengths[b]}, 1));
            var one = Evaluation.of(device, net.graph, alone, "answer").get("answer");
            String what =
                List.of(net.size, net.hidden, source, time, batch, lengths[b]) + " of network " + i;
            assertArrayEquals(bits(one, 0), bits(all, b), what);
            assertArrayEquals(bits(one, 0), bits(shared, b), what + " with workers");
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void bothDirectionsOfNothingAreNothing(Device device) {
    try (Net net = new Net(Seeds.random("both directions of nothing"))) {
      for (int[] size : new int[][] {{0, 3}, {4, 0}, {0, 0}}) {
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        inputs.put("source", net.tokens(size[0], size[1]));
        inputs.put("lengths", Tensor.ofInts(net.arena, new int[size[1]], size[1]));
        var memory = Evaluation.of(device, net.graph, inputs, "encoder").get("encoder");
        assertArrayEquals(new long[] {size[0], size[1], 2L * net.hidden}, memory.shape().dims());
      }
    }
  }
}

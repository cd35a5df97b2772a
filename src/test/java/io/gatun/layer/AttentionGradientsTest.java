package io.gatun.layer;

import io.gatun.Seeds;
import io.gatun.graph.GradientCheck;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whole attention layers walked back, over ragged memories. */
class AttentionGradientsTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random("AttentionGradientsTest");

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(long... dims) {
    double[] values = new double[(int) Arrays.stream(dims).reduce(1, (a, b) -> a * b)];
    Arrays.setAll(values, i -> (float) (0.7 * random.nextGaussian()));
    return Tensor.allocate(arena, DType.FLOAT32, dims)
        .copyFrom(Tensor.ofDoubles(arena, values, dims));
  }

  private Attention layer(String score, int query, int memory) {
    int size = 1 + random.nextInt(9);
    return switch (score) {
      case "dot" -> Attention.dot("layer", 0.5);
      case "general" ->
          Attention.general(
              "layer", Weights.of(Convention.PYTORCH, Map.of("weight", random(query, memory))));
      default ->
          Attention.additive(
              "layer",
              Weights.of(
                  Convention.PYTORCH,
                  Map.of(
                      "query.weight",
                      random(size, query),
                      "query.bias",
                      random(size),
                      "memory.weight",
                      random(size, memory),
                      "score.weight",
                      random(1, size))));
    };
  }

  @Test
  void ofEveryScore() {
    for (String score : new String[] {"dot", "general", "additive"}) {
      for (int i = 0; i < 4; i++) {
        int time = 1 + random.nextInt(9);
        int source = 1 + random.nextInt(12);
        // Few sequences and rows, and more than the kernels take at once.
        int batch = i % 2 == 0 ? 1 + random.nextInt(3) : 8 + random.nextInt(9);
        int memory = 1 + random.nextInt(20);
        int query = score.equals("dot") ? memory : 1 + random.nextInt(20);
        boolean ragged = random.nextBoolean();
        Graph.Builder g = Graph.builder(score);
        Value queries = g.input("queries", DType.FLOAT32, "time", "batch", query);
        Value values = g.input("memory", DType.FLOAT32, "source", "batch", memory);
        Value lengths = ragged ? g.input("lengths", DType.INT32, "batch") : null;
        Attention.Result result = layer(score, query, memory).apply(g, queries, values, lengths);
        GradientCheck.loss(g, arena, random, g.alias("context", result.context()));
        GradientCheck check =
            new GradientCheck(g.build(), "loss")
                .terms(64.0 * source * (query + memory) * time)
                .moved(12)
                .input("queries", random(time, batch, query))
                .input("memory", random(source, batch, memory));
        if (ragged) {
          int[] each = random.ints(batch, 1, source + 1).toArray();
          check.fixed("lengths", Tensor.ofInts(arena, each, batch));
        }
        check.run(random);
      }
    }
  }
}

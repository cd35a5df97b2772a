package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import io.gatun.layer.Embedding;
import io.gatun.layer.Gru;
import io.gatun.layer.Recurrent;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The example of the room's documentation compiles and runs, on graphs made of layers. */
class PackageExampleTest {
  private static Value embedded(Graph.Builder g, Arena arena, Value tokens) {
    Tensor table = TestNetworks.random(arena, new Random(1), 1, 6, 4);
    return Embedding.of("embedding", Weights.of(Convention.PYTORCH, Map.of("weight", table)))
        .apply(g, tokens);
  }

  private static Gru gru(Arena arena, String name, int seed) {
    Random random = new Random(seed);
    Tensor input = TestNetworks.random(arena, random, 1, 18, 4);
    Tensor hidden = TestNetworks.random(arena, random, 1, 18, 6);
    return Gru.builder(name)
        .weights(Weights.of(Convention.PYTORCH, Map.of("weight_ih", input, "weight_hh", hidden)))
        .build();
  }

  @Test
  void theExampleOfTheDocumentationRuns() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder e = Graph.builder("encoder");
      Value tokens = e.input("tokens", DType.INT32, "time", "batch");
      Value lengths = e.input("lengths", DType.INT32, "batch");
      Recurrent.Result read =
          gru(arena, "reader", 2).unroll(e, embedded(e, arena, tokens), lengths);
      e.output(e.alias("context", read.hidden()));
      Graph encoder = e.build();

      Graph.Builder d = Graph.builder("decoder");
      Value token = d.input("token", DType.INT32, 1, "batch");
      Value state = d.input("state", DType.FLOAT32, read.hidden().dims().toArray());
      Recurrent.Result written =
          gru(arena, "writer", 3)
              .unroll(d, embedded(d, arena, token), null, Recurrent.State.of(state));
      d.output(d.alias("state_next", written.hidden())).output(d.alias("logits", written.output()));
      Graph decoder = d.build();

      try (EncoderDecoder model =
              EncoderDecoder.builder(encoder, decoder)
                  .state("state", "state_next", "context")
                  .startToken(0)
                  .endTokens(1)
                  .build();
          Generator generator = model.newGenerator()) {
        Hypothesis best = generator.generate(new int[] {4, 2, 3}, GenerationOptions.beam(4));
        Score score = generator.score(List.of(new int[] {4, 2, 3}), List.of(best.tokens())).get(0);
        assertEquals(best.tokens().length + 1, score.logProbabilities().length);
      }
    }
  }
}

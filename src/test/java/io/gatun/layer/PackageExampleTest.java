package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {

  @Test
  void theExampleOfTheDocumentationRuns() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor table = Tensor.allocate(arena, DType.FLOAT32, 9, 4).fill(0.5);
      Tensor wIh = Tensor.allocate(arena, DType.FLOAT32, 4 * 3, 4).fill(0.25);
      Tensor wHh = Tensor.allocate(arena, DType.FLOAT32, 4 * 3, 3).fill(0.25);
      Tensor ids = Tensor.ofInts(arena, new int[] {1, 2, 3, 0}, 2, 2);
      Tensor sizes = Tensor.ofInts(arena, new int[] {2, 1}, 2);

      Graph.Builder g = Graph.builder("encoder");
      Value tokens = g.input("tokens", DType.INT32, "time", "batch");
      Value lengths = g.input("lengths", DType.INT32, "batch");
      Value x =
          Embedding.of("embedding", Weights.of(Convention.PYTORCH, Map.of("weight", table)))
              .apply(g, tokens);
      Recurrent.Result lstm =
          Lstm.builder("lstm")
              .weights(Weights.of(Convention.PYTORCH, Map.of("weight_ih", wIh, "weight_hh", wHh)))
              .build()
              .unroll(g, x, lengths);
      g.output(lstm.hidden());
      try (Plan plan = Plan.of(g.build(), "lstm.hidden", "lstm.cell");
          Execution run = plan.newExecution()) {
        run.input("tokens", ids).input("lengths", sizes).run();
        Tensor context = run.output("lstm.hidden");
        assertArrayEquals(new long[] {2, 3}, context.shape().dims());
      }
    }
  }
}

package io.gatun.examples;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.layer.Convention;
import io.gatun.layer.SimpleRnn;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;

/** The example of docs/notation.md: the smallest network with a latent state. */
final class RunningSum {
  private RunningSum() {}

  static float[] of(float... x) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor one = Tensor.ofFloats(arena, new float[] {1}, 1, 1);
      Weights weights = Weights.of(Convention.PYTORCH, Map.of("weight_ih", one, "weight_hh", one));
      Graph.Builder g = Graph.builder("running sum");
      Value input = g.input("x", DType.FLOAT32, "time", "batch", 1);
      g.output(
          SimpleRnn.builder("sum")
              .weights(weights)
              .activation(Activation.IDENTITY)
              .build()
              .apply(g, input));
      try (Plan plan = Plan.of(g.build());
          Execution run = plan.newExecution()) {
        run.input("x", Tensor.ofFloats(arena, x, x.length, 1, 1)).run();
        return run.output("sum").toFloats();
      }
    }
  }
}

package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.kernel.Activation;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {

  @Test
  void theExampleOfTheDocumentationRuns() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor weights = Tensor.ofFloats(arena, new float[] {1, -1, 0, 0, 2, 2}, 3, 2);
      Tensor batch = Tensor.ofFloats(arena, new float[] {0, 5, 0}, 1, 3);

      Graph.Builder g = Graph.builder("classifier");
      Value x = g.input("x", DType.FLOAT32, "batch", 3);
      Value sum = g.node("sum", "MatMul", Attributes.NONE, x, g.constant("W", weights));
      Value hidden = g.activate("hidden", Activation.TANH, sum);
      g.output(g.node("probabilities", "Softmax", Attributes.NONE, hidden));
      try (Plan plan = Plan.of(g.build(), "hidden", "probabilities");
          Execution run = plan.newExecution()) {
        run.input("x", batch).run();
        float[] representation = run.output("hidden").toFloats(); // [batch, 2]
        float[] probabilities = run.output("probabilities").toFloats();
        assertArrayEquals(new float[] {0, 0}, representation);
        assertArrayEquals(new float[] {0.5f, 0.5f}, probabilities);
      }
    }
  }
}

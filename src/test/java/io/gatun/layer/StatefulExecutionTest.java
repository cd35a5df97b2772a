package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Workers;
import io.gatun.layer.StatefulExecution.Carry;
import io.gatun.tensor.DType;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A loop that cannot be set up holds nothing. What a loop computes: RecurrentPropertiesTest. */
class StatefulExecutionTest {

  @Test
  void aLoopThatCannotBeSetUpLeavesItsPlanToBeClosed() {
    Graph.Builder g = Graph.builder("loop");
    Value state = g.input("state", DType.FLOAT32, "batch", 1L << 40);
    g.output(g.activate("next", Activation.RELU, state));
    try (Plan plan = Plan.of(g.build())) {
      Workers none = Workers.none();
      List<Carry> carries = List.of(new Carry("state", "next"));
      // More bytes than can be counted. Closing the plan refuses while an execution is open.
      assertThrows(
          ArithmeticException.class,
          () -> StatefulExecution.of(plan, none, Integer.MAX_VALUE, carries));
      assertThrows(
          IllegalArgumentException.class, () -> StatefulExecution.of(plan, none, -1, carries));
    }
  }
}

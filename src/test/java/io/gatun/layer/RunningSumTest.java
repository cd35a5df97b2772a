package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The running sum of the theory, y(t) = x(1) + … + x(t), as a network with known weights. Whole
 * numbers below 2^24 are exact in float32, so that every answer must be exact.
 */
class RunningSumTest {
  private static final int LONGEST = 10_000;

  /** h(t) = 1 · x(t) + 1 · h(t−1), with no activation. */
  private static SimpleRnn sum(Arena arena) {
    Tensor one = Tensor.ofFloats(arena, new float[] {1}, 1, 1);
    Weights weights = Weights.of(Convention.KERAS, Map.of("kernel", one, "recurrent_kernel", one));
    return SimpleRnn.builder("sum").weights(weights).activation(Activation.IDENTITY).build();
  }

  private static float[] numbers(int count) {
    Random random = Seeds.random("running sum");
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = random.nextInt(2001) - 1000;
    }
    return numbers;
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void isExactForSequencesOfOneToTenThousandSteps(Device device) {
    float[] x = numbers(LONGEST);
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("running sum");
      sum(arena).apply(g, g.input("x", DType.FLOAT32, "time", 1, 1));
      Tensor input = Tensor.ofFloats(arena, x, LONGEST, 1, 1);
      double[] y = Evaluation.of(device, g.build(), Map.of("x", input), "sum").get("sum").values();
      double expected = 0;
      for (int t = 0; t < LONGEST; t++) {
        expected += x[t];
        assertEquals(expected, y[t], "the sum of " + (t + 1) + " numbers");
      }
    }
  }

  /** Every length once, as last state: 200 batches of 50 sequences, longest sequences first. */
  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void isTheLastStateOfASequenceOfAnyLength(Device device) {
    float[] x = numbers(LONGEST);
    double[] sums = new double[LONGEST + 1];
    for (int t = 0; t < LONGEST; t++) {
      sums[t + 1] = sums[t] + x[t];
    }
    int batch = 100;
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("running sum");
      Value in = g.input("x", DType.FLOAT32, "time", batch, 1);
      sum(arena).unroll(g, in, g.input("lengths", DType.INT32, batch));
      int[] lengths = new int[batch];
      for (int b = 0; b < batch; b++) {
        lengths[b] = 1 + b * (LONGEST - 1) / (batch - 1);
      }
      float[] rows = new float[LONGEST * batch];
      for (int t = 0; t < LONGEST; t++) {
        Arrays.fill(rows, t * batch, (t + 1) * batch, x[t]);
      }
      Map<String, Tensor> inputs =
          Map.of(
              "x", Tensor.ofFloats(arena, rows, LONGEST, batch, 1),
              "lengths", Tensor.ofInts(arena, lengths, batch));
      double[] last =
          Evaluation.of(device, g.build(), inputs, "sum.hidden").get("sum.hidden").values();
      for (int b = 0; b < batch; b++) {
        assertEquals(sums[lengths[b]], last[b], "the sum of " + lengths[b] + " numbers");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void isExactStepByStep(Device device) {
    float[] x = numbers(LONGEST);
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("running sum");
      SimpleRnn layer = sum(arena);
      Recurrent.State initial = layer.stateInputs(g, DType.FLOAT32, 1);
      Recurrent.Result result =
          layer.unroll(g, g.input("x", DType.FLOAT32, 1, 1, 1), null, initial);
      try (Plan plan = Plan.on(device, g.build(), "sum.hidden");
          StatefulExecution loop =
              StatefulExecution.of(plan, Workers.none(), 1, result.carries())) {
        Tensor step = Tensor.allocate(arena, device.real(), 1, 1, 1);
        loop.execution().input("x", step);
        double expected = 0;
        for (int t = 0; t < LONGEST; t++) {
          step.setFloat(x[t], 0, 0, 0);
          loop.run();
          expected += x[t];
          assertEquals(
              expected, loop.execution().output("sum.hidden").getDouble(0, 0), "step " + t);
        }
      }
    }
  }

  /** p(y(t) given x(1)..x(t)): a causal convolution as long as the sequence, of ones. */
  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void isAlsoTheDirectFunctionOfThePrefix(Device device) {
    int time = 300;
    float[] x = numbers(time);
    float[] ones = new float[time];
    Arrays.fill(ones, 1);
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("prefix");
      Value in = g.input("x", DType.FLOAT32, "time", 1, 1);
      Weights kernel =
          Weights.of(Convention.KERAS, Map.of("kernel", Tensor.ofFloats(arena, ones, time, 1, 1)));
      Convolution.builder("direct").weights(kernel).timeFirst().causal().build().apply(g, in);
      sum(arena).apply(g, in);
      var results =
          Evaluation.of(
              device,
              g.build(),
              Map.of("x", Tensor.ofFloats(arena, x, time, 1, 1)),
              "direct",
              "sum");
      assertEquals(
          Arrays.toString(results.get("sum").values()),
          Arrays.toString(results.get("direct").values()));
    }
  }
}

package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.kernel.Device;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The caller of a plan chooses what weights are rounded to. */
class WeightFormatTest {
  private static final int INPUT = 5;
  private static final int HIDDEN = 7;
  private static final int OUTPUT = 6;
  private final Random random = Seeds.random(getClass().getSimpleName());
  private final Arena arena = Arena.ofShared();
  private final Tensor x = Networks.random(arena, random, 9, 2, INPUT);
  private final Map<String, Tensor> weights =
      Map.of(
          "W", Networks.random(arena, random, 1, 4 * HIDDEN, INPUT),
          "R", Networks.random(arena, random, 1, 4 * HIDDEN, HIDDEN),
          "dense", Networks.random(arena, random, HIDDEN, OUTPUT),
          "gemm", Networks.random(arena, random, HIDDEN, OUTPUT));

  @AfterEach
  void close() {
    arena.close();
  }

  static List<Device> devices() {
    return Evaluation.devices().toList();
  }

  /** An LSTM, a product, and a Gemm, which has a factor. */
  private static Graph graph(Map<String, Tensor> weights) {
    Graph.Builder g = Graph.builder("net");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", INPUT);
    List<Value> lstm =
        g.node(
            "lstm",
            "LSTM",
            Attributes.NONE,
            List.of(x, g.constant("W", weights.get("W")), g.constant("R", weights.get("R"))),
            List.of("Y", "last"));
    Value last = g.node("state", "Squeeze", Attributes.of("axes", new long[] {0}), lstm.get(1));
    g.output(
        g.node(
            "product", "MatMul", Attributes.NONE, last, g.constant("dense", weights.get("dense"))));
    g.output(
        g.node(
            "gemm.product",
            "Gemm",
            Attributes.of("alpha", 0.5f),
            last,
            g.constant("gemm", weights.get("gemm"))));
    return g.build();
  }

  private double[] run(Device device, WeightFormat format, Map<String, Tensor> weights) {
    try (Plan plan = Plan.on(device, format, graph(weights), "Y", "product", "gemm.product");
        Execution execution = plan.newExecution()) {
      execution.input("x", x.to(arena, device.real())).run();
      return List.of("Y", "product", "gemm.product").stream()
          .flatMapToDouble(name -> Arrays.stream(execution.output(name).toDoubles()))
          .toArray();
    }
  }

  private Map<String, Tensor> as(DType type) {
    return Map.of(
        "W", weights.get("W").to(arena, type),
        "R", weights.get("R").to(arena, type),
        "dense", weights.get("dense").to(arena, type),
        "gemm", weights.get("gemm").to(arena, type));
  }

  @ParameterizedTest
  @MethodSource("devices")
  void bfloat16IsTheNumbersOfWeightsStoredSo(Device device) {
    double[] asked = run(device, WeightFormat.BFLOAT16, weights);
    Map<String, Tensor> stored = as(DType.BFLOAT16);
    assertArrayEquals(asked, run(device, WeightFormat.FLOAT32, stored), "widened");
    assertArrayEquals(asked, run(device, null, stored), "as they are stored");
    assertFalse(Arrays.equals(asked, run(device, null, weights)), "rounding shows");
  }

  @ParameterizedTest
  @MethodSource("devices")
  void int8IsCloseToWhatItStandsFor(Device device) {
    double[] exact = run(device, null, weights);
    double[] asked = run(device, WeightFormat.INT8, weights);
    assertFalse(Arrays.equals(asked, exact), "rounding shows");
    for (int i = 0; i < exact.length; i++) {
      // Each of at most 7 weights of the last product is off by half of 1/127 of some 3 at most,
      // its factors by what the loop before made of the same.
      assertEquals(exact[i], asked[i], 0.3, "element " + i);
    }
    assertArrayEquals(asked, run(device, WeightFormat.INT8, weights), "the same each time");
  }

  @ParameterizedTest
  @MethodSource("devices")
  void weightsThatAFormatCannotHoldAreNamed(Device device) {
    for (String bad : weights.keySet()) {
      Tensor tensor = weights.get(bad).copy(arena);
      tensor.setDouble(Double.NaN, new long[tensor.rank()]);
      Map<String, Tensor> spoilt = new HashMap<>(weights);
      spoilt.put(bad, tensor);
      String message =
          assertThrows(IllegalArgumentException.class, () -> run(device, WeightFormat.INT8, spoilt))
              .getMessage();
      String node = Map.of("dense", "product", "gemm", "gemm.product").getOrDefault(bad, "lstm");
      assertTrue(message.startsWith(node + ": ") && message.contains("int8"), message);
    }
  }
}

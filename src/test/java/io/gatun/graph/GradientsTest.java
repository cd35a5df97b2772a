package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.kernel.Activation;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The gradients of operators, each against central differences in float64. */
class GradientsTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random("GradientsTest");

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(long... dims) {
    return Networks.random(arena, random, dims);
  }

  /** A graph of one node between inputs of the given sizes and a loss. */
  private void check(String operator, Attributes attributes, Tensor... in) {
    Graph.Builder g = Graph.builder(operator);
    Value[] values = new Value[in.length];
    for (int i = 0; i < in.length; i++) {
      values[i] = symbolic(g, "x" + i, in[i]);
    }
    GradientCheck.loss(g, arena, random, g.node("y", operator, attributes, values));
    GradientCheck check = new GradientCheck(g.build(), "loss");
    for (int i = 0; i < in.length; i++) {
      check.input("x" + i, in[i]);
    }
    check.run(random);
  }

  /** An input whose first size is not known. */
  private static Value symbolic(Graph.Builder g, String name, Tensor tensor) {
    Object[] dims = Arrays.stream(tensor.shape().dims()).boxed().toArray();
    return g.input(name, tensor.dtype(), dims);
  }

  @Test
  void ofActivations() {
    for (Activation.Kind kind : Activation.Kind.values()) {
      if (kind == Activation.Kind.IDENTITY) {
        continue;
      }
      Graph.Builder g = Graph.builder(kind.name());
      Value x = g.input("x", DType.FLOAT32, "rows", 7);
      Activation plain = Activation.of(kind);
      Activation function = new Activation(kind, plain.alpha() * 1.25f, plain.beta() * 0.75f);
      GradientCheck.loss(g, arena, random, g.activate("y", function, x));
      new GradientCheck(g.build(), "loss").input("x", random(5, 7)).run(random);
    }
  }

  @Test
  void ofFunctionsOfOneAndTwoNumbersWithBroadcasting() {
    for (String operator : List.of("Neg", "Abs")) {
      check(operator, Attributes.NONE, random(3, 5));
    }
    Tensor positive = random(4, 5);
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j < 5; j++) {
        positive.setDouble(0.5 + Math.abs(positive.getDouble(i, j)), i, j);
      }
    }
    for (String operator : List.of("Log", "Sqrt", "Reciprocal")) {
      check(operator, Attributes.NONE, positive);
    }
    for (String operator : List.of("Sin", "Cos", "Sinh", "Cosh", "Atan", "Erf", "Mish")) {
      check(operator, Attributes.NONE, random(3, 5));
    }
    check("Gelu", Attributes.of("approximate", "tanh"), random(3, 5));
    check("Celu", Attributes.of("alpha", 0.5f), random(3, 5));
    for (String operator : List.of("Add", "Sub", "Mul", "Max", "Min")) {
      check(operator, Attributes.NONE, random(3, 4, 5), random(4, 1));
      check(operator, Attributes.NONE, random(5), random(2, 1, 5));
      check(operator, Attributes.NONE, random(1, 4, 1, 2), random(3, 1, 5, 1));
    }
    check("Div", Attributes.NONE, random(3, 4, 5), positive);
    check("Div", Attributes.NONE, random(3, 1, 1), positive);
    check("Pow", Attributes.NONE, positive, random(5));
  }

  @Test
  void ofProducts() {
    check("MatMul", Attributes.NONE, random(3, 4), random(4, 5));
    check("MatMul", Attributes.NONE, random(2, 3, 4), random(4, 37));
    check("MatMul", Attributes.NONE, random(2, 3, 4), random(2, 4, 5));
    check("MatMul", Attributes.NONE, random(3, 1, 3, 4), random(2, 4, 5));
    check("MatMul", Attributes.NONE, random(3, 4), random(2, 4, 5));
    check("MatMul", Attributes.NONE, random(2, 3, 4), random(4));
    Attributes all = Attributes.of("transA", 1, "transB", 1, "alpha", 0.5f, "beta", 2f);
    Graph.Builder g = Graph.builder("gemm");
    Value x = g.input("x", DType.FLOAT32, 4, 3);
    Value y =
        g.node("y", "Gemm", all, x, g.constant("B", random(5, 4)), g.constant("C", random(5)));
    GradientCheck.loss(g, arena, random, y);
    new GradientCheck(g.build(), "loss").input("x", random(4, 3)).run(random);
  }

  @Test
  void ofAProductWithAFrozenMatrixWithRespectToItsInput() {
    Graph.Builder g = Graph.builder("frozen");
    Value x = g.input("x", DType.FLOAT32, "rows", 4);
    Value y = g.node("y", "MatMul", Attributes.NONE, x, g.constant("W", random(4, 5)));
    GradientCheck.loss(g, arena, random, y);
    Graph graph = g.build();
    Gradients all = Gradients.of(graph, "loss", "x", "W");
    Gradients some = Gradients.of(graph, "loss", "x");
    Tensor input = random(6, 4);
    try (Plan one = Plan.of(all.graph());
        Plan two = Plan.of(some.graph());
        Execution a = one.newExecution();
        Execution b = two.newExecution()) {
      a.input("x", input).input("W", graph.value("W").constant().tensor(arena)).run();
      b.input("x", input).run();
      assertEquals(List.of("x"), two.inputs().stream().map(Value::name).toList());
      float[] expected = a.output(all.name("x")).toFloats();
      float[] come = b.output(some.name("x")).toFloats();
      for (int i = 0; i < come.length; i++) {
        assertEquals(expected[i], come[i], 1e-5f);
      }
    }
  }

  @Test
  void ofWhatMovesElements() {
    check("Transpose", Attributes.of("perm", new long[] {2, 0, 1}), random(2, 3, 4));
    check("Transpose", Attributes.NONE, random(2, 3, 4));
    check("Reshape", Attributes.of("shape", new long[] {4, -1}), random(2, 3, 4));
    check("Unsqueeze", Attributes.of("axes", new long[] {1}), random(2, 3));
    check("Concat", Attributes.of("axis", 1), random(2, 3, 4), random(2, 1, 4), random(2, 2, 4));
    check("Concat", Attributes.of("axis", 0), random(2, 3), random(1, 3));
    check("Expand", Attributes.of("shape", new long[] {5, 2, 3}), random(2, 1));
    check(
        "Slice",
        Attributes.of(
            "starts", new long[] {1, -1},
            "ends", new long[] {3, Integer.MIN_VALUE},
            "axes", new long[] {0, 1},
            "steps", new long[] {1, -2}),
        random(4, 5, 2));
    Graph.Builder g = Graph.builder("embedding");
    Value table = g.constant("table", random(6, 5));
    Value tokens = g.input("tokens", DType.INT32, "time", "batch");
    GradientCheck.loss(g, arena, random, g.node("y", "Gather", Attributes.NONE, table, tokens));
    new GradientCheck(g.build(), "loss")
        .fixed("tokens", Tensor.ofInts(arena, new int[] {0, 3, 3, -1, 5, 0, 3, 1}, 4, 2))
        .run(random);
  }

  @Test
  void ofRows() {
    check("Softmax", Attributes.NONE, random(3, 4, 17));
    check("LogSoftmax", Attributes.NONE, random(5, 6));
    check("LayerNormalization", Attributes.NONE, random(3, 4, 19), random(19), random(19));
    check("LayerNormalization", Attributes.of("axis", 1), random(3, 4, 5), random(4, 5));
    for (String reduction :
        List.of("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd")) {
      check(reduction, Attributes.of("axes", new long[] {1}), random(2, 3, 4));
      check(reduction, Attributes.of("axes", new long[] {1, 2}, "keepdims", 0), random(2, 3, 4));
    }
    Graph.Builder g = Graph.builder("masked");
    Value x = g.input("x", DType.FLOAT32, "batch", 2, 5);
    Value lengths = g.input("lengths", DType.INT32, "batch");
    GradientCheck.loss(g, arena, random, g.node("y", "MaskedSoftmax", Attributes.NONE, x, lengths));
    new GradientCheck(g.build(), "loss")
        .input("x", random(3, 2, 5))
        .fixed("lengths", Tensor.ofInts(arena, new int[] {3, 5, 1}, 3))
        .run(random);
  }

  @Test
  void ofCrossEntropyWithMasksAndSmoothing() {
    for (String reduction : List.of("mean", "sum")) {
      for (float smoothing : new float[] {0, 0.1f}) {
        for (boolean weighted : new boolean[] {false, true}) {
          Graph.Builder g = Graph.builder("classifier");
          Value x = g.input("x", DType.FLOAT32, "time", "batch", 19);
          Value labels = g.input("labels", DType.INT32, "time", "batch");
          Value weights = weighted ? g.input("weights", DType.FLOAT32, "time", "batch") : null;
          Attributes attributes =
              Attributes.of("label_smoothing", smoothing, "reduction", reduction);
          g.output(
              g.node(
                      "loss",
                      "CrossEntropy",
                      attributes,
                      Arrays.asList(x, labels, weights),
                      List.of("loss"))
                  .get(0));
          new GradientCheck(g.build(), "loss")
              .input("x", random(2, 3, 19))
              .fixed("labels", Tensor.ofInts(arena, new int[] {3, -1, 18, 0, 5, -100}, 2, 3))
              .fixed("weights", Tensor.ofFloats(arena, new float[] {1, 1, 0, 0.5f, 2, 1}, 2, 3))
              .run(random);
        }
      }
    }
  }

  @Test
  void aBatchThatIsIgnoredAltogetherCostsNothing() {
    Graph.Builder g = Graph.builder("classifier");
    Value x = g.input("x", DType.FLOAT32, "batch", 4);
    Value labels = g.input("labels", DType.INT64, "batch");
    g.output(g.node("loss", "CrossEntropy", Attributes.NONE, x, labels));
    Gradients gradients = Gradients.of(g.build(), "loss", "x");
    try (Plan plan = Plan.of(gradients.graph());
        Execution run = plan.newExecution()) {
      run.input("x", random(2, 4)).input("labels", Tensor.ofLongs(arena, new long[] {-1, -1}, 2));
      run.run();
      assertEquals(0f, run.output("loss").toFloats()[0]);
      for (float gradient : run.output(gradients.name("x")).toFloats()) {
        assertEquals(0f, gradient);
      }
    }
  }

  @Test
  void aWeightThatIsUsedTwiceHasTheSumOfBothGradients() {
    Graph.Builder g = Graph.builder("tied");
    Value x = g.input("x", DType.FLOAT32, "rows", 5);
    Value w = g.constant("W", random(5, 5));
    Value once = g.node("once", "MatMul", Attributes.NONE, x, w);
    Value twice =
        g.node("twice", "MatMul", Attributes.NONE, g.activate("bent", Activation.TANH, once), w);
    GradientCheck.loss(g, arena, random, twice);
    new GradientCheck(g.build(), "loss").input("x", random(4, 5)).run(random);
  }

  @Test
  void parametersChangeBetweenRunsWithoutPlanningAgain() {
    Graph.Builder g = Graph.builder("classifier");
    Value x = g.input("x", DType.FLOAT32, "batch", 4);
    Value labels = g.input("labels", DType.INT32, "batch");
    Value product = g.node("product", "MatMul", Attributes.NONE, x, g.constant("W", random(4, 3)));
    Value logits = g.node("logits", "Add", Attributes.NONE, product, g.constant("b", random(3)));
    g.output(g.node("loss", "CrossEntropy", Attributes.NONE, logits, labels));
    Graph graph = g.build();
    assertEquals(List.of("W", "b"), Gradients.trainable(graph));
    Gradients gradients = Gradients.of(graph, "loss", Gradients.trainable(graph));
    Tensor w = random(4, 3);
    Tensor b = random(3);
    try (Plan plan = Plan.of(gradients.graph());
        Execution step = plan.newExecution()) {
      step.input("W", w).input("b", b).input("x", random(8, 4));
      step.input("labels", Tensor.ofInts(arena, new int[] {0, 1, 2, 0, 1, 2, 0, 1}, 8));
      float before = Float.POSITIVE_INFINITY;
      for (int i = 0; i < 50; i++) {
        step.run();
        float loss = step.output("loss").toFloats()[0];
        assertTrue(loss < before, "step " + i + ": loss " + loss + " after " + before);
        before = loss;
        descend(w, step.output(gradients.name("W")));
        descend(b, step.output(gradients.name("b")));
      }
      assertTrue(step.inPlace("W"));
    }
  }

  private void descend(Tensor parameter, Tensor gradient) {
    double[] numbers = parameter.toDoubles();
    double[] slope = gradient.toDoubles();
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] -= 0.05 * slope[i];
    }
    parameter.copyFrom(Tensor.ofDoubles(arena, numbers, parameter.shape().dims()));
  }

  @Test
  void ofDropoutWithTheSameMaskThereAndBack() {
    check("Dropout", Attributes.of("ratio", 0.4f), random(3, 4, 21));
    check("Dropout", Attributes.of("ratio", 0.4f, "shared_axes", new long[] {0}), random(3, 4, 5));
    check("Dropout", Attributes.of("ratio", 0.4f, "shared_axes", new long[] {2}), random(3, 4, 5));
  }

  @Test
  void dropoutDropsItsShareAndTheSameForTheSameSeed() {
    Graph.Builder g = Graph.builder("dropped");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 50);
    Value kept = g.node("kept", "Dropout", Attributes.of("ratio", 0.25f), x);
    Value shared =
        g.node("shared", "Dropout", Attributes.of("ratio", 0.5f, "shared_axes", new long[] {0}), x);
    Value sum = g.node("sum", "Add", Attributes.NONE, kept, shared);
    g.output(g.node("loss", "ReduceSum", Attributes.of("keepdims", 0), sum));
    Graph graph = g.build();
    Gradients gradients = Gradients.of(graph, "loss", "x");
    assertTrue(gradients.needsSeed());
    Tensor ones = Tensor.allocate(arena, DType.FLOAT32, 20, 30, 50).fill(1);
    Tensor seed = Tensor.ofLongs(arena, new long[] {random.nextLong()}, 1);
    try (Plan plan = Plan.of(gradients.graph(), "kept", "shared", gradients.name("x"));
        Execution run = plan.newExecution()) {
      run.input("x", ones).input(Gradients.SEED, seed).run();
      float[] once = run.output("kept").toFloats();
      float[] steps = run.output("shared").toFloats();
      float[] gradient = run.output(gradients.name("x")).toFloats();
      int dropped = 0;
      for (int i = 0; i < once.length; i++) {
        dropped += once[i] == 0 ? 1 : 0;
        assertTrue(once[i] == 0 || once[i] == 1 / 0.75f, "element " + i + " is " + once[i]);
        assertEquals(steps[i % 1500], steps[i], "element " + i + " of a mask for all steps");
        assertEquals(once[i] + steps[i], gradient[i]);
      }
      // Five standard deviations of a binomial distribution.
      double deviation = Math.sqrt(once.length * 0.25 * 0.75);
      assertEquals(once.length * 0.25, dropped, 5 * deviation);
      run.run();
      assertTrue(Arrays.equals(once, run.output("kept").toFloats()), "the seed did not change");
      seed.copyFrom(Tensor.ofLongs(arena, new long[] {random.nextLong()}, 1));
      run.run();
      assertTrue(!Arrays.equals(once, run.output("kept").toFloats()), "the seed changed");
    }
    try (Plan plan = Plan.of(graph, "kept");
        Execution run = plan.newExecution()) {
      run.input("x", ones).run();
      assertEquals(1f, run.output("kept").toFloats()[7], "nothing is dropped outside training");
    }
  }

  @Test
  void ofConvolutions() {
    check("Conv", Attributes.NONE, random(2, 3, 9), random(4, 3, 3), random(4));
    check(
        "Conv",
        Attributes.of("pads", new long[] {2, 1}, "strides", 2, "dilations", 2),
        random(2, 3, 11),
        random(4, 3, 3));
    check(
        "Conv",
        Attributes.of("pads", new long[] {1, 0, 1, 2}, "strides", new long[] {1, 2}, "group", 2),
        random(3, 4, 5, 7),
        random(6, 2, 3, 2),
        random(6));
    check("Conv", Attributes.NONE, random(5, 1, 12, 11), random(8, 1, 5, 5), random(8));
  }

  @Test
  void ofPooling() {
    Attributes plain = Attributes.of("kernel_shape", new long[] {2}, "strides", new long[] {2});
    Attributes wide =
        Attributes.of(
            "kernel_shape", new long[] {3, 2},
            "strides", new long[] {2, 1},
            "pads", new long[] {1, 0, 1, 1},
            "count_include_pad", 1);
    for (String operator : List.of("MaxPool", "AveragePool")) {
      check(operator, plain, random(2, 3, 7));
      check(operator, wide, random(2, 3, 6, 5));
    }
    check("GlobalMaxPool", Attributes.NONE, random(2, 3, 4, 5));
    check("GlobalAveragePool", Attributes.NONE, random(2, 3, 17));
  }

  @Test
  void ofBatchNormalisationWithStatisticsThatStay() {
    for (long[] dims : new long[][] {{4, 3}, {2, 3, 5}, {2, 3, 4, 2}}) {
      Graph.Builder g = Graph.builder("normalised");
      Tensor x = random(dims);
      Tensor variance = Tensor.ofFloats(arena, new float[] {0.5f, 1, 2}, 3);
      Value y =
          g.node(
              "y",
              "BatchNormalization",
              Attributes.of("epsilon", 1e-3f),
              symbolic(g, "x", x),
              g.constant("scale", random(3)),
              g.constant("shift", random(3)),
              g.constant("mean", random(3)),
              g.constant("variance", variance));
      GradientCheck.loss(g, arena, random, y);
      Graph graph = g.build();
      assertEquals(List.of("scale", "shift"), Gradients.trainable(graph));
      new GradientCheck(graph, "loss").input("x", x).run(random);
      Gradients gradients = Gradients.of(graph, "loss", "scale");
      try (Plan plan = Plan.of(graph, "y");
          Plan training = Plan.of(gradients.graph(), "y");
          Execution run = plan.newExecution();
          Execution step = training.newExecution()) {
        run.input("x", x).run();
        step.input("x", x).input("scale", graph.value("scale").constant().tensor(arena)).run();
        float[] expected = step.output("y").toFloats();
        float[] come = run.output("y").toFloats();
        for (int i = 0; i < come.length; i++) {
          assertEquals(expected[i], come[i], 1e-5f);
        }
      }
    }
  }

  @Test
  void whatCannotBeDifferentiatedIsSaidWhenTheGradientsAreFormed() {
    Graph.Builder g = Graph.builder("network");
    Value x = g.input("x", DType.FLOAT32, "rows", 4);
    Value w = g.constant("W", random(4));
    g.constant("unused", random(4));
    Value y = g.node("y", "Mul", Attributes.NONE, x, w);
    Value top = g.node("top", "TopK", Attributes.of("k", 1), List.of(y), List.of("t", "i")).get(0);
    g.node("loss", "ReduceSum", Attributes.of("keepdims", 0), top);
    g.node("sum", "ReduceSum", Attributes.of("keepdims", 0), y);
    Graph graph = g.build();
    assertTrue(
        assertThrows(UnsupportedOperationException.class, () -> Gradients.of(graph, "loss", "W"))
            .getMessage()
            .startsWith("top: TopK cannot be trained"));
    assertThrows(IllegalArgumentException.class, () -> Gradients.of(graph, "y", "W"));
    assertThrows(IllegalArgumentException.class, () -> Gradients.of(graph, "sum", "y"));
    assertThrows(IllegalArgumentException.class, () -> Gradients.of(graph, "sum", "unused"));
    assertThrows(IllegalArgumentException.class, () -> Gradients.of(graph, "sum", "nothing"));
  }
}

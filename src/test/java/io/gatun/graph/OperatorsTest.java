package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Each operator once through a plan, against the same thing done on tensors or written out. */
class OperatorsTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random(getClass().getSimpleName());

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor apply(String operator, Attributes attributes, Tensor... inputs) {
    return apply(operator, attributes, 0, inputs);
  }

  /** Inputs of a rank above 0 get symbols for their sizes, so that the rules see both kinds. */
  private Tensor apply(String operator, Attributes attributes, int constants, Tensor... inputs) {
    Graph.Builder g = Graph.builder(operator);
    Value[] values = new Value[inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      Object[] dims = new Object[inputs[i].rank()];
      for (int axis = 0; axis < dims.length; axis++) {
        dims[axis] = "size " + i + " " + axis;
      }
      values[i] =
          i >= inputs.length - constants
              ? g.constant("c" + i, inputs[i])
              : g.input("x" + i, inputs[i].dtype(), dims);
    }
    Value out = g.node("out", operator, attributes, values);
    g.output(out);
    try (Plan plan = Plan.on(Networks.device(), g.build());
        Execution run = plan.newExecution()) {
      for (int i = 0; i < inputs.length - constants; i++) {
        run.input("x" + i, inputs[i]);
      }
      run.run();
      Tensor result = run.output("out");
      for (int axis = 0; axis < result.rank(); axis++) {
        if (out.dim(axis).isKnown()) {
          assertEquals(out.dim(axis).size(), result.dim(axis), "a size that was said to be known");
        }
      }
      assertEquals(out.rank(), result.rank());
      return result.copy(arena);
    }
  }

  private Tensor random(long... dims) {
    return Networks.random(arena, random, dims);
  }

  private static void assertSame(Tensor expected, Tensor actual) {
    assertEquals(expected.shape(), actual.shape());
    assertArrayEquals(expected.toFloats(), actual.toFloats(), 1e-5f);
  }

  @Test
  void transposeMovesAxes() {
    Tensor x = random(2, 3, 4);
    assertSame(
        x.transpose(2, 0, 1), apply("Transpose", Attributes.of("perm", new long[] {2, 0, 1}), x));
    assertSame(x.transpose(), apply("Transpose", Attributes.NONE, x));
    Tensor thin = random(1, 3, 4);
    assertSame(
        thin.transpose(1, 0, 2),
        apply("Transpose", Attributes.of("perm", new long[] {1, 0, 2}), thin));
  }

  @Test
  void sliceTakesRangesFromEitherEndAndBackwards() {
    Tensor x = random(5, 6);
    assertSame(
        x.slice(0, 1, 4).slice(1, 2, 6, 2),
        apply(
            "Slice",
            Attributes.of(
                "starts",
                new long[] {1, -4},
                "ends",
                new long[] {-1, 99},
                "steps",
                new long[] {1, 2}),
            x));
    assertSame(
        x.flip(1),
        apply(
            "Slice",
            Attributes.of(
                "starts", new long[] {-1},
                "ends", new long[] {Long.MIN_VALUE},
                "axes", new long[] {1},
                "steps", new long[] {-1}),
            x));
    assertSame(
        x.slice(0, 2, 4),
        apply("Slice", Attributes.of("starts", new long[] {2}, "ends", new long[] {4}), x));
    assertEquals(
        0,
        apply("Slice", Attributes.of("starts", new long[] {4}, "ends", new long[] {2}), x)
            .elements());
    for (long step : new long[] {Long.MAX_VALUE, Long.MIN_VALUE}) {
      assertSame(
          x.slice(0, 3, 4),
          apply(
              "Slice",
              Attributes.of(
                  "starts", new long[] {3},
                  "ends", new long[] {step > 0 ? Long.MAX_VALUE : Long.MIN_VALUE},
                  "steps", new long[] {step}),
              x));
    }
    assertThrows(
        ShapeException.class,
        () ->
            apply(
                "Slice",
                Attributes.of(
                    "starts", new long[] {2}, "ends", new long[] {4}, "axes", new long[0]),
                x));
  }

  private Tensor floats(float[] values, long... dims) {
    return Tensor.ofFloats(arena, values, dims);
  }

  private Tensor longs(long[] values, long... dims) {
    return Tensor.ofLongs(arena, values, dims);
  }

  @Test
  void softmaxAndReductionsGoOverAnyAxes() {
    Tensor x = random(2, 3, 4);
    Tensor turned = apply("Softmax", Attributes.NONE, x.transpose(0, 2, 1).contiguous(arena));
    assertSame(
        turned.transpose(0, 2, 1).contiguous(arena), apply("Softmax", Attributes.of("axis", 1), x));
    Tensor sums = apply("ReduceSum", Attributes.of("axes", new long[] {0, 2}, "keepdims", 0), x);
    Tensor once = apply("ReduceSum", Attributes.of("axes", new long[] {2}, "keepdims", 0), x);
    assertSame(
        apply("ReduceSum", Attributes.of("axes", new long[] {0}, "keepdims", 0), once), sums);
    assertSame(x, apply("ReduceSum", Attributes.of("noop_with_empty_axes", 1), x));
    Tensor whole = apply("ReduceMax", Attributes.of("keepdims", 0), longs(new long[] {3, -8}, 2));
    assertArrayEquals(new long[] {3}, whole.toLongs());
  }

  /** The examples of the ONNX specification. */
  @Test
  void elementsAreGatheredAndScattered() {
    assertSame(
        floats(new float[] {1, 1, 4, 3}, 2, 2),
        apply(
            "GatherElements",
            Attributes.of("axis", 1),
            floats(new float[] {1, 2, 3, 4}, 2, 2),
            longs(new long[] {0, 0, 1, 0}, 2, 2)));
    assertSame(
        floats(new float[] {1, 1.1f, 3, 2.1f, 5}, 1, 5),
        apply(
            "ScatterElements",
            Attributes.of("axis", 1),
            floats(new float[] {1, 2, 3, 4, 5}, 1, 5),
            longs(new long[] {1, 3}, 1, 2),
            floats(new float[] {1.1f, 2.1f}, 1, 2)));
    assertSame(
        floats(new float[] {1, 11, 3, 10, 9, 6, 7, 12}, 8),
        apply(
            "ScatterND",
            Attributes.NONE,
            2,
            floats(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 8),
            longs(new long[] {4, 3, 1, 7}, 4, 1),
            floats(new float[] {9, 10, 11, 12}, 4)));
    assertSame(
        floats(new float[] {0, 3}, 2),
        apply(
            "GatherND",
            Attributes.NONE,
            1,
            floats(new float[] {0, 1, 2, 3}, 2, 2),
            longs(new long[] {0, 0, 1, 1}, 2, 2)));
    assertThrows(
        IndexOutOfBoundsException.class,
        () ->
            apply(
                "GatherElements",
                Attributes.NONE,
                floats(new float[] {1, 2}, 2),
                longs(new long[] {2}, 1)));
  }

  /** numpy.pad of the specification's example. */
  @Test
  void padsAreConstantReflectedOrRepeated() {
    Tensor x = floats(new float[] {1, 1.2f, 2.3f, 3.4f, 4.5f, 5.7f}, 3, 2);
    Tensor pads = longs(new long[] {0, 2, 0, 0}, 4);
    assertSame(
        floats(new float[] {0, 0, 1, 1.2f, 0, 0, 2.3f, 3.4f, 0, 0, 4.5f, 5.7f}, 3, 4),
        apply("Pad", Attributes.NONE, 1, x, pads));
    Tensor wide = floats(new float[] {1, 2, 3}, 1, 3);
    assertSame(
        floats(new float[] {3, 2, 1, 2, 3}, 1, 5),
        apply("Pad", Attributes.of("mode", "reflect"), 1, wide, pads));
    assertSame(
        floats(new float[] {1, 1, 1, 2, 3}, 1, 5),
        apply("Pad", Attributes.of("mode", "edge"), 1, wide, pads));
    assertSame(
        floats(new float[] {2, 3, 1, 2, 3}, 1, 5),
        apply("Pad", Attributes.of("mode", "wrap"), 1, wide, pads));
    assertThrows(
        ShapeException.class, () -> apply("Pad", Attributes.of("mode", "mirror"), 1, wide, pads));
  }

  private Tensor unsigned(long... bits) {
    Tensor signed = Tensor.ofLongs(arena, bits, bits.length);
    return Tensor.wrap(signed.segment(), DType.UINT64, bits.length);
  }

  @Test
  void unsignedNumbersKeepTheirUpperBits() {
    Tensor x = unsigned(-2, 7);
    Tensor y = unsigned(3, -1);
    Tensor quotient = apply("Div", Attributes.NONE, x, y);
    assertArrayEquals(new long[] {Long.divideUnsigned(-2, 3), 0}, quotient.toLongs());
    Tensor less = apply("Less", Attributes.NONE, x, y);
    assertArrayEquals(new long[] {0, 1}, less.toLongs());
    Tensor least = apply("Min", Attributes.NONE, x, y);
    assertArrayEquals(new long[] {3, 7}, least.toLongs());
  }

  /** The transposed convolution of the specification's example, and its gradient's sizes. */
  @Test
  void transposedConvolutionSpreadsWhatItIsGiven() {
    Tensor x = floats(new float[] {0, 1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 3, 3);
    float[] ones = new float[9];
    Arrays.fill(ones, 1);
    assertSame(
        floats(
            new float[] {
              0, 1, 3, 3, 2, 3, 8, 15, 12, 7, 9, 21, 36, 27, 15, 9, 20, 33, 24, 13, 6, 13, 21, 15, 8
            },
            1,
            1,
            5,
            5),
        apply("ConvTranspose", Attributes.NONE, 1, x, floats(ones, 1, 1, 3, 3)));
  }

  @Test
  void einsumIsTheSumThatItsEquationSays() {
    Tensor a = random(2, 3, 4);
    Tensor b = random(2, 4, 5);
    assertSame(
        apply("MatMul", Attributes.NONE, a, b),
        apply("Einsum", Attributes.of("equation", "bij,bjk->bik"), a, b));
    assertSame(
        apply("MatMul", Attributes.NONE, a, b),
        apply("Einsum", Attributes.of("equation", "...ij,...jk"), a, b));
    assertThrows(
        ShapeException.class,
        () -> apply("Einsum", Attributes.of("equation", "bij,bjk->bz"), a, b));
  }

  @Test
  void whatHasNoGradientOrNoSuchTypeIsRefusedByName() {
    Tensor x = longs(new long[] {1, 2}, 2);
    for (String operator : List.of("Erf", "Softmax", "Hardmax", "LRN", "Gelu")) {
      ShapeException e =
          assertThrows(ShapeException.class, () -> apply(operator, Attributes.NONE, x), operator);
      assertTrue(e.getMessage().startsWith("out"), e.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> Attributes.of("axis"));
  }

  @Test
  void squeezeWithoutAxesDropsWhatTheGraphSaysIsOneAndNoBatchThatHappensToBe() {
    Graph.Builder g = Graph.builder("squeeze");
    Value x = g.input("x", DType.FLOAT32, "batch", 1, 3);
    g.output(g.node("out", "Squeeze", Attributes.NONE, x));
    try (Plan plan = Plan.on(Networks.device(), g.build());
        Execution run = plan.newExecution()) {
      for (long batch = 1; batch <= 2; batch++) {
        run.input("x", random(batch, 1, 3)).run();
        assertEquals(Shape.of(batch, 3), run.shape("out"));
      }
    }
  }

  @Test
  void concatPutsInputsOneBehindTheOther() {
    Tensor a = random(2, 3);
    Tensor b = random(2, 4);
    Tensor both = apply("Concat", Attributes.of("axis", -1), a, b);
    assertSame(a, both.slice(1, 0, 3));
    assertSame(b, both.slice(1, 3, 7));
  }

  @Test
  void reshapeFillsInWhatIsLeft() {
    Tensor x = random(4, 6);
    assertSame(
        x.contiguous(arena).reshape(4, 3, 2),
        apply("Reshape", Attributes.of("shape", new long[] {0, 3, -1}), x));
    assertThrows(
        ShapeException.class,
        () -> apply("Reshape", Attributes.of("shape", new long[] {5, -1}), x));
    assertSame(x.reshape(24, 1), apply("Flatten", Attributes.of("axis", 2), x));
    assertSame(
        x.unsqueeze(0).unsqueeze(3),
        apply("Unsqueeze", Attributes.of("axes", new long[] {0, -1}), x));
  }

  @Test
  void elementwiseOperatorsBroadcast() {
    Tensor a = random(2, 1, 3);
    Tensor b = random(4, 1);
    Tensor sum = apply("Add", Attributes.NONE, a, b);
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 4; j++) {
        for (int k = 0; k < 3; k++) {
          assertEquals(a.getFloat(i, 0, k) + b.getFloat(j, 0), sum.getFloat(i, j, k), 1e-6);
        }
      }
    }
    assertThrows(ShapeException.class, () -> apply("Mul", Attributes.NONE, random(3), random(4)));
  }

  @Test
  void productsOfAnyRank() {
    for (long[][] dims :
        new long[][][] {
          {{3, 4}, {4, 5}},
          {{2, 3, 4}, {2, 4, 5}},
          {{2, 3, 4}, {4, 5}},
          {{4}, {4, 5}},
          {{3, 4}, {4}},
          {{4}, {4}},
          {{2, 1, 3, 4}, {6, 4, 5}}
        }) {
      Tensor a = random(dims[0]);
      Tensor b = random(dims[1]);
      Tensor loose = apply("MatMul", Attributes.NONE, a, b);
      assertSame(loose, apply("MatMul", Attributes.NONE, 1, a, b));
      Tensor left = dims[0].length == 1 ? a.reshape(1, 4) : a;
      Tensor right = dims[1].length == 1 ? b.reshape(4, 1) : b;
      Tensor first = left;
      while (first.rank() > 2) {
        first = first.select(0, 0);
      }
      Tensor other = right;
      while (other.rank() > 2) {
        other = other.select(0, 0);
      }
      double dot = 0;
      for (int k = 0; k < 4; k++) {
        dot += first.getDouble(0, k) * other.getDouble(k, 0);
      }
      assertEquals(dot, loose.toFloats()[0], 1e-5, Arrays.deepToString(dims));
    }
  }

  @Test
  void gemmScalesAndTransposes() {
    Tensor a = random(4, 3);
    Tensor b = random(5, 4);
    Tensor c = random(5);
    Tensor y =
        apply(
            "Gemm", Attributes.of("alpha", 0.5f, "beta", 2f, "transA", 1, "transB", 1), 2, a, b, c);
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < 5; j++) {
        double sum = 2 * c.getDouble(j);
        for (int k = 0; k < 4; k++) {
          sum += 0.5 * a.getDouble(k, i) * b.getDouble(j, k);
        }
        assertEquals(sum, y.getDouble(i, j), 1e-5);
      }
    }
  }

  @Test
  void aProductWithABiasInFrontIsFusedToo() {
    Graph.Builder g = Graph.builder("dense");
    Value x = g.input("x", DType.FLOAT32, "rows", 3);
    Tensor w = random(3, 2);
    Tensor b = random(2);
    Value product = g.node("product", "MatMul", Attributes.NONE, x, g.constant("w", w));
    g.output(
        g.node(
            "y",
            "Tanh",
            Attributes.NONE,
            g.node("sum", "Add", Attributes.NONE, g.constant("b", b), product)));
    Tensor in = random(4, 3);
    try (Plan plan = Plan.on(Networks.device(), g.build());
        Execution run = plan.newExecution()) {
      assertEquals(1, plan.nodes().size());
      run.input("x", in).run();
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 2; j++) {
          double sum = b.getDouble(j);
          for (int k = 0; k < 3; k++) {
            sum += in.getDouble(i, k) * w.getDouble(k, j);
          }
          assertEquals(Math.tanh(sum), run.output("y").getDouble(i, j), 1e-6);
        }
      }
    }
  }

  @Test
  void reductionsKeepOrDropTheirAxes() {
    Tensor x = random(2, 3, 4);
    Tensor mean = apply("ReduceMean", Attributes.of("axes", new long[] {1}, "keepdims", 0), x);
    assertEquals(List.of(2L, 4L), Arrays.stream(mean.shape().dims()).boxed().toList());
    double sum = 0;
    for (int j = 0; j < 3; j++) {
      sum += x.getDouble(1, j, 2);
    }
    assertEquals(sum / 3, mean.getDouble(1, 2), 1e-6);
    assertEquals(
        List.of(1L, 1L, 1L),
        Arrays.stream(apply("ReduceSum", Attributes.NONE, x).shape().dims()).boxed().toList());
  }

  @Test
  void gatherPicksRowsAndRefusesOthers() {
    Tensor table = random(5, 2);
    Tensor indices = Tensor.ofInts(arena, new int[] {4, 0, -1, 2}, 2, 2);
    Tensor rows = apply("Gather", Attributes.NONE, table, indices);
    assertSame(table.select(0, 4), rows.select(0, 0).select(0, 0));
    assertSame(table.select(0, 4), rows.select(0, 1).select(0, 0));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> apply("Gather", Attributes.NONE, table, Tensor.ofInts(arena, new int[] {5}, 1)));
  }

  @Test
  void maskedSoftmaxEndsWithTheSequence() {
    Tensor scores = random(2, 3, 4);
    Tensor weights =
        apply("MaskedSoftmax", Attributes.NONE, scores, Tensor.ofInts(arena, new int[] {2, 0}, 2));
    for (int j = 0; j < 3; j++) {
      double first = Math.exp(scores.getDouble(0, j, 0));
      double second = Math.exp(scores.getDouble(0, j, 1));
      assertEquals(first / (first + second), weights.getDouble(0, j, 0), 1e-6);
      assertEquals(0, weights.getDouble(0, j, 2));
      assertEquals(0, weights.getDouble(1, j, 0));
    }
  }

  @Test
  void convolutionOverAnAxisWhoseSizeIsNotKnown() {
    Tensor x = random(1, 1, 6);
    Tensor w = Tensor.ofFloats(arena, new float[] {1, 10, 100}, 1, 1, 3);
    Tensor y = apply("Conv", Attributes.of("pads", new long[] {2, 0}), 1, x, w);
    assertEquals(6, y.dim(2));
    assertEquals(100 * x.getFloat(0, 0, 0), y.getFloat(0, 0, 0), 1e-4);
    assertEquals(
        x.getFloat(0, 0, 3) + 10 * x.getFloat(0, 0, 4) + 100 * x.getFloat(0, 0, 5),
        y.getFloat(0, 0, 5),
        1e-4);
    Tensor strided = apply("Conv", Attributes.of("strides", new long[] {2}), 1, x, w);
    assertEquals(2, strided.dim(2));
  }

  @Test
  void topKGivesValuesAndPlaces() {
    Graph.Builder g = Graph.builder("top");
    Value x = g.input("x", DType.FLOAT32, "rows", 5);
    List<Value> top =
        g.node("top", "TopK", Attributes.of("k", 2), List.of(x), List.of("values", "places"));
    g.output(top.get(1));
    try (Plan plan = Plan.on(Networks.device(), g.build());
        Execution run = plan.newExecution()) {
      run.input("x", Tensor.ofFloats(arena, new float[] {1, 7, 3, 7, 2}, 1, 5)).run();
      assertArrayEquals(new long[] {1, 3}, run.output("places").toLongs());
    }
  }

  @Test
  void aWrongShapeIsKnownWhenTheNodeIsAdded() {
    Graph.Builder g = Graph.builder("wrong");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 4);
    Value w = g.constant("w", random(1, 9, 5));
    Value r = g.constant("r", random(1, 9, 3));
    var e =
        assertThrows(ShapeException.class, () -> g.node("gru_1", "GRU", Attributes.NONE, x, w, r));
    assertEquals("gru_1: input w is [1, 9, 5], expected [1, 9, 4]", e.getMessage());
    var unknown =
        assertThrows(
            UnsupportedOperationException.class, () -> g.node("n", "Tahn", Attributes.NONE, x));
    assertTrue(unknown.getMessage().contains("Tanh"), unknown.getMessage());
  }
}

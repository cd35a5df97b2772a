package io.gatun.representation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * A receptive field is checked by changing the input one place after the other: outside nothing
 * changes, and within, where weights are positive and no maximum hides it, everything does.
 */
class ReceptiveFieldTest {
  private static Value convolution(
      Graph.Builder g,
      Arena arena,
      Random random,
      String name,
      Value x,
      int out,
      int groups,
      long[]... a) {
    int in = (int) x.dim(1).size();
    long[] kernel = a[0];
    long[] dims = {out, in / groups, kernel[0], kernel[1]};
    float[] weights = new float[(int) (out * in / groups * kernel[0] * kernel[1])];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = 0.1f + random.nextFloat();
    }
    return g.node(
        name,
        "Conv",
        Attributes.of("group", groups, "strides", a[1], "dilations", a[2], "pads", a[3]),
        x,
        g.constant(name + ".weight", Tensor.ofFloats(arena, weights, dims)));
  }

  @Test
  void nothingOutsideCountsAndEverythingWithinDoes() {
    Random random = Seeds.random("receptive fields");
    for (int round = 0; round < 12; round++) {
      try (Arena arena = Arena.ofConfined()) {
        Graph.Builder g = Graph.builder("random");
        Value x = g.input("x", DType.FLOAT32, "batch", 2, 13, 11);
        Value at = x;
        for (int layer = 0; layer < 3; layer++) {
          String name = "layer" + layer;
          long[] strides = {1 + random.nextInt(2), 1 + random.nextInt(2)};
          long[] dilations = {1 + random.nextInt(2), 1 + random.nextInt(2)};
          long[] pads = {
            random.nextInt(3), random.nextInt(3), random.nextInt(3), random.nextInt(3)
          };
          long[] kernel = {1 + random.nextInt(3), 1 + random.nextInt(3)};
          at =
              switch (random.nextInt(3)) {
                case 0 ->
                    g.node(
                        name,
                        "AveragePool",
                        Attributes.of("kernel_shape", new long[] {2, 2}, "strides", strides),
                        at);
                case 1 ->
                    convolution(g, arena, random, name, at, 4, 2, kernel, strides, dilations, pads);
                default -> {
                  Value c =
                      convolution(
                          g, arena, random, name, at, 4, 1, kernel, strides, dilations, pads);
                  yield g.node(name + ".relu", "Softplus", Attributes.NONE, c);
                }
              };
        }
        g.output(at);
        check(g.build(), at.name(), new long[] {1, 2, 13, 11}, true, random);
      }
    }
  }

  @Test
  @SuppressWarnings("try")
  void maximumPoolingAndOtherLooksSeeNoMoreThanTheySay() {
    Random random = Seeds.random("receptive fields of looks");
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("looks");
      Value x = g.input("x", DType.FLOAT32, "batch", 2, 8, 6);
      Value pooled =
          g.node(
              "pooled",
              "MaxPool",
              Attributes.of(
                  "kernel_shape", new long[] {3, 2},
                  "strides", new long[] {2, 2},
                  "pads", new long[] {1, 0, 0, 1}),
              x);
      Value turned =
          g.node("turned", "Transpose", Attributes.of("perm", new long[] {0, 3, 1, 2}), pooled);
      Value flat = g.node("flat", "Reshape", Attributes.of("shape", new long[] {0, 0, -1}), turned);
      Value both = g.node("both", "Concat", Attributes.of("axis", 1), flat, flat);
      Value part =
          g.node(
              "part",
              "Slice",
              Attributes.of(
                  "starts", new long[] {-1},
                  "ends", new long[] {Integer.MIN_VALUE},
                  "axes", new long[] {1},
                  "steps", new long[] {-2}),
              both);
      g.output(part);
      Graph graph = g.build();
      for (String value : List.of("pooled", "turned", "flat", "both", "part")) {
        check(graph, value, new long[] {1, 2, 8, 6}, false, random);
      }
    }
  }

  @Test
  void aLoopSeesWhatCameBeforeAndTheOtherWayRoundWhatComesAfter() {
    Random random = Seeds.random("receptive fields of loops");
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("loop");
      Value x = g.input("x", DType.FLOAT32, "time", "batch", 2);
      Value w = g.constant("w", Tensor.ofFloats(arena, floats(random, 2 * 3 * 2), 2, 3, 2));
      Value r = g.constant("r", Tensor.ofFloats(arena, floats(random, 2 * 3 * 3), 2, 3, 3));
      List<Value> both =
          g.node(
              "rnn",
              "RNN",
              Attributes.of("direction", "bidirectional", "hidden_size", 3, "layout", 0),
              List.of(x, w, r),
              List.of("steps", "states"));
      g.output(both.get(0));
      Graph graph = g.build();
      check(graph, "steps", new long[] {5, 1, 2}, true, random);
      ReceptiveField field =
          ReceptiveField.of(graph, "steps", "x", Map.of("x", new long[] {5, 1, 2}));
      assertEquals("{0, 1, 2}", field.at(2, 0, 0, 1)[0].toString());
      assertEquals("{2, 3, 4}", field.at(2, 1, 0, 1)[0].toString());
    }
  }

  private static float[] floats(Random random, int count) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = 0.1f + 0.3f * random.nextFloat();
    }
    return all;
  }

  /** Every element of the value against every number of the input. */
  private static void check(Graph graph, String value, long[] dims, boolean exact, Random random) {
    ReceptiveField field = ReceptiveField.of(graph, value, "x", Map.of("x", dims));
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(graph, value);
        Execution run = plan.newExecution()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, dims);
      Tensor flat = x.reshape(x.elements());
      for (long i = 0; i < x.elements(); i++) {
        flat.setFloat(random.nextFloat(), i);
      }
      run.input("x", x).run();
      float[] before = run.output(value).toFloats();
      long[] sizes = run.shape(value).dims();
      assertArrayEquals(sizes, field.valueSizes());
      BitSet[] changed = new BitSet[before.length];
      for (int e = 0; e < before.length; e++) {
        changed[e] = new BitSet();
      }
      for (int i = 0; i < x.elements(); i++) {
        float was = flat.getFloat(i);
        flat.setFloat(was + 1000, i);
        run.run();
        float[] after = run.output(value).toFloats();
        flat.setFloat(was, i);
        for (int e = 0; e < before.length; e++) {
          if (before[e] != after[e]) {
            changed[e].set(i);
          }
        }
      }
      for (int e = 0; e < before.length; e++) {
        BitSet said = flat(field.at(index(e, sizes)), dims);
        BitSet outside = (BitSet) changed[e].clone();
        outside.andNot(said);
        assertTrue(outside.isEmpty(), value + " " + e + " also sees " + outside);
        if (exact) {
          assertEquals(said, changed[e], value + " " + e);
        }
      }
    }
  }

  private static long[] index(long flat, long[] dims) {
    long[] index = new long[dims.length];
    for (int axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = flat % dims[axis];
      flat /= dims[axis];
    }
    return index;
  }

  private static BitSet flat(BitSet[] axes, long[] dims) {
    BitSet all = new BitSet();
    long elements = 1;
    for (long dim : dims) {
      elements *= dim;
    }
    for (int i = 0; i < elements; i++) {
      long[] index = index(i, dims);
      boolean within = true;
      for (int axis = 0; axis < dims.length; axis++) {
        within &= axes[axis].get((int) index[axis]);
      }
      all.set(i, within);
    }
    return all;
  }
}

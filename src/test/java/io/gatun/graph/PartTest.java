package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Parts of networks: cut at the end, cut at the beginning, with something new behind them. */
class PartTest {
  private static Graph network(Arena arena) {
    Graph.Builder g = Graph.builder("network");
    Value x = g.input("x", DType.FLOAT32, "batch", 3);
    float[] numbers = {1, -2, 3, 0.5f, 1, -1, 2, 2, -3};
    Value first =
        g.node(
            "first",
            "MatMul",
            Attributes.NONE,
            x,
            g.constant("w1", Tensor.ofFloats(arena, numbers, 3, 3)));
    Value bent = g.node("bent", "Tanh", Attributes.NONE, first);
    Value dropped = g.node("dropped", "Dropout", Attributes.of("ratio", 0.5f), bent);
    Value last =
        g.node(
            "last",
            "MatMul",
            Attributes.NONE,
            dropped,
            g.constant("w2", Tensor.ofFloats(arena, numbers, 3, 3)));
    g.output(last);
    return g.build();
  }

  @Test
  void twoPartsOneBehindTheOtherAreTheWhole() {
    try (Arena arena = Arena.ofConfined()) {
      Graph whole = network(arena);
      Graph.Builder one = whole.part(List.of(), List.of("bent"));
      Graph.Builder two = whole.part(List.of("bent"), List.of("last"));
      Graph front = one.output(one.find("bent")).build();
      Graph back = two.output(two.find("last")).build();
      assertEquals(List.of("x"), front.inputs().stream().map(Value::name).toList());
      assertEquals(List.of("bent"), back.inputs().stream().map(Value::name).toList());
      assertEquals(List.of("dropped", "last"), back.nodes().stream().map(Node::name).toList());
      Tensor x = Tensor.ofFloats(arena, new float[] {0.25f, -1, 2, 0, 1, 1}, 2, 3);
      try (Plan all = Plan.of(whole);
          Plan first = Plan.of(front);
          Plan second = Plan.of(back);
          Execution a = all.newExecution();
          Execution b = first.newExecution();
          Execution c = second.newExecution()) {
        a.input("x", x).run();
        b.input("x", x).run();
        c.input("bent", b.output("bent")).run();
        assertArrayEquals(a.output("last").toFloats(), c.output("last").toFloats());
      }
    }
  }

  @Test
  void aPartWalkedBackDropsNothing() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder part = network(arena).part(List.of(), List.of("last"));
      part.node(
          "sum",
          "ReduceSum",
          Attributes.of("axes", new long[] {0, 1}, "keepdims", 0),
          part.find("last"));
      Gradients gradients = Gradients.of(part.build(), "sum", "x");
      assertEquals(false, gradients.needsSeed());
    }
  }

  @Test
  void sizesFollowFromThoseOfTheInputs() {
    try (Arena arena = Arena.ofConfined()) {
      Graph whole = network(arena);
      Map<Value, long[]> sizes = whole.sizes(Map.of("x", new long[] {7, 3}));
      assertArrayEquals(new long[] {7, 3}, sizes.get(whole.value("last")));
      assertTrue(whole.sizes(Map.of()).keySet().stream().allMatch(v -> v.constant() != null));
    }
  }

  @Test
  void weightsAndUnknownNamesAreNoPlacesToCut() {
    try (Arena arena = Arena.ofConfined()) {
      Graph whole = network(arena);
      Exception constant =
          assertThrows(
              IllegalArgumentException.class, () -> whole.part(List.of("w1"), List.of("last")));
      assertTrue(constant.getMessage().contains("w1 is constant"), constant.getMessage());
      Exception unknown =
          assertThrows(IllegalArgumentException.class, () -> whole.part(List.of(), List.of("lst")));
      assertTrue(unknown.getMessage().contains("did you mean last"), unknown.getMessage());
    }
  }
}

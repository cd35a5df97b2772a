package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class PlanTest {
  private final Device device = Networks.device();
  private final Random random = Seeds.random(getClass().getSimpleName());

  private static Tensor lengths(Arena arena, int... lengths) {
    return Tensor.ofInts(arena, lengths, lengths.length);
  }

  @Test
  void askingForAnInnerValuePrunesWhatIsDownstream() {
    try (Arena arena = Arena.ofConfined()) {
      Graph graph = Networks.tagger(arena, random);
      try (Plan plan = Plan.on(device, graph, "gru.last")) {
        assertEquals(List.of("gru"), plan.nodes().stream().map(Node::name).toList());
      }
      try (Plan whole = Plan.on(device, graph)) {
        assertEquals(
            List.of("gru", "gru.steps", "dense.product", "probabilities"),
            whole.nodes().stream().map(Node::name).toList(),
            "product, bias and activation are one node");
        assertEquals("MatMul+Add+relu", whole.nodes().get(2).operator().type());
      }
    }
  }

  @Test
  void anEmbeddingAndTheLayerBehindItAreOneNodeWhetherOrNotTheEmbeddingIsAskedFor() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("told");
      Value tokens = g.input("tokens", DType.INT32, "time", "batch");
      Value table = g.constant("table", Networks.random(arena, random, 7, 4));
      Value rows = g.node("rows", "Gather", Attributes.NONE, table, tokens);
      Value w = g.constant("W", Networks.random(arena, random, 2, 15, 4));
      Value r = g.constant("R", Networks.random(arena, random, 2, 15, 5));
      g.node(
          "gru",
          "GRU",
          Attributes.of("direction", "bidirectional"),
          List.of(rows, w, r),
          List.of("steps", "last"));
      Graph graph = g.build();
      Tensor input = Tensor.ofInts(arena, new int[] {0, 3, 6, 3, -1, 2}, 3, 2);
      try (Plan joined = Plan.on(device, graph, "steps", "last");
          Plan apart = Plan.on(device, graph, "rows", "steps", "last");
          Execution one = joined.newExecution();
          Execution other = apart.newExecution()) {
        assertEquals(List.of("gru"), joined.nodes().stream().map(Node::name).toList());
        assertEquals("Gather+GRU", joined.nodes().get(0).operator().type());
        assertEquals(List.of("rows", "gru"), apart.nodes().stream().map(Node::name).toList());
        one.input("tokens", input).run();
        other.input("tokens", input).run();
        assertArrayEquals(one.output("steps").toFloats(), other.output("steps").toFloats());
        assertArrayEquals(one.output("last").toFloats(), other.output("last").toFloats());
      }
    }
  }

  @Test
  void everyValueIsTheSameWhetherAskedAloneOrWithAllOthers() {
    try (Arena arena = Arena.ofConfined()) {
      Graph graph = Networks.tagger(arena, random);
      Tensor x = Networks.random(arena, random, 7, 3, 4);
      Tensor lengths = lengths(arena, 7, 2, 5);
      String[] names = {
        "gru.Y", "gru.last", "gru.steps", "dense.product", "dense.sum", "dense", "probabilities"
      };
      try (Plan all = Plan.on(device, graph, names);
          Execution together = all.newExecution()) {
        together.input("x", x).input("lengths", lengths).run();
        for (String name : names) {
          try (Plan plan = Plan.on(device, graph, name);
              Execution alone = plan.newExecution()) {
            alone.input("x", x).input("lengths", lengths).run();
            assertArrayEquals(
                together.output(name).toFloats(), alone.output(name).toFloats(), 1e-6f, name);
          }
        }
      }
    }
  }

  @Test
  void aPlanIsForOnlyTheInputsItNeeds() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("two");
      Value a = g.input("a", DType.FLOAT32, "n");
      Value b = g.input("b", DType.FLOAT32, "n");
      g.node("na", "Neg", Attributes.NONE, a);
      g.output(g.node("nb", "Neg", Attributes.NONE, b));
      try (Plan plan = Plan.on(device, g.build(), "na");
          Execution run = plan.newExecution()) {
        run.input("a", Tensor.ofFloats(arena, new float[] {1, -2}, 2)).run();
        assertArrayEquals(new float[] {-1, 2}, run.output("na").toFloats());
        var e =
            assertThrows(
                IllegalArgumentException.class,
                () -> run.input("b", Tensor.ofFloats(arena, new float[] {1}, 1)));
        assertTrue(e.getMessage().contains("no input b"), e.getMessage());
      }
    }
  }

  @Test
  void sizesMayChangeFromRunToRunAndBack() {
    try (Arena arena = Arena.ofConfined()) {
      Graph graph = Networks.tagger(arena, random);
      try (Plan plan = Plan.on(device, graph);
          Execution run = plan.newExecution()) {
        List<Tensor> xs = new ArrayList<>();
        List<float[]> first = new ArrayList<>();
        int[][] sizes = {{3, 2}, {9, 4}, {1, 1}, {0, 2}, {3, 0}, {20, 7}};
        for (int[] size : sizes) {
          xs.add(Networks.random(arena, random, size[0], size[1], 4));
        }
        for (int round = 0; round < 3; round++) {
          for (int i = 0; i < sizes.length; i++) {
            int[] lengths = new int[sizes[i][1]];
            java.util.Arrays.fill(lengths, sizes[i][0]);
            run.input("x", xs.get(i)).input("lengths", lengths(arena, lengths)).run();
            float[] out = run.output("probabilities").toFloats();
            assertEquals(sizes[i][0] * sizes[i][1] * 5, out.length);
            if (round == 0) {
              first.add(out);
            } else {
              assertArrayEquals(first.get(i), out);
            }
          }
        }
      }
    }
  }

  @Test
  void moreSizesThanAreRememberedStillGiveTheSameNumbers() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("negate");
      g.output(g.node("y", "Neg", Attributes.NONE, g.input("x", DType.FLOAT32, "n")));
      try (Plan plan = Plan.on(device, g.build());
          Execution run = plan.newExecution()) {
        for (int n = 200; n > 0; n--) {
          Tensor x = Networks.random(arena, random, n);
          run.input("x", x).run();
          float[] y = run.output("y").toFloats();
          for (int i = 0; i < n; i++) {
            assertEquals(-x.getFloat(i), y[i]);
          }
        }
      }
    }
  }

  @Test
  void aRunThatMemoryIsMissingForLeavesSmallerOnesPossible() {
    Graph.Builder g = Graph.builder("network");
    Value x = g.input("x", DType.FLOAT32, "n");
    g.output(g.activate("y", Activation.RELU, x));
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(Networks.device(), g.build());
        Execution run = plan.newExecution()) {
      Tensor one = Tensor.ofFloats(arena, new float[] {1}, 1);
      run.input("x", one).run();
      run.input("x", one.broadcastTo(1L << 58));
      assertThrows(OutOfMemoryError.class, run::run);
      String message =
          assertThrows(IllegalStateException.class, () -> run.output("y")).getMessage();
      assertEquals("output y: nothing has been run with the inputs given", message);
      run.input("x", one).run();
      assertArrayEquals(new float[] {1}, run.output("y").toFloats());
    }
  }

  @Test
  void inputsAreReadInPlaceOnlyWhereNobodyElseCanFreeThem() {
    Graph.Builder g = Graph.builder("negate");
    g.output(g.node("y", "Neg", Attributes.NONE, g.input("x", DType.FLOAT32, 2, 3)));
    try (Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution();
        Arena confined = Arena.ofConfined();
        Arena shared = Arena.ofShared();
        SharedArena leased = SharedArena.open("inputs")) {
      Tensor own = Networks.random(confined, random, 2, 3);
      run.input("x", own).run();
      assertTrue(run.inPlace("x"));
      own.setFloat(5, 0, 0);
      run.run();
      assertEquals(-5, run.output("y").getFloat(0, 0), "the tensor is read again at each run");

      run.input("x", Networks.random(confined, random, 3, 2).transpose()).run();
      assertFalse(run.inPlace("x"), "a transposed view is copied");
      run.input("x", Networks.random(shared, random, 2, 3)).run();
      assertFalse(run.inPlace("x"), "another thread could close it");
      run.input("x", Networks.random(leased, random, 2, 3)).run();
      assertTrue(run.inPlace("x"));
      assertThrows(IllegalStateException.class, leased::close, "it is leased");
      run.input("x", own);
    }
  }

  @Test
  void closedInputsAreAnErrorThatNamesThem() {
    Graph.Builder g = Graph.builder("negate");
    g.output(g.node("y", "Neg", Attributes.NONE, g.input("x", DType.FLOAT32, "n")));
    try (Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      for (Arena arena : List.of(Arena.ofConfined(), Arena.ofShared())) {
        run.input("x", Networks.random(arena, random, 4));
        run.run();
        arena.close();
        var e = assertThrows(IllegalStateException.class, run::run);
        assertTrue(e.getMessage().contains("input x"), e.getMessage());
      }
    }
  }

  @Test
  void outputsGoWhereTheCallerWants() {
    Graph.Builder g = Graph.builder("chain");
    Value x = g.input("x", DType.FLOAT32, 2, 3);
    Value y = g.node("y", "Neg", Attributes.NONE, x);
    Value z = g.node("z", "Exp", Attributes.NONE, y);
    Value view = g.node("view", "Reshape", Attributes.of("shape", new long[] {3, 2}), z);
    g.output(view).output(z).output(y);
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      Tensor in = Networks.random(arena, random, 2, 3);
      Tensor yOut = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
      Tensor zOut = Tensor.allocate(arena, DType.FLOAT64, 3, 2).transpose();
      Tensor viewOut = Tensor.allocate(arena, DType.FLOAT32, 3, 2);
      run.input("x", in).output("y", yOut).output("z", zOut).output("view", viewOut).run();
      assertTrue(run.inPlace("y"));
      for (int i = 0; i < 6; i++) {
        float negated = -in.getFloat(i / 3, i % 3);
        assertEquals(negated, yOut.getFloat(i / 3, i % 3));
        assertEquals((float) Math.exp(negated), zOut.getDouble(i / 3, i % 3), 1e-5);
        assertEquals(zOut.getFloat(i / 3, i % 3), viewOut.getFloat(i / 2, i % 2));
      }
      run.output("y", in).run();
      assertEquals(Math.exp(-yOut.getFloat(0, 0)), 1 / zOut.getDouble(0, 0), 1e-4);
      assertThrows(
          ShapeException.class,
          () -> run.output("view", Tensor.allocate(arena, DType.FLOAT32, 2, 3)).run());
    }
  }

  @Test
  void anOutputWrittenOverAnInputDoesNotDisturbLaterNodes() {
    Graph.Builder g = Graph.builder("state");
    Value h = g.input("h", DType.FLOAT32, 4);
    Value next = g.node("next", "Neg", Attributes.NONE, h);
    g.output(next).output(g.node("sum", "Add", Attributes.NONE, next, h));
    try (Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution();
        var buffer = device.allocate(16);
        Arena arena = Arena.ofConfined()) {
      Region state = new Region(buffer);
      run.kernels().upload(Tensor.ofFloats(arena, new float[] {1, 2, 3, 4}, 4), state);
      run.input("h", state, 4).output("next", state);
      run.run();
      assertArrayEquals(new float[4], run.output("sum").toFloats());
      assertArrayEquals(new float[] {-1, -2, -3, -4}, run.output("next").toFloats());
      run.run();
      assertArrayEquals(new float[] {1, 2, 3, 4}, run.output("next").toFloats());
    }
  }

  @Test
  void inputsAndConstantsCanBeAskedFor() {
    try (Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("trivial");
      Value x = g.input("x", DType.FLOAT32, "n");
      Value c = g.constant("c", Tensor.ofFloats(arena, new float[] {1, 2}, 2));
      g.output(x).output(c).output(g.alias("same", x));
      try (Plan plan = Plan.on(device, g.build());
          Execution run = plan.newExecution()) {
        run.input("x", Tensor.ofFloats(arena, new float[] {7}, 1)).run();
        assertArrayEquals(new float[] {7}, run.output("x").toFloats());
        assertArrayEquals(new float[] {7}, run.output("same").toFloats());
        assertArrayEquals(new float[] {1, 2}, run.output("c").toFloats());
        Tensor target = Tensor.allocate(arena, DType.FLOAT32, 1);
        run.output("same", target).run();
        assertEquals(7, target.getFloat(0));
      }
    }
  }

  @Test
  void wrongInputsAreNamed() {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, Networks.tagger(arena, random));
        Execution run = plan.newExecution()) {
      Tensor x = Networks.random(arena, random, 3, 2, 4);
      assertMessage(
          "input x is [3, 2, 5], expected [time, batch, 4]",
          () -> run.input("x", Networks.random(arena, random, 3, 2, 5)));
      assertMessage(
          "input x is int32, expected float32",
          () -> run.input("x", Tensor.allocate(arena, DType.INT32, 3, 2, 4)));
      assertMessage(
          "input lengths has batch 3, but input x has 2",
          () -> run.input("x", x).input("lengths", lengths(arena, 1, 2, 3)).run());
      assertMessage("did you mean lengths?", () -> run.input("length", x));
      assertThrows(
          ShapeException.class,
          () -> run.input("x", x).input("lengths", lengths(arena, 1, 4)).run(),
          "a length beyond the time axis");
      run.input("lengths", lengths(arena, 1, 3)).run();
    }
    var missing =
        assertThrows(
            IllegalStateException.class,
            () -> {
              try (Arena arena = Arena.ofConfined();
                  Plan plan = Plan.on(device, Networks.tagger(arena, random));
                  Execution run = plan.newExecution()) {
                run.run();
              }
            });
    assertTrue(missing.getMessage().contains("input x"), missing.getMessage());
  }

  private static void assertMessage(String part, org.junit.jupiter.api.function.Executable work) {
    RuntimeException e = assertThrows(RuntimeException.class, work);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void runningAllocatesNothing() {
    var threads =
        (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, Networks.tagger(arena, random));
        Execution run = plan.newExecution()) {
      Tensor small = Networks.random(arena, random, 3, 2, 4);
      Tensor large = Networks.random(arena, random, 6, 2, 4);
      Tensor lengths = lengths(arena, 3, 2);
      Runnable rounds =
          () -> {
            for (int i = 0; i < 2_000; i++) {
              run.input("x", small).input("lengths", lengths).run();
              run.output("probabilities");
            }
          };
      run.input("x", large).input("lengths", lengths).run();
      rounds.run();
      rounds.run();
      long before = threads.getCurrentThreadAllocatedBytes();
      rounds.run();
      long bytes = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(bytes < 2_000, bytes + " bytes in 2000 runs");
    }
  }

  @Test
  void onePlanServesManyThreads() throws Exception {
    try (Arena arena = Arena.ofShared();
        Plan plan = Plan.on(device, Networks.tagger(arena, random))) {
      Tensor x = Networks.random(arena, random, 11, 3, 4);
      Tensor lengths = lengths(arena, 11, 4, 0);
      float[] expected;
      try (Execution run = plan.newExecution()) {
        run.input("x", x).input("lengths", lengths).run();
        expected = run.output("probabilities").toFloats();
      }
      ExecutorService pool = Executors.newFixedThreadPool(8);
      List<Future<float[]>> results = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        results.add(
            pool.submit(
                () -> {
                  try (Execution run = plan.newExecution()) {
                    run.input("x", x).input("lengths", lengths).run();
                    return run.output("probabilities").toFloats();
                  }
                }));
      }
      for (Future<float[]> result : results) {
        assertArrayEquals(expected, result.get());
      }
      pool.shutdown();
    }
  }

  @Test
  void aPlanIsNotClosedUnderItsExecutions() {
    try (Arena arena = Arena.ofConfined()) {
      Plan plan = Plan.on(device, Networks.tagger(arena, random));
      Execution run = plan.newExecution();
      assertThrows(IllegalStateException.class, plan::close);
      run.close();
      run.close();
      plan.close();
      plan.close();
      assertThrows(IllegalStateException.class, plan::newExecution);
      assertThrows(IllegalStateException.class, run::run);
    }
  }

  @Test
  void viewsTakeNoMemory() {
    Graph.Builder g = Graph.builder("views");
    Value x = g.input("x", DType.FLOAT32, "time", 4, 8);
    Value last =
        g.node(
            "last",
            "Slice",
            Attributes.of(
                "starts", new long[] {-1},
                "ends", new long[] {Long.MAX_VALUE},
                "axes", new long[] {0}),
            x);
    Value row = g.node("row", "Squeeze", Attributes.of("axes", new long[] {0}), last);
    Value flat = g.node("flat", "Reshape", Attributes.of("shape", new long[] {-1}), row);
    g.output(flat);
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      Tensor input = Networks.random(arena, random, 5, 4, 8);
      run.input("x", input).run();
      assertEquals(0, run.workspaceBytes());
      assertArrayEquals(input.select(0, 4).reshape(32).toFloats(), run.output("flat").toFloats());
    }
  }

  @Test
  void valuesWhoseLivesDoNotMeetShareMemory() {
    Graph.Builder g = Graph.builder("long chain");
    Value value = g.input("x", DType.FLOAT32, 1000);
    for (int i = 0; i < 20; i++) {
      value = g.node("n" + i, "Neg", Attributes.NONE, value);
    }
    g.output(value);
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      Tensor x = Networks.random(arena, random, 1000);
      run.input("x", x).run();
      assertTrue(run.workspaceBytes() <= 2 * 4032, run.workspaceBytes() + " bytes");
      assertArrayEquals(x.toFloats(), run.output("n19").toFloats());
    }
  }

  /** A device that does something of ours whenever its kernels are asked for something. */
  private Device interrupted(Runnable[] hook) {
    return (Device)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {Device.class},
            (proxy, method, arguments) -> {
              Object result = invoke(method, device, arguments);
              return result instanceof Kernels kernels
                  ? Proxy.newProxyInstance(
                      getClass().getClassLoader(),
                      new Class<?>[] {Kernels.class},
                      (same, operation, operands) -> {
                        Runnable first = hook[0];
                        hook[0] = null;
                        if (first != null) {
                          first.run();
                        }
                        return invoke(operation, kernels, operands);
                      })
                  : result;
            });
  }

  private static Object invoke(Method method, Object target, Object... arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  @Test
  void nobodyGetsInWhileAnExecutionRuns() {
    Runnable[] hook = {null};
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(interrupted(hook), Networks.tagger(arena, random));
        Execution run = plan.newExecution()) {
      Tensor x = Networks.random(arena, random, 3, 2, 4);
      Tensor lengths = lengths(arena, 3, 2);
      Region region = new Region(device.allocate(64));
      run.input("x", x).input("lengths", lengths);
      int[] seen = {0};
      hook[0] =
          () -> {
            seen[0]++;
            assertMessage("is in use by another thread", run::run);
            assertMessage("is in use by another thread", run::close);
            assertMessage("is in use by another thread", () -> run.input("x", x));
            assertMessage("is in use by another thread", () -> run.input("lengths", region, 2));
            assertMessage(
                "is in use by another thread",
                () -> run.output("probabilities", Tensor.allocate(arena, DType.FLOAT32, 3, 2, 5)));
            assertMessage("is in use by another thread", () -> run.output("probabilities", region));
          };
      run.run();
      assertEquals(1, seen[0]);
      hook[0] =
          () -> {
            throw new OutOfMemoryError("for the test");
          };
      assertThrows(OutOfMemoryError.class, run::run);
      run.run();
      region.buffer().close();
    }
  }

  @Test
  void aClosedExecutionTakesNoLeases() {
    try (Arena arena = Arena.ofConfined();
        SharedArena shared = SharedArena.open("inputs");
        Plan plan = Plan.on(device, Networks.tagger(arena, random))) {
      Execution run = plan.newExecution();
      run.close();
      Tensor x = Tensor.allocate(shared, DType.FLOAT32, 3, 2, 4);
      Tensor y = Tensor.allocate(shared, DType.FLOAT32, 3, 2, 5);
      assertMessage("is closed", () -> run.input("x", x));
      assertMessage("is closed", () -> run.output("probabilities", y));
      assertEquals(List.of(), shared.holders());
    }
  }

  @Test
  void anExecutionIsNotFedFromMemoryItWritesOver() {
    Graph.Builder g = Graph.builder("loop");
    Value h = g.input("h", DType.FLOAT32, "n");
    g.output(g.node("next", "Neg", Attributes.NONE, g.node("half", "Exp", Attributes.NONE, h)));
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      run.input("h", Tensor.ofFloats(arena, new float[] {0, 1}, 2)).run();
      assertMessage(
          "input h of loop is in the execution's own memory",
          () -> run.input("h", run.region("next"), 2));
      assertMessage(
          "output next of loop is in the execution's own memory",
          () -> run.output("next", run.region("next")));
      run.input("h", run.output("next")).run();
      assertArrayEquals(
          new float[] {-(float) Math.exp(-1), -(float) Math.exp(-Math.E)},
          run.output("next").toFloats(),
          1e-6f);
    }
  }

  @Test
  void sizesThatNoOperationCountsAreNamed() {
    Graph.Builder g = Graph.builder("huge");
    Value x = g.input("x", DType.FLOAT32, "n", 1);
    Value wide = g.node("wide", "Expand", Attributes.of("shape", new long[] {1, 1L << 45}), x);
    g.output(g.node("sum", "ReduceSum", Attributes.of("axes", new long[] {1}), wide));
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build());
        Execution run = plan.newExecution()) {
      run.input("x", Tensor.allocate(arena, DType.FLOAT32, 1, 1));
      assertMessage("node sum of huge: sizes beyond what can be counted", run::run);
    }
  }

  @Test
  void aLookAtAnInputIsTakenBeforeTheInputIsWrittenOver() {
    Graph.Builder g = Graph.builder("over");
    Value x = g.input("x", DType.FLOAT32, "n");
    Value negative = g.node("negative", "Neg", Attributes.NONE, x);
    Value same = g.node("same", "Reshape", Attributes.of("shape", new long[] {1, -1}), x);
    g.output(negative);
    g.output(same);
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, g.build(), "negative", "same");
        Execution run = plan.newExecution()) {
      Tensor memory = Tensor.ofFloats(arena, new float[] {1, 2}, 2);
      Tensor copy = Tensor.allocate(arena, DType.FLOAT32, 1, 2);
      run.input("x", memory).output("negative", memory).output("same", copy).run();
      assertArrayEquals(new float[] {-1, -2}, memory.toFloats());
      assertArrayEquals(new float[] {1, 2}, copy.toFloats());
    }
  }
}

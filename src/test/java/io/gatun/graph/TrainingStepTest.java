package io.gatun.graph;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.gatun.Seeds;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A whole step of training: what it allocates, and what its bits depend on. */
class TrainingStepTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random("TrainingStepTest");

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(double size, long... dims) {
    Tensor tensor = Networks.random(arena, random, dims);
    double[] numbers = tensor.toDoubles();
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] *= size;
    }
    return tensor.copyFrom(Tensor.ofDoubles(arena, numbers, dims));
  }

  /** Tokens → embedding → dropout → LSTM both ways → GRU → dense → cross-entropy. */
  private Graph tagger() {
    Graph.Builder g = Graph.builder("tagger");
    Value tokens = g.input("tokens", DType.INT32, "time", "batch");
    Value lengths = g.input("lengths", DType.INT32, "batch");
    Value labels = g.input("labels", DType.INT32, "time", "batch");
    Value vectors =
        g.node(
            "vectors", "Gather", Attributes.NONE, g.constant("table", random(1, 11, 19)), tokens);
    Value dropped = g.node("dropped", "Dropout", Attributes.of("ratio", 0.2f), vectors);
    Value lstm =
        g.node(
                "lstm",
                "LSTM",
                Attributes.of("direction", "bidirectional", "layout", 2),
                Arrays.asList(
                    dropped,
                    g.constant("lstm.W", random(0.2, 2, 4 * 18, 19)),
                    g.constant("lstm.R", random(0.2, 2, 4 * 18, 18)),
                    g.constant("lstm.B", random(0.2, 2, 8 * 18)),
                    lengths),
                List.of("lstm.Y"))
            .get(0);
    Value both = g.node("both", "Reshape", Attributes.of("shape", new long[] {0, 0, 36}), lstm);
    Value gru =
        g.node(
                "gru",
                "GRU",
                Attributes.of("linear_before_reset", 1, "layout", 2, "recurrent_dropout", 0.1f),
                Arrays.asList(
                    both,
                    g.constant("gru.W", random(0.2, 1, 3 * 33, 36)),
                    g.constant("gru.R", random(0.2, 1, 3 * 33, 33)),
                    null,
                    lengths),
                List.of("gru.Y"))
            .get(0);
    Value steps = g.node("steps", "Squeeze", Attributes.of("axes", new long[] {2}), gru);
    Value product =
        g.node("product", "MatMul", Attributes.NONE, steps, g.constant("W", random(0.2, 33, 21)));
    Value logits =
        g.node("logits", "Add", Attributes.NONE, product, g.constant("b", random(1, 21)));
    g.output(
        g.node("loss", "CrossEntropy", Attributes.of("label_smoothing", 0.1f), logits, labels));
    return g.build();
  }

  private void give(Execution step, Gradients gradients, Graph graph, Random numbers) {
    int time = 7;
    int batch = 21;
    for (String parameter : gradients.parameters()) {
      step.input(parameter, graph.value(parameter).constant().tensor(arena));
    }
    int[] tokens = numbers.ints((long) time * batch, 0, 11).toArray();
    int[] labels = numbers.ints((long) time * batch, -2, 21).toArray();
    int[] lengths = numbers.ints(batch, 0, time + 1).toArray();
    step.input("tokens", Tensor.ofInts(arena, tokens, time, batch));
    step.input("labels", Tensor.ofInts(arena, labels, time, batch));
    step.input("lengths", Tensor.ofInts(arena, lengths, batch));
    step.input(Gradients.SEED, Tensor.ofLongs(arena, new long[] {7}, 1));
  }

  /** Runs steps until fifty in a row leave nothing on the heap; what the last one left there. */
  private long bytesInTheEnd() {
    Graph graph = tagger();
    Gradients gradients = Gradients.of(graph, "loss", Gradients.trainable(graph));
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Plan plan = Plan.of(gradients.graph());
        Execution step = plan.newExecution()) {
      give(step, gradients, graph, random);
      long bytes = -1;
      int quiet = 0;
      for (int i = 0; i < 100_000 && quiet < 50; i++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        step.run();
        bytes = threads.getCurrentThreadAllocatedBytes() - before;
        quiet = bytes == 0 ? quiet + 1 : 0;
      }
      return quiet < 50 ? bytes : 0;
    }
  }

  /**
   * In a process of its own, as a training has one: what the compiler makes of vector code depends
   * on all that a process has run before.
   */
  @Test
  void allocatesNothing() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                location(Plan.class) + ":" + location(TrainingStepTest.class),
                TrainingStepTest.class.getName())
            .redirectErrorStream(true)
            .start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), printed);
    assertTrue(printed.lines().anyMatch("0 bytes in the last step"::equals), printed);
  }

  private static String location(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  /** The process that {@link #allocatesNothing} starts. */
  public static void main(String[] args) {
    TrainingStepTest test = new TrainingStepTest();
    System.out.println(test.bytesInTheEnd() + " bytes in the last step");
    test.close();
  }

  @Test
  void hasTheSameBitsWhateverTheNumberOfThreadsAndAtEveryRun() {
    Graph graph = tagger();
    Gradients gradients = Gradients.of(graph, "loss", Gradients.trainable(graph));
    long seed = random.nextLong();
    float[][] first = null;
    for (int threads : new int[] {1, 2, 5}) {
      try (Workers workers = new Workers(threads);
          Plan plan = Plan.on(Devices.best(), gradients.graph());
          Execution step = plan.newExecution(workers)) {
        give(step, gradients, graph, new Random(seed));
        for (int run = 0; run < 2; run++) {
          step.run();
          float[][] come =
              plan.outputs().stream()
                  .map(value -> step.output(value.name()).toFloats())
                  .toArray(float[][]::new);
          if (first == null) {
            first = come;
          }
          for (int i = 0; i < come.length; i++) {
            assertArrayEquals(first[i], come[i], 0, plan.outputs().get(i).name());
          }
        }
      }
    }
  }

  @Test
  void aSequenceInTwoStretchesWithTheStateCarriedHasTheOutputsOfTheWhole() {
    Graph.Builder g = Graph.builder("stretches");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 6);
    Value h0 = g.input("h0", DType.FLOAT32, 1, "batch", 17);
    Value c0 = g.input("c0", DType.FLOAT32, 1, "batch", 17);
    Value w = g.constant("W", random(0.3, 1, 68, 6));
    Value r = g.constant("R", random(0.3, 1, 68, 17));
    List<Value> out =
        g.node(
            "lstm",
            "LSTM",
            Attributes.NONE,
            Arrays.asList(x, w, r, null, null, h0, c0),
            List.of("Y", "h", "c"));
    GradientCheck.loss(g, arena, random, out.get(0));
    Graph graph = g.build();
    Gradients gradients = Gradients.of(graph, "loss", "W", "R");
    Tensor whole = random(1, 8, 3, 6);
    String dw = gradients.name("W");
    try (Plan plan = Plan.of(gradients.graph(), "loss", "Y", "h", "c", dw);
        Execution step = plan.newExecution()) {
      step.input("W", graph.value("W").constant().tensor(arena));
      step.input("R", graph.value("R").constant().tensor(arena));
      Tensor zeros = Tensor.allocate(arena, DType.FLOAT32, 1, 3, 17);
      Tensor hidden = Tensor.allocate(arena, DType.FLOAT32, 1, 3, 17);
      Tensor cell = Tensor.allocate(arena, DType.FLOAT32, 1, 3, 17);
      step.input("h0", zeros).input("c0", zeros).input("x", whole).run();
      float[] all = step.output("Y").toFloats();
      step.input("h0", hidden).input("c0", cell);
      step.output("h", hidden).output("c", cell);
      for (int stretch = 0; stretch < 2; stretch++) {
        step.input("x", whole.slice(0, stretch * 4L, stretch * 4L + 4)).run();
        float[] come = step.output("Y").toFloats();
        float[] expected =
            Arrays.copyOfRange(all, stretch * come.length, (stretch + 1) * come.length);
        assertArrayEquals(expected, come, 1e-6f);
        float largest = 0;
        for (float gradient : step.output(dw).toFloats()) {
          largest = Math.max(largest, Math.abs(gradient));
        }
        assertTrue(largest > 0 && largest < 1e4);
      }
    }
  }
}

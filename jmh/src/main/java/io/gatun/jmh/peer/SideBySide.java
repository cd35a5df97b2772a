package io.gatun.jmh.peer;

import ai.onnxruntime.OrtException;
import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Recurrent layers here and in ONNX Runtime, in turn, in one process: medians and their ratio. Both
 * run the same graph on the same input, and their outputs are compared before anything is timed.
 */
public final class SideBySide {
  private static final long SEED = 42;
  private static final String[] SHAPES = {
    "50x1x256", "50x1x1024", "50x32x256", "50x64x512", "100x128x512", "50x256x1024"
  };
  private static final int GATES_OF_LSTM = 4;

  /** Rounds that are not counted, and rounds that are, at least. */
  private static final int ROUNDS = 7;

  private static final long WARM_NANOS = 1_500_000_000L;

  /**
   * After a run the peer's threads go on spinning for a while, as their default is. So long nobody
   * else is measured, or it would have to share the cores with them.
   */
  private static final long PAUSE_MILLIS = 25;

  private final Random random = new Random(SEED);
  private final StringBuilder table = new StringBuilder();
  private double product = 1;
  private int count;

  private SideBySide() {}

  /**
   * Runs it.
   *
   * @param args where the table goes; then the numbers of threads, 1 and 2 if nothing is said
   */
  public static void main(String[] args) throws OrtException, IOException {
    SideBySide all = new SideBySide();
    all.print("| cell | time × batch × hidden | threads | here, ms | ONNX Runtime, ms | ratio |\n");
    all.print("|---|---|---|---|---|---|\n");
    int[] threads =
        args.length > 1
            ? Arrays.stream(args).skip(1).mapToInt(Integer::parseInt).toArray()
            : new int[] {1, 2};
    for (int workers : threads) {
      for (String cell : List.of("LSTM", "GRU", "RNN")) {
        for (String shape : SHAPES) {
          all.layer(cell, shape, workers);
        }
      }
      all.print(
          String.format(
              Locale.ROOT,
              "| all | geometric mean | %d | | | %.2f |%n",
              workers,
              Math.pow(all.product, 1.0 / all.count)));
      all.product = 1;
      all.count = 0;
    }
    if (args.length > 0) {
      Path target = Path.of(args[0]);
      Files.createDirectories(target.toAbsolutePath().getParent());
      Files.writeString(target, all.table);
    }
  }

  private void print(String line) {
    System.out.print(line);
    table.append(line);
  }

  private Tensor random(Arena arena, double deviation, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    float[] numbers = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) (deviation * random.nextGaussian());
    }
    return Tensor.ofFloats(arena, numbers, dims);
  }

  private void layer(String cell, String shape, int threads) throws OrtException {
    int[] sizes = Arrays.stream(shape.split("x", -1)).mapToInt(Integer::parseInt).toArray();
    int hidden = sizes[2];
    int gates = cell.equals("LSTM") ? GATES_OF_LSTM : cell.equals("GRU") ? 3 : 1;
    try (Arena arena = Arena.ofConfined();
        Workers workers = new Workers(threads)) {
      Graph.Builder g = Graph.builder(cell);
      Value x = g.input("x", DType.FLOAT32, "time", "batch", hidden);
      double deviation = 1 / Math.sqrt(hidden);
      Value w = g.constant("W", random(arena, deviation, 1, (long) gates * hidden, hidden));
      Value r = g.constant("R", random(arena, deviation, 1, (long) gates * hidden, hidden));
      Value b = g.constant("B", random(arena, 0.1, 1, 2L * gates * hidden));
      Attributes settings =
          cell.equals("GRU") ? Attributes.of("linear_before_reset", 1) : Attributes.NONE;
      g.node("layer", cell, settings, List.of(x, w, r, b), List.of("Y"));
      Graph graph = g.build();
      Tensor input = random(arena, 1, sizes[0], sizes[1], hidden);
      try (Plan plan = Plan.of(graph, "Y");
          Execution run = plan.newExecution(workers);
          OnnxRuntimePeer peer = new OnnxRuntimePeer(graph, threads, "Y")) {
        run.input("x", input).run();
        peer.input("x", input);
        compare(run.output("Y"), peer.run(arena).get("Y"));
        measure(cell, shape, threads, run, peer);
      }
    }
  }

  private static void compare(Tensor ours, Tensor theirs) {
    float[] a = ours.toFloats();
    float[] b = theirs.toFloats();
    for (int i = 0; i < a.length; i++) {
      if (!(Math.abs(a[i] - b[i]) < 1e-4)) {
        throw new IllegalStateException("element " + i + " is " + a[i] + ", theirs " + b[i]);
      }
    }
  }

  private void measure(String cell, String shape, int threads, Execution run, OnnxRuntimePeer peer)
      throws OrtException {
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < WARM_NANOS) {
      run.run();
    }
    peer.run();
    long once = System.nanoTime();
    peer.run();
    once = Math.max(1, System.nanoTime() - once);
    // Many short runs are timed together, so that the clock does not matter.
    int times = (int) Math.max(1, Math.min(1_000, 30_000_000L / once));
    double[] ours = new double[ROUNDS];
    double[] theirs = new double[ROUNDS];
    double[] ratios = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      pause();
      // A run that is not counted brings the weights into the caches and the threads to work.
      run.run();
      long start = System.nanoTime();
      for (int i = 0; i < times; i++) {
        run.run();
      }
      ours[round] = (System.nanoTime() - start) / 1e6 / times;
      pause();
      peer.run();
      start = System.nanoTime();
      for (int i = 0; i < times; i++) {
        peer.run();
      }
      theirs[round] = (System.nanoTime() - start) / 1e6 / times;
      ratios[round] = theirs[round] / ours[round];
    }
    double ratio = median(ratios);
    product *= ratio;
    count++;
    print(
        String.format(
            Locale.ROOT,
            "| %s | %s | %d | %.3f | %.3f | %.2f |%n",
            cell,
            shape.replace("x", " × "),
            threads,
            median(ours),
            median(theirs),
            ratio));
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted between measurements", e);
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}

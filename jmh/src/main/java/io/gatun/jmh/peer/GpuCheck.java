package io.gatun.jmh.peer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Gradients;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.HostMemory;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * What {@code jmh/gpu-check} runs on a machine with a GPU: recurrent layers of every kind and shape
 * on it and on the CPU, whether they agree, how long they take, and how long cuDNN takes when it is
 * called directly; both directions and gradients; precisions; and whether copies and computing go
 * on at the same time. Its exit code is 1 where something does not agree.
 */
public final class GpuCheck {
  private static final String QUICK = "--quick";

  /** Errors of single steps add up over a sequence; this many roundings of 1 are a bug. */
  private static final double ALLOWED = 256 * Math.ulp(1f);

  /** The same for factors that are rounded to 8 bits. */
  private static final double ALLOWED_ROUNDED = 0.05;

  private final PrintStream out;
  private final String name;
  private final boolean quick;
  private final int runs;
  private final int rounds;
  private boolean agrees = true;

  private GpuCheck(PrintStream out, String name, boolean quick) {
    this.out = out;
    this.name = name;
    this.quick = quick;
    runs = quick ? 1 : 20;
    rounds = quick ? 1 : 5;
  }

  /** Runs it: {@code [DEVICE] [--quick]}, the latter with small sizes, to see that it runs. */
  @SuppressWarnings("SystemOut")
  public static void main(String[] arguments) {
    List<String> given = List.of(arguments);
    String name = given.stream().filter(each -> !each.equals(QUICK)).findFirst().orElse("cuda");
    GpuCheck check = new GpuCheck(System.out, name, given.contains(QUICK));
    check.layers();
    check.bothDirections();
    for (String precision : List.of("tf32", "float16", "bfloat16")) {
      check.precision(precision);
    }
    check.overlap();
    System.out.println(check.agrees ? "all agrees" : "SOMETHING DOES NOT AGREE");
    System.exit(check.agrees ? 0 : 1);
  }

  /** What a device makes of a problem, and how long one run of many takes. */
  private record Answer(double[] values, double millis) {}

  /** With the input in memory that the device copies from by itself, as who runs many would. */
  private Answer run(Device device, LayerProblem problem, int runs) {
    try (Arena arena = Arena.ofShared()) {
      Tensor numbers = problem.input(arena);
      try (HostMemory memory = device.allocateHost(numbers.byteSize())) {
        Tensor input = Tensor.wrap(memory.segment(), DType.FLOAT32, numbers.shape().dims());
        input.copyFrom(numbers);
        return run(device, problem.graph(arena), Map.of("x", input), runs, "Y");
      }
    }
  }

  private Answer run(
      Device device, Graph graph, Map<String, Tensor> inputs, int runs, String... outputs) {
    try (Plan plan = Plan.on(device, graph, outputs);
        Execution execution = plan.newExecution(Workers.none())) {
      inputs.forEach(execution::input);
      execution.run();
      double[][] all =
          Arrays.stream(outputs)
              .map(each -> execution.output(each).toDoubles())
              .toArray(double[][]::new);
      double[] values = Arrays.stream(all).flatMapToDouble(Arrays::stream).toArray();
      double best = Double.MAX_VALUE;
      for (int round = 0; round < rounds; round++) {
        long begin = System.nanoTime();
        for (int i = 0; i < runs; i++) {
          execution.run();
        }
        execution.output(outputs[0]); // waits
        best = Math.min(best, (System.nanoTime() - begin) / 1e6 / runs);
      }
      return new Answer(values, best);
    }
  }

  private static double error(double[] expected, double[] come) {
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      double off = Math.abs(expected[i] - come[i]);
      error = Double.isNaN(off) ? Double.POSITIVE_INFINITY : Math.max(error, off);
    }
    return error;
  }

  private List<String> shapes() {
    return quick ? List.of("3x1x5", "4x2x8") : LayerProblem.SHAPES;
  }

  private void report(String what, double error, double allowed, String times) {
    agrees &= error <= allowed;
    out.printf(
        Locale.ROOT, "%-30s %10.2e %s%s%n", what, error, times, error <= allowed ? "" : "  WRONG");
  }

  private void layers() {
    try (Device gpu = Devices.open(name);
        Device cpu = Devices.open("simd")) {
      out.println(gpu.name() + ": " + gpu.description());
      boolean cudnn = !gpu.description().contains("no cuDNN");
      out.printf("%-30s %10s %10s %10s %10s%n", "layer", "error", "ms", "TFLOP/s", "cuDNN ms");
      for (String cell : LayerProblem.CELLS) {
        for (String shape : shapes()) {
          LayerProblem problem = LayerProblem.random(cell, shape);
          double[] expected = run(cpu, problem, 1).values();
          Answer come = run(gpu, problem, runs);
          report(
              problem.toString(),
              error(expected, come.values()),
              ALLOWED,
              String.format(
                  Locale.ROOT,
                  "%10.3f %10.2f %10s",
                  come.millis(),
                  problem.operations() / come.millis() / 1e9,
                  cudnn ? String.format(Locale.ROOT, "%.3f", direct(problem)) : "-"));
        }
      }
    }
  }

  private double direct(LayerProblem problem) {
    try (CudnnDirect direct = new CudnnDirect(problem)) {
      direct.run();
      direct.await();
      return millis(
              () -> {
                for (int i = 0; i < runs; i++) {
                  direct.run();
                }
                direct.await();
              })
          / runs;
    }
  }

  /** An LSTM in both directions over batch-first input, and a loss of it. */
  private static Graph both(Map<String, Tensor> weights, int size) {
    Graph.Builder g = Graph.builder("both");
    List<Value> in = new ArrayList<>();
    in.add(g.input("x", DType.FLOAT32, "batch", "time", size));
    weights.forEach((each, tensor) -> in.add(g.constant(each, tensor)));
    Attributes settings = Attributes.of("direction", "bidirectional", "layout", 1);
    Value y = g.node("layer", "LSTM", settings, in, List.of("Y")).get(0);
    g.output(g.node("loss", "ReduceSum", Attributes.of("keepdims", 0), y));
    return g.build();
  }

  private static Tensor numbers(Arena arena, int seed, double deviation, long... dims) {
    Random random = new Random(seed);
    int count = (int) Arrays.stream(dims).reduce(1, (a, b) -> a * b);
    double[] values = random.doubles(count, -deviation, deviation).toArray();
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    return tensor.copyFrom(Tensor.ofDoubles(arena, values, dims));
  }

  /** Both directions at once, and the gradients of a sum by all weights. */
  private void bothDirections() {
    int size = quick ? 6 : 256;
    int batch = quick ? 2 : 32;
    int time = quick ? 4 : 50;
    try (Arena arena = Arena.ofShared();
        Device gpu = Devices.open(name);
        Device cpu = Devices.open("simd")) {
      double deviation = 1 / Math.sqrt(size);
      Map<String, Tensor> weights = new LinkedHashMap<>();
      weights.put("W", numbers(arena, 1, deviation, 2, 4L * size, size));
      weights.put("R", numbers(arena, 2, deviation, 2, 4L * size, size));
      weights.put("B", numbers(arena, 3, deviation, 2, 8L * size));
      Map<String, Tensor> inputs = new HashMap<>();
      inputs.put("x", numbers(arena, 4, 1, batch, time, size));
      Graph graph = both(weights, size);
      double[] expected = run(cpu, graph, inputs, 1, "Y").values();
      Answer come = run(gpu, graph, inputs, runs, "Y");
      report(
          "LSTM in both directions",
          error(expected, come.values()),
          ALLOWED,
          String.format(Locale.ROOT, "%10.3f", come.millis()));

      Gradients gradients = Gradients.of(graph, "loss", Gradients.trainable(graph));
      inputs.putAll(weights);
      String[] wanted = weights.keySet().stream().map(gradients::name).toArray(String[]::new);
      expected = run(cpu, gradients.graph(), inputs, 1, wanted).values();
      come = run(gpu, gradients.graph(), inputs, runs, wanted);
      double largest = Arrays.stream(expected).map(Math::abs).max().orElse(1);
      report(
          "its gradients, of their largest",
          error(expected, come.values()) / largest,
          ALLOWED,
          String.format(Locale.ROOT, "%10.3f", come.millis()));
    }
  }

  private void precision(String precision) {
    LayerProblem problem = LayerProblem.random("LSTM", quick ? "4x2x8" : "50x64x512");
    try (Device gpu = Devices.open(name + ":" + precision);
        Device cpu = Devices.open("simd")) {
      double[] expected = run(cpu, problem, 1).values();
      Answer come = run(gpu, problem, runs);
      report(
          "LSTM in " + precision,
          error(expected, come.values()),
          ALLOWED_ROUNDED,
          String.format(Locale.ROOT, "%10.3f", come.millis()));
    }
  }

  /** Copies in one order of work while another computes, against one after the other. */
  private void overlap() {
    int size = quick ? 64 : 4096;
    long bytes = quick ? 1 << 20 : 64L << 20;
    try (Arena arena = Arena.ofShared();
        Device gpu = Devices.open(name);
        Kernels copying = gpu.open(Workers.none());
        Kernels computing = gpu.open(Workers.none());
        Buffer a = gpu.allocate((long) size * size * Float.BYTES);
        Buffer c = gpu.allocate((long) size * size * Float.BYTES);
        Buffer to = gpu.allocate(bytes);
        HostMemory memory = gpu.allocateHost(bytes);
        PackedMatrix b = gpu.pack(Tensor.allocate(arena, DType.FLOAT32, size, size), null)) {
      Tensor ordinary = Tensor.allocate(arena, DType.FLOAT32, bytes / Float.BYTES);
      Tensor locked = Tensor.wrap(memory.segment(), DType.FLOAT32, bytes / Float.BYTES);
      Region left = new Region(a);
      Region result = new Region(c);
      Region target = new Region(to);
      Runnable compute =
          () -> {
            for (int i = 0; i < 8; i++) {
              computing.multiply(left, size, size, b, Activation.IDENTITY, result, size);
            }
          };
      compute.run();
      computing.synchronize();
      double computed =
          millis(
              () -> {
                compute.run();
                computing.synchronize();
              });
      for (Tensor source : List.of(ordinary, locked)) {
        Runnable copy =
            () -> {
              copying.upload(source, target);
              copying.synchronize();
            };
        copy.run();
        double alone = millis(copy);
        double both =
            millis(
                () -> {
                  compute.run();
                  copy.run();
                  computing.synchronize();
                });
        out.printf(
            Locale.ROOT,
            "copy of %d MiB of %s memory %.2f ms (%.1f GB/s), products %.2f ms, both at once %.2f"
                + " ms%n",
            bytes >> 20,
            source == locked ? "page-locked" : "ordinary",
            alone,
            bytes / alone / 1e6,
            computed,
            both);
      }
    }
  }

  private double millis(Runnable work) {
    double best = Double.MAX_VALUE;
    for (int round = 0; round < rounds; round++) {
      long begin = System.nanoTime();
      work.run();
      best = Math.min(best, (System.nanoTime() - begin) / 1e6);
    }
    return best;
  }
}

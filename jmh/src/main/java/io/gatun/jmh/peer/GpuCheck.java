package io.gatun.jmh.peer;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Locale;

/**
 * What {@code jmh/gpu-check} runs on a machine with a GPU: recurrent layers of every kind and shape
 * on it and on the CPU, whether they agree, how long they take; precisions; and whether copies and
 * computing go on at the same time. Its exit code is 1 where something does not agree.
 */
public final class GpuCheck {
  private static final int RUNS = 20;
  private static final int ROUNDS = 5;
  private static final long COPIED_BYTES = 64L << 20;

  /** Errors of single steps add up over a sequence; this many roundings of 1 are a bug. */
  private static final double ALLOWED = 256 * Math.ulp(1f);

  /** The same for factors that are rounded to 8 bits. */
  private static final double ALLOWED_ROUNDED = 0.05;

  private final PrintStream out;
  private boolean agrees = true;

  private GpuCheck(PrintStream out) {
    this.out = out;
  }

  /** Runs it. */
  @SuppressWarnings("SystemOut")
  public static void main(String[] arguments) {
    String name = arguments.length > 0 ? arguments[0] : "cuda";
    GpuCheck check = new GpuCheck(System.out);
    check.layers(name);
    for (String precision : List.of("tf32", "float16", "bfloat16")) {
      check.precision(name, precision);
    }
    check.overlap(name);
    System.out.println(check.agrees ? "all agrees" : "SOMETHING DOES NOT AGREE");
    System.exit(check.agrees ? 0 : 1);
  }

  /** What a device makes of a problem, and how long one run of many takes. */
  private record Answer(double[] values, double millis) {}

  private static Answer run(Device device, LayerProblem problem, int runs) {
    try (Arena arena = Arena.ofShared();
        Plan plan = Plan.on(device, problem.graph(arena), "Y");
        Execution execution = plan.newExecution(Workers.none())) {
      execution.input("x", problem.input(arena));
      execution.run();
      double[] values = execution.output("Y").toDoubles();
      double best = Double.MAX_VALUE;
      for (int round = 0; round < ROUNDS; round++) {
        long begin = System.nanoTime();
        for (int i = 0; i < runs; i++) {
          execution.run();
        }
        execution.output("Y"); // waits
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

  private void layers(String name) {
    try (Device gpu = Devices.open(name);
        Device cpu = Devices.open("simd")) {
      out.println(gpu.name() + ": " + gpu.description());
      out.printf("%-22s %12s %12s %12s%n", "layer", "error", "GPU ms", "TFLOP/s");
      for (String cell : LayerProblem.CELLS) {
        for (String shape : LayerProblem.SHAPES) {
          LayerProblem problem = LayerProblem.random(cell, shape);
          Answer expected = run(cpu, problem, 1);
          Answer come = run(gpu, problem, RUNS);
          double error = error(expected.values(), come.values());
          agrees &= error <= ALLOWED;
          out.printf(
              Locale.ROOT,
              "%-22s %12.2e %12.3f %12.2f%s%n",
              problem,
              error,
              come.millis(),
              problem.operations() / come.millis() / 1e9,
              error <= ALLOWED ? "" : "   WRONG");
        }
      }
    }
  }

  private void precision(String name, String precision) {
    LayerProblem problem = LayerProblem.random("LSTM", "50x64x512");
    try (Device gpu = Devices.open(name + ":" + precision);
        Device cpu = Devices.open("simd")) {
      double[] expected = run(cpu, problem, 1).values();
      Answer come = run(gpu, problem, RUNS);
      double error = error(expected, come.values());
      agrees &= error <= ALLOWED_ROUNDED;
      out.printf(
          Locale.ROOT, "%-22s %12.2e %12.3f%n", "LSTM in " + precision, error, come.millis());
    }
  }

  /** Copies in one order of work while another computes, against one after the other. */
  private void overlap(String name) {
    int size = 4096;
    try (Arena arena = Arena.ofShared();
        Device gpu = Devices.open(name);
        Kernels copying = gpu.open(Workers.none());
        Kernels computing = gpu.open(Workers.none());
        Buffer a = gpu.allocate((long) size * size * Float.BYTES);
        Buffer c = gpu.allocate((long) size * size * Float.BYTES);
        Buffer to = gpu.allocate(COPIED_BYTES);
        PackedMatrix b = gpu.pack(Tensor.allocate(arena, DType.FLOAT32, size, size), null)) {
      Tensor source = Tensor.allocate(arena, DType.FLOAT32, COPIED_BYTES / Float.BYTES);
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
      copying.upload(source, target);
      double alone = millis(() -> copying.upload(source, target));
      double computed =
          millis(
              () -> {
                compute.run();
                computing.synchronize();
              });
      double both =
          millis(
              () -> {
                compute.run();
                copying.upload(source, target);
                computing.synchronize();
              });
      out.printf(
          Locale.ROOT,
          "copy of %d MiB %.2f ms (%.1f GB/s), products %.2f ms, both at once %.2f ms%n",
          COPIED_BYTES >> 20,
          alone,
          COPIED_BYTES / alone / 1e6,
          computed,
          both);
    }
  }

  private static double millis(Runnable work) {
    double best = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      long begin = System.nanoTime();
      work.run();
      best = Math.min(best, (System.nanoTime() - begin) / 1e6);
    }
    return best;
  }
}

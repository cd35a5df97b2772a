package io.gatun.jmh;

import io.gatun.kernel.Devices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs the benchmarks of the kernels and prints one table: time, GFLOP/s, the share of the
 * machine's FMA peak measured in the same run, and bytes allocated a call. {@code jmh/run} starts
 * it.
 */
public final class Report {
  private static final double GIGA = 1e9;
  private static final double MICROS_PER_SECOND = 1e6;
  private static final double MICROS_PER_MILLI = 1e3;
  private static final double MEDIAN = 50;

  private Report() {}

  /**
   * Runs it.
   *
   * @param args where the results go: {@code NAME.json} as JMH writes them, {@code NAME.md} the
   *     table
   */
  public static void main(String[] args) throws RunnerException, IOException {
    Path results = Path.of(args.length > 0 ? args[0] : "jmh/results/kernels");
    Files.createDirectories(results.toAbsolutePath().getParent());
    var options =
        new OptionsBuilder()
            .include(FmaPeak.class.getName())
            .include(MatrixProduct.class.getName())
            .include(LstmLayer.class.getName())
            .mode(Mode.SampleTime)
            .timeUnit(TimeUnit.MICROSECONDS)
            .forks(1)
            .warmupIterations(1)
            .warmupTime(TimeValue.seconds(7))
            .measurementIterations(1)
            .measurementTime(TimeValue.seconds(3))
            .addProfiler(GCProfiler.class)
            .jvmArgs("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED")
            .resultFormat(ResultFormatType.JSON)
            .result(results + ".json")
            .build();
    String table = table(new Runner(options).run());
    Files.writeString(Path.of(results + ".md"), table);
    System.out.print(table);
  }

  private static String table(Collection<RunResult> results) {
    Map<Integer, Double> peaks = new HashMap<>();
    for (RunResult result : results) {
      if (name(result).equals("FmaPeak.burst")) {
        int threads = threads(result);
        peaks.put(threads, rate(FmaPeak.operations(threads), best(result)));
      }
    }
    StringBuilder table = new StringBuilder();
    table.append(
        String.format(
            Locale.ROOT,
            "%s, %d processors; float32 FMA peak %.0f GFLOP/s on one thread, %.0f on two%n%n",
            Devices.best().description(),
            Runtime.getRuntime().availableProcessors(),
            peaks.getOrDefault(1, Double.NaN),
            peaks.getOrDefault(2, Double.NaN)));
    table.append(
        "| benchmark | time × batch × hidden | threads | median ms | GFLOP/s | of peak"
            + " | best ms | GFLOP/s | of peak | B |\n");
    table.append("|---|---|---|---|---|---|---|---|---|---|\n");
    for (RunResult result : results) {
      String name = name(result);
      if (name.startsWith("FmaPeak")) {
        continue;
      }
      Shapes sizes = Shapes.of(result.getParams().getParam("shape"));
      double operations =
          name.startsWith("LstmLayer")
              ? LstmLayer.operations(sizes)
              : MatrixProduct.operations(sizes, name.endsWith("sequence"));
      double peak = peaks.getOrDefault(threads(result), Double.NaN);
      double median = result.getPrimaryResult().getStatistics().getPercentile(MEDIAN);
      double best = best(result);
      table.append(
          String.format(
              Locale.ROOT,
              "| %s | %d × %d × %d | %d | %.3f | %.1f | %.0f %% | %.3f | %.1f | %.0f %% | %s |%n",
              name,
              sizes.time(),
              sizes.batch(),
              sizes.hidden(),
              threads(result),
              median / MICROS_PER_MILLI,
              rate(operations, median),
              100 * rate(operations, median) / peak,
              best / MICROS_PER_MILLI,
              rate(operations, best),
              100 * rate(operations, best) / peak,
              allocated(result)));
    }
    return table.toString();
  }

  private static String name(RunResult result) {
    String full = result.getParams().getBenchmark();
    int method = full.lastIndexOf('.');
    return full.substring(full.lastIndexOf('.', method - 1) + 1);
  }

  private static int threads(RunResult result) {
    return Integer.parseInt(result.getParams().getParam("threads"));
  }

  /** The shortest call in microseconds: what it takes while nobody else is at the machine. */
  private static double best(RunResult result) {
    return result.getPrimaryResult().getStatistics().getMin();
  }

  /** GFLOP/s of so many operations in so many microseconds. */
  private static double rate(double operations, double micros) {
    return operations / (micros / MICROS_PER_SECOND) / GIGA;
  }

  /** Bytes a call; what is below one is the harness. */
  @SuppressWarnings("rawtypes") // JMH's own map
  private static String allocated(RunResult result) {
    for (var secondary : result.getSecondaryResults().entrySet()) {
      if (secondary.getKey().endsWith("gc.alloc.rate.norm")) {
        double bytes = secondary.getValue().getScore();
        return bytes < 1 ? "0" : String.format(Locale.ROOT, "%.0f", bytes);
      }
    }
    return "?";
  }
}

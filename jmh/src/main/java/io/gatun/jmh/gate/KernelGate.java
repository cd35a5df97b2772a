package io.gatun.jmh.gate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Whether the compiler loses a kernel: each runs in fresh JVMs that do nothing else, and in JVMs
 * that first ran every other kernel and foreign vector code, on each Java that is named, every
 * other JVM with {@code -XX:Tier3DelayOn=0}, which backs up the compile queue in the way that once
 * left kernels in a low tier for ever.
 *
 * <p>Fails with exit code 1 if any run leaves vectors on the heap, if any is at less than half the
 * speed of the fastest, if a product of 6 rows or more is below 60 % of the peak measured in the
 * same JVM, or if the median of the polluted runs is slower than that of the fresh ones by more
 * than 7 % (15 % before JDK 25).
 */
public final class KernelGate {
  private static final double STUCK = 2;
  private static final double FLOOR = 0.6;

  /** What one JVM found out about one kernel. */
  private record Run(double micros, double bytes, double first, double ready, double peak) {}

  private final String home;
  private final int forks;
  private final int allowedPercent;
  private boolean failed;

  private KernelGate(String home, int forks) throws IOException, InterruptedException {
    this.home = home;
    this.forks = forks;
    this.allowedPercent =
        Integer.parseInt(output("-XshowSettings:properties", "-version").version) < 25 ? 15 : 7;
  }

  /**
   * Runs it.
   *
   * @param args how many JVMs for each kernel and kind, the homes of the Javas, by default the one
   *     that runs this, and after {@code --} the names of kernels, by default all
   */
  public static void main(String[] args) throws IOException, InterruptedException {
    int forks = args.length > 0 ? Integer.parseInt(args[0]) : 5;
    List<String> rest = List.of(args).subList(Math.min(1, args.length), args.length);
    int dashes = rest.contains("--") ? rest.indexOf("--") : rest.size();
    List<String> homes =
        dashes == 0 ? List.of(System.getProperty("java.home")) : rest.subList(0, dashes);
    List<String> names = rest.subList(Math.min(dashes + 1, rest.size()), rest.size());
    boolean failed = false;
    for (String home : homes) {
      KernelGate gate = new KernelGate(home, forks);
      gate.run(names);
      failed |= gate.failed;
    }
    System.exit(failed ? 1 : 0);
  }

  private void run(List<String> chosen) throws IOException, InterruptedException {
    System.out.println("\n" + home + "\n");
    List<String> names = chosen.isEmpty() ? output(worker(0, "list")).lines : chosen;
    Map<String, List<Run>> fresh = new LinkedHashMap<>();
    Map<String, List<Run>> polluted = new LinkedHashMap<>();
    for (int fork = 0; fork < forks; fork++) {
      for (String name : names) {
        collect(fresh, output(worker(fork, "fresh", name)).lines);
      }
      List<String> all = new ArrayList<>(List.of("polluted"));
      all.addAll(names);
      collect(polluted, output(worker(fork, all.toArray(String[]::new))).lines);
    }
    System.out.println(
        "| kernel | fresh, µs | polluted, µs | slower by | slowest run | bytes a call | first call,"
            + " ms | nine tenths after, ms | |\n|---|---|---|---|---|---|---|---|---|");
    for (String name : names) {
      report(name, fresh.get(name), polluted.get(name));
    }
  }

  private void report(String name, List<Run> fresh, List<Run> polluted) {
    List<Run> all = new ArrayList<>(fresh);
    all.addAll(polluted);
    final double alone = median(fresh.stream().mapToDouble(Run::micros).toArray());
    final double among = median(polluted.stream().mapToDouble(Run::micros).toArray());
    double fastest = all.stream().mapToDouble(Run::micros).min().orElseThrow();
    double slowest = all.stream().mapToDouble(Run::micros).max().orElseThrow();
    double bytes = all.stream().mapToDouble(Run::bytes).max().orElseThrow();
    List<String> problems = new ArrayList<>();
    if (bytes > KernelWorker.NOISE_BYTES) {
      problems.add("vectors on the heap");
    }
    if (slowest > STUCK * fastest) {
      problems.add("stuck");
    }
    if (among > alone * (100 + allowedPercent) / 100) {
      problems.add("polluted");
    }
    double share = all.stream().mapToDouble(run -> share(name, run)).min().orElseThrow();
    if (share < FLOOR) {
      problems.add(String.format(Locale.ROOT, "%.0f %% of the peak", 100 * share));
    }
    failed |= !problems.isEmpty();
    System.out.printf(
        Locale.ROOT,
        "| %s | %.1f | %.1f | %+.0f %% | %.1f | %.0f | %.0f | %.0f | %s |%n",
        name,
        alone,
        among,
        100 * (among / alone - 1),
        slowest,
        bytes,
        median(fresh.stream().mapToDouble(Run::first).toArray()),
        median(fresh.stream().mapToDouble(Run::ready).toArray()),
        String.join(", ", problems));
  }

  /**
   * The share of the peak that a product of enough rows reaches; 1 for what is bounded otherwise.
   */
  private static double share(String name, Run run) {
    String[] words = name.split("[ x]");
    if (!words[0].equals("product") || words.length > 4 || Integer.parseInt(words[1]) < 6) {
      return 1;
    }
    double operations = 2;
    for (int i = 1; i < words.length; i++) {
      operations *= Integer.parseInt(words[i]);
    }
    // Small ones are mostly doors.
    return operations < 1e6 ? 1 : operations / run.micros / 1e3 / run.peak;
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private static void collect(Map<String, List<Run>> runs, List<String> lines) {
    double peak = Double.NaN;
    for (String line : lines) {
      if (line.startsWith("peak\t")) {
        peak = Double.parseDouble(line.split("\t")[1]);
      }
    }
    for (String line : lines) {
      String[] fields = line.split("\t");
      if (fields[0].equals("gate")) {
        runs.computeIfAbsent(fields[1], key -> new ArrayList<>())
            .add(
                new Run(
                    Double.parseDouble(fields[2]),
                    Double.parseDouble(fields[3]),
                    Double.parseDouble(fields[4]),
                    Double.parseDouble(fields[5]),
                    peak));
      }
    }
  }

  private static String[] worker(int fork, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseG1GC",
                "-cp",
                System.getProperty("java.class.path")));
    if (fork % 2 == 1) {
      command.add("-XX:Tier3DelayOn=0");
    }
    command.add(KernelWorker.class.getName());
    command.addAll(List.of(arguments));
    return command.toArray(String[]::new);
  }

  /** What a JVM printed, without what it said to nobody in particular. */
  private record Output(List<String> lines, String version) {}

  private Output output(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(home, "bin", "java").toString());
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines = new ArrayList<>();
    String version = "0";
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (line.contains("java.specification.version = ")) {
          version = line.substring(line.indexOf('=') + 2).strip();
        } else if (!line.startsWith("WARNING: ")) {
          lines.add(line);
        }
      }
    }
    if (process.waitFor() != 0) {
      throw new IOException(command + " failed: " + lines);
    }
    return new Output(lines, version);
  }
}

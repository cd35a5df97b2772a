package io.gatun.jmh.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Recurrent layers here, in ONNX Runtime and in oneDNN, in turn, in one process, on the same input
 * and weights: medians, and how many times as fast as the fastest other this is. Every output is
 * compared with float64 before anything is timed.
 *
 * <pre>
 * SideBySide [--threads=1,2] [--cells=LSTM,GRU,RNN] [--shapes=50x1x256,…] [--rounds=7]
 *            [--peers=Gatun,oneDNN,…] [--out=TABLE.md]
 * </pre>
 */
public final class SideBySide {
  private static final long BUDGET_NANOS = 9_000_000_000L;

  private final Map<String, String> options = new LinkedHashMap<>();
  private final StringBuilder table = new StringBuilder();

  private SideBySide(String... args) {
    for (String arg : args) {
      String[] parts = arg.split("=", 2);
      if (!parts[0].startsWith("--") || parts.length < 2) {
        throw new IllegalArgumentException(arg + ": expected --NAME=VALUE");
      }
      options.put(parts[0].substring(2), parts[1]);
    }
  }

  /** Runs it; the options are said above. */
  public static void main(String[] args) throws IOException, InterruptedException {
    new SideBySide(args).run();
  }

  private List<String> list(String option, List<String> otherwise) {
    return options.containsKey(option)
        ? Arrays.asList(options.get(option).split(",", -1))
        : otherwise;
  }

  /** Who can take part here. */
  static List<Supplier<Peer<LayerProblem>>> peers(List<String> names) {
    List<Supplier<Peer<LayerProblem>>> all = new ArrayList<>();
    all.add(GatunLayer::new);
    all.add(OnnxRuntimeLayer::new);
    try {
      OneDnn.get();
      all.add(OneDnnLayer::new);
    } catch (UnsupportedOperationException e) {
      System.err.println("without oneDNN: " + e.getMessage());
    }
    if (!names.isEmpty()) {
      all.removeIf(
          maker -> {
            try (Peer<LayerProblem> peer = maker.get()) {
              return !names.contains(peer.name());
            }
          });
    }
    return all;
  }

  private void run() throws IOException, InterruptedException {
    int rounds = Integer.parseInt(options.getOrDefault("rounds", "7"));
    List<Supplier<Peer<LayerProblem>>> peers = peers(list("peers", List.of()));
    boolean first = true;
    for (String threads : list("threads", List.of("1", "2"))) {
      double all = 0;
      int count = 0;
      for (String cell : list("cells", LayerProblem.CELLS)) {
        double logarithms = 0;
        List<String> shapes = list("shapes", LayerProblem.SHAPES);
        for (String shape : shapes) {
          LayerProblem problem = LayerProblem.random(cell, shape);
          Rounds result =
              Rounds.of(
                  peers,
                  problem,
                  Integer.parseInt(threads),
                  Reference.of(problem),
                  rounds,
                  BUDGET_NANOS);
          if (first) {
            print("| cell | time × batch × hidden | threads |");
            print(" " + String.join(" | ", result.names()) + " | ratio | GFLOP/s |\n");
            print("|---|---|---|" + "---|".repeat(result.names().size()) + "---|---|\n");
            first = false;
          }
          print(String.format("| %s | %s | %s |", cell, shape.replace("x", " × "), threads));
          for (String name : result.names()) {
            print(String.format(Locale.ROOT, " %.3f |", result.median(name)));
          }
          if (options.containsKey("verbose")) {
            for (String name : result.names()) {
              System.err.println(name + " " + Arrays.toString(result.millis(name)));
            }
          }
          double rate = problem.operations() / result.median(result.names().get(0)) / 1e6;
          print(String.format(Locale.ROOT, " %.2f | %.0f |%n", result.ratioToFastest(), rate));
          logarithms += Math.log(result.ratioToFastest());
        }
        mean(cell, threads, logarithms, shapes.size());
        all += logarithms;
        count += shapes.size();
      }
      mean("all", threads, all, count);
    }
    if (options.containsKey("out")) {
      Path target = Path.of(options.get("out"));
      Files.createDirectories(target.toAbsolutePath().getParent());
      Files.writeString(target, table);
    }
  }

  private void mean(String what, String threads, double logarithms, int count) {
    print(
        String.format(
            Locale.ROOT,
            "%n%s, %s thread(s): geometric mean %.3f%n%n",
            what,
            threads,
            Math.exp(logarithms / count)));
  }

  private void print(String text) {
    System.out.print(text);
    table.append(text);
  }
}

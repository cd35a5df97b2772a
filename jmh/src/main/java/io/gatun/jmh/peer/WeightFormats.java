package io.gatun.jmh.peer;

import io.gatun.kernel.WeightFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A recurrent layer with weights in each format beside the others in float32, in turn, in one
 * process: medians, how many times as fast as the fastest other in float32 it is, and how far its
 * outputs are from those of float32.
 *
 * <pre>
 * WeightFormats [--threads=1] [--cells=LSTM,GRU,RNN] [--shapes=50x1x256,50x1x1024] [--rounds=9]
 * </pre>
 */
public final class WeightFormats {
  private static final long BUDGET_NANOS = 9_000_000_000L;

  private WeightFormats() {}

  /** Runs it; the options are said above. */
  public static void main(String[] args) throws InterruptedException {
    Map<String, String> options = new LinkedHashMap<>();
    for (String arg : args) {
      String[] parts = arg.split("=", 2);
      if (!parts[0].startsWith("--") || parts.length < 2) {
        throw new IllegalArgumentException(arg + ": expected --NAME=VALUE");
      }
      options.put(parts[0].substring(2), parts[1]);
    }
    int threads = Integer.parseInt(options.getOrDefault("threads", "1"));
    int rounds = Integer.parseInt(options.getOrDefault("rounds", "9"));
    System.out.println("| cell | time × batch × hidden | who | ms | ratio | largest difference |");
    System.out.println("|---|---|---|---|---|---|");
    for (String cell : options.getOrDefault("cells", "LSTM,GRU,RNN").split(",", -1)) {
      for (String shape : options.getOrDefault("shapes", "50x1x256,50x1x1024").split(",", -1)) {
        compare(LayerProblem.random(cell, shape), threads, rounds);
      }
    }
  }

  private static void compare(LayerProblem problem, int threads, int rounds)
      throws InterruptedException {
    List<Supplier<Peer<LayerProblem>>> peers = new ArrayList<>(SideBySide.peers(List.of()));
    int others = peers.size();
    peers.add(1, () -> new GatunWeights(WeightFormat.BFLOAT16));
    peers.add(2, () -> new GatunWeights(WeightFormat.INT8));
    Rounds.Check exact = Reference.of(problem);
    List<float[]> outputs = new ArrayList<>();
    Rounds result =
        Rounds.of(
            peers,
            problem,
            threads,
            (who, output) -> {
              boolean rounded = outputs.size() == 1 || outputs.size() == 2;
              if (!rounded) {
                exact.accept(who, output);
              }
              outputs.add(output);
            },
            rounds,
            BUDGET_NANOS);
    List<String> names = result.names();
    for (int i = 0; i < names.size(); i++) {
      double[] own = result.millis(names.get(i));
      double[] ratios = new double[own.length];
      for (int round = 0; round < own.length; round++) {
        double fastest = Double.POSITIVE_INFINITY;
        for (String other : names.subList(names.size() - others + 1, names.size())) {
          fastest = Math.min(fastest, result.millis(other)[round]);
        }
        ratios[round] = fastest / own[round];
      }
      System.out.printf(
          Locale.ROOT,
          "| %s | %d × %d × %d | %s | %.3f | %.2f | %.1e |%n",
          problem.cell(),
          problem.time(),
          problem.batch(),
          problem.hidden(),
          names.get(i),
          result.median(names.get(i)),
          Rounds.median(ratios),
          difference(outputs.get(0), outputs.get(i)));
    }
  }

  private static double difference(float[] expected, float[] got) {
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs((double) expected[i] - got[i]));
    }
    return largest;
  }
}

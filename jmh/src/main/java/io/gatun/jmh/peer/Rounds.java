package io.gatun.jmh.peer;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Peers at one problem, in turn, in one process. In each round every peer runs a block of about
 * {@link #BLOCK_NANOS}, in an order that moves by one place from round to round and turns around in
 * every other; a block of short runs starts with some that are not timed, and after a block of
 * several threads everyone pauses, so that nobody's waiting threads, which may spin for a while,
 * take time from the next.
 */
final class Rounds {
  private static final long BLOCK_NANOS = 40_000_000;
  private static final long SHORT_NANOS = 20_000_000;
  private static final long WARM_NANOS = 1_200_000_000;

  private static final long MOST_WARM_NANOS = 10_000_000_000L;

  private static final CompilationMXBean COMPILER = ManagementFactory.getCompilationMXBean();

  private static final com.sun.management.ThreadMXBean HEAP =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** GNU OpenMP's and ONNX Runtime's threads have gone to sleep by then. */
  private static final long PAUSE_MILLIS = 60;

  private static final int MOST_RUNS = 2_000;

  /** Milliseconds of a run by peer and round. */
  private final Map<String, double[]> millis = new LinkedHashMap<>();

  /** Bytes allocated on the heap in a run by peer, the least of all rounds. */
  private final Map<String, Long> allocated = new LinkedHashMap<>();

  private Rounds() {}

  /**
   * Prepares, checks and times.
   *
   * @param peers who takes part; the first one is who ratios are for
   * @param check what every output has to pass before anything is timed
   * @param budgetNanos rounds end early, but not before the third, when this time is over
   */
  static <P> Rounds of(
      List<Supplier<Peer<P>>> peers,
      P problem,
      int threads,
      Check check,
      int rounds,
      long budgetNanos)
      throws InterruptedException {
    Rounds result = new Rounds();
    List<Peer<P>> ready = new ArrayList<>();
    try {
      for (Supplier<Peer<P>> maker : peers) {
        Peer<P> peer = maker.get();
        ready.add(peer);
        peer.prepare(problem, threads);
        peer.run();
        check.accept(peer.name() + ": " + problem + ", threads " + threads, peer.output());
      }
      result.time(ready, threads, rounds, budgetNanos);
    } finally {
      ready.forEach(Peer::close);
    }
    return result;
  }

  /** What an output has to pass. */
  interface Check {
    void accept(String who, float[] output);
  }

  private <P> void time(List<Peer<P>> peers, int threads, int rounds, long budgetNanos)
      throws InterruptedException {
    int count = peers.size();
    int[] runs = new int[count];
    boolean[] brief = new boolean[count];
    for (int i = 0; i < count; i++) {
      long once = warm(peers.get(i), i == 0 ? WARM_NANOS : WARM_NANOS / 10);
      runs[i] = (int) Math.max(1, Math.min(MOST_RUNS, BLOCK_NANOS / once));
      brief[i] = once < SHORT_NANOS;
      pause(threads);
    }
    double[][] times = new double[count][rounds];
    long[] bytes = new long[count];
    Arrays.fill(bytes, Long.MAX_VALUE);
    long begin = System.nanoTime();
    int round = 0;
    while (round < rounds && (round < 3 || System.nanoTime() - begin < budgetNanos)) {
      for (int place = 0; place < count; place++) {
        int turn = round % 2 == 0 ? place : count - 1 - place;
        int who = (round + turn) % count;
        Peer<P> peer = peers.get(who);
        if (brief[who]) {
          for (int i = 0; i < Math.max(1, runs[who] / 10); i++) {
            peer.run();
          }
        }
        long before = HEAP.getTotalThreadAllocatedBytes();
        long start = System.nanoTime();
        for (int i = 0; i < runs[who]; i++) {
          peer.run();
        }
        times[who][round] = (System.nanoTime() - start) / 1e6 / runs[who];
        long used = HEAP.getTotalThreadAllocatedBytes() - before;
        bytes[who] = Math.min(bytes[who], used / runs[who]);
        pause(threads);
      }
      round++;
    }
    for (int i = 0; i < count; i++) {
      millis.put(peers.get(i).name(), Arrays.copyOf(times[i], round));
      allocated.put(peers.get(i).name(), bytes[i]);
    }
  }

  /**
   * Runs for a while, and on until the JIT has had nothing to do for a while.
   *
   * @return nanoseconds of the last run
   */
  private static long warm(Peer<?> peer, long least) {
    long begin = System.nanoTime();
    long quiet = begin;
    long compiled = COMPILER.getTotalCompilationTime();
    long now;
    long once;
    do {
      long start = System.nanoTime();
      peer.run();
      now = System.nanoTime();
      once = Math.max(1, now - start);
      long total = COMPILER.getTotalCompilationTime();
      if (total != compiled) {
        compiled = total;
        quiet = now;
      }
    } while (now - begin < least || now - quiet < least / 3 && now - begin < MOST_WARM_NANOS);
    return once;
  }

  private static void pause(int threads) throws InterruptedException {
    if (threads > 1) {
      Thread.sleep(PAUSE_MILLIS);
    }
  }

  /** Who took part. */
  List<String> names() {
    return List.copyOf(millis.keySet());
  }

  /** A peer's rounds. */
  double[] millis(String name) {
    return millis.get(name).clone();
  }

  /** A peer's median. */
  double median(String name) {
    return median(millis.get(name));
  }

  /** Bytes that a peer allocates on the heap in a run, in all threads together. */
  long allocated(String name) {
    return allocated.get(name);
  }

  /** How many times as long as the first a peer takes: the median of the rounds' ratios. */
  double ratio(String name) {
    double[] first = millis.get(names().get(0));
    double[] other = millis.get(name);
    double[] ratios = new double[first.length];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = other[i] / first[i];
    }
    return median(ratios);
  }

  /** The ratio of whoever but the first is fastest. */
  double ratioToFastest() {
    return names().stream().skip(1).mapToDouble(this::ratio).min().orElse(Double.NaN);
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}

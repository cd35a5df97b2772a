package io.gatun.jmh.peer;

import io.gatun.kernel.Devices;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.global.torch;

/**
 * Steps of training here and in libtorch, in turn, in one process: an LSTM layer and the network of
 * examples/pronunciation. First three steps of each are compared, losses and gradients, without
 * dropout; then come blocks of steps in turn, and medians of the rounds and of their ratios, by the
 * clock and by the time that the calling thread computed, which alone means something on a machine
 * that does other work, and with one thread.
 *
 * <pre>
 * TrainingSideBySide [ROUNDS] [THREADS,…] [lstm,pronunciation]
 * </pre>
 *
 * <p>libtorch's products are those of the BLAS that is loaded first: {@code jmh/run training} loads
 * MKL, with which PyTorch's own builds come, and says so in the property {@code gatun.blas};
 * without it, they are those of OpenBLAS, which is some times slower at products of the size of a
 * step.
 */
public final class TrainingSideBySide {
  private static final int ROUNDS = 15;
  private static final int COMPARED_STEPS = 3;
  private static final int WARM_STEPS = 8;
  private static final double BLOCK_SECONDS = 0.5;

  /** Of the largest gradient: what rounding in another order may change. */
  private static final double TOLERANCE = 1e-4;

  /** GNU OpenMP's threads, which spin while they wait, have gone to sleep by then. */
  private static final long PAUSE_MILLIS = 60;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private TrainingSideBySide() {}

  /**
   * Runs it, in the folder of the repository.
   *
   * @param args how many rounds; numbers of threads; which of both problems
   */
  public static void main(String[] args) throws InterruptedException {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : ROUNDS;
    String threads = args.length > 1 ? args[1] : "1,2";
    String which = args.length > 2 ? args[2] : "lstm,pronunciation";
    Path config = Path.of("examples/pronunciation/train.json");
    compare(TrainingProblem.lstm(5, 7, 33));
    compare(TrainingProblem.lstm(50, 64, 512));
    compare(TrainingProblem.pronunciation(config, 192, false));
    String built = torch.show_config().getString();
    System.out.printf(
        Locale.ROOT,
        "%n%s: %s; libtorch %s, %s, BLAS: %s.%n",
        LocalDate.now(ZoneOffset.UTC),
        Devices.best().description(),
        built.replaceAll("(?s).*TORCH_VERSION=([^,]*).*", "$1"),
        torch.hasMKLDNN() ? "with oneDNN" : "without oneDNN",
        System.getProperty("gatun.blas", "OpenBLAS"));
    System.out.printf(
        Locale.ROOT,
        "%n| a step of | threads | Gatun, ms | libtorch, ms | libtorch ÷ Gatun "
            + "| the same, time of the thread |%n|---|---|---|---|---|---|%n");
    for (String count : threads.split(",", -1)) {
      for (String name : which.split(",", -1)) {
        TrainingProblem problem =
            name.equals("lstm")
                ? TrainingProblem.lstm(50, 64, 512)
                : TrainingProblem.pronunciation(config, 192, true);
        time(problem, Integer.parseInt(count), rounds);
      }
    }
  }

  private static void compare(TrainingProblem problem) {
    try (GatunTraining here = new GatunTraining();
        LibtorchTraining there = new LibtorchTraining()) {
      here.prepare(problem, 2);
      there.prepare(problem, 2);
      for (int step = 1; step <= COMPARED_STEPS; step++) {
        here.run();
        there.run();
        float[] ours = here.output();
        float[] theirs = there.output();
        double largest = 0;
        double apart = 0;
        for (int i = 1; i < theirs.length; i++) {
          largest = Math.max(largest, Math.abs(theirs[i]));
          apart = Math.max(apart, Math.abs(theirs[i] - ours[i]));
        }
        String what =
            String.format(
                Locale.ROOT,
                "%s, step %d: loss %.7f here, %.7f in libtorch;"
                    + " %d gradients, the largest %.2g, at most %.2g apart",
                problem,
                step,
                ours[0],
                theirs[0],
                theirs.length - 1,
                largest,
                apart);
        System.out.println(what);
        boolean same =
            ours.length == theirs.length
                && apart <= TOLERANCE * largest
                && Math.abs(ours[0] - theirs[0]) <= TOLERANCE * theirs[0];
        if (!same) {
          throw new AssertionError(what);
        }
      }
    }
  }

  private static void time(TrainingProblem problem, int threads, int rounds)
      throws InterruptedException {
    try (GatunTraining here = new GatunTraining();
        LibtorchTraining there = new LibtorchTraining()) {
      List<Peer<TrainingProblem>> peers = List.of(here, there);
      int[] steps = new int[2];
      for (int i = 0; i < 2; i++) {
        peers.get(i).prepare(problem, threads);
        block(peers.get(i), WARM_STEPS);
        double once = block(peers.get(i), 2)[0];
        steps[i] = (int) Math.max(1, Math.round(BLOCK_SECONDS * 1000 / once));
        Thread.sleep(PAUSE_MILLIS);
      }
      double[][] clock = new double[3][rounds];
      double[][] computed = new double[3][rounds];
      for (int round = 0; round < rounds; round++) {
        for (int turn = 0; turn < 2; turn++) {
          int who = (round + turn) % 2;
          double[] took = block(peers.get(who), steps[who]);
          clock[who][round] = took[0];
          computed[who][round] = took[1];
          Thread.sleep(PAUSE_MILLIS);
        }
        clock[2][round] = clock[1][round] / clock[0][round];
        computed[2][round] = computed[1][round] / computed[0][round];
      }
      System.out.printf(
          Locale.ROOT,
          "| %s | %d | %.1f | %.1f | %.2f | %.2f |%n",
          problem,
          threads,
          Rounds.median(clock[0]),
          Rounds.median(clock[1]),
          Rounds.median(clock[2]),
          Rounds.median(computed[2]));
    }
  }

  /** Milliseconds of a step, by the clock and of the thread. */
  private static double[] block(Peer<TrainingProblem> peer, int steps) {
    long cpu = THREADS.getCurrentThreadCpuTime();
    long begin = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      peer.run();
    }
    double elapsed = System.nanoTime() - begin;
    double computed = THREADS.getCurrentThreadCpuTime() - cpu;
    return new double[] {elapsed / steps / 1e6, computed / steps / 1e6};
  }
}

package io.gatun.jmh;

import io.gatun.kernel.Workers;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * How many float32 multiply–adds the machine does at most: independent chains of FMAs in registers,
 * nothing loaded. What the other benchmarks are a share of.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class FmaPeak {
  private static final int STEPS = 200_000;

  /** Threads that compute at once. */
  @Param({"1", "2"})
  public int threads;

  private Workers workers;
  private float[] sinks;
  private Workers.Task task;

  /** Starts the threads. */
  @Setup(Level.Trial)
  public void open() {
    workers = new Workers(threads);
    sinks = new float[threads];
    task = (part, worker) -> sinks[part] = Limits.chains(STEPS);
  }

  /** Ends the threads. */
  @TearDown(Level.Trial)
  public void close() {
    workers.close();
  }

  /** One burst on each thread. */
  @Benchmark
  public float[] burst() {
    workers.run(threads, task);
    return sinks;
  }
}

package io.gatun.jmh;

import io.gatun.jmh.peer.GatunLayer;
import io.gatun.jmh.peer.LayerProblem;
import java.util.Arrays;
import java.util.Random;
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

/** 64 sequences of different lengths, and the same as if all were as long as the longest. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class RaggedBatch {
  private static final int BATCH = 64;
  private static final int LONGEST = 100;
  private static final int SHORTEST = 5;
  private static final long SEED = 42;

  /** Which cell. */
  @Param({"LSTM", "GRU"})
  public String cell;

  /** Hidden size, which is the input size too. */
  @Param("256")
  public int hidden;

  /** Threads that compute. */
  @Param({"1", "2"})
  public int threads;

  private final GatunLayer ragged = new GatunLayer();
  private final GatunLayer padded = new GatunLayer();

  /** Packs the weights. */
  @Setup(Level.Trial)
  public void open() {
    int[] lengths = new Random(SEED).ints(BATCH, SHORTEST, LONGEST + 1).toArray();
    lengths[0] = LONGEST;
    ragged.prepare(LayerProblem.random(cell, LONGEST, BATCH, hidden, lengths), threads);
    int[] full = new int[BATCH];
    Arrays.fill(full, LONGEST);
    padded.prepare(LayerProblem.random(cell, LONGEST, BATCH, hidden, full), threads);
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() {
    ragged.close();
    padded.close();
  }

  /** Each sequence to its end. */
  @Benchmark
  public void lengths() {
    ragged.run();
  }

  /** Each sequence to the end of the longest. */
  @Benchmark
  public void padding() {
    padded.run();
  }
}

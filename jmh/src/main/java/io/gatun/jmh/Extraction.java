package io.gatun.jmh;

import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
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

/** Inner values of an encoder by name: one, or several of the same pass. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Extraction {
  private static final int VOCABULARY = 74;
  private static final int TIME = 20;
  private static final int LETTERS = 26;
  private static final int FIRST_LETTER = 3;
  private static final long SEED = 42;

  /** The values asked for. */
  @Param({"encoder.gru.hidden", "encoder.embedding,encoder.gru,encoder.gru.hidden"})
  public String values;

  /** Sequences. */
  @Param({"1", "64"})
  public int batch;

  private final Arena arena = Arena.ofShared();
  private SampleModel files;
  private Model model;
  private Plan plan;
  private Execution run;

  /** Makes the plan. */
  @Setup(Level.Trial)
  public void open() throws IOException {
    files = new SampleModel(VOCABULARY);
    model = ModelFolder.open(files.folder());
    plan = Plan.of(model.encoder(), values.split(",", -1));
    run = plan.newExecution();
    int[] tokens =
        new Random(SEED).ints((long) TIME * batch, FIRST_LETTER, FIRST_LETTER + LETTERS).toArray();
    int[] lengths = new int[batch];
    Arrays.fill(lengths, TIME);
    run.input("tokens", Tensor.ofInts(arena, tokens, TIME, batch));
    run.input("lengths", Tensor.ofInts(arena, lengths, batch));
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() throws IOException {
    run.close();
    plan.close();
    model.close();
    files.close();
    arena.close();
  }

  /** One pass. */
  @Benchmark
  public void extract() {
    run.run();
  }
}

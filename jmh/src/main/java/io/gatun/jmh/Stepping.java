package io.gatun.jmh;

import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Workers;
import io.gatun.layer.Convention;
import io.gatun.layer.Lstm;
import io.gatun.layer.Recurrent;
import io.gatun.layer.StatefulExecution;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.util.Map;
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

/** An LSTM layer that keeps its state, one time step a call: a stream. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Stepping {
  /** Hidden size, which is the input size too. */
  @Param({"256", "1024"})
  public int hidden;

  /** Streams side by side. */
  @Param({"1", "16"})
  public int batch;

  private final Arena arena = Arena.ofShared();
  private Plan plan;
  private StatefulExecution loop;

  /** Packs the weights. */
  @Setup(Level.Trial)
  public void open() {
    Graph.Builder g = Graph.builder("stream");
    Value x = g.input("x", DType.FLOAT32, 1, "batch", hidden);
    double deviation = 1 / Math.sqrt(hidden);
    Lstm lstm =
        Lstm.builder("lstm")
            .weights(
                Weights.of(
                    Convention.PYTORCH,
                    Map.of(
                        "weight_ih", Shapes.random(arena, deviation, 4L * hidden, hidden),
                        "weight_hh", Shapes.random(arena, deviation, 4L * hidden, hidden))))
            .build();
    Recurrent.Result result = lstm.unroll(g, x, null, lstm.stateInputs(g, DType.FLOAT32, "batch"));
    plan = Plan.of(g.build(), "lstm", result.hidden().name(), result.cell().name());
    loop = StatefulExecution.of(plan, Workers.none(), batch, result.carries());
    loop.execution().input("x", Shapes.random(arena, 1, 1, batch, hidden));
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() {
    loop.close();
    plan.close();
    arena.close();
  }

  /** One time step. */
  @Benchmark
  public void step() {
    loop.run();
  }
}

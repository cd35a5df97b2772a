package io.gatun.jmh;

import io.gatun.jmh.peer.GatunLayer;
import io.gatun.jmh.peer.LayerProblem;
import io.gatun.kernel.WeightFormat;
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

/** One recurrent layer over whole sequences, input size = hidden size. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class RecurrentLayer {
  /** Which cell. */
  @Param({"LSTM", "GRU", "RNN"})
  public String cell;

  /** Time × batch × hidden. */
  @Param({"50x1x256", "50x32x256", "50x64x512"})
  public String shape;

  /** What weights are rounded to. */
  @Param("FLOAT32")
  public WeightFormat format;

  /** Threads that compute. */
  @Param({"1", "2"})
  public int threads;

  private GatunLayer layer;

  /** Packs the weights. */
  @Setup(Level.Trial)
  public void open() {
    layer = new GatunLayer(format);
    layer.prepare(LayerProblem.random(cell, shape), threads);
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() {
    layer.close();
  }

  /** One run over all time steps. */
  @Benchmark
  public void forward() {
    layer.run();
  }
}

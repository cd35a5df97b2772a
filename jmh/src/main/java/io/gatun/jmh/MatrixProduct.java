package io.gatun.jmh;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
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
 * The product with packed weights, in the two sizes that an LSTM layer of a shape has: the input's
 * product of all time steps, {@code [time × batch, hidden] · [hidden, 4 hidden]}, and the state's
 * of one, {@code [batch, hidden] · [hidden, 4 hidden]}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MatrixProduct {
  /** Time × batch × hidden. */
  @Param({"50x1x256", "50x32x256", "50x64x512", "50x256x1024"})
  public String shape;

  /** The device by name. */
  @Param("auto")
  public String device;

  /** Threads that compute. */
  @Param({"1", "2"})
  public int threads;

  private final Arena arena = Arena.ofShared();
  private Shapes sizes;
  private Workers workers;
  private Kernels kernels;
  private PackedMatrix weights;
  private Region left;
  private Region result;

  /** Packs the weights. */
  @Setup(Level.Trial)
  public void open() {
    sizes = Shapes.of(shape);
    int hidden = sizes.hidden();
    int rows = sizes.time() * sizes.batch();
    Device opened = Devices.open(device);
    workers = new Workers(threads);
    kernels = opened.open(workers);
    Tensor matrix = Shapes.random(arena, 0.1, hidden, 4L * hidden);
    weights = opened.pack(matrix, null);
    left = Shapes.upload(opened, kernels, Shapes.random(arena, 1, rows, hidden));
    result = new Region(opened.allocate(4L * rows * hidden * opened.real().bytes()));
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() {
    weights.close();
    kernels.close();
    workers.close();
    left.buffer().close();
    result.buffer().close();
    arena.close();
  }

  /** The input's product of all time steps. */
  @Benchmark
  public void sequence() {
    run(sizes.time() * sizes.batch());
  }

  /** The state's product of one time step. */
  @Benchmark
  public void step() {
    run(sizes.batch());
  }

  private void run(int rows) {
    int hidden = sizes.hidden();
    kernels.multiply(left, hidden, rows, weights, Activation.IDENTITY, result, 4L * hidden);
  }
}

package io.gatun.jmh;

import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
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

/** One direction of one LSTM layer over whole sequences, input size = hidden size. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class LstmLayer {
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
  private final RecurrentCall call = new RecurrentCall();
  private Workers workers;
  private Kernels kernels;
  private PackedRecurrent layer;

  /** Packs the weights. */
  @Setup(Level.Trial)
  public void open() {
    Shapes sizes = Shapes.of(shape);
    int hidden = sizes.hidden();
    Device opened = Devices.open(device);
    workers = new Workers(threads);
    kernels = opened.open(workers);
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> biases = new ArrayList<>();
    for (int gate = 0; gate < Cell.LSTM.gates(); gate++) {
      weights.add(Shapes.random(arena, 0.5 / Math.sqrt(hidden), hidden, hidden));
      biases.add(Shapes.random(arena, 0.1, hidden));
    }
    layer =
        opened.pack(
            RecurrentSpec.of(Cell.LSTM, hidden, hidden),
            RecurrentWeights.of(weights, weights, biases, biases));
    Tensor input = Shapes.random(arena, 1, sizes.time(), sizes.batch(), hidden);
    call.time = sizes.time();
    call.batch = sizes.batch();
    call.input = Shapes.upload(opened, kernels, input);
    call.inputTimeStride = (long) sizes.batch() * hidden;
    call.inputRowStride = hidden;
    call.output = new Region(opened.allocate(input.elements() * opened.real().bytes()));
    call.outputTimeStride = call.inputTimeStride;
    call.outputRowStride = hidden;
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() {
    layer.close();
    kernels.close();
    workers.close();
    call.input.buffer().close();
    call.output.buffer().close();
    arena.close();
  }

  /** One run over all time steps. */
  @Benchmark
  public void forward() {
    kernels.recurrent(layer, call);
  }

  /** Floating-point operations of the products of one run; what the gates need is not counted. */
  static double operations(Shapes sizes) {
    double hidden = sizes.hidden();
    return 2.0 * 2 * sizes.time() * sizes.batch() * hidden * hidden * Cell.LSTM.gates();
  }
}

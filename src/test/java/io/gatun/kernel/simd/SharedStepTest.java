package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.Seeds;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Layers so large, and sequences so few, that the workers share each time step. */
class SharedStepTest {
  private static final int TIME = 3;

  @ParameterizedTest
  @EnumSource(Cell.class)
  void fewSequencesOfALargeLayerGiveTheSameBitsOnAnyNumberOfThreads(Cell cell) {
    // RNN and GRU have fewer gates, so that their layers must be larger to be shared.
    int hidden = cell == Cell.RNN ? 1030 : 610;
    Random random = Seeds.random("SharedStepTest");
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open()) {
      List<Tensor> weights = new ArrayList<>();
      List<Tensor> biases = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        weights.add(random(arena, random, 0.04, hidden, hidden));
        biases.add(random(arena, random, 0.1, hidden));
      }
      RecurrentWeights all = RecurrentWeights.of(weights, weights, biases, biases);
      try (PackedRecurrent layer = device.pack(RecurrentSpec.of(cell, hidden, hidden), all)) {
        for (int batch : new int[] {1, 3}) {
          Tensor input = random(arena, random, 1, TIME, batch, hidden);
          float[] alone = run(device, layer, input, 1);
          for (int threads : new int[] {2, 3, 8}) {
            assertArrayEquals(
                alone,
                run(device, layer, input, threads),
                () -> cell + ", batch " + batch + ", " + threads + " threads");
          }
        }
      }
    }
  }

  private static Tensor random(Arena arena, Random random, double deviation, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    Tensor flat = tensor.reshape(tensor.elements());
    for (long i = 0; i < tensor.elements(); i++) {
      flat.setFloat((float) (deviation * random.nextGaussian()), i);
    }
    return tensor;
  }

  private static float[] run(Device device, PackedRecurrent layer, Tensor input, int threads) {
    long batch = input.dim(1);
    long hidden = input.dim(2);
    try (Workers workers = new Workers(threads);
        Kernels kernels = device.open(workers);
        Arena arena = Arena.ofConfined();
        Buffer in = device.allocate(input.byteSize());
        Buffer out = device.allocate(input.byteSize())) {
      RecurrentCall call = new RecurrentCall();
      call.time = TIME;
      call.batch = (int) batch;
      call.input = new Region(in);
      call.inputTimeStride = batch * hidden;
      call.inputRowStride = hidden;
      call.output = new Region(out);
      call.outputTimeStride = batch * hidden;
      call.outputRowStride = hidden;
      kernels.upload(input, call.input);
      kernels.recurrent(layer, call);
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, input.shape().dims());
      kernels.download(call.output, result);
      return result.toFloats();
    }
  }
}

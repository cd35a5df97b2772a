package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.KernelsContract;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The vector kernels keep the contract. */
class SimdKernelsTest extends KernelsContract {
  @Override
  protected Device device() {
    return new SimdProvider().open();
  }

  @Test
  void theProviderIsAvailableWhereTheModuleIsAndSaysHowWideItIs() {
    SimdProvider provider = new SimdProvider();
    assertEquals(Optional.empty(), provider.unavailable());
    assertEquals("simd", provider.name());
    try (Device device = provider.open()) {
      assertEquals(DType.FLOAT32, device.real());
      String expected =
          "Vector API, " + Lanes.BYTES * 8 + "-bit (" + Lanes.LANES + " float32 lanes), JDK ";
      assertTrue(device.description().startsWith(expected), device.description());
    }
  }

  @Test
  void theSumOfMillionsOfNumbersKeepsItsDigits() {
    int size = 4_000_003;
    double number = 0.1f;
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none())) {
      Tensor numbers = Tensor.allocate(arena, DType.FLOAT32, size);
      float[] all = new float[size];
      Arrays.fill(all, (float) number);
      MemorySegment.copy(all, 0, numbers.segment(), ValueLayout.JAVA_FLOAT, 0, size);
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, 1);
      Region from = new Region(HostBuffer.wrap(numbers.segment()));
      Region to = new Region(HostBuffer.wrap(result.segment()));
      Map<Reduction, Double> expected =
          Map.of(
              Reduction.SUM,
              size * number,
              Reduction.MEAN,
              number,
              Reduction.L2,
              Math.sqrt(size * number * number));
      expected.forEach(
          (reduction, right) -> {
            kernels.reduce(reduction, from, to, 1, size, 1);
            assertEquals(right, result.toFloats()[0], 2e-6 * right, reduction + "");
          });
    }
  }

  @Test
  void packedWeightsThatAreClosedAreRefused() {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        Buffer memory = device.allocate(1 << 12)) {
      Tensor weights = Tensor.allocate(arena, DType.FLOAT32, 8, 8);
      Region region = new Region(memory);
      PackedMatrix matrix = device.pack(weights, null);
      kernels.multiply(region, 8, 4, matrix, Activation.IDENTITY, region, 8);
      matrix.close();
      String message =
          assertThrows(
                  IllegalStateException.class,
                  () -> kernels.multiply(region, 8, 4, matrix, Activation.IDENTITY, region, 8))
              .getMessage();
      assertEquals("b: the packed weights are closed", message);

      List<Tensor> gate = List.of(weights);
      PackedRecurrent layer =
          device.pack(
              RecurrentSpec.of(RecurrentSpec.Cell.RNN, 8, 8),
              RecurrentWeights.of(gate, gate, List.of(), List.of()));
      RecurrentCall call = new RecurrentCall();
      call.time = 2;
      call.batch = 3;
      call.input = region;
      call.inputTimeStride = 24;
      call.inputRowStride = 8;
      kernels.recurrent(layer, call);
      layer.close();
      message =
          assertThrows(IllegalStateException.class, () -> kernels.recurrent(layer, call))
              .getMessage();
      assertEquals("layer: the packed weights are closed", message);
    }
  }
}

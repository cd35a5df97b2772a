package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {

  @Test
  void theExampleOfTheDocumentationRuns() {
    int rows = 1;
    try (Arena arena = Arena.ofConfined();
        Device memory = Devices.open("simd");
        Buffer left = memory.allocate(2 * Float.BYTES);
        Buffer result = memory.allocate(3 * Float.BYTES)) {
      Tensor matrix = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Tensor bias = Tensor.ofFloats(arena, new float[] {-41, 100, -100}, 3);
      Region a = new Region(left);
      Region c = new Region(result);
      Tensor y = Tensor.allocate(arena, DType.FLOAT32, rows, 3);

      try (Device device = Devices.open("simd");
          Workers workers = new Workers(2);
          Kernels kernels = device.open(workers);
          PackedMatrix b = device.pack(matrix, bias)) {
        kernels.upload(Tensor.ofFloats(arena, new float[] {1, 10}, rows, 2), a);
        kernels.multiply(a, b.inner(), rows, b, Activation.TANH, c, b.columns());
        kernels.download(c, y);
      }
      assertArrayEquals(new float[] {0, 1, -1}, y.toFloats());
    }
  }
}

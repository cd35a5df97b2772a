package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {

  @Test
  void theExampleOfTheDocumentationRuns() {
    try (Arena arena = Arena.ofConfined()) {
      int rows = 1;
      int inner = 2;
      int columns = 3;
      Tensor matrix = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4, 5, 6}, inner, columns);
      Tensor bias = Tensor.ofFloats(arena, new float[] {0, -100, 1}, columns);
      Tensor x = Tensor.ofFloats(arena, new float[] {1, 10}, rows, inner);
      Tensor y = Tensor.allocate(arena, DType.FLOAT32, rows, columns);

      Device device = Devices.best();
      try (PackedMatrix weights = device.pack(matrix, bias); // [inner, columns] and [columns]
          Kernels kernels = device.open(Workers.none());
          Buffer a = device.allocate(4L * rows * inner);
          Buffer c = device.allocate(4L * rows * columns)) {
        Region in = new Region(a);
        Region out = new Region(c);
        kernels.upload(x, in); // [rows, inner]
        kernels.multiply(in, inner, rows, weights, Activation.RELU, out, columns);
        kernels.download(out, y); // [rows, columns]; waits until it is there
      }
      assertArrayEquals(new float[] {41, 0, 64}, y.toFloats());
    }
  }
}

package io.gatun.jmh;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;

/**
 * The sizes of a recurrent layer.
 *
 * @param time time steps
 * @param batch sequences
 * @param hidden hidden size, which is the input size too
 */
record Shapes(int time, int batch, int hidden) {
  private static final long SEED = 42;

  /** As the benchmarks' parameter writes it: {@code 50x32x256}. */
  static Shapes of(String text) {
    String[] parts = text.split("x", -1);
    return new Shapes(
        Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
  }

  /** Normally distributed numbers, small enough that gates do not saturate. */
  static Tensor random(Arena arena, double deviation, long... dims) {
    Random random = new Random(SEED);
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    long elements = tensor.elements();
    Tensor flat = tensor.reshape(elements);
    for (long i = 0; i < elements; i++) {
      flat.setFloat((float) (deviation * random.nextGaussian()), i);
    }
    return tensor;
  }

  /** A tensor in the device's memory. */
  static Region upload(Device device, Kernels kernels, Tensor tensor) {
    Buffer buffer = device.allocate(tensor.elements() * device.real().bytes());
    Region region = new Region(buffer);
    kernels.upload(tensor, region);
    return region;
  }
}

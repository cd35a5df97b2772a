package io.gatun.kernel.simd;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;

/** Tensors of normally distributed numbers. */
final class RandomTensors {
  private RandomTensors() {}

  static Tensor normal(Arena arena, Random random, double deviation, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    Tensor flat = tensor.reshape(tensor.elements());
    for (long i = 0; i < tensor.elements(); i++) {
      flat.setFloat((float) (deviation * random.nextGaussian()), i);
    }
    return tensor;
  }
}

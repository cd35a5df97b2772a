package io.gatun.kernel.scalar;

import io.gatun.kernel.Device;
import io.gatun.kernel.KernelsContract;
import io.gatun.tensor.DType;

/** The plain twin in float64 keeps the contract. */
class ScalarFloat64Test extends KernelsContract {
  @Override
  protected Device device() {
    return new ScalarDevice(DType.FLOAT64);
  }
}

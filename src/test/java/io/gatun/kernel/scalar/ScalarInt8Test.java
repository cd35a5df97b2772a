package io.gatun.kernel.scalar;

import io.gatun.kernel.Device;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.WeightFormatContract;
import io.gatun.tensor.DType;

/** The plain loops keep the contract with weights in int8. */
class ScalarInt8Test extends WeightFormatContract {
  @Override
  protected Device device() {
    return new ScalarDevice(DType.FLOAT32);
  }

  @Override
  protected WeightFormat format() {
    return WeightFormat.INT8;
  }
}

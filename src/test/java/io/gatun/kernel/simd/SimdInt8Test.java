package io.gatun.kernel.simd;

import io.gatun.kernel.Device;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.WeightFormatContract;

/** The vector kernels keep the contract with weights in int8. */
class SimdInt8Test extends WeightFormatContract {
  @Override
  protected Device device() {
    return new SimdProvider().open();
  }

  @Override
  protected WeightFormat format() {
    return WeightFormat.INT8;
  }
}

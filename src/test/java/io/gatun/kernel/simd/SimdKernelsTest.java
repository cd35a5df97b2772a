package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Device;
import io.gatun.kernel.KernelsContract;
import io.gatun.tensor.DType;
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
}

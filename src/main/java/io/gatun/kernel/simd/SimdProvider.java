package io.gatun.kernel.simd;

import io.gatun.kernel.Device;
import io.gatun.kernel.DeviceProvider;
import java.util.Optional;

/**
 * Provides the Vector API kernels where the incubator module is there, the machine has vectors, and
 * the compiler that makes use of them is on.
 */
public final class SimdProvider implements DeviceProvider {
  static final String NAME = "simd";
  private static final String MODULE = "jdk.incubator.vector";
  private static final int LEAST_BITS = 128;

  /** For {@link java.util.ServiceLoader}. */
  public SimdProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int preference() {
    return 10;
  }

  @Override
  public Optional<String> unavailable() {
    // Until it is known that the module is there, no class that names one of its types is touched.
    var vectors = ModuleLayer.boot().findModule(MODULE);
    if (vectors.isEmpty() || !SimdProvider.class.getModule().canRead(vectors.get())) {
      return Optional.of("the Vector API is not enabled, add --add-modules " + MODULE);
    }
    String mode = System.getProperty("java.vm.info", "");
    if (mode.contains("interpreted mode") || mode.contains("emulated-client")) {
      return Optional.of(
          "the optimising compiler of this Java is off ("
              + mode
              + "), remove -Xint or"
              + " -XX:TieredStopAtLevel");
    }
    int bits = Lanes.SPECIES.vectorBitSize();
    if (bits < LEAST_BITS) {
      return Optional.of(
          "this machine's float32 vectors have "
              + bits
              + " bits, at least "
              + LEAST_BITS
              + " are needed");
    }
    return Optional.empty();
  }

  @Override
  public Device open() {
    unavailable()
        .ifPresent(
            reason -> {
              throw new IllegalStateException("device " + NAME + ": " + reason);
            });
    return new SimdDevice();
  }
}

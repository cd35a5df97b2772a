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
  private static final int SURELY_FUSED_BITS = 512;
  private static final int CALLS = 20;
  private static final int ATTEMPTS = 10;

  /** An instruction takes some 50 ns a call in the interpreter, {@code BigDecimal} over 3,000. */
  private static final long FUSED_NANOS = 600;

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
    if (!fusesMultiplyAndAdd(bits)) {
      return Optional.of("this machine, or a flag of this Java, has no fused multiply-add");
    }
    return Optional.empty();
  }

  /**
   * Whether {@code Math.fma} is an instruction: where it is not, it is computed with {@code
   * BigDecimal}, a thousand times slower than plain loops. AArch64 and AVX-512 always have it; on
   * other x86 machines nobody says so cheaply, and a few calls are timed.
   */
  private static boolean fusesMultiplyAndAdd(int bits) {
    if (!System.getProperty("os.arch").equals("amd64") || bits >= SURELY_FUSED_BITS) {
      return true;
    }
    long best = Long.MAX_VALUE;
    float sum = 1;
    for (int attempt = 0; attempt < ATTEMPTS && best > FUSED_NANOS * CALLS; attempt++) {
      long begin = System.nanoTime();
      for (int i = 0; i < CALLS; i++) {
        sum = Math.fma(sum, 0.7f, 0.3f);
      }
      best = Math.min(best, System.nanoTime() - begin);
    }
    return best <= FUSED_NANOS * CALLS && sum > 0;
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

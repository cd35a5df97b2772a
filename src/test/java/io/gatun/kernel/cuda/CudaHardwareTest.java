package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.kernel.Device;
import io.gatun.kernel.KernelsContract;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;

/**
 * The contract on a GPU, where there is one. cuBLAS promises no equal bits for a row in other
 * company, and does not give them.
 */
class CudaHardwareTest extends KernelsContract {
  @BeforeEach
  void thereIsOne() {
    CudaProvider provider = new CudaProvider();
    assumeTrue(provider.expected(), "skipped: this machine has no GPU");
    Optional<String> reason = provider.unavailable();
    assumeTrue(reason.isEmpty(), () -> "skipped: " + reason.orElseThrow());
  }

  @Override
  protected Device device() {
    return new CudaProvider().shared();
  }

  @Override
  public boolean keepsBits() {
    return false;
  }
}

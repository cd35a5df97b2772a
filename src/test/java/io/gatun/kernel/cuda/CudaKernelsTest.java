package io.gatun.kernel.cuda;

import io.gatun.kernel.Device;
import io.gatun.kernel.KernelsContract;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * The kernels of a GPU keep the contract, on libraries that stand in for NVIDIA's: all through
 * cuBLAS and kernels of our own.
 */
class CudaKernelsTest extends KernelsContract {
  private StandIn standIn;
  private Map<String, Long> before;

  @BeforeEach
  void count() {
    CudaFixture.device(false);
    standIn = CudaFixture.standIn();
    before = CudaFixture.alive(standIn);
  }

  @AfterEach
  void nothingIsLeftBehindAndNothingWasMisused() {
    CudaFixture.check(standIn, before);
  }

  @Override
  protected Device device() {
    return CudaFixture.device(false);
  }
}

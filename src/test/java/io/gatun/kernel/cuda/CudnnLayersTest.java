package io.gatun.kernel.cuda;

import io.gatun.kernel.KernelBench;
import io.gatun.kernel.RecurrentContract;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Recurrent layers keep the contract where cuDNN runs those that it has, but for the last bits. */
class CudnnLayersTest implements RecurrentContract {
  private StandIn standIn;
  private Map<String, Long> before;

  @BeforeEach
  void count() {
    CudaFixture.device(true);
    standIn = CudaFixture.standIn();
    before = CudaFixture.alive(standIn);
  }

  @AfterEach
  void nothingIsLeftBehindAndNothingWasMisused() {
    CudaFixture.check(standIn, before);
  }

  @Override
  public KernelBench bench(String test) {
    return new KernelBench(test, CudaFixture.device(true));
  }

  @Override
  public boolean keepsBits() {
    return false;
  }
}

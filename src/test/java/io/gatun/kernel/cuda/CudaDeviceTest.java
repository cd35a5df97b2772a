package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostMemory;
import io.gatun.kernel.KernelBench;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.ProductContract;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked of the libraries, and how often it is waited for. */
class CudaDeviceTest {
  private static final int COUNT = 1 << 18;

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

  @Test
  void bothDirectionsOfALayerAreOneCallThatReadsAndWritesInPlace() {
    try (Arena arena = Arena.ofShared()) {
      Graph.Builder g = Graph.builder("both");
      Value x = g.input("x", DType.FLOAT32, "batch", "time", 5);
      Value w = g.constant("W", Tensor.allocate(arena, DType.FLOAT32, 2, 12, 5).fill(0.25));
      Value r = g.constant("R", Tensor.allocate(arena, DType.FLOAT32, 2, 12, 3).fill(-0.5));
      g.node(
          "layer",
          "LSTM",
          Attributes.of("direction", "bidirectional", "layout", 1),
          List.of(x, w, r),
          List.of("Y"));
      Tensor input = Tensor.allocate(arena, DType.FLOAT32, 4, 6, 5).fill(0.5);
      double[] expected;
      try (Device plain = new ScalarDevice(DType.FLOAT32);
          Plan plan = Plan.on(plain, g.build(), "Y");
          Execution execution = plan.newExecution(Workers.none())) {
        execution.input("x", input);
        execution.run();
        expected = execution.output("Y").toDoubles();
      }
      try (Plan plan = Plan.on(CudaFixture.device(true), g.build(), "Y");
          Execution execution = plan.newExecution(Workers.none())) {
        execution.input("x", input);
        execution.run();
        execution.output("Y");
        standIn.reset();
        execution.run();
        assertArrayEquals(expected, execution.output("Y").toDoubles(), 1e-5);
        assertEquals(1, standIn.calls("cudnnRNNForward"));
        assertEquals(1, standIn.calls("cuLaunchKernel"), "what sets the lengths");
        assertEquals(0, standIn.calls("cublasGemmEx"));
      }
    }
  }

  @Test
  @SuppressWarnings("JUnitMethodInvoked") // the contract's own test, on this test's device
  void convolutionsThroughCudnnAreThoseOfTheReference() {
    ProductContract contract = test -> new KernelBench(test, CudaFixture.device(true));
    contract.convolutionsAreThoseOfTheReference();
    assertTrue(standIn.calls("cudnnConvolutionForward") > 10);
  }

  @Test
  void whatLiesInPageLockedMemoryGoesOverWithoutBeingWaitedFor() {
    CudaDevice device = CudaFixture.device(true);
    try (Arena arena = Arena.ofConfined();
        Kernels kernels = device.open(Workers.none());
        Buffer buffer = device.allocate(COUNT * 4L);
        HostMemory memory = device.allocateHost(COUNT * 4L)) {
      Tensor locked = Tensor.wrap(memory.segment(), DType.FLOAT32, COUNT);
      assertEquals(0.0, locked.getDouble(COUNT - 1), "it begins with zeros");
      locked.fill(1.5);
      standIn.reset();
      Region region = new Region(buffer);
      kernels.upload(locked, region);
      assertEquals(0, standIn.calls("cudaStreamSynchronize"));
      kernels.synchronize();
      assertEquals(1, standIn.calls("cudaStreamSynchronize"));
      locked.fill(2.5);
      kernels.download(region, locked);
      assertEquals(1.5, locked.getDouble(COUNT - 1));

      Tensor ordinary = Tensor.allocate(arena, DType.FLOAT32, COUNT).fill(0.5);
      standIn.reset();
      kernels.upload(ordinary, region);
      assertEquals(1, standIn.calls("cudaStreamSynchronize"), "it may be written over now");
      ordinary.fill(3);
      kernels.download(region, locked);
      assertEquals(0.5, locked.getDouble(7));
    }
  }

  @Test
  void hostMemoryThatWasClosedIsRefused() {
    try (ScalarDevice plain = new ScalarDevice(DType.FLOAT32)) {
      for (Device device : List.of(CudaFixture.device(true), plain)) {
        HostMemory memory = device.allocateHost(100);
        assertEquals(0, memory.segment().address() % 64);
        assertEquals(100, memory.segment().byteSize());
        memory.segment().set(ValueLayout.JAVA_BYTE, 99, (byte) 7);
        memory.close();
        memory.close();
        assertThrows(
            IllegalStateException.class, () -> memory.segment().get(ValueLayout.JAVA_BYTE, 0));
        assertThrows(IllegalArgumentException.class, () -> device.allocateHost(-1));
        device.allocateHost(0).close();
      }
    }
  }
}

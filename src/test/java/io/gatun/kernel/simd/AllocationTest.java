package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Once sizes have been seen and the compiler is through, no call allocates: neither the doors, nor,
 * which is how a kernel that the compiler has lost gives itself away, a vector.
 */
class AllocationTest {
  /** Calls the compiler may take. */
  private static final int MOST_CALLS = 400_000;

  /** Calls without a byte that count as the steady state. */
  private static final int QUIET_CALLS = 200;

  private static void assertAllocatesNothingInTheEnd(Runnable call) {
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = 0;
    int quiet = 0;
    for (int i = 0; i < MOST_CALLS && quiet < QUIET_CALLS; i++) {
      long before = thread.getCurrentThreadAllocatedBytes();
      call.run();
      bytes = thread.getCurrentThreadAllocatedBytes() - before;
      quiet = bytes == 0 ? quiet + 1 : 0;
    }
    assertEquals(QUIET_CALLS, quiet, bytes + " bytes in the last call");
  }

  @ParameterizedTest
  @EnumSource(WeightFormat.class)
  void aProductAllocatesNothing(WeightFormat format) {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        PackedMatrix b = device.pack(Tensor.allocate(arena, DType.FLOAT32, 40, 150), null, format);
        Buffer a = device.allocate(23 * 40 * Float.BYTES);
        Buffer c = device.allocate(23 * 150 * Float.BYTES)) {
      Region left = new Region(a);
      Region result = new Region(c);
      for (int rows : new int[] {1, 23}) {
        assertAllocatesNothingInTheEnd(
            () -> kernels.multiply(left, 40, rows, b, Activation.RELU, result, 150));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16})
  void aConvolutionOfFewOrManyPlacesAllocatesNothing(int groups) {
    List<Integer> one = List.of(1);
    ConvolutionSpec spec = new ConvolutionSpec(16, 32, groups, List.of(3), one, one, one, one);
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        PackedConvolution packed =
            device.pack(spec, Tensor.allocate(arena, DType.FLOAT32, 32, 16 / groups, 3), null);
        Buffer in = device.allocate(16 * 90 * Float.BYTES);
        Buffer out = device.allocate(32 * 90 * Float.BYTES)) {
      Region input = new Region(in);
      Region output = new Region(out);
      for (long length : new long[] {4, 90}) {
        long[] spatial = {length};
        assertAllocatesNothingInTheEnd(
            () -> kernels.convolve(packed, input, 1, spatial, Activation.IDENTITY, output));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Cell.class)
  void aRecurrentLayerAllocatesNothing(Cell cell) {
    aRecurrentLayerAllocatesNothing(Workers.none(), cell, 4, 9, 40, WeightFormat.FLOAT32);
  }

  @ParameterizedTest
  @EnumSource(WeightFormat.class)
  void aSequenceByItselfAllocatesNothing(WeightFormat format) {
    aRecurrentLayerAllocatesNothing(Workers.none(), Cell.LSTM, 4, 1, 40, format);
    aRecurrentLayerAllocatesNothing(Workers.none(), Cell.GRU, 4, 1, 40, format);
  }

  @ParameterizedTest
  @EnumSource(Cell.class)
  void aRecurrentLayerThatATeamComputesAllocatesNothing(Cell cell) {
    try (Workers workers = new Workers(2)) {
      aRecurrentLayerAllocatesNothing(workers, cell, 20, 2, 256, WeightFormat.FLOAT32);
    }
  }

  private static void aRecurrentLayerAllocatesNothing(
      Workers workers, Cell cell, int time, int batch, int hidden, WeightFormat format) {
    RecurrentSpec spec = RecurrentSpec.of(cell, hidden, hidden);
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(workers);
        Buffer input = device.allocate((long) time * batch * hidden * Float.BYTES);
        Buffer output = device.allocate((long) time * batch * hidden * Float.BYTES)) {
      List<Tensor> weights = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        weights.add(Tensor.allocate(arena, DType.FLOAT32, hidden, hidden).fill(0.01));
      }
      RecurrentWeights all = RecurrentWeights.of(weights, weights, List.of(), List.of());
      try (PackedRecurrent layer = device.pack(spec, all, format)) {
        RecurrentCall call = new RecurrentCall();
        call.time = time;
        call.batch = batch;
        call.input = new Region(input);
        call.inputTimeStride = (long) batch * hidden;
        call.inputRowStride = hidden;
        call.output = new Region(output);
        call.outputTimeStride = (long) batch * hidden;
        call.outputRowStride = hidden;
        assertAllocatesNothingInTheEnd(() -> kernels.recurrent(layer, call));
      }
    }
  }
}

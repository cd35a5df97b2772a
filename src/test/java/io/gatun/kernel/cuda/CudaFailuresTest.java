package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.bindings.Cublas;
import io.gatun.bindings.Cudart;
import io.gatun.bindings.Cudnn;
import io.gatun.bindings.Driver;
import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What happens when calls fail: each of them in turn, memory that is not there, a lost device. */
class CudaFailuresTest {
  /** What ends a life: where it fails the device is lost, and nobody is told by an exception. */
  private static final Set<String> ENDS =
      Set.of(
          "cudaFree",
          "cudaFreeHost",
          "cudaStreamDestroy",
          "cudaEventDestroy",
          "cublasDestroy_v2",
          "cudnnDestroy",
          "cudnnDestroyTensorDescriptor",
          "cudnnDestroyRNNDescriptor",
          "cudnnDestroyRNNDataDescriptor",
          "cudnnDestroyDropoutDescriptor",
          "cudnnDestroyFilterDescriptor",
          "cudnnDestroyConvolutionDescriptor",
          "cuModuleUnload");

  private static final int LAUNCH_FAILURE = 719;

  private StandIn standIn;

  @BeforeEach
  void load() {
    CudaFixture.device(true);
    standIn = CudaFixture.standIn();
  }

  /** Something of everything; what it gives is always the same. */
  private static double[] work() {
    List<AutoCloseable> open = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      Device device = keep(open, new CudaDevice(0, Precision.FLOAT32, true));
      Kernels kernels = keep(open, device.open(Workers.none()));
      Tensor numbers = Tensor.allocate(arena, DType.FLOAT32, 4, 6);
      for (int i = 0; i < 24; i++) {
        numbers.setDouble((i % 7 - 3) / 8.0, i / 6, i % 6);
      }
      Region x = new Region(keep(open, device.constant(numbers, "x")));
      Region y = new Region(keep(open, device.allocate(1 << 12)));
      PackedMatrix matrix =
          keep(open, device.pack(numbers.transpose(1, 0), null, WeightFormat.FLOAT32));
      kernels.upload(numbers, x);
      kernels.multiply(x, 6, 4, matrix, Activation.TANH, y, 4);
      long[] left = {0, 6, 1};
      long[] right = {1, 0, 2};
      kernels.multiply(new BatchedProduct(left, right, 2, 3, 2, 6, 1, 6, 1), x, x, y);
      PackedRecurrent layer = keep(open, device.pack(spec(), weights(arena)));
      RecurrentCall call = new RecurrentCall();
      call.time = 4;
      call.batch = 1;
      call.input = x;
      call.inputTimeStride = 6;
      call.inputRowStride = 6;
      call.output = y;
      call.outputTimeStride = 3;
      call.outputRowStride = 3;
      kernels.recurrent(layer, call);
      List<Integer> ones = List.of(1);
      List<Integer> none = List.of(0);
      ConvolutionSpec window = new ConvolutionSpec(2, 2, 1, List.of(3), ones, ones, none, none);
      PackedConvolution convolution =
          keep(
              open,
              device.pack(window, Tensor.allocate(arena, DType.FLOAT32, 2, 2, 3).fill(0.5), null));
      kernels.convolve(
          convolution, x, 1, new long[] {12}, Activation.IDENTITY, new Region(y.buffer(), 64, 80));
      train(device, kernels, open, arena, x);
      // More than fits into the halves through which small things are sent.
      Tensor some = Tensor.allocate(arena, DType.FLOAT32, 1000);
      for (int i = 0; i < 300; i++) {
        kernels.upload(some, new Region(y.buffer(), 96, 4000));
      }
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, 12);
      kernels.download(y, result);
      return result.toDoubles();
    } finally {
      for (int i = open.size() - 1; i >= 0; i--) {
        try {
          open.get(i).close();
        } catch (Exception e) {
          throw new AssertionError("closing", e);
        }
      }
    }
  }

  /** An LSTM there and back. */
  private static void train(
      Device device, Kernels kernels, List<AutoCloseable> open, Arena arena, Region x) {
    RecurrentTraining layer =
        new RecurrentTraining(RecurrentSpec.of(RecurrentSpec.Cell.LSTM, 6, 3));
    Region weights =
        new Region(
            keep(
                open,
                device.constant(
                    Tensor.allocate(arena, DType.FLOAT32, 12, 6).fill(0.25), "weights")));
    layer.call.time = 2;
    layer.call.batch = 2;
    layer.call.input = x;
    layer.call.inputTimeStride = 12;
    layer.call.inputRowStride = 6;
    layer.call.output = new Region(keep(open, device.allocate(48)));
    layer.call.outputTimeStride = 6;
    layer.call.outputRowStride = 3;
    layer.inputWeights = weights;
    layer.recurrentWeights = weights;
    layer.kept =
        new Region(keep(open, device.allocate(16 * RecurrentTraining.keptSize(layer.spec))));
    layer.outputGradient = layer.call.output;
    layer.inputGradient = new Region(keep(open, device.allocate(96)));
    layer.inputWeightsGradient = new Region(keep(open, device.allocate(288)));
    kernels.training().recurrentForward(layer);
    kernels.training().recurrentBackward(layer);
  }

  private static <T extends AutoCloseable> T keep(List<AutoCloseable> open, T resource) {
    open.add(resource);
    return resource;
  }

  private static RecurrentSpec spec() {
    return RecurrentSpec.of(RecurrentSpec.Cell.GRU, 6, 3);
  }

  private static RecurrentWeights weights(Arena arena) {
    Tensor input = Tensor.allocate(arena, DType.FLOAT32, 3, 6).fill(0.25);
    Tensor state = Tensor.allocate(arena, DType.FLOAT32, 3, 3).fill(-0.5);
    Tensor bias = Tensor.allocate(arena, DType.FLOAT32, 3).fill(0.125);
    return RecurrentWeights.of(
        List.of(input, input, input),
        List.of(state, state, state),
        List.of(bias, bias, bias),
        List.of());
  }

  @Test
  void everyCallThatFailsIsAnExceptionThatNamesItAndNothingIsLeftBehind() {
    double[] expected = work();
    Map<String, Long> before = CudaFixture.alive(standIn);
    standIn.reset();
    work();
    List<String> functions =
        Stream.of(Driver.FUNCTIONS, Cudart.FUNCTIONS, Cublas.FUNCTIONS, Cudnn.FUNCTIONS)
            .flatMap(List::stream)
            .filter(function -> standIn.calls(function) > 0)
            .filter(function -> !function.contains("GetError") && !function.contains("GetLast"))
            .filter(function -> !function.contains("GetStatus") && !function.endsWith("GetVersion"))
            .toList();
    assertTrue(functions.size() > 30, functions::toString);
    Map<String, Long> calls = new java.util.TreeMap<>();
    functions.forEach(function -> calls.put(function, standIn.calls(function)));
    for (String function : functions) {
      long all = calls.get(function);
      for (long which : new java.util.TreeSet<>(List.of(1L, 2L, all / 2 + 1, all))) {
        // The last wait is that of closing, which complains and goes on.
        if (which > all || (which == all && function.equals("cudaStreamSynchronize"))) {
          continue;
        }
        standIn.reset();
        standIn.fail(function, which, code(function));
        String what = "call " + which + " of " + all + " of " + function;
        if (ENDS.contains(function)) {
          assertArrayEquals(expected, work(), what);
          // What was not given back stays in the libraries; the rest was given back.
          before = CudaFixture.alive(standIn);
        } else {
          CudaException e = assertThrows(CudaException.class, CudaFailuresTest::work, what);
          assertTrue(e.function().startsWith(function), what + ": " + e.getMessage());
          assertEquals(code(function), e.code(), what);
          assertFalse(e.codeName().isEmpty(), what);
          assertEquals(before, CudaFixture.alive(standIn), what);
        }
        standIn.checkNoFaults();
      }
    }
    standIn.reset();
    assertArrayEquals(expected, work(), "after all of it");
  }

  /** A code that the function's library has, none of those that are told apart. */
  private static int code(String function) {
    return function.startsWith("cublas") ? 13 : function.startsWith("cudnn") ? 8 : LAUNCH_FAILURE;
  }

  @Test
  void memoryThatIsNotThereSaysWhatWasAskedForAndWhatIsFreeAndEverythingGoesOn() {
    Device device = CudaFixture.device(true);
    Map<String, Long> before = CudaFixture.alive(standIn);
    long used = standIn.live("device-bytes");
    standIn.memory(used + 1000);
    CudaMemoryException e = assertThrows(CudaMemoryException.class, () -> device.allocate(5000));
    assertEquals(5000, e.bytes());
    assertTrue(e.free() <= 1000, e.getMessage());
    assertTrue(
        e.getMessage().contains("cuda:0: 5000 bytes were asked for, " + e.free() + " of"),
        e.getMessage());
    try (Buffer smaller = device.allocate(500)) {
      assertEquals(500, smaller.bytes());
    }
    standIn.reset();
    CudaFixture.check(standIn, before);
  }

  @Test
  void aDeviceThatIsLostAnswersEveryCallWithAnErrorAndHangsNobody() {
    try (Arena arena = Arena.ofConfined()) {
      CudaDevice device = new CudaDevice(0, Precision.FLOAT32, true);
      Kernels kernels = device.open(Workers.none());
      Buffer buffer = device.allocate(4000);
      Region region = new Region(buffer);
      Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, 1000);
      kernels.upload(tensor, region);
      kernels.activate(Activation.TANH, region, region, 1000);
      standIn.lose(LAUNCH_FAILURE);
      CudaException e = assertThrows(CudaException.class, () -> kernels.download(region, tensor));
      assertEquals(LAUNCH_FAILURE, e.code());
      assertThrows(CudaException.class, kernels::synchronize);
      assertThrows(CudaException.class, () -> device.allocate(8));
      kernels.close();
      buffer.close();
      device.close();
    } finally {
      standIn.reset();
    }
  }

  @Test
  void aDeviceThatDoesNotExistIsRefused() {
    CudaException e =
        assertThrows(CudaException.class, () -> new CudaDevice(7, Precision.FLOAT32, true));
    assertEquals("cudaSetDevice", e.function());
    try (CudaDevice first = new CudaDevice(0, Precision.TF32, true)) {
      assertEquals("cuda:0:tf32", first.name());
    }
  }
}

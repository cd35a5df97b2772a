package io.gatun.kernel.scalar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScalarDeviceTest {

  @Test
  void itIsFoundByItsNameAndIsAlwaysThere() {
    try (Device device = Devices.open("scalar")) {
      assertInstanceOf(ScalarDevice.class, device);
      assertEquals("scalar", device.name());
      assertEquals(DType.FLOAT32, device.real());
      assertTrue(device.description().contains("float32"), device.description());
    }
    assertTrue(
        Devices.list().stream()
            .anyMatch(entry -> entry.name().equals("scalar") && entry.available()));
  }

  @Test
  void otherRealTypesAreRefused() {
    for (DType type : new DType[] {DType.FLOAT16, DType.BFLOAT16, DType.INT32, DType.BOOL}) {
      assertThrows(IllegalArgumentException.class, () -> new ScalarDevice(type));
    }
  }

  @Test
  void constantsAreUsedInPlaceWhereTheirMemoryIsHeldOpen() {
    Device device = new ScalarDevice(DType.FLOAT32);
    SharedArena weights = SharedArena.open("weights");
    Tensor tensor = Tensor.allocate(weights, DType.FLOAT32, 3, 4);
    Buffer constant = device.constant(tensor, "layer weights");
    assertEquals(tensor.segment().address(), ((HostBuffer) constant).address());
    assertTrue(
        assertThrows(IllegalStateException.class, weights::close)
            .getMessage()
            .contains("layer weights"));
    constant.close();
    weights.close();
    Tensor lasting = Tensor.allocate(Arena.global(), DType.INT64, 2);
    try (Buffer buffer = device.constant(lasting, "for ever")) {
      assertEquals(lasting.segment().address(), ((HostBuffer) buffer).address());
    }
    try (Arena arena = Arena.ofShared()) {
      Tensor held = Tensor.allocate(arena, DType.FLOAT32, 2);
      try (Buffer buffer = device.constant(held, "copied")) {
        assertTrue(held.segment().address() != ((HostBuffer) buffer).address());
      }
    }
  }

  @Test
  void memoryIsZeroedAndAligned() {
    try (Device device = new ScalarDevice(DType.FLOAT32)) {
      for (long bytes : new long[] {0, 1, 63, 1000}) {
        try (Buffer buffer = device.allocate(bytes)) {
          assertTrue(buffer.bytes() >= bytes);
          assertEquals(0, ((HostBuffer) buffer).address() % 64);
          for (long i = 0; i < bytes; i++) {
            byte at =
                ((HostBuffer) buffer).segment().get(java.lang.foreign.ValueLayout.JAVA_BYTE, i);
            assertEquals(0, at);
          }
        }
      }
      assertThrows(IllegalArgumentException.class, () -> device.allocate(-1));
    }
  }

  @Test
  void anotherThreadsMemoryIsRefused() throws InterruptedException {
    try (Device device = new ScalarDevice(DType.FLOAT32);
        Kernels kernels = device.open(Workers.none());
        Arena arena = Arena.ofConfined()) {
      Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, 4);
      Region region = new Region(device.wrap(tensor.segment()));
      Throwable[] thrown = new Throwable[1];
      Thread thread = new Thread(() -> kernels.activate(Activation.SIGMOID, region, region, 4));
      thread.setUncaughtExceptionHandler((t, e) -> thrown[0] = e);
      thread.start();
      thread.join();
      assertInstanceOf(WrongThreadException.class, thrown[0]);
    }
  }

  @Test
  void onceSizesHaveBeenSeenNothingIsAllocated() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Device device = new ScalarDevice(DType.FLOAT32);
        Workers workers = new Workers(2);
        Arena arena = Arena.ofShared()) {
      Tensor matrix = Tensor.allocate(arena, DType.FLOAT32, 8, 8).fill(0.1);
      List<Tensor> gates = Collections.nCopies(4, matrix);
      PackedMatrix b = device.pack(matrix, null);
      PackedRecurrent lstm =
          device.pack(
              RecurrentSpec.of(RecurrentSpec.Cell.LSTM, 8, 8),
              RecurrentWeights.of(gates, gates, List.of(), List.of()));
      for (Workers some : List.of(Workers.none(), workers)) {
        try (Kernels kernels = device.open(some);
            Buffer buffer = device.allocate(8 * 8 * 4)) {
          Region region = new Region(buffer);
          RecurrentCall call = new RecurrentCall();
          call.time = 2;
          call.batch = 4;
          call.input = region;
          call.inputTimeStride = 32;
          call.inputRowStride = 8;
          call.finalHidden = new Region(buffer, 0, 4 * 8 * 4);
          long[] strides = {8, 1};
          long[] turned = {1, 8};
          long[] extent = {8, 8};
          long least = Long.MAX_VALUE;
          // The least of several rounds: classes are loaded and call sites linked in the first.
          for (int round = 0; round < 20; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            kernels.multiply(region, 8, 8, b, Activation.TANH, region, 8);
            kernels.recurrent(lstm, call);
            kernels.activate(Activation.SIGMOID, region, region, 64);
            kernels.softmax(region, region, 8, 8, null, 0);
            kernels.copyStrided(region, 0, strides, region, 0, turned, extent, 4);
            kernels.binary(
                io.gatun.kernel.BinaryOperation.ADD,
                DType.FLOAT32,
                region,
                strides,
                region,
                turned,
                region,
                extent);
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
          }
          assertEquals(0, least, "bytes allocated with " + some.size() + " workers");
        }
      }
    }
  }
}

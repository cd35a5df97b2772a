package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class HostBufferTest {

  @Test
  void kernelsRefuseMemoryThatIsClosed() {
    Device device = new ScalarDevice(DType.FLOAT32);
    try (Kernels kernels = device.open(Workers.none());
        Buffer open = device.allocate(64)) {
      Buffer closed = device.allocate(64);
      closed.close();
      closed.close();
      assertThrows(
          IllegalStateException.class,
          () -> kernels.copy(new Region(closed), new Region(open), 64));
      Arena arena = Arena.ofConfined();
      Buffer wrapped = device.wrap(arena.allocate(64, 64));
      kernels.copy(new Region(wrapped), new Region(open), 64);
      arena.close();
      assertThrows(
          IllegalStateException.class,
          () -> kernels.copy(new Region(wrapped), new Region(open), 64));
    }
  }

  @Test
  void aLeaseKeepsTheArenaOpenUntilTheBufferIsClosed() {
    SharedArena arena = SharedArena.open("weights");
    HostBuffer buffer = HostBuffer.lease(arena.allocate(64, 64), arena, "a plan");
    assertThrows(IllegalStateException.class, arena::close);
    buffer.close();
    arena.close();
  }

  @Test
  void heapMemoryCannotBeUsedInPlace() {
    assertThrows(
        IllegalArgumentException.class, () -> HostBuffer.wrap(MemorySegment.ofArray(new float[4])));
    try (HostBuffer nothing = HostBuffer.allocate(0)) {
      assertEquals(0, nothing.bytes());
    }
  }
}

package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Host memory that a device copies from and to by itself, while the processor goes on. */
final class PinnedMemory implements AutoCloseable {
  private final CudaDevice device;
  private final Arena life = Arena.ofShared();
  private MemorySegment segment;

  @SuppressWarnings("restricted")
  PinnedMemory(CudaDevice device, long bytes) {
    this.device = device;
    device.makeCurrent();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      Calls.cuda("cudaHostAlloc", Cudart.cudaHostAlloc(pointer, bytes, 0));
      segment = pointer.get(ValueLayout.ADDRESS, 0).reinterpret(bytes, life, null);
    } catch (RuntimeException | Error e) {
      life.close();
      throw e;
    }
  }

  MemorySegment segment() {
    return segment;
  }

  @Override
  public void close() {
    if (segment != null) {
      if (device.usable()) {
        device.released("cudaFreeHost", Cudart.cudaFreeHost(segment));
      }
      segment = null;
      life.close();
    }
  }
}

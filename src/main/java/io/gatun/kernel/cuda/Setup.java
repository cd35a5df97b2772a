package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies that are done when their methods return, outside of anybody's order of work. */
final class Setup implements AutoCloseable {
  private final CudaDevice device;
  private final MemorySegment stream;

  Setup(CudaDevice device) {
    this.device = device;
    this.stream = newStream(device);
  }

  /** A stream that waits for no other. */
  static MemorySegment newStream(CudaDevice device) {
    device.makeCurrent();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      Calls.cuda(
          "cudaStreamCreateWithFlags",
          Cudart.cudaStreamCreateWithFlags(pointer, Cudart.cudaStreamNonBlocking));
      return pointer.get(ValueLayout.ADDRESS, 0);
    }
  }

  MemorySegment stream() {
    return stream;
  }

  void zero(CudaBuffer buffer) {
    MemorySegment target = MemorySegment.ofAddress(buffer.address());
    Calls.cuda("cudaMemsetAsync", Cudart.cudaMemsetAsync(target, 0, buffer.bytes(), stream));
    synchronize();
  }

  void upload(MemorySegment source, CudaBuffer target, long bytes) {
    if (bytes > 0) {
      Calls.cuda(
          "cudaMemcpyAsync",
          Cudart.cudaMemcpyAsync(
              MemorySegment.ofAddress(target.address()),
              source,
              bytes,
              Cudart.cudaMemcpyHostToDevice,
              stream));
      synchronize();
    }
  }

  void synchronize() {
    Calls.cuda("cudaStreamSynchronize", Cudart.cudaStreamSynchronize(stream));
  }

  @Override
  public void close() {
    if (device.usable()) {
      device.released("cudaStreamDestroy", Cudart.cudaStreamDestroy(stream));
    }
  }
}

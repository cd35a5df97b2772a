package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Pinned memory in two halves, through which small things go to the device without waiting: what
 * was put into one half is on its way while the other one is filled, and nobody writes over what
 * has not left yet.
 */
final class Stage implements AutoCloseable {
  private static final int HALF = 1 << 19;
  private static final int ALIGNMENT = 64;

  /** The largest thing that goes through here. */
  static final int LARGEST = HALF / 4;

  private final CudaDevice device;
  private final MemorySegment stream;
  private final PinnedMemory memory;
  private final MemorySegment[] left = new MemorySegment[2];
  private final boolean[] waiting = new boolean[2];
  private int half;
  private int used;

  Stage(CudaDevice device, MemorySegment stream) {
    this.device = device;
    this.stream = stream;
    this.memory = new PinnedMemory(device, 2L * HALF);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      for (int i = 0; i < 2; i++) {
        Calls.cuda(
            "cudaEventCreateWithFlags",
            Cudart.cudaEventCreateWithFlags(pointer, Cudart.cudaEventDisableTiming));
        left[i] = pointer.get(ValueLayout.ADDRESS, 0);
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Room for so many bytes, to be filled and sent before the next is asked for. */
  MemorySegment room(long bytes) {
    int needed = (int) ((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (used + needed > HALF) {
      Calls.cuda("cudaEventRecord", Cudart.cudaEventRecord(left[half], stream));
      waiting[half] = true;
      half = 1 - half;
      used = 0;
      if (waiting[half]) {
        Calls.cuda("cudaEventSynchronize", Cudart.cudaEventSynchronize(left[half]));
        waiting[half] = false;
      }
    }
    MemorySegment room = memory.segment().asSlice((long) half * HALF + used, bytes);
    used += needed;
    return room;
  }

  /** Sends room that has been filled. */
  void send(MemorySegment room, long target) {
    Calls.cuda(
        "cudaMemcpyAsync",
        Cudart.cudaMemcpyAsync(
            MemorySegment.ofAddress(target),
            room,
            room.byteSize(),
            Cudart.cudaMemcpyHostToDevice,
            stream));
  }

  @Override
  public void close() {
    for (int i = 0; i < 2; i++) {
      if (left[i] != null && device.usable()) {
        device.released("cudaEventDestroy", Cudart.cudaEventDestroy(left[i]));
      }
      left[i] = null;
    }
    memory.close();
  }
}

package io.gatun.training;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Memory for the inputs of one run after the other. For one thread at a time. */
final class Slab {
  private final SharedArena arena;
  private MemorySegment memory;
  private long used;
  private long wanted;

  Slab(SharedArena arena) {
    this.arena = arena;
    this.memory = arena.allocate(1 << 16, Tensor.ALIGNMENT);
  }

  /** Begins anew; the tensors of before are overwritten. */
  void reset() {
    if (wanted > memory.byteSize()) {
      // What was there stays with the arena; doubling bounds it by the size of the last one.
      memory = arena.allocate(2 * wanted, Tensor.ALIGNMENT);
    }
    used = 0;
    wanted = 0;
  }

  /** A tensor of zeros. */
  Tensor tensor(DType type, long... dims) {
    long bytes = Math.max(type.bytes(), Shape.of(dims).elements() * type.bytes());
    long room = (bytes + Tensor.ALIGNMENT - 1) / Tensor.ALIGNMENT * Tensor.ALIGNMENT;
    wanted += room;
    MemorySegment part;
    if (used + room <= memory.byteSize()) {
      part = memory.asSlice(used, bytes).fill((byte) 0);
      used += room;
    } else {
      part = arena.allocate(bytes, Tensor.ALIGNMENT);
    }
    return Tensor.wrap(part.asSlice(0, Shape.of(dims).elements() * type.bytes()), type, dims);
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Single float32 numbers and runs of them by address, for what is not worth a vector. */
final class Floats {
  private Floats() {}

  static float get(long address, long index) {
    return MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address + index * Float.BYTES);
  }

  static void put(long address, long index, float value) {
    MEMORY.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address + index * Float.BYTES, value);
  }

  static void copy(long from, long to, int count) {
    MemorySegment.copy(MEMORY, from, MEMORY, to, (long) count * Float.BYTES);
  }

  /** Copies numbers that lie {@code stride} bytes apart to where they follow one another. */
  static void gather(long from, long stride, long to, int count) {
    for (int i = 0; i < count; i++) {
      put(to, i, get(from + i * stride, 0));
    }
  }

  /** Sets the elements {@code from} to {@code to} − 1. */
  static void fill(long address, int from, int to, float value) {
    for (int i = from; i < to; i++) {
      MEMORY.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address + (long) i * Float.BYTES, value);
    }
  }

  /** One vector of partial sums, always added up in the same order. */
  static double sum(long partial) {
    double sum = 0;
    for (int i = 0; i < LANES; i++) {
      sum += get(partial, i);
    }
    return sum;
  }

  /** A copy of a tensor in contiguous float32, that lives as long as the arena. */
  static long copyOf(Arena arena, Tensor tensor) {
    return Tensor.allocate(arena, DType.FLOAT32, tensor.shape().dims())
        .copyFrom(tensor)
        .segment()
        .address();
  }
}

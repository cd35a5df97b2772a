package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;

/** Functions of two rows of whole vectors; a step of 0 repeats one vector. */
final class BinaryPasses {
  private BinaryPasses() {}

  static void add(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.add(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  static void subtract(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.sub(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  static void multiply(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.mul(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  static void divide(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.div(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  static void maximum(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.max(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }

  static void minimum(long a, int aStep, long b, int bStep, long out, int vectors) {
    for (int i = 0; i < vectors; i++) {
      FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + (long) i * aStep, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + (long) i * bStep, ORDER);
      VECTOR.cast(x.min(y)).intoMemorySegment(MEMORY, out + (long) i * BYTES, ORDER);
    }
  }
}

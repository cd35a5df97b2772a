package io.gatun.jmh.gate;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vector code as somebody else might have it in the same process: other widths and types, arrays
 * and segments of the heap and of native memory, masks, conversions, reductions. All of it goes
 * through the same few methods of the JDK as the kernels do, and leaves its types in their
 * profiles.
 */
final class ForeignVectors {
  private static final int SIZE = 1024;

  private final float[] floats = new float[SIZE];
  private final int[] ints = new int[SIZE];
  private final byte[] bytes = new byte[SIZE * Float.BYTES];

  private ForeignVectors() {}

  /** Runs all of it for some time; the sum is for nobody. */
  static double run(long millis) {
    ForeignVectors foreign = new ForeignVectors();
    double sum = 0;
    long end = System.nanoTime() + millis * 1_000_000;
    try (Arena arena = Arena.ofConfined();
        Arena shared = Arena.ofShared()) {
      MemorySegment[] segments = {
        MemorySegment.ofArray(foreign.bytes),
        arena.allocate(SIZE * Float.BYTES, 64),
        shared.allocate(SIZE * Float.BYTES, 64),
        arena.allocate(SIZE * Float.BYTES * 2L, 64).asSlice(64, SIZE * Float.BYTES)
      };
      do {
        for (int i = 0; i < 20; i++) {
          sum += foreign.floats(FloatVector.SPECIES_64);
          sum += foreign.floats(FloatVector.SPECIES_128);
          sum += foreign.floats(FloatVector.SPECIES_256);
          sum += foreign.floats(FloatVector.SPECIES_512);
          sum += foreign.ints(IntVector.SPECIES_128);
          sum += foreign.ints(IntVector.SPECIES_256);
          sum += foreign.ints(IntVector.SPECIES_512);
          for (MemorySegment segment : segments) {
            sum += segment(FloatVector.SPECIES_128, segment);
            sum += segment(FloatVector.SPECIES_256, segment);
            sum += segment(FloatVector.SPECIES_512, segment);
            sum += doubles(DoubleVector.SPECIES_256, segment);
            sum += doubles(DoubleVector.SPECIES_512, segment);
          }
        }
      } while (System.nanoTime() < end);
    }
    return sum;
  }

  private double floats(VectorSpecies<Float> species) {
    FloatVector total = FloatVector.zero(species);
    for (int i = 0; i < SIZE; i += species.length()) {
      VectorMask<Float> mask = species.indexInRange(i, SIZE - 3);
      FloatVector x = FloatVector.fromArray(species, floats, i, mask);
      x = x.fma(x, x).add(1f).lanewise(VectorOperators.MAX, 0.5f);
      x.mul(0.25f).intoArray(floats, i, mask);
      total = total.add(x, x.compare(VectorOperators.LT, 2f));
    }
    return total.reduceLanes(VectorOperators.ADD);
  }

  private double ints(VectorSpecies<Integer> species) {
    IntVector total = IntVector.zero(species);
    for (int i = 0; i < SIZE; i += species.length()) {
      IntVector x = IntVector.fromArray(species, ints, i).add(3).lanewise(VectorOperators.XOR, 5);
      x.intoArray(ints, i);
      total = total.add(x.and(255));
    }
    return total.reduceLanes(VectorOperators.MAX);
  }

  private static double segment(VectorSpecies<Float> species, MemorySegment segment) {
    ByteOrder order = ByteOrder.nativeOrder();
    FloatVector total = FloatVector.zero(species);
    for (int i = 0; i < SIZE; i += species.length()) {
      FloatVector x = FloatVector.fromMemorySegment(species, segment, (long) i * 4, order);
      x = x.mul(0.5f).sub(1f).abs();
      x.intoMemorySegment(segment, (long) i * 4, order);
      total = total.blend(x, x.compare(VectorOperators.GT, total));
    }
    return total.reduceLanes(VectorOperators.MAX);
  }

  private static double doubles(VectorSpecies<Double> species, MemorySegment segment) {
    ByteOrder order = ByteOrder.nativeOrder();
    DoubleVector total = DoubleVector.zero(species);
    for (int i = 0; i < SIZE / 2; i += species.length()) {
      DoubleVector x = DoubleVector.fromMemorySegment(species, segment, (long) i * 8, order);
      total = total.add(x.mul(0));
      total.intoMemorySegment(segment, (long) i * 8, order);
    }
    return total.reduceLanes(VectorOperators.ADD);
  }
}

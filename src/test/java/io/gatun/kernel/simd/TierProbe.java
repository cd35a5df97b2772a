package io.gatun.kernel.simd;

import com.sun.management.ThreadMXBean;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The process that {@link LastTierTest} starts: runs vector code as somebody else might have it,
 * then each kernel until it leaves nothing on the heap, and says when one never does.
 */
final class TierProbe {
  private static final int SIZE = 256;
  private static final int QUIET_CALLS = 100;
  private static final long MOST_NANOS = 30_000_000_000L;

  private TierProbe() {}

  /**
   * Runs it; prints {@code boxed NAME BYTES} for kernels that make objects of vectors to the end.
   */
  public static void main(String[] args) {
    ColdStart.set(false);
    float sum = foreign();
    Map<String, Runnable> calls = new LinkedHashMap<>();
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        Buffer in = device.allocate(1 << 16);
        Buffer out = device.allocate(1 << 16)) {
      Region left = new Region(in);
      Region result = new Region(out);
      PackedMatrix matrix =
          device.pack(Tensor.allocate(arena, DType.FLOAT32, 60, 100 + 2 * Lanes.LANES), null);
      for (int rows = 1; rows <= 6; rows++) {
        int some = rows;
        calls.put(
            "product of " + rows,
            () ->
                kernels.multiply(
                    left, 60, some, matrix, Activation.TANH, result, matrix.columns()));
      }
      PackedMatrix odd =
          device.pack(Tensor.allocate(arena, DType.FLOAT32, 59, 100 + 2 * Lanes.LANES), null);
      calls.put(
          "product of 6, an odd number of terms",
          () -> kernels.multiply(left, 60, 6, odd, Activation.TANH, result, odd.columns()));
      List<PackedRecurrent> layers = new ArrayList<>();
      for (Cell cell : Cell.values()) {
        List<Tensor> weights = new ArrayList<>();
        for (int gate = 0; gate < cell.gates(); gate++) {
          weights.add(Tensor.allocate(arena, DType.FLOAT32, 32, 32));
        }
        PackedRecurrent layer =
            device.pack(
                RecurrentSpec.of(cell, 32, 32),
                RecurrentWeights.of(weights, weights, List.of(), List.of()));
        layers.add(layer);
        RecurrentCall call = new RecurrentCall();
        call.time = 4;
        call.batch = 6;
        call.input = left;
        call.inputTimeStride = 6 * 32;
        call.inputRowStride = 32;
        calls.put(cell.name(), () -> kernels.recurrent(layer, call));
      }
      calls.put("softmax", () -> kernels.softmax(left, result, 8, 50, null, 1));
      calls.put("logSoftmax", () -> kernels.logSoftmax(left, result, 8, 50));
      calls.put("layerNorm", () -> kernels.layerNorm(left, result, 8, 50, left, left, 1e-5));
      calls.put("sigmoid", () -> kernels.activate(Activation.SIGMOID, left, result, 500));
      calls.forEach(TierProbe::settle);
      layers.forEach(PackedRecurrent::close);
      matrix.close();
      odd.close();
    }
    System.out.println("done " + (sum != 0.5f));
  }

  private static void settle(String name, Runnable call) {
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long end = System.nanoTime() + MOST_NANOS;
    long bytes = 0;
    int quiet = 0;
    while (quiet < QUIET_CALLS && System.nanoTime() < end) {
      long before = thread.getCurrentThreadAllocatedBytes();
      call.run();
      bytes = thread.getCurrentThreadAllocatedBytes() - before;
      quiet = bytes == 0 ? quiet + 1 : 0;
    }
    if (quiet < QUIET_CALLS) {
      System.out.println("boxed " + name + " " + bytes);
    }
  }

  private static float foreign() {
    float sum = 0;
    float[] floats = new float[SIZE];
    int[] ints = new int[SIZE];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment[] segments = {
        MemorySegment.ofArray(new byte[SIZE * Float.BYTES]), arena.allocate(SIZE * Float.BYTES, 64)
      };
      for (int i = 0; i < 3000; i++) {
        sum += arrays(FloatVector.SPECIES_128, floats) + arrays(FloatVector.SPECIES_256, floats);
        sum += arrays(FloatVector.SPECIES_64, floats) + arrays(FloatVector.SPECIES_512, floats);
        IntVector all = IntVector.fromArray(IntVector.SPECIES_256, ints, i % 128).add(1);
        all.intoArray(ints, i % 128);
        sum += all.reduceLanes(VectorOperators.ADD);
        for (MemorySegment segment : segments) {
          sum += segment(FloatVector.SPECIES_128, segment);
          sum += segment(FloatVector.SPECIES_256, segment);
          sum += segment(FloatVector.SPECIES_512, segment);
        }
      }
    }
    return sum;
  }

  private static float arrays(VectorSpecies<Float> species, float[] array) {
    FloatVector total = FloatVector.zero(species);
    for (int i = 0; i < SIZE; i += species.length()) {
      VectorMask<Float> mask = species.indexInRange(i, SIZE - 3);
      FloatVector x = FloatVector.fromArray(species, array, i, mask).mul(0.5f).add(1f);
      x.intoArray(array, i, mask);
      total = x.fma(x, total);
    }
    return total.reduceLanes(VectorOperators.ADD);
  }

  private static float segment(VectorSpecies<Float> species, MemorySegment segment) {
    ByteOrder order = ByteOrder.nativeOrder();
    FloatVector total = FloatVector.zero(species);
    for (int i = 0; i < SIZE; i += species.length()) {
      FloatVector x = FloatVector.fromMemorySegment(species, segment, 4L * i, order);
      total = total.add(x.sub(1f).abs());
      total.intoMemorySegment(segment, 4L * i, order);
    }
    return total.reduceLanes(VectorOperators.MAX);
  }
}

package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Seeds;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Two threads with a direction each compute the bits of one thread with one after the other. */
class BothDirectionsTest {
  private static final int TIME = 40;
  private static final int HIDDEN = 130;

  private final Random random = Seeds.random("BothDirectionsTest");

  @ParameterizedTest
  @EnumSource(Cell.class)
  void sideBySideAreThoseInTurn(Cell cell) {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open()) {
      RecurrentSpec spec = RecurrentSpec.of(cell, HIDDEN, HIDDEN);
      try (PackedRecurrent forward = device.pack(spec, weights(arena, cell));
          PackedRecurrent backward = device.pack(spec, weights(arena, cell))) {
        for (int batch : new int[] {1, 3, 7, 8}) {
          Tensor input = normal(arena, TIME, batch, HIDDEN);
          try (Workers two = new Workers(2)) {
            assertEquals(
                batch < 8,
                RecurrentRun.sideBySide((SimdPackedRecurrent) forward, call(batch, false), 2));
            assertArrayEquals(
                run(device, Workers.none(), forward, backward, input, batch),
                run(device, two, forward, backward, input, batch));
          }
        }
      }
    }
  }

  private static float[] run(
      Device device,
      Workers workers,
      PackedRecurrent forward,
      PackedRecurrent backward,
      Tensor input,
      int batch) {
    long each = (long) TIME * batch * HIDDEN * Float.BYTES;
    try (Arena arena = Arena.ofConfined();
        Kernels kernels = device.open(workers);
        Buffer in = device.allocate(each);
        Buffer out = device.allocate(2 * each)) {
      kernels.upload(input, new Region(in));
      RecurrentCall there = call(batch, false);
      RecurrentCall back = call(batch, true);
      there.input = new Region(in);
      back.input = there.input;
      there.output = new Region(out, 0, each);
      back.output = new Region(out, each, each);
      kernels.recurrent(forward, there, backward, back);
      Tensor both = Tensor.allocate(arena, DType.FLOAT32, 2L * TIME * batch * HIDDEN);
      kernels.download(new Region(out), both);
      return both.toFloats();
    }
  }

  private static RecurrentCall call(int batch, boolean reverse) {
    RecurrentCall call = new RecurrentCall();
    call.time = TIME;
    call.batch = batch;
    call.reverse = reverse;
    call.inputTimeStride = (long) batch * HIDDEN;
    call.inputRowStride = HIDDEN;
    call.outputTimeStride = (long) batch * HIDDEN;
    call.outputRowStride = HIDDEN;
    return call;
  }

  private RecurrentWeights weights(Arena arena, Cell cell) {
    List<Tensor> matrices = new ArrayList<>();
    List<Tensor> biases = new ArrayList<>();
    for (int gate = 0; gate < cell.gates(); gate++) {
      matrices.add(normal(arena, HIDDEN, HIDDEN));
      biases.add(normal(arena, HIDDEN));
    }
    return RecurrentWeights.of(matrices, matrices, biases, biases);
  }

  private Tensor normal(Arena arena, long... dims) {
    return RandomTensors.normal(arena, random, 0.1, dims);
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.RandomTensors.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.params.provider.Arguments.arguments;

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
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Sequences so few that a team goes through the time steps together. */
class SharedStepTest {
  private static final int TIME = 9;

  /** What a layer may be beside what its cell is. */
  enum Kind {
    USUAL,
    RESET_BEFORE,
    CLIPPED,
    PROJECTED,
    NORMALISED
  }

  static Stream<Arguments> layers() {
    return Stream.of(Cell.values())
        .flatMap(cell -> Stream.of(Kind.values()).map(kind -> arguments(cell, kind)))
        .filter(all -> all.get()[1] != Kind.RESET_BEFORE || all.get()[0] == Cell.GRU)
        .filter(all -> all.get()[1] != Kind.PROJECTED || all.get()[0] == Cell.LSTM);
  }

  @ParameterizedTest
  @MethodSource("layers")
  void fewSequencesOfALayerGiveTheSameBitsOnAnyNumberOfThreads(Cell cell, Kind kind) {
    int hidden = 300;
    int state = kind == Kind.PROJECTED ? 210 : hidden;
    Random random = Seeds.random("SharedStepTest");
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open()) {
      List<Tensor> input = new ArrayList<>();
      List<Tensor> recurrent = new ArrayList<>();
      List<Tensor> biases = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        input.add(normal(arena, random, 0.04, hidden, state));
        recurrent.add(normal(arena, random, 0.04, hidden, state));
        biases.add(normal(arena, random, 0.1, hidden));
      }
      RecurrentSpec usual = RecurrentSpec.of(cell, state, hidden);
      RecurrentSpec spec =
          new RecurrentSpec(
              cell,
              state,
              hidden,
              kind == Kind.PROJECTED ? state : 0,
              usual.activations(),
              kind == Kind.CLIPPED ? 0.7f : 0,
              cell == Cell.GRU && kind != Kind.RESET_BEFORE && kind != Kind.NORMALISED,
              false,
              kind == Kind.NORMALISED ? 1e-5f : 0);
      List<Tensor> normalisation = new ArrayList<>();
      for (int i = 0; kind == Kind.NORMALISED && i < (cell == Cell.LSTM ? 6 : 4); i++) {
        long size = i < 4 ? (long) cell.gates() * hidden : hidden;
        normalisation.add(normal(arena, random, 0.5, size));
      }
      RecurrentWeights all =
          new RecurrentWeights(
              input,
              recurrent,
              biases,
              biases,
              List.of(),
              kind == Kind.PROJECTED ? normal(arena, random, 0.04, state, hidden) : null,
              normalisation);
      try (PackedRecurrent layer = device.pack(spec, all)) {
        for (int batch : new int[] {1, 3, 7}) {
          Tensor x = normal(arena, random, 1, TIME, batch, state);
          int[] lengths = random.ints(batch, 0, TIME + 1).toArray();
          lengths[random.nextInt(batch)] = TIME;
          float[] alone = run(device, layer, x, lengths, 1);
          for (int threads : new int[] {2, 3, 8}) {
            assertArrayEquals(
                alone,
                run(device, layer, x, lengths, threads),
                () -> cell + ", batch " + batch + ", " + threads + " threads");
          }
        }
      }
    }
  }

  /** Outputs, final states and final cell states. */
  private static float[] run(
      Device device, PackedRecurrent layer, Tensor input, int[] lengths, int threads) {
    long batch = input.dim(1);
    long state = input.dim(2);
    long hidden = layer.spec().hiddenSize();
    try (Workers workers = new Workers(threads);
        Kernels kernels = device.open(workers);
        Arena arena = Arena.ofConfined();
        Buffer in = device.allocate(input.byteSize());
        Buffer ends = device.allocate(batch * Integer.BYTES);
        Buffer out = device.allocate(input.byteSize() + batch * (state + hidden) * Float.BYTES)) {
      RecurrentCall call = new RecurrentCall();
      call.time = TIME;
      call.batch = (int) batch;
      call.input = new Region(in);
      call.inputTimeStride = batch * state;
      call.inputRowStride = state;
      call.lengths = new Region(ends);
      call.output = new Region(out);
      call.outputTimeStride = batch * state;
      call.outputRowStride = state;
      long states = batch * state * Float.BYTES;
      call.finalHidden = new Region(out, input.byteSize(), states);
      if (layer.spec().cell() == Cell.LSTM) {
        long bytes = batch * hidden * Float.BYTES;
        call.finalCell = new Region(out, input.byteSize() + states, bytes);
      }
      kernels.upload(input, call.input);
      kernels.upload(Tensor.ofInts(arena, lengths, batch), call.lengths);
      kernels.recurrent(layer, call);
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, out.bytes() / Float.BYTES);
      kernels.download(call.output, result);
      return result.toFloats();
    }
  }
}

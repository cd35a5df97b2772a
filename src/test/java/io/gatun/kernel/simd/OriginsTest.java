package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.gatun.Seeds;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedEmbedding;
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
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows in the same state have one product, and nothing shows of it but the time. */
class OriginsTest {
  private static final int TIME = 3;
  private static final int HIDDEN = 70;
  private static final int TOKENS = 11;

  private final Random random = Seeds.random("OriginsTest");

  @Test
  void everyRowGetsTheProductOfItsState() {
    int floats = 32;
    long stride = (long) floats * Float.BYTES;
    for (int rows : new int[] {1, 2, 5, 6, 7, 48, 100, 252}) {
      for (int states : new int[] {1, 2, rows / 2 + 1, rows}) {
        for (int most : new int[] {1, 6, 48, Integer.MAX_VALUE}) {
          try (Arena arena = Arena.ofConfined()) {
            Tensor h = states(arena, rows, states, floats);
            Origins origins = new Origins();
            origins.reserve(rows);
            origins.find(h.segment().address(), stride, rows);
            float[][] given = rows(h);
            long different = Arrays.stream(given).map(Arrays::toString).distinct().count();
            if (different == rows) {
              assertNull(origins.orNull());
              continue;
            }
            assertNotNull(origins.orNull());
            assertEquals(
                Math.max(different, Math.min(6, rows)),
                origins.gather(0, rows, h.segment().address(), stride));
            Tensor products = Tensor.allocate(arena, DType.FLOAT32, rows, floats);
            float[][] got = new float[rows][];
            for (int from = 0, to; from < rows; from = to) {
              to = origins.blockEnd(from, rows, most);
              int some = origins.gather(from, to, h.segment().address(), stride);
              long z = products.segment().address();
              for (int i = 0; i < some; i++) {
                Floats.copy(origins.addresses()[i], z + i * stride, floats);
              }
              origins.spread(z, stride, floats);
              System.arraycopy(rows(products), 0, got, from, to - from);
            }
            assertArrayEquals(given, got);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Cell.class)
  void sequencesThatBeginInTheSameStateAreThoseByThemselves(Cell cell) {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open()) {
      List<Tensor> matrices = new ArrayList<>();
      List<Tensor> biases = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        matrices.add(normal(arena, HIDDEN, HIDDEN));
        biases.add(normal(arena, HIDDEN));
      }
      RecurrentSpec spec = RecurrentSpec.of(cell, HIDDEN, HIDDEN);
      RecurrentWeights weights = RecurrentWeights.of(matrices, matrices, biases, biases);
      Tensor table = normal(arena, TOKENS, HIDDEN);
      try (PackedRecurrent layer = device.pack(spec, weights);
          PackedEmbedding embedding = device.pack(layer, table)) {
        for (int batch : new int[] {4, 97, 300}) {
          Tensor initial = states(arena, batch, batch / 3 + 1, HIDDEN);
          Tensor cells = normal(arena, batch, HIDDEN);
          int[] tokens = random.ints((long) TIME * batch, 0, TOKENS).toArray();
          float[] together = run(device, layer, null, table, initial, cells, tokens, batch);
          assertArrayEquals(
              together, run(device, layer, embedding, table, initial, cells, tokens, batch));
          for (int b = 0; b < batch; b += 1 + random.nextInt(20)) {
            int[] own = {tokens[b], tokens[batch + b], tokens[2 * batch + b]};
            assertArrayEquals(
                run(
                    device,
                    layer,
                    null,
                    table,
                    initial.slice(0, b, b + 1),
                    cells.slice(0, b, b + 1),
                    own,
                    1),
                Arrays.copyOfRange(together, b * HIDDEN, (b + 1) * HIDDEN));
          }
        }
      }
    }
  }

  /** The states in the end. */
  private static float[] run(
      Device device,
      PackedRecurrent layer,
      PackedEmbedding embedding,
      Tensor table,
      Tensor initial,
      Tensor cells,
      int[] tokens,
      int batch) {
    try (Arena arena = Arena.ofConfined();
        Kernels kernels = device.open(Workers.none());
        Buffer ids = device.allocate((long) tokens.length * Integer.BYTES);
        Buffer in = device.allocate((long) tokens.length * HIDDEN * Float.BYTES);
        Buffer h = device.allocate((long) batch * HIDDEN * Float.BYTES);
        Buffer c = device.allocate((long) batch * HIDDEN * Float.BYTES)) {
      RecurrentCall call = new RecurrentCall();
      call.time = TIME;
      call.batch = batch;
      if (embedding != null) {
        call.embedding = embedding;
        call.tokens = new Region(ids);
        call.tokenType = DType.INT32;
        call.inputTimeStride = batch;
        call.inputRowStride = 1;
        kernels.upload(Tensor.ofInts(arena, tokens, tokens.length), call.tokens);
      } else {
        Tensor rows = Tensor.allocate(arena, DType.FLOAT32, tokens.length, HIDDEN);
        for (int i = 0; i < tokens.length; i++) {
          rows.slice(0, i, i + 1).copyFrom(table.slice(0, tokens[i], tokens[i] + 1));
        }
        call.input = new Region(in);
        call.inputTimeStride = (long) batch * HIDDEN;
        call.inputRowStride = HIDDEN;
        kernels.upload(rows, call.input);
      }
      kernels.upload(initial, new Region(h));
      call.initialHidden = new Region(h);
      call.finalHidden = new Region(h);
      if (layer.spec().cell() == Cell.LSTM) {
        kernels.upload(cells, new Region(c));
        call.initialCell = new Region(c);
      }
      kernels.recurrent(layer, call);
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, (long) batch * HIDDEN);
      kernels.download(call.finalHidden, result);
      return result.toFloats();
    }
  }

  /** Rows of so many different ones at most, in any order. */
  private Tensor states(Arena arena, int rows, int different, int size) {
    Tensor all = normal(arena, different, size);
    Tensor result = Tensor.allocate(arena, DType.FLOAT32, rows, size);
    for (int row = 0; row < rows; row++) {
      int which = different == rows ? row : random.nextInt(different);
      result.slice(0, row, row + 1).copyFrom(all.slice(0, which, which + 1));
    }
    return result;
  }

  private static float[][] rows(Tensor matrix) {
    float[][] rows = new float[(int) matrix.dim(0)][];
    for (int row = 0; row < rows.length; row++) {
      rows[row] = matrix.slice(0, row, row + 1).toFloats();
    }
    return rows;
  }

  private Tensor normal(Arena arena, long... dims) {
    return RandomTensors.normal(arena, random, 0.2, dims);
  }
}

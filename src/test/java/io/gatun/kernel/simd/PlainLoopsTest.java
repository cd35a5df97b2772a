package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.Seeds;
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
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What computes at the start of a process gives the bits of what computes later. */
class PlainLoopsTest {
  private static final int[] SIZES = {1, 2, 15, 16, 17, 31, 33, 64, 67, 100, 130};

  private final Random random = Seeds.random("PlainLoopsTest");

  @AfterEach
  void vectorsComputeInOtherTests() {
    ColdStart.set(false);
  }

  @ParameterizedTest
  @EnumSource(WeightFormat.class)
  void productsHaveTheSameBits(WeightFormat format) {
    for (int inner : SIZES) {
      for (int columns : SIZES) {
        for (int rows : new int[] {1, 2, 5, 6, 7, 13}) {
          try (Arena arena = Arena.ofConfined();
              Device device = new SimdProvider().open();
              PackedMatrix matrix =
                  device.pack(normal(arena, inner, columns), bias(arena, columns), format)) {
            Tensor left = normal(arena, rows, inner);
            same(
                device,
                left,
                rows * columns,
                (kernels, in, out) ->
                    kernels.multiply(in, inner, rows, matrix, Activation.IDENTITY, out, columns));
          }
        }
      }
    }
  }

  @Test
  void activationsHaveTheSameBits() {
    for (Activation activation : List.of(Activation.TANH, Activation.SIGMOID, Activation.RELU)) {
      for (int size : SIZES) {
        try (Arena arena = Arena.ofConfined();
            Device device = new SimdProvider().open()) {
          Tensor row = normal(arena, size);
          row.setFloat(Float.NaN, size / 2);
          row.setFloat(-0f, size / 3);
          row.setFloat(-200f, size / 4);
          same(
              device, row, size, (kernels, in, out) -> kernels.activate(activation, in, out, size));
        }
      }
    }
  }

  @Test
  void softmaxHasTheSameBits() {
    for (int size : SIZES) {
      try (Arena arena = Arena.ofConfined();
          Device device = new SimdProvider().open()) {
        Tensor rows = normal(arena, 3, size);
        rows.setFloat(Float.NEGATIVE_INFINITY, 1, size / 2);
        rows.setFloat(200f, 2, size / 2);
        same(
            device,
            rows,
            3 * size,
            (kernels, in, out) -> kernels.softmax(in, out, 3, size, null, 1));
        same(device, rows, 3 * size, (kernels, in, out) -> kernels.logSoftmax(in, out, 3, size));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Cell.class)
  void layersHaveTheSameBits(Cell cell) {
    for (int hidden : SIZES) {
      for (int batch : new int[] {1, 2, 7}) {
        layer(cell, hidden, batch, 1);
      }
      // So large that the functions saturate.
      layer(cell, hidden, 2, 40);
    }
  }

  private void layer(Cell cell, int hidden, int batch, double scale) {
    int time = 4;
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open()) {
      List<Tensor> weights = new ArrayList<>();
      List<Tensor> biases = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        weights.add(normal(arena, hidden, hidden));
        biases.add(bias(arena, hidden));
      }
      RecurrentWeights all = RecurrentWeights.of(weights, weights, biases, biases);
      Tensor input = normal(arena, time, batch, hidden);
      for (long t = 0; t < time; t++) {
        input.setFloat((float) scale * input.getFloat(t, 0, 0), t, 0, 0);
      }
      try (PackedRecurrent packed = device.pack(RecurrentSpec.of(cell, hidden, hidden), all)) {
        RecurrentCall call = new RecurrentCall();
        call.time = time;
        call.batch = batch;
        call.inputTimeStride = (long) batch * hidden;
        call.inputRowStride = hidden;
        call.outputTimeStride = (long) batch * hidden;
        call.outputRowStride = hidden;
        same(
            device,
            input,
            time * batch * hidden,
            (kernels, in, out) -> {
              call.input = in;
              call.output = out;
              kernels.recurrent(packed, call);
            });
      }
    }
  }

  private interface Computation {
    void run(Kernels kernels, Region in, Region out);
  }

  private static void same(Device device, Tensor input, int outputs, Computation computation) {
    ColdStart.set(true);
    float[] plain = run(device, input, outputs, computation);
    ColdStart.set(false);
    assertArrayEquals(run(device, input, outputs, computation), plain);
  }

  private static float[] run(Device device, Tensor input, int outputs, Computation computation) {
    try (Arena arena = Arena.ofConfined();
        Kernels kernels = device.open(Workers.none());
        Buffer in = device.allocate(input.byteSize());
        Buffer out = device.allocate((long) outputs * Float.BYTES)) {
      kernels.upload(input, new Region(in));
      computation.run(kernels, new Region(in), new Region(out));
      Tensor result = Tensor.allocate(arena, DType.FLOAT32, outputs);
      kernels.download(new Region(out), result);
      return result.toFloats();
    }
  }

  private Tensor normal(Arena arena, long... dims) {
    return filled(arena, 1, dims);
  }

  private Tensor bias(Arena arena, long size) {
    return filled(arena, 0.5, size);
  }

  private Tensor filled(Arena arena, double deviation, long... dims) {
    return RandomTensors.normal(arena, random, deviation, dims);
  }
}

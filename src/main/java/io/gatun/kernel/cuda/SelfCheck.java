package io.gatun.kernel.cuda;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * A few small sums that a device must do as the plain loops do before it is handed out: a product
 * with an activation, layers whole, step by step and in both directions, a softmax. A driver, a
 * library or a card that does something else than was understood is found out here, and not by
 * somebody's wrong numbers.
 */
final class SelfCheck {
  private static final int TIME = 3;
  private static final int BATCH = 2;
  private static final int SIZE = 5;

  /** Factors may be rounded to 8 bits, and sums are of few terms about 1. */
  private static final double ALLOWED = 0.02;

  private SelfCheck() {}

  /**
   * Checks a device.
   *
   * @throws IllegalStateException if something comes out differently
   */
  static void check(CudaDevice device) {
    double[] expected;
    try (ScalarDevice plain = new ScalarDevice(DType.FLOAT32)) {
      expected = sums(plain);
    }
    double[] come = sums(device);
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(expected[i] - come[i]) <= ALLOWED)) {
        throw new IllegalStateException(
            device.name()
                + " computes "
                + come[i]
                + " where the processor computes "
                + expected[i]
                + " (number "
                + i
                + " of its check of itself); use --device simd, and please report it");
      }
    }
  }

  private static double[] sums(Device device) {
    List<AutoCloseable> packed = new ArrayList<>();
    try (Arena arena = Arena.ofConfined();
        Kernels kernels = device.open(Workers.none());
        Buffer input = device.constant(numbers(arena, 0, TIME, BATCH, SIZE), "x");
        Buffer memory = device.allocate(4096)) {
      Region x = new Region(input);
      PackedMatrix matrix = device.pack(numbers(arena, 1, SIZE, SIZE), numbers(arena, 2, SIZE));
      packed.add(matrix);
      int rows = TIME * BATCH;
      int each = rows * SIZE;
      long bytes = (long) each * Float.BYTES;
      Region y = new Region(memory, 0, bytes);
      kernels.multiply(x, SIZE, rows, matrix, Activation.TANH, y, SIZE);
      kernels.logSoftmax(y, y, rows, SIZE);
      int place = 1;
      for (RecurrentSpec.Cell cell : RecurrentSpec.Cell.values()) {
        PackedRecurrent layer =
            device.pack(RecurrentSpec.of(cell, SIZE, SIZE), weights(arena, cell, 3));
        packed.add(layer);
        RecurrentCall call = new RecurrentCall();
        call.batch = BATCH;
        call.inputTimeStride = (long) BATCH * SIZE;
        call.inputRowStride = SIZE;
        call.outputTimeStride = (long) BATCH * SIZE;
        call.outputRowStride = SIZE;
        // Whole, and the first step alone.
        for (int time : new int[] {TIME, 1}) {
          call.time = time;
          call.input = x;
          call.output = new Region(memory, place++ * bytes, bytes);
          kernels.recurrent(layer, call);
        }
      }
      bothDirections(
          device, kernels, arena, packed, x, new Region(memory, place * bytes, 2 * bytes));
      place += 2;
      Tensor all = Tensor.allocate(arena, DType.FLOAT32, (long) place * each);
      kernels.download(new Region(memory, 0, place * bytes), all);
      return all.toDoubles();
    } finally {
      for (AutoCloseable each : packed) {
        close(each);
      }
    }
  }

  /** An LSTM over {@code [batch, time, size]}, what its directions say side by side. */
  private static void bothDirections(
      Device device,
      Kernels kernels,
      Arena arena,
      List<AutoCloseable> packed,
      Region input,
      Region output) {
    RecurrentSpec spec = RecurrentSpec.of(RecurrentSpec.Cell.LSTM, SIZE, SIZE);
    List<PackedRecurrent> both =
        device.pack(
            List.of(spec, spec),
            List.of(weights(arena, spec.cell(), 3), weights(arena, spec.cell(), 23)),
            WeightFormat.FLOAT32);
    packed.addAll(both);
    RecurrentCall[] calls = new RecurrentCall[2];
    for (int d = 0; d < 2; d++) {
      RecurrentCall call = new RecurrentCall();
      calls[d] = call;
      call.reverse = d == 1;
      call.time = TIME;
      call.batch = BATCH;
      call.input = input;
      call.inputTimeStride = SIZE;
      call.inputRowStride = (long) TIME * SIZE;
      long from = (long) d * SIZE * Float.BYTES;
      call.output = new Region(output.buffer(), output.offset() + from, output.bytes() - from);
      call.outputTimeStride = 2L * SIZE;
      call.outputRowStride = 2L * TIME * SIZE;
    }
    kernels.recurrent(both.get(0), calls[0], both.get(1), calls[1]);
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      throw new IllegalStateException("closing what a device was checked with", e);
    }
  }

  /** Numbers that differ, about 0 and no larger than 1. */
  private static Tensor numbers(Arena arena, int seed, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    Tensor flat = tensor.reshape(tensor.elements());
    for (int i = 0; i < tensor.elements(); i++) {
      flat.setFloat((float) Math.sin(1 + seed * 7 + i * 1.7), i);
    }
    return tensor;
  }

  private static RecurrentWeights weights(Arena arena, RecurrentSpec.Cell cell, int first) {
    List<List<Tensor>> lists = new ArrayList<>();
    for (int kind = 0; kind < 4; kind++) {
      List<Tensor> gates = new ArrayList<>();
      for (int gate = 0; gate < cell.gates(); gate++) {
        int seed = first + kind * 4 + gate;
        gates.add(kind < 2 ? numbers(arena, seed, SIZE, SIZE) : numbers(arena, seed, SIZE));
      }
      lists.add(gates);
    }
    return RecurrentWeights.of(lists.get(0), lists.get(1), lists.get(2), lists.get(3));
  }
}

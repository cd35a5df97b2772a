package io.gatun.jmh.gate;

import com.sun.management.ThreadMXBean;
import io.gatun.jmh.Limits;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
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
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * One process of {@link KernelGate}: runs kernels and prints for each a line of what it is called,
 * microseconds of a call, bytes that a call left on the heap, milliseconds of the first call, and
 * milliseconds until it ran at nine tenths of its speed.
 */
public final class KernelWorker {
  private static final long WARM_NANOS = 1_000_000_000L;
  private static final long MOST_NANOS = 8_000_000_000L;

  /** Bytes a call that are no vectors: what the harness itself leaves now and then. */
  static final long NOISE_BYTES = 64;

  private static final int WINDOWS = 15;
  private static final long WINDOW_NANOS = 20_000_000L;

  private final Arena arena;
  private final Device device;
  private final Kernels kernels;
  private final Random random = new Random(7);
  private final Map<String, Runnable> calls = new LinkedHashMap<>();

  private KernelWorker(Arena arena, Device device, Kernels kernels) {
    this.arena = arena;
    this.device = device;
    this.kernels = kernels;
    for (int rows : new int[] {1, 2, 3, 4, 5, 6, 32}) {
      product(rows, 256, 1024);
    }
    product(32, 1024, 1024);
    product(7, 100, 74);
    for (WeightFormat format : List.of(WeightFormat.BFLOAT16, WeightFormat.INT8)) {
      for (int rows : new int[] {1, 32}) {
        product(rows, 256, 1024, format);
      }
    }
    for (Cell cell : Cell.values()) {
      layer(cell, 20, 1, 256);
      layer(cell, 20, 32, 256);
    }
    rows("softmax", 512, 512, (in, out) -> kernels.softmax(in, out, 512, 512, null, 1));
    rows("logSoftmax", 512, 512, (in, out) -> kernels.logSoftmax(in, out, 512, 512));
    Region ones = region(512);
    rows(
        "layerNorm", 512, 512, (in, out) -> kernels.layerNorm(in, out, 512, 512, ones, ones, 1e-5));
    for (Activation activation : List.of(Activation.TANH, Activation.SIGMOID, Activation.RELU)) {
      rows(
          activation.kind().name().toLowerCase(Locale.ROOT),
          512,
          512,
          (in, out) -> kernels.activate(activation, in, out, 512L * 512));
    }
  }

  private interface RowKernel {
    void run(Region in, Region out);
  }

  private Region region(long elements) {
    Tensor values = tensor(1, elements);
    Buffer buffer = device.allocate(elements * Float.BYTES);
    Region region = new Region(buffer);
    kernels.upload(values, region);
    return region;
  }

  private Tensor tensor(double deviation, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    Tensor flat = tensor.reshape(tensor.elements());
    for (long i = 0; i < tensor.elements(); i++) {
      flat.setFloat((float) (deviation * random.nextGaussian()), i);
    }
    return tensor;
  }

  private void product(int rows, int inner, int columns) {
    product(rows, inner, columns, WeightFormat.FLOAT32);
  }

  private void product(int rows, int inner, int columns, WeightFormat format) {
    PackedMatrix matrix = device.pack(tensor(0.05, inner, columns), null, format);
    Region in = region((long) rows * inner);
    Region out = region((long) rows * columns);
    calls.put(
        "product "
            + rows
            + "x"
            + inner
            + "x"
            + columns
            + (format == WeightFormat.FLOAT32 ? "" : " " + format.name().toLowerCase(Locale.ROOT)),
        () -> kernels.multiply(in, inner, rows, matrix, Activation.IDENTITY, out, columns));
  }

  private void layer(Cell cell, int time, int batch, int hidden) {
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> biases = new ArrayList<>();
    for (int gate = 0; gate < cell.gates(); gate++) {
      weights.add(tensor(0.05, hidden, hidden));
      biases.add(tensor(0.1, hidden));
    }
    PackedRecurrent packed =
        device.pack(
            RecurrentSpec.of(cell, hidden, hidden),
            RecurrentWeights.of(weights, weights, biases, biases));
    RecurrentCall call = new RecurrentCall();
    call.time = time;
    call.batch = batch;
    call.input = region((long) time * batch * hidden);
    call.inputTimeStride = (long) batch * hidden;
    call.inputRowStride = hidden;
    call.output = region((long) time * batch * hidden);
    call.outputTimeStride = (long) batch * hidden;
    call.outputRowStride = hidden;
    calls.put(
        cell.name().toLowerCase(Locale.ROOT) + " " + time + "x" + batch + "x" + hidden,
        () -> kernels.recurrent(packed, call));
  }

  private void rows(String name, int rows, int size, RowKernel kernel) {
    Region in = region((long) rows * size);
    Region out = region((long) rows * size);
    calls.put(name + " " + rows + "x" + size, () -> kernel.run(in, out));
  }

  /**
   * Runs kernels.
   *
   * @param args {@code fresh}, or {@code polluted} for one that first runs all others and foreign
   *     vector code; then the names of those to run, all if there are none, or {@code list}
   */
  public static void main(String[] args) {
    try (Arena arena = Arena.ofShared();
        Device device = Devices.open("simd");
        Kernels kernels = device.open(Workers.none())) {
      KernelWorker worker = new KernelWorker(arena, device, kernels);
      if (args[0].equals("list")) {
        worker.calls.keySet().forEach(System.out::println);
        return;
      }
      if (args[0].equals("polluted")) {
        worker.pollute();
      }
      List<String> names =
          args.length > 1
              ? List.of(args).subList(1, args.length)
              : List.copyOf(worker.calls.keySet());
      for (String name : names) {
        System.out.println("gate\t" + name + "\t" + measure(worker.calls.get(name)));
      }
      System.out.println("peak\t" + Limits.peak(1));
    }
  }

  private void pollute() {
    double sum = ForeignVectors.run(500);
    for (int round = 0; round < 3; round++) {
      for (Runnable call : calls.values()) {
        long end = System.nanoTime() + 40_000_000;
        do {
          call.run();
        } while (System.nanoTime() < end);
      }
      sum += ForeignVectors.run(200);
    }
    if (Double.isNaN(sum)) {
      System.out.println();
    }
  }

  private static String measure(Runnable call) {
    long begin = System.nanoTime();
    call.run();
    long first = System.nanoTime() - begin;
    List<long[]> seen = new ArrayList<>();
    // Until nothing is left on the heap any more, but no longer than a stuck kernel deserves.
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long quiet = System.nanoTime();
    while (System.nanoTime() - quiet < WARM_NANOS && System.nanoTime() - begin < MOST_NANOS) {
      long before = thread.getCurrentThreadAllocatedBytes();
      long[] window = window(call, begin);
      if (thread.getCurrentThreadAllocatedBytes() - before > NOISE_BYTES * window[2]) {
        quiet = System.nanoTime();
      }
      seen.add(window);
    }
    double[] micros = new double[WINDOWS];
    long before = thread.getCurrentThreadAllocatedBytes();
    long count = 0;
    for (int i = 0; i < WINDOWS; i++) {
      long from = System.nanoTime();
      int calls = 0;
      long now;
      do {
        call.run();
        calls++;
        now = System.nanoTime();
      } while (now - from < WINDOW_NANOS);
      micros[i] = (now - from) / 1e3 / calls;
      count += calls;
    }
    double bytes = (thread.getCurrentThreadAllocatedBytes() - before) / (double) count;
    Arrays.sort(micros);
    double best = micros[0];
    double ready = 0;
    for (long[] window : seen) {
      if (window[1] / 1e3 / window[2] > best / 0.9) {
        ready = window[0] / 1e6;
      } else {
        break;
      }
    }
    return String.format(Locale.ROOT, "%.2f\t%.0f\t%.1f\t%.1f", best, bytes, first / 1e6, ready);
  }

  /** When it ended, how long it took, how many calls it was. */
  private static long[] window(Runnable call, long begin) {
    long from = System.nanoTime();
    int calls = 0;
    long now;
    do {
      call.run();
      calls++;
      now = System.nanoTime();
    } while (now - from < WINDOW_NANOS / 4);
    return new long[] {now - begin, now - from, calls};
  }
}

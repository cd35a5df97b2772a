package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The operations of training on the best device against the plain loops in float64. */
class TrainingKernelsTest {
  private static final int[] SIZES = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 67, 130};

  private final Random random = Seeds.random("TrainingKernelsTest");

  /** One device with memory of its own. */
  private static final class Side implements AutoCloseable {
    final Device device;
    final Kernels kernels;
    final TrainingKernels training;
    private final Arena arena = Arena.ofConfined();
    private final List<Buffer> buffers = new ArrayList<>();

    Side(Device device, Workers workers) {
      this.device = device;
      kernels = device.open(workers);
      training = kernels.training();
    }

    Region region(double[] values) {
      Region region = empty(values.length);
      kernels.upload(Tensor.ofDoubles(arena, values, values.length), region);
      return region;
    }

    Region integers(int[] values) {
      Buffer buffer = device.allocate((long) values.length * Integer.BYTES);
      buffers.add(buffer);
      Region region = new Region(buffer);
      kernels.upload(Tensor.ofInts(arena, values, values.length), region);
      return region;
    }

    Region empty(int count) {
      Buffer buffer = device.allocate((long) count * device.real().bytes());
      buffers.add(buffer);
      return new Region(buffer);
    }

    double[] read(Region region, int count) {
      Tensor tensor = Tensor.allocate(arena, DType.FLOAT64, count);
      kernels.download(region, tensor);
      return tensor.toDoubles();
    }

    @Override
    public void close() {
      kernels.close();
      buffers.forEach(Buffer::close);
      device.close();
      arena.close();
    }
  }

  /** What an operation gives on one side. */
  private interface Operation {
    double[] run(Side side);
  }

  /** Runs on both sides; errors may be {@code factor} × ε of the magnitude. */
  private void compare(String what, double factor, double magnitude, Operation operation) {
    double[] expected;
    try (Side plain = new Side(new ScalarDevice(DType.FLOAT64), Workers.none())) {
      expected = operation.run(plain);
    }
    try (Workers workers = new Workers(2);
        Side best = new Side(Devices.best(), workers)) {
      double[] come = operation.run(best);
      for (int i = 0; i < come.length; i++) {
        assertEquals(expected[i], come[i], factor * Math.ulp(1f) * magnitude, what + " at " + i);
      }
    }
  }

  private double[] numbers(int count) {
    double[] numbers = new double[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    return numbers;
  }

  private static double log2(int terms) {
    return Math.log(terms + 2) / Math.log(2);
  }

  @Test
  void productsOfTwoSidesThatLieAnyWay() {
    for (int i = 0; i < 60; i++) {
      int rows = i % 9 == 0 ? 97 + i : SIZES[random.nextInt(SIZES.length)];
      int columns = SIZES[random.nextInt(SIZES.length)];
      int inner = i % 7 == 0 ? 1000 + 25 * i : SIZES[random.nextInt(SIZES.length)] - 1;
      boolean turnA = random.nextBoolean();
      boolean turnB = random.nextBoolean();
      double[] a = numbers(rows * inner);
      double[] b = numbers(inner * columns);
      String what =
          rows + " × " + inner + " × " + columns + (turnA ? " A'" : "") + (turnB ? " B'" : "");
      Product product = new Product(rows, inner, columns, turnA, turnB);
      // Rounding errors are relative to the sum of the terms' magnitudes.
      double magnitude = 0;
      try (Side plain = new Side(new ScalarDevice(DType.FLOAT64), Workers.none())) {
        for (double sum : product.run(plain, magnitudes(a), magnitudes(b))) {
          magnitude = Math.max(magnitude, sum);
        }
      }
      compare(what, 2 + log2(inner), magnitude, side -> product.run(side, a, b));
    }
  }

  private static double[] magnitudes(double[] numbers) {
    return Arrays.stream(numbers).map(Math::abs).toArray();
  }

  /** One product, of sides that may lie transposed. */
  private record Product(int rows, int inner, int columns, boolean turnA, boolean turnB) {
    double[] run(Side side, double[] a, double[] b) {
      Region c = side.empty(rows * columns);
      side.training.multiply(
          side.region(a),
          turnA ? 1 : inner,
          turnA ? rows : 1,
          side.region(b),
          turnB ? 1 : columns,
          turnB ? inner : 1,
          rows,
          inner,
          columns,
          c,
          columns);
      return side.read(c, rows * columns);
    }
  }

  @Test
  void lossesAndGradientsOfRows() {
    for (int i = 0; i < 2 * SIZES.length; i++) {
      int size = SIZES[i / 2];
      // Kernels take several rows at a time: few rows, and more than they take at once.
      int rows = i % 2 == 0 ? 1 + random.nextInt(7) : 8 + random.nextInt(40);
      double[] x = numbers(rows * size);
      double[] dy = numbers(rows * size);
      double[] weights = numbers(rows);
      int[] labels = random.ints(rows, -1, size).toArray();
      for (boolean logarithm : new boolean[] {false, true}) {
        compare(
            "softmax of " + size,
            16 + 2 * log2(size),
            4 + (logarithm ? Math.sqrt(size) : 0),
            side -> {
              Region y = side.region(x);
              if (logarithm) {
                side.kernels.logSoftmax(y, y, rows, size);
              } else {
                side.kernels.softmax(y, y, rows, size, null, 1);
              }
              Region dx = side.empty(rows * size);
              side.training.softmaxGradient(logarithm, y, side.region(dy), dx, rows, size);
              return side.read(dx, rows * size);
            });
      }
      compare(
          "cross-entropy of " + size,
          16 + 2 * log2(size),
          8 + log2(size),
          side -> {
            Region logits = side.region(x);
            Region label = side.integers(labels);
            Region weight = side.region(weights);
            Region losses = side.empty(rows);
            Region sums = side.empty(rows);
            side.training.crossEntropy(
                logits, label, DType.INT32, weight, rows, size, 0.1, losses, sums, side.empty(1));
            return side.read(losses, rows);
          });
      compare(
          "gradient of cross-entropy of " + size,
          16 + 2 * log2(size),
          8,
          side -> {
            Region logits = side.region(x);
            Region label = side.integers(labels);
            Region weight = side.region(weights);
            Region sums = side.empty(rows);
            side.training.crossEntropy(
                logits,
                label,
                DType.INT32,
                weight,
                rows,
                size,
                0.1,
                side.empty(rows),
                sums,
                side.empty(1));
            Region dx = side.empty(rows * size);
            side.training.crossEntropyGradient(
                logits,
                sums,
                label,
                DType.INT32,
                weight,
                rows,
                size,
                0.1,
                side.region(new double[] {1}),
                dx);
            return side.read(dx, rows * size);
          });
    }
  }

  @Test
  void dropoutDropsTheSameOnEveryDevice() {
    for (int size : SIZES) {
      double[] x = numbers(5 * size);
      long[] extent = {5, size};
      for (long[] strides : List.of(new long[] {size, 1}, new long[] {0, 1}, new long[] {1, 0})) {
        compare(
            "dropout of rows of " + size,
            4,
            8,
            side -> {
              Region seed = new Region(side.device.allocate(Long.BYTES));
              side.buffers.add(seed.buffer());
              side.kernels.upload(Tensor.ofLongs(side.arena, new long[] {-77}, 1), seed);
              Region y = side.empty(5 * size);
              side.training.dropout(side.region(x), extent, strides, seed, 3, 0.3, y);
              return side.read(y, 5 * size);
            });
      }
    }
  }

  @Test
  void rowsAddedUpWhereTheyWereTakenFrom() {
    for (int size : SIZES) {
      double[] x = numbers(40 * size);
      int[] places = random.ints(40, -6, 6).toArray();
      compare(
          "rows of " + size,
          8,
          20,
          side -> {
            Region table = side.empty(6 * size);
            side.training.scatterAddRows(
                side.region(x), side.integers(places), DType.INT32, 40, size, table, 6);
            return side.read(table, 6 * size);
          });
    }
  }

  @Test
  void whatDoesNotFitIsTurnedAwayAtTheDoor() {
    try (Side side = new Side(Devices.best(), Workers.none())) {
      Region six = side.empty(6);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> side.training.multiply(six, 3, 1, six, 2, 1, 2, 3, 2, side.empty(3), 2));
      assertThrows(
          IndexOutOfBoundsException.class,
          () ->
              side.training.scatterAddRows(
                  six, side.integers(new int[] {2, -3}), DType.INT32, 2, 3, six, 2));
      IndexOutOfBoundsException label =
          assertThrows(
              IndexOutOfBoundsException.class,
              () ->
                  side.training.crossEntropy(
                      six,
                      side.integers(new int[] {1, 3}),
                      DType.INT32,
                      null,
                      2,
                      3,
                      0,
                      side.empty(2),
                      side.empty(2),
                      side.empty(1)));
      assertTrue(label.getMessage().contains("3 classes"), label.getMessage());
    }
  }
}

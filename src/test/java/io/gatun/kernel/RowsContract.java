package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What {@link Kernels} says of the operations over rows. */
interface RowsContract {
  /** Opens the device under test beside the reference. */
  KernelBench bench(String test);

  @Test
  default void softmaxAndLogSoftmaxAreThoseOfTheReference() {
    try (KernelBench bench = bench("softmax")) {
      for (int size : KernelBench.SIZES) {
        for (double scale : new double[] {1, 30, 10_000}) {
          int rows = 1 + bench.random.nextInt(5);
          double[] x = bench.numbers(rows * size, scale);
          for (int i = 0; i < x.length; i += 7) {
            // Masked elements.
            x[i] = size > 1 && i % size != 1 ? Double.NEGATIVE_INFINITY : x[i];
          }
          Operand input = bench.reals(x);
          Operand output = bench.output(x.length);
          Operand log = bench.output(x.length);
          bench.both(
              side -> side.kernels().softmax(side.of(input), side.of(output), rows, size, null, 0));
          bench.both(side -> side.kernels().logSoftmax(side.of(input), side.of(log), rows, size));
          double[] y = bench.expected(output);
          // The exponent's error is relative to the distance from the row's maximum.
          bench.compare(
              "softmax of " + size,
              output,
              size,
              i -> y[i] * (1 - Math.log(Math.max(y[i], 1e-40))));
          double[] z = bench.expected(log);
          bench.compare("logSoftmax of " + size, log, size, i -> 1 + Math.abs(z[i]));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void softmaxOfAnythingWithNaNIsNaN() {
    try (KernelBench bench = bench("softmax NaN")) {
      for (int size : new int[] {1, 3, 8, 17, 40}) {
        double[] x = bench.numbers(2 * size, 1);
        x[bench.random.nextInt(size)] = Double.NaN;
        Operand input = bench.reals(x);
        for (boolean log : new boolean[] {false, true}) {
          Operand output = bench.output(2 * size);
          bench.both(
              side -> {
                if (log) {
                  side.kernels().logSoftmax(side.of(input), side.of(output), 2, size);
                } else {
                  side.kernels().softmax(side.of(input), side.of(output), 2, size, null, 0);
                }
              });
          bench.compare("row with NaN", output, size, i -> 2);
          assertTrue(Double.isNaN(bench.got(output)[0]));
        }
      }
    }
  }

  @Test
  default void softmaxEndsAtTheLengthsAndPutsZerosBehind() {
    try (KernelBench bench = bench("softmax lengths")) {
      for (int size : KernelBench.SIZES) {
        int rowsPerLength = 1 + bench.random.nextInt(3);
        int rows = 1 + bench.random.nextInt(7);
        long[] ends = new long[(rows + rowsPerLength - 1) / rowsPerLength];
        Arrays.setAll(ends, i -> bench.random.nextInt(size + 1));
        double[] x = bench.numbers(rows * size, 3);
        double[] dirty = x.clone();
        for (int i = 0; i < x.length; i++) {
          if (i % size >= ends[i / size / rowsPerLength]) {
            dirty[i] = Double.NaN;
          }
        }
        Operand lengths = bench.integers(DType.INT32, ends);
        Operand input = bench.reals(dirty);
        Operand output = bench.output(x.length);
        bench.both(
            side ->
                side.kernels()
                    .softmax(
                        side.of(input),
                        side.of(output),
                        rows,
                        size,
                        side.of(lengths),
                        rowsPerLength));
        bench.compare("softmax up to lengths", output, size, i -> 1);
        double[] got = bench.got(output);
        for (int i = 0; i < got.length; i++) {
          if (i % size >= ends[i / size / rowsPerLength]) {
            assertEquals(0, got[i]);
          }
        }
        Kernels kernels = bench.tested.kernels();
        Region same = bench.tested.of(input);
        kernels.softmax(same, same, rows, size, bench.tested.of(lengths), rowsPerLength);
        KernelBench.sameBits("in place", got, bench.got(input));
        bench.clear();
      }
    }
  }

  @Test
  default void layerNormIsThatOfTheReference() {
    try (KernelBench bench = bench("layerNorm")) {
      for (int size : KernelBench.SIZES) {
        for (double offset : new double[] {0, 10}) {
          int rows = bench.random.nextInt(4);
          double[] x = bench.numbers(rows * size, 2);
          for (int i = 0; i < x.length; i++) {
            x[i] = (float) (x[i] + offset);
          }
          Operand input = bench.reals(x);
          double[] scales = bench.numbers(size, 2);
          double[] shifts = bench.numbers(size, 2);
          Operand scale = bench.reals(scales);
          Operand shift = bench.random.nextInt(3) == 0 ? null : bench.reals(shifts);
          Operand output = bench.output(x.length);
          double epsilon = 1e-3;
          bench.both(
              side ->
                  side.kernels()
                      .layerNorm(
                          side.of(input),
                          side.of(output),
                          rows,
                          size,
                          side.of(scale),
                          side.of(shift),
                          epsilon));
          // The deviation is at least sqrt(epsilon); elements are up to offset + 2.
          bench.compare(
              "layerNorm of " + size,
              output,
              size,
              i -> {
                double deviation = deviation(x, i / size * size, size, epsilon);
                double cancelled = (offset + 2) / deviation;
                double normal = 1 + 4 / deviation;
                return Math.abs(scales[i % size]) * cancelled * normal + 2;
              });
          double[] got = bench.got(output);
          Region same = bench.tested.of(input);
          bench
              .tested
              .kernels()
              .layerNorm(
                  same, same, rows, size, bench.tested.of(scale), bench.tested.of(shift), epsilon);
          KernelBench.sameBits("in place", got, bench.got(input));
          bench.clear();
        }
      }
    }
  }

  private static double deviation(double[] x, int from, int size, double epsilon) {
    double mean = Arrays.stream(x, from, from + size).average().orElse(0);
    double squares = Arrays.stream(x, from, from + size).map(v -> (v - mean) * (v - mean)).sum();
    return Math.sqrt(squares / size + epsilon);
  }

  @Test
  default void reductionsAreThoseOfTheReference() {
    try (KernelBench bench = bench("reduce")) {
      for (Reduction reduction : Reduction.values()) {
        for (int size : KernelBench.SIZES) {
          for (int inner : new int[] {1, 5, 8, 33}) {
            int outer = bench.random.nextInt(4);
            boolean product = reduction == Reduction.PRODUCT;
            double[] x = bench.numbers(outer * size * inner, product ? 0.05 : 3);
            for (int i = 0; i < x.length && product; i++) {
              x[i] = (float) (1 + x[i]);
            }
            if (x.length > 3) {
              x[1] = Double.NaN;
            }
            Operand input = bench.reals(x);
            Operand output = bench.output(outer * inner);
            bench.both(
                side ->
                    side.kernels()
                        .reduce(reduction, side.of(input), side.of(output), outer, size, inner));
            double[] y = bench.expected(output);
            double sum = 3.0 * size;
            bench.compare(
                reduction + " over [" + outer + ", " + size + ", " + inner + "]",
                output,
                size,
                i ->
                    switch (reduction) {
                      case SUM -> sum;
                      case MEAN -> 3;
                      case L2, PRODUCT -> Math.abs(y[i]);
                      case MAXIMUM, MINIMUM -> 0;
                    });
            bench.clear();
          }
        }
      }
    }
  }

  @Test
  default void longRowsAreThoseOfTheReference() {
    try (KernelBench bench = bench("long rows")) {
      int size = KernelBench.LARGE;
      double[] x = bench.numbers(2 * size, 3);
      Operand input = bench.reals(x);
      Operand output = bench.output(2 * size);
      Operand ones = bench.reals(2 * size, 1);
      bench.both(side -> side.kernels().softmax(side.of(input), side.of(output), 2, size, null, 0));
      double[] y = bench.expected(output);
      bench.compare("softmax", output, size, i -> 7 * y[i]);
      bench.both(side -> side.kernels().logSoftmax(side.of(input), side.of(output), 2, size));
      bench.compare("logSoftmax", output, size, i -> 20);
      bench.both(
          side ->
              side.kernels()
                  .layerNorm(side.of(input), side.of(output), 2, size, side.of(ones), null, 1e-5));
      bench.compare("layerNorm", output, size, i -> 5);
      Operand sums = bench.output(2);
      Operand columns = bench.output(size);
      bench.both(
          side -> side.kernels().reduce(Reduction.SUM, side.of(input), side.of(sums), 2, size, 1));
      bench.compare("sum of rows", sums, size, i -> 1.5 * size);
      bench.both(
          side ->
              side.kernels().reduce(Reduction.MEAN, side.of(input), side.of(columns), 1, 2, size));
      bench.compare("mean of columns", columns, 2, i -> 3);
      Operand values = bench.output(2 * 100);
      Operand indices = bench.output(DType.INT32, 2 * 100);
      bench.both(
          side ->
              side.kernels()
                  .topK(
                      side.of(input),
                      2,
                      size,
                      100,
                      side.of(values),
                      side.of(indices),
                      DType.INT32));
      KernelBench.sameBits("topK", bench.expected(values), bench.got(values));
      assertArrayEquals(bench.expectedIntegers(indices), bench.gotIntegers(indices));
    }
  }

  @Test
  default void topLogSoftmaxIsTopKOfLogSoftmaxToTheBit() {
    try (KernelBench bench = bench("top of log-softmax")) {
      KernelBench.Side side = bench.tested;
      for (int size : KernelBench.SIZES) {
        for (int k : new int[] {0, 1, Math.min(size, 5), Math.min(size, 9), size}) {
          if (k > size) {
            continue;
          }
          int rows = 1 + bench.random.nextInt(4);
          double[] x = bench.numbers(rows * size, 4);
          int kind = bench.random.nextInt(4);
          if (kind == 0) {
            // Numbers that differ by less than their log-softmax can tell, and equal ones.
            Arrays.setAll(x, i -> 1 + 0x1p-23 * bench.random.nextInt(3));
          } else if (kind == 1) {
            double[] few = {0, -0.0, 2, Double.NEGATIVE_INFINITY};
            Arrays.setAll(x, i -> few[bench.random.nextInt(few.length)]);
          } else if (kind == 2 && size > 0) {
            double[] odd = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
            Arrays.fill(x, 0, size, odd[2]);
            x[bench.random.nextInt(x.length)] = odd[bench.random.nextInt(3)];
          }
          Operand input = bench.reals(x);
          Operand all = bench.output(rows * size);
          Operand values = bench.output(rows * k);
          Operand indices = bench.output(DType.INT32, rows * k);
          side.kernels().logSoftmax(side.of(input), side.of(all), rows, size);
          side.kernels()
              .topK(side.of(all), rows, size, k, side.of(values), side.of(indices), DType.INT32);
          double[] expected = bench.got(values);
          long[] places = bench.gotIntegers(indices);
          for (DType type : new DType[] {DType.INT32, DType.INT64}) {
            Operand best = bench.output(rows * k);
            Operand at = bench.output(type, rows * k);
            side.kernels()
                .topLogSoftmax(side.of(input), rows, size, k, side.of(best), side.of(at), type);
            String what = k + " of " + Arrays.toString(x);
            KernelBench.sameBits(what, expected, bench.got(best));
            assertArrayEquals(places, bench.gotIntegers(at), what);
          }
        }
      }
    }
  }

  @Test
  default void topKAreTheLargestInOrderAndTheFirstOfEquals() {
    try (KernelBench bench = bench("topK")) {
      for (int size : KernelBench.SIZES) {
        for (DType type : new DType[] {DType.INT32, DType.INT64}) {
          for (int k : new int[] {0, 1, Math.min(size, 5), size}) {
            if (k > size) {
              continue;
            }
            int rows = 1 + bench.random.nextInt(3);
            double[] x = bench.numbers(rows * size, 4);
            if (bench.random.nextBoolean()) {
              // Many equals, both zeros, NaN and infinities.
              double[] few = {
                0, -0.0, 1, 2, Double.NaN, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY
              };
              Arrays.setAll(x, i -> few[bench.random.nextInt(few.length)]);
            }
            Operand input = bench.reals(x);
            Operand values = bench.output(rows * k);
            Operand indices = bench.output(type, rows * k);
            bench
                .tested
                .kernels()
                .topK(
                    bench.tested.of(input),
                    rows,
                    size,
                    k,
                    bench.tested.of(values),
                    bench.tested.of(indices),
                    type);
            double[] expectedValues = new double[rows * k];
            long[] expectedIndices = new long[rows * k];
            for (int row = 0; row < rows; row++) {
              int first = row * size;
              Integer[] order = new Integer[size];
              Arrays.setAll(order, i -> i);
              // A stable sort keeps the lower index first; + 0.0 makes one zero of both.
              Arrays.sort(order, (i, j) -> compareDescending(x[first + i], x[first + j]));
              for (int i = 0; i < k; i++) {
                expectedIndices[row * k + i] = order[i];
                expectedValues[row * k + i] = x[first + order[i]];
              }
            }
            String what = k + " of " + Arrays.toString(x);
            assertArrayEquals(expectedIndices, bench.gotIntegers(indices), what);
            KernelBench.sameBits(what, expectedValues, bench.got(values));
            bench.clear();
          }
        }
      }
    }
  }

  private static int compareDescending(double a, double b) {
    if (Double.isNaN(a) || Double.isNaN(b)) {
      return Boolean.compare(Double.isNaN(a), Double.isNaN(b));
    }
    return Double.compare(b + 0.0, a + 0.0);
  }

  @Test
  default void aRowDoesNotDependOnTheOthers() {
    try (KernelBench bench = bench("rows alone")) {
      KernelBench.Side several = bench.withWorkers(3);
      for (int size : new int[] {1, 3, 8, 17, 33, 127}) {
        int rows = 7;
        Operand input = bench.reals(rows * size, 3);
        Operand scale = bench.reals(size, 1);
        Operand shift = bench.reals(size, 1);
        for (int operation = 0; operation < 4; operation++) {
          int which = operation;
          Operand together = bench.output(rows * size);
          Operand apart = bench.output(rows * size);
          Operand shared = bench.output(rows * size);
          long bytes = (long) size * bench.real().bytes();
          Region in = bench.tested.of(input);
          Region out = bench.tested.of(apart);
          Region s = bench.tested.of(scale);
          Region t = bench.tested.of(shift);
          Kernels kernels = bench.tested.kernels();
          rowOperation(which, kernels, in, bench.tested.of(together), rows, size, s, t);
          rowOperation(which, several.kernels(), in, bench.tested.of(shared), rows, size, s, t);
          for (int row = 0; row < rows; row++) {
            rowOperation(
                which,
                kernels,
                new Region(in.buffer(), in.offset() + row * bytes, bytes),
                new Region(out.buffer(), out.offset() + row * bytes, bytes),
                1,
                size,
                s,
                t);
          }
          double[] expected = bench.got(together);
          KernelBench.sameBits("row by row, operation " + which, expected, bench.got(apart));
          KernelBench.sameBits("3 workers, operation " + which, expected, bench.got(shared));
        }
        bench.clear();
      }
    }
  }

  private static void rowOperation(
      int operation,
      Kernels kernels,
      Region input,
      Region output,
      int rows,
      int size,
      Region scale,
      Region shift) {
    switch (operation) {
      case 0 -> kernels.softmax(input, output, rows, size, null, 0);
      case 1 -> kernels.logSoftmax(input, output, rows, size);
      case 2 -> kernels.layerNorm(input, output, rows, size, scale, shift, 1e-5);
      default -> kernels.activate(Activation.SIGMOID, input, output, (long) rows * size);
    }
  }

  @Test
  default void rowsThatAreTooShortAreRefused() {
    try (KernelBench bench = bench("hostile rows")) {
      Kernels k = bench.tested.kernels();
      Region twelve = bench.tested.of(bench.reals(12, 1));
      Region eleven = bench.tested.of(bench.reals(11, 1));
      Region three = bench.tested.of(bench.reals(3, 1));
      Region lengths = bench.tested.of(bench.integers(DType.INT32, 4, 0, 5));
      Region ints = bench.tested.of(bench.output(DType.INT32, 6));
      Refusals.tooShort("input", () -> k.softmax(eleven, twelve, 3, 4, null, 0));
      Refusals.tooShort("output", () -> k.softmax(twelve, eleven, 3, 4, null, 0));
      Refusals.tooShort("lengths", () -> k.softmax(twelve, twelve, 4, 3, lengths, 1));
      Refusals.refused(() -> k.softmax(twelve, twelve, 3, 4, lengths, 0));
      Refusals.refused(() -> k.softmax(twelve, twelve, -3, 4, null, 0));
      Refusals.refused(() -> k.softmax(twelve, twelve, 3, -4, null, 0));
      Refusals.outside(
          () -> k.softmax(twelve, twelve, Integer.MAX_VALUE, Integer.MAX_VALUE, null, 0));
      String message =
          assertThrows(ShapeException.class, () -> k.softmax(twelve, twelve, 3, 4, lengths, 1))
              .getMessage();
      assertTrue(message.contains("sequence 2") && message.contains("5"), message);
      Refusals.tooShort("input", () -> k.logSoftmax(eleven, twelve, 3, 4));
      Refusals.tooShort("output", () -> k.logSoftmax(twelve, eleven, 3, 4));
      Refusals.tooShort("input", () -> k.layerNorm(eleven, twelve, 3, 4, twelve, null, 1));
      Refusals.tooShort("output", () -> k.layerNorm(twelve, eleven, 3, 4, twelve, null, 1));
      Refusals.tooShort("scale", () -> k.layerNorm(twelve, twelve, 3, 4, three, null, 1));
      Refusals.tooShort("shift", () -> k.layerNorm(twelve, twelve, 3, 4, twelve, three, 1));
      Reduction sum = Reduction.SUM;
      Refusals.tooShort("input", () -> k.reduce(sum, eleven, twelve, 2, 3, 2));
      Refusals.tooShort("output", () -> k.reduce(sum, twelve, three, 2, 3, 2));
      Refusals.refused(() -> k.reduce(sum, twelve, twelve, -2, 3, 2));
      Refusals.outside(() -> k.reduce(sum, twelve, twelve, 1L << 62, 3, 1L << 62));
      DType type = DType.INT32;
      Refusals.tooShort("input", () -> k.topK(eleven, 3, 4, 2, twelve, ints, type));
      Refusals.tooShort("values", () -> k.topK(twelve, 3, 4, 2, three, ints, type));
      Refusals.tooShort("indices", () -> k.topK(twelve, 3, 4, 3, twelve, ints, type));
      Refusals.tooShort("indices", () -> k.topK(twelve, 3, 4, 2, twelve, ints, DType.INT64));
      assertThrows(ShapeException.class, () -> k.topK(twelve, 3, 4, 5, twelve, ints, type));
      Refusals.refused(() -> k.topK(twelve, 3, 4, 2, twelve, ints, DType.FLOAT32));
    }
  }
}

package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.tensor.DType;
import io.gatun.tensor.HalfPrecision;
import io.gatun.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/**
 * The contract of products and recurrent layers with weights in a smaller format. The suites of
 * {@link ProductContract} and {@link RecurrentContract} compare with the reference in the same
 * format, whose numbers are here compared with the definition.
 */
public abstract class WeightFormatContract implements ProductContract, RecurrentContract {

  /** The device under test; it may be the same each time, and is not closed here. */
  protected abstract Device device();

  /** The format of all weights. */
  protected abstract WeightFormat format();

  @Override
  public KernelBench bench(String test) {
    return new KernelBench(test, device(), format());
  }

  /** What the format makes of a column, by its definition. */
  private double[] rounded(double[] column) {
    if (format() == WeightFormat.BFLOAT16) {
      return Arrays.stream(column)
          .map(w -> HalfPrecision.bfloat16ToFloat(HalfPrecision.floatToBfloat16((float) w)))
          .toArray();
    }
    double largest = Arrays.stream(column).map(Math::abs).max().orElse(0);
    double scale = (float) (largest / 127);
    return Arrays.stream(column).map(w -> scale == 0 ? 0 : Math.rint(w / scale) * scale).toArray();
  }

  @Test
  void weightsAreRoundedAsTheFormatSays() {
    try (KernelBench bench = bench("rounding")) {
      int inner = 37;
      int columns = 70;
      double[] weights = bench.numbers(inner * columns, 1);
      double[] expected = new double[inner * columns];
      for (int column = 0; column < columns; column++) {
        double[] one = new double[inner];
        for (int k = 0; k < inner; k++) {
          // Channels of very different size, and one of zeros.
          weights[k * columns + column] =
              (float) (weights[k * columns + column] * (column % 7) * Math.pow(10, column % 9 - 4));
          one[k] = weights[k * columns + column];
        }
        one = rounded(one);
        for (int k = 0; k < inner; k++) {
          expected[k * columns + column] = one[k];
        }
      }
      Tensor matrix = bench.tensor(weights, inner, columns);
      KernelBench.Packed<PackedMatrix> b =
          bench.pack(device -> device.pack(matrix, null, format()));
      // Rows of the identity show the weights themselves, alone and all together.
      double[] identity = new double[inner * inner];
      for (int k = 0; k < inner; k++) {
        identity[k * inner + k] = 1;
      }
      for (int rows : new int[] {1, inner}) {
        for (int row = 0; row < inner; row += rows) {
          Operand a = bench.reals(Arrays.copyOfRange(identity, row * inner, (row + rows) * inner));
          Operand c = bench.output(rows * columns);
          int some = rows;
          bench.both(
              side ->
                  side.kernels()
                      .multiply(
                          side.of(a),
                          inner,
                          some,
                          side.of(b),
                          Activation.IDENTITY,
                          side.of(c),
                          columns));
          double[] these = Arrays.copyOfRange(expected, row * columns, (row + rows) * columns);
          KernelBench.compare(
              format() + " weights", these, bench.got(c), bench.real(), 1, i -> Math.abs(these[i]));
          bench.clear();
        }
      }
    }
  }

  @Test
  void weightsThatAreNoNumbersArePassedOnOrRefused() {
    try (KernelBench bench = bench("NaN weights")) {
      for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
        double[] weights = bench.numbers(5 * 6, 1);
        weights[2 * 6 + 3] = bad;
        Tensor matrix = bench.tensor(weights, 5, 6);
        Device device = bench.tested.device();
        if (format() == WeightFormat.INT8) {
          String message =
              assertThrows(
                      IllegalArgumentException.class, () -> device.pack(matrix, null, format()))
                  .getMessage();
          assertTrue(message.contains("int8") && message.contains("float32"), message);
          continue;
        }
        for (int rows : new int[] {1, 3}) {
          KernelBench.Packed<PackedMatrix> b =
              bench.pack(each -> each.pack(matrix, null, format()));
          Operand a = bench.reals(rows * 5, 1);
          Operand c = bench.output(rows * 6);
          bench
              .tested
              .kernels()
              .multiply(
                  bench.tested.of(a),
                  5,
                  rows,
                  bench.tested.of(b),
                  Activation.IDENTITY,
                  bench.tested.of(c),
                  6);
          double[] got = bench.got(c);
          for (int i = 0; i < got.length; i++) {
            assertEquals(i % 6 != 3, Double.isFinite(got[i]), "element " + i + " is " + got[i]);
          }
        }
      }
    }
  }

  @Test
  void weightsAreRoundedToFloat32First() {
    try (KernelBench bench = bench("float64 weights")) {
      // Just above the middle of two bfloat16s; as a float32 in the middle, which is even below.
      Tensor matrix = Tensor.ofDoubles(bench.arena, new double[] {1 + 0x1p-8 + 0x1p-40}, 1, 1);
      assertEquals(DType.FLOAT64, matrix.dtype());
      KernelBench.Packed<PackedMatrix> b =
          bench.pack(device -> device.pack(matrix, null, WeightFormat.BFLOAT16));
      Operand a = bench.reals(1.0);
      Operand c = bench.output(1);
      bench.both(
          side ->
              side.kernels()
                  .multiply(side.of(a), 1, 1, side.of(b), Activation.IDENTITY, side.of(c), 1));
      assertEquals(1.0, bench.got(c)[0]);
      assertEquals(1.0, bench.expected(c)[0]);
    }
  }
}

package io.gatun.kernel.scalar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Device;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.kernel.Threshold;
import io.gatun.kernel.UnaryOperation;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The reference in float64 against computations written another way: element by element, straight
 * from the definitions.
 */
class ScalarReferenceTest {
  private final Arena arena = Arena.ofShared();
  private final Device device = new ScalarDevice(DType.FLOAT64);
  private final Kernels kernels = device.open(Workers.none());

  @AfterEach
  void close() {
    kernels.close();
    device.close();
    arena.close();
  }

  private Region region(double... values) {
    Buffer buffer = device.allocate(8L * values.length);
    kernels.upload(Tensor.ofDoubles(arena, values, values.length), new Region(buffer));
    return new Region(buffer);
  }

  private double[] values(Region region) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT64, region.bytes() / 8);
    kernels.download(region, tensor);
    region.buffer().close();
    return tensor.toDoubles();
  }

  private static double[] random(Random random, int count, double scale) {
    return random.doubles(count, -scale, scale).toArray();
  }

  private static void compare(
      String what, double[] expected, double[] got, int terms, IntToDoubleFunction magnitude) {
    assertEquals(expected.length, got.length, what);
    for (int i = 0; i < expected.length; i++) {
      double bound = Threshold.of(DType.FLOAT64, terms, magnitude.applyAsDouble(i));
      double off = Math.abs(expected[i] - got[i]);
      assertTrue(
          off <= bound || expected[i] == got[i],
          what + ": element " + i + " is " + got[i] + ", expected " + expected[i]);
    }
  }

  /** The definitions, as the documentation of each kind writes them. */
  private static double defined(Activation activation, double x) {
    double alpha = activation.alpha();
    double beta = activation.beta();
    return switch (activation.kind()) {
      case IDENTITY -> x;
      case RELU -> x > 0 ? x : 0;
      case TANH -> (Math.exp(x) - Math.exp(-x)) / (Math.exp(x) + Math.exp(-x));
      case SIGMOID -> 1 / (1 + Math.exp(-x));
      case HARD_SIGMOID -> alpha * x + beta > 1 ? 1 : alpha * x + beta < 0 ? 0 : alpha * x + beta;
      case LEAKY_RELU -> x < 0 ? alpha * x : x;
      case THRESHOLDED_RELU -> x > alpha ? x : 0;
      case SCALED_TANH -> alpha * Math.tanh(beta * x);
      case ELU -> x < 0 ? alpha * (Math.exp(x) - 1) : x;
      case SELU -> x <= 0 ? beta * (alpha * Math.exp(x) - alpha) : beta * x;
      case SOFTSIGN -> x / (1 + Math.abs(x));
      case SOFTPLUS -> Math.log(1 + Math.exp(x));
      case AFFINE -> alpha * x + beta;
      case GELU -> x / 2 * (1 + erf(x / Math.sqrt(2)));
      case SWISH -> x / (1 + Math.exp(-alpha * x));
      case EXPONENTIAL -> Math.pow(Math.E, x);
    };
  }

  /** The integral of 2/√π e^(−t²) from 0 to x, by Simpson's rule. */
  private static double erf(double x) {
    int intervals = 4000;
    double width = x / intervals;
    DoubleUnaryOperator f = t -> Math.exp(-t * t);
    double sum = f.applyAsDouble(0) + f.applyAsDouble(x);
    for (int i = 1; i < intervals; i++) {
      sum += (i % 2 == 0 ? 2 : 4) * f.applyAsDouble(i * width);
    }
    return sum * width / 3 * 2 / Math.sqrt(Math.PI);
  }

  @Test
  void activationsAreTheirDefinitions() {
    Random random = Seeds.random("activations by definition");
    for (Activation.Kind kind : Activation.Kind.values()) {
      for (Activation activation : List.of(Activation.of(kind), new Activation(kind, 0.3f, 0.7f))) {
        double[] x = random(random, 50, 8);
        Region input = region(x);
        Region output = region(new double[x.length]);
        kernels.activate(activation, input, output, x.length);
        double[] expected = Arrays.stream(x).map(v -> defined(activation, v)).toArray();
        // A power of e instead of e's function costs the exponent's size in accuracy.
        compare(activation + "", expected, values(output), 50, i -> 8 + Math.abs(expected[i]));
      }
    }
  }

  @Test
  void activationsHaveTheValuesThatOthersPublished() {
    // torch.nn.functional.gelu(torch.tensor([-3., -1., 0., 1., 3.], dtype=torch.float64))
    double[] gelu = {
      -0.00404969409489031, -0.15865525393145707, 0, 0.8413447460685429, 2.99595030590511
    };
    Region x = region(-3, -1, 0, 1, 3);
    Region y = region(new double[5]);
    kernels.activate(Activation.of("gelu"), x, y, 5);
    compare("gelu", gelu, values(y), 2, i -> 1);
    assertEquals(0.9525741268224334, ScalarActivations.sigmoid(3), 1e-16);
  }

  @Test
  void theErrorFunctionKeepsItsDigits() {
    // mpmath.erfc with 30 digits
    double[][] table = {
      {-6, 1.9999999999999999785},
      {-3, 1.9999779095030014146},
      {-1, 1.8427007929497148693},
      {-0.3, 1.3286267594591274276},
      {0, 1.0},
      {0.1, 0.8875370839817151078},
      {0.5, 0.47950012218695346232},
      {1, 0.15729920705028513066},
      {1.5, 0.033894853524689272933},
      {1.99, 0.0048885868003830027617},
      {2, 0.0046777349810472658379},
      {2.01, 0.0044751506447517586879},
      {2.5, 0.00040695201744495893956},
      {3, 0.000022090496998585441373},
      {4, 1.5417257900280018852e-8},
      {6, 2.1519736712498913117e-17},
      {9, 4.1370317465138102381e-37},
      {13, 1.7395573154667245218e-75},
      {20, 5.3958656116079009289e-176},
      {26, 5.6631924088561428465e-296},
    };
    for (double[] row : table) {
      double got = ScalarActivations.erfc(row[0]);
      assertEquals(row[1], got, 1e-13 * row[1], "erfc(" + row[0] + ")");
    }
    assertEquals(0, ScalarActivations.erfc(Double.POSITIVE_INFINITY));
    assertEquals(2, ScalarActivations.erfc(Double.NEGATIVE_INFINITY));
    assertTrue(Double.isNaN(ScalarActivations.erfc(Double.NaN)));
  }

  @Test
  void unaryFunctionsAreTheirDefinitions() {
    double[] x = {0.5, 1, 2, 9, 1e-10, 1e10};
    double[][] expected = new double[5][x.length];
    for (int i = 0; i < x.length; i++) {
      expected[0][i] = -x[i];
      expected[1][i] = x[i];
      expected[2][i] = Math.log10(x[i]) * Math.log(10);
      expected[3][i] = Math.pow(x[i], 0.5);
      expected[4][i] = Math.pow(x[i], -1);
    }
    UnaryOperation[] operations = {
      UnaryOperation.NEGATE,
      UnaryOperation.ABSOLUTE,
      UnaryOperation.LOGARITHM,
      UnaryOperation.SQUARE_ROOT,
      UnaryOperation.RECIPROCAL
    };
    for (int k = 0; k < operations.length; k++) {
      int row = k;
      Region output = region(new double[x.length]);
      kernels.unary(operations[k], region(x), output, x.length);
      compare(operations[k] + "", expected[k], values(output), 2, i -> Math.abs(expected[row][i]));
    }
    Region output = region(0, 0);
    kernels.unary(UnaryOperation.ABSOLUTE, region(-3, -0.0), output, 2);
    assertEquals(List.of(3.0, 0.0), Arrays.stream(values(output)).boxed().toList());
  }

  /** Values of Abramowitz and Stegun's tables, and of Python's math module. */
  @Test
  void functionsOfOneNumberHaveTheValuesOfTables() {
    Map<UnaryOperation, double[]> table =
        Map.ofEntries(
            Map.entry(UnaryOperation.FLOOR, new double[] {-1.5, -2}),
            Map.entry(UnaryOperation.CEILING, new double[] {-1.5, -1}),
            Map.entry(UnaryOperation.ROUND, new double[] {2.5, 2}),
            Map.entry(UnaryOperation.SIGN, new double[] {-7, -1}),
            Map.entry(UnaryOperation.ERROR_FUNCTION, new double[] {0.5, 0.5204998778130465}),
            Map.entry(UnaryOperation.SINE, new double[] {1, 0.8414709848078965}),
            Map.entry(UnaryOperation.COSINE, new double[] {1, 0.5403023058681398}),
            Map.entry(UnaryOperation.TANGENT, new double[] {1, 1.5574077246549023}),
            Map.entry(UnaryOperation.ARC_SINE, new double[] {0.5, 0.5235987755982989}),
            Map.entry(UnaryOperation.ARC_COSINE, new double[] {0.5, 1.0471975511965979}),
            Map.entry(UnaryOperation.ARC_TANGENT, new double[] {1, 0.7853981633974483}),
            Map.entry(UnaryOperation.HYPERBOLIC_SINE, new double[] {1, 1.1752011936438014}),
            Map.entry(UnaryOperation.HYPERBOLIC_COSINE, new double[] {1, 1.5430806348152437}),
            Map.entry(UnaryOperation.AREA_SINE, new double[] {-1, -0.881373587019543}),
            Map.entry(UnaryOperation.AREA_COSINE, new double[] {2, 1.3169578969248166}),
            Map.entry(UnaryOperation.AREA_TANGENT, new double[] {0.5, 0.5493061443340548}));
    table.forEach(
        (operation, values) -> {
          Region output = region(0);
          kernels.unary(operation, region(values[0]), output, 1);
          compare(
              operation + "",
              new double[] {values[1]},
              values(output),
              2,
              i -> Math.abs(values[1]));
        });
  }

  @Test
  void productsAreSumsOfProducts() {
    Random random = Seeds.random("products by definition");
    for (int round = 0; round < 30; round++) {
      int rows = random.nextInt(12);
      int inner = random.nextInt(50);
      int columns = 1 + random.nextInt(600);
      double[] a = random(random, rows * inner, 1);
      double[] b = random(random, inner * columns, 1);
      double[] bias = random(random, columns, 1);
      Tensor matrix = Tensor.ofDoubles(arena, b, inner, columns);
      Region c = region(new double[rows * columns]);
      try (PackedMatrix packed = device.pack(matrix, Tensor.ofDoubles(arena, bias, columns))) {
        kernels.multiply(region(a), inner, rows, packed, Activation.RELU, c, columns);
      }
      double[] expected = new double[rows * columns];
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          double sum = 0;
          for (int k = inner - 1; k >= 0; k--) {
            sum += a[i * inner + k] * b[k * columns + j];
          }
          expected[i * columns + j] = Math.max(0, sum + bias[j]);
        }
      }
      compare("product", expected, values(c), inner + 1, i -> inner / 2.0 + 1);
    }
  }

  @Test
  void convolutionsAreSumsOverTheWindow() {
    Random random = Seeds.random("convolutions by definition");
    for (int round = 0; round < 60; round++) {
      int groups = 1 + random.nextInt(2);
      int in = groups * (1 + random.nextInt(3));
      int out = groups * (1 + random.nextInt(3));
      int[] kernel = {1 + random.nextInt(3), 1 + random.nextInt(4)};
      int[] stride = {1 + random.nextInt(3), 1 + random.nextInt(3)};
      int[] dilation = {1 + random.nextInt(2), 1 + random.nextInt(3)};
      int[] begin = {random.nextInt(3), random.nextInt(4)};
      int[] end = {random.nextInt(3), random.nextInt(4)};
      int height = 1 + random.nextInt(8);
      int width = 1 + random.nextInt(8);
      int batch = 1 + random.nextInt(2);
      ConvolutionSpec spec =
          new ConvolutionSpec(
              in, out, groups, list(kernel), list(stride), list(dilation), list(begin), list(end));
      // The padded input is written out, and every window walked through.
      int high = height + begin[0] + end[0];
      int wide = width + begin[1] + end[1];
      double[] x = random(random, batch * in * height * width, 1);
      double[][][] padded = new double[batch * in][high][wide];
      for (int i = 0; i < x.length; i++) {
        int row = i / width % height;
        padded[i / width / height][row + begin[0]][i % width + begin[1]] = x[i];
      }
      double[] weights = random(random, out * (in / groups) * kernel[0] * kernel[1], 1);
      double[] bias = random(random, out, 1);
      int outHigh = (int) spec.outputSize(0, height);
      int outWide = (int) spec.outputSize(1, width);
      double[] expected = new double[batch * out * outHigh * outWide];
      for (int i = 0; i < expected.length; i++) {
        int column = i % outWide * stride[1];
        int row = i / outWide % outHigh * stride[0];
        int channel = i / outWide / outHigh % out;
        int item = i / outWide / outHigh / out;
        int each = in / groups;
        int first = item * in + channel / (out / groups) * each;
        for (int c = 0; c < each; c++) {
          for (int p = 0; p < kernel[0]; p++) {
            for (int q = 0; q < kernel[1]; q++) {
              expected[i] +=
                  weights[((channel * each + c) * kernel[0] + p) * kernel[1] + q]
                      * padded[first + c][row + p * dilation[0]][column + q * dilation[1]];
            }
          }
        }
        expected[i] += bias[channel];
      }
      Tensor w = Tensor.ofDoubles(arena, weights, out, in / groups, kernel[0], kernel[1]);
      Region output = region(new double[expected.length]);
      try (PackedConvolution packed = device.pack(spec, w, Tensor.ofDoubles(arena, bias, out))) {
        kernels.convolve(
            packed, region(x), batch, new long[] {height, width}, Activation.IDENTITY, output);
      }
      compare(spec + "", expected, values(output), 40, i -> 10);
    }
  }

  private static List<Integer> list(int[] values) {
    return Arrays.stream(values).boxed().toList();
  }

  @Test
  void rowOperationsAreTheirDefinitions() {
    Random random = Seeds.random("rows by definition");
    for (int size : new int[] {1, 2, 5, 64, 1000}) {
      int rows = 3;
      double[] x = random(random, rows * size, 5);
      double[] scale = random(random, size, 1);
      double[] shift = random(random, size, 1);
      double[] softmax = new double[x.length];
      double[] normal = new double[x.length];
      for (int row = 0; row < rows; row++) {
        double[] one = Arrays.copyOfRange(x, row * size, (row + 1) * size);
        double sum = Arrays.stream(one).map(Math::exp).sum();
        double mean = Arrays.stream(one).sum() / size;
        // E[x²] − E[x]², which loses digits that this size still has.
        double variance = Arrays.stream(one).map(v -> v * v).sum() / size - mean * mean;
        for (int j = 0; j < size; j++) {
          softmax[row * size + j] = Math.exp(one[j]) / sum;
          double centred = (one[j] - mean) / Math.sqrt(variance + 0.01);
          normal[row * size + j] = centred * scale[j] + shift[j];
        }
      }
      Region input = region(x);
      Region output = region(new double[x.length]);
      kernels.softmax(input, output, rows, size, null, 1);
      compare("softmax", softmax, values(output), size + 1, i -> 5 * softmax[i]);
      output = region(new double[x.length]);
      kernels.logSoftmax(input, output, rows, size);
      double[] logs = Arrays.stream(softmax).map(Math::log).toArray();
      compare("logSoftmax", logs, values(output), size + 1, i -> 10);
      output = region(new double[x.length]);
      kernels.layerNorm(input, output, rows, size, region(scale), region(shift), 0.01);
      compare("layerNorm", normal, values(output), size + 1, i -> 25 / 0.01);
    }
  }

  @Test
  void reductionsAreTheirDefinitions() {
    double[] x = {3, -4, 1, 2, 0, 12};
    double[][] expected = {
      {4, 10}, {4 / 3.0, 10 / 3.0}, {3, 12}, {0, -4}, {Math.sqrt(10), Math.sqrt(164)}, {0, -96}
    };
    Reduction[] reductions = {
      Reduction.SUM,
      Reduction.MEAN,
      Reduction.MAXIMUM,
      Reduction.MINIMUM,
      Reduction.L2,
      Reduction.PRODUCT
    };
    // [1, 3, 2]: the columns of three rows of two.
    for (int k = 0; k < reductions.length; k++) {
      Region output = region(0, 0);
      kernels.reduce(reductions[k], region(x), output, 1, 3, 2);
      double[] got = values(output);
      compare(reductions[k] + "", expected[k], got, 3, i -> 20);
    }
    double[] ofNone = {0, Double.NaN, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, 0, 1};
    for (int k = 0; k < reductions.length; k++) {
      Region output = region(5);
      kernels.reduce(reductions[k], region(), output, 1, 0, 1);
      assertEquals(ofNone[k], values(output)[0], reductions[k] + " of none");
    }
  }
}

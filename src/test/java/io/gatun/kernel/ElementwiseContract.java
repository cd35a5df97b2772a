package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What {@link Kernels} says of the operations that work element by element. */
interface ElementwiseContract {
  /** Opens the device under test beside the reference. */
  KernelBench bench(String test);

  /** Every function, with its own parameters and with others. */
  static Activation[] activations() {
    Activation.Kind[] kinds = Activation.Kind.values();
    Activation[] all = new Activation[2 * kinds.length + 1];
    for (int i = 0; i < kinds.length; i++) {
      all[2 * i] = Activation.of(kinds[i]);
      all[2 * i + 1] = new Activation(kinds[i], 0.75f, 0.5f);
    }
    all[2 * kinds.length] = Activation.HARD_SIGMOID_SIXTH;
    return all;
  }

  /** What the rounding errors of an activation are relative to. */
  static double magnitude(Activation activation, double x, double expected) {
    double y = Math.abs(expected);
    double linear = Math.abs(activation.alpha() * x) + Math.abs(activation.beta());
    return switch (activation.kind()) {
      // These have a relative error.
      case IDENTITY, RELU, LEAKY_RELU, THRESHOLDED_RELU, SIGMOID, EXPONENTIAL -> y;
      // These have an absolute one where they pass through 0 or flatten out.
      case TANH, SOFTSIGN, SOFTPLUS, SCALED_TANH, ELU, SELU -> Math.max(2, y);
      case HARD_SIGMOID -> Math.min(linear, 2);
      case AFFINE -> linear;
      case GELU, SWISH -> Math.max(1, Math.min(Math.abs(x), 100));
    };
  }

  @Test
  default void activationsAreThoseOfTheReference() {
    try (KernelBench bench = bench("activations")) {
      for (Activation activation : activations()) {
        for (int size : KernelBench.SIZES) {
          double[] x = bench.numbers(size, size % 2 == 0 ? 5 : 30);
          Operand input = bench.reals(x);
          Operand output = bench.output(size);
          bench.both(
              side -> side.kernels().activate(activation, side.of(input), side.of(output), size));
          double[] y = bench.expected(output);
          bench.compare(
              activation + " of " + size, output, 1, i -> magnitude(activation, x[i], y[i]));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void activationsSaturateAndPassNaNOn() {
    double[] special = {
      Double.NaN,
      0,
      -0.0,
      1,
      -1,
      Float.MIN_NORMAL,
      -Float.MIN_NORMAL,
      20,
      -20,
      80,
      -80,
      87,
      -87,
      88.5,
      -88.5,
      95,
      -95,
      104,
      -104,
      700,
      -700,
      1e10f,
      -1e10f,
      1e30f,
      -1e30f,
      Float.MAX_VALUE,
      -Float.MAX_VALUE
    };
    try (KernelBench bench = bench("special values")) {
      for (Activation activation : activations()) {
        // In every lane, and in a tail.
        for (int shift = 0; shift < 5; shift++) {
          double[] x = new double[special.length + shift];
          System.arraycopy(special, 0, x, shift, special.length);
          for (int i = 0; i < x.length; i++) {
            x[i] = (float) x[i];
          }
          Operand input = bench.reals(x);
          Operand output = bench.output(x.length);
          bench.both(
              side ->
                  side.kernels().activate(activation, side.of(input), side.of(output), x.length));
          double[] y = bench.expected(output);
          bench.compare(
              activation + " of " + Arrays.toString(x),
              output,
              1,
              i -> magnitude(activation, x[i], y[i]));
          assertTrue(Double.isNaN(bench.got(output)[shift]), activation + " of NaN");
          bench.clear();
        }
      }
    }
  }

  @Test
  default void functionsOfInfinityAreTheirLimits() {
    try (KernelBench bench = bench("infinities")) {
      for (Activation activation : activations()) {
        switch (activation.kind()) {
          case SOFTSIGN, SWISH, GELU -> {
            // infinity times 0, or over infinity: not promised.
          }
          default -> {
            Operand input = bench.reals(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY);
            Operand output = bench.output(2);
            bench.both(
                side -> side.kernels().activate(activation, side.of(input), side.of(output), 2));
            bench.compare(activation + " of infinities", output, 1, i -> 1);
          }
        }
      }
    }
  }

  @Test
  default void unaryFunctionsAreThoseOfTheReference() {
    try (KernelBench bench = bench("unary")) {
      for (UnaryOperation operation : UnaryOperation.values()) {
        for (int size : KernelBench.SIZES) {
          double[] x = bench.numbers(size, 100);
          if (size > 4) {
            x[1] = Double.NaN;
            x[2] = 0;
            x[3] = Double.POSITIVE_INFINITY;
            x[4] = 1;
          }
          Operand input = bench.reals(x);
          Operand output = bench.output(size);
          bench.both(
              side -> side.kernels().unary(operation, side.of(input), side.of(output), size));
          double[] y = bench.expected(output);
          // The logarithm is near 0 near 1, where its error is that of a number near 1.
          boolean log = operation == UnaryOperation.LOGARITHM;
          bench.compare(
              operation + " of " + size, output, 1, i -> Math.max(Math.abs(y[i]), log ? 1 : 0));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void manyElementsAreThoseOfTheReference() {
    try (KernelBench bench = bench("large elementwise")) {
      int size = KernelBench.LARGE;
      Operand input = bench.reals(size, 5);
      Operand few = bench.reals(3, 5);
      Operand output = bench.output(size);
      bench.both(
          side -> side.kernels().activate(Activation.TANH, side.of(input), side.of(output), size));
      bench.compare("tanh", output, 1, i -> 2);
      bench.both(
          side ->
              side.kernels().unary(UnaryOperation.ABSOLUTE, side.of(input), side.of(output), size));
      bench.compare("absolute", output, 1, i -> 0);
      // [3, size] = few in the first axis times all in the second, and with every other turned.
      Operand table = bench.output(3 * size);
      long[] extent = {3, size};
      for (long[] strides : new long[][] {{1, 0}, {0, 0}}) {
        bench.both(
            side ->
                side.kernels()
                    .binary(
                        BinaryOperation.MULTIPLY,
                        DType.FLOAT32,
                        side.of(few),
                        strides,
                        side.of(input),
                        new long[] {0, 1},
                        side.of(table),
                        extent));
        double[] y = bench.expected(table);
        bench.compare("multiply", table, 1, i -> Math.abs(y[i]));
        bench.both(
            side ->
                side.kernels()
                    .binary(
                        BinaryOperation.SUBTRACT,
                        DType.FLOAT32,
                        side.of(input),
                        new long[] {0, 1},
                        side.of(few),
                        strides,
                        side.of(table),
                        extent));
        bench.compare("subtract", table, 1, i -> 5);
      }
    }
  }

  @Test
  default void inputAndOutputMayBeTheSameRegion() {
    try (KernelBench bench = bench("in place")) {
      for (int size : KernelBench.SIZES) {
        double[] x = bench.numbers(size, 4);
        double[] y = bench.numbers(size, 4);
        Operand apart = bench.reals(x);
        Operand other = bench.reals(y);
        Operand[] outputs = {bench.output(size), bench.output(size), bench.output(size)};
        Operand[] inPlace = {bench.reals(x), bench.reals(x), bench.reals(x)};
        Kernels kernels = bench.tested.kernels();
        long[] stride = {1};
        long[] extent = {size};
        Region a = bench.tested.of(apart);
        Region b = bench.tested.of(other);
        kernels.activate(Activation.TANH, a, bench.tested.of(outputs[0]), size);
        kernels.unary(UnaryOperation.RECIPROCAL, a, bench.tested.of(outputs[1]), size);
        kernels.binary(
            BinaryOperation.SUBTRACT,
            DType.FLOAT32,
            a,
            stride,
            b,
            stride,
            bench.tested.of(outputs[2]),
            extent);
        Region same = bench.tested.of(inPlace[0]);
        kernels.activate(Activation.TANH, same, same, size);
        same = bench.tested.of(inPlace[1]);
        kernels.unary(UnaryOperation.RECIPROCAL, same, same, size);
        same = bench.tested.of(inPlace[2]);
        kernels.binary(
            BinaryOperation.SUBTRACT, DType.FLOAT32, same, stride, b, stride, same, extent);
        for (int i = 0; i < outputs.length; i++) {
          KernelBench.sameBits(
              "operation " + i + " on " + size, bench.got(outputs[i]), bench.got(inPlace[i]));
        }
        bench.clear();
      }
    }
  }

  @Test
  default void binaryFunctionsBroadcast() {
    try (KernelBench bench = bench("binary")) {
      for (int round = 0; round < 25; round++) {
        for (BinaryOperation operation : BinaryOperation.values()) {
          int rank = bench.random.nextInt(5);
          long[] extent = new long[rank];
          long[] aStrides = new long[rank];
          long[] bStrides = new long[rank];
          int count = 1;
          int aCount = 1;
          int bCount = 1;
          for (int axis = rank - 1; axis >= 0; axis--) {
            extent[axis] = axis == rank - 1 ? bench.size(70) : bench.random.nextInt(4) + 1;
            count *= (int) extent[axis];
            if (bench.random.nextInt(3) > 0) {
              aStrides[axis] = aCount;
              aCount *= (int) extent[axis];
            }
            if (bench.random.nextInt(3) > 0) {
              bStrides[axis] = bCount;
              bCount *= (int) extent[axis];
            }
          }
          boolean power = operation == BinaryOperation.POWER;
          double[] x = bench.numbers(aCount, 3);
          for (int i = 0; i < x.length && power; i++) {
            x[i] = Math.abs(x[i]);
          }
          Operand a = bench.reals(x);
          Operand b = bench.reals(bCount, 3);
          Operand output = bench.output(count);
          bench.both(
              side ->
                  side.kernels()
                      .binary(
                          operation,
                          DType.FLOAT32,
                          side.of(a),
                          aStrides,
                          side.of(b),
                          bStrides,
                          side.of(output),
                          extent));
          double[] y = bench.expected(output);
          String what =
              operation
                  + " over "
                  + Arrays.toString(extent)
                  + " with strides "
                  + Arrays.toString(aStrides)
                  + " and "
                  + Arrays.toString(bStrides);
          // a^b = e^(b ln a): the exponent's error is relative to the exponent.
          bench.compare(
              what, output, 1, i -> Math.abs(y[i]) * (power ? 1 + Math.abs(Math.log(y[i])) : 1));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void binaryFunctionsOfRealsPassNaNOn() {
    double[] x = {Double.NaN, 1, Double.NaN, -0.0, 0, Double.POSITIVE_INFINITY, 5, 5, 5, 5, 5, 5};
    double[] y = {1, Double.NaN, Double.NaN, 0, -0.0, Double.POSITIVE_INFINITY, 5, 1, 2, 3, 4, 5};
    try (KernelBench bench = bench("binary NaN")) {
      for (BinaryOperation operation : BinaryOperation.values()) {
        Operand a = bench.reals(x);
        Operand b = bench.reals(y);
        Operand output = bench.output(x.length);
        bench.both(
            side ->
                side.kernels()
                    .binary(
                        operation,
                        DType.FLOAT32,
                        side.of(a),
                        new long[] {1},
                        side.of(b),
                        new long[] {1},
                        side.of(output),
                        new long[] {x.length}));
        bench.compare(operation + " of NaN", output, 1, i -> 10_000);
        double[] got = bench.got(output);
        for (int i = 0; i < 3; i++) {
          assertTrue(Double.isNaN(got[i]), operation + " of " + x[i] + " and " + y[i]);
        }
      }
    }
  }

  @Test
  default void binaryFunctionsOfIntegersWrapAroundAndDivideTowardsZero() {
    long[] x = {7, -7, 7, -7, 100, -128, 127, 3, -1, 1, 2, 0, 5, 5, 6, 120, -100};
    long[] y = {2, 2, -2, -2, 100, 1, 127, 5, 7, 100, 6, 3, 5, 5, 1, 120, 100};
    try (KernelBench bench = bench("binary integers")) {
      for (DType type : new DType[] {DType.INT8, DType.UINT8, DType.INT32, DType.INT64}) {
        for (BinaryOperation operation : BinaryOperation.values()) {
          long[] left = x.clone();
          long[] right = y.clone();
          for (int i = 0; i < x.length; i++) {
            boolean power = operation == BinaryOperation.POWER;
            left[i] = type == DType.UINT8 ? x[i] & 0xff : x[i];
            right[i] = type == DType.UINT8 || power ? y[i] & 0x7f : y[i];
          }
          Operand a = bench.integers(type, left);
          Operand b = bench.integers(type, right);
          Operand output = bench.output(type, x.length);
          bench
              .tested
              .kernels()
              .binary(
                  operation,
                  type,
                  bench.tested.of(a),
                  new long[] {1},
                  bench.tested.of(b),
                  new long[] {1},
                  bench.tested.of(output),
                  new long[] {x.length});
          long[] expected = new long[x.length];
          for (int i = 0; i < x.length; i++) {
            expected[i] = wrapped(type, exact(operation, left[i], right[i]));
          }
          assertArrayEquals(expected, bench.gotIntegers(output), operation + " of " + type);
        }
      }
    }
  }

  /** Without limits of size, and modulo 2^64 at the end. */
  private static long exact(BinaryOperation operation, long x, long y) {
    var a = java.math.BigInteger.valueOf(x);
    var b = java.math.BigInteger.valueOf(y);
    return (switch (operation) {
          case ADD -> a.add(b);
          case SUBTRACT -> a.subtract(b);
          case MULTIPLY -> a.multiply(b);
          case DIVIDE -> a.divide(b);
          case MAXIMUM -> a.max(b);
          case MINIMUM -> a.min(b);
          case POWER -> a.pow((int) y);
        })
        .longValue();
  }

  private static long wrapped(DType type, long value) {
    return switch (type) {
      case INT8 -> (byte) value;
      case UINT8 -> value & 0xff;
      case INT32 -> (int) value;
      default -> value;
    };
  }

  @Test
  default void elementwiseRegionsThatAreTooShortAreRefused() {
    try (KernelBench bench = bench("hostile elementwise")) {
      Kernels kernels = bench.tested.kernels();
      Region eight = bench.tested.of(bench.reals(8, 1));
      Region seven = bench.tested.of(bench.reals(7, 1));
      Region empty = new Region();
      Activation tanh = Activation.TANH;
      long[] one = {1};
      long[] extent = {8};
      Refusals.tooShort("input", () -> kernels.activate(tanh, seven, eight, 8));
      Refusals.tooShort("output", () -> kernels.activate(tanh, eight, seven, 8));
      Refusals.tooShort("input", () -> kernels.activate(tanh, eight, eight, Long.MAX_VALUE));
      Refusals.tooShort("input", () -> kernels.activate(tanh, eight, eight, 1L << 62));
      Refusals.refused(() -> kernels.activate(tanh, eight, eight, -1));
      Refusals.refused(() -> kernels.activate(tanh, empty, eight, 8));
      Refusals.refused(() -> kernels.activate(tanh, null, eight, 8));
      Refusals.tooShort("input", () -> kernels.unary(UnaryOperation.NEGATE, seven, eight, 8));
      Refusals.tooShort("output", () -> kernels.unary(UnaryOperation.NEGATE, eight, seven, 8));
      BinaryOperation add = BinaryOperation.ADD;
      DType f = DType.FLOAT32;
      Refusals.tooShort("a", () -> kernels.binary(add, f, seven, one, eight, one, eight, extent));
      Refusals.tooShort("b", () -> kernels.binary(add, f, eight, one, seven, one, eight, extent));
      Refusals.tooShort(
          "output", () -> kernels.binary(add, f, eight, one, eight, one, seven, extent));
      for (long stride : new long[] {2, -1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 61}) {
        Refusals.outside(
            () -> kernels.binary(add, f, eight, new long[] {stride}, eight, one, eight, extent));
      }
      Refusals.refused(
          () -> kernels.binary(add, f, eight, one, eight, one, eight, new long[] {-1}));
      Refusals.outside(
          () ->
              kernels.binary(
                  add,
                  f,
                  eight,
                  new long[] {0, 0},
                  eight,
                  new long[] {0, 0},
                  eight,
                  new long[] {1L << 40, 1L << 40}));
      assertThrows(
          ShapeException.class,
          () -> kernels.binary(add, f, eight, new long[0], eight, one, eight, extent));
      Refusals.refused(
          () -> kernels.binary(add, DType.BOOL, eight, one, eight, one, eight, extent));
      Operand zero = bench.integers(DType.INT32, 1, 0);
      Region z = bench.tested.of(zero);
      assertThrows(
          ArithmeticException.class,
          () ->
              kernels.binary(
                  BinaryOperation.DIVIDE, DType.INT32, z, one, z, one, z, new long[] {2}));
    }
  }
}

package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.kernel.KernelBench.Packed;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@link Kernels} says of matrix products and convolutions. */
public interface ProductContract extends UnderTest {
  @Test
  default void productsAreThoseOfTheReference() {
    try (KernelBench bench = bench("multiply")) {
      List<int[]> sizes = new ArrayList<>();
      for (int size : KernelBench.SIZES) {
        sizes.add(new int[] {3, 5, size});
        sizes.add(new int[] {3, size, 5});
        sizes.add(new int[] {size, 5, 3});
        sizes.add(new int[] {size, size, size});
      }
      sizes.add(new int[] {33, 1031, 1500});
      for (int i = 0; i < 40; i++) {
        sizes.add(new int[] {bench.size(40), bench.size(300), bench.size(300)});
      }
      for (int[] size : sizes) {
        int rows = size[0];
        int inner = size[1];
        int columns = size[2];
        Tensor matrix = bench.tensor(1, columns, inner).transpose(1, 0);
        Tensor bias = bench.random.nextBoolean() ? bench.tensor(1, columns) : null;
        DType type = List.of(DType.FLOAT32, DType.FLOAT64).get(bench.random.nextInt(2));
        Tensor stored = matrix.to(bench.arena, type);
        Packed<PackedMatrix> b = bench.pack(device -> device.pack(stored, bias, bench.format));
        assertEquals(inner, bench.tested.of(b).inner());
        assertEquals(columns, bench.tested.of(b).columns());
        assertTrue(bench.tested.of(b).bytes() >= (long) inner * columns);
        int aGap = bench.random.nextInt(3);
        int cGap = bench.random.nextInt(3);
        Operand a = bench.reals(rows * (inner + aGap), 1);
        Operand c = bench.output(rows * (columns + cGap));
        Activation activation =
            bench.random.nextBoolean() ? Activation.IDENTITY : Activation.SIGMOID;
        bench.both(
            side ->
                side.kernels()
                    .multiply(
                        side.of(a),
                        inner + aGap,
                        rows,
                        side.of(b),
                        activation,
                        side.of(c),
                        columns + cGap));
        // NaN between the rows of C shows that nothing was written there: both sides have it.
        bench.compare(
            activation + " of " + Arrays.toString(size), c, inner + 1, i -> inner / 2.0 + 1);
        bench.clear();
      }
    }
  }

  @Test
  default void smallTypesAreUnpackedExactly() {
    try (KernelBench bench = bench("multiply small types")) {
      for (DType type : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
        Tensor matrix = bench.tensor(1, 17, 19).to(bench.arena, type);
        Packed<PackedMatrix> b = bench.pack(device -> device.pack(matrix, null, bench.format));
        Operand a = bench.reals(4 * 17, 1);
        Operand c = bench.output(4 * 19);
        bench.both(
            side ->
                side.kernels()
                    .multiply(side.of(a), 17, 4, side.of(b), Activation.IDENTITY, side.of(c), 19));
        bench.compare(type + " product", c, 17, i -> 17 / 2.0);
      }
    }
  }

  @Test
  default void aProductsRowDoesNotDependOnTheOthersNorOnTheWorkers() {
    try (KernelBench bench = bench("multiply alone")) {
      List<KernelBench.Side> several = List.of(bench.withWorkers(2), bench.withWorkers(8));
      for (int round = 0; round < 25; round++) {
        int rows = 1 + bench.size(40);
        int inner = bench.size(200);
        int columns = 1 + bench.size(200);
        Tensor matrix = bench.tensor(1, inner, columns);
        Packed<PackedMatrix> b = bench.pack(device -> device.pack(matrix, null, bench.format));
        Operand a = bench.reals(rows * inner, 1);
        Operand c = bench.output(rows * columns);
        Activation tanh = Activation.TANH;
        Region left = bench.tested.of(a);
        Region result = bench.tested.of(c);
        bench
            .tested
            .kernels()
            .multiply(left, inner, rows, bench.tested.of(b), tanh, result, columns);
        double[] together = bench.got(c);
        for (KernelBench.Side side : several) {
          Operand shared = bench.output(rows * columns);
          side.kernels().multiply(left, inner, rows, side.of(b), tanh, side.of(shared), columns);
          KernelBench.sameBits("workers", together, bench.got(shared));
        }
        Operand alone = bench.output(rows * columns);
        Region one = bench.tested.of(alone);
        long size = bench.real().bytes();
        for (int row = 0; row < rows; row++) {
          bench
              .tested
              .kernels()
              .multiply(
                  new Region(
                      left.buffer(), left.offset() + (long) row * inner * size, inner * size),
                  inner,
                  1,
                  bench.tested.of(b),
                  tanh,
                  new Region(
                      one.buffer(), one.offset() + (long) row * columns * size, columns * size),
                  columns);
        }
        if (keepsBits()) {
          KernelBench.sameBits("row by row", together, bench.got(alone));
        } else {
          // Sums of as many products of numbers up to 1, formed in two orders.
          KernelBench.compare(
              "row by row", together, bench.got(alone), bench.real(), inner, i -> inner);
        }
        bench.clear();
      }
    }
  }

  @Test
  default void aProductPassesNaNOnInItsRowAlone() {
    try (KernelBench bench = bench("multiply NaN")) {
      Tensor matrix = bench.tensor(1, 9, 21);
      matrix.fill(0);
      Packed<PackedMatrix> b = bench.pack(device -> device.pack(matrix, null, bench.format));
      double[] x = bench.numbers(5 * 9, 1);
      x[2 * 9 + 4] = Double.NaN;
      x[3 * 9 + 8] = Double.POSITIVE_INFINITY;
      Operand a = bench.reals(x);
      Operand c = bench.output(5 * 21);
      bench
          .tested
          .kernels()
          .multiply(
              bench.tested.of(a),
              9,
              5,
              bench.tested.of(b),
              Activation.RELU,
              bench.tested.of(c),
              21);
      double[] got = bench.got(c);
      for (int i = 0; i < got.length; i++) {
        boolean spoilt = i / 21 == 2 || i / 21 == 3;
        assertEquals(spoilt, Double.isNaN(got[i]), "element " + i + " is " + got[i]);
      }
    }
  }

  @Test
  default void batchedProductsAreThoseOfTheReference() {
    try (KernelBench bench = bench("batched")) {
      KernelBench.Side several = bench.withWorkers(3);
      for (int round = 0; round < 80; round++) {
        int number = bench.random.nextInt(5);
        int rows = bench.size(40);
        int inner = bench.size(70);
        int columns = bench.size(70);
        boolean aTransposed = bench.random.nextBoolean();
        boolean bTransposed = bench.random.nextBoolean();
        int aGap = bench.random.nextInt(3);
        int bGap = bench.random.nextInt(3);
        int aLine = (aTransposed ? rows : inner) + aGap;
        int bLine = (bTransposed ? inner : columns) + bGap;
        int aSize = aLine * (aTransposed ? inner : rows);
        int bSize = bLine * (bTransposed ? columns : inner);
        long[] aOffsets = new long[number];
        long[] bOffsets = new long[number];
        boolean repeat = bench.random.nextBoolean();
        for (int i = 0; i < number; i++) {
          aOffsets[i] = (long) i * aSize;
          bOffsets[i] = repeat ? 0 : (long) i * bSize;
        }
        BatchedProduct product =
            new BatchedProduct(
                aOffsets,
                bOffsets,
                rows,
                inner,
                columns,
                aTransposed ? 1 : aLine,
                aTransposed ? aLine : 1,
                bTransposed ? 1 : bLine,
                bTransposed ? bLine : 1);
        Operand a = bench.reals(number * aSize + 1, 1);
        Operand b = bench.reals(number * bSize + 1, 1);
        Operand c = bench.output(number * rows * columns);
        bench.both(side -> side.kernels().multiply(product, side.of(a), side.of(b), side.of(c)));
        bench.compare(product.toString(), c, inner + 1, i -> inner / 4.0 + 1);
        Operand shared = bench.output(number * rows * columns);
        several.kernels().multiply(product, several.of(a), several.of(b), several.of(shared));
        KernelBench.sameBits("workers", bench.got(c), bench.got(shared));
        bench.clear();
      }
    }
  }

  @Test
  default void productsThatLeaveTheirRegionsAreRefused() {
    try (KernelBench bench = bench("hostile products")) {
      Kernels k = bench.tested.kernels();
      Packed<PackedMatrix> packed =
          bench.pack(device -> device.pack(bench.tensor(1, 3, 4), null, bench.format));
      PackedMatrix b = bench.tested.of(packed);
      Region a = bench.tested.of(bench.reals(6, 1));
      Region c = bench.tested.of(bench.output(8));
      Activation f = Activation.IDENTITY;
      k.multiply(a, 3, 2, b, f, c, 4);
      Refusals.tooShort("a", () -> k.multiply(a, 4, 2, b, f, c, 4));
      Refusals.tooShort("a", () -> k.multiply(a, 3, 3, b, f, c, 4));
      Refusals.tooShort("c", () -> k.multiply(a, 3, 2, b, f, c, 5));
      Refusals.outside(() -> k.multiply(a, -3, 2, b, f, c, 4));
      Refusals.outside(() -> k.multiply(a, Long.MAX_VALUE, 2, b, f, c, 4));
      Refusals.outside(() -> k.multiply(a, 1L << 62, 2, b, f, c, 4));
      Refusals.refused(() -> k.multiply(a, 3, -1, b, f, c, 4));
      Refusals.refused(() -> k.multiply(a, 3, 2, b, f, c, 3));
      Refusals.refused(() -> k.multiply(a, 3, 2, null, f, c, 4));
      Refusals.refused(() -> k.multiply(a, 3, 2, new Foreign(), f, c, 4));
      long[] zero = {0};
      for (BatchedProduct wrong :
          List.of(
              new BatchedProduct(zero, zero, 3, 3, 2, 3, 1, 2, 1),
              new BatchedProduct(new long[] {1}, zero, 2, 3, 2, 3, 1, 2, 1),
              new BatchedProduct(new long[] {-1}, zero, 2, 3, 2, 3, 1, 2, 1),
              new BatchedProduct(new long[] {Long.MAX_VALUE}, zero, 2, 3, 2, 3, 1, 2, 1),
              new BatchedProduct(zero, new long[] {3}, 2, 3, 2, 3, 1, 2, 1),
              new BatchedProduct(zero, zero, 2, 3, 2, Long.MAX_VALUE, 1, 2, 1),
              new BatchedProduct(zero, zero, 2, 3, 2, -3, 1, 2, 1),
              new BatchedProduct(zero, zero, 2, 3, 2, 3, 1, 1L << 62, 1),
              new BatchedProduct(zero, zero, 2, 3, 5, 3, 1, 0, 1))) {
        Refusals.outside(() -> k.multiply(wrong, a, c, c));
      }
      Refusals.refused(
          () -> k.multiply(new BatchedProduct(zero, zero, -2, 3, 2, 3, 1, 2, 1), a, c, c));
      assertThrows(
          ShapeException.class,
          () -> k.multiply(new BatchedProduct(zero, new long[2], 2, 3, 2, 3, 1, 2, 1), a, c, c));
      Device device = bench.tested.device();
      assertThrows(ShapeException.class, () -> device.pack(bench.tensor(1, 3), null, bench.format));
      assertThrows(
          ShapeException.class,
          () -> device.pack(bench.tensor(1, 3, 4), bench.tensor(1, 3), bench.format));
      assertThrows(
          IllegalArgumentException.class,
          () -> device.pack(Tensor.allocate(bench.arena, DType.INT32, 3, 4), null, bench.format));
    }
  }

  /** What some other device packed. */
  final class Foreign implements PackedMatrix {
    @Override
    public int inner() {
      return 3;
    }

    @Override
    public int columns() {
      return 4;
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {}
  }

  @Test
  default void convolutionsAreThoseOfTheReference() {
    try (KernelBench bench = bench("convolve")) {
      KernelBench.Side several = bench.withWorkers(3);
      for (int round = 0; round < 120; round++) {
        int axes = 1 + round % 3;
        int groups = 1 + bench.random.nextInt(3);
        int in = groups * (1 + bench.random.nextInt(3));
        int out = groups * (1 + bench.random.nextInt(3));
        List<Integer> kernel = some(bench, axes, 1, 4);
        ConvolutionSpec spec =
            new ConvolutionSpec(
                in,
                out,
                groups,
                kernel,
                some(bench, axes, 1, 3),
                some(bench, axes, 1, 3),
                some(bench, axes, 0, 3),
                some(bench, axes, 0, 3));
        long[] spatial = new long[axes];
        long[] weightDims = new long[axes + 2];
        weightDims[0] = out;
        weightDims[1] = in / groups;
        int batch = bench.random.nextInt(3);
        int inputs = batch * in;
        int outputs = batch * out;
        int terms = in / groups;
        for (int axis = 0; axis < axes; axis++) {
          spatial[axis] = bench.random.nextInt(axes == 1 ? 40 : 9);
          weightDims[axis + 2] = kernel.get(axis);
          inputs *= (int) spatial[axis];
          outputs *= (int) spec.outputSize(axis, spatial[axis]);
          terms *= kernel.get(axis);
        }
        Tensor weights = bench.tensor(1, weightDims);
        Tensor bias = bench.random.nextBoolean() ? bench.tensor(1, out) : null;
        Packed<PackedConvolution> packed = bench.pack(device -> device.pack(spec, weights, bias));
        Operand input = bench.reals(inputs, 1);
        Operand output = bench.output(outputs);
        Activation relu = Activation.RELU;
        bench.both(
            side ->
                side.kernels()
                    .convolve(
                        side.of(packed), side.of(input), batch, spatial, relu, side.of(output)));
        int magnitude = terms;
        bench.compare(
            spec + " of " + Arrays.toString(spatial), output, terms + 1, i -> magnitude / 4.0 + 1);
        Operand shared = bench.output(outputs);
        several
            .kernels()
            .convolve(
                several.of(packed), several.of(input), batch, spatial, relu, several.of(shared));
        KernelBench.sameBits("workers", bench.got(output), bench.got(shared));
        bench.clear();
      }
    }
  }

  private static List<Integer> some(KernelBench bench, int count, int from, int to) {
    List<Integer> values = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      values.add(from + bench.random.nextInt(to - from));
    }
    return values;
  }

  @Test
  default void convolutionsThatDoNotFitAreRefused() {
    try (KernelBench bench = bench("hostile convolutions")) {
      Kernels k = bench.tested.kernels();
      List<Integer> one = List.of(1);
      List<Integer> zero = List.of(0);
      ConvolutionSpec spec = new ConvolutionSpec(2, 3, 1, List.of(2), one, one, zero, zero);
      Packed<PackedConvolution> packed =
          bench.pack(device -> device.pack(spec, bench.tensor(1, 3, 2, 2), null));
      PackedConvolution c = bench.tested.of(packed);
      Region input = bench.tested.of(bench.reals(10, 1));
      Region output = bench.tested.of(bench.output(12));
      Activation f = Activation.IDENTITY;
      k.convolve(c, input, 1, new long[] {5}, f, output);
      Refusals.tooShort("input", () -> k.convolve(c, input, 1, new long[] {6}, f, output));
      Refusals.tooShort("input", () -> k.convolve(c, input, 2, new long[] {5}, f, output));
      Refusals.tooShort("output", () -> k.convolve(c, input, 1, new long[] {5}, f, input));
      Refusals.refused(() -> k.convolve(c, input, -1, new long[] {5}, f, output));
      Refusals.refused(() -> k.convolve(c, input, 1, new long[] {-5}, f, output));
      Refusals.refused(() -> k.convolve(c, input, 1, new long[] {5, 1}, f, output));
      Refusals.refused(() -> k.convolve(c, input, 1, new long[0], f, output));
      Refusals.refused(() -> k.convolve(c, input, 1, new long[] {Long.MAX_VALUE}, f, output));
      Device device = bench.tested.device();
      assertThrows(ShapeException.class, () -> device.pack(spec, bench.tensor(1, 3, 2, 3), null));
      assertThrows(
          ShapeException.class,
          () -> device.pack(spec, bench.tensor(1, 3, 2, 2), bench.tensor(1, 2)));
    }
  }
}

package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * What {@link Kernels} and {@link Device} say of memory and of the operations that move numbers.
 */
interface MovingContract {
  /** Opens the device under test beside the reference. */
  KernelBench bench(String test);

  @Test
  default void everyTypeComesBackAsItWentWhateverTheStrides() {
    try (KernelBench bench = bench("upload")) {
      for (DType type : DType.values()) {
        Tensor whole = Tensor.allocate(bench.arena, type, 5, 4, 3);
        for (long i = 0; i < 60; i++) {
          whole.setDouble(bench.random.nextInt(100), i / 12, i / 3 % 4, i % 3);
        }
        for (Tensor view :
            new Tensor[] {
              whole,
              whole.transpose(2, 0, 1),
              whole.flip(1),
              whole.slice(1, 1, 3),
              whole.select(2, 1),
              whole.slice(0, 2, 2)
            }) {
          Operand operand = bench.output(type, 60);
          bench.tested.kernels().upload(view, bench.tested.of(operand));
          Tensor back = Tensor.allocate(bench.arena, type, view.shape().dims());
          bench.tested.kernels().download(bench.tested.of(operand), back);
          bench.tested.kernels().synchronize();
          assertArrayEquals(view.toDoubles(), back.toDoubles(), view.toString());
          Tensor scattered = Tensor.allocate(bench.arena, type, view.shape().dims()).flip(0);
          bench.tested.kernels().download(bench.tested.of(operand), scattered);
          assertArrayEquals(view.toDoubles(), scattered.toDoubles(), view.toString());
        }
      }
    }
  }

  @Test
  default void constantsAreTheTensorsNumbersAndHoldTheirArenaOpen() {
    try (KernelBench bench = bench("constants")) {
      Kernels kernels = bench.tested.kernels();
      Device device = bench.tested.device();
      for (DType type : DType.values()) {
        SharedArena weights = SharedArena.open("weights");
        Tensor tensor = Tensor.allocate(weights, type, 7, 3);
        for (int i = 0; i < 21; i++) {
          tensor.setDouble(i, i / 3, i % 3);
        }
        Tensor heldByNobody = tensor.transpose(1, 0).copy(bench.arena);
        Tensor crooked = Tensor.wrap(weights.allocate(100, 1).asSlice(1), type, 3);
        crooked.setDouble(1, 2);
        try (Buffer straight = device.constant(tensor, "straight");
            Buffer transposed = device.constant(tensor.transpose(1, 0), "transposed");
            Buffer copied = device.constant(heldByNobody, "copied");
            Buffer unaligned = device.constant(crooked, "unaligned")) {
          Buffer[] buffers = {straight, transposed, copied, unaligned};
          Tensor[] sources = {tensor, tensor.transpose(1, 0), heldByNobody, crooked};
          for (int i = 0; i < buffers.length; i++) {
            Tensor back = Tensor.allocate(bench.arena, type, sources[i].shape().dims());
            kernels.download(new Region(buffers[i]), back);
            assertArrayEquals(sources[i].toDoubles(), back.toDoubles());
          }
        }
        weights.close();
      }
    }
  }

  @Test
  default void bytesAreCopied() {
    try (KernelBench bench = bench("copy")) {
      for (int size : KernelBench.SIZES) {
        Operand from = bench.reals(size, 1);
        Operand to = bench.output(size);
        Kernels kernels = bench.tested.kernels();
        kernels.copy(bench.tested.of(from), bench.tested.of(to), bench.tested.of(from).bytes());
        KernelBench.sameBits("copy of " + size, bench.got(from), bench.got(to));
      }
    }
  }

  @Test
  default void stridedCopiesGoFromAnywhereToAnywhere() {
    try (KernelBench bench = bench("copyStrided")) {
      for (int round = 0; round < 200; round++) {
        int elementBytes = new int[] {1, 4, 8, 2, 12}[round % 5];
        int rank = bench.random.nextInt(6);
        long[] extent = new long[rank];
        for (int axis = 0; axis < rank; axis++) {
          extent[axis] = bench.random.nextInt(20) == 0 ? 0 : bench.random.nextInt(5) + 1;
        }
        long[] to = Shape.of(extent).contiguousStrides();
        long[] from = new long[rank];
        long begin = 0;
        long reach = 1;
        // A permuted, gappy, reversed or repeating layout of the source.
        for (int axis : shuffled(rank, bench)) {
          if (bench.random.nextInt(4) > 0) {
            from[axis] = reach * (bench.random.nextBoolean() ? 1 : -1);
            begin += from[axis] < 0 ? -from[axis] * Math.max(0, extent[axis] - 1) : 0;
            reach = reach * Math.max(1, extent[axis]) + bench.random.nextInt(2);
          }
        }
        int elements = (int) Shape.of(extent).elements();
        int sourceElements = (int) (reach + 5);
        byte[] bytes = new byte[sourceElements * elementBytes];
        bench.random.nextBytes(bytes);
        long[] values = new long[bytes.length];
        Arrays.setAll(values, i -> bytes[i]);
        Operand source = bench.integers(DType.INT8, values);
        Operand target = bench.output(DType.INT8, (elements + 3) * elementBytes);
        bench
            .tested
            .kernels()
            .copyStrided(
                bench.tested.of(source),
                begin,
                from,
                bench.tested.of(target),
                3,
                to,
                extent,
                elementBytes);
        long[] expected = new long[target.count];
        Arrays.fill(expected, 77);
        for (int i = 0; i < elements; i++) {
          long at = begin;
          int rest = i;
          for (int axis = rank - 1; axis >= 0; axis--) {
            at += rest % extent[axis] * from[axis];
            rest /= (int) extent[axis];
          }
          for (int b = 0; b < elementBytes; b++) {
            expected[(3 + i) * elementBytes + b] = bytes[(int) at * elementBytes + b];
          }
        }
        assertArrayEquals(
            expected,
            bench.gotIntegers(target),
            "elements of "
                + elementBytes
                + " bytes over "
                + Arrays.toString(extent)
                + " from "
                + begin
                + " by "
                + Arrays.toString(from));
        bench.clear();
      }
    }
  }

  private static int[] shuffled(int rank, KernelBench bench) {
    int[] axes = new int[rank];
    for (int i = 0; i < rank; i++) {
      int j = bench.random.nextInt(i + 1);
      axes[i] = axes[j];
      axes[j] = i;
    }
    return axes;
  }

  @Test
  default void fillSetsEveryElementAndNothingElse() {
    try (KernelBench bench = bench("fill")) {
      for (DType type : DType.values()) {
        for (int size : KernelBench.SIZES) {
          Operand operand = bench.output(type, size + 1);
          bench.tested.kernels().fill(bench.tested.of(operand), type, size, 3.0);
          double[] expected = new double[size + 1];
          Arrays.fill(expected, type == DType.BOOL ? 1 : 3);
          expected[size] = type.isFloat() ? Double.NaN : type == DType.BOOL ? 1 : 77;
          KernelBench.sameBits("fill " + type, expected, bench.got(operand));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void castTruncatesSaturatesAndMakesNaNZero() {
    double[] numbers = {
      0,
      -0.0,
      0.4,
      -0.9,
      1,
      -1,
      1.5,
      2.99,
      127,
      128,
      -128,
      -129,
      255,
      256,
      1e6f,
      -1e6f,
      1e12f,
      -1e12f,
      1e30f,
      -1e30f,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      Double.NaN
    };
    try (KernelBench bench = bench("cast")) {
      for (DType from : DType.values()) {
        for (DType to : DType.values()) {
          Tensor source = Tensor.allocate(bench.arena, from, numbers.length);
          for (int i = 0; i < numbers.length; i++) {
            source.setDouble((float) numbers[i], i);
          }
          Operand input = bench.output(from, numbers.length);
          Operand output = bench.output(to, numbers.length);
          bench.tested.kernels().upload(source, bench.tested.of(input));
          bench
              .tested
              .kernels()
              .cast(bench.tested.of(input), from, bench.tested.of(output), to, numbers.length);
          // The tensors convert by the same rules; a float16 is not one any more on the device.
          DType storedFrom = bench.tested.device().stored(from);
          DType storedTo = bench.tested.device().stored(to);
          double[] expected =
              source.to(bench.arena, storedFrom).to(bench.arena, storedTo).toDoubles();
          KernelBench.sameBits(from + " to " + to, expected, bench.got(output));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void gatherPicksRowsFromEitherEnd() {
    try (KernelBench bench = bench("gather")) {
      for (DType type : new DType[] {DType.INT32, DType.INT64}) {
        for (int size : KernelBench.SIZES) {
          int rows = 11;
          Operand table = bench.reals(rows * size, 1);
          long[] places = new long[23];
          Arrays.setAll(places, i -> bench.random.nextInt(2 * rows) - rows);
          Operand indices = bench.integers(type, places);
          Operand output = bench.output(places.length * size);
          long rowBytes = (long) size * bench.real().bytes();
          bench
              .tested
              .kernels()
              .gatherRows(
                  bench.tested.of(table),
                  rows,
                  rowBytes,
                  bench.tested.of(indices),
                  type,
                  places.length,
                  bench.tested.of(output));
          double[] from = bench.got(table);
          double[] expected = new double[output.count];
          for (int i = 0; i < places.length; i++) {
            int row = (int) Math.floorMod(places[i], (long) rows);
            System.arraycopy(from, row * size, expected, i * size, size);
          }
          KernelBench.sameBits("rows of " + size, expected, bench.got(output));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void gatherChecksEveryIndexBeforeItWrites() {
    try (KernelBench bench = bench("gather refused")) {
      Operand table = bench.reals(12, 1);
      Region t = bench.tested.of(table);
      long rowBytes = 4L * bench.real().bytes();
      for (DType type : new DType[] {DType.INT32, DType.INT64}) {
        for (long bad : new long[] {3, -4, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
          Operand indices = bench.integers(type, 0, 1, bad);
          Operand output = bench.output(12);
          IndexOutOfBoundsException e =
              assertThrows(
                  IndexOutOfBoundsException.class,
                  () ->
                      bench
                          .tested
                          .kernels()
                          .gatherRows(
                              t,
                              3,
                              rowBytes,
                              bench.tested.of(indices),
                              type,
                              3,
                              bench.tested.of(output)));
          assertTrue(e.getMessage().contains(String.valueOf(bad)), e.getMessage());
          for (double value : bench.got(output)) {
            assertTrue(Double.isNaN(value), "a row was written");
          }
        }
      }
      Region i = bench.tested.of(bench.integers(DType.INT32, 0));
      Kernels kernels = bench.tested.kernels();
      Refusals.tooShort("table", () -> kernels.gatherRows(t, 4, rowBytes, i, DType.INT32, 1, t));
      Refusals.tooShort("indices", () -> kernels.gatherRows(t, 3, rowBytes, i, DType.INT32, 2, t));
      Refusals.tooShort("indices", () -> kernels.gatherRows(t, 3, rowBytes, i, DType.INT64, 1, t));
      Refusals.refused(() -> kernels.gatherRows(t, 3, rowBytes, i, DType.FLOAT32, 1, t));
      Refusals.refused(() -> kernels.gatherRows(t, -1, rowBytes, i, DType.INT32, 1, t));
      Refusals.refused(() -> kernels.gatherRows(t, Long.MAX_VALUE, rowBytes, i, DType.INT32, 1, t));
    }
  }

  @Test
  default void assignSetsPlacesAndChecksThemFirst() {
    try (KernelBench bench = bench("assign")) {
      Kernels kernels = bench.tested.kernels();
      Operand target = bench.reals(9, 1);
      double[] expected = bench.got(target);
      Region places = bench.tested.of(bench.integers(DType.INT64, 0, 8, 3, 3));
      kernels.assign(bench.tested.of(target), places, 4, Double.NEGATIVE_INFINITY);
      for (int place : new int[] {0, 8, 3}) {
        expected[place] = Double.NEGATIVE_INFINITY;
      }
      KernelBench.sameBits("assign", expected, bench.got(target));
      for (long bad : new long[] {9, -1, Long.MAX_VALUE, Long.MIN_VALUE}) {
        Region wrong = bench.tested.of(bench.integers(DType.INT64, 1, bad));
        Refusals.outside(() -> kernels.assign(bench.tested.of(target), wrong, 2, 0));
      }
      Refusals.tooShort("places", () -> kernels.assign(bench.tested.of(target), places, 5, 0));
      KernelBench.sameBits("after refusals", expected, bench.got(target));
    }
  }

  @Test
  default void movesThatLeaveTheirRegionsAreRefused() {
    try (KernelBench bench = bench("hostile moves")) {
      Kernels kernels = bench.tested.kernels();
      Region bytes = bench.tested.of(bench.output(DType.INT8, 8));
      Region few = bench.tested.of(bench.output(DType.INT8, 7));
      Region nowhere = new Region();
      Refusals.tooShort("copy source", () -> kernels.copy(few, bytes, 8));
      Refusals.tooShort("copy target", () -> kernels.copy(bytes, few, 8));
      Refusals.refused(() -> kernels.copy(bytes, bytes, -1));
      Refusals.refused(() -> kernels.copy(nowhere, bytes, 1));
      Refusals.tooShort("fill target", () -> kernels.fill(few, DType.INT64, 1, 0));
      Refusals.tooShort("fill target", () -> kernels.fill(few, DType.INT8, 8, 0));
      Refusals.outside(() -> kernels.fill(few, DType.INT64, Long.MAX_VALUE / 4, 0));
      Refusals.tooShort("cast source", () -> kernels.cast(few, DType.INT8, bytes, DType.UINT8, 8));
      Refusals.tooShort("cast target", () -> kernels.cast(bytes, DType.INT8, few, DType.UINT8, 8));
      Refusals.tooShort("cast target", () -> kernels.cast(few, DType.INT8, few, DType.INT32, 7));
      long[] one = {1};
      long[] eight = {8};
      Refusals.tooShort(
          "copy source", () -> kernels.copyStrided(few, 0, one, bytes, 0, one, eight, 1));
      Refusals.tooShort(
          "copy target", () -> kernels.copyStrided(bytes, 0, one, few, 0, one, eight, 1));
      Refusals.outside(() -> kernels.copyStrided(bytes, -1, one, bytes, 0, one, eight, 1));
      Refusals.outside(() -> kernels.copyStrided(bytes, 1, one, bytes, 0, one, eight, 1));
      Refusals.outside(
          () -> kernels.copyStrided(bytes, 0, one, bytes, 0, new long[] {-1}, eight, 1));
      for (long stride : new long[] {2, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 61, -(1L << 61)}) {
        Refusals.outside(
            () -> kernels.copyStrided(bytes, 0, new long[] {stride}, bytes, 0, one, eight, 1));
      }
      Refusals.refused(() -> kernels.copyStrided(bytes, 0, one, bytes, 0, one, eight, 0));
      Refusals.refused(() -> kernels.copyStrided(bytes, 0, one, bytes, 0, one, eight, 4));
      assertThrows(
          ShapeException.class,
          () -> kernels.copyStrided(bytes, 0, new long[2], bytes, 0, one, eight, 1));
      Tensor nine = Tensor.allocate(bench.arena, DType.INT8, 9);
      Refusals.tooShort("upload target", () -> kernels.upload(nine, bytes));
      Refusals.tooShort("download source", () -> kernels.download(bytes, nine));
      assertThrows(IndexOutOfBoundsException.class, () -> new Region(bytes.buffer(), -1, 1));
      assertThrows(
          IndexOutOfBoundsException.class, () -> new Region(bytes.buffer(), 1, Long.MAX_VALUE));
    }
  }

  @Test
  default void memoryThatIsGoneIsRefused() {
    try (KernelBench bench = bench("closed memory")) {
      Region good = bench.tested.of(bench.reals(64, 1));
      Buffer buffer = bench.tested.device().allocate(1024);
      Region gone = new Region(buffer);
      buffer.close();
      buffer.close();
      for (Executable operation : operations(bench, good, gone)) {
        assertThrows(IllegalStateException.class, operation);
      }
      for (Executable operation : operations(bench, gone, good)) {
        assertThrows(IllegalStateException.class, operation);
      }
      Kernels kernels = bench.tested.kernels();
      assertThrows(IllegalStateException.class, () -> kernels.upload(bench.tensor(1, 4), gone));
      assertThrows(IllegalStateException.class, () -> kernels.fill(gone, DType.INT8, 4, 1));
      assertEquals(null, bench.tested.device().wrap(MemorySegment.ofArray(new float[4])));
    }
  }

  @Test
  default void readOnlyMemoryIsNotWritten() {
    try (KernelBench bench = bench("read-only memory")) {
      Region good = bench.tested.of(bench.reals(64, 1));
      Tensor tensor = Tensor.allocate(bench.arena, DType.INT8, 1024);
      Buffer buffer = bench.tested.device().wrap(tensor.asReadOnly().segment());
      if (buffer == null) {
        return;
      }
      for (Executable operation : operations(bench, good, new Region(buffer))) {
        assertThrows(UnsupportedOperationException.class, operation);
      }
      Kernels kernels = bench.tested.kernels();
      Region target = new Region(buffer);
      assertThrows(
          UnsupportedOperationException.class, () -> kernels.upload(bench.tensor(1, 4), target));
      assertThrows(
          UnsupportedOperationException.class, () -> kernels.fill(target, DType.INT8, 4, 1));
      for (byte value : tensor.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)) {
        assertEquals(0, value);
      }
    }
  }

  /** Every operation that reads, from one region of at least 64 reals, and writes to another. */
  private static List<Executable> operations(KernelBench bench, Region in, Region out) {
    Kernels k = bench.tested.kernels();
    Activation f = Activation.SIGMOID;
    PackedMatrix matrix =
        bench.tested.of(bench.pack(device -> device.pack(bench.tensor(1, 4, 4), null)));
    List<Integer> one = List.of(1);
    ConvolutionSpec spec = new ConvolutionSpec(1, 1, 1, one, one, one, List.of(0), List.of(0));
    PackedConvolution convolution =
        bench.tested.of(bench.pack(device -> device.pack(spec, bench.tensor(1, 1, 1, 1), null)));
    long[] zero = {0};
    long[] stride = {1};
    long[] four = {4};
    BatchedProduct product = new BatchedProduct(zero, zero, 2, 2, 2, 2, 1, 2, 1);
    List<Executable> operations = new ArrayList<>();
    operations.add(() -> k.copy(in, out, 4));
    operations.add(() -> k.copyStrided(in, 0, stride, out, 0, stride, four, 4));
    operations.add(() -> k.cast(in, DType.FLOAT32, out, DType.INT32, 4));
    operations.add(() -> k.activate(f, in, out, 4));
    operations.add(() -> k.unary(UnaryOperation.NEGATE, in, out, 4));
    operations.add(
        () -> k.binary(BinaryOperation.ADD, DType.FLOAT32, in, stride, in, stride, out, four));
    operations.add(
        () -> k.binary(BinaryOperation.ADD, DType.INT32, in, stride, in, stride, out, four));
    operations.add(() -> k.softmax(in, out, 2, 4, null, 0));
    operations.add(() -> k.logSoftmax(in, out, 2, 4));
    operations.add(() -> k.layerNorm(in, out, 2, 4, in, in, 1));
    operations.add(() -> k.reduce(Reduction.SUM, in, out, 2, 2, 1));
    operations.add(() -> k.multiply(in, 4, 2, matrix, f, out, 4));
    operations.add(() -> k.multiply(product, in, in, out));
    operations.add(() -> k.convolve(convolution, in, 1, four, f, out));
    Region other = bench.tested.of(bench.output(DType.INT64, 64));
    operations.add(() -> k.topK(in, 2, 4, 2, out, other, DType.INT32));
    operations.add(() -> k.topK(in, 2, 4, 2, other, out, DType.INT64));
    for (RecurrentCase.Variant variant :
        List.of(
            RecurrentCase.Variant.RNN_TANH,
            RecurrentCase.Variant.GRU_BEFORE,
            RecurrentCase.Variant.LSTM,
            RecurrentCase.Variant.LSTM_NORMALISED)) {
      RecurrentCase layer = new RecurrentCase(bench, variant, 2, 2, 1, 1);
      for (int which = 0; which < 2; which++) {
        RecurrentCall call = new RecurrentCall();
        call.time = 2;
        call.batch = 1;
        call.input = in;
        call.inputTimeStride = 2;
        call.outputTimeStride = 2;
        call.output = which == 0 ? out : null;
        call.finalHidden = which == 1 ? out : null;
        operations.add(() -> k.recurrent(bench.tested.of(layer.packed), call));
      }
    }
    return operations;
  }

  @Test
  default void memoryOfTheCallersThreadAloneCanBeUsedWithWorkers() {
    try (KernelBench bench = bench("confined memory");
        Arena confined = Arena.ofConfined()) {
      Device device = bench.tested.device();
      Tensor x = Tensor.allocate(confined, device.real(), 40, 30).fill(0.5);
      Buffer input = device.wrap(x.segment());
      if (input == null) {
        return;
      }
      Tensor y = Tensor.allocate(confined, device.real(), 40, 20);
      Buffer output = device.wrap(y.segment());
      KernelBench.Side several = bench.withWorkers(3);
      try (PackedMatrix matrix = device.pack(bench.tensor(1, 30, 20), null)) {
        several
            .kernels()
            .multiply(
                new Region(input), 30, 40, matrix, Activation.IDENTITY, new Region(output), 20);
        several.kernels().synchronize();
      }
      double[] rows = y.toDoubles();
      for (int i = 20; i < rows.length; i++) {
        assertEquals(rows[i % 20], rows[i]);
      }
      input.close();
      output.close();
      assertEquals(0.5, x.getDouble(0, 0), "closing a wrapping buffer leaves the memory alone");
    }
  }
}

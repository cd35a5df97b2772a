package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.kernel.KernelBench.Side;
import io.gatun.kernel.RecurrentCase.Merged;
import io.gatun.kernel.RecurrentCase.Result;
import io.gatun.kernel.RecurrentCase.Variant;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@link Kernels#recurrent} promises. */
public interface RecurrentContract extends UnderTest {
  @Test
  default void recurrentLayersAreThoseOfTheReference() {
    try (KernelBench bench = bench("recurrent")) {
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 12; round++) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          compare(layer, layer.run(bench.reference), layer.run(bench.tested));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void recurrentLayersOfEveryAwkwardHiddenSizeAreThoseOfTheReference() {
    try (KernelBench bench = bench("hidden sizes")) {
      for (Variant variant : List.of(Variant.RNN_TANH, Variant.GRU_AFTER, Variant.LSTM)) {
        for (int hidden : KernelBench.SIZES) {
          if (hidden > 0) {
            RecurrentCase layer = new RecurrentCase(bench, variant, 10, hidden, 3, 5);
            compare(layer, layer.run(bench.reference), layer.run(bench.tested));
            bench.clear();
          }
        }
      }
    }
  }

  private static void compare(RecurrentCase layer, Result expected, Result got) {
    double magnitude = layer.magnitude(expected);
    DType real = layer.bench.real();
    String what = layer.toString();
    double[][] e = {expected.output(), expected.hidden(), expected.cell()};
    double[][] g = {got.output(), got.hidden(), got.cell()};
    String[] names = {"output", "final hidden state", "final cell state"};
    for (int i = 0; i < e.length; i++) {
      KernelBench.compare(
          names[i] + " of " + what, e[i], g[i], real, layer.terms(), j -> magnitude);
    }
    int state = layer.state();
    for (int t = 0; t < layer.time; t++) {
      for (int b = 0; b < layer.batch; b++) {
        if (t >= layer.length(b)) {
          for (int j = 0; j < state; j++) {
            assertEquals(0.0, got.output()[(t * layer.batch + b) * state + j], what);
          }
        }
      }
    }
  }

  private void sameBits(String property, RecurrentCase layer, Result expected, Result got) {
    String what = property + ": " + layer;
    if (!keepsBits()) {
      double magnitude = layer.magnitude(expected);
      DType real = layer.bench.real();
      // Both may be off by the threshold.
      double[][] e = {expected.output(), expected.hidden(), expected.cell()};
      double[][] g = {got.output(), got.hidden(), got.cell()};
      for (int i = 0; i < e.length; i++) {
        KernelBench.compare(what, e[i], g[i], real, layer.terms(), j -> 2 * magnitude);
      }
      return;
    }
    KernelBench.sameBits(what, expected.output(), got.output());
    KernelBench.sameBits(what, expected.hidden(), got.hidden());
    KernelBench.sameBits(what, expected.cell(), got.cell());
  }

  @Test
  default void aBatchOfSequencesIsAsManyBatchesOfOne() {
    try (KernelBench bench = bench("batches of one")) {
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 3; round++) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          Result together = layer.run(bench.tested);
          int batch = layer.batch;
          int state = layer.state();
          int hidden = layer.spec.hiddenSize();
          for (int b = 0; b < batch; b++) {
            double[] x = new double[layer.time * layer.spec.inputSize()];
            double[] output = new double[layer.time * state];
            for (int t = 0; t < layer.time; t++) {
              int size = layer.spec.inputSize();
              System.arraycopy(layer.x, (t * batch + b) * size, x, t * size, size);
              System.arraycopy(
                  together.output(), (t * batch + b) * state, output, t * state, state);
            }
            Result alone =
                layer.run(
                    bench.tested,
                    layer.time,
                    1,
                    layer.reverse,
                    x,
                    layer.lengths == null ? null : new long[] {layer.lengths[b]},
                    row(layer.hidden, b, state),
                    row(layer.cell, b, hidden));
            Result expected =
                new Result(
                    output,
                    row(together.hidden(), b, state),
                    together.cell().length == 0 ? new double[0] : row(together.cell(), b, hidden));
            sameBits("sequence " + b + " alone", layer, expected, alone);
          }
          bench.clear();
        }
      }
    }
  }

  @Test
  default void bothDirectionsAtOnceAreThoseOfTheReference() {
    try (KernelBench bench = bench("both directions")) {
      for (Variant variant : Variant.values()) {
        for (Merged merged : Merged.values()) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          RecurrentWeights backward = layer.randomWeights();
          Result[] expected = layer.runBoth(bench.reference, merged, false, backward);
          Result[] got = layer.runBoth(bench.tested, merged, bench.random.nextInt(4) > 0, backward);
          for (int d = merged == Merged.ONLY_BACKWARD ? 1 : 0; d < 2; d++) {
            compare(layer, expected[d], got[d]);
          }
          bench.clear();
        }
      }
    }
  }

  private static double[] row(double[] rows, int row, int size) {
    return rows == null ? null : Arrays.copyOfRange(rows, row * size, (row + 1) * size);
  }

  @Test
  default void whatLiesInThePaddingChangesNothing() {
    try (KernelBench bench = bench("padding")) {
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 3; round++) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          double[] dirty = layer.x.clone();
          int size = layer.spec.inputSize();
          for (int i = 0; i < dirty.length; i++) {
            int b = i / size % layer.batch;
            if (i / size / layer.batch >= layer.length(b)) {
              dirty[i] = Double.NaN;
            }
          }
          Result clean = layer.run(bench.tested);
          Result padded =
              layer.run(
                  bench.tested,
                  layer.time,
                  layer.batch,
                  layer.reverse,
                  dirty,
                  layer.lengths,
                  layer.hidden,
                  layer.cell);
          sameBits("NaN in the padding", layer, clean, padded);
          bench.clear();
        }
      }
    }
  }

  @Test
  default void aSequenceStepByStepIsTheWholeSequence() {
    try (KernelBench bench = bench("stepping")) {
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 3; round++) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          Result whole =
              layer.run(
                  bench.tested,
                  layer.time,
                  layer.batch,
                  false,
                  layer.x,
                  layer.lengths,
                  layer.hidden,
                  layer.cell);
          sameBits("step by step", layer, whole, stepwise(layer));
          bench.clear();
        }
      }
    }
  }

  /** One call for each step, the state kept in place: the final region is the initial one. */
  private static Result stepwise(RecurrentCase layer) {
    KernelBench bench = layer.bench;
    Side side = bench.tested;
    int state = layer.state();
    int step = layer.batch * layer.spec.inputSize();
    boolean lstm = layer.spec.cell() == RecurrentSpec.Cell.LSTM;
    int cells = layer.batch * layer.spec.hiddenSize();
    double[] zeros = new double[layer.batch * state];
    Operand input = bench.reals(layer.x);
    Operand output = bench.output(layer.time * layer.batch * state);
    Operand hidden = bench.reals(layer.hidden == null ? zeros : layer.hidden);
    Operand cell = bench.reals(layer.cell == null ? new double[cells] : layer.cell);
    RecurrentCall call = new RecurrentCall();
    call.batch = layer.batch;
    call.time = 1;
    call.inputRowStride = layer.spec.inputSize();
    call.outputRowStride = state;
    call.initialHidden = side.of(hidden);
    call.finalHidden = call.initialHidden;
    call.initialCell = lstm ? side.of(cell) : null;
    call.finalCell = call.initialCell;
    call.input = new Region();
    call.output = new Region();
    long size = bench.real().bytes();
    for (int t = 0; t < layer.time; t++) {
      Region from = side.of(input);
      Region to = side.of(output);
      call.input.set(from.buffer(), from.offset() + (long) t * step * size, step * size);
      long rows = (long) layer.batch * state * size;
      call.output.set(to.buffer(), to.offset() + t * rows, rows);
      long[] now = new long[layer.batch];
      for (int b = 0; b < now.length; b++) {
        now[b] = t < layer.length(b) ? 1 : 0;
      }
      call.lengths = side.of(bench.integers(DType.INT32, now));
      side.kernels().recurrent(side.of(layer.packed), call);
    }
    return new Result(bench.got(output), bench.got(hidden), lstm ? bench.got(cell) : new double[0]);
  }

  @Test
  default void runningInReverseIsRunningTheReversedSequences() {
    try (KernelBench bench = bench("reverse")) {
      for (Variant variant : Variant.values()) {
        RecurrentCase layer = RecurrentCase.random(bench, variant);
        Result backward =
            layer.run(
                bench.tested,
                layer.time,
                layer.batch,
                true,
                layer.x,
                layer.lengths,
                layer.hidden,
                layer.cell);
        Result forward =
            layer.run(
                bench.tested,
                layer.time,
                layer.batch,
                false,
                reversed(layer, layer.x, layer.spec.inputSize()),
                layer.lengths,
                layer.hidden,
                layer.cell);
        Result expected =
            new Result(
                reversed(layer, forward.output(), layer.state()), forward.hidden(), forward.cell());
        sameBits("reverse", layer, expected, backward);
        bench.clear();
      }
    }
  }

  /** Each sequence from its last real step to its first, the padding where it was. */
  private static double[] reversed(RecurrentCase layer, double[] values, int size) {
    double[] turned = values.clone();
    for (int b = 0; b < layer.batch; b++) {
      int length = layer.length(b);
      for (int t = 0; t < length; t++) {
        int from = (t * layer.batch + b) * size;
        int to = ((length - 1 - t) * layer.batch + b) * size;
        System.arraycopy(values, from, turned, to, size);
      }
    }
    return turned;
  }

  @Test
  default void theNumberOfWorkersDoesNotShow() {
    try (KernelBench bench = bench("workers")) {
      List<Side> several = List.of(bench.withWorkers(2), bench.withWorkers(8));
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 2; round++) {
          RecurrentCase layer = RecurrentCase.random(bench, variant);
          Result alone = layer.run(bench.tested);
          for (Side side : several) {
            sameBits(
                side.kernels().device().name() + " with workers", layer, alone, layer.run(side));
          }
          bench.clear();
        }
      }
    }
  }

  @Test
  default void tokensOfATableGiveTheBitsOfItsRows() {
    try (KernelBench bench = bench("embedding")) {
      List<Side> several = List.of(bench.withWorkers(2), bench.withWorkers(8));
      for (Variant variant : Variant.values()) {
        for (int round = 0; round < 3; round++) {
          int batch = round == 0 ? 1 + bench.random.nextInt(300) : 1 + bench.random.nextInt(40);
          int hidden = 1 + bench.random.nextInt(40);
          int input = 1 + bench.random.nextInt(20);
          int time = 1 + bench.random.nextInt(9);
          RecurrentCase layer = new RecurrentCase(bench, variant, input, hidden, time, batch);
          layer.embed(1 + bench.random.nextInt(5));
          Result rows = layer.run(bench.tested);
          sameBits("tokens", layer, rows, layer.runTold(bench.tested));
          for (Side side : several) {
            sameBits("tokens with workers", layer, rows, layer.runTold(side));
          }
          sameBits("reference", layer, layer.run(bench.reference), layer.runTold(bench.reference));
          bench.clear();
        }
      }
    }
  }

  @Test
  default void tokensThatAreNoRowsAreRefused() {
    try (KernelBench bench = bench("hostile tokens")) {
      RecurrentCase layer = new RecurrentCase(bench, Variant.GRU_AFTER, 3, 4, 2, 2);
      Side side = bench.tested;
      PackedRecurrent packed = side.of(layer.packed);
      assertThrows(
          ShapeException.class, () -> side.kernels().device().pack(packed, bench.tensor(1, 5, 4)));
      try (PackedEmbedding table = side.kernels().device().pack(packed, bench.tensor(1, 5, 3))) {
        assertEquals(5, table.rows());
        assertTrue(table.bytes() > 0);
        RecurrentCall call = new RecurrentCall();
        call.time = 2;
        call.batch = 2;
        call.embedding = table;
        call.tokenType = DType.INT32;
        call.inputTimeStride = 2;
        call.inputRowStride = 1;
        Kernels k = side.kernels();
        for (int wrong : new int[] {5, -6, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
          call.tokens = side.of(bench.integers(DType.INT32, 0, 4, wrong, 0));
          IndexOutOfBoundsException e =
              assertThrows(IndexOutOfBoundsException.class, () -> k.recurrent(packed, call));
          assertTrue(e.getMessage().contains("number 2 is " + wrong), e.getMessage());
        }
        call.tokens = side.of(bench.integers(DType.INT32, 0, 4, 1));
        Refusals.tooShort("tokens", () -> k.recurrent(packed, call));
        call.tokens = side.of(bench.integers(DType.INT32, 0, 4, 1, -5));
        k.recurrent(packed, call);
      }
    }
  }

  @Test
  default void withoutStepsTheFinalStateIsTheInitialOne() {
    try (KernelBench bench = bench("no steps")) {
      for (Variant variant : Variant.values()) {
        for (int time : new int[] {0, 3}) {
          RecurrentCase layer = new RecurrentCase(bench, variant, 3, 5, time, 4);
          Result got =
              layer.run(
                  bench.tested,
                  time,
                  4,
                  layer.reverse,
                  layer.x,
                  time == 0 ? null : new long[4],
                  layer.hidden,
                  layer.cell);
          double[] zeros = new double[4 * layer.state()];
          KernelBench.sameBits("hidden", layer.hidden == null ? zeros : layer.hidden, got.hidden());
          if (layer.spec.cell() == RecurrentSpec.Cell.LSTM) {
            double[] none = new double[4 * 5];
            KernelBench.sameBits("cell", layer.cell == null ? none : layer.cell, got.cell());
          }
          KernelBench.sameBits("output", new double[time * 4 * layer.state()], got.output());
          Result nobody = layer.run(bench.tested, time, 0, false, new double[0], null, null, null);
          assertEquals(0, nobody.output().length);
          bench.clear();
        }
      }
    }
  }

  @Test
  default void onlyWhatIsAskedForIsWritten() {
    try (KernelBench bench = bench("outputs wanted")) {
      for (Variant variant : Variant.values()) {
        RecurrentCase layer = RecurrentCase.random(bench, variant);
        Result whole = layer.run(bench.tested);
        Side side = bench.tested;
        Operand hidden = bench.output(layer.batch * layer.state());
        RecurrentCall call = new RecurrentCall();
        call.reverse = layer.reverse;
        call.time = layer.time;
        call.batch = layer.batch;
        call.input = side.of(bench.reals(layer.x));
        call.inputRowStride = layer.spec.inputSize();
        call.inputTimeStride = call.inputRowStride * layer.batch;
        call.lengths =
            layer.lengths == null ? null : side.of(bench.integers(DType.INT32, layer.lengths));
        call.initialHidden = layer.hidden == null ? null : side.of(bench.reals(layer.hidden));
        call.initialCell = layer.cell == null ? null : side.of(bench.reals(layer.cell));
        call.finalHidden = side.of(hidden);
        side.kernels().recurrent(side.of(layer.packed), call);
        KernelBench.sameBits("final state alone: " + layer, whole.hidden(), bench.got(hidden));
        call.finalHidden = null;
        side.kernels().recurrent(side.of(layer.packed), call);
        bench.clear();
      }
    }
  }

  @Test
  default void aSequenceWithNaNIsNaNFromThereOnAndNoOtherIs() {
    try (KernelBench bench = bench("recurrent NaN")) {
      for (Variant variant : Variant.values()) {
        RecurrentCase layer = new RecurrentCase(bench, variant, 6, 11, 5, 3);
        double[] x = layer.x.clone();
        x[(2 * 3 + 1) * 6 + 4] = Double.NaN;
        Result got = layer.run(bench.tested, 5, 3, false, x, null, layer.hidden, layer.cell);
        int state = layer.state();
        for (int i = 0; i < got.output().length; i++) {
          boolean spoilt = i / state % 3 == 1 && i / state / 3 >= 2;
          assertEquals(spoilt, Double.isNaN(got.output()[i]), layer + " output " + i);
        }
        for (int i = 0; i < got.hidden().length; i++) {
          assertEquals(i / state == 1, Double.isNaN(got.hidden()[i]), layer + " state " + i);
        }
        bench.clear();
      }
    }
  }

  @Test
  default void theClipBoundsTheGatesArguments() {
    try (KernelBench bench = bench("clip")) {
      RecurrentCase layer = new RecurrentCase(bench, Variant.RNN_CLIP, 4, 9, 6, 3);
      double[] x = layer.x.clone();
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) (x[i] * 1000);
      }
      Result got = layer.run(bench.tested, 6, 3, false, x, null, null, null);
      for (double value : got.output()) {
        assertFalse(Math.abs(value) > Math.tanh(0.25) + 1e-6, "output " + value);
      }
    }
  }

  @Test
  default void recurrentCallsThatDoNotFitAreRefused() {
    try (KernelBench bench = bench("hostile recurrent")) {
      for (Variant variant :
          List.of(Variant.RNN_TANH, Variant.GRU_BEFORE, Variant.LSTM, Variant.LSTM_EVERYTHING)) {
        RecurrentCase layer = new RecurrentCase(bench, variant, 3, 4, 2, 5);
        int state = layer.state();
        Side side = bench.tested;
        PackedRecurrent packed = side.of(layer.packed);
        assertEquals(layer.spec, packed.spec());
        assertTrue(packed.bytes() > 0);
        Kernels k = side.kernels();
        Region input = side.of(bench.reals(2 * 5 * 3, 1));
        Region output = side.of(bench.output(2 * 5 * state));
        Region hidden = side.of(bench.reals(5 * state, 1));
        Region cell = side.of(bench.reals(5 * 4, 1));
        Region tiny = side.of(bench.reals(2, 1));
        Region lengths = side.of(bench.integers(DType.INT32, 2, 0, 1, 2, 2));
        RecurrentCall call = new RecurrentCall();
        Runnable good =
            () -> {
              call.time = 2;
              call.batch = 5;
              call.input = input;
              call.inputTimeStride = 15;
              call.inputRowStride = 3;
              call.output = output;
              call.outputTimeStride = 5L * state;
              call.outputRowStride = state;
              call.lengths = lengths;
              call.initialHidden = hidden;
              call.finalHidden = hidden;
              call.initialCell = cell;
              call.finalCell = cell;
            };
        good.run();
        k.recurrent(packed, call);
        call.input = tiny;
        Refusals.tooShort("input", () -> k.recurrent(packed, call));
        good.run();
        call.output = tiny;
        Refusals.tooShort("output", () -> k.recurrent(packed, call));
        good.run();
        call.initialHidden = tiny;
        Refusals.tooShort("initial hidden state", () -> k.recurrent(packed, call));
        good.run();
        call.finalHidden = tiny;
        Refusals.tooShort("final hidden state", () -> k.recurrent(packed, call));
        good.run();
        if (layer.spec.cell() == RecurrentSpec.Cell.LSTM) {
          call.initialCell = tiny;
          Refusals.tooShort("initial cell state", () -> k.recurrent(packed, call));
          good.run();
          call.finalCell = tiny;
          Refusals.tooShort("final cell state", () -> k.recurrent(packed, call));
          good.run();
        }
        call.lengths = side.of(bench.integers(DType.INT32, 2, 2, 2, 2));
        Refusals.tooShort("lengths", () -> k.recurrent(packed, call));
        for (long bad : new long[] {-1, 3, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
          call.lengths = side.of(bench.integers(DType.INT32, 2, 2, 2, bad, 2));
          String message =
              assertThrows(ShapeException.class, () -> k.recurrent(packed, call)).getMessage();
          assertTrue(message.contains("sequence 3") && message.contains("" + bad), message);
        }
        good.run();
        for (long stride : new long[] {16, -1, Long.MAX_VALUE, 1L << 62, Long.MIN_VALUE}) {
          call.inputTimeStride = stride;
          Refusals.outside(() -> k.recurrent(packed, call));
          good.run();
          call.inputRowStride = stride;
          Refusals.outside(() -> k.recurrent(packed, call));
          good.run();
          call.outputTimeStride = stride == 16 ? 5L * state + 1 : stride;
          Refusals.outside(() -> k.recurrent(packed, call));
          good.run();
          call.outputRowStride = stride == 16 ? state + 1 : stride;
          Refusals.outside(() -> k.recurrent(packed, call));
          good.run();
        }
        call.time = -1;
        Refusals.refused(() -> k.recurrent(packed, call));
        good.run();
        call.batch = -1;
        Refusals.refused(() -> k.recurrent(packed, call));
        good.run();
        call.time = Integer.MAX_VALUE;
        call.batch = Integer.MAX_VALUE;
        Refusals.outside(() -> k.recurrent(packed, call));
        good.run();
        call.input = null;
        Refusals.refused(() -> k.recurrent(packed, call));
        Refusals.refused(() -> k.recurrent(null, call));
        bench.clear();
      }
    }
  }

  @Test
  default void weightsOfTheWrongShapeAreRefused() {
    try (KernelBench bench = bench("wrong weights")) {
      Device device = bench.tested.device();
      RecurrentCase layer = new RecurrentCase(bench, Variant.LSTM, 3, 4, 1, 1);
      assertThrows(
          ShapeException.class,
          () -> device.pack(RecurrentSpec.of(RecurrentSpec.Cell.LSTM, 4, 4), layer.weights));
      assertThrows(
          ShapeException.class,
          () -> device.pack(RecurrentSpec.of(RecurrentSpec.Cell.GRU, 3, 4), layer.weights));
    }
  }
}

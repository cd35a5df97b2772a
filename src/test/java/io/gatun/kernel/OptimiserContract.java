package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.KernelBench.Operand;
import io.gatun.kernel.KernelBench.Side;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@link Kernels} says of the operations that training has for itself. */
interface OptimiserContract {
  /** Opens the device under test beside the reference. */
  KernelBench bench(String test);

  /** One of each rule, with what can be switched on. */
  static List<OptimiserStep> steps() {
    OptimiserStep.Rule sgd = OptimiserStep.Rule.SGD;
    return List.of(
        new OptimiserStep(sgd, 0.1, 0, 0, 0, 0, false, 1, 1, 1),
        new OptimiserStep(sgd, 0.1, 0.9, 0, 0, 0.01, false, 0.5, 1, 1),
        new OptimiserStep(sgd, 0.1, 0.9, 0, 0, 0.01, true, 0.5, 1, 1),
        new OptimiserStep(
            OptimiserStep.Rule.ADAM, 0.01, 0.9, 0.999, 1e-8, 0.02, false, 0.25, 0.271, 2.997e-3),
        new OptimiserStep(
            OptimiserStep.Rule.ADAMW, 0.01, 0.9, 0.98, 1e-9, 0.02, false, 2, 0.1, 0.02));
  }

  @Test
  default void stepsOfOptimisersAreThoseOfTheReference() {
    try (KernelBench bench = bench("optimise")) {
      for (OptimiserStep step : steps()) {
        for (int size : new int[] {0, 1, 7, 15, 16, 17, 257, KernelBench.LARGE, 40_009}) {
          double[] w = bench.numbers(size, 1);
          double[] g = bench.numbers(size, 3);
          double[] m = bench.numbers(size, 1);
          double[] v = bench.numbers(size, 1);
          for (int i = 0; i < size; i++) {
            v[i] = (float) (0.5 + Math.abs(v[i]));
          }
          Operand weights = bench.reals(w);
          Operand gradients = bench.reals(g);
          Operand first = bench.reals(m);
          Operand second = bench.reals(v);
          bench.both(
              side ->
                  side.kernels()
                      .optimise(
                          step,
                          side.of(weights),
                          side.of(gradients),
                          side.of(first),
                          side.of(second),
                          size));
          String what = step.rule() + " of " + size;
          bench.compare(what, weights, 4, i -> Math.abs(w[i]) + 1);
          bench.compare(what + " first", first, 4, i -> Math.abs(m[i]) + Math.abs(2 * g[i]) + 1);
          bench.compare(what + " second", second, 4, i -> v[i] + 4 * g[i] * g[i] + 1);
          bench.clear();
        }
      }
    }
  }

  @Test
  default void aStepOfAnOptimiserHasTheSameBitsWithWorkersAndInPieces() {
    try (KernelBench bench = bench("optimise in pieces")) {
      int size = 50_021;
      int cut = 16_411;
      double[] w = bench.numbers(size, 1);
      Operand gradients = bench.reals(size, 3);
      Side many = bench.withWorkers(3);
      for (OptimiserStep step : steps()) {
        Operand whole = bench.reals(w);
        Operand shared = bench.reals(w);
        Operand pieces = bench.reals(w);
        for (Operand each : List.of(whole, shared, pieces)) {
          Operand first = bench.reals(new double[size]);
          Operand second = bench.reals(new double[size]);
          Region[] regions = {
            bench.tested.of(each),
            bench.tested.of(gradients),
            bench.tested.of(first),
            bench.tested.of(second)
          };
          Kernels kernels = (each == shared ? many : bench.tested).kernels();
          for (int i = 0; i < 2; i++) {
            int at = each == pieces ? cut : size;
            kernels.optimise(step, regions[0], regions[1], regions[2], regions[3], at);
            if (each == pieces) {
              Region[] rest = new Region[4];
              long skip = (long) cut * bench.real().bytes();
              for (int r = 0; r < 4; r++) {
                rest[r] =
                    new Region(
                        regions[r].buffer(), regions[r].offset() + skip, regions[r].bytes() - skip);
              }
              kernels.optimise(step, rest[0], rest[1], rest[2], rest[3], size - cut);
            }
          }
        }
        KernelBench.sameBits(step + " shared", bench.got(whole), bench.got(shared));
        KernelBench.sameBits(step + " in pieces", bench.got(whole), bench.got(pieces));
      }
    }
  }

  @Test
  default void theSumOfSquaresIsAddedUpInFloat64() {
    try (KernelBench bench = bench("sum of squares")) {
      for (int size : new int[] {0, 1, 15, 16, 33, KernelBench.LARGE, 1_200_007}) {
        double[] x = bench.numbers(size, 2);
        Operand operand = bench.reals(x);
        double expected = 0;
        for (double each : x) {
          expected += each * each;
        }
        double got = bench.tested.kernels().sumOfSquares(bench.tested.of(operand), size);
        assertEquals(expected, got, 1e-12 * expected, "of " + size);
        bench.clear();
      }
      Operand broken = bench.reals(1, 2, Double.NaN, 4);
      assertTrue(Double.isNaN(bench.tested.kernels().sumOfSquares(bench.tested.of(broken), 4)));
    }
  }

  @Test
  default void anOptimiserChecksWhatItTouches() {
    try (KernelBench bench = bench("optimise checks")) {
      Operand ten = bench.reals(10, 1);
      Operand nine = bench.reals(9, 1);
      OptimiserStep adam = steps().get(3);
      Region a = bench.tested.of(ten);
      Region b = bench.tested.of(nine);
      Kernels kernels = bench.tested.kernels();
      assertThrows(IndexOutOfBoundsException.class, () -> kernels.optimise(adam, a, a, a, b, 10));
      assertThrows(IllegalArgumentException.class, () -> kernels.optimise(adam, a, a, null, a, 10));
      assertThrows(IndexOutOfBoundsException.class, () -> kernels.sumOfSquares(b, 10));
    }
  }
}

package io.gatun.jmh.peer;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** What comes out in float64, and how far from it an output may be. */
final class Reference {
  /** Single outputs of layers are between −1 and 1; other runtimes' sigmoids are good to 1e-6. */
  private static final double LAYER_TOLERANCE = 2e-5;

  /** Standard deviations of a rounding error that grows with the root of the terms. */
  private static final double PRODUCT_DEVIATIONS = 8;

  private Reference() {}

  /**
   * Compares the first and the last sequence of a layer's output, and all sequences with those of
   * whoever was checked first: sequences do not depend on each other, and plain loops in float64
   * take long. What lies behind a sequence's end is not looked at: who knows no lengths has
   * something there.
   */
  static Rounds.Check of(LayerProblem problem) {
    int batch = problem.batch();
    int[] chosen = batch == 1 ? new int[] {0} : new int[] {0, batch - 1};
    double[] expected = outputs(problem.sequences(chosen));
    float[][] first = new float[1][];
    return (who, output) -> {
      int hidden = problem.hidden();
      for (int t = 0; t < problem.time(); t++) {
        for (int s = 0; s < chosen.length; s++) {
          boolean over = problem.lengths() != null && t >= problem.lengths()[chosen[s]];
          for (int i = 0; i < hidden && !over; i++) {
            float is = output[(t * batch + chosen[s]) * hidden + i];
            double should = expected[(t * chosen.length + s) * hidden + i];
            if (!(Math.abs(is - should) <= LAYER_TOLERANCE)) {
              throw new IllegalStateException(
                  who
                      + ": time "
                      + t
                      + ", sequence "
                      + chosen[s]
                      + ", element "
                      + i
                      + " is "
                      + is
                      + ", in float64 "
                      + should);
            }
          }
        }
      }
      if (first[0] == null) {
        first[0] = output;
      } else if (problem.lengths() == null) {
        same(who, output, first[0]);
      }
    };
  }

  /** All sequences, against whoever came first. */
  private static void same(String who, float[] output, float[] first) {
    for (int i = 0; i < output.length; i++) {
      if (!(Math.abs(output[i] - first[i]) <= 2 * LAYER_TOLERANCE)) {
        throw new IllegalStateException(
            who + ": element " + i + " is " + output[i] + ", elsewhere " + first[i]);
      }
    }
  }

  /** A layer's output in float64. */
  static double[] outputs(LayerProblem part) {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(new ScalarDevice(DType.FLOAT64), part.graph(arena), "Y");
        Execution run = plan.newExecution()) {
      run.input("x", part.input(arena));
      if (part.lengths() != null) {
        run.input("lengths", Tensor.ofInts(arena, part.lengths(), part.batch()));
      }
      run.run();
      return run.output("Y").toDoubles();
    }
  }

  /** Compares some rows of a product, the first and the last among them. */
  static Rounds.Check of(ProductProblem problem) {
    int rows = problem.rows();
    int columns = problem.columns();
    int[] chosen = {0, rows / 2, rows - 1};
    double[][] expected = new double[chosen.length][columns];
    for (int c = 0; c < chosen.length; c++) {
      for (int k = 0; k < problem.inner(); k++) {
        double a = problem.a()[chosen[c] * problem.inner() + k];
        for (int j = 0; j < columns; j++) {
          expected[c][j] += a * problem.b()[k * columns + j];
        }
      }
    }
    // A's elements have deviation 1, B's 1/√inner: so have C's 1, and partial sums are no larger.
    double allowed = PRODUCT_DEVIATIONS * Math.sqrt(problem.inner()) * Math.ulp(1f);
    return (who, output) -> {
      for (int c = 0; c < chosen.length; c++) {
        for (int j = 0; j < columns; j++) {
          float is = output[chosen[c] * columns + j];
          if (!(Math.abs(is - expected[c][j]) <= allowed)) {
            throw new IllegalStateException(
                who
                    + ": row "
                    + chosen[c]
                    + ", column "
                    + j
                    + " is "
                    + is
                    + ", in float64 "
                    + expected[c][j]);
          }
        }
      }
    };
  }
}

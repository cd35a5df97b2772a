package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gatun.Seeds;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RunningSumTest {

  @Test
  void sumsOfWholeNumbersAreExactAtEveryLength() {
    Random random = Seeds.random("RunningSumTest");
    for (int length : new int[] {1, 2, 3, 10, 99, 1_000, 4_097, 10_000}) {
      float[] x = new float[length];
      float[] sums = new float[length];
      float sum = 0;
      for (int t = 0; t < length; t++) {
        x[t] = random.nextInt(1_601) - 800;
        sum += x[t];
        sums[t] = sum;
      }
      assertArrayEquals(sums, RunningSum.of(x), length + " steps");
    }
  }
}

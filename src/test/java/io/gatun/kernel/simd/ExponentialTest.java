package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** The error of exp, sigmoid and tanh over the whole of float32, against StrictMath in double. */
class ExponentialTest {
  private static final int BLOCK = 1 << 16;

  /** Prime, so that a sweep meets all exponents with ever other fractions. */
  private static final long STRIDE = 1009;

  private static final float[] ENDS = {
    0f,
    -0f,
    1f,
    -1f,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    Float.MIN_NORMAL,
    -Float.MIN_NORMAL,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.NaN,
    88.72283f,
    88.72284f,
    -87.33654f,
    -87.33655f,
    -103.27892f,
    -103.9720f,
    -103.98f,
    -104f,
    -105f,
    9.01f,
    9.0109f,
    9.1f,
    -9.01f,
    -9.1f,
    16.6f,
    17.4f
  };

  private interface Pass {
    void run(long in, long inStride, long out, long outStride, int rows, int vectors);
  }

  private static final class Sweep {
    double mostUlps;
    float mostUlpsAt;
    double mostAbsolute;
    float mostAbsoluteAt;
    private final MemorySegment in;
    private final MemorySegment out;
    private final Pass pass;

    Sweep(Arena arena, Pass pass) {
      this.in = arena.allocate((long) BLOCK * Float.BYTES, 64);
      this.out = arena.allocate((long) BLOCK * Float.BYTES, 64);
      this.pass = pass;
    }

    void against(DoubleUnaryOperator exact) {
      int count = 0;
      for (float end : ENDS) {
        in.set(ValueLayout.JAVA_FLOAT, (long) count++ * Float.BYTES, end);
      }
      for (long bits = 0; bits < 1L << 32; bits += STRIDE) {
        in.set(ValueLayout.JAVA_INT, (long) count++ * Float.BYTES, (int) bits);
        if (count == BLOCK) {
          compare(exact, count);
          count = 0;
        }
      }
      compare(exact, count);
    }

    private void compare(DoubleUnaryOperator exact, int count) {
      pass.run(in.address(), 0, out.address(), 0, 1, Lanes.vectors(count));
      for (int i = 0; i < count; i++) {
        float x = in.get(ValueLayout.JAVA_FLOAT, (long) i * Float.BYTES);
        float got = out.get(ValueLayout.JAVA_FLOAT, (long) i * Float.BYTES);
        double expected = exact.applyAsDouble(x);
        assertEquals(Float.isNaN(x), Float.isNaN(got), () -> "of " + x + " came " + got);
        if (Float.isNaN(x) || got == (float) expected) {
          continue;
        }
        double absolute = Math.abs(got - expected);
        // At the edge of the range the rounded result is infinite: then the last number's unit
        // counts.
        double ulp = Math.ulp(Math.min(Math.abs((float) expected), Float.MAX_VALUE));
        if (absolute > mostAbsolute) {
          mostAbsolute = absolute;
          mostAbsoluteAt = x;
        }
        if (absolute / ulp > mostUlps) {
          mostUlps = absolute / ulp;
          mostUlpsAt = x;
        }
      }
    }
  }

  private static double sigmoid(double x) {
    return x < 0 ? StrictMath.exp(x) / (1 + StrictMath.exp(x)) : 1 / (1 + StrictMath.exp(-x));
  }

  @Test
  void expIsWithinThreeUnitsInTheLastPlaceOverAllOfFloat32() {
    try (Arena arena = Arena.ofConfined()) {
      Sweep sweep = new Sweep(arena, Activations::exp);
      sweep.against(StrictMath::exp);
      System.out.println("exp: " + sweep.mostUlps + " ULP at " + sweep.mostUlpsAt);
      assertTrue(sweep.mostUlps <= 3, () -> sweep.mostUlps + " ULP at " + sweep.mostUlpsAt);
    }
  }

  @Test
  void sigmoidIsWithinThreeUnitsInTheLastPlaceOverAllOfFloat32() {
    try (Arena arena = Arena.ofConfined()) {
      Sweep sweep = new Sweep(arena, Activations::sigmoid);
      sweep.against(ExponentialTest::sigmoid);
      System.out.println("sigmoid: " + sweep.mostUlps + " ULP at " + sweep.mostUlpsAt);
      assertTrue(sweep.mostUlps <= 3, () -> sweep.mostUlps + " ULP at " + sweep.mostUlpsAt);
    }
  }

  @Test
  void tanhIsWithinThreeTenMillionthsAndThreeUnitsInTheLastPlaceOverAllOfFloat32() {
    try (Arena arena = Arena.ofConfined()) {
      Sweep sweep = new Sweep(arena, Activations::tanh);
      sweep.against(StrictMath::tanh);
      System.out.println(
          "tanh: "
              + sweep.mostUlps
              + " ULP at "
              + sweep.mostUlpsAt
              + ", absolute "
              + sweep.mostAbsolute
              + " at "
              + sweep.mostAbsoluteAt);
      assertTrue(
          sweep.mostAbsolute <= 3e-7, () -> sweep.mostAbsolute + " at " + sweep.mostAbsoluteAt);
      assertTrue(sweep.mostUlps <= 3, () -> sweep.mostUlps + " ULP at " + sweep.mostUlpsAt);
    }
  }

  @Test
  void theTailsNeverTurnBackBetweenNeighbouringNumbers() {
    try (Arena arena = Arena.ofConfined()) {
      // From 4 to 128: beyond, all three have long saturated.
      int first = Float.floatToRawIntBits(4f);
      int last = Float.floatToRawIntBits(128f);
      Pass[] passes = {Activations::exp, Activations::sigmoid, Activations::tanh};
      MemorySegment in = arena.allocate((long) BLOCK * Float.BYTES, 64);
      MemorySegment out = arena.allocate((long) BLOCK * Float.BYTES, 64);
      for (Pass pass : passes) {
        for (int sign : new int[] {0, 0x80000000}) {
          float before = Float.NaN;
          for (int bits = first; bits < last; bits += BLOCK) {
            for (int i = 0; i < BLOCK; i++) {
              in.set(ValueLayout.JAVA_INT, (long) i * Float.BYTES, bits + i | sign);
            }
            pass.run(in.address(), 0, out.address(), 0, 1, BLOCK / Lanes.LANES);
            for (int i = 0; i < BLOCK; i++) {
              float y = out.get(ValueLayout.JAVA_FLOAT, (long) i * Float.BYTES);
              float x = Float.intBitsToFloat(bits + i | sign);
              assertFalse(sign == 0 ? y < before : y > before, () -> "it turns back at " + x);
              before = y;
            }
          }
        }
      }
    }
  }
}

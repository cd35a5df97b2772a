package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import java.lang.foreign.Arena;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HalfPrecisionTest {
  /** One of the two types: its bits of infinity, and what its bits mean. */
  private enum Half {
    BFLOAT16(0x7f80),
    FLOAT16(0x7c00);

    final int infinity;

    Half(int infinity) {
      this.infinity = infinity;
    }

    double widen(int bits) {
      return this == BFLOAT16
          ? HalfPrecision.bfloat16ToFloat((short) bits)
          : HalfPrecision.float16ToFloat((short) bits);
    }

    short narrow(double value) {
      return this == BFLOAT16
          ? HalfPrecision.doubleToBfloat16(value)
          : HalfPrecision.doubleToFloat16(value);
    }

    short narrow(float value) {
      return this == BFLOAT16
          ? HalfPrecision.floatToBfloat16(value)
          : HalfPrecision.floatToFloat16(value);
    }
  }

  /**
   * The nearest 16-bit number, found by comparing exact distances. The bits of the non-negative
   * numbers are in the order of their values, so the neighbours are found by bisection.
   */
  private static int nearest(BigDecimal value, Half half) {
    BigDecimal magnitude = value.abs();
    int low = 0;
    int high = half.infinity;
    while (high - low > 1) {
      int middle = (low + high) / 2;
      if (new BigDecimal(half.widen(middle)).compareTo(magnitude) <= 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    BigDecimal below = new BigDecimal(half.widen(low));
    // Infinity is rounded to as if it were the next number after the largest.
    BigDecimal above =
        high == half.infinity
            ? below.add(below.subtract(new BigDecimal(half.widen(low - 1))))
            : new BigDecimal(half.widen(high));
    int order = magnitude.subtract(below).compareTo(above.subtract(magnitude));
    int bits = order < 0 || (order == 0 && (low & 1) == 0) ? low : high;
    return value.signum() < 0 ? bits | 0x8000 : bits;
  }

  /** Numbers around every kind of boundary of a 16-bit type, and random ones. */
  private static List<Double> candidates(Random random, Half half) {
    List<Double> values = new ArrayList<>();
    for (int i = 0; i < 700; i++) {
      int bits = i < 40 ? i : i < 80 ? half.infinity - 1 - (i - 40) : random.nextInt(half.infinity);
      double at = half.widen(bits);
      double step =
          bits + 1 < half.infinity ? half.widen(bits + 1) - at : at - half.widen(bits - 1);
      double tie = at + step / 2;
      values.addAll(List.of(at, tie, Math.nextUp(tie), Math.nextDown(tie)));
      values.addAll(List.of(tie * (1 + 0x1p-40), tie * (1 - 0x1p-40), -tie, -Math.nextUp(tie)));
      values.add((random.nextBoolean() ? 1 : -1) * (at + step * random.nextDouble()));
    }
    values.addAll(List.of(Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, 1e-60, -1e60));
    values.addAll(List.of((double) Float.MAX_VALUE, (double) Float.MIN_VALUE, 65519.99, 65520.0));
    return values;
  }

  @Test
  void doublesAreRoundedOnceToTheNearestWithTiesToEven() {
    Random random = Seeds.random("doublesAreRoundedOnceToTheNearestWithTiesToEven");
    for (Half half : Half.values()) {
      for (double value : candidates(random, half)) {
        assertBits(nearest(new BigDecimal(value), half), half.narrow(value), value);
      }
    }
  }

  @Test
  void floatsAreRoundedToTheNearestWithTiesToEven() {
    Random random = Seeds.random("floatsAreRoundedToTheNearestWithTiesToEven");
    for (Half half : Half.values()) {
      for (double candidate : candidates(random, half)) {
        float value = (float) candidate;
        if (Float.isFinite(value)) {
          assertBits(nearest(new BigDecimal(value), half), half.narrow(value), value);
        }
      }
    }
  }

  @Test
  void longsAreRoundedOnceEvenWhereADoubleCannotHoldThem() {
    Random random = Seeds.random("longsAreRoundedOnceEvenWhereADoubleCannotHoldThem");
    List<Long> values = new ArrayList<>();
    for (int shift = 8; shift < 63; shift++) {
      for (long top = 128; top < 256; top += 7) {
        // Eight significant bits, then exactly half a unit, then one more or less.
        long tie = (top << shift >> 7) + (1L << shift >> 8);
        values.addAll(List.of(tie, tie + 1, tie - 1, -tie, -tie - 1, -tie + 1));
      }
      values.add(random.nextLong() >> shift);
    }
    values.addAll(List.of(Long.MIN_VALUE, Long.MAX_VALUE, (1L << 62) + (1L << 54) + 1));
    try (Arena arena = Arena.ofConfined()) {
      Tensor bfloat16 = Tensor.allocate(arena, DType.BFLOAT16);
      Tensor float16 = Tensor.allocate(arena, DType.FLOAT16);
      Tensor source = Tensor.allocate(arena, DType.INT64);
      for (long value : values) {
        BigDecimal exact = BigDecimal.valueOf(value);
        double expected = Half.BFLOAT16.widen(nearest(exact, Half.BFLOAT16));
        bfloat16.setLong(value);
        assertEquals(expected, bfloat16.getDouble(), () -> "bfloat16 of " + value);
        source.setLong(value);
        assertEquals(expected, bfloat16.copyFrom(source).getDouble(), () -> "bfloat16 of " + value);
        float16.setLong(value);
        assertEquals(
            Half.FLOAT16.widen(nearest(exact, Half.FLOAT16)),
            float16.getDouble(),
            () -> "float16 of " + value);
      }
    }
  }

  @Test
  void everySixteenBitNumberSurvivesTheWayToFloatAndBack() {
    for (Half half : Half.values()) {
      for (int bits = 0; bits <= 0xffff; bits++) {
        if ((bits & 0x7fff) <= half.infinity) {
          double wide = half.widen(bits);
          assertBits(bits, half.narrow((float) wide), wide);
          assertBits(bits, half.narrow(wide), wide);
        }
      }
    }
  }

  @Test
  void aNanStaysANanAndBecomesQuietWhateverItsPayload() {
    int[] payloads = {0x7f800001, 0x7fc00000, 0xffc00000, 0xff800001, 0x7fffffff, 0x7f80ffff};
    for (int bits : payloads) {
      float nan = Float.intBitsToFloat(bits);
      int bfloat16 = HalfPrecision.floatToBfloat16(nan);
      assertTrue((bfloat16 & 0x7fff) > Half.BFLOAT16.infinity, Integer.toHexString(bits));
      assertEquals(0x40, bfloat16 & 0x40, "the quiet bit");
      int float16 = HalfPrecision.floatToFloat16(nan);
      assertTrue((float16 & 0x7fff) > Half.FLOAT16.infinity, Integer.toHexString(bits));
    }
    assertTrue(Float.isNaN(HalfPrecision.bfloat16ToFloat((short) 0x7fc0)));
    assertTrue(
        Float.isNaN(HalfPrecision.bfloat16ToFloat(HalfPrecision.doubleToBfloat16(Double.NaN))));
    assertTrue(
        Float.isNaN(HalfPrecision.float16ToFloat(HalfPrecision.doubleToFloat16(Double.NaN))));
  }

  @Test
  void infinitiesAndSignedZerosAreKept() {
    assertBits(0x7f80, HalfPrecision.doubleToBfloat16(Double.POSITIVE_INFINITY), 0);
    assertBits(0xff80, HalfPrecision.floatToBfloat16(Float.NEGATIVE_INFINITY), 0);
    assertBits(0x8000, HalfPrecision.floatToBfloat16(-0.0f), 0);
    assertBits(0x8000, HalfPrecision.doubleToBfloat16(-0.0), 0);
    assertBits(0x8000, HalfPrecision.doubleToBfloat16(-Double.MIN_VALUE), 0);
    assertBits(0x7c00, HalfPrecision.doubleToFloat16(Double.POSITIVE_INFINITY), 0);
    assertBits(0x8000, HalfPrecision.doubleToFloat16(-0.0), 0);
  }

  private static void assertBits(int expected, short actual, double value) {
    assertEquals(
        Integer.toHexString(expected), Integer.toHexString(actual & 0xffff), () -> "of " + value);
  }
}

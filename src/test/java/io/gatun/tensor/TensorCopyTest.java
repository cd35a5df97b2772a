package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TensorCopyTest {
  private static final double[] AWKWARD = {
    0,
    -0.0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    127,
    127.9,
    128,
    -128.9,
    -129,
    255,
    255.5,
    256,
    -1e-3,
    1e-45,
    1e-310,
    65504,
    65519.9,
    65520,
    3.4e38,
    1e39,
    -1e39,
    2147483647.5,
    -2147483649.0,
    9.3e18,
    -9.3e18,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.NaN
  };

  /** The documented conversion, written down once more: what a type holds of a double. */
  private static double held(DType type, double value) {
    return switch (type) {
      case FLOAT64 -> value;
      case FLOAT32 -> (float) value;
      case FLOAT16 -> HalfPrecision.float16ToFloat(HalfPrecision.doubleToFloat16(value));
      case BFLOAT16 -> HalfPrecision.bfloat16ToFloat(HalfPrecision.doubleToBfloat16(value));
      case INT8 -> integer(value, -128, 127);
      case UINT8 -> integer(value, 0, 255);
      case INT32 -> integer(value, -2147483648.0, 2147483647.0);
      case INT64 -> integer(value, -0x1p63, 0x1p63);
      case INT16 -> integer(value, -32768, 32767);
      case UINT16 -> integer(value, 0, 65535);
      case UINT32 -> integer(value, 0, 4294967295.0);
      case UINT64 -> integer(value, 0, 0x1p64);
      case BOOL -> value == 0 ? 0 : 1;
    };
  }

  private static double integer(double value, double least, double most) {
    if (Double.isNaN(value)) {
      return 0;
    }
    double truncated = value < 0 ? Math.ceil(value) : Math.floor(value);
    return Math.max(least, Math.min(most, truncated)) + 0.0;
  }

  @Test
  void settingAndGettingConvertsAsDocumented() {
    try (Arena arena = Arena.ofConfined()) {
      for (DType type : DType.values()) {
        Tensor x = Tensor.allocate(arena, type, 2);
        for (double value : AWKWARD) {
          String what = type.label() + " of " + value;
          x.setDouble(value, 1);
          assertEquals(held(type, value), x.getDouble(1), what);
          x.setFloat((float) value, 1);
          assertEquals(held(type, (float) value), x.getDouble(1), what);
          assertEquals((float) held(type, (float) value), x.getFloat(1), what);
          assertEquals((long) held(type, (float) value), x.getLong(1), what);
          x.setLong((long) value, 1);
          assertEquals(held(type, (double) (long) value), x.getDouble(1), what);
          assertEquals(0, x.getDouble(0), "the neighbour is untouched");
        }
      }
    }
  }

  @Test
  void everyTypeIsCopiedToEveryOtherAsDocumentedWhateverTheStrides() {
    try (Arena arena = Arena.ofConfined()) {
      int n = AWKWARD.length;
      Tensor values = Tensor.ofDoubles(arena, AWKWARD, n);
      for (DType from : DType.values()) {
        Tensor source = values.to(arena, from);
        for (DType to : DType.values()) {
          double[] expected =
              Arrays.stream(AWKWARD)
                  .map(v -> from == to ? held(from, v) : held(to, held(from, v)))
                  .toArray();
          String what = from.label() + " to " + to.label();
          assertArrayEquals(expected, source.to(arena, to).toDoubles(), what);
          Tensor strided = Tensor.allocate(arena, to, n, 3).select(1, 1).flip(0);
          assertArrayEquals(expected, strided.copyFrom(source).toDoubles(), what + ", strided");
          Tensor wide = Tensor.allocate(arena, from, 2, n).transpose();
          wide.select(1, 1).copyFrom(source);
          assertArrayEquals(
              expected, wide.select(1, 1).to(arena, to).toDoubles(), what + ", from strided");
          assertArrayEquals(new double[n], wide.select(1, 0).toDoubles(), "the neighbour");
        }
      }
    }
  }

  @Test
  void wideIntegersAreCopiedWithoutPassingThroughADouble() {
    try (Arena arena = Arena.ofConfined()) {
      long[] values = {Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) + 1, -(1L << 53) - 1};
      Tensor x = Tensor.ofLongs(arena, values, 4);
      assertArrayEquals(values, x.toLongs());
      assertArrayEquals(values, x.flip(0).copy(arena).flip(0).toLongs());
      assertEquals(Long.MAX_VALUE, x.getLong(0));
      assertArrayEquals(
          new int[] {Integer.MAX_VALUE, Integer.MIN_VALUE, Integer.MAX_VALUE, Integer.MIN_VALUE},
          x.toInts());
      // Just above a tie of float32 that the nearest double falls on.
      long tricky = (1L << 62) + (1L << 38) + 1;
      Tensor one = Tensor.ofLongs(arena, new long[] {tricky}, 1);
      assertEquals((float) tricky, one.to(arena, DType.FLOAT32).getFloat(0));
      assertEquals((float) tricky, one.toFloats()[0]);
    }
  }

  @Test
  void aCopyWithinOneTypeKeepsThePayloadOfANan() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 2);
      x.segment().set(ValueLayout.JAVA_INT, 4, 0x7f800123);
      Tensor turned = x.transpose().copy(arena);
      assertEquals(0x7f800123, turned.segment().get(ValueLayout.JAVA_INT, 8));
    }
  }

  @Test
  void denseConversionsOfLongRunsMatchThoseOfSingleElements() {
    Random random = Seeds.random("denseConversionsOfLongRunsMatchThoseOfSingleElements");
    int n = (1 << 20) + 37;
    DType[] floats = {DType.FLOAT32, DType.FLOAT64, DType.FLOAT16, DType.BFLOAT16};
    try (Arena arena = Arena.ofConfined()) {
      Tensor bits = Tensor.allocate(arena, DType.FLOAT32, n);
      for (int i = 0; i < n; i++) {
        bits.segment().setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
      }
      for (DType from : floats) {
        Tensor source = bits.to(arena, from);
        for (DType to : floats) {
          Tensor target = source.to(arena, to);
          Tensor one = Tensor.allocate(arena, to);
          for (int i = 0; i < n; i += 1 + random.nextInt(999)) {
            one.setDouble(source.getDouble(i));
            assertEquals(one.getDouble(), target.getDouble(i), from.label() + " to " + to.label());
          }
          one.setDouble(source.getDouble(n - 1));
          assertEquals(one.getDouble(), target.getDouble(n - 1));
        }
      }
    }
  }

  @Test
  void copyingBroadcastsTheSource() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor row = Tensor.ofFloats(arena, new float[] {1, 2, 3}, 3);
      Tensor x = Tensor.allocate(arena, DType.INT32, 2, 3).copyFrom(row);
      assertArrayEquals(new int[] {1, 2, 3, 1, 2, 3}, x.toInts());
      Tensor column = Tensor.ofFloats(arena, new float[] {4, 5}, 2, 1);
      assertArrayEquals(new int[] {4, 4, 4, 5, 5, 5}, x.copyFrom(column).toInts());
      assertThrows(ShapeException.class, () -> row.copyFrom(x));
      assertThrows(
          ShapeException.class,
          () -> x.copyFrom(Tensor.scalar(arena, 1).unsqueeze(0).unsqueeze(0).unsqueeze(0)));
    }
  }

  @Test
  void overlappingViewsAreCopiedAsIfTheSourceWereCopiedAwayFirst() {
    Random random = Seeds.random("overlappingViewsAreCopiedAsIfTheSourceWereCopiedAwayFirst");
    for (int round = 0; round < 100; round++) {
      try (Arena arena = Arena.ofConfined()) {
        int n = 2 + random.nextInt(6);
        Tensor square = Tensor.allocate(arena, DType.FLOAT32, n, n);
        for (int i = 0; i < n * n; i++) {
          square.setFloat(i, i / n, i % n);
        }
        Tensor source =
            switch (random.nextInt(4)) {
              case 0 -> square.transpose();
              case 1 -> square.flip(0);
              case 2 -> square.select(0, random.nextInt(n));
              default -> square.flip(1).transpose();
            };
        float[] expected = source.copy(arena).broadcastTo(n, n).toFloats();
        assertArrayEquals(expected, square.copyFrom(source).toFloats());
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.ofInts(arena, new int[] {1, 2, 3, 4, 5}, 5);
      x.slice(0, 1, 5).copyFrom(x.slice(0, 0, 4));
      assertArrayEquals(new int[] {1, 1, 2, 3, 4}, x.toInts());
      // One memory seen as two types.
      Tensor bytes = Tensor.wrap(x.segment(), DType.UINT8, 20).slice(0, 3, 8);
      x.copyFrom(bytes);
      assertArrayEquals(new int[] {0, 1, 0, 0, 0}, x.toInts());
    }
  }

  @Test
  void fillReachesEveryElementOfAViewAndNoOther() {
    try (Arena arena = Arena.ofConfined()) {
      for (DType type : DType.values()) {
        Tensor x = Tensor.allocate(arena, type, 3, 4);
        x.slice(1, 1, 3).fill(1.75);
        double one = held(type, 1.75);
        assertArrayEquals(
            new double[] {0, one, one, 0, 0, one, one, 0, 0, one, one, 0}, x.toDoubles());
      }
    }
  }

  @Test
  void boolsReadAnyByteButZeroAsTrue() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.BOOL, 2);
      x.segment().set(ValueLayout.JAVA_BYTE, 1, (byte) 0x80);
      assertArrayEquals(new int[] {0, 1}, x.toInts());
      assertArrayEquals(new float[] {0, 1}, x.to(arena, DType.FLOAT32).toFloats());
      assertTrue(x.getDouble(1) == 1);
    }
  }
}

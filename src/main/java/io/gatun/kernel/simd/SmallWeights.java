package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.HalfPrecision;

/**
 * How weights of fewer than 32 bits lie in a panel, and the products with them.
 *
 * <p>They are read as vectors of ints, each lane of which holds the weights of several columns that
 * lie a vector apart. So a shift or a mask gives a whole vector of weights in the order of their
 * columns: nothing moves across lanes, and one form serves every width of vectors.
 *
 * <ul>
 *   <li>bfloat16: two columns in each lane, the first in the low half. A wide panel has two vectors
 *       of ints for each row, a narrow one has one.
 *   <li>int8: a wide panel has one vector for each row, four columns in each lane, the first
 *       lowest; a narrow one has one for two rows, the first row in the low half. An odd number of
 *       rows is filled up.
 * </ul>
 *
 * <p>A product of one row widens in registers, {@link Bfloat16Tiles} and {@link Int8Tiles}: there
 * the weights are the traffic. For more rows a panel is widened to float32 in memory that stays in
 * the caches while the tiles of float32 go over it. Each sum is the same chain of FMAs of the same
 * numbers either way, and is scaled at its end where weights are int8, so the bits are the same.
 */
final class SmallWeights {
  private SmallWeights() {}

  /** Bytes that one vector of columns takes in a panel of so many rows. */
  static long vectorBytes(int inner, WeightFormat format) {
    return switch (format) {
      case FLOAT32 -> (long) inner * BYTES;
      case BFLOAT16 -> (long) inner * (BYTES / 2);
      case INT8 -> (inner + 1L) / 2 * (BYTES / 2);
    };
  }

  /**
   * Some rows of a panel as they lie there.
   *
   * @param width of the panel in vectors
   * @param scales int8: that of each column of the panel; {@code null} for bfloat16
   */
  static int[] words(float[] block, int rows, int width, float[] scales) {
    return scales == null
        ? bfloat16Words(block, rows, width)
        : int8Words(block, rows, width, scales);
  }

  private static int[] bfloat16Words(float[] block, int rows, int width) {
    int[] words = new int[rows * width / 2 * LANES];
    for (int i = 0; i < rows * width / 2; i++) {
      for (int lane = 0; lane < LANES; lane++) {
        int at = 2 * i * LANES + lane;
        words[i * LANES + lane] =
            HalfPrecision.floatToBfloat16(block[at]) & 0xffff
                | HalfPrecision.floatToBfloat16(block[at + LANES]) << 16;
      }
    }
    return words;
  }

  private static int[] int8Words(float[] block, int rows, int width, float[] scales) {
    int[] words = new int[(rows * width + 3) / 4 * LANES];
    for (int i = 0; i < rows * width; i++) {
      for (int lane = 0; lane < LANES; lane++) {
        float scale = scales[i % width * LANES + lane];
        // A column that only fills up has no scale.
        int weight = scale == 0 ? 0 : WeightFormat.int8(block[i * LANES + lane], scale);
        words[i / 4 * LANES + lane] |= (weight & 0xff) << 8 * (i % 4);
      }
    }
    return words;
  }

  /** {@link Product#run} with small weights. */
  static void run(
      float[] a, int rows, Panels b, int from, int to, long c, long cStride, long widened) {
    boolean int8 = b.format == WeightFormat.INT8;
    long out = c;
    int panel = from;
    while (panel < to) {
      int width = b.width(panel);
      int panels = 1;
      if (rows > 1) {
        widen(b, panel, widened);
        Product.panel(a, rows, b.inner, width, widened, out, cStride);
        if (int8) {
          Int8Tiles.scale(out, cStride, rows, width, b.scales(panel));
        }
      } else {
        panels = panel + 1 < to && b.width(panel + 1) == width ? 2 : 1;
        if (int8) {
          int8(a, b, panel, panels, out);
        } else {
          bfloat16(a, b, panel, panels, out);
        }
      }
      out += (long) panels * width * BYTES;
      panel += panels;
    }
  }

  private static void widen(Panels b, int panel, long widened) {
    boolean wide = b.width(panel) == 4;
    if (b.format == WeightFormat.INT8) {
      if (wide) {
        Int8Tiles.widenWide(b.inner, b.at(panel), widened);
      } else {
        Int8Tiles.widenNarrow(b.inner, b.at(panel), widened);
      }
    } else if (wide) {
      Bfloat16Tiles.widenWide(b.inner, b.at(panel), widened);
    } else {
      Bfloat16Tiles.widenNarrow(b.inner, b.at(panel), widened);
    }
  }

  /** One row by one panel or two. */
  private static void bfloat16(float[] a, Panels b, int panel, int panels, long c) {
    int inner = b.inner;
    long at = b.at(panel);
    if (b.width(panel) == 4) {
      if (panels == 2) {
        Bfloat16Tiles.widePair(a, inner, at, b.at(panel + 1), c);
      } else {
        Bfloat16Tiles.wide(a, inner, at, c);
      }
    } else if (panels == 2) {
      Bfloat16Tiles.narrowPair(a, inner, at, b.at(panel + 1), c);
    } else {
      Bfloat16Tiles.narrow(a, inner, at, c);
    }
  }

  /** The same. */
  private static void int8(float[] a, Panels b, int panel, int panels, long c) {
    int inner = b.inner;
    long at = b.at(panel);
    long scales = b.scales(panel);
    if (b.width(panel) == 4) {
      if (panels == 2) {
        Int8Tiles.widePair(a, inner, at, b.at(panel + 1), scales, c);
      } else {
        Int8Tiles.wide(a, inner, at, scales, c);
      }
    } else if (panels == 2) {
      Int8Tiles.narrowPair(a, inner, at, b.at(panel + 1), scales, c);
    } else {
      Int8Tiles.narrow(a, inner, at, scales, c);
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.HalfPrecision;
import java.lang.foreign.ValueLayout;

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
   * Puts a weight into a panel of zeros.
   *
   * @param width of the panel in vectors
   * @param column of the panel
   */
  static void putBfloat16(long panel, int width, int k, int column, float weight) {
    int vector = column / LANES;
    long word = ((long) k * (width / 2) + vector / 2) * LANES + column % LANES;
    int bits = HalfPrecision.floatToBfloat16(weight) & 0xffff;
    add(panel + word * Integer.BYTES, bits << 16 * (vector % 2));
  }

  /** The same of a whole number. */
  static void putInt8(long panel, int width, int k, int column, int weight) {
    int vector = column / LANES;
    int rows = 4 / width;
    long word = (long) (k / rows) * LANES + column % LANES;
    add(panel + word * Integer.BYTES, (weight & 0xff) << 8 * (k % rows * width + vector));
  }

  private static void add(long address, int bits) {
    int before = MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    MEMORY.set(ValueLayout.JAVA_INT_UNALIGNED, address, before | bits);
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

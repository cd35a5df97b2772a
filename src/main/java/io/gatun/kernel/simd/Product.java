package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.FENCED;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.TILE_ROWS;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.WeightFormat;
import java.lang.foreign.ValueLayout;

/** The matrix product of some rows by some panels, put together from tiles. */
final class Product {
  /** The most rows of a block: enough that a panel is used often once it is in the caches. */
  private static final int BLOCK_ROWS = 512;

  /** The most elements of a block, which bounds the scratch memory of very long rows. */
  private static final int BLOCK_ELEMENTS = 1 << 20;

  /** Fewer rows than these are shared out evenly. */
  private static final int EVEN_BELOW = 2 * TILE_ROWS;

  private Product() {}

  /** How many rows are interleaved at a time. */
  static int blockRows(int inner) {
    int fit = BLOCK_ELEMENTS / Math.max(1, inner) / TILE_ROWS * TILE_ROWS;
    return Math.max(TILE_ROWS, Math.min(BLOCK_ROWS, fit));
  }

  /**
   * How many of the rows that are left the next tile takes: {@link Lanes#TILE_ROWS}, but what does
   * not fill tiles is shared out evenly among the last few, since a tile of one row or two waits
   * for the panel and for its own sums more than it computes.
   */
  static int tileRows(int left) {
    if (left >= EVEN_BELOW) {
      return TILE_ROWS;
    }
    int tiles = Math.max(1, (left + TILE_ROWS - 1) / TILE_ROWS);
    return (left + tiles - 1) / tiles;
  }

  /**
   * Into how many rows each, in whole tiles, rows are cut evenly so that none has more than that.
   */
  static int evenRows(int rows, int most) {
    if (rows <= most) {
      return rows;
    }
    int blocks = (rows + most - 1) / most;
    int even = (rows + blocks - 1) / blocks;
    return (even + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
  }

  /** How high the tiles of so many rows are: bit {@code h} − 1 for those of h rows. */
  static int tileHeights(int rows) {
    int heights = 0;
    int left = rows;
    if (left >= EVEN_BELOW) {
      heights |= 1 << TILE_ROWS - 1;
      left -= (left - EVEN_BELOW) / TILE_ROWS * TILE_ROWS + TILE_ROWS;
    }
    for (int height; left > 0; left -= height) {
      height = tileRows(left);
      heights |= 1 << height - 1;
    }
    return heights;
  }

  /**
   * Interleaves rows as the tiles want them: each tile of {@link #tileRows} is {@code [inner, rows
   * of the tile]}.
   *
   * @param a where they go; the first {@code rows × inner} elements are used
   * @param addresses where each row begins
   * @param first the first of them
   */
  static void interleave(float[] a, long[] addresses, int first, int rows, int inner) {
    for (int tile = 0, height; tile < rows; tile += height) {
      height = tileRows(rows - tile);
      int at = tile * inner;
      int i = first + tile;
      if (height == 6) {
        Interleaving.rows6(
            a,
            at,
            addresses[i],
            addresses[i + 1],
            addresses[i + 2],
            addresses[i + 3],
            addresses[i + 4],
            addresses[i + 5],
            inner);
      } else {
        for (int row = 0; row < height; row++) {
          Interleaving.row(a, at + row, height, addresses[i + row], 0, inner);
        }
      }
    }
  }

  /** The same of rows that lie {@code stride} bytes apart. */
  static void interleave(float[] a, long address, long stride, int rows, int inner) {
    for (int tile = 0, height; tile < rows; tile += height) {
      height = tileRows(rows - tile);
      int at = tile * inner;
      long row = address + tile * stride;
      if (height == 6) {
        Interleaving.rows6(
            a,
            at,
            row,
            row + stride,
            row + 2 * stride,
            row + 3 * stride,
            row + 4 * stride,
            row + 5 * stride,
            inner);
      } else {
        for (int i = 0; i < height; i++) {
          Interleaving.row(a, at + i, height, row + i * stride, 0, inner);
        }
      }
    }
  }

  /** The same of rows whose elements lie {@code innerStride} bytes apart. */
  static void interleave(
      float[] a, long address, long stride, long innerStride, int rows, int inner) {
    if (innerStride == Float.BYTES) {
      interleave(a, address, stride, rows, inner);
      return;
    }
    for (int tile = 0, height; tile < rows; tile += height) {
      height = tileRows(rows - tile);
      for (int row = 0; row < height; row++) {
        long from = address + (tile + row) * stride;
        for (int k = 0; k < inner; k++) {
          a[tile * inner + row + k * height] =
              MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + k * innerStride);
        }
      }
    }
  }

  /**
   * Multiplies interleaved rows by the panels {@code from} to {@code to} − 1.
   *
   * @param c where the result of the first row and the first of these panels goes
   * @param cStride bytes from one row of the result to the next
   * @param widened {@link Panels#widenedBytes} of memory
   */
  static void run(
      float[] a, int rows, Panels b, int from, int to, long c, long cStride, long widened) {
    int kernels = ColdStart.kernels(rows, b, from, to);
    if (ColdStart.lasts(kernels)) {
      PlainLoops.product(a, rows, b, from, to, c, cStride);
      ColdStart.rehearse(kernels, (long) rows * b.inner * (to - from) * WIDE * LANES);
      return;
    }
    if (b.format != WeightFormat.FLOAT32) {
      SmallWeights.run(a, rows, b, from, to, c, cStride, widened);
      return;
    }
    int inner = b.inner;
    long out = c;
    int panel = from;
    if (rows == 1) {
      for (; WIDE == 4 && panel + 3 < Math.min(to, b.wide); panel += 4) {
        WideTiles.row1Quad(a, inner, b.at(panel), b.at(panel + 1) - b.at(panel), out);
        out += 4L * WIDE * BYTES;
      }
      for (; panel + 1 < Math.min(to, b.wide); panel += 2) {
        if (WIDE == 4) {
          WideTiles.row1Pair(a, 0, inner, b.at(panel), b.at(panel + 1), out);
        } else {
          NarrowTiles.row1Pair(a, 0, inner, b.at(panel), b.at(panel + 1), out);
        }
        out += 2L * WIDE * BYTES;
      }
    }
    for (; panel < to; panel++) {
      int width = b.width(panel);
      panel(a, rows, inner, width, b.at(panel), out, cStride);
      out += (long) width * BYTES;
    }
  }

  /** Multiplies interleaved rows by one panel. */
  static void panel(float[] a, int rows, int inner, int width, long b, long c, long cStride) {
    if (ColdStart.lasts()) {
      int tiles = ColdStart.tiles(rows, width);
      if (ColdStart.lasts(tiles)) {
        PlainLoops.panel(a, rows, inner, width, b, c, cStride);
        ColdStart.rehearse(tiles, (long) rows * inner * width * LANES);
        return;
      }
    }
    if (width == 4) {
      wide(a, rows, inner, b, c, cStride);
    } else {
      narrow(a, rows, inner, b, c, cStride);
    }
  }

  private static void wide(float[] a, int rows, int inner, long b, long c, long cStride) {
    for (int row = 0, height; row < rows; row += height) {
      height = tileRows(rows - row);
      int at = row * inner;
      long out = c + row * cStride;
      switch (height) {
        case 1 -> WideTiles.rows1(a, at, inner, b, out);
        case 2 -> WideTiles.rows2(a, at, inner, b, out, cStride);
        case 3 -> WideTiles.rows3(a, at, inner, b, out, cStride);
        case 4 -> WideTiles.rows4(a, at, inner, b, out, cStride);
        case 5 -> WideTiles.rows5(a, at, inner, b, out, cStride);
        default -> WideTiles.rows6(a, at, inner, b, out, cStride);
      }
    }
  }

  private static void narrow(float[] a, int rows, int inner, long b, long c, long cStride) {
    for (int row = 0, height; row < rows; row += height) {
      height = tileRows(rows - row);
      int at = row * inner;
      long out = c + row * cStride;
      switch (height) {
        case 1 -> NarrowTiles.rows1(a, at, inner, b, out);
        case 2 -> NarrowTiles.rows2(a, at, inner, b, out, cStride);
        case 3 -> NarrowTiles.rows3(a, at, inner, b, out, cStride);
        case 4 -> NarrowTiles.rows4(a, at, inner, b, out, cStride);
        case 5 -> NarrowTiles.rows5(a, at, inner, b, out, cStride);
        default -> {
          if (FENCED && (inner & 1) == 0) {
            NarrowTiles.rows6Even(a, at, inner, b, out, cStride);
          } else {
            NarrowTiles.rows6(a, at, inner, b, out, cStride);
          }
        }
      }
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.NARROW;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.Workers;
import java.lang.foreign.ValueLayout;

/**
 * Many products of two sides that both vary. Each right side is packed panel by panel into scratch
 * memory and multiplied by the same tiles as a packed matrix, so that strides do not matter to
 * them.
 */
final class BatchedRun implements Workers.Task {
  private final Scratch[] scratch;
  private BatchedProduct product;
  private long a;
  private long b;
  private long c;
  private int parts;

  BatchedRun(Scratch[] scratch) {
    this.scratch = scratch;
  }

  /** Takes down the operands; returns the number of parts. */
  int prepare(BatchedProduct product, long a, long b, long c) {
    this.product = product;
    this.a = a;
    this.b = b;
    this.c = c;
    this.parts = product.rows() == 0 || product.columns() == 0 ? 0 : product.aOffsets().length;
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      scratch[i].reserve(
          (long) product.rows() * product.inner(),
          0,
          (long) WIDE * BYTES * ((long) product.inner() + product.rows()));
    }
    return parts;
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own.
    Scratch own = scratch[parts <= scratch.length ? part : worker];
    int rows = product.rows();
    int inner = product.inner();
    int columns = product.columns();
    long left = a + product.aOffsets()[part] * Float.BYTES;
    Product.interleave(
        own.left,
        left,
        product.aRowStride() * Float.BYTES,
        product.aInnerStride() * Float.BYTES,
        rows,
        inner);
    long right = b + product.bOffsets()[part] * Float.BYTES;
    long to = c + (long) part * rows * columns * Float.BYTES;
    long panel = own.address();
    long z = panel + (long) inner * WIDE * BYTES;
    for (int column = 0; column < columns; ) {
      int width = columns - column <= NARROW * LANES ? NARROW : WIDE;
      int some = Math.min(width * LANES, columns - column);
      pack(right + column * product.bColumnStride() * Float.BYTES, some, width * LANES, panel);
      long zStride = (long) width * BYTES;
      Product.panel(own.left, rows, inner, width, panel, z, zStride);
      for (int row = 0; row < rows; row++) {
        Floats.copy(z + row * zStride, to + ((long) row * columns + column) * Float.BYTES, some);
      }
      column += some;
    }
  }

  /** Some columns of a right side as a panel, filled up with zeros. */
  private void pack(long right, int columns, int width, long panel) {
    int inner = product.inner();
    long innerStride = product.bInnerStride() * Float.BYTES;
    long columnStride = product.bColumnStride() * Float.BYTES;
    for (int k = 0; k < inner; k++) {
      Floats.fill(panel + (long) k * width * Float.BYTES, columns, width, 0);
    }
    if (columnStride == Float.BYTES) {
      for (int k = 0; k < inner; k++) {
        Floats.copy(right + k * innerStride, panel + (long) k * width * Float.BYTES, columns);
      }
    } else {
      for (int column = 0; column < columns; column++) {
        packColumn(
            right + column * columnStride,
            innerStride,
            panel + (long) column * Float.BYTES,
            width,
            inner);
      }
    }
  }

  private static void packColumn(long from, long stride, long to, int width, int inner) {
    for (int k = 0; k < inner; k++) {
      MEMORY.set(
          ValueLayout.JAVA_FLOAT_UNALIGNED,
          to + (long) k * width * Float.BYTES,
          MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + k * stride));
    }
  }
}

package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;

/**
 * {@code C = activation(A·B + bias)} with packed B, a tile of C at a time. Each sum is formed in
 * float64: the bias first, then the terms in their order, so the tiling does not show in the bits.
 */
final class ScalarProduct implements Workers.Task {
  /** Few enough rows and columns that a tile's sums stay in the first cache. */
  private static final int ROWS = 4;

  private static final int COLUMNS = 256;

  private final DType real;
  private final Scratch scratch;
  private Region a;
  private long aRowStride;
  private int rows;
  private ScalarMatrix b;
  private Activation activation;
  private Region c;
  private long cRowStride;
  private int columnBlocks;

  ScalarProduct(DType real, Scratch scratch) {
    this.real = real;
    this.scratch = scratch;
  }

  /** Takes the checked operands; returns the number of parts. */
  int begin(
      Region a,
      long aRowStride,
      int rows,
      ScalarMatrix b,
      Activation activation,
      Region c,
      long cRowStride) {
    this.a = a;
    this.aRowStride = aRowStride;
    this.rows = rows;
    this.b = b;
    this.activation = activation;
    this.c = c;
    this.cRowStride = cRowStride;
    columnBlocks = Math.ceilDiv(b.columns(), COLUMNS);
    return Math.multiplyExact(Math.ceilDiv(rows, ROWS), columnBlocks);
  }

  @Override
  public void run(int part, int worker) {
    int firstRow = part / columnBlocks * ROWS;
    int tileRows = Math.min(ROWS, rows - firstRow);
    int firstColumn = part % columnBlocks * COLUMNS;
    int tileColumns = Math.min(COLUMNS, b.columns() - firstColumn);
    int inner = b.inner();
    double[] left = scratch.get(worker, 0, Math.multiplyExact(ROWS, inner));
    double[] sums = scratch.get(worker, 1, ROWS * COLUMNS);
    for (int i = 0; i < tileRows; i++) {
      long offset = a.offset() + (firstRow + i) * aRowStride * real.bytes();
      Elements.load(HostKernels.segment(a), real, offset, 1, left, i * inner, inner);
      System.arraycopy(b.bias, firstColumn, sums, i * COLUMNS, tileColumns);
    }
    for (int k = 0; k < inner; k++) {
      for (int i = 0; i < tileRows; i++) {
        b.rows.addScaled(k, left[i * inner + k], firstColumn, tileColumns, sums, i * COLUMNS);
      }
    }
    for (int i = 0; i < tileRows; i++) {
      ScalarActivations.apply(activation, sums, i * COLUMNS, tileColumns);
      long offset = c.offset() + ((firstRow + i) * cRowStride + firstColumn) * real.bytes();
      Elements.store(sums, i * COLUMNS, HostKernels.segment(c), real, offset, tileColumns);
    }
  }
}

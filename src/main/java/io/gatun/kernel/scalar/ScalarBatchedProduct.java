package io.gatun.kernel.scalar;

import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;

/** Many products of two varying sides, a few rows of one product at a time, summed in float64. */
final class ScalarBatchedProduct implements Workers.Task {
  private static final int ROWS = 8;

  private final DType real;
  private final Scratch scratch;
  private BatchedProduct product;
  private Region a;
  private Region b;
  private Region c;
  private int rowBlocks;

  ScalarBatchedProduct(DType real, Scratch scratch) {
    this.real = real;
    this.scratch = scratch;
  }

  /** Takes the checked operands; returns the number of parts. */
  int begin(BatchedProduct product, Region a, Region b, Region c) {
    this.product = product;
    this.a = a;
    this.b = b;
    this.c = c;
    rowBlocks = Math.ceilDiv(product.rows(), ROWS);
    return product.columns() == 0 ? 0 : Math.multiplyExact(product.aOffsets().length, rowBlocks);
  }

  @Override
  public void run(int part, int worker) {
    int index = part / rowBlocks;
    int firstRow = part % rowBlocks * ROWS;
    int rows = Math.min(ROWS, product.rows() - firstRow);
    int inner = product.inner();
    int columns = product.columns();
    long size = real.bytes();
    double[] left = scratch.get(worker, 0, Math.multiplyExact(ROWS, inner));
    double[] sums = scratch.get(worker, 1, Math.multiplyExact(ROWS, columns));
    double[] right = scratch.get(worker, 2, columns);
    for (int i = 0; i < rows; i++) {
      long first = product.aOffsets()[index] + (firstRow + i) * product.aRowStride();
      Elements.load(
          HostKernels.segment(a),
          real,
          a.offset() + first * size,
          product.aInnerStride(),
          left,
          i * inner,
          inner);
    }
    java.util.Arrays.fill(sums, 0, rows * columns, 0);
    for (int k = 0; k < inner; k++) {
      long first = product.bOffsets()[index] + k * product.bInnerStride();
      Elements.load(
          HostKernels.segment(b),
          real,
          b.offset() + first * size,
          product.bColumnStride(),
          right,
          0,
          columns);
      for (int i = 0; i < rows; i++) {
        double factor = left[i * inner + k];
        int at = i * columns;
        for (int j = 0; j < columns; j++) {
          sums[at + j] += factor * right[j];
        }
      }
    }
    long first = ((long) index * product.rows() + firstRow) * columns;
    Elements.store(
        sums, 0, HostKernels.segment(c), real, c.offset() + first * size, rows * columns);
  }
}

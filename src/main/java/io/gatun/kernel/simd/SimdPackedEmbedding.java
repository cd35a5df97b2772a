package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;

import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.PackedEmbedding;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * The rows of a table and their products with a layer's input weights. A product is formed when its
 * row is first met, by whoever meets it: threads that form the same one at the same time write the
 * same bits.
 */
final class SimdPackedEmbedding implements PackedEmbedding {
  final SimdPackedRecurrent layer;
  private final int rows;
  private final HostBuffer table;
  private final HostBuffer products;
  private final AtomicIntegerArray formed;

  SimdPackedEmbedding(SimdPackedRecurrent layer, Tensor table) {
    int input = layer.spec().inputSize();
    if (table.rank() != 2 || table.dim(1) != input) {
      throw new ShapeException("table is " + table.shape() + ", expected [rows, " + input + "]");
    }
    if (!table.dtype().isFloat()) {
      throw new IllegalArgumentException(
          "table is " + table.dtype().label() + ", expected a floating-point type");
    }
    this.layer = layer;
    this.rows = Math.toIntExact(table.dim(0));
    this.formed = new AtomicIntegerArray(rows);
    this.table = HostBuffer.allocate(table.elements() * Float.BYTES);
    try {
      Tensor.wrap(this.table.segment(), DType.FLOAT32, rows, input).copyFrom(table);
      this.products = HostBuffer.allocate(rows * stride());
    } catch (RuntimeException | Error e) {
      this.table.close();
      throw e;
    }
  }

  /** Bytes of the product of one row, laid out as the layer's steps want it. */
  long stride() {
    return (long) layer.input().vectors * BYTES;
  }

  /** The elements of a left side, which {@link #product} needs. */
  int leftSize() {
    return layer.input().inner;
  }

  /**
   * Where the product of a row lies.
   *
   * @param left room for one row
   * @param temporary what a step needs
   */
  long product(int row, float[] left, long temporary) {
    long product = products.address() + row * stride();
    if (formed.get(row) == 0) {
      Panels panels = layer.input();
      long from = table.address() + (long) row * panels.inner * Float.BYTES;
      Product.interleave(left, from, 0, 1, panels.inner);
      Product.run(left, 1, panels, 0, panels.count, product, stride(), temporary);
      layer.finishInput(product, 1, temporary);
      formed.set(row, 1);
    }
    return product;
  }

  /** Checks that it is there, and that it is this very layer's. */
  @SuppressWarnings("ReferenceEquality")
  void checkOpen(SimdPackedRecurrent of) {
    if (layer != of) {
      throw new IllegalArgumentException("embedding was packed for another layer");
    }
    if (!products.segment().scope().isAlive()) {
      throw new IllegalStateException("embedding: the packed table is closed");
    }
  }

  @Override
  public long rows() {
    return rows;
  }

  @Override
  public long bytes() {
    return table.bytes() + products.bytes();
  }

  @Override
  public void close() {
    table.close();
    products.close();
  }
}

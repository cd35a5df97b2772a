package io.gatun.kernel.scalar;

import io.gatun.kernel.PackedEmbedding;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;

/** The rows of a table, of which a step takes one; the plain loops form its product each time. */
final class ScalarEmbedding implements PackedEmbedding {
  final Rows table;

  ScalarEmbedding(DType real, PackedRecurrent layer, Tensor table) {
    check(layer, table);
    this.table = ScalarMatrix.rows(real, table, WeightFormat.FLOAT32);
  }

  private static void check(PackedRecurrent layer, Tensor table) {
    int input = layer.spec().inputSize();
    if (table.rank() != 2 || table.dim(1) != input) {
      throw new ShapeException("table is " + table.shape() + ", expected [rows, " + input + "]");
    }
    ScalarMatrix.requireFloat("table", table);
  }

  @Override
  public long rows() {
    return table.rows();
  }

  @Override
  public long bytes() {
    return table.bytes();
  }

  @Override
  public void close() {}
}

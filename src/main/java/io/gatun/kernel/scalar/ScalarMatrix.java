package io.gatun.kernel.scalar;

import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.Arrays;

/** A matrix as the plain loops want it: {@code [inner, columns]} on the heap. */
final class ScalarMatrix implements PackedMatrix {
  final Rows rows;

  /** {@code [columns]}, zeros where there is none. */
  final double[] bias;

  private ScalarMatrix(Rows rows, double[] bias) {
    this.rows = rows;
    this.bias = bias;
  }

  static ScalarMatrix pack(DType real, Tensor matrix, Tensor bias, WeightFormat format) {
    if (matrix.rank() != 2) {
      throw new ShapeException("matrix is " + matrix.shape() + ", expected [inner, columns]");
    }
    requireFloat("matrix", matrix);
    int columns = size("columns of the matrix", matrix.dim(1));
    if (bias != null) {
      requireFloat("bias", bias);
      if (!Arrays.equals(bias.shape().dims(), new long[] {columns})) {
        throw new ShapeException("bias is " + bias.shape() + ", expected [" + columns + "]");
      }
    }
    return new ScalarMatrix(
        rows(real, matrix, format), bias == null ? new double[columns] : vector(real, bias));
  }

  /** A tensor {@code [rows, columns]} on the heap, rounded to a format by columns. */
  static Rows rows(DType real, Tensor matrix, WeightFormat format) {
    int rows = size("rows of the matrix", matrix.dim(0));
    int columns = size("columns of the matrix", matrix.dim(1));
    Rows packed = new Rows(real, rows, columns);
    for (int row = 0; row < rows; row++) {
      double[] values = matrix.select(0, row).toDoubles();
      for (int column = 0; column < columns; column++) {
        packed.set(row, column, values[column]);
      }
    }
    packed.round(format);
    return packed;
  }

  /** A tensor {@code [size]} on the heap, its values rounded to the real type. */
  static double[] vector(DType real, Tensor tensor) {
    double[] values = tensor.toDoubles();
    if (real == DType.FLOAT32) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) values[i];
      }
    }
    return values;
  }

  static void requireFloat(String what, Tensor tensor) {
    if (!tensor.dtype().isFloat()) {
      throw new IllegalArgumentException(
          what + " is " + tensor.dtype().label() + ", expected a floating-point type");
    }
  }

  private static int size(String what, long size) {
    if (size > Integer.MAX_VALUE - 8) {
      throw new ShapeException(what + " are " + size + ", expected less than 2^31");
    }
    return (int) size;
  }

  @Override
  public int inner() {
    return rows.rows();
  }

  @Override
  public int columns() {
    return rows.columns();
  }

  @Override
  public long bytes() {
    return rows.bytes() + (long) bias.length * Double.BYTES;
  }

  @Override
  public void close() {}
}

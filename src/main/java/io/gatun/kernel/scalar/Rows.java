package io.gatun.kernel.scalar;

import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;

/**
 * A matrix of weights {@code [rows, columns]} on the heap in the device's real type. Products walk
 * it row by row with the columns innermost, so that each sum has its terms in the order of the rows
 * whatever else is computed beside it.
 */
final class Rows {
  private final int columns;
  private final float[][] singles;
  private final double[][] doubles;

  Rows(DType real, int rows, int columns) {
    this.columns = columns;
    singles = real == DType.FLOAT32 ? new float[rows][columns] : null;
    doubles = real == DType.FLOAT32 ? null : new double[rows][columns];
  }

  /** The number of rows: the terms of each sum. */
  int rows() {
    return singles != null ? singles.length : doubles.length;
  }

  /** The number of columns. */
  int columns() {
    return columns;
  }

  /** The memory it takes. */
  long bytes() {
    return (long) rows() * columns * (singles != null ? Float.BYTES : Double.BYTES);
  }

  /** Sets an element, rounded to the real type. */
  void set(int row, int column, double value) {
    if (singles != null) {
      singles[row][column] = (float) value;
    } else {
      doubles[row][column] = value;
    }
  }

  /** Reads a row. */
  void get(int row, double[] into) {
    for (int j = 0; j < columns; j++) {
      into[j] = get(row, j);
    }
  }

  private double get(int row, int column) {
    return singles != null ? singles[row][column] : doubles[row][column];
  }

  /** Rounds the weights to a format; a column is a channel. */
  void round(WeightFormat format) {
    if (format == WeightFormat.FLOAT32) {
      return;
    }
    for (int column = 0; column < columns; column++) {
      float largest = 0;
      for (int row = 0; row < rows(); row++) {
        largest = Math.max(largest, Math.abs((float) get(row, column)));
      }
      float scale = format == WeightFormat.INT8 ? WeightFormat.scale(largest) : 1;
      for (int row = 0; row < rows(); row++) {
        float weight = (float) get(row, column);
        set(
            row,
            column,
            format == WeightFormat.BFLOAT16
                ? WeightFormat.bfloat16(weight)
                : (double) WeightFormat.int8(weight, scale) * scale);
      }
    }
  }

  /** {@code sums[at + j] += factor · M[row, from + j]} for {@code count} columns. */
  void addScaled(int row, double factor, int from, int count, double[] sums, int at) {
    if (singles != null) {
      float[] weights = singles[row];
      for (int j = 0; j < count; j++) {
        sums[at + j] += factor * weights[from + j];
      }
    } else {
      double[] weights = doubles[row];
      for (int j = 0; j < count; j++) {
        sums[at + j] += factor * weights[from + j];
      }
    }
  }

  /** {@code sums[j] += Σ vector[k] · M[k, from + j]} over all rows, in their order. */
  void addProduct(double[] vector, int from, int count, double[] sums, int at) {
    int rows = rows();
    for (int k = 0; k < rows; k++) {
      addScaled(k, vector[k], from, count, sums, at);
    }
  }
}

package io.gatun.kernel.simd;

import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** A matrix in panels, and its bias filled up to whole vectors. */
final class SimdPackedMatrix implements PackedMatrix {
  final Panels panels;

  /** Where the bias lies, as many vectors as the panels have; 0 without one. */
  final long bias;

  private final HostBuffer biasMemory;
  private final int columns;

  SimdPackedMatrix(Tensor matrix, Tensor bias, WeightFormat format) {
    if (matrix.rank() != 2) {
      throw new ShapeException("matrix is " + matrix.shape() + ", expected [inner, columns]");
    }
    requireFloat("matrix", matrix);
    if (bias != null) {
      requireFloat("bias", bias);
    }
    if (bias != null && (bias.rank() != 1 || bias.dim(0) != matrix.dim(1))) {
      throw new ShapeException("bias is " + bias.shape() + ", expected [" + matrix.dim(1) + "]");
    }
    int inner = Math.toIntExact(matrix.dim(0));
    this.columns = Math.toIntExact(matrix.dim(1));
    try (Arena arena = Arena.ofConfined()) {
      // Both are read before anything is allocated that would have to be given back.
      long from = Floats.copyOf(arena, matrix);
      long values = bias == null ? 0 : Floats.copyOf(arena, bias);
      long[] starts = new long[columns];
      long[] strides = new long[columns];
      for (int column = 0; column < columns; column++) {
        starts[column] = from + (long) column * Float.BYTES;
      }
      Arrays.fill(strides, (long) columns * Float.BYTES);
      this.panels = new Panels(inner, starts, strides, format);
      if (bias == null) {
        this.biasMemory = null;
        this.bias = 0;
      } else {
        this.biasMemory = HostBuffer.allocate((long) panels.vectors * Lanes.BYTES);
        this.bias = biasMemory.address();
        for (int i = 0; i < columns; i++) {
          Floats.put(this.bias, i, Floats.get(values, i));
        }
      }
    }
  }

  private static void requireFloat(String what, Tensor tensor) {
    if (!tensor.dtype().isFloat()) {
      throw new IllegalArgumentException(
          what + " is " + tensor.dtype().label() + ", expected a floating-point type");
    }
  }

  @Override
  public int inner() {
    return panels.inner;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public long bytes() {
    return panels.bytes() + (biasMemory == null ? 0 : biasMemory.bytes());
  }

  @Override
  public void close() {
    panels.close();
    if (biasMemory != null) {
      biasMemory.close();
    }
  }
}

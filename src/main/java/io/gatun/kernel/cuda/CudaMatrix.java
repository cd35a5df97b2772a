package io.gatun.kernel.cuda;

import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/** A matrix {@code [inner, columns]} and a bias on the device, as they are. */
final class CudaMatrix implements PackedMatrix, Door.Owned {
  private final CudaDevice device;
  private final int inner;
  private final int columns;
  final CudaBuffer matrix;
  final CudaBuffer bias;

  private CudaMatrix(
      CudaDevice device, int inner, int columns, CudaBuffer matrix, CudaBuffer bias) {
    this.device = device;
    this.inner = inner;
    this.columns = columns;
    this.matrix = matrix;
    this.bias = bias;
  }

  static CudaMatrix pack(CudaDevice device, Tensor matrix, Tensor bias, WeightFormat format) {
    if (matrix.rank() != 2) {
      throw new ShapeException("matrix is " + matrix.shape() + ", expected [inner, columns]");
    }
    int inner = Packing.size("rows of the matrix", matrix.dim(0));
    int columns = Packing.size("columns of the matrix", matrix.dim(1));
    if (bias != null && !Arrays.equals(bias.shape().dims(), new long[] {columns})) {
      throw new ShapeException("bias is " + bias.shape() + ", expected [" + columns + "]");
    }
    CudaBuffer weights = null;
    try (Arena arena = Arena.ofConfined()) {
      Tensor plain = Packing.plain(arena, "matrix", matrix);
      Tensor plainBias = bias == null ? null : Packing.plain(arena, "bias", bias);
      Packing.round(plain, format);
      weights = Packing.upload(device, plain);
      return new CudaMatrix(device, inner, columns, weights, Packing.upload(device, plainBias));
    } catch (RuntimeException | Error e) {
      Packing.close(weights);
      throw e;
    }
  }

  @Override
  public CudaDevice device() {
    return device;
  }

  @Override
  public int inner() {
    return inner;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public long bytes() {
    return Packing.bytes(matrix, bias);
  }

  @Override
  public void close() {
    Packing.close(matrix, bias);
  }
}

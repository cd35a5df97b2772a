package io.gatun.kernel.cuda;

import io.gatun.kernel.PackedEmbedding;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * A table's rows multiplied with a layer's input weights, once: {@code [rows, gates × hidden]}, and
 * normalised where the layer does that. A step reads the row of its token.
 */
final class CudaEmbedding implements PackedEmbedding, Door.Owned {
  private final CudaDevice device;
  final CudaRecurrent layer;
  private final long rows;
  final CudaBuffer products;

  /** The rows as they are, where cuDNN runs the layer; {@code null} else. */
  final CudaBuffer table;

  private CudaEmbedding(
      CudaDevice device, CudaRecurrent layer, long rows, CudaBuffer products, CudaBuffer table) {
    this.device = device;
    this.layer = layer;
    this.rows = rows;
    this.products = products;
    this.table = table;
  }

  static CudaEmbedding pack(CudaDevice device, PackedRecurrent packed, Tensor table) {
    CudaRecurrent layer = new Door(device).own(CudaRecurrent.class, "layer", packed);
    RecurrentSpec spec = layer.spec();
    int input = spec.inputSize();
    if (table.rank() != 2 || table.dim(1) != input) {
      throw new ShapeException("table is " + table.shape() + ", expected [rows, " + input + "]");
    }
    int rows = Packing.size("rows of the table", table.dim(0));
    int columns = spec.gates() * spec.hiddenSize();
    CudaBuffer products = null;
    CudaBuffer values = null;
    try (Arena arena = Arena.ofConfined();
        Order order = new Order(device)) {
      values = Packing.upload(device, Packing.plain(arena, "table", table));
      products = device.take((long) rows * columns * Float.BYTES);
      long input0 = layer.input.address();
      order.products.multiply(values.address(), input0, rows, input, columns, products.address());
      if (spec.layerNormalised()) {
        RecurrentRun.normalise(
            order, spec, products.address(), rows, columns, layer.normalisation, 0);
      }
      order.synchronize();
    } catch (RuntimeException | Error e) {
      Packing.close(products, values);
      throw e;
    }
    if (layer.alone() == null) {
      values.close();
      values = null;
    }
    return new CudaEmbedding(device, layer, rows, products, values);
  }

  @Override
  public CudaDevice device() {
    return device;
  }

  @Override
  public long rows() {
    return rows;
  }

  @Override
  public long bytes() {
    return Packing.bytes(products, table);
  }

  @Override
  public void close() {
    Packing.close(products, table);
  }
}

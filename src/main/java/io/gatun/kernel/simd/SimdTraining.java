package io.gatun.kernel.simd;

import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarKernels;
import io.gatun.kernel.scalar.ScalarTraining;

/**
 * The doors of the vector kernels of training; what has no vector form is inherited from the plain
 * loops.
 */
final class SimdTraining extends ScalarTraining implements AutoCloseable {
  private final AddressedProduct product;
  private final RecurrentTrainingRun recurrent;
  private final Scratch scratch = new Scratch();
  private long[] aRows = {};
  private long[] aInner = {};
  private long[] bInner = {};
  private long[] bColumns = {};
  private long[] cRows = {};

  SimdTraining(ScalarKernels kernels, Workers workers) {
    super(kernels);
    product = new AddressedProduct(workers);
    recurrent = new RecurrentTrainingRun(workers, product);
  }

  /** Where a checked region begins; 0 where there is none. */
  static long address(Region region) {
    return region == null ? 0 : SimdKernels.begin(region);
  }

  @Override
  public void close() {
    product.close();
    recurrent.close();
    scratch.close();
    clear();
  }

  // ---- products -------------------------------------------------------------------------------

  @Override
  public void multiply(
      Region a,
      long aRowStride,
      long aInnerStride,
      Region b,
      long bInnerStride,
      long bColumnStride,
      int rows,
      int inner,
      int columns,
      Region c,
      long cRowStride) {
    checkMultiply(
        a,
        aRowStride,
        aInnerStride,
        b,
        bInnerStride,
        bColumnStride,
        rows,
        inner,
        columns,
        c,
        cRowStride);
    aRows = places(aRows, address(a), aRowStride, rows);
    aInner = places(aInner, 0, aInnerStride, inner);
    bInner = places(bInner, address(b), bInnerStride, inner);
    bColumns = places(bColumns, 0, bColumnStride, columns);
    cRows = places(cRows, address(c), cRowStride, rows);
    product.run(aRows, aInner, bInner, bColumns, rows, inner, columns, cRows);
  }

  private static long[] places(long[] array, long first, long stride, int count) {
    long[] places = array.length >= count ? array : new long[count];
    for (int i = 0; i < count; i++) {
      places[i] = first + i * stride * Float.BYTES;
    }
    return places;
  }

  // ---- recurrent layers -----------------------------------------------------------------------

  @Override
  public void recurrentForward(RecurrentTraining layer) {
    if (layer.call.batch == 0 || !RecurrentTrainingRun.handles(layer)) {
      super.recurrentForward(layer);
      return;
    }
    checkRecurrent(layer);
    recurrent.forward(layer);
  }

  @Override
  public void recurrentBackward(RecurrentTraining layer) {
    if (layer.call.batch == 0 || !RecurrentTrainingRun.handles(layer)) {
      super.recurrentBackward(layer);
      return;
    }
    checkRecurrent(layer);
    checkBackward(layer);
    recurrent.backward(layer);
  }
}

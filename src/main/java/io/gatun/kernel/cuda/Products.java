package io.gatun.kernel.cuda;

import io.gatun.bindings.Cublas;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Matrix products of row-major matrices through cuBLAS, which thinks in columns: {@code C = A·B} in
 * rows is {@code Cᵀ = Bᵀ·Aᵀ} in columns, and a transposed matrix in columns is the matrix in rows.
 */
final class Products implements AutoCloseable {
  private final Order order;
  private final int compute;
  private final MemorySegment one;
  private final MemorySegment zero;
  private final Side left = new Side();
  private final Side right = new Side();
  private MemorySegment handle;

  /** One side of a product as cuBLAS takes it. */
  private static final class Side {
    long address;
    boolean transposed;
    int leading;
  }

  Products(Order order, Arena arena) {
    this.order = order;
    this.compute = order.device.precision().cublasCompute;
    this.one = arena.allocate(ValueLayout.JAVA_FLOAT);
    one.set(ValueLayout.JAVA_FLOAT, 0, 1);
    this.zero = arena.allocate(ValueLayout.JAVA_FLOAT);
  }

  private MemorySegment handle() {
    if (handle == null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
        Calls.cublas("cublasCreate_v2", Cublas.cublasCreate_v2(pointer));
        MemorySegment made = pointer.get(ValueLayout.ADDRESS, 0);
        try {
          Calls.cublas("cublasSetStream_v2", Cublas.cublasSetStream_v2(made, order.stream));
        } catch (CudaException e) {
          Cublas.cublasDestroy_v2(made);
          throw e;
        }
        handle = made;
      }
    }
    return handle;
  }

  /**
   * {@code C = A·B}, or {@code C += A·B}; strides count elements and may be any.
   *
   * @param a {@code [rows, inner]}
   * @param b {@code [inner, columns]}
   * @param c {@code [rows, columns]}, rows {@code cRow} elements apart
   */
  void multiply(
      long a,
      long aRow,
      long aInner,
      long b,
      long bInner,
      long bColumn,
      int rows,
      int inner,
      int columns,
      long c,
      long cRow,
      boolean add) {
    if (rows == 0 || columns == 0) {
      return;
    }
    if (inner == 0) {
      if (!add) {
        zeroRows(c, cRow, rows, columns);
      }
      return;
    }
    if (rows > 1 && cRow > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("c: rows are " + cRow + " elements apart, 2^31 or more");
    }
    // In columns the right-hand side comes first, and its rows are the columns' elements.
    side(left, Order.Slot.RIGHT, b, bInner, bColumn, inner, columns);
    side(right, Order.Slot.LEFT, a, aRow, aInner, rows, inner);
    Calls.cublas(
        "cublasGemmEx",
        Cublas.cublasGemmEx(
            handle(),
            operation(left),
            operation(right),
            columns,
            rows,
            inner,
            one,
            MemorySegment.ofAddress(left.address),
            Cublas.CUDA_R_32F,
            left.leading,
            MemorySegment.ofAddress(right.address),
            Cublas.CUDA_R_32F,
            right.leading,
            add ? one : zero,
            MemorySegment.ofAddress(c),
            Cublas.CUDA_R_32F,
            rows == 1 ? columns : (int) cRow,
            compute,
            Cublas.CUBLAS_GEMM_DEFAULT));
  }

  /** The usual case: all contiguous. */
  void multiply(long a, long b, int rows, int inner, int columns, long c) {
    multiply(a, inner, 1, b, columns, 1, rows, inner, columns, c, columns, false);
  }

  /** Many products at regular distances; rows of C are contiguous. */
  void multiplyStrided(
      long a,
      long aRow,
      long aInner,
      long aNext,
      long b,
      long bInner,
      long bColumn,
      long bNext,
      int rows,
      int inner,
      int columns,
      long c,
      long cNext,
      int count) {
    if (rows == 0 || columns == 0 || count == 0) {
      return;
    }
    if (inner == 0) {
      for (int i = 0; i < count; i++) {
        order.zero(c + i * cNext * Float.BYTES, (long) rows * columns * Float.BYTES);
      }
      return;
    }
    if (!fits(left, b, bInner, bColumn, inner, columns)
        || !fits(right, a, aRow, aInner, rows, inner)) {
      for (int i = 0; i < count; i++) {
        multiply(
            a + i * aNext * Float.BYTES,
            aRow,
            aInner,
            b + i * bNext * Float.BYTES,
            bInner,
            bColumn,
            rows,
            inner,
            columns,
            c + i * cNext * Float.BYTES,
            columns,
            false);
      }
      return;
    }
    Calls.cublas(
        "cublasGemmStridedBatchedEx",
        Cublas.cublasGemmStridedBatchedEx(
            handle(),
            operation(left),
            operation(right),
            columns,
            rows,
            inner,
            one,
            MemorySegment.ofAddress(left.address),
            Cublas.CUDA_R_32F,
            left.leading,
            bNext,
            MemorySegment.ofAddress(right.address),
            Cublas.CUDA_R_32F,
            right.leading,
            aNext,
            zero,
            MemorySegment.ofAddress(c),
            Cublas.CUDA_R_32F,
            columns,
            cNext,
            count,
            compute,
            Cublas.CUBLAS_GEMM_DEFAULT));
  }

  /** Many products anywhere: the offsets count elements; each C follows the one before it. */
  void multiplyScattered(
      long a,
      long[] aOffsets,
      long aRow,
      long aInner,
      long b,
      long[] bOffsets,
      long bInner,
      long bColumn,
      int rows,
      int inner,
      int columns,
      long c) {
    int count = aOffsets.length;
    long each = (long) rows * columns;
    if (regular(aOffsets) && regular(bOffsets) || inner == 0) {
      multiplyStrided(
          a + first(aOffsets) * Float.BYTES,
          aRow,
          aInner,
          step(aOffsets),
          b + first(bOffsets) * Float.BYTES,
          bInner,
          bColumn,
          step(bOffsets),
          rows,
          inner,
          columns,
          c,
          each,
          count);
      return;
    }
    if (each == 0) {
      return;
    }
    if (!fits(left, 0, bInner, bColumn, inner, columns)
        || !fits(right, 0, aRow, aInner, rows, inner)) {
      for (int i = 0; i < count; i++) {
        multiply(
            a + aOffsets[i] * Float.BYTES,
            aRow,
            aInner,
            b + bOffsets[i] * Float.BYTES,
            bInner,
            bColumn,
            rows,
            inner,
            columns,
            c + i * each * Float.BYTES,
            columns,
            false);
      }
      return;
    }
    long[] addresses = new long[3 * count];
    for (int i = 0; i < count; i++) {
      addresses[i] = b + bOffsets[i] * Float.BYTES;
      addresses[count + i] = a + aOffsets[i] * Float.BYTES;
      addresses[2 * count + i] = c + i * each * Float.BYTES;
    }
    long pointers = order.scratch(Order.Slot.POINTERS, 3L * count * Long.BYTES);
    order.send(addresses, pointers);
    long lot = (long) count * Long.BYTES;
    Calls.cublas(
        "cublasGemmBatchedEx",
        Cublas.cublasGemmBatchedEx(
            handle(),
            operation(left),
            operation(right),
            columns,
            rows,
            inner,
            one,
            MemorySegment.ofAddress(pointers),
            Cublas.CUDA_R_32F,
            left.leading,
            MemorySegment.ofAddress(pointers + lot),
            Cublas.CUDA_R_32F,
            right.leading,
            zero,
            MemorySegment.ofAddress(pointers + 2 * lot),
            Cublas.CUDA_R_32F,
            columns,
            count,
            compute,
            Cublas.CUBLAS_GEMM_DEFAULT));
  }

  private static long first(long[] offsets) {
    return offsets.length == 0 ? 0 : offsets[0];
  }

  private static long step(long[] offsets) {
    return offsets.length < 2 ? 0 : offsets[1] - offsets[0];
  }

  private static boolean regular(long[] offsets) {
    long step = step(offsets);
    for (int i = 2; i < offsets.length; i++) {
      if (offsets[i] - offsets[i - 1] != step) {
        return false;
      }
    }
    return step >= 0;
  }

  private static int operation(Side side) {
    return side.transposed ? Cublas.CUBLAS_OP_T : Cublas.CUBLAS_OP_N;
  }

  /** One side, copied where cuBLAS cannot take it as it lies. */
  private void side(
      Side side, Order.Slot slot, long address, long row, long column, int rows, int columns) {
    if (fits(side, address, row, column, rows, columns)) {
      return;
    }
    long copy = order.scratchReals(slot, (long) rows * columns);
    order
        .launch
        .of("copy4")
        .pointer(address)
        .number(0)
        .pointer(copy)
        .number(0)
        .axes(new long[] {rows, columns}, new long[] {row, column}, new long[] {columns, 1}, 0)
        .overElements((long) rows * columns);
    side.address = copy;
    side.transposed = false;
    side.leading = columns;
  }

  /**
   * Whether a matrix {@code [rows, columns]} in rows can be taken as it lies: one of its strides is
   * 1, and the other holds a row, or a column.
   */
  private static boolean fits(
      Side side, long address, long row, long column, int rows, int columns) {
    side.address = address;
    if ((column == 1 || columns == 1)
        && (rows == 1 || (row >= columns && row <= Integer.MAX_VALUE))) {
      side.transposed = false;
      side.leading = rows == 1 ? columns : (int) row;
      return true;
    }
    if ((row == 1 || rows == 1)
        && (columns == 1 || (column >= rows && column <= Integer.MAX_VALUE))) {
      side.transposed = true;
      side.leading = columns == 1 ? rows : (int) column;
      return true;
    }
    return false;
  }

  private void zeroRows(long c, long cRow, int rows, int columns) {
    if (cRow == columns || rows == 1) {
      order.zero(c, (long) rows * columns * Float.BYTES);
    } else {
      for (int row = 0; row < rows; row++) {
        order.zero(c + row * cRow * Float.BYTES, (long) columns * Float.BYTES);
      }
    }
  }

  @Override
  public void close() {
    if (handle != null) {
      if (order.device.usable()) {
        int code = Cublas.cublasDestroy_v2(handle);
        if (code != 0) {
          order.device.complain(
              new CudaException("cublasDestroy_v2", code, "", "the handle is lost"));
        }
      }
      handle = null;
    }
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.TILE_ROWS;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Workers;

/**
 * {@code C = A·B} of two sides that both vary, wherever their rows lie: element (i, k) of A at
 * {@code aRows[i] + aInner[k]}, (k, j) of B at {@code bInner[k] + bColumns[j]}, row i of C from
 * {@code cRows[i]} on. So either side may be turned, and rows that do not count (time steps behind
 * the end of a sequence) are left out.
 *
 * <p>Long sums are cut into stretches whose sides stay in the caches and whose results are added
 * up; the cuts depend on the number of terms alone, so the bits do not depend on the workers.
 */
final class AddressedProduct implements AutoCloseable {
  /** The most terms of one stretch. */
  private static final int STRETCH = 1024;

  /** Rows of A that stay interleaved while the panels pass by. */
  private static final int BLOCK_ROWS = 96;

  /** Products with fewer multiplications are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  private final Workers workers;
  private final Scratch[] scratch;
  private final StepPanels panels = new StepPanels();
  private final Workers.Task pack = (part, worker) -> pack(part);
  private final Workers.Task multiply = this::multiply;

  private long[] aRows;
  private long[] aInner;
  private long[] cRows;
  private int rows;
  private int columns;
  private int first;
  private int packParts;
  private int block;
  private int panelBlocks;
  private int panelsPerBlock;
  private int parts;

  AddressedProduct(Workers workers) {
    this.workers = workers;
    scratch = new Scratch[workers.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  void run(
      long[] aRows,
      long[] aInner,
      long[] bInner,
      long[] bColumns,
      int rows,
      int inner,
      int columns,
      long[] cRows) {
    this.aRows = aRows;
    this.aInner = aInner;
    this.cRows = cRows;
    this.rows = rows;
    this.columns = columns;
    if (rows == 0 || columns == 0) {
      return;
    }
    if (inner == 0) {
      for (int row = 0; row < rows; row++) {
        Floats.fill(cRows[row], 0, columns, 0);
      }
      return;
    }
    int stretches = (inner + STRETCH - 1) / STRETCH;
    boolean shared = (long) rows * inner * columns >= LEAST_SHARED;
    for (int i = 0; i < stretches; i++) {
      first = (int) ((long) inner * i / stretches);
      int some = (int) ((long) inner * (i + 1) / stretches) - first;
      panels.begin(bInner, first, some, bColumns, columns);
      cut(shared ? scratch.length : 1);
      run(packParts, pack, shared);
      run(parts, multiply, shared);
    }
  }

  private void run(int count, Workers.Task task, boolean shared) {
    if (shared) {
      workers.run(count, task);
      return;
    }
    for (int part = 0; part < count; part++) {
      task.run(part, 0);
    }
  }

  private void cut(int workers) {
    packParts = Math.min(panels.count, 4 * workers);
    int blocks =
        Math.max(
            1, Math.max((rows + BLOCK_ROWS - 1) / BLOCK_ROWS, Math.min(workers, rows / TILE_ROWS)));
    // A whole number of blocks for each worker, so that none is left with one more.
    blocks = blocks > workers ? (blocks + workers - 1) / workers * workers : blocks;
    block = (rows + blocks - 1) / blocks;
    block = Math.min(rows, (block + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS);
    blocks = (rows + block - 1) / block;
    panelBlocks = Math.min(panels.count, (workers + blocks - 1) / blocks);
    panelsPerBlock = (panels.count + panelBlocks - 1) / panelBlocks;
    parts = blocks * panelBlocks;
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      scratch[i].reserve((long) block * panels.inner, 0, (long) block * WIDE * BYTES);
    }
  }

  private void pack(int part) {
    int end = (int) ((long) panels.count * (part + 1) / packParts);
    for (int i = (int) ((long) panels.count * part / packParts); i < end; i++) {
      panels.pack(i);
    }
  }

  private void multiply(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    Scratch own = scratch[parts <= scratch.length ? part : worker];
    int row = part / panelBlocks * block;
    int some = Math.min(block, rows - row);
    int panel = part % panelBlocks * panelsPerBlock;
    int end = Math.min(panels.count, panel + panelsPerBlock);
    StepPanels.interleave(own.left, aRows, row, some, aInner, first, panels.inner);
    long stride = some > 1 ? cRows[row + 1] - cRows[row] : 0;
    boolean even = first == 0;
    for (int i = 1; i < some && even; i++) {
      even = cRows[row + i] == cRows[row] + i * stride;
    }
    for (; panel < end; panel++) {
      int width = panels.width(panel);
      int column = panels.firstVector(panel) * LANES;
      long at = (long) column * Float.BYTES;
      if (even && column + width * LANES <= columns) {
        Product.panel(
            own.left, some, panels.inner, width, panels.at(panel), cRows[row] + at, stride);
        continue;
      }
      long z = own.address();
      long zStride = (long) width * BYTES;
      Product.panel(own.left, some, panels.inner, width, panels.at(panel), z, zStride);
      int count = Math.min(width * LANES, columns - column);
      for (int i = 0; i < some; i++) {
        if (first == 0) {
          Floats.copy(z + i * zStride, cRows[row + i] + at, count);
        } else {
          TrainingPasses.add(cRows[row + i] + at, z + i * zStride, count);
        }
      }
    }
  }

  @Override
  public void close() {
    panels.close();
    for (Scratch each : scratch) {
      each.close();
    }
  }
}

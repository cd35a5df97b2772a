package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.TILE_ROWS;
import static io.gatun.kernel.simd.Lanes.WIDE;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Workers;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * One product with a packed matrix, cut into blocks of rows, and where those are few, of panels:
 * into some parts for each worker, so that one whose core others use as well does fewer of them. A
 * worker keeps a block of rows interleaved as long as it goes through panels of that block; bias
 * and activation follow panel by panel, while the results are in the first caches.
 */
final class MultiplyRun implements Workers.Task {
  /** Products with fewer multiplications are not worth waking another thread. */
  private static final long LEAST_SHARED = 1 << 20;

  /** Parts with fewer multiplications, some 10 µs, are not worth being taken one by one. */
  private static final long LEAST_PART = 1 << 19;

  /** Parts for each worker, if there is enough for so many. */
  private static final long PARTS = 4;

  /** Rows from which a block of them, interleaved by one worker alone, pays. */
  private static final int LEAST_ROWS = 8 * TILE_ROWS;

  private final Scratch[] scratch;

  /** The first row of the block that each worker has interleaved; −1 for none. */
  private final int[] interleaved;

  private long a;
  private long aStride;
  private int rows;
  private SimdPackedMatrix matrix;
  private Activation activation;
  private long c;
  private long cStride;
  private int block;
  private int panelBlocks;
  private int panelsPerBlock;
  private int parts;

  MultiplyRun(Scratch[] scratch) {
    this.scratch = scratch;
    this.interleaved = new int[scratch.length];
  }

  /** Takes down the operands; strides count elements. Returns the number of parts. */
  int prepare(
      long a,
      long aRowStride,
      int rows,
      SimdPackedMatrix matrix,
      Activation activation,
      long c,
      long cRowStride) {
    this.a = a;
    this.aStride = aRowStride * Float.BYTES;
    this.rows = rows;
    this.matrix = matrix;
    this.activation = activation;
    this.c = c;
    this.cStride = cRowStride * Float.BYTES;
    Panels panels = matrix.panels;
    if (rows == 0 || panels.count == 0) {
      parts = 0;
      return 0;
    }
    long work = (long) rows * panels.inner * panels.vectors * LANES;
    int workers = work < LEAST_SHARED ? 1 : scratch.length;
    int wanted = workers == 1 ? 1 : (int) Math.min(PARTS * workers, work / LEAST_PART);
    int most = Product.blockRows(panels.inner);
    int blocks = Math.max((rows + most - 1) / most, Math.min(wanted, rows / LEAST_ROWS));
    blocks = Math.max(1, blocks);
    block = (rows + blocks - 1) / blocks;
    block = Math.min(rows, (block + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS);
    blocks = (rows + block - 1) / block;
    panelBlocks = Math.min(panels.count, (wanted + blocks - 1) / blocks);
    panelsPerBlock = (panels.count + panelBlocks - 1) / panelBlocks;
    panelBlocks = (panels.count + panelsPerBlock - 1) / panelsPerBlock;
    parts = blocks * panelBlocks;
    Arrays.fill(interleaved, -1);
    for (int i = 0; i < Math.min(scratch.length, parts); i++) {
      scratch[i].reserve(
          (long) block * panels.inner,
          0,
          Scratch.aligned(panels.widenedBytes()) + (long) block * WIDE * BYTES);
    }
    return parts;
  }

  @Override
  public void run(int part, int worker) {
    // Where there is one for each part, the part's own: another may be too small.
    int mine = parts <= scratch.length ? part : worker;
    Scratch own = scratch[mine];
    Panels panels = matrix.panels;
    int first = part / panelBlocks * block;
    int some = Math.min(block, rows - first);
    int panel = part % panelBlocks * panelsPerBlock;
    int end = Math.min(panels.count, panel + panelsPerBlock);
    if (interleaved[mine] != first) {
      Product.interleave(own.left, a + first * aStride, aStride, some, panels.inner);
      interleaved[mine] = first;
    }
    long to = c + first * cStride;
    long widened = own.address();
    int whole = matrix.columns() / LANES;
    int full = panel;
    while (full < end && panels.firstVector(full) + panels.width(full) <= whole) {
      full++;
    }
    // One row is a stream of weights, and plain loops like long rows; else a panel is finished
    // while
    // it is in the first cache.
    if (some == 1 || ColdStart.lasts(ColdStart.kernels(some, panels, panel, full))) {
      Product.run(own.left, some, panels, panel, full, to + column(panel), cStride, widened);
      finish(
          matrix,
          activation,
          to + column(panel),
          cStride,
          some,
          panels.firstVector(panel),
          panels.firstVector(full) - panels.firstVector(panel));
    } else {
      for (int i = panel; i < full; i++) {
        Product.run(own.left, some, panels, i, i + 1, to + column(i), cStride, widened);
        finish(
            matrix,
            activation,
            to + column(i),
            cStride,
            some,
            panels.firstVector(i),
            panels.width(i));
      }
    }
    for (int i = full; i < end; i++) {
      long z = widened + Scratch.aligned(panels.widenedBytes());
      long zStride = (long) panels.width(i) * BYTES;
      Product.run(own.left, some, panels, i, i + 1, z, zStride, widened);
      finish(matrix, activation, z, zStride, some, panels.firstVector(i), panels.width(i));
      long bytes = Math.min(zStride, (long) matrix.columns() * Float.BYTES - column(i));
      for (int row = 0; row < some; row++) {
        MemorySegment.copy(
            MEMORY, z + row * zStride, MEMORY, to + row * cStride + column(i), bytes);
      }
    }
  }

  private long column(int panel) {
    return (long) matrix.panels.firstVector(panel) * BYTES;
  }

  /**
   * Adds the bias to a product and applies the activation.
   *
   * @param at the first row's first vector, column {@code firstVector} of the matrix
   */
  static void finish(
      SimdPackedMatrix matrix,
      Activation activation,
      long at,
      long stride,
      int rows,
      int firstVector,
      int vectors) {
    if (vectors == 0) {
      return;
    }
    if (matrix.bias != 0) {
      long bias = matrix.bias + (long) firstVector * BYTES;
      if (ColdStart.lasts(ColdStart.ADD_BIAS)) {
        PlainLoops.addBias(at, stride, rows, vectors, bias);
        ColdStart.rehearse(ColdStart.ADD_BIAS, 0);
      } else {
        RowPasses.addBias(at, stride, rows, vectors, bias);
      }
    }
    Activations.apply(activation, at, stride, at, stride, rows, vectors);
  }
}

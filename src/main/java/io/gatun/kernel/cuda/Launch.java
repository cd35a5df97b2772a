package io.gatun.kernel.cuda;

import io.gatun.bindings.Driver;
import io.gatun.kernel.Activation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Starts kernels of our own. Every kernel takes one structure, laid out as C does, that is written
 * here field by field: {@code
 * launch.of("fill4").pointer(p).number(n).number(bits).overElements(n)}.
 */
final class Launch {
  /** The most axes of a structure of strides; what has more is done in pieces. */
  static final int AXES = 8;

  private static final int CAPACITY = 1024;
  private static final int BLOCK = 256;
  private static final int NARROW_BLOCK = 32;
  private static final int NARROW_SIZE = 128;
  private static final int MOST_BLOCKS = 1 << 16;
  private static final int MOST_PARTIAL_SUMS = 1024;

  private final CudaDevice device;
  private final MemorySegment stream;
  private final MemorySegment structure;
  private final MemorySegment parameters;
  private String name;
  private long end;

  Launch(CudaDevice device, MemorySegment stream, Arena arena) {
    this.device = device;
    this.stream = stream;
    this.structure = arena.allocate(CAPACITY, 16);
    this.parameters = arena.allocate(ValueLayout.ADDRESS);
    parameters.set(ValueLayout.ADDRESS, 0, structure);
  }

  /** Begins the launch of a kernel. */
  Launch of(String kernel) {
    name = kernel;
    end = 0;
    structure.fill((byte) 0);
    return this;
  }

  private long place(int bytes) {
    long at = (end + bytes - 1) / bytes * bytes;
    end = at + bytes;
    return at;
  }

  /** An address in the device's memory; 0 for none. */
  Launch pointer(long address) {
    structure.set(ValueLayout.JAVA_LONG, place(Long.BYTES), address);
    return this;
  }

  /** An int64. */
  Launch number(long value) {
    structure.set(ValueLayout.JAVA_LONG, place(Long.BYTES), value);
    return this;
  }

  /** An int32. */
  Launch code(int value) {
    structure.set(ValueLayout.JAVA_INT, place(Integer.BYTES), value);
    return this;
  }

  /** An int32 that is 1 or 0. */
  Launch flag(boolean value) {
    return code(value ? 1 : 0);
  }

  /** A float. */
  Launch real(float value) {
    structure.set(ValueLayout.JAVA_FLOAT, place(Float.BYTES), value);
    return this;
  }

  /** A double. */
  Launch precise(double value) {
    structure.set(ValueLayout.JAVA_DOUBLE, place(Double.BYTES), value);
    return this;
  }

  /** What a function is, and its parameters. */
  Launch activation(Activation function) {
    return code(function.kind().ordinal()).real(function.alpha()).real(function.beta());
  }

  /** Extents and two lots of strides, from an axis on; the first may be {@code null} for zeros. */
  Launch axes(long[] extent, long[] a, long[] b, int from) {
    int rank = extent.length - from;
    code(rank).code(0);
    axis(extent, from, rank, 1);
    axis(a, from, rank, 0);
    return axis(b, from, rank, 0);
  }

  private Launch axis(long[] values, int from, int rank, long none) {
    for (int i = 0; i < AXES; i++) {
      number(values != null && i < rank ? values[from + i] : none);
    }
    return this;
  }

  /** Starts it with a thread for each of so many elements, or fewer that take several. */
  void overElements(long elements) {
    if (elements > 0) {
      start((int) Math.min(Math.ceilDiv(elements, (long) BLOCK), MOST_BLOCKS), BLOCK);
    }
  }

  /** Starts it with a block for each of so many rows, or fewer that take several. */
  void overRows(long rows, long size) {
    if (rows > 0) {
      // How wide a block is decides how sums are formed: by the row's size alone.
      start((int) Math.min(rows, MOST_BLOCKS), size <= NARROW_SIZE ? NARROW_BLOCK : BLOCK);
    }
  }

  /** Starts it with a full block for each of so many tiles, or fewer that take several. */
  void overTiles(long tiles) {
    if (tiles > 0) {
      start((int) Math.min(tiles, MOST_BLOCKS), BLOCK);
    }
  }

  /** How many partial sums are formed of so many numbers. */
  static int partialSums(long count) {
    return (int) Math.min(MOST_PARTIAL_SUMS, Math.max(1, Math.ceilDiv(count, 4L * BLOCK)));
  }

  private void start(int blocks, int threads) {
    int code =
        Driver.cuLaunchKernel(
            device.kernels().function(name),
            blocks,
            1,
            1,
            threads,
            1,
            1,
            0,
            stream,
            parameters,
            MemorySegment.NULL);
    if (code != 0) {
      throw Calls.driverError("cuLaunchKernel", code, "the kernel is " + name);
    }
  }
}

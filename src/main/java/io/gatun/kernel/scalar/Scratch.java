package io.gatun.kernel.scalar;

/**
 * Heap arrays for the operations of one {@code Kernels}: some for each worker, grown when needed
 * and then kept, so that an operation whose sizes have been seen allocates nothing.
 */
final class Scratch {
  private static final int SLOTS = 8;
  private static final double[] EMPTY = new double[0];

  private final double[][][] arrays;

  Scratch(int workers) {
    arrays = new double[workers][SLOTS][];
    for (double[][] slots : arrays) {
      java.util.Arrays.fill(slots, EMPTY);
    }
  }

  /** An array of at least {@code size} elements with anything in them; a slot has one at a time. */
  double[] get(int worker, int slot, int size) {
    double[] array = arrays[worker][slot];
    if (array.length < size) {
      array = new double[size];
      arrays[worker][slot] = array;
    }
    return array;
  }

  /** Gives everything back to the heap. */
  void clear() {
    for (double[][] slots : arrays) {
      java.util.Arrays.fill(slots, EMPTY);
    }
  }
}

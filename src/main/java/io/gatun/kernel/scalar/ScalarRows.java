package io.gatun.kernel.scalar;

/** What is done to one row of numbers at a time, in float64. */
final class ScalarRows {
  private ScalarRows() {}

  /** The largest of the first {@code size} numbers: −infinity of none, NaN if any is. */
  static double maximum(double[] x, int size) {
    double maximum = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < size; i++) {
      maximum = Math.max(maximum, x[i]);
    }
    return maximum;
  }

  /** {@code e^(x − max) / Σ e^(x − max)} in place. */
  static void softmax(double[] x, int size) {
    double maximum = maximum(x, size);
    double sum = 0;
    for (int i = 0; i < size; i++) {
      x[i] = StrictMath.exp(x[i] - maximum);
      sum += x[i];
    }
    for (int i = 0; i < size; i++) {
      x[i] /= sum;
    }
  }

  /** {@code x − max − log Σ e^(x − max)} in place. */
  static void logSoftmax(double[] x, int size) {
    double maximum = maximum(x, size);
    double sum = 0;
    for (int i = 0; i < size; i++) {
      sum += StrictMath.exp(x[i] - maximum);
    }
    double log = StrictMath.log(sum);
    for (int i = 0; i < size; i++) {
      x[i] = x[i] - maximum - log;
    }
  }

  /**
   * To mean 0 and variance 1 in place, then scaled and shifted.
   *
   * @param scale its element {@code first} is for {@code x[from]}
   * @param shift likewise, or {@code null}
   */
  static void normalise(
      double[] x, int from, int size, double[] scale, double[] shift, int first, double epsilon) {
    double sum = 0;
    for (int i = from; i < from + size; i++) {
      sum += x[i];
    }
    double mean = sum / size;
    double squares = 0;
    for (int i = from; i < from + size; i++) {
      squares += (x[i] - mean) * (x[i] - mean);
    }
    double deviation = Math.sqrt(squares / size + epsilon);
    for (int i = 0; i < size; i++) {
      double shifted = shift == null ? 0 : shift[first + i];
      x[from + i] = (x[from + i] - mean) / deviation * scale[first + i] + shifted;
    }
  }

  /**
   * Leaves the indices of the k largest of {@code size} numbers in {@code indices}, largest first;
   * of equals the lower index first, NaN last.
   *
   * <p>A heap of the best k so far, the worst of them at its root; then the roots are taken away
   * one by one.
   */
  static void largest(double[] x, int size, int k, int[] indices) {
    if (k == 0) {
      return;
    }
    for (int i = 0; i < k; i++) {
      indices[i] = i;
    }
    for (int i = k / 2 - 1; i >= 0; i--) {
      sink(x, indices, i, k);
    }
    for (int i = k; i < size; i++) {
      if (better(x, i, indices[0])) {
        indices[0] = i;
        sink(x, indices, 0, k);
      }
    }
    for (int end = k - 1; end > 0; end--) {
      int worst = indices[0];
      indices[0] = indices[end];
      indices[end] = worst;
      sink(x, indices, 0, end);
    }
  }

  private static void sink(double[] x, int[] heap, int at, int size) {
    int moved = heap[at];
    while (true) {
      int child = 2 * at + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && better(x, heap[child], heap[child + 1])) {
        child++;
      }
      if (!better(x, moved, heap[child])) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = moved;
  }

  /** Whether the i-th number comes before the j-th. */
  private static boolean better(double[] x, int i, int j) {
    double a = x[i];
    double b = x[j];
    if (a > b) {
      return true;
    }
    if (a < b) {
      return false;
    }
    boolean noNumberA = Double.isNaN(a);
    boolean noNumberB = Double.isNaN(b);
    return noNumberA == noNumberB ? i < j : noNumberB;
  }
}

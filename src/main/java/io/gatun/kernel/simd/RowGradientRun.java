package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.Workers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Gradients and losses over rows, which the workers share in blocks. */
final class RowGradientRun implements Workers.Task, AutoCloseable {
  private enum Kind {
    SOFTMAX,
    LOG_SOFTMAX,
    CROSS_ENTROPY,
    CROSS_ENTROPY_GRADIENT
  }

  /** Elements of a block that is worth another thread. */
  private static final int LEAST_SHARED = 1 << 14;

  private final Workers workers;
  private final Scratch[] scratch;
  private Kind kind;
  private int rows;
  private int size;
  private int block;
  private long in;
  private long given;
  private long out;
  private long labels;
  private int labelBytes;
  private long weights;
  private float smoothing;
  private float scale;
  private long logSums;

  RowGradientRun(Workers workers) {
    this.workers = workers;
    scratch = new Scratch[workers.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  void softmax(boolean logarithm, long y, long dy, long dx, int rows, int size) {
    kind = logarithm ? Kind.LOG_SOFTMAX : Kind.SOFTMAX;
    in = y;
    given = dy;
    out = dx;
    start(rows, size);
  }

  /** Losses and log sums of each row; the addresses as the operation has them. */
  void crossEntropy(
      long logits,
      long labels,
      int labelBytes,
      long weights,
      int rows,
      int size,
      float smoothing,
      long losses,
      long logSums) {
    kind = Kind.CROSS_ENTROPY;
    this.in = logits;
    this.labels = labels;
    this.labelBytes = labelBytes;
    this.weights = weights;
    this.smoothing = smoothing;
    this.out = losses;
    this.logSums = logSums;
    start(rows, size);
  }

  void crossEntropyGradient(
      long logits,
      long logSums,
      long labels,
      int labelBytes,
      long weights,
      int rows,
      int size,
      float smoothing,
      float scale,
      long gradient) {
    kind = Kind.CROSS_ENTROPY_GRADIENT;
    this.in = logits;
    this.logSums = logSums;
    this.labels = labels;
    this.labelBytes = labelBytes;
    this.weights = weights;
    this.smoothing = smoothing;
    this.scale = scale;
    this.out = gradient;
    start(rows, size);
  }

  private void start(int rows, int size) {
    this.rows = rows;
    this.size = size;
    block = Math.max(1, LEAST_SHARED / Math.max(1, size));
    int parts = (rows + block - 1) / block;
    long bytes = BYTES + 3L * Lanes.padded(size) * Float.BYTES;
    for (Scratch each : scratch) {
      each.reserve(0, 0, bytes);
    }
    workers.run(parts, this);
  }

  private static long stage(long row, long staged, int size, float filling) {
    if (size % LANES == 0) {
      return row;
    }
    MemorySegment.copy(MEMORY, row, MEMORY, staged, (long) size * Float.BYTES);
    Floats.fill(staged, size, Lanes.padded(size), filling);
    return staged;
  }

  @Override
  public void run(int part, int worker) {
    int end = Math.min(rows, (part + 1) * block);
    long partial = scratch[worker].address();
    long first = partial + BYTES;
    long second = first + (long) Lanes.padded(size) * Float.BYTES;
    long third = second + (long) Lanes.padded(size) * Float.BYTES;
    for (int row = part * block; row < end; row++) {
      switch (kind) {
        case SOFTMAX, LOG_SOFTMAX -> softmaxRow(row, partial, first, second, third);
        case CROSS_ENTROPY -> lossRow(row, partial, first);
        case CROSS_ENTROPY_GRADIENT -> lossGradientRow(row, partial, first, second);
      }
    }
  }

  private void softmaxRow(int row, long partial, long first, long second, long third) {
    long offset = (long) row * size * Float.BYTES;
    int vectors = Lanes.vectors(size);
    boolean logarithm = kind == Kind.LOG_SOFTMAX;
    long y = stage(in + offset, first, size, logarithm ? Float.NEGATIVE_INFINITY : 0);
    long dy = stage(given + offset, second, size, 0);
    long to = size % LANES == 0 ? out + offset : third;
    if (logarithm) {
      RowPasses.sum(dy, vectors, partial);
      float sum = (float) Floats.sum(partial);
      // The output may be where dy is, so e^y has a place of its own.
      RowPasses.expAndSum(y, third, vectors, partial, 0);
      GradientPasses.addScaled(dy, third, to, vectors, -sum);
    } else {
      GradientPasses.dot(y, dy, vectors, partial);
      GradientPasses.softmax(y, dy, to, vectors, (float) Floats.sum(partial));
    }
    if (to == third) {
      Floats.copy(to, out + offset, size);
    }
  }

  private long label(int row) {
    long at = labels + (long) row * labelBytes;
    return labelBytes == Integer.BYTES
        ? MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, at)
        : MEMORY.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
  }

  private void lossRow(int row, long partial, long first) {
    long offset = in + (long) row * size * Float.BYTES;
    int vectors = Lanes.vectors(size);
    long x = stage(offset, first, size, Float.NEGATIVE_INFINITY);
    RowPasses.maximum(x, vectors, partial);
    float maximum = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < LANES; i++) {
      maximum = Math.max(maximum, Floats.get(partial, i));
    }
    RowPasses.expSum(x, vectors, partial, maximum);
    double logSum = maximum + Math.log(Floats.sum(partial));
    Floats.put(logSums, row, (float) logSum);
    long label = label(row);
    if (label < 0) {
      Floats.put(out, row, 0);
      return;
    }
    // Clamped although checked: another thread may have written there since.
    double target = Floats.get(offset, Math.min(label, size - 1));
    double loss = logSum - (1 - smoothing) * target;
    if (smoothing > 0) {
      RowPasses.sum(offset, size / LANES, partial);
      double sum = Floats.sum(partial);
      for (int i = size / LANES * LANES; i < size; i++) {
        sum += Floats.get(offset, i);
      }
      loss -= smoothing / size * sum;
    }
    Floats.put(out, row, (float) (loss * (weights == 0 ? 1 : Floats.get(weights, row))));
  }

  private void lossGradientRow(int row, long partial, long first, long second) {
    long offset = (long) row * size * Float.BYTES;
    int vectors = Lanes.vectors(size);
    long label = label(row);
    long to = size % LANES == 0 ? out + offset : second;
    if (label < 0) {
      Floats.fill(out + offset, 0, size, 0);
      return;
    }
    float weight = scale * (weights == 0 ? 1 : Floats.get(weights, row));
    long x = stage(in + offset, first, size, Float.NEGATIVE_INFINITY);
    RowPasses.expAndSum(x, to, vectors, partial, Floats.get(logSums, row));
    GradientPasses.scaleAndShift(to, vectors, weight, -weight * smoothing / size);
    long at = Math.min(label, size - 1);
    Floats.put(to, at, Floats.get(to, at) - weight * (1 - smoothing));
    if (to == second) {
      Floats.copy(to, out + offset, size);
    }
  }

  @Override
  public void close() {
    for (Scratch each : scratch) {
      each.close();
    }
  }
}

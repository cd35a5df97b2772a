package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Workers;

/**
 * Functions of two operands, whose last axes are joined to one run in which each operand either
 * goes on or repeats one number; the axes before them are walked.
 */
final class BinaryRun {
  private static final int MOST_AXES = 16;

  /** Elements of one part of a run that is shared. */
  private static final int STRETCH = 1 << 16;

  private final Workers workers;
  private final Workers.Task stretch = (part, worker) -> stretch(part);
  private final long[] index = new long[MOST_AXES];
  private BinaryOperation operation;
  private long first;
  private long second;
  private long to;
  private int outer;
  private long run;
  private boolean repeatA;
  private boolean repeatB;

  BinaryRun(Workers workers) {
    this.workers = workers;
  }

  /** Whether the operation on these shapes has a form here; plans it if so. */
  boolean plan(BinaryOperation operation, long[] aStrides, long[] bStrides, long[] extent) {
    if (operation == BinaryOperation.POWER || extent.length > MOST_AXES) {
      return false;
    }
    run = 1;
    repeatA = false;
    repeatB = false;
    boolean begun = false;
    int axis = extent.length - 1;
    for (; axis >= 0; axis--) {
      if (extent[axis] == 1) {
        continue;
      }
      boolean a0 = aStrides[axis] == 0;
      boolean b0 = bStrides[axis] == 0;
      boolean fits = (a0 || aStrides[axis] == run) && (b0 || bStrides[axis] == run);
      if (!fits || begun && (a0 != repeatA || b0 != repeatB)) {
        break;
      }
      begun = true;
      repeatA = a0;
      repeatB = b0;
      run *= extent[axis];
    }
    outer = axis + 1;
    return run <= Integer.MAX_VALUE && !(repeatA && repeatB);
  }

  /**
   * Runs what was planned.
   *
   * @param splat two vectors of scratch memory
   */
  void run(
      BinaryOperation operation,
      long a,
      long[] aStrides,
      long b,
      long[] bStrides,
      long out,
      long[] extent,
      long splat) {
    if (outer == 0 && run > 2 * STRETCH && !repeatA && !repeatB) {
      this.operation = operation;
      first = a;
      second = b;
      to = out;
      workers.run((int) ((run + STRETCH - 1) / STRETCH), stretch);
      return;
    }
    java.util.Arrays.fill(index, 0, outer, 0);
    long aAt = 0;
    long bAt = 0;
    long place = out;
    while (true) {
      line(operation, a + aAt * Float.BYTES, b + bAt * Float.BYTES, place, (int) run, splat);
      place += run * Float.BYTES;
      int axis = outer - 1;
      while (axis >= 0) {
        aAt += aStrides[axis];
        bAt += bStrides[axis];
        if (++index[axis] < extent[axis]) {
          break;
        }
        aAt -= extent[axis] * aStrides[axis];
        bAt -= extent[axis] * bStrides[axis];
        index[axis] = 0;
        axis--;
      }
      if (axis < 0) {
        return;
      }
    }
  }

  /** A part of a long run in which both operands go on. */
  private void stretch(int part) {
    long from = (long) part * STRETCH;
    long at = from * Float.BYTES;
    int count = (int) Math.min(STRETCH, run - from);
    line(operation, first + at, second + at, to + at, count, 0);
  }

  private void line(BinaryOperation operation, long a, long b, long out, int count, long splat) {
    int vectors = count / LANES;
    if (vectors > 0) {
      long left = a;
      long right = b;
      if (repeatA) {
        left = splat;
        Floats.fill(left, 0, LANES, Floats.get(a, 0));
      }
      if (repeatB) {
        right = splat + BYTES;
        Floats.fill(right, 0, LANES, Floats.get(b, 0));
      }
      int aStep = repeatA ? 0 : BYTES;
      int bStep = repeatB ? 0 : BYTES;
      switch (operation) {
        case ADD -> BinaryPasses.add(left, aStep, right, bStep, out, vectors);
        case SUBTRACT -> BinaryPasses.subtract(left, aStep, right, bStep, out, vectors);
        case MULTIPLY -> BinaryPasses.multiply(left, aStep, right, bStep, out, vectors);
        case DIVIDE -> BinaryPasses.divide(left, aStep, right, bStep, out, vectors);
        case MAXIMUM -> BinaryPasses.maximum(left, aStep, right, bStep, out, vectors);
        case MINIMUM -> BinaryPasses.minimum(left, aStep, right, bStep, out, vectors);
        case POWER -> throw new IllegalStateException("power has no vector form");
      }
    }
    // Single numbers: each of these operations is exact to the last bit in either form.
    for (int i = vectors * LANES; i < count; i++) {
      float x = Floats.get(a, repeatA ? 0 : i);
      float y = Floats.get(b, repeatB ? 0 : i);
      Floats.put(out, i, single(operation, x, y));
    }
  }

  private static float single(BinaryOperation operation, float x, float y) {
    return switch (operation) {
      case ADD -> x + y;
      case SUBTRACT -> x - y;
      case MULTIPLY -> x * y;
      case DIVIDE -> x / y;
      case MAXIMUM -> Math.max(x, y);
      case MINIMUM -> Math.min(x, y);
      case POWER -> throw new IllegalStateException("power has no vector form");
    };
  }
}

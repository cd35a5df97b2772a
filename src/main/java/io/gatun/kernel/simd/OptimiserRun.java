package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.Workers;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The equations of {@link OptimiserStep}, a stretch of parameters for each part of the task. The
 * operations are exact to the last bit in vectors and on single numbers, so an element's bits do
 * not depend on where it lies.
 */
final class OptimiserRun implements Workers.Task {
  /** Elements of one part: five arrays of them stay within a core's second cache. */
  private static final int STRETCH = 1 << 14;

  /** Elements whose squares are added up by one worker. */
  private static final long SQUARES_STRETCH = (long) LANES << 16;

  private static final int CHAINS = DoubleVector.SPECIES_PREFERRED.length();

  private final Workers.Task squares = (part, worker) -> squares(part);
  private double[] partial = {};
  private long values;
  private OptimiserStep step;
  private long parameters;
  private long gradients;
  private long first;
  private long second;
  private long count;

  /** Sets the task up; returns the number of parts. */
  int prepare(
      OptimiserStep step, long parameters, long gradients, long first, long second, long count) {
    this.step = step;
    this.parameters = parameters;
    this.gradients = gradients;
    this.first = first;
    this.second = second;
    this.count = count;
    return Math.toIntExact(Math.ceilDiv(count, (long) STRETCH));
  }

  @Override
  public void run(int part, int worker) {
    long from = (long) part * STRETCH;
    int size = (int) Math.min(STRETCH, count - from);
    long at = from * Float.BYTES;
    int vectors = size / LANES;
    vectors(parameters + at, gradients + at, first + at, second + at, vectors);
    long done = at + (long) vectors * BYTES;
    for (int i = vectors * LANES; i < size; i++, done += Float.BYTES) {
      single(done);
    }
  }

  private void vectors(long w, long g, long m, long v, int vectors) {
    float scale = (float) step.gradientScale();
    float rate = (float) step.rate();
    switch (step.rule()) {
      case SGD -> {
        if (step.first() == 0) {
          plain(w, g, vectors, scale, rate, (float) step.decay());
        } else {
          momentum(
              w, g, m, vectors, scale, rate, (float) step.first(), (float) step.decay(), ahead());
        }
      }
      case ADAM -> adam(w, g, m, v, vectors, adamNumbers((float) step.decay(), 1));
      case ADAMW -> adam(w, g, m, v, vectors, adamNumbers(0, kept()));
    }
  }

  private float ahead() {
    return step.nesterov() ? 1 : 0;
  }

  /** What decoupled decay leaves of a weight. */
  private float kept() {
    return (float) (1 - step.rate() * step.decay());
  }

  private float[] adamNumbers(float coupled, float kept) {
    return new float[] {
      (float) step.gradientScale(),
      coupled,
      (float) step.first(),
      (float) (1 - step.first()),
      (float) step.second(),
      (float) (1 - step.second()),
      (float) (step.rate() / step.firstCorrection()),
      (float) (1 / step.secondCorrection()),
      (float) step.epsilon(),
      kept
    };
  }

  private static void plain(long w, long g, int vectors, float scale, float rate, float decay) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector x = load(w + at);
      FloatVector d = load(g + at).mul(scale).add(x.mul(decay));
      VECTOR.cast(x.sub(d.mul(rate))).intoMemorySegment(MEMORY, w + at, ORDER);
    }
  }

  private static void momentum(
      long w,
      long g,
      long m,
      int vectors,
      float scale,
      float rate,
      float momentum,
      float decay,
      float ahead) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector x = load(w + at);
      FloatVector d = load(g + at).mul(scale).add(x.mul(decay));
      FloatVector u = load(m + at).mul(momentum).add(d);
      VECTOR.cast(u).intoMemorySegment(MEMORY, m + at, ORDER);
      FloatVector change = ahead == 0 ? u : d.add(u.mul(momentum));
      VECTOR.cast(x.sub(change.mul(rate))).intoMemorySegment(MEMORY, w + at, ORDER);
    }
  }

  private static void adam(long w, long g, long m, long v, int vectors, float[] numbers) {
    float scale = numbers[0];
    float coupled = numbers[1];
    float first = numbers[2];
    float firstNew = numbers[3];
    float second = numbers[4];
    float secondNew = numbers[5];
    float rate = numbers[6];
    float correction = numbers[7];
    float epsilon = numbers[8];
    float kept = numbers[9];
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector x = load(w + at);
      FloatVector d = load(g + at).mul(scale).add(x.mul(coupled));
      FloatVector mean = load(m + at).mul(first).add(d.mul(firstNew));
      FloatVector square = load(v + at).mul(second).add(d.mul(d).mul(secondNew));
      VECTOR.cast(mean).intoMemorySegment(MEMORY, m + at, ORDER);
      VECTOR.cast(square).intoMemorySegment(MEMORY, v + at, ORDER);
      FloatVector root = square.mul(correction).lanewise(VectorOperators.SQRT).add(epsilon);
      VECTOR
          .cast(x.mul(kept).sub(mean.mul(rate).div(root)))
          .intoMemorySegment(MEMORY, w + at, ORDER);
    }
  }

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(SPECIES, MEMORY, address, ORDER);
  }

  /** The same operations on one number: each is exact to the last bit in either form. */
  private void single(long at) {
    float scale = (float) step.gradientScale();
    float x = Floats.get(parameters + at, 0);
    float gradient = Floats.get(gradients + at, 0) * scale;
    if (step.rule() == OptimiserStep.Rule.SGD) {
      float d = gradient + x * (float) step.decay();
      float momentum = (float) step.first();
      if (momentum != 0) {
        float u = Floats.get(first + at, 0) * momentum + d;
        Floats.put(first + at, 0, u);
        d = step.nesterov() ? d + u * momentum : u;
      }
      Floats.put(parameters + at, 0, x - d * (float) step.rate());
      return;
    }
    boolean decoupled = step.rule() == OptimiserStep.Rule.ADAMW;
    float d = gradient + x * (decoupled ? 0 : (float) step.decay());
    float mean = Floats.get(first + at, 0) * (float) step.first() + d * (float) (1 - step.first());
    float square =
        Floats.get(second + at, 0) * (float) step.second() + d * d * (float) (1 - step.second());
    Floats.put(first + at, 0, mean);
    Floats.put(second + at, 0, square);
    float root =
        (float) Math.sqrt(square * (float) (1 / step.secondCorrection())) + (float) step.epsilon();
    float rate = (float) (step.rate() / step.firstCorrection());
    Floats.put(parameters + at, 0, x * (decoupled ? kept() : 1) - mean * rate / root);
  }

  /**
   * Added up in float64, in as many chains as a vector has lanes, stretch by stretch and always in
   * the same order, whoever computes a stretch.
   */
  double sumOfSquares(Workers workers, long values, long count) {
    long whole = count / LANES * LANES;
    int parts = Math.toIntExact(Math.ceilDiv(whole, SQUARES_STRETCH));
    if (partial.length < parts * CHAINS) {
      partial = new double[parts * CHAINS];
    }
    this.values = values;
    this.count = whole;
    workers.run(parts, squares);
    double sum = 0;
    for (int i = 0; i < parts * CHAINS; i++) {
      sum += partial[i];
    }
    for (long i = whole; i < count; i++) {
      double x = MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, values + i * 4);
      sum += x * x;
    }
    return sum;
  }

  private void squares(int part) {
    long from = part * SQUARES_STRETCH;
    int vectors = (int) (Math.min(SQUARES_STRETCH, count - from) / LANES);
    squares(values + from * Float.BYTES, vectors, partial, part * CHAINS);
  }

  private static void squares(long values, int vectors, double[] partial, int at) {
    DoubleVector low = DoubleVector.zero(DoubleVector.SPECIES_PREFERRED);
    DoubleVector high = DoubleVector.zero(DoubleVector.SPECIES_PREFERRED);
    for (int i = 0; i < vectors; i++) {
      FloatVector x = load(values + (long) i * BYTES);
      DoubleVector a =
          (DoubleVector) x.convertShape(VectorOperators.F2D, DoubleVector.SPECIES_PREFERRED, 0);
      DoubleVector b =
          (DoubleVector) x.convertShape(VectorOperators.F2D, DoubleVector.SPECIES_PREFERRED, 1);
      low = a.fma(a, low);
      high = b.fma(b, high);
    }
    low.add(high).intoArray(partial, at);
  }
}

package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;

/**
 * The vector passes of training over one row each, most of them between the products of one time
 * step and those of the next. Gates lie in groups of a vector of units, as {@link Gates} has them.
 */
final class TrainingPasses {
  private TrainingPasses() {}

  /** {@code to += from}, any number of elements. */
  static void add(long to, long from, int count) {
    int vectors = count / LANES;
    addVectors(to, from, vectors);
    for (int i = vectors * LANES; i < count; i++) {
      Floats.put(to, i, Floats.get(to, i) + Floats.get(from, i));
    }
  }

  /** {@code to += from}. */
  static void addVectors(long to, long from, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, to + at, ORDER)
                  .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, from + at, ORDER)))
          .intoMemorySegment(MEMORY, to + at, ORDER);
    }
  }

  /** {@code to = a b}, any number of elements. */
  static void multiply(long to, long a, long b, int count) {
    int vectors = count / LANES;
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
                  .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER)))
          .intoMemorySegment(MEMORY, to + at, ORDER);
    }
    for (int i = vectors * LANES; i < count; i++) {
      Floats.put(to, i, Floats.get(a, i) * Floats.get(b, i));
    }
  }

  /** LSTM, once the gates i, o, f, g are kept: {@code c = f c' + i g}. */
  static void lstmState(long kept, long before, long c, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = kept + (long) i * (4L * BYTES);
      FloatVector in = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
      FloatVector forget = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2L * BYTES, ORDER);
      FloatVector candidate =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 3L * BYTES, ORDER);
      VECTOR
          .cast(
              forget.fma(
                  FloatVector.fromMemorySegment(SPECIES, MEMORY, before + (long) i * BYTES, ORDER),
                  in.mul(candidate)))
          .intoMemorySegment(MEMORY, c + (long) i * BYTES, ORDER);
    }
  }

  /** LSTM: {@code h = o h}, where h is tanh(c) so far. */
  static void lstmOutput(long kept, long h, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = h + (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER)
                  .mul(
                      FloatVector.fromMemorySegment(
                          SPECIES, MEMORY, kept + (long) i * (4L * BYTES) + BYTES, ORDER)))
          .intoMemorySegment(MEMORY, at, ORDER);
    }
  }

  /**
   * LSTM, back: from the kept gates to the gradients of their arguments, in place.
   *
   * @param squashed tanh(c)
   * @param before c'
   * @param dh the gradient of h
   * @param dc the gradient of c by later steps, which becomes that of c'
   */
  static void lstmBack(long kept, long squashed, long before, long dh, long dc, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = kept + (long) i * (4L * BYTES);
      long unit = (long) i * BYTES;
      FloatVector dy = FloatVector.fromMemorySegment(SPECIES, MEMORY, dh + unit, ORDER);
      FloatVector t = FloatVector.fromMemorySegment(SPECIES, MEMORY, squashed + unit, ORDER);
      FloatVector o = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + BYTES, ORDER);
      FloatVector oy = o.mul(dy);
      // 1 − t² and the like as x − x², one rounding less.
      FloatVector d =
          oy.sub(oy.mul(t).mul(t))
              .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, dc + unit, ORDER));
      VECTOR.cast(dy.mul(t).mul(o.sub(o.mul(o)))).intoMemorySegment(MEMORY, at + BYTES, ORDER);
      FloatVector in = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
      FloatVector g = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 3L * BYTES, ORDER);
      VECTOR.cast(d.mul(g).mul(in.sub(in.mul(in)))).intoMemorySegment(MEMORY, at, ORDER);
      FloatVector di = d.mul(in);
      VECTOR.cast(di.sub(di.mul(g).mul(g))).intoMemorySegment(MEMORY, at + 3L * BYTES, ORDER);
      FloatVector f = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2L * BYTES, ORDER);
      VECTOR
          .cast(
              d.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, before + unit, ORDER))
                  .mul(f.sub(f.mul(f))))
          .intoMemorySegment(MEMORY, at + 2L * BYTES, ORDER);
      VECTOR.cast(d.mul(f)).intoMemorySegment(MEMORY, dc + unit, ORDER);
    }
  }

  /** GRU, once the gates z, r, n are kept: {@code h = n + z (h − n)}. */
  static void gruState(long kept, long h, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = kept + (long) i * (3L * BYTES);
      long unit = h + (long) i * BYTES;
      FloatVector n = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2L * BYTES, ORDER);
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, unit, ORDER)
                  .sub(n)
                  .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER), n))
          .intoMemorySegment(MEMORY, unit, ORDER);
    }
  }

  /**
   * GRU, back: the gradients of the arguments of z and n in the place of z and n, and {@code dh = z
   * dh}, the share of h' that goes past the gates. With the reset after the product also that of r,
   * and that of the recurrent product of n in the place of u.
   *
   * @param before h'
   * @param u 0 with the reset before the product
   */
  static void gruBack(long kept, long before, long dh, long u, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = kept + (long) i * (3L * BYTES);
      long unit = (long) i * BYTES;
      FloatVector dy = FloatVector.fromMemorySegment(SPECIES, MEMORY, dh + unit, ORDER);
      FloatVector z = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
      FloatVector n = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2L * BYTES, ORDER);
      FloatVector past = dy.mul(z);
      VECTOR.cast(past).intoMemorySegment(MEMORY, dh + unit, ORDER);
      VECTOR
          .cast(
              dy.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, before + unit, ORDER).sub(n))
                  .mul(z.sub(z.mul(z))))
          .intoMemorySegment(MEMORY, at, ORDER);
      FloatVector dn = dy.sub(past);
      dn = dn.sub(dn.mul(n).mul(n));
      VECTOR.cast(dn).intoMemorySegment(MEMORY, at + 2L * BYTES, ORDER);
      if (u != 0) {
        FloatVector r = FloatVector.fromMemorySegment(SPECIES, MEMORY, at + BYTES, ORDER);
        VECTOR
            .cast(
                dn.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, u + unit, ORDER))
                    .mul(r.sub(r.mul(r))))
            .intoMemorySegment(MEMORY, at + BYTES, ORDER);
        VECTOR.cast(dn.mul(r)).intoMemorySegment(MEMORY, u + unit, ORDER);
      }
    }
  }

  /**
   * GRU with the reset before the product, back: from the gradient of {@code r ∘ h'} to that of r's
   * argument, in the place of r, and the share of h', in its own place.
   */
  static void gruResetBack(long kept, long before, long given, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = kept + (long) i * (3L * BYTES) + BYTES;
      long unit = (long) i * BYTES;
      FloatVector r = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(SPECIES, MEMORY, given + unit, ORDER);
      VECTOR
          .cast(
              d.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, before + unit, ORDER))
                  .mul(r.sub(r.mul(r))))
          .intoMemorySegment(MEMORY, at, ORDER);
      VECTOR.cast(d.mul(r)).intoMemorySegment(MEMORY, given + unit, ORDER);
    }
  }

  /** {@code to = r h}: the left side of the candidate's product; gates z, r, n in groups. */
  static void gruReset(long gates, int step, long h, long to, int groups) {
    for (int i = 0; i < groups; i++) {
      long unit = (long) i * BYTES;
      VECTOR
          .cast(
              FloatVector.fromMemorySegment(SPECIES, MEMORY, gates + (long) i * step + BYTES, ORDER)
                  .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, h + unit, ORDER)))
          .intoMemorySegment(MEMORY, to + unit, ORDER);
    }
  }

  /** A layer without gates, back: {@code (1 − h²) dh}. */
  static void tanhBack(long to, long h, long dh, int vectors) {
    for (int i = 0; i < vectors; i++) {
      long at = (long) i * BYTES;
      FloatVector y = FloatVector.fromMemorySegment(SPECIES, MEMORY, h + at, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(SPECIES, MEMORY, dh + at, ORDER);
      VECTOR.cast(d.sub(d.mul(y).mul(y))).intoMemorySegment(MEMORY, to + at, ORDER);
    }
  }
}

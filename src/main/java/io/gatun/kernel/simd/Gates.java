package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Exponential.BIAS;
import static io.gatun.kernel.simd.Exponential.BIAS_64;
import static io.gatun.kernel.simd.Exponential.E2;
import static io.gatun.kernel.simd.Exponential.E3;
import static io.gatun.kernel.simd.Exponential.E4;
import static io.gatun.kernel.simd.Exponential.E5;
import static io.gatun.kernel.simd.Exponential.E6;
import static io.gatun.kernel.simd.Exponential.E7;
import static io.gatun.kernel.simd.Exponential.EXP_LIMIT;
import static io.gatun.kernel.simd.Exponential.LN2_HIGH;
import static io.gatun.kernel.simd.Exponential.LN2_LOW;
import static io.gatun.kernel.simd.Exponential.LOG2_E;
import static io.gatun.kernel.simd.Exponential.ROUND;
import static io.gatun.kernel.simd.Exponential.SIGN;
import static io.gatun.kernel.simd.Exponential.TANH_LIMIT;
import static io.gatun.kernel.simd.Exponential.TWO_TO_MINUS_64;
import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.MEMORY;
import static io.gatun.kernel.simd.Lanes.ORDER;
import static io.gatun.kernel.simd.Lanes.SPECIES;
import static io.gatun.kernel.simd.Lanes.VECTOR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What follows the products in the time step of a recurrent layer with the usual activations, each
 * a small pass over rows that still lie in the first caches.
 *
 * <p>Columns of the products are ordered by groups of units, a vector wide: all gates of the first
 * group, gate by gate, then those of the next.
 */
final class Gates {
  private Gates() {}

  /**
   * {@code z = sigmoid(z + x + bias)} of one gate of all units.
   *
   * @param zStep bytes from one group of units to the next in z
   * @param xStep the same in x and bias
   */
  static void sigmoid(
      long z,
      long zStride,
      int zStep,
      long xs,
      long xStride,
      long bias,
      int rows,
      int groups,
      int xStep) {
    for (int row = 0; row < rows; row++) {
      long zRow = z + row * zStride;
      long xRow = xs + row * xStride;
      for (int i = 0; i < groups; i++) {
        long zAt = zRow + (long) i * zStep;
        long at = (long) i * xStep;
        FloatVector x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, zAt, ORDER)
                .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, xRow + at, ORDER))
                .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, bias + at, ORDER));
        FloatVector u = x.abs();
        u = u.blend(EXP_LIMIT, u.compare(VectorOperators.GT, EXP_LIMIT));
        FloatVector m = u.fma(-LOG2_E, ROUND);
        FloatVector n = m.sub(ROUND);
        FloatVector s = n.fma(FloatVector.broadcast(SPECIES, LN2_HIGH), u);
        s = n.fma(FloatVector.broadcast(SPECIES, LN2_LOW), s);
        FloatVector p = s.fma(-E7, E6);
        p = p.fma(s, FloatVector.broadcast(SPECIES, -E5));
        p = p.fma(s, FloatVector.broadcast(SPECIES, E4));
        p = p.fma(s, FloatVector.broadcast(SPECIES, -E3));
        p = p.fma(s, FloatVector.broadcast(SPECIES, E2));
        FloatVector t = p.fma(s.mul(s), s.neg()).add(1f);
        FloatVector scale =
            m.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(BIAS_64)
                .reinterpretAsFloats();
        t = t.mul(scale).mul(TWO_TO_MINUS_64);
        FloatVector y =
            FloatVector.broadcast(SPECIES, 1f)
                .blend(t, x.compare(VectorOperators.LT, 0f))
                .div(t.add(1f));
        VECTOR.cast(y).intoMemorySegment(MEMORY, zAt, ORDER);
      }
    }
  }

  /**
   * {@code out = tanh(z + x + bias)} of one gate of all units.
   *
   * @param outStep bytes from one group of units to the next in out, which may be z
   * @param zStep the same in z
   * @param xStep the same in x and bias
   */
  static void tanh(
      long out,
      long outStride,
      int outStep,
      long z,
      long zStride,
      long xs,
      long xStride,
      long bias,
      int rows,
      int groups,
      int zStep,
      int xStep) {
    for (int row = 0; row < rows; row++) {
      long outRow = out + row * outStride;
      long zRow = z + row * zStride;
      long xRow = xs + row * xStride;
      for (int i = 0; i < groups; i++) {
        long at = (long) i * xStep;
        FloatVector x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, zRow + (long) i * zStep, ORDER)
                .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, xRow + at, ORDER))
                .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, bias + at, ORDER));
        FloatVector u = x.abs();
        u = u.blend(TANH_LIMIT, u.compare(VectorOperators.GT, TANH_LIMIT));
        FloatVector m = u.fma(2 * LOG2_E, ROUND);
        FloatVector n = m.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), u.add(u));
        r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
        FloatVector p = r.fma(E7, E6);
        p = p.fma(r, FloatVector.broadcast(SPECIES, E5));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E4));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E3));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E2));
        FloatVector scale =
            m.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(BIAS)
                .reinterpretAsFloats();
        FloatVector e = scale.fma(p.fma(r.mul(r), r), scale.sub(1f));
        var large = e.compare(VectorOperators.GT, 2f);
        FloatVector q = e.blend(2f, large).div(e.add(2f));
        FloatVector y =
            q.blend(q.neg().add(1f), large)
                .reinterpretAsInts()
                .or(x.reinterpretAsInts().and(SIGN))
                .reinterpretAsFloats();
        VECTOR.cast(y).intoMemorySegment(MEMORY, outRow + (long) i * outStep, ORDER);
      }
    }
  }

  /**
   * LSTM, once the gates are what they are: {@code c = f c + i g; h = o tanh(c)}.
   *
   * @param z per group of units the gates i, o, f, g, a vector each
   */
  static void lstmState(
      long z, long zStride, long c, long cStride, long h, long hStride, int rows, int groups) {
    for (int row = 0; row < rows; row++) {
      long zRow = z + row * zStride;
      long cRow = c + row * cStride;
      long hRow = h + row * hStride;
      for (int i = 0; i < groups; i++) {
        long at = zRow + (long) i * (4L * BYTES);
        long cAt = cRow + (long) i * BYTES;
        FloatVector x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER)
                .mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 3L * BYTES, ORDER));
        x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2L * BYTES, ORDER)
                .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, cAt, ORDER), x);
        VECTOR.cast(x).intoMemorySegment(MEMORY, cAt, ORDER);
        FloatVector u = x.abs();
        u = u.blend(TANH_LIMIT, u.compare(VectorOperators.GT, TANH_LIMIT));
        FloatVector m = u.fma(2 * LOG2_E, ROUND);
        FloatVector n = m.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), u.add(u));
        r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
        FloatVector p = r.fma(E7, E6);
        p = p.fma(r, FloatVector.broadcast(SPECIES, E5));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E4));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E3));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E2));
        FloatVector scale =
            m.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(BIAS)
                .reinterpretAsFloats();
        FloatVector e = scale.fma(p.fma(r.mul(r), r), scale.sub(1f));
        var large = e.compare(VectorOperators.GT, 2f);
        FloatVector q = e.blend(2f, large).div(e.add(2f));
        FloatVector y =
            q.blend(q.neg().add(1f), large)
                .reinterpretAsInts()
                .or(x.reinterpretAsInts().and(SIGN))
                .reinterpretAsFloats();
        FloatVector hidden =
            y.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + BYTES, ORDER));
        VECTOR.cast(hidden).intoMemorySegment(MEMORY, hRow + (long) i * BYTES, ORDER);
      }
    }
  }

  /**
   * GRU with the reset gate behind the product, once z and r are what they are: {@code n = tanh(xn
   * + bn + r (hn + rn)); h = n + z (h - n)}.
   *
   * @param z per group of units the gates z, r and the product for n, a vector each
   * @param xs the same of the input's product
   * @param bias per group bias of z, of r, and of the input side of n
   * @param resetBias bias of the recurrent side of n
   */
  static void gruResetAfter(
      long z,
      long zStride,
      long xs,
      long xStride,
      long bias,
      long resetBias,
      long h,
      long hStride,
      int rows,
      int groups) {
    for (int row = 0; row < rows; row++) {
      long zRow = z + row * zStride;
      long xRow = xs + row * xStride;
      long hRow = h + row * hStride;
      for (int i = 0; i < groups; i++) {
        long at = (long) i * (3L * BYTES);
        long hAt = hRow + (long) i * BYTES;
        FloatVector x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, zRow + at + 2L * BYTES, ORDER)
                .add(
                    FloatVector.fromMemorySegment(
                        SPECIES, MEMORY, resetBias + (long) i * BYTES, ORDER));
        x =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, zRow + at + BYTES, ORDER)
                .fma(
                    x,
                    FloatVector.fromMemorySegment(SPECIES, MEMORY, xRow + at + 2L * BYTES, ORDER)
                        .add(
                            FloatVector.fromMemorySegment(
                                SPECIES, MEMORY, bias + at + 2L * BYTES, ORDER)));
        FloatVector u = x.abs();
        u = u.blend(TANH_LIMIT, u.compare(VectorOperators.GT, TANH_LIMIT));
        FloatVector m = u.fma(2 * LOG2_E, ROUND);
        FloatVector n = m.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), u.add(u));
        r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
        FloatVector p = r.fma(E7, E6);
        p = p.fma(r, FloatVector.broadcast(SPECIES, E5));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E4));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E3));
        p = p.fma(r, FloatVector.broadcast(SPECIES, E2));
        FloatVector scale =
            m.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(BIAS)
                .reinterpretAsFloats();
        FloatVector e = scale.fma(p.fma(r.mul(r), r), scale.sub(1f));
        var large = e.compare(VectorOperators.GT, 2f);
        FloatVector q = e.blend(2f, large).div(e.add(2f));
        FloatVector y =
            q.blend(q.neg().add(1f), large)
                .reinterpretAsInts()
                .or(x.reinterpretAsInts().and(SIGN))
                .reinterpretAsFloats();
        FloatVector hidden =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, hAt, ORDER)
                .sub(y)
                .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, zRow + at, ORDER), y);
        VECTOR.cast(hidden).intoMemorySegment(MEMORY, hAt, ORDER);
      }
    }
  }

  /**
   * The same of one row in training, which keeps z, r, n and {@code u = hn + rn}.
   *
   * @param z per group of units the products for z, r and n, a vector each; that for n is taken
   * @param kept per group of units the gates z and r and the input's product for n, whose place n
   *     takes
   * @param bias per group bias of z, of r, and of the input side of n
   * @param resetBias bias of the recurrent side of n
   */
  static void gruResetAfterKept(
      long z, long kept, long bias, long resetBias, long u, long h, int groups) {
    for (int i = 0; i < groups; i++) {
      long at = (long) i * (3L * BYTES);
      long hAt = h + (long) i * BYTES;
      FloatVector x =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, z + at + 2L * BYTES, ORDER)
              .add(
                  FloatVector.fromMemorySegment(
                      SPECIES, MEMORY, resetBias + (long) i * BYTES, ORDER));
      VECTOR.cast(x).intoMemorySegment(MEMORY, u + (long) i * BYTES, ORDER);
      x =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, kept + at + BYTES, ORDER)
              .fma(
                  x,
                  FloatVector.fromMemorySegment(SPECIES, MEMORY, kept + at + 2L * BYTES, ORDER)
                      .add(
                          FloatVector.fromMemorySegment(
                              SPECIES, MEMORY, bias + at + 2L * BYTES, ORDER)));
      FloatVector w = x.abs();
      w = w.blend(TANH_LIMIT, w.compare(VectorOperators.GT, TANH_LIMIT));
      FloatVector m = w.fma(2 * LOG2_E, ROUND);
      FloatVector n = m.sub(ROUND);
      FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), w.add(w));
      r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
      FloatVector p = r.fma(E7, E6);
      p = p.fma(r, FloatVector.broadcast(SPECIES, E5));
      p = p.fma(r, FloatVector.broadcast(SPECIES, E4));
      p = p.fma(r, FloatVector.broadcast(SPECIES, E3));
      p = p.fma(r, FloatVector.broadcast(SPECIES, E2));
      FloatVector scale =
          m.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(BIAS).reinterpretAsFloats();
      FloatVector e = scale.fma(p.fma(r.mul(r), r), scale.sub(1f));
      var large = e.compare(VectorOperators.GT, 2f);
      FloatVector q = e.blend(2f, large).div(e.add(2f));
      FloatVector y =
          q.blend(q.neg().add(1f), large)
              .reinterpretAsInts()
              .or(x.reinterpretAsInts().and(SIGN))
              .reinterpretAsFloats();
      VECTOR.cast(y).intoMemorySegment(MEMORY, kept + at + 2L * BYTES, ORDER);
      FloatVector hidden =
          FloatVector.fromMemorySegment(SPECIES, MEMORY, hAt, ORDER)
              .sub(y)
              .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, kept + at, ORDER), y);
      VECTOR.cast(hidden).intoMemorySegment(MEMORY, hAt, ORDER);
    }
  }

  /**
   * GRU with the reset gate before the product, first half: {@code reset = r h}, the left side of
   * the candidate's product.
   *
   * @param z per group of units the gates z and r, a vector each
   */
  static void gruReset(
      long z, long zStride, long h, long hStride, long reset, int rows, int groups) {
    for (int row = 0; row < rows; row++) {
      long zRow = z + row * zStride;
      long hRow = h + row * hStride;
      long resetRow = reset + row * hStride;
      for (int i = 0; i < groups; i++) {
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, hRow + (long) i * BYTES, ORDER)
                    .mul(
                        FloatVector.fromMemorySegment(
                            SPECIES, MEMORY, zRow + (long) i * (2L * BYTES) + BYTES, ORDER)))
            .intoMemorySegment(MEMORY, resetRow + (long) i * BYTES, ORDER);
      }
    }
  }

  /**
   * GRU with the reset gate before the product, second half: {@code h = n + z (h - n)}.
   *
   * @param z per group of units the gates z and r, a vector each
   * @param n the candidate, a vector a group
   */
  static void gruState(
      long z, long zStride, long n, long nStride, long h, long hStride, int rows, int groups) {
    for (int row = 0; row < rows; row++) {
      long zRow = z + row * zStride;
      long nRow = n + row * nStride;
      long hRow = h + row * hStride;
      for (int i = 0; i < groups; i++) {
        long hAt = hRow + (long) i * BYTES;
        FloatVector y =
            FloatVector.fromMemorySegment(SPECIES, MEMORY, nRow + (long) i * BYTES, ORDER);
        VECTOR
            .cast(
                FloatVector.fromMemorySegment(SPECIES, MEMORY, hAt, ORDER)
                    .sub(y)
                    .fma(
                        FloatVector.fromMemorySegment(
                            SPECIES, MEMORY, zRow + (long) i * (2L * BYTES), ORDER),
                        y))
            .intoMemorySegment(MEMORY, hAt, ORDER);
      }
    }
  }
}

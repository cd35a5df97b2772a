package io.gatun.layer;

import io.gatun.kernel.Device;
import io.gatun.tensor.DType;

/** Thresholds that follow from what is computed, not from what came out. */
final class Bounds {
  /** What the kernels may err in tanh, absolutely; sigmoid errs less. */
  private static final double ACTIVATION_32 = 3e-7;

  private Bounds() {}

  /**
   * How far a recurrent layer may be from one in exact arithmetic: at every time step a sum of
   * {@code terms} products is rounded (a constant × log2(terms) × epsilon × magnitude) and a few
   * activations are applied. Weights in these tests are of the order 1 / 2, so that the state hands
   * on what went wrong before without making it larger; the constant 8 leaves room where it does.
   */
  static double recurrent(Device device, int terms, int steps, double magnitude) {
    boolean single = device.real() == DType.FLOAT32;
    double epsilon = single ? Math.ulp(1f) : Math.ulp(1.0);
    double log = Math.log(terms + 2) / Math.log(2);
    double step = 8 * log * epsilon * magnitude + (single ? 4 * ACTIVATION_32 : 16 * epsilon);
    return steps * step;
  }
}

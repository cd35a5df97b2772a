package io.gatun.kernel.scalar;

import static io.gatun.kernel.scalar.HostKernels.bytes;
import static io.gatun.kernel.scalar.HostKernels.count;
import static io.gatun.kernel.scalar.HostKernels.readable;
import static io.gatun.kernel.scalar.HostKernels.segment;
import static io.gatun.kernel.scalar.HostKernels.writable;

import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.Arrays;

/** Pooling and its gradient, plane by plane. */
final class ScalarPool {
  private final DType real;
  private final Taps taps = new Taps();
  private double[] plane = {};
  private double[] pooled = {};
  private double[] gradient = {};

  ScalarPool(DType real) {
    this.real = real;
  }

  private void begin(PoolingSpec pooling, long[] spatial) {
    taps.set(pooling.window(), spatial);
    if (plane.length < taps.plane()) {
      plane = new double[taps.plane()];
      gradient = new double[taps.plane()];
    }
    if (pooled.length < taps.outPlane()) {
      pooled = new double[taps.outPlane()];
    }
  }

  private void load(Region region, long first, double[] to, int count) {
    long offset = region.offset() + first * real.bytes();
    Elements.load(segment(region), real, offset, 1, to, 0, count);
  }

  private void store(double[] from, Region region, long first, int count) {
    long offset = region.offset() + first * real.bytes();
    Elements.store(from, 0, segment(region), real, offset, count);
  }

  void forward(PoolingSpec pooling, Region input, long planes, long[] spatial, Region output) {
    begin(pooling, spatial);
    count("planes", planes);
    readable("input", input, bytes(bytes(planes, taps.plane()), real.bytes()));
    writable("output", output, bytes(bytes(planes, taps.outPlane()), real.bytes()));
    for (long i = 0; i < planes; i++) {
      load(input, i * taps.plane(), plane, taps.plane());
      for (int p = 0; p < taps.outPlane(); p++) {
        pooled[p] = pooling.maximum() ? maximum(p) : mean(p, pooling.countsPadding());
      }
      store(pooled, output, i * taps.outPlane(), taps.outPlane());
    }
  }

  private double maximum(int p) {
    double largest = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < taps.kernel(); k++) {
      int at = taps.at(k, p);
      if (at >= 0) {
        largest = Math.max(largest, plane[at]);
      }
    }
    return largest;
  }

  private double mean(int p, boolean countsPadding) {
    double sum = 0;
    for (int k = 0; k < taps.kernel(); k++) {
      int at = taps.at(k, p);
      sum += at >= 0 ? plane[at] : 0;
    }
    return sum / counted(p, countsPadding);
  }

  private int counted(int p, boolean countsPadding) {
    int seen = 0;
    for (int k = 0; k < taps.kernel(); k++) {
      seen += countsPadding || taps.at(k, p) >= 0 ? 1 : 0;
    }
    return Math.max(1, seen);
  }

  void backward(
      PoolingSpec pooling,
      Region input,
      Region outputGradient,
      long planes,
      long[] spatial,
      Region inputGradient) {
    begin(pooling, spatial);
    long in = bytes(bytes(count("planes", planes), taps.plane()), real.bytes());
    readable("input", input, in);
    readable(
        "output gradient", outputGradient, bytes(bytes(planes, taps.outPlane()), real.bytes()));
    writable("input gradient", inputGradient, in);
    for (long i = 0; i < planes; i++) {
      load(input, i * taps.plane(), plane, taps.plane());
      load(outputGradient, i * taps.outPlane(), pooled, taps.outPlane());
      Arrays.fill(gradient, 0, taps.plane(), 0);
      for (int p = 0; p < taps.outPlane(); p++) {
        if (pooling.maximum()) {
          giveLargest(p);
        } else {
          double share = pooled[p] / counted(p, pooling.countsPadding());
          for (int k = 0; k < taps.kernel(); k++) {
            if (taps.at(k, p) >= 0) {
              gradient[taps.at(k, p)] += share;
            }
          }
        }
      }
      store(gradient, inputGradient, i * taps.plane(), taps.plane());
    }
  }

  private void giveLargest(int p) {
    int best = -1;
    for (int k = 0; k < taps.kernel(); k++) {
      int at = taps.at(k, p);
      if (at >= 0 && (best < 0 || plane[at] > plane[best])) {
        best = at;
      }
    }
    if (best >= 0) {
      gradient[best] += pooled[p];
    }
  }
}

package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Fourier transforms and what goes with them, on the host. */
final class SignalOperators {
  private SignalOperators() {}

  static List<Operator> all() {
    return List.of(
        new Fourier(),
        new ShortTimeFourier(),
        new Window("HannWindow", new double[] {0.5, 0.5, 0}),
        new Window("HammingWindow", new double[] {25.0 / 46, 21.0 / 46, 0}),
        new Window("BlackmanWindow", new double[] {0.42, 0.5, 0.08}),
        new MelWeightMatrix());
  }

  private static int scalar(HostOperator.Call call, int input, int otherwise) {
    Constant constant = call.constant(input);
    return constant == null ? otherwise : Math.toIntExact(constant.longs()[0]);
  }

  /**
   * The discrete Fourier transform by its definition: {@code output[k] = Σ input[t] e^(∓2πi·kt/n)}
   * of numbers and pairs of numbers, one behind the other.
   */
  private static final class Transform {
    private final double[] cosines;
    private final double[] sines;

    Transform(int size, boolean inverse) {
      cosines = new double[size];
      sines = new double[size];
      for (int i = 0; i < size; i++) {
        cosines[i] = Math.cos(2 * Math.PI * i / size);
        sines[i] = (inverse ? 1 : -1) * Math.sin(2 * Math.PI * i / size);
      }
    }

    void apply(double[] real, double[] imaginary, double[] re, double[] im, int bins) {
      int size = cosines.length;
      for (int k = 0; k < bins; k++) {
        double a = 0;
        double b = 0;
        int angle = 0;
        for (int t = 0; t < size; t++) {
          a += real[t] * cosines[angle] - imaginary[t] * sines[angle];
          b += real[t] * sines[angle] + imaginary[t] * cosines[angle];
          angle += k;
          angle -= angle >= size ? size : 0;
        }
        re[k] = a;
        im[k] = b;
      }
    }
  }

  /** Signal {@code [..., 1 or 2]}, length, axis (−2 by default). */
  private record Fourier() implements HostOperator {
    @Override
    public String type() {
      return "DFT";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input > 0;
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      Dim parts = inference.dim(0, -1);
      if (rank < 2 || !(parts.equals(Dim.ONE) || parts.equals(Dim.of(2)))) {
        throw inference.error("signal is " + inference.dims(0) + ", expected [..., 1 or 2]");
      }
      boolean oneSided = inference.attributes().integer("onesided", 0) != 0;
      boolean inverse = inference.attributes().integer("inverse", 0) != 0;
      if (inference.later(1) || inference.later(2)) {
        List<Dim> dims = ShapeOperators.unknownDims(inference, rank - 1);
        dims.add(oneSided && inverse ? Dim.ONE : Dim.of(2));
        inference.output(inference.type(0), dims);
        return;
      }
      long named = inference.has(2) ? inference.constant(2).longs()[0] : -2;
      int axis = inference.axis(named, rank);
      if (axis == rank - 1) {
        throw inference.error("the last axis is that of the parts of a number");
      }
      if (oneSided && !inverse && !parts.equals(Dim.ONE)) {
        throw inference.error("onesided of complex numbers");
      }
      Dim size = inference.dim(0, axis);
      Dim length =
          inference.has(1)
              ? Dim.of(inference.constant(1).longs()[0])
              : oneSided && inverse ? size.minus(Dim.ONE).times(Dim.of(2)) : size;
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      dims.set(axis, oneSided && !inverse ? length.dividedBy(Dim.of(2)).plus(Dim.ONE) : length);
      dims.set(rank - 1, oneSided && inverse ? Dim.ONE : Dim.of(2));
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      boolean inverse = call.attributes().integer("inverse", 0) != 0;
      boolean oneSided = call.attributes().integer("onesided", 0) != 0;
      int rank = x.dims.length;
      int axis = scalar(call, 2, -2);
      axis += axis < 0 ? rank : 0;
      int given = (int) x.dims[axis];
      int bins = (int) y.dims[axis];
      int size = scalar(call, 1, oneSided && inverse ? 2 * (given - 1) : given);
      int parts = (int) x.dims[rank - 1];
      int outParts = (int) y.dims[rank - 1];
      int inner = x.product(axis + 1, rank - 1);
      Transform transform = new Transform(size, inverse);
      double[] real = new double[size];
      double[] imaginary = new double[size];
      double[] re = new double[bins];
      double[] im = new double[bins];
      for (int i = 0; i < x.product(0, axis) * inner; i++) {
        for (int t = 0; t < size; t++) {
          // What is not given of a spectrum of reals is the other half's mirror image.
          boolean mirrored = oneSided && inverse && t >= size / 2 + 1;
          int from = mirrored ? size - t : t;
          int at = ((i / inner * given + from) * inner + i % inner) * parts;
          real[t] = from < given ? x.reals[at] : 0;
          double part = parts == 2 && from < given ? x.reals[at + 1] : 0;
          imaginary[t] = mirrored ? -part : part;
        }
        transform.apply(real, imaginary, re, im, bins);
        for (int k = 0; k < bins; k++) {
          int at = ((i / inner * bins + k) * inner + i % inner) * outParts;
          y.reals[at] = inverse ? re[k] / size : re[k];
          if (outParts == 2) {
            y.reals[at + 1] = inverse ? im[k] / size : im[k];
          }
        }
      }
    }
  }

  /** Signal {@code [batch, time, 1 or 2]}, step, window, length of a frame. */
  private record ShortTimeFourier() implements HostOperator {
    @Override
    public String type() {
      return "STFT";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1 || input == 3;
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(0, 3);
      boolean oneSided = inference.attributes().integer("onesided", 1) != 0;
      if (oneSided && !inference.dim(0, 2).matches(Dim.ONE)) {
        throw inference.error("onesided of complex numbers");
      }
      Dim frames = inference.unknown(0);
      Dim bins = inference.unknown(1);
      if (!inference.later(1) && !inference.later(3)) {
        inference.dims(1);
        long step = inference.constant(1).longs()[0];
        Dim length =
            inference.has(3) ? Dim.of(inference.constant(3).longs()[0]) : inference.dim(2, 0);
        Dim time = inference.dim(0, 1);
        if (step < 1 || (inference.has(2) && !inference.dim(2, 0).matches(length))) {
          throw inference.error("frames of " + length + " every " + step);
        }
        bins = oneSided ? length.dividedBy(Dim.of(2)).plus(Dim.ONE) : length;
        if (time.isKnown() && length.isKnown()) {
          frames = Dim.of(Math.max(0, Math.floorDiv(time.size() - length.size(), step) + 1));
        }
      }
      inference.output(inference.type(0), inference.dim(0, 0), frames, bins, Dim.of(2));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      HostArray window = call.in(2);
      int step = scalar(call, 1, 1);
      int length = scalar(call, 3, window == null ? 0 : window.count);
      int parts = (int) x.dims[2];
      int time = (int) x.dims[1];
      int frames = (int) y.dims[1];
      int bins = (int) y.dims[2];
      Transform transform = new Transform(length, false);
      double[] real = new double[length];
      double[] imaginary = new double[length];
      double[] re = new double[bins];
      double[] im = new double[bins];
      for (int i = 0; i < x.dims[0] * frames; i++) {
        for (int t = 0; t < length; t++) {
          int at = (i / frames * time + i % frames * step + t) * parts;
          double weight = window == null ? 1 : window.reals[t];
          real[t] = x.reals[at] * weight;
          imaginary[t] = parts == 2 ? x.reals[at + 1] * weight : 0;
        }
        transform.apply(real, imaginary, re, im, bins);
        for (int k = 0; k < bins; k++) {
          y.reals[(i * bins + k) * 2] = re[k];
          y.reals[(i * bins + k) * 2 + 1] = im[k];
        }
      }
    }
  }

  private static DType dataType(Inference inference) {
    return DType.of(inference.attributes().string("output_datatype", "float32"));
  }

  /** {@code a0 − a1 cos(2πi/n) + a2 cos(4πi/n)}. */
  private record Window(String type, double[] terms) implements HostOperator {
    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      inference.expect(0);
      Dim size = inference.unknown(0);
      if (!inference.later(0)) {
        long asked = inference.constant(0).longs()[0];
        if (asked < 0) {
          throw inference.error("a window of " + asked);
        }
        size = Dim.of(asked);
      }
      inference.output(dataType(inference), size);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      int period = call.attributes().integer("periodic", 1) != 0 ? y.count : y.count - 1;
      for (int i = 0; i < y.count; i++) {
        double angle = period == 0 ? 0 : 2 * Math.PI * i / period;
        y.set(i, terms[0] - terms[1] * Math.cos(angle) + terms[2] * Math.cos(2 * angle));
      }
    }
  }

  /** {@code [bins of a spectrum, mel bins]}: triangles that are evenly spaced on the mel scale. */
  private record MelWeightMatrix() implements HostOperator {
    @Override
    public String type() {
      return "MelWeightMatrix";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      Dim bins = inference.unknown(0);
      Dim mels = inference.unknown(1);
      boolean later = false;
      for (int i = 0; i < 5; i++) {
        inference.expect(i);
        later |= inference.later(i);
      }
      if (!later) {
        mels = Dim.of(inference.constant(0).longs()[0]);
        bins = Dim.of(inference.constant(1).longs()[0] / 2 + 1);
      }
      inference.output(dataType(inference), bins, mels);
    }

    private static double mel(double hertz) {
      return 2595 * Math.log10(1 + hertz / 700);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      int mels = (int) y.dims[1];
      int length = scalar(call, 1, 0);
      int rate = scalar(call, 2, 0);
      double low = mel(SelectionOperators.reals(call.constant(3))[0]);
      double high = mel(SelectionOperators.reals(call.constant(4))[0]);
      int[] edges = new int[mels + 2];
      for (int i = 0; i < edges.length; i++) {
        double hertz = 700 * (Math.pow(10, (low + i * (high - low) / edges.length) / 2595) - 1);
        edges[i] = (int) Math.floor((length + 1) * hertz / rate);
      }
      y.fill(0);
      for (int i = 0; i < mels; i++) {
        int left = edges[i];
        int middle = edges[i + 1];
        int right = edges[i + 2];
        for (int j = Math.max(0, left); j < Math.min(Math.max(right, middle + 1), y.dims[0]); j++) {
          double weight =
              j <= middle
                  ? middle == left ? 1 : (double) (j - left) / (middle - left)
                  : (double) (right - j) / (right - middle);
          y.set(j * mels + i, weight);
        }
        if (left == middle && middle < y.dims[0] && middle >= 0) {
          y.set(middle * mels + i, 1);
        }
      }
    }
  }
}

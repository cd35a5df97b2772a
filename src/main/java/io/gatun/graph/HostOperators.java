package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Rare operators over images, matrices and signals, on the host. */
final class HostOperators {
  private HostOperators() {}

  static List<Operator> all() {
    return List.of(new LocalResponse(), new Determinant(), new BitCast(), new Col2Im());
  }

  /**
   * {@code x / (bias + alpha / size · Σ x²)^beta}, the sum over {@code size} neighbour channels.
   */
  private record LocalResponse() implements HostOperator {
    @Override
    public String type() {
      return "LRN";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      long size = inference.attributes().integer("size", 0);
      if (inference.rank(0) < 2 || size < 1) {
        throw inference.error("size is " + size + " for " + inference.dims(0));
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int size = Math.toIntExact(call.attributes().integer("size", 0));
      double alpha = call.attributes().real("alpha", 0.0001f);
      double beta = call.attributes().real("beta", 0.75f);
      double bias = call.attributes().real("bias", 1);
      int channels = (int) x.dims[1];
      int inner = x.product(2, x.dims.length);
      for (int i = 0; i < x.count; i++) {
        int channel = i / inner % channels;
        double sum = 0;
        int from = Math.max(0, channel - (size - 1) / 2);
        int to = Math.min(channels - 1, channel + size / 2);
        for (int c = from; c <= to; c++) {
          double value = x.reals[i + (c - channel) * inner];
          sum += value * value;
        }
        call.out(0).reals[i] = x.reals[i] / Math.pow(bias + alpha / size * sum, beta);
      }
    }
  }

  /** Of square matrices, by elimination with pivots. */
  private record Determinant() implements HostOperator {
    @Override
    public String type() {
      return "Det";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      if (rank < 2 || !inference.dim(0, -1).matches(inference.dim(0, -2))) {
        throw inference.error("input is " + inference.dims(0) + ", expected square matrices");
      }
      inference.output(inference.type(0), inference.dims(0).subList(0, rank - 2));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int n = (int) x.dims[x.dims.length - 1];
      for (int i = 0; i < call.out(0).count; i++) {
        call.out(0).reals[i] =
            determinant(Arrays.copyOfRange(x.reals, i * n * n, (i + 1) * n * n), n);
      }
    }

    private static double determinant(double[] a, int n) {
      double result = 1;
      for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int row = k + 1; row < n; row++) {
          pivot = Math.abs(a[row * n + k]) > Math.abs(a[pivot * n + k]) ? row : pivot;
        }
        if (a[pivot * n + k] == 0) {
          return 0;
        }
        for (int column = 0; column < n && pivot != k; column++) {
          double other = a[pivot * n + column];
          a[pivot * n + column] = a[k * n + column];
          a[k * n + column] = other;
        }
        result *= pivot == k ? a[k * n + k] : -a[k * n + k];
        for (int row = k + 1; row < n; row++) {
          double factor = a[row * n + k] / a[k * n + k];
          for (int column = k; column < n; column++) {
            a[row * n + column] -= factor * a[k * n + column];
          }
        }
      }
      return result;
    }
  }

  /** The same bits as another type of the same width; {@code to}: the label of a type. */
  private record BitCast() implements HostOperator {
    @Override
    public String type() {
      return "BitCast";
    }

    @Override
    public String limits() {
      return "float32 and integers only";
    }

    @Override
    public void infer(Inference inference) {
      DType from = inference.type(0);
      DType to = DType.of(inference.attributes().string("to", ""));
      boolean exact =
          (!from.isFloat() || from == DType.FLOAT32) && (!to.isFloat() || to == DType.FLOAT32);
      if (from.bytes() != to.bytes() || !exact || to == DType.BOOL) {
        throw inference.error("the bits of " + from.label() + " as " + to.label());
      }
      inference.output(to, inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      for (int i = 0; i < x.count; i++) {
        long bits = x.reals != null ? Float.floatToRawIntBits((float) x.reals[i]) : x.wholes[i];
        if (y.reals != null) {
          y.reals[i] = Float.intBitsToFloat((int) bits);
        } else {
          y.wholes[i] = bits;
        }
      }
    }
  }

  /** Blocks {@code [batch, channels · block, count]} added up where they lie in an image. */
  private record Col2Im() implements HostOperator {
    @Override
    public String type() {
      return "Col2Im";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input > 0;
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(0, 3);
      inference.expectRank(1, 1);
      inference.expectRank(2, 1);
      List<Dim> dims = new ArrayList<>(List.of(inference.dim(0, 0)));
      if (inference.later(1) || inference.later(2)) {
        dims.addAll(ShapeOperators.laterDims(inference, 1));
        dims.add(1, inference.unknown(dims.size()));
      } else {
        long[] image = inference.constant(1).longs();
        long[] block = inference.constant(2).longs();
        long size = Arrays.stream(block).reduce(1, Math::multiplyExact);
        Dim rows = inference.dim(0, 1);
        if (image.length != block.length
            || size < 1
            || (rows.isKnown() && rows.size() % size != 0)) {
          throw inference.error(
              "blocks of " + Arrays.toString(block) + " of " + Arrays.toString(image));
        }
        dims.add(rows.dividedBy(Dim.of(size)));
        Arrays.stream(image).forEach(extent -> dims.add(Dim.of(extent)));
        Windows windows = Windows.of(inference.node(), block, image);
        long count = Arrays.stream(windows.out).reduce(1, Math::multiplyExact);
        if (!inference.dim(0, 2).matches(Dim.of(count))) {
          throw inference.error(inference.dim(0, 2) + " blocks, expected " + count);
        }
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      long[] block = call.constant(2).longs();
      Windows windows = Windows.of(call.node(), block, call.constant(1).longs());
      int taps = (int) Arrays.stream(block).reduce(1, (a, b) -> a * b);
      int count = (int) x.dims[2];
      int plane = y.product(2, y.dims.length);
      Arrays.fill(y.reals, 0);
      for (int window = 0; window < count; window++) {
        int[] places = windows.taps(window);
        for (int i = 0; i < y.dims[0] * y.dims[1]; i++) {
          for (int k = 0; k < taps; k++) {
            if (places[k] >= 0) {
              y.reals[i * plane + places[k]] += x.reals[(i * taps + k) * count + window];
            }
          }
        }
      }
    }
  }
}

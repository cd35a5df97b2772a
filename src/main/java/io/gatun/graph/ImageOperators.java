package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Sampling of images and choice of boxes, on the host. */
final class ImageOperators {
  private ImageOperators() {}

  static List<Operator> all() {
    return List.of(new GridSample(), new AffineGrid(), new RoiAlign(), new NonMaxSuppression());
  }

  private static String expect(
      Inference inference, String attribute, String otherwise, String... expected) {
    String value = inference.attributes().string(attribute, otherwise);
    if (!List.of(expected).contains(value)) {
      throw inference.error(
          attribute + " is '" + value + "', expected one of " + Arrays.toString(expected));
    }
    return value;
  }

  /** Input {@code [batch, channels, spatial...]} at the places that a grid names, from −1 to 1. */
  private record GridSample() implements HostOperator {
    @Override
    public String type() {
      return "GridSample";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      inference.expectRank(1, rank);
      boolean fits =
          rank > 2
              && inference.dim(1, 0).matches(inference.dim(0, 0))
              && inference.dim(1, -1).matches(Dim.of(rank - 2));
      if (!fits) {
        throw inference.error("a grid of " + inference.dims(1) + " for " + inference.dims(0));
      }
      expect(inference, "mode", "linear", "linear", "nearest", "cubic", "bilinear", "bicubic");
      expect(inference, "padding_mode", "zeros", "zeros", "border", "reflection");
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, 2));
      dims.addAll(inference.dims(1).subList(1, rank - 1));
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      int axes = x.dims.length - 2;
      String mode = call.attributes().string("mode", "linear").replaceFirst("^bi", "");
      String padding = call.attributes().string("padding_mode", "zeros");
      boolean corners = call.attributes().integer("align_corners", 0) != 0;
      int plane = x.product(2, x.dims.length);
      int outPlane = y.product(2, y.dims.length);
      int channels = (int) x.dims[1];
      for (int place = 0; place < x.dims[0] * outPlane; place++) {
        int[][] index = new int[axes][];
        double[][] weights = new double[axes][];
        for (int axis = 0; axis < axes; axis++) {
          int size = (int) x.dims[axis + 2];
          double low = corners ? 0 : -0.5;
          double high = corners ? size - 1 : size - 0.5;
          // The grid names the last axis first.
          double at = call.in(1).reals[place * axes + axes - 1 - axis];
          at = corners ? (at + 1) / 2 * (size - 1) : ((at + 1) * size - 1) / 2;
          at = mode.equals("nearest") ? Math.rint(at) : at;
          if (at < low || at > high) {
            at =
                switch (padding) {
                  case "border" -> Math.max(0, Math.min(size - 1, at));
                  case "reflection" -> reflected(at, low, high);
                  default -> at;
                };
          }
          int floor = (int) Math.floor(at);
          double r = at - floor;
          int first = mode.equals("cubic") ? floor - 1 : floor;
          weights[axis] =
              switch (mode) {
                case "nearest" -> new double[] {1};
                case "cubic" -> new double[] {cubic(1 + r), cubic(r), cubic(1 - r), cubic(2 - r)};
                default -> new double[] {1 - r, r};
              };
          index[axis] = new int[weights[axis].length];
          for (int k = 0; k < index[axis].length; k++) {
            int i = first + k;
            index[axis][k] =
                switch (padding) {
                  case "border" -> Math.max(0, Math.min(size - 1, i));
                  case "reflection" ->
                      (int) Math.max(0, Math.min(size - 1, reflected(i, low, high)));
                  default -> i < 0 || i >= size ? -1 : i;
                };
          }
        }
        for (int c = 0; c < channels; c++) {
          int begin = (place / outPlane * channels + c) * plane;
          y.reals[(place / outPlane * channels + c) * outPlane + place % outPlane] =
              sum(x, begin, 0, index, weights);
        }
      }
    }

    private static double sum(HostArray x, int begin, int axis, int[][] index, double[][] weights) {
      if (axis == index.length) {
        return x.reals[begin];
      }
      double sum = 0;
      int step = x.product(axis + 3, x.dims.length);
      for (int k = 0; k < index[axis].length; k++) {
        if (index[axis][k] >= 0 && weights[axis][k] != 0) {
          sum += weights[axis][k] * sum(x, begin + index[axis][k] * step, axis + 1, index, weights);
        }
      }
      return sum;
    }

    private static double reflected(double at, double low, double high) {
      double range = high - low;
      if (range <= 0) {
        return 0;
      }
      double beyond = at < low ? low - at : at > high ? at - high : -1;
      if (beyond < 0) {
        return at;
      }
      double rest = beyond % range;
      boolean turned = (long) (beyond / range) % 2 != 0;
      return at < low == turned ? high - rest : low + rest;
    }

    /** The cubic convolution kernel (Keys 1981) with a = −0.75. */
    private static double cubic(double x) {
      double a = -0.75;
      return x <= 1
          ? ((a + 2) * x - (a + 3)) * x * x + 1
          : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
  }

  /** Matrices {@code [batch, n, n + 1]} applied to the places of all pixels, from −1 to 1. */
  private record AffineGrid() implements HostOperator {
    @Override
    public String type() {
      return "AffineGrid";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(0, 3);
      Dim axes = inference.dim(0, 1);
      if (!axes.isKnown() || !inference.dim(0, 2).matches(axes.plus(Dim.ONE))) {
        throw inference.error("matrices of " + inference.dims(0) + ", expected [batch, n, n + 1]");
      }
      inference.expect(1, axes.plus(Dim.of(2)));
      List<Dim> dims = new ArrayList<>(List.of(inference.dim(0, 0)));
      for (int i = 0; i < axes.size(); i++) {
        dims.add(
            inference.later(1)
                ? inference.unknown(i)
                : Dim.of(inference.constant(1).longs()[i + 2]));
      }
      dims.add(axes);
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      HostArray theta = call.in(0);
      int axes = (int) theta.dims[1];
      boolean corners = call.attributes().integer("align_corners", 0) != 0;
      int plane = y.product(1, axes + 1);
      double[] at = new double[axes + 1];
      at[axes] = 1;
      for (int i = 0; i < y.dims[0] * plane; i++) {
        int rest = i % plane;
        for (int axis = axes - 1; axis >= 0; axis--) {
          long size = y.dims[axis + 1];
          double k = rest % size;
          rest /= (int) size;
          double place = corners ? size == 1 ? -1 : 2 * k / (size - 1) - 1 : (2 * k + 1) / size - 1;
          at[axes - 1 - axis] = place;
        }
        for (int row = 0; row < axes; row++) {
          double sum = 0;
          for (int k = 0; k <= axes; k++) {
            sum += theta.reals[(i / plane * axes + row) * (axes + 1) + k] * at[k];
          }
          y.reals[i * axes + row] = sum;
        }
      }
    }
  }

  /** Means of bilinear samples in the cells of boxes {@code [boxes, 4]}. */
  private record RoiAlign() implements HostOperator {
    @Override
    public String type() {
      return "RoiAlign";
    }

    @Override
    public String limits() {
      return "mode avg only";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(0, 4);
      inference.expect(1, inference.dim(2, 0), Dim.of(4));
      inference.expectRank(2, 1);
      expect(inference, "mode", "avg", "avg");
      expect(
          inference,
          "coordinate_transformation_mode",
          "half_pixel",
          "half_pixel",
          "output_half_pixel");
      inference.output(
          inference.type(0),
          inference.dim(1, 0),
          inference.dim(0, 1),
          Dim.of(inference.attributes().integer("output_height", 1)),
          Dim.of(inference.attributes().integer("output_width", 1)));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      double scale = call.attributes().real("spatial_scale", 1);
      boolean half =
          call.attributes()
              .string("coordinate_transformation_mode", "half_pixel")
              .equals("half_pixel");
      int channels = (int) x.dims[1];
      int height = (int) x.dims[2];
      int width = (int) x.dims[3];
      for (int box = 0; box < y.dims[0]; box++) {
        double[] edges = new double[4];
        for (int i = 0; i < 4; i++) {
          edges[i] = call.in(1).reals[box * 4 + i] * scale - (half ? 0.5 : 0);
        }
        double boxWidth = edges[2] - edges[0];
        double boxHeight = edges[3] - edges[1];
        if (!half) {
          boxWidth = Math.max(1, boxWidth);
          boxHeight = Math.max(1, boxHeight);
        }
        long image = call.in(2).wholes[box];
        if (image < 0 || image >= x.dims[0]) {
          throw new IndexOutOfBoundsException(
              call.node().name() + ": image " + image + " of " + x.dims[0]);
        }
        double cellHeight = boxHeight / y.dims[2];
        double cellWidth = boxWidth / y.dims[3];
        int ratio = Math.toIntExact(call.attributes().integer("sampling_ratio", 0));
        int down = ratio > 0 ? ratio : (int) Math.ceil(cellHeight);
        int across = ratio > 0 ? ratio : (int) Math.ceil(cellWidth);
        for (int c = 0; c < channels; c++) {
          int plane = ((int) image * channels + c) * height * width;
          for (int i = 0; i < y.dims[2] * y.dims[3]; i++) {
            int row = i / (int) y.dims[3];
            int column = i % (int) y.dims[3];
            double sum = 0;
            for (int k = 0; k < down * across; k++) {
              double v = edges[1] + (row + (Math.floorDiv(k, across) + 0.5) / down) * cellHeight;
              double u = edges[0] + (column + (k % across + 0.5) / across) * cellWidth;
              sum += bilinear(x.reals, plane, height, width, v, u);
            }
            y.reals[(box * channels + c) * (int) (y.dims[2] * y.dims[3]) + i] =
                sum / Math.max(1, down * across);
          }
        }
      }
    }

    private static double bilinear(
        double[] x, int plane, int height, int width, double row, double column) {
      if (row < -1 || row > height || column < -1 || column > width) {
        return 0;
      }
      double v = Math.max(0, Math.min(height - 1, row));
      double u = Math.max(0, Math.min(width - 1, column));
      int top = (int) v;
      int left = (int) u;
      int bottom = Math.min(height - 1, top + 1);
      int right = Math.min(width - 1, left + 1);
      double upper =
          x[plane + top * width + left] * (1 - (u - left))
              + x[plane + top * width + right] * (u - left);
      double lower =
          x[plane + bottom * width + left] * (1 - (u - left))
              + x[plane + bottom * width + right] * (u - left);
      return upper * (1 - (v - top)) + lower * (v - top);
    }
  }

  /** {@code [chosen, 3]}: batch, class and box of the best boxes that do not overlap too much. */
  private record NonMaxSuppression() implements HostOperator {
    @Override
    public String type() {
      return "NonMaxSuppression";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    private static double number(Node node, int input) {
      Constant constant =
          input < node.inputs().size() && node.inputs().get(input) != null
              ? node.inputs().get(input).constant()
              : null;
      return constant == null || constant.shape().elements() == 0
          ? 0
          : SelectionOperators.reals(constant)[0];
    }

    private static List<int[]> chosen(Node node) {
      HostArray boxes = SelectionOperators.array(node.inputs().get(0).constant());
      HostArray scores = SelectionOperators.array(node.inputs().get(1).constant());
      boolean centred = node.attributes().integer("center_point_box", 0) != 0;
      long most = (long) number(node, 2);
      double overlap = number(node, 3);
      boolean bounded = node.inputs().size() > 4 && node.inputs().get(4) != null;
      double least = bounded ? number(node, 4) : Double.NEGATIVE_INFINITY;
      int count = (int) boxes.dims[1];
      int classes = (int) scores.dims[1];
      List<int[]> chosen = new ArrayList<>();
      for (int batch = 0; batch < boxes.dims[0]; batch++) {
        double[][] edges = new double[count][];
        for (int i = 0; i < count; i++) {
          edges[i] = edges(boxes.reals, (batch * count + i) * 4, centred);
        }
        for (int c = 0; c < classes; c++) {
          int row = (batch * classes + c) * count;
          List<Integer> order = new ArrayList<>();
          for (int i = 0; i < count; i++) {
            if (scores.reals[row + i] > least) {
              order.add(i);
            }
          }
          order.sort(Comparator.comparingDouble(i -> -scores.reals[row + i]));
          List<Integer> kept = new ArrayList<>();
          for (int i : order) {
            if (kept.size() < most
                && kept.stream().noneMatch(k -> overlap(edges[k], edges[i]) > overlap)) {
              kept.add(i);
              chosen.add(new int[] {batch, c, i});
            }
          }
        }
      }
      return chosen;
    }

    private static double[] edges(double[] boxes, int at, boolean centred) {
      double a = boxes[at];
      double b = boxes[at + 1];
      double c = boxes[at + 2];
      double d = boxes[at + 3];
      return centred
          ? new double[] {a - c / 2, b - d / 2, a + c / 2, b + d / 2}
          : new double[] {Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)};
    }

    /** Intersection over union. */
    private static double overlap(double[] a, double[] b) {
      double width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
      double height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
      double both = Math.max(0, width) * Math.max(0, height);
      double all = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both;
      return both == 0 ? 0 : (float) (both / all);
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(1, 3);
      inference.expect(0, inference.dim(1, 0), inference.dim(1, 2), Dim.of(4));
      Dim count = inference.unknown(0);
      boolean later = false;
      for (int i = 0; i < inference.inputs(); i++) {
        later |= inference.later(i);
      }
      if (!later) {
        count = Dim.of(chosen(inference.node()).size());
      }
      inference.output(DType.INT64, count, Dim.of(3));
    }

    @Override
    public void compute(Call call) {
      int at = 0;
      for (int[] row : chosen(call.node())) {
        for (int value : row) {
          call.out(0).wholes[at++] = value;
        }
      }
    }
  }
}

package io.gatun.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * ONNX Resize, axis by axis on the host: input, region of interest, scales, sizes. Each new element
 * is a weighted sum of neighbours, so that nearest, linear and cubic interpolation differ in their
 * weights alone.
 */
final class ResizeOperator implements HostOperator {
  @Override
  public String type() {
    return "Resize";
  }

  @Override
  public boolean steers(Node node, int input) {
    return input > 0;
  }

  /** The scale and the new size of each axis. */
  private record Target(double[] scales, long[] sizes) {}

  private static int[] axes(Attributes attributes, int rank) {
    int[] axes = new int[attributes.has("axes") ? attributes.integers("axes").length : rank];
    long[] named = attributes.integers("axes");
    Arrays.setAll(axes, i -> named.length == 0 ? i : (int) Math.floorMod(named[i], (long) rank));
    return axes;
  }

  private static Target target(Inference inference, long[] in) {
    int[] axes = axes(inference.attributes(), in.length);
    double[] scales = new double[in.length];
    Arrays.fill(scales, 1);
    long[] sizes = in.clone();
    boolean bySizes = inference.has(3) && inference.constant(3).shape().elements() > 0;
    double[] given =
        bySizes || !inference.has(2) ? null : SelectionOperators.reals(inference.constant(2));
    long[] asked = bySizes ? inference.constant(3).longs() : null;
    if ((given == null || given.length != axes.length)
        && (asked == null || asked.length != axes.length)) {
      throw inference.error("expected a scale or a size for each of " + axes.length + " axes");
    }
    for (int i = 0; i < axes.length; i++) {
      int axis = axes[i];
      scales[axis] = bySizes ? (double) asked[i] / in[axis] : given[i];
      sizes[axis] = bySizes ? asked[i] : (long) Math.floor(in[axis] * scales[axis]);
      if (!(scales[axis] > 0) || sizes[axis] < 0) {
        throw inference.error("axis " + axis + " of " + in[axis] + " is scaled by " + scales[axis]);
      }
    }
    String policy = inference.attributes().string("keep_aspect_ratio_policy", "stretch");
    if (bySizes && !policy.equals("stretch")) {
      double kept = scales[axes[0]];
      for (int axis : axes) {
        kept =
            policy.equals("not_larger")
                ? Math.min(kept, scales[axis])
                : Math.max(kept, scales[axis]);
      }
      for (int axis : axes) {
        scales[axis] = kept;
        sizes[axis] = (long) Math.floor(kept * in[axis] + 0.5);
      }
    }
    return new Target(scales, sizes);
  }

  @Override
  public void infer(Inference inference) {
    ElementOperators.requireNumbers(inference, 0);
    Attributes attributes = inference.attributes();
    expect(inference, "mode", "nearest", List.of("nearest", "linear", "cubic"));
    expect(
        inference,
        "coordinate_transformation_mode",
        "half_pixel",
        List.of(
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
            "tf_crop_and_resize"));
    expect(
        inference,
        "nearest_mode",
        "round_prefer_floor",
        List.of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"));
    expect(
        inference,
        "keep_aspect_ratio_policy",
        "stretch",
        List.of("stretch", "not_larger", "not_smaller"));
    if (!inference.type(0).isFloat() && !attributes.string("mode", "nearest").equals("nearest")) {
      ElementwiseOperators.requireReal(inference);
    }
    int rank = inference.rank(0);
    for (long axis : attributes.integers("axes")) {
      inference.axis(axis, rank);
    }
    int[] axes = axes(attributes, rank);
    if (attributes.string("coordinate_transformation_mode", "").equals("tf_crop_and_resize")) {
      inference.expect(1, Dim.of(2L * axes.length));
    }
    boolean known = inference.dims(0).stream().allMatch(Dim::isKnown);
    if (known && !inference.later(2) && !inference.later(3)) {
      long[] in = inference.dims(0).stream().mapToLong(Dim::size).toArray();
      long[] sizes = target(inference, in).sizes;
      for (int i = 0; i < rank; i++) {
        if (in[i] == 0 && sizes[i] > 0) {
          throw inference.error("there is nothing along axis " + i);
        }
      }
      inference.output(inference.type(0), Arrays.stream(sizes).mapToObj(Dim::of).toList());
      return;
    }
    List<Dim> dims = new ArrayList<>(inference.dims(0));
    double[] scales =
        inference.later(2) || !inference.has(2)
            ? null
            : SelectionOperators.reals(inference.constant(2));
    for (int i = 0; i < axes.length; i++) {
      boolean same = scales != null && scales.length == axes.length && scales[i] == 1;
      if (!same) {
        dims.set(axes[i], inference.unknown(i));
      }
    }
    inference.output(inference.type(0), dims);
  }

  private static void expect(
      Inference inference, String attribute, String otherwise, List<String> expected) {
    String value = inference.attributes().string(attribute, otherwise);
    if (!expected.contains(value)) {
      throw inference.error(attribute + " is '" + value + "', expected one of " + expected);
    }
  }

  /** What goes into one new element of an axis: neighbours from {@code first} on, and weights. */
  private record Taps(int first, double[] weights) {}

  @Override
  public void compute(Call call) {
    HostArray x = call.in(0);
    HostArray y = call.out(0);
    List<List<Dim>> dims =
        call.node().inputs().stream().map(v -> v == null ? null : v.dims()).toList();
    Target target = target(new Inference(call.node(), dims), x.dims);
    boolean cropped =
        call.attributes()
            .string("coordinate_transformation_mode", "half_pixel")
            .equals("tf_crop_and_resize");
    int[] axes = axes(call.attributes(), x.dims.length);
    double[] regions = cropped ? SelectionOperators.reals(call.constant(1)) : null;
    double[] data = new double[x.count];
    Arrays.setAll(data, x::real);
    long[] shape = x.dims.clone();
    for (int axis = shape.length - 1; axis >= 0; axis--) {
      double[] region = {0, 1};
      for (int i = 0; i < axes.length && cropped; i++) {
        if (axes[i] == axis) {
          region = new double[] {regions[i], regions[axes.length + i]};
        }
      }
      boolean whole = region[0] == 0 && region[1] == 1;
      if (target.scales[axis] != 1 || target.sizes[axis] != shape[axis] || !whole) {
        Axis along = new Axis(call, target.scales[axis], shape[axis], target.sizes[axis], region);
        data = along.resized(data, shape, axis);
        shape[axis] = target.sizes[axis];
      }
    }
    for (int i = 0; i < y.count; i++) {
      y.set(i, data[i]);
    }
  }

  /** One axis on its way to another size. */
  private record Axis(Call call, double scale, long in, long out, double[] region) {
    double[] resized(double[] data, long[] shape, int axis) {
      int inner = HostArray.product(shape, axis + 1, shape.length);
      int outer = HostArray.product(shape, 0, axis);
      double outside = call.attributes().real("extrapolation_value", 0);
      double[] result = new double[Math.toIntExact(outer * out * inner)];
      for (int at = 0; at < out; at++) {
        double origin = origin(at);
        boolean beyond = cropped() && (origin < 0 || origin > in - 1);
        Taps taps = beyond ? null : taps(origin);
        for (int i = 0; i < outer * inner; i++) {
          double sum = outside;
          if (!beyond) {
            sum = 0;
            for (int k = 0; k < taps.weights.length; k++) {
              int from = (int) Math.max(0, Math.min(in - 1, taps.first + k));
              if (taps.weights[k] != 0) {
                sum += taps.weights[k] * data[(i / inner * (int) in + from) * inner + i % inner];
              }
            }
          }
          result[(i / inner * (int) out + at) * inner + i % inner] = sum;
        }
      }
      return result;
    }

    private boolean cropped() {
      return mode().equals("tf_crop_and_resize");
    }

    private String mode() {
      return call.attributes().string("coordinate_transformation_mode", "half_pixel");
    }

    /** Where an element of the result lies along the axis as it was. */
    private double origin(int at) {
      double width = scale * in;
      return switch (mode()) {
        case "align_corners" -> width == 1 ? 0 : at * (in - 1) / (width - 1);
        case "asymmetric" -> at / scale;
        case "tf_crop_and_resize" -> {
          double span = (region[1] - region[0]) * (in - 1);
          yield region[0] * (in - 1) + (width == 1 ? span / 2 : at * span / (width - 1));
        }
        case "pytorch_half_pixel" -> width == 1 ? -0.5 : (at + 0.5) / scale - 0.5;
        case "half_pixel_symmetric" -> in / 2.0 * (1 - out / width) + (at + 0.5) / scale - 0.5;
        default -> (at + 0.5) / scale - 0.5;
      };
    }

    private Taps taps(double origin) {
      double floor = Math.floor(origin);
      // From above 0 to 1: what lies on an element has it as the right one of two neighbours.
      double ratio = floor == origin ? 1 : origin - floor;
      double[] weights = weights(ratio);
      int first = (int) Math.ceil(origin) - weights.length / 2;
      boolean linear = !call.attributes().string("mode", "nearest").equals("nearest");
      if (linear && call.attributes().integer("exclude_outside", 0) != 0) {
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
          weights[i] = first + i < 0 || first + i >= in ? 0 : weights[i];
          sum += weights[i];
        }
        for (int i = 0; i < weights.length; i++) {
          weights[i] /= sum;
        }
      }
      return new Taps(first, weights);
    }

    private double[] weights(double ratio) {
      boolean smooth = call.attributes().integer("antialias", 0) != 0;
      double shrunk = smooth ? Math.min(scale, 1) : 1;
      String mode = call.attributes().string("mode", "nearest");
      if (mode.equals("nearest")) {
        boolean right =
            ratio == 1
                || switch (call.attributes().string("nearest_mode", "round_prefer_floor")) {
                  case "floor" -> false;
                  case "ceil" -> true;
                  case "round_prefer_ceil" -> ratio >= 0.5;
                  default -> ratio > 0.5;
                };
        return right ? new double[] {0, 1} : new double[] {1, 0};
      }
      boolean cubic = mode.equals("cubic");
      double a = call.attributes().real("cubic_coeff_a", -0.75f);
      int start = (int) Math.floor((cubic ? -2 : -1) / shrunk) + 1;
      double[] weights = new double[2 - 2 * start];
      double sum = 0;
      for (int i = 0; i < weights.length; i++) {
        double distance = Math.abs(shrunk * (start + i - ratio));
        weights[i] = cubic ? cubic(distance, a) : Math.max(0, 1 - distance);
        sum += weights[i];
      }
      for (int i = 0; i < weights.length && smooth; i++) {
        weights[i] /= sum;
      }
      return weights;
    }

    /** The cubic convolution kernel (Keys 1981). */
    private static double cubic(double x, double a) {
      return x <= 1
          ? ((a + 2) * x - (a + 3)) * x * x + 1
          : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
    }
  }
}

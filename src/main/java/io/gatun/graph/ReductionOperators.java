package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.function.LongBinaryOperator;
import java.util.stream.IntStream;

/** Operators that make one number of many, or go along an axis. */
final class ReductionOperators {
  private ReductionOperators() {}

  static List<Operator> all() {
    return List.of(
        new Reduce("ReduceSum", Reduction.SUM, Long::sum),
        new Reduce("ReduceMean", Reduction.MEAN, Long::sum),
        new Reduce("ReduceMax", Reduction.MAXIMUM, Math::max),
        new Reduce("ReduceMin", Reduction.MINIMUM, Math::min),
        new Reduce("ReduceProd", Reduction.PRODUCT, (a, b) -> a * b),
        new Reduce("ReduceL2", Reduction.L2, null),
        new Arg("ArgMax", true),
        new Arg("ArgMin", false),
        new Hardmax(),
        new Cumulative("CumSum"),
        new Cumulative("CumProd"),
        new TopK());
  }

  /** Over {@code axes} (attribute or input), all by default; whole numbers on the host. */
  private record Reduce(String type, Reduction reduction, LongBinaryOperator whole)
      implements HostOperator {
    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void differentiate(Differentiation d) {
      TreeSet<Integer> axes = axes(seen(d.node()));
      int from = axes.isEmpty() ? 0 : axes.first();
      if (!axes.isEmpty() && axes.last() - from + 1 != axes.size()) {
        throw d.unsupported(" over axes that are not neighbours; use two of it");
      }
      d.give(0, RowGradients.reduce(d, reduction, from, from + axes.size()));
    }

    private static Inference seen(Node node) {
      return new Inference(
          node, node.inputs().stream().map(v -> v == null ? null : v.dims()).toList());
    }

    private static TreeSet<Integer> axes(Inference inference) {
      int rank = inference.rank(0);
      long[] named = inference.integers("axes", 1);
      TreeSet<Integer> axes = new TreeSet<>();
      boolean none = named == null || named.length == 0;
      if (!none) {
        for (long axis : named) {
          axes.add(inference.axis(axis, rank));
        }
      } else if (inference.attributes().integer("noop_with_empty_axes", 0) == 0) {
        IntStream.range(0, rank).forEach(axes::add);
      }
      return axes;
    }

    @Override
    public void infer(Inference inference) {
      DType in = inference.type(0);
      boolean ordered = reduction == Reduction.MAXIMUM || reduction == Reduction.MINIMUM;
      if (!in.isFloat()
          && (whole == null
              || (in == DType.BOOL && !ordered)
              || (in == DType.UINT64 && reduction != Reduction.SUM))) {
        ElementwiseOperators.requireReal(inference);
      }
      boolean keep = inference.attributes().integer("keepdims", 1) != 0;
      List<Dim> dims = new ArrayList<>();
      if (inference.later(1)) {
        Dim axes = inference.dim(1, 0);
        if (!keep && !axes.isKnown()) {
          throw inference.error("how many axes are reduced is not known; keepdims must be 1");
        }
        int left = keep ? inference.rank(0) : (int) (inference.rank(0) - axes.size());
        for (int i = 0; i < left; i++) {
          dims.add(inference.unknown(i));
        }
      } else {
        TreeSet<Integer> axes = axes(inference);
        for (int i = 0; i < inference.rank(0); i++) {
          if (!axes.contains(i)) {
            dims.add(inference.dim(0, i));
          } else if (keep) {
            dims.add(Dim.ONE);
          }
        }
      }
      inference.output(in, dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      if (!compilation.node().inputs().get(0).type().isFloat()) {
        return new OnHost(this);
      }
      TreeSet<Integer> axes = axes(seen(compilation.node()));
      return ShapeGradients.reading(0, binding -> bind(binding, axes));
    }

    private Step bind(Binding binding, TreeSet<Integer> axes) {
      long[] dims = binding.inputDims(0);
      Region in = binding.input(0);
      Region out = binding.output(0);
      int first = axes.isEmpty() ? 0 : axes.first();
      int last = axes.isEmpty() ? 0 : axes.last() + 1;
      if (last - first == axes.size()) {
        int outer = HostArray.product(dims, 0, first);
        int size = HostArray.product(dims, first, last);
        int inner = HostArray.product(dims, last, dims.length);
        return kernels -> kernels.reduce(reduction, in, out, outer, size, inner);
      }
      // Axes that are not neighbours go last.
      List<Integer> order =
          new ArrayList<>(
              IntStream.range(0, dims.length).filter(i -> !axes.contains(i)).boxed().toList());
      int kept = order.size();
      order.addAll(axes);
      long[] from = Shape.of(dims).contiguousStrides();
      long[] extent = order.stream().mapToLong(i -> dims[i]).toArray();
      long[] strides = order.stream().mapToLong(i -> from[i]).toArray();
      long[] to = Shape.of(extent).contiguousStrides();
      int bytes = binding.inputType(0).bytes();
      Region turned = binding.scratch(Math.multiplyExact(Shape.of(dims).elements(), (long) bytes));
      int outer = HostArray.product(extent, 0, kept);
      int size = HostArray.product(extent, kept, extent.length);
      return kernels -> {
        kernels.copyStrided(in, 0, strides, turned, 0, to, extent, bytes);
        kernels.reduce(reduction, turned, out, outer, size, 1);
      };
    }

    @Override
    public void compute(Call call) {
      HostArray in = call.in(0);
      HostArray out = call.out(0);
      TreeSet<Integer> axes = axes(seen(call.node()));
      // The result's strides over the axes of the input, 0 along those that are reduced.
      long[] strides = new long[in.dims.length];
      long stride = 1;
      for (int axis = in.dims.length - 1; axis >= 0; axis--) {
        if (!axes.contains(axis)) {
          strides[axis] = stride;
          stride *= in.dims[axis];
        }
      }
      Arrays.fill(
          out.wholes,
          switch (reduction) {
            case PRODUCT -> 1;
            case MAXIMUM -> least(in.type);
            case MINIMUM -> most(in.type);
            default -> 0;
          });
      int[] places = HostArray.places(in.dims, strides, 0);
      for (int i = 0; i < in.count; i++) {
        out.wholes[places[i]] = whole.applyAsLong(out.wholes[places[i]], in.wholes[i]);
      }
      if (reduction == Reduction.MEAN && out.count > 0) {
        int size = in.count / out.count;
        for (int i = 0; i < out.count; i++) {
          out.wholes[i] = size == 0 ? 0 : out.wholes[i] / size;
        }
      }
    }

    private static long least(DType type) {
      return switch (type) {
        case INT8 -> Byte.MIN_VALUE;
        case INT16 -> Short.MIN_VALUE;
        case INT32 -> Integer.MIN_VALUE;
        case INT64 -> Long.MIN_VALUE;
        default -> 0;
      };
    }

    private static long most(DType type) {
      return switch (type) {
        case BOOL -> 1;
        case UINT8 -> 0xff;
        case UINT16 -> 0xffff;
        case UINT32 -> 0xffffffffL;
        case INT8 -> Byte.MAX_VALUE;
        case INT16 -> Short.MAX_VALUE;
        case INT32 -> Integer.MAX_VALUE;
        default -> Long.MAX_VALUE;
      };
    }
  }

  /** Where along an axis the largest or smallest is. */
  private record Arg(String type, boolean largest) implements HostOperator {
    @Override
    public void infer(Inference inference) {
      int axis = inference.axis("axis", 0, inference.rank(0));
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      if (inference.attributes().integer("keepdims", 1) != 0) {
        dims.set(axis, Dim.ONE);
      } else {
        dims.remove(axis);
      }
      inference.output(DType.INT64, dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int axis = call.axis("axis", 0, x.dims.length);
      boolean lastOne = call.attributes().integer("select_last_index", 0) != 0;
      int size = (int) x.dims[axis];
      int inner = x.product(axis + 1, x.dims.length);
      if (size == 0 && call.out(0).count > 0) {
        throw call.error(type + " of nothing: axis " + axis + " of " + Arrays.toString(x.dims));
      }
      for (int i = 0; i < call.out(0).count; i++) {
        int begin = i / inner * inner * size + i % inner;
        int best = 0;
        for (int k = 1; k < size; k++) {
          int order = x.compare(begin + k * inner, x, begin + best * inner);
          if (order == 0 ? lastOne : order > 0 == largest) {
            best = k;
          }
        }
        call.out(0).wholes[i] = best;
      }
    }
  }

  /** 1 where an axis has its first largest element, else 0. */
  private record Hardmax() implements HostOperator {
    @Override
    public String type() {
      return "Hardmax";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.axis("axis", -1, inference.rank(0));
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int axis = call.axis("axis", -1, x.dims.length);
      int size = (int) x.dims[axis];
      int inner = x.product(axis + 1, x.dims.length);
      Arrays.fill(call.out(0).reals, 0);
      for (int i = 0; size > 0 && i < x.count / size; i++) {
        int begin = i / inner * inner * size + i % inner;
        int best = begin;
        for (int k = 1; k < size; k++) {
          best = x.compare(begin + k * inner, x, best) > 0 ? begin + k * inner : best;
        }
        call.out(0).reals[best] = 1;
      }
    }
  }

  /** Sums or products of all up to each; {@code exclusive} leaves each itself out. */
  private record Cumulative(String type) implements HostOperator {
    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      ElementOperators.requireNumbers(inference, 0);
      inference.dims(1);
      if (!inference.later(1)) {
        inference.axis(inference.constant(1).longs()[0], inference.rank(0));
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      boolean product = type.equals("CumProd");
      boolean exclusive = call.attributes().integer("exclusive", 0) != 0;
      boolean reverse = call.attributes().integer("reverse", 0) != 0;
      long named = call.constant(1).longs()[0];
      int axis = (int) (named < 0 ? named + x.dims.length : named);
      int size = (int) x.dims[axis];
      int inner = x.product(axis + 1, x.dims.length);
      for (int i = 0; size > 0 && i < x.count / size; i++) {
        int begin = i / inner * inner * size + i % inner;
        double real = product ? 1 : 0;
        long whole = product ? 1 : 0;
        for (int k = 0; k < size; k++) {
          int at = begin + (reverse ? size - 1 - k : k) * inner;
          double oldReal = real;
          long oldWhole = whole;
          if (x.reals != null) {
            real = product ? real * x.reals[at] : real + x.reals[at];
            y.reals[at] = exclusive ? oldReal : real;
          } else {
            whole = product ? whole * x.wholes[at] : whole + x.wholes[at];
            y.wholes[at] = exclusive ? oldWhole : whole;
          }
        }
      }
    }
  }

  /** The k largest or smallest of an axis; {@code k}: attribute or input. */
  private record TopK() implements HostOperator {
    @Override
    public String type() {
      return "TopK";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      ElementOperators.requireNumbers(inference, 0);
      int axis = inference.axis("axis", -1, inference.rank(0));
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      if (inference.later(1)) {
        dims.set(axis, inference.unknown(0));
      } else {
        long[] k = inference.integers("k", 1);
        Dim size = inference.dim(0, axis);
        if (k == null || k.length != 1 || k[0] < 0 || (size.isKnown() && size.size() < k[0])) {
          throw inference.error("the " + Arrays.toString(k) + " largest of " + size);
        }
        dims.set(axis, Dim.of(k[0]));
      }
      inference.output(inference.type(0), dims);
      inference.output(DType.INT64, dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Value x = compilation.node().inputs().get(0);
      long axis = compilation.attributes().integer("axis", -1);
      boolean usual =
          x.type().isFloat()
              && (axis == -1 || axis == x.rank() - 1)
              && compilation.attributes().integer("largest", 1) != 0;
      return usual ? ShapeGradients.reading(0, TopK::bind) : new OnHost(this);
    }

    private static Step bind(Binding binding) {
      long[] dims = binding.inputDims(0);
      int size = Math.toIntExact(dims[dims.length - 1]);
      int rows = HostArray.product(dims, 0, dims.length - 1);
      int k = Math.toIntExact(binding.outputDims(0)[dims.length - 1]);
      Region in = binding.input(0);
      Region values =
          or(binding.output(0), binding, (long) rows * k * binding.inputType(0).bytes());
      Region indices = or(binding.output(1), binding, (long) rows * k * Long.BYTES);
      return (Kernels kernels) -> kernels.topK(in, rows, size, k, values, indices, DType.INT64);
    }

    private static Region or(Region output, Binding binding, long bytes) {
      return output != null ? output : binding.scratch(bytes);
    }

    /** Sorted whether or not that is asked for; of equals the one with the lower index. */
    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int axis = call.axis("axis", -1, x.dims.length);
      int sign = call.attributes().integer("largest", 1) != 0 ? -1 : 1;
      int size = (int) x.dims[axis];
      int inner = x.product(axis + 1, x.dims.length);
      int k = (int) call.out(0).dims[axis];
      Integer[] order = new Integer[size];
      for (int i = 0; size > 0 && i < x.count / size; i++) {
        int begin = i / inner * inner * size + i % inner;
        Arrays.setAll(order, j -> j);
        Arrays.sort(order, (a, b) -> sign * x.compare(begin + a * inner, x, begin + b * inner));
        for (int j = 0; j < k; j++) {
          int to = i / inner * inner * k + j * inner + i % inner;
          call.out(0).copy(to, x, begin + order[j] * inner);
          if (call.out(1) != null) {
            call.out(1).wholes[to] = order[j];
          }
        }
      }
    }
  }
}

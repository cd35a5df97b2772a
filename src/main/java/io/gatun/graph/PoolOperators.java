package io.gatun.graph;

import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** ONNX pooling over {@code [batch, channels, spatial...]}. */
final class PoolOperators {
  private PoolOperators() {}

  static List<Operator> all() {
    return List.of(
        new Pool("MaxPool", Kind.MAXIMUM),
        new Pool("AveragePool", Kind.MEAN),
        new Pool("LpPool", Kind.NORM),
        new MaxUnpool(),
        new ConvTransposeOperator(),
        new GlobalPool("GlobalMaxPool", Reduction.MAXIMUM),
        new GlobalPool("GlobalAveragePool", Reduction.MEAN),
        new GlobalPool("GlobalLpPool", Reduction.L2));
  }

  private static void requirePlanes(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    if (inference.rank(0) < 3) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
    }
  }

  /** What becomes of a window. */
  private enum Kind {
    MAXIMUM,
    MEAN,
    NORM
  }

  /**
   * Windows of {@code kernel_shape}. On the host: whole numbers, where the largest is, norms, and
   * means of windows that reach beyond the padding that counts.
   */
  private record Pool(String type, Kind kind) implements HostOperator {
    @Override
    public void infer(Inference inference) {
      if (inference.rank(0) < 3) {
        throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
      }
      if (kind == Kind.MAXIMUM) {
        ElementOperators.requireNumbers(inference, 0);
      } else {
        ElementwiseOperators.requireReal(inference);
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, 2));
      List<Dim> spatial = inference.dims(0).subList(2, inference.rank(0));
      boolean known = spatial.stream().allMatch(Dim::isKnown);
      long[] sizes =
          known ? spatial.stream().mapToLong(Dim::size).toArray() : new long[spatial.size()];
      Windows windows = Windows.of(inference.node(), sizes);
      for (int axis = 0; axis < sizes.length; axis++) {
        dims.add(
            known
                ? Dim.of(windows.out[axis])
                : spatial.get(axis).isKnown()
                    ? Dim.of(windows.size(axis, spatial.get(axis).size()))
                    : Dim.symbol("pooled " + spatial.get(axis) + " at " + inference.node().name()));
      }
      inference.output(inference.type(0), dims);
      if (kind == Kind.MAXIMUM) {
        inference.output(DType.INT64, dims);
      }
    }

    @Override
    public void differentiate(Differentiation d) {
      String autoPad = d.attributes().string("auto_pad", "NOTSET");
      if (d.attributes().integer("ceil_mode", 0) != 0
          || kind == Kind.NORM
          || !(autoPad.equals("NOTSET") || autoPad.equals("VALID"))) {
        throw d.unsupported(" with ceil_mode or auto_pad; give pads");
      }
      WindowGradients.pool(
          d, Windows.of(d.node(), new long[d.input(0).rank() - 2]).pooling(kind == Kind.MAXIMUM));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Node node = compilation.node();
      boolean plain = node.inputs().get(0).type().isFloat() && node.outputs().size() == 1;
      return binding -> {
        long[] dims = binding.inputDims(0);
        long planes = Shape.of(Arrays.copyOf(dims, 2)).elements();
        long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
        Windows windows = Windows.of(node, spatial);
        boolean counts = kind == Kind.MEAN && windows.countsPadding && windows.reachesBeyond();
        if (!plain || kind == Kind.NORM || counts) {
          return new OnHost(this).bind(binding);
        }
        PoolingSpec pooling = windows.pooling(kind == Kind.MAXIMUM);
        Region in = binding.input(0);
        Region out = binding.output(0);
        return kernels -> kernels.pool(pooling, in, planes, spatial, out);
      };
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      HostArray indices = kind == Kind.MAXIMUM ? call.out(1) : null;
      Windows windows = Windows.of(call.node(), Arrays.copyOfRange(x.dims, 2, x.dims.length));
      int plane = x.product(2, x.dims.length);
      int outPlane = y.product(2, y.dims.length);
      boolean columnMajor = call.attributes().integer("storage_order", 0) != 0;
      double p = call.attributes().integer("p", 2);
      for (int i = 0; i < y.count; i++) {
        int begin = i / outPlane * plane;
        int[] places = windows.places(i % outPlane);
        if (kind != Kind.MAXIMUM) {
          double sum = 0;
          for (int place : places) {
            double value = x.reals[begin + place];
            sum += kind == Kind.MEAN ? value : Math.pow(Math.abs(value), p);
          }
          int count = windows.countsPadding ? windows.counted(i % outPlane) : places.length;
          y.reals[i] = kind == Kind.NORM ? Math.pow(sum, 1 / p) : count == 0 ? 0 : sum / count;
          continue;
        }
        int best = -1;
        for (int place : places) {
          best = best < 0 || x.compare(begin + place, x, best) > 0 ? begin + place : best;
        }
        if (best < 0) {
          throw call.error("a window sees nothing but padding");
        }
        y.copy(i, x, best);
        if (indices != null) {
          indices.wholes[i] = columnMajor ? begin + windows.columnMajor(best - begin) : best;
        }
      }
    }
  }

  /** The elements where {@code MaxPool} said that they were, the rest 0. */
  private record MaxUnpool() implements HostOperator {
    @Override
    public String type() {
      return "MaxUnpool";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 2;
    }

    @Override
    public void infer(Inference inference) {
      requirePlanes(inference);
      inference.expect(1, inference.dims(0).toArray(new Dim[0]));
      int rank = inference.rank(0);
      if (inference.later(2)) {
        inference.output(inference.type(0), ShapeOperators.unknownDims(inference, rank));
        return;
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, 2));
      long[] given = inference.has(2) ? inference.constant(2).longs() : null;
      long[] kernel = inference.attributes().integers("kernel_shape");
      long[] strides = inference.attributes().integers("strides", Windows.repeated(rank - 2, 1));
      long[] pads = inference.attributes().integers("pads", Windows.repeated(2 * (rank - 2), 0));
      if ((given != null && given.length != rank)
          || kernel.length != rank - 2
          || strides.length != rank - 2
          || pads.length != 2 * (rank - 2)) {
        throw inference.error("kernel_shape, strides, pads or output_shape do not fit");
      }
      for (int i = 0; i < rank - 2; i++) {
        long more = kernel[i] - strides[i] - pads[i] - pads[rank - 2 + i];
        Dim scaled = inference.dim(0, i + 2).times(Dim.of(strides[i]));
        dims.add(
            given != null
                ? Dim.of(given[i + 2])
                : more < 0 ? scaled.minus(Dim.of(-more)) : scaled.plus(Dim.of(more)));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      Arrays.fill(y.reals, 0);
      // The places are those of the sizes without output_shape, at whose beginning they lie.
      long[] plain = x.dims.clone();
      for (int axis = 2; axis < plain.length; axis++) {
        plain[axis] = unpooled(call.attributes(), axis - 2, plain.length - 2, x.dims[axis]);
      }
      long[] strides = y.strides();
      for (int i = 0; i < x.count; i++) {
        long rest = call.in(1).wholes[i];
        long to = 0;
        for (int axis = plain.length - 1; axis >= 0 && rest >= 0; axis--) {
          long at = axis == 0 ? rest : rest % plain[axis];
          rest /= plain[axis];
          rest = at < y.dims[axis] ? rest : -1;
          to += at * strides[axis];
        }
        if (rest < 0) {
          throw new IndexOutOfBoundsException(
              call.node().name()
                  + ": index "
                  + call.in(1).wholes[i]
                  + " of "
                  + Arrays.toString(y.dims));
        }
        y.reals[(int) to] = x.reals[i];
      }
    }

    private static long unpooled(Attributes attributes, int axis, int axes, long size) {
      long[] pads = attributes.integers("pads", Windows.repeated(2 * axes, 0));
      long stride = attributes.integers("strides", Windows.repeated(axes, 1))[axis];
      return (size - 1) * stride
          + attributes.integers("kernel_shape")[axis]
          - pads[axis]
          - pads[axes + axis];
    }
  }

  /** Over all of each plane. */
  private record GlobalPool(String type, Reduction reduction) implements Operator {
    @Override
    public String limits() {
      return reduction == Reduction.L2 ? "p 2 only" : "";
    }

    @Override
    public void infer(Inference inference) {
      requirePlanes(inference);
      if (reduction == Reduction.L2 && inference.attributes().integer("p", 2) != 2) {
        throw inference.error("p is " + inference.attributes().integer("p", 2) + ", expected 2");
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, 2));
      while (dims.size() < inference.rank(0)) {
        dims.add(Dim.ONE);
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void differentiate(Differentiation d) {
      d.give(0, RowGradients.reduce(d, reduction, 2, d.input(0).rank()));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] dims = binding.inputDims(0);
        long planes = Shape.of(Arrays.copyOf(dims, 2)).elements();
        int size = Math.toIntExact(Shape.of(Arrays.copyOfRange(dims, 2, dims.length)).elements());
        Region in = binding.input(0);
        Region out = binding.output(0);
        return kernels -> kernels.reduce(reduction, in, out, planes, size, 1);
      };
    }
  }
}

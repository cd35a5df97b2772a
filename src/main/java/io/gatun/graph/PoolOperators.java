package io.gatun.graph;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** ONNX pooling over {@code [batch, channels, spatial...]}. */
final class PoolOperators {
  private PoolOperators() {}

  static List<Operator> all() {
    return List.of(
        new Pool("MaxPool", true),
        new Pool("AveragePool", false),
        new GlobalPool("GlobalMaxPool", Reduction.MAXIMUM),
        new GlobalPool("GlobalAveragePool", Reduction.MEAN));
  }

  private static void requirePlanes(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    if (inference.rank(0) < 3) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
    }
  }

  /** Windows of {@code kernel_shape}; {@code ceil_mode} and {@code auto_pad} are not there. */
  private record Pool(String type, boolean maximum) implements Operator {
    private PoolingSpec spec(Node node, int rank) {
      Attributes attributes = node.attributes();
      int axes = rank - 2;
      long[] kernel = attributes.integers("kernel_shape");
      long[] ones = new long[axes];
      Arrays.fill(ones, 1);
      long[] pads = attributes.integers("pads", new long[2 * axes]);
      String autoPad = attributes.string("auto_pad", "NOTSET");
      if (attributes.integer("ceil_mode", 0) != 0
          || !(autoPad.equals("NOTSET") || autoPad.equals("VALID"))) {
        throw new UnsupportedOperationException(
            node.name() + ": " + type + " with ceil_mode or auto_pad; give pads");
      }
      if (kernel.length != axes || pads.length != 2 * axes) {
        throw new io.gatun.tensor.ShapeException(
            node.name()
                + ": kernel_shape "
                + Arrays.toString(kernel)
                + " and pads "
                + Arrays.toString(pads)
                + " for "
                + axes
                + " spatial axes");
      }
      return new PoolingSpec(
          maximum,
          attributes.integer("count_include_pad", 0) != 0,
          new ConvolutionSpec(
              1,
              1,
              1,
              ints(kernel),
              ints(attributes.integers("strides", ones)),
              ints(attributes.integers("dilations", ones)),
              ints(Arrays.copyOf(pads, axes)),
              ints(Arrays.copyOfRange(pads, axes, 2 * axes))));
    }

    private static List<Integer> ints(long[] longs) {
      return Arrays.stream(longs).mapToObj(Math::toIntExact).toList();
    }

    @Override
    public void infer(Inference inference) {
      requirePlanes(inference);
      ConvolutionSpec window = spec(inference.node(), inference.rank(0)).window();
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, 2));
      for (int axis = 0; axis < inference.rank(0) - 2; axis++) {
        Dim size = inference.dim(0, axis + 2);
        dims.add(
            size.isKnown()
                ? Dim.of(window.outputSize(axis, size.size()))
                : Dim.symbol("pooled " + size + " at " + inference.node().name()));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void differentiate(Differentiation d) {
      WindowGradients.pool(d, spec(d.node(), d.input(0).rank()));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Node node = compilation.node();
      PoolingSpec pooling = spec(node, node.inputs().get(0).rank());
      return binding -> {
        long[] dims = binding.inputDims(0);
        long planes = Shape.of(Arrays.copyOf(dims, 2)).elements();
        long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
        Region in = binding.input(0);
        Region out = binding.output(0);
        return kernels -> kernels.pool(pooling, in, planes, spatial, out);
      };
    }
  }

  /** Over all of each plane. */
  private record GlobalPool(String type, Reduction reduction) implements Operator {
    @Override
    public void infer(Inference inference) {
      requirePlanes(inference);
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

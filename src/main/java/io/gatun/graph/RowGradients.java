package io.gatun.graph;

import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The gradients of operators over the elements of an axis. */
final class RowGradients {
  private RowGradients() {}

  static Value softmax(Differentiation d, boolean logarithm) {
    return d.add(new SoftmaxGradient(logarithm), Attributes.NONE, d.output(0), d.gradient(0));
  }

  static void layerNormalization(Differentiation d) {
    List<Value> gradients =
        d.add(
            new LayerNormGradient(),
            d.attributes(),
            Arrays.asList(d.input(0), d.input(1), d.gradient(0)),
            3);
    for (int i = 0; i < 3; i++) {
      d.give(i, gradients.get(i));
    }
  }

  /** Of a reduction over the axes {@code first} to {@code end} − 1. */
  static Value reduce(Differentiation d, Reduction reduction, int first, int end) {
    Operator operator = new ReduceGradient(reduction, first, end);
    // Of sums and means only the sizes are needed, and the input need not be kept.
    return d.add(
            operator, Attributes.NONE, Arrays.asList(d.input(0), d.output(0), d.gradient(0)), 1)
        .get(0);
  }

  private static long product(long[] dims, int from, int to) {
    long product = 1;
    for (int i = from; i < to; i++) {
      product = Math.multiplyExact(product, dims[i]);
    }
    return product;
  }

  /** {@code [output, output gradient]}. */
  private record SoftmaxGradient(boolean logarithm) implements Operator {
    @Override
    public String type() {
      return logarithm ? "LogSoftmaxGradient" : "SoftmaxGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] dims = binding.inputDims(0);
        int size = Math.toIntExact(dims[dims.length - 1]);
        int rows = Math.toIntExact(product(dims, 0, dims.length - 1));
        Region y = binding.input(0);
        Region dy = binding.input(1);
        Region dx = binding.output(0);
        return kernels -> kernels.training().softmaxGradient(logarithm, y, dy, dx, rows, size);
      };
    }
  }

  /** {@code [input, scale, output gradient]}: the gradients of input, scale and shift. */
  private record LayerNormGradient() implements Operator {
    @Override
    public String type() {
      return "LayerNormGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
      inference.output(inference.type(0), inference.dims(1));
      inference.output(inference.type(0), inference.dims(1));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      float epsilon = compilation.attributes().real("epsilon", 1e-5f);
      return binding -> {
        int size = Math.toIntExact(Shape.of(binding.inputDims(1)).elements());
        long elements = Shape.of(binding.inputDims(0)).elements();
        int rows = size == 0 ? 0 : Math.toIntExact(elements / size);
        Region x = binding.input(0);
        Region scale = binding.input(1);
        Region dy = binding.input(2);
        Region dx = binding.output(0);
        Region dscale = binding.output(1);
        Region dshift = binding.output(2);
        return kernels ->
            kernels
                .training()
                .layerNormGradient(x, scale, dy, rows, size, epsilon, dx, dscale, dshift);
      };
    }
  }

  /** {@code [input, output, output gradient]}. */
  private record ReduceGradient(Reduction reduction, int first, int end) implements Operator {
    @Override
    public String type() {
      return "ReduceGradient";
    }

    private boolean spreads() {
      return reduction == Reduction.SUM || reduction == Reduction.MEAN;
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return new Compiled() {
        @Override
        public List<Value> operands(Node node) {
          return spreads() ? List.of(node.inputs().get(2)) : new ArrayList<>(node.inputs());
        }

        @Override
        public Step bind(Binding binding) {
          return ReduceGradient.this.bind(binding);
        }
      };
    }

    private Step bind(Binding binding) {
      long[] dims = binding.outputDims(0);
      long outer = product(dims, 0, first);
      int size = Math.toIntExact(product(dims, first, end));
      long inner = product(dims, end, dims.length);
      Region dy = binding.input(2);
      Region dx = binding.output(0);
      DType type = binding.outputType(0);
      if (!spreads()) {
        Region x = binding.input(0);
        Region y = binding.input(1);
        return kernels ->
            kernels.training().reduceGradient(reduction, x, y, dy, dx, outer, size, inner);
      }
      long[] extent = {outer, size, inner};
      long[] from = {inner, 0, 1};
      long[] once = {0, 0, 0};
      Region divisor = binding.scratch(type.bytes());
      double number = reduction == Reduction.MEAN ? size : 1;
      return kernels -> {
        kernels.fill(divisor, type, 1, number);
        kernels.binary(BinaryOperation.DIVIDE, type, dy, from, divisor, once, dx, extent);
      };
    }
  }
}

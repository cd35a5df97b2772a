package io.gatun.graph;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PoolingSpec;
import io.gatun.kernel.Region;
import io.gatun.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/** Convolutions whose weights change, and the gradients of convolutions and pooling. */
final class WindowGradients {
  private WindowGradients() {}

  static void convolution(Differentiation d) {
    boolean[] wanted = {d.wanted(0), d.wanted(1), d.wanted(2)};
    List<Value> gradients =
        d.add(
            new ConvolutionGradient(wanted),
            d.attributes(),
            Arrays.asList(d.input(0), d.input(1), d.input(2), d.gradient(0)),
            3);
    for (int i = 0; i < 3; i++) {
      d.give(i, gradients.get(i));
    }
  }

  /** A convolution with weights that are no constants. */
  static Operator.Compiled changing(Compilation compilation) {
    ConvolutionSpec spec =
        ConvolutionOperator.spec(compilation.node(), compilation.node().inputs().get(1).dims());
    return binding -> {
      long[] dims = binding.inputDims(0);
      int batch = Math.toIntExact(dims[0]);
      long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
      Region in = binding.input(0);
      Region weights = binding.input(1);
      Region bias = binding.has(2) ? binding.input(2) : null;
      Region out = binding.output(0);
      return kernels -> kernels.training().convolve(spec, in, weights, bias, batch, spatial, out);
    };
  }

  static void pool(Differentiation d, PoolingSpec pooling) {
    d.give(0, d.add(new PoolGradient(pooling), Attributes.NONE, d.input(0), d.gradient(0)));
  }

  /** {@code [input, weights, bias, output gradient]}: the gradients of the first three. */
  private record ConvolutionGradient(boolean[] wanted) implements Operator {
    @Override
    public String type() {
      return "ConvGradient";
    }

    @Override
    public void infer(Inference inference) {
      for (int i = 0; i < 3; i++) {
        // A bias that is not there has a gradient that nobody asks for.
        if (inference.has(i)) {
          inference.output(inference.type(i), inference.dims(i));
        } else {
          inference.output(inference.type(0), inference.dim(1, 0));
        }
      }
    }

    @Override
    public Compiled compile(Compilation compilation) {
      ConvolutionSpec spec =
          ConvolutionOperator.spec(compilation.node(), compilation.node().inputs().get(1).dims());
      return new Compiled() {
        @Override
        public List<Value> operands(Node node) {
          return List.of(node.inputs().get(0), node.inputs().get(1), node.inputs().get(3));
        }

        @Override
        public Step bind(Binding binding) {
          long[] dims = binding.inputDims(0);
          int batch = Math.toIntExact(dims[0]);
          long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
          Region in = binding.input(0);
          Region weights = binding.input(1);
          Region given = binding.input(3);
          Region dx = wanted[0] ? binding.output(0) : null;
          Region dw = wanted[1] ? binding.output(1) : null;
          Region db = wanted[2] ? binding.output(2) : null;
          return kernels ->
              kernels
                  .training()
                  .convolutionGradient(spec, in, weights, given, batch, spatial, dx, dw, db);
        }
      };
    }
  }

  /** {@code [input, output gradient]}. */
  private record PoolGradient(PoolingSpec pooling) implements Operator {
    @Override
    public String type() {
      return "PoolGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] dims = binding.inputDims(0);
        long planes = Shape.of(Arrays.copyOf(dims, 2)).elements();
        long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
        Region in = binding.input(0);
        Region given = binding.input(1);
        Region out = binding.output(0);
        return kernels -> kernels.training().poolGradient(pooling, in, given, planes, spatial, out);
      };
    }
  }
}

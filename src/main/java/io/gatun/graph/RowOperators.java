package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Softmax and layer normalisation. */
final class RowOperators {
  private RowOperators() {}

  static List<Operator> all() {
    return List.of(
        new Softmax("Softmax"),
        new Softmax("LogSoftmax"),
        new MaskedSoftmax(),
        new LayerNormalization());
  }

  private static int product(long[] dims, int from, int to) {
    long product = 1;
    for (int i = from; i < to; i++) {
      product = Math.multiplyExact(product, dims[i]);
    }
    return Math.toIntExact(product);
  }

  /** Over an axis, the last by default. */
  private record Softmax(String type) implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      int rank = d.input(0).rank();
      long axis = d.attributes().integer("axis", -1);
      if (axis != -1 && axis != rank - 1) {
        throw d.unsupported(" over another axis than the last; transpose before it");
      }
      d.give(0, RowGradients.softmax(d, type.equals("LogSoftmax")));
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      if (inference.rank(0) > 0) {
        inference.axis("axis", -1, inference.rank(0));
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      boolean logarithm = type.equals("LogSoftmax");
      long requested = compilation.attributes().integer("axis", -1);
      return binding -> {
        long[] dims = binding.inputDims(0);
        int axis =
            dims.length == 0 ? 0 : (int) (requested < 0 ? requested + dims.length : requested);
        int size = dims.length == 0 ? 1 : Math.toIntExact(dims[axis]);
        int outer = product(dims, 0, axis);
        int inner = product(dims, Math.min(axis + 1, dims.length), dims.length);
        int rows = Math.multiplyExact(outer, inner);
        Region in = binding.input(0);
        Region out = binding.output(0);
        if (inner == 1) {
          return rows(logarithm, in, out, rows, size);
        }
        // The axis goes last and comes back.
        int bytes = binding.inputType(0).bytes();
        Region turned = binding.scratch(Math.multiplyExact((long) rows * size, bytes));
        Step step = rows(logarithm, turned, turned, rows, size);
        long[] extent = {outer, inner, size};
        long[] there = {(long) size * inner, 1, inner};
        long[] last = {(long) inner * size, size, 1};
        return kernels -> {
          kernels.copyStrided(in, 0, there, turned, 0, last, extent, bytes);
          step.run(kernels);
          kernels.copyStrided(turned, 0, last, out, 0, there, extent, bytes);
        };
      };
    }

    private static Step rows(boolean logarithm, Region in, Region out, int rows, int size) {
      return logarithm
          ? kernels -> kernels.logSoftmax(in, out, rows, size)
          : kernels -> kernels.softmax(in, out, rows, size, null, 1);
    }
  }

  /** {@code [batch, …, size]} and int32 lengths {@code [batch]}: row b ends at lengths[b]. */
  private record MaskedSoftmax() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, RowGradients.softmax(d, false));
    }

    @Override
    public String type() {
      return "MaskedSoftmax";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      if (inference.rank(0) < 2) {
        throw inference.error("input is " + inference.dims(0) + ", expected [batch, …, size]");
      }
      inference.expect(1, inference.dim(0, 0));
      if (inference.type(1) != DType.INT32) {
        throw inference.error("lengths are " + inference.type(1).label() + ", expected int32");
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] dims = binding.inputDims(0);
        int size = Math.toIntExact(dims[dims.length - 1]);
        int rows = product(dims, 0, dims.length - 1);
        int rowsPerLength = product(dims, 1, dims.length - 1);
        Region in = binding.input(0);
        Region lengths = binding.input(1);
        Region out = binding.output(0);
        return kernels -> kernels.softmax(in, out, rows, size, lengths, rowsPerLength);
      };
    }
  }

  /**
   * Over all axes from {@code axis} on: input, scale, and a shift that may be left out. The mean
   * and the reciprocal of the standard deviation, where they are asked for, are formed on the host.
   */
  private record LayerNormalization() implements HostOperator {
    @Override
    public void differentiate(Differentiation d) {
      RowGradients.layerNormalization(d);
    }

    @Override
    public String type() {
      return "LayerNormalization";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      int axis = inference.axis("axis", -1, rank);
      List<Dim> normalised = inference.dims(0).subList(axis, rank);
      inference.expect(1, normalised.toArray(new Dim[0]));
      if (inference.has(2)) {
        inference.expect(2, normalised.toArray(new Dim[0]));
      }
      inference.output(inference.type(0), inference.dims(0));
      List<Dim> statistics = new ArrayList<>(inference.dims(0));
      for (int i = axis; i < rank; i++) {
        statistics.set(i, Dim.ONE);
      }
      inference.output(DType.FLOAT32, statistics);
      inference.output(DType.FLOAT32, statistics);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int axis = call.axis("axis", -1, x.dims.length);
      int rows = x.product(0, axis);
      int size = x.product(axis, x.dims.length);
      double epsilon = call.attributes().real("epsilon", 1e-5f);
      for (int row = 0; row < rows; row++) {
        double mean = 0;
        for (int i = 0; i < size; i++) {
          mean += x.reals[row * size + i] / size;
        }
        double variance = 0;
        for (int i = 0; i < size; i++) {
          double d = x.reals[row * size + i] - mean;
          variance += d * d / size;
        }
        double factor = 1 / Math.sqrt(variance + epsilon);
        for (int i = 0; i < size; i++) {
          double shift = call.in(2) == null ? 0 : call.in(2).reals[i];
          double normal = (x.reals[row * size + i] - mean) * factor;
          call.out(0).reals[row * size + i] = normal * call.in(1).reals[i] + shift;
        }
        call.out(1).reals[row] = mean;
        if (call.out(2) != null) {
          call.out(2).reals[row] = factor;
        }
      }
    }

    @Override
    public Compiled compile(Compilation compilation) {
      if (compilation.wanted(1) || compilation.wanted(2)) {
        return new OnHost(this);
      }
      float epsilon = compilation.attributes().real("epsilon", 1e-5f);
      long requested = compilation.attributes().integer("axis", -1);
      return binding -> {
        long[] dims = binding.inputDims(0);
        int axis = (int) (requested < 0 ? requested + dims.length : requested);
        int rows = product(dims, 0, axis);
        int size = product(dims, axis, dims.length);
        Region in = binding.input(0);
        Region scale = binding.input(1);
        Region shift = binding.has(2) ? binding.input(2) : null;
        Region out = binding.output(0);
        return kernels -> kernels.layerNorm(in, out, rows, size, scale, shift, epsilon);
      };
    }
  }
}

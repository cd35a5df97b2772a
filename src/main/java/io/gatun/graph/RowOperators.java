package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Operators over the elements of an axis: softmax, normalisation, reduction, the largest. */
final class RowOperators {
  private RowOperators() {}

  static List<Operator> all() {
    return List.of(
        new Softmax("Softmax"),
        new Softmax("LogSoftmax"),
        new MaskedSoftmax(),
        new LayerNormalization(),
        new Reduce("ReduceSum", Reduction.SUM),
        new Reduce("ReduceMean", Reduction.MEAN),
        new Reduce("ReduceMax", Reduction.MAXIMUM),
        new Reduce("ReduceMin", Reduction.MINIMUM),
        new Reduce("ReduceL2", Reduction.L2),
        new Reduce("ReduceProd", Reduction.PRODUCT),
        new TopK());
  }

  private static int product(long[] dims, int from, int to) {
    long product = 1;
    for (int i = from; i < to; i++) {
      product = Math.multiplyExact(product, dims[i]);
    }
    return Math.toIntExact(product);
  }

  /** Over the last axis. */
  private record Softmax(String type) implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, RowGradients.softmax(d, type.equals("LogSoftmax")));
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      if (rank == 0 || inference.axis("axis", -1, rank) != rank - 1) {
        throw inference.error(type + " goes over the last axis only; transpose before it");
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      boolean logarithm = type.equals("LogSoftmax");
      return binding -> {
        long[] dims = binding.inputDims(0);
        int size = Math.toIntExact(dims[dims.length - 1]);
        int rows = product(dims, 0, dims.length - 1);
        Region in = binding.input(0);
        Region out = binding.output(0);
        return logarithm
            ? kernels -> kernels.logSoftmax(in, out, rows, size)
            : kernels -> kernels.softmax(in, out, rows, size, null, 1);
      };
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

  /** Over all axes from {@code axis} on: input, scale, and a shift that may be left out. */
  private record LayerNormalization() implements Operator {
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
    }

    @Override
    public Compiled compile(Compilation compilation) {
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

  /** Over neighbouring {@code axes} (attribute or constant), all by default. */
  private record Reduce(String type, Reduction reduction) implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      List<List<Dim>> dims =
          d.node().inputs().stream().map(v -> v == null ? null : v.dims()).toList();
      TreeSet<Integer> axes = axes(new Inference(d.node(), dims));
      int from = axes.isEmpty() ? 0 : axes.first();
      d.give(0, RowGradients.reduce(d, reduction, from, from + axes.size()));
    }

    private static TreeSet<Integer> axes(Inference inference) {
      int rank = inference.rank(0);
      long[] named = inference.integers("axes", 1);
      TreeSet<Integer> axes = new TreeSet<>();
      boolean none = named == null || named.length == 0;
      if (none && inference.attributes().integer("noop_with_empty_axes", 0) != 0) {
        throw inference.error("reduces over no axis; Identity does that");
      }
      if (none) {
        for (int i = 0; i < rank; i++) {
          axes.add(i);
        }
      } else {
        for (long axis : named) {
          axes.add(inference.axis(axis, rank));
        }
      }
      if (!axes.isEmpty() && axes.last() - axes.first() + 1 != axes.size()) {
        throw inference.error("reduces over neighbouring axes only, not " + axes);
      }
      return axes;
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      TreeSet<Integer> axes = axes(inference);
      boolean keep = inference.attributes().integer("keepdims", 1) != 0;
      List<Dim> dims = new ArrayList<>();
      for (int i = 0; i < inference.rank(0); i++) {
        if (!axes.contains(i)) {
          dims.add(inference.dim(0, i));
        } else if (keep) {
          dims.add(Dim.ONE);
        }
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Node node = compilation.node();
      Inference inference =
          new Inference(
              node, node.inputs().stream().map(v -> v == null ? null : v.dims()).toList());
      TreeSet<Integer> axes = axes(inference);
      return new Compiled() {
        @Override
        public List<Value> operands(Node of) {
          return List.of(of.inputs().get(0));
        }

        @Override
        public Step bind(Binding binding) {
          long[] dims = binding.inputDims(0);
          int first = axes.isEmpty() ? 0 : axes.first();
          int last = axes.isEmpty() ? 0 : axes.last() + 1;
          int outer = product(dims, 0, first);
          int size = product(dims, first, last);
          int inner = product(dims, last, dims.length);
          Region in = binding.input(0);
          Region out = binding.output(0);
          return kernels -> kernels.reduce(reduction, in, out, outer, size, inner);
        }
      };
    }
  }

  /** The k largest of the last axis, largest first; {@code k}: attribute or constant. */
  private record TopK() implements Operator {
    @Override
    public String type() {
      return "TopK";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      long[] k = inference.integers("k", 1);
      if (rank == 0
          || k == null
          || k.length != 1
          || k[0] < 0
          || inference.axis("axis", -1, rank) != rank - 1
          || inference.attributes().integer("largest", 1) == 0) {
        throw inference.error("finds the k largest of the last axis only");
      }
      Dim size = inference.dim(0, -1);
      if (size.isKnown() && size.size() < k[0]) {
        throw inference.error("the " + k[0] + " largest of " + size);
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      dims.set(rank - 1, Dim.of(k[0]));
      inference.output(inference.type(0), dims);
      inference.output(DType.INT64, dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return new Compiled() {
        @Override
        public List<Value> operands(Node node) {
          return List.of(node.inputs().get(0));
        }

        @Override
        public Step bind(Binding binding) {
          long[] dims = binding.inputDims(0);
          int size = Math.toIntExact(dims[dims.length - 1]);
          int rows = product(dims, 0, dims.length - 1);
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
      };
    }
  }
}

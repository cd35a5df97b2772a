package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.Region;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Products of two sides that both vary, and the gradients of matrix products. */
final class MatrixGradients {
  private MatrixGradients() {}

  /** The gradients of a product's two sides. */
  static void product(Differentiation d) {
    Value a = d.input(0);
    Value b = d.input(1);
    Value dy = d.gradient(0);
    if (a.rank() < 2) {
      throw d.unsupported(" with a vector on the left; give it a second axis");
    }
    if (b.rank() == 1) {
      Value column = d.add("Unsqueeze", Attributes.of("axes", new long[] {a.rank() - 1}), dy);
      if (d.wanted(0)) {
        d.give(0, d.add("Mul", Attributes.NONE, column, b));
      }
      if (d.wanted(1)) {
        d.give(1, d.shapedLike(d.add(new WeightGradient(), Attributes.NONE, a, column), b));
      }
    } else if (b.rank() == 2) {
      if (d.wanted(0)) {
        d.give(0, d.add(new Turned(), Attributes.NONE, dy, b));
      }
      if (d.wanted(1)) {
        d.give(1, d.add(new WeightGradient(), Attributes.NONE, a, dy));
      }
    } else {
      if (d.wanted(0)) {
        d.give(0, d.summedTo(d.add(new Batched(false, true), Attributes.NONE, dy, b), a));
      }
      if (d.wanted(1)) {
        d.give(1, d.summedTo(d.add(new Batched(true, false), Attributes.NONE, a, dy), b));
      }
    }
  }

  /** Gemm with a constant matrix as it is; else as a product, a scaling and a sum. */
  static void copyGemm(TrainingCopy copy) {
    List<Value> in = copy.inputs();
    boolean changes = in.get(1).constant() == null || (copy.has(2) && in.get(2).constant() == null);
    if (!changes && !copy.active()) {
      copy.asItIs();
      return;
    }
    Node node = copy.node();
    Attributes attributes = node.attributes();
    Value a = turned(copy, in.get(0), "transA");
    Value b = turned(copy, in.get(1), "transB");
    boolean scaled = attributes.real("alpha", 1) != 1;
    boolean shifted = copy.has(2);
    String last = copy.outputs().get(0);
    Value y =
        add(
            copy,
            scaled || shifted ? node.name() + "/product" : last,
            "MatMul",
            Attributes.NONE,
            a,
            b);
    if (scaled) {
      Attributes alpha = Attributes.of("alpha", attributes.real("alpha", 1), "beta", 0f);
      y = add(copy, shifted ? node.name() + "/scaled" : last, "Affine", alpha, y);
    }
    if (shifted) {
      Value c = in.get(2);
      if (attributes.real("beta", 1) != 1) {
        Attributes beta = Attributes.of("alpha", attributes.real("beta", 1), "beta", 0f);
        c = add(copy, node.name() + "/addend", "Affine", beta, c);
      }
      add(copy, last, "Add", Attributes.NONE, y, c);
    }
  }

  private static Value turned(TrainingCopy copy, Value value, String which) {
    return copy.node().attributes().integer(which, 0) == 0
        ? value
        : add(
            copy,
            copy.node().name() + "/" + which,
            "Transpose",
            Attributes.of("perm", new long[] {1, 0}),
            value);
  }

  private static Value add(
      TrainingCopy copy, String name, String operator, Attributes attributes, Value... in) {
    return copy.add(name, Operators.get(operator), attributes, Arrays.asList(in), List.of(name))
        .get(0);
  }

  private static int rows(long[] dims) {
    long rows = 1;
    for (int axis = 0; axis < dims.length - 1; axis++) {
      rows = Math.multiplyExact(rows, dims[axis]);
    }
    return Math.toIntExact(rows);
  }

  private static int last(long[] dims) {
    return Math.toIntExact(dims[dims.length - 1]);
  }

  /** {@code A·B}, or {@code A·Bᵀ}, with one matrix B for all rows of A, which is not packed. */
  static Operator.Compiled oneMatrix(boolean turned) {
    return binding -> {
      Region a = binding.input(0);
      Region b = binding.input(1);
      Region c = binding.output(0);
      int rows = rows(binding.inputDims(0));
      int inner = last(binding.inputDims(0));
      int columns = last(binding.outputDims(0));
      long innerStride = turned ? 1 : columns;
      long columnStride = turned ? inner : 1;
      return kernels ->
          kernels
              .training()
              .multiply(
                  a, inner, 1, b, innerStride, columnStride, rows, inner, columns, c, columns);
    };
  }

  /** {@code A·Bᵀ} with one matrix B {@code [columns, inner]} for all rows of A. */
  private record Turned() implements Operator {
    @Override
    public String type() {
      return "MatMulTransposed";
    }

    @Override
    public void infer(Inference inference) {
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      dims.set(dims.size() - 1, inference.dim(1, 0));
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Constant matrix = compilation.constant(1);
      if (matrix != null) {
        // Frozen: packed once, like any other product with a constant.
        io.gatun.kernel.PackedMatrix packed =
            compilation.own(
                compilation.device().pack(matrix.tensor(compilation.scratch()).transpose(), null));
        return ShapeGradients.reading(
            0,
            binding -> {
              Region a = binding.input(0);
              Region c = binding.output(0);
              int rows = rows(binding.inputDims(0));
              return kernels ->
                  kernels.multiply(
                      a, packed.inner(), rows, packed, Activation.IDENTITY, c, packed.columns());
            });
      }
      return oneMatrix(true);
    }
  }

  /** {@code Aᵀ·G} over all rows of all axes but the last: the gradient of a matrix of weights. */
  private record WeightGradient() implements Operator {
    @Override
    public String type() {
      return "WeightGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dim(0, -1), inference.dim(1, -1));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Region a = binding.input(0);
        Region b = binding.input(1);
        Region c = binding.output(0);
        int inner = rows(binding.inputDims(0));
        int rows = last(binding.inputDims(0));
        int columns = last(binding.inputDims(1));
        return kernels ->
            kernels
                .training()
                .multiply(a, 1, rows, b, columns, 1, rows, inner, columns, c, columns);
      };
    }
  }

  /** Products of matrices, the last two axes of either side turned. */
  private record Batched(boolean turnA, boolean turnB) implements Operator {
    @Override
    public String type() {
      return "MatMul" + (turnA ? "TransposedLeft" : "TransposedRight");
    }

    @Override
    public void infer(Inference inference) {
      List<Dim> a = inference.dims(0);
      List<Dim> b = inference.dims(1);
      List<Dim> dims =
          new ArrayList<>(
              inference.broadcast(a.subList(0, a.size() - 2), b.subList(0, b.size() - 2)));
      dims.add(inference.dim(0, turnA ? -1 : -2));
      dims.add(inference.dim(1, turnB ? -2 : -1));
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Region a = binding.input(0);
        Region b = binding.input(1);
        Region c = binding.output(0);
        BatchedProduct product =
            MatrixOperators.MatMul.product(
                binding.inputDims(0), binding.inputDims(1), turnA, turnB);
        return kernels -> kernels.multiply(product, a, b, c);
      };
    }
  }
}

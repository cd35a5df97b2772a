package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BatchedProduct;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Matrix products. */
final class MatrixOperators {
  private MatrixOperators() {}

  static List<Operator> all() {
    return List.of(new MatMul(), new EinsumOperator());
  }

  /** Whether a node is a product whose right-hand side is one constant matrix. */
  static boolean isConstantProduct(Node node) {
    return node.operator() instanceof MatMul
        && node.inputs().get(1).constant() != null
        && node.inputs().get(1).rank() == 2
        && node.inputs().get(0).rank() >= 2;
  }

  private static PackedMatrix pack(Compilation compilation, Tensor matrix, Tensor bias) {
    WeightFormat format = compilation.format(List.of(matrix));
    try {
      return compilation.own(compilation.device().pack(matrix, bias, format));
    } catch (IllegalArgumentException e) {
      throw compilation.unpackable(e);
    }
  }

  /**
   * {@code activation(A·B + bias)} with constant B {@code [inner, columns]}: what a product becomes
   * when nodes are fused.
   */
  record Linear(Constant matrix, Constant bias, Activation activation) implements Operator {
    @Override
    public String type() {
      return "MatMul"
          + (bias == null ? "" : "+Add")
          + (activation.equals(Activation.IDENTITY) ? "" : "+" + activation);
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      Dim inner = Dim.of(matrix.shape().dim(0));
      if (!dims.get(rank - 1).matches(inner)) {
        throw inference.error("input is " + dims + ", expected " + inner + " in the last axis");
      }
      dims.set(rank - 1, Dim.of(matrix.shape().dim(1)));
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Tensor addend = bias == null ? null : bias.tensor(compilation.scratch());
      PackedMatrix packed = pack(compilation, matrix.tensor(compilation.scratch()), addend);
      return binding -> {
        Region in = binding.input(0);
        Region out = binding.output(0);
        int rows = rows(binding.inputDims(0));
        return kernels ->
            kernels.multiply(in, packed.inner(), rows, packed, activation, out, packed.columns());
      };
    }

    private static int rows(long[] dims) {
      long rows = 1;
      for (int axis = 0; axis < dims.length - 1; axis++) {
        rows *= dims[axis];
      }
      return Math.toIntExact(rows);
    }
  }

  /** ONNX MatMul: numpy's matmul, either side of any rank from 1. */
  record MatMul() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      MatrixGradients.product(d);
    }

    @Override
    public String type() {
      return "MatMul";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      List<Dim> a = inference.dims(0);
      List<Dim> b = inference.dims(1);
      if (a.isEmpty() || b.isEmpty()) {
        throw inference.error("a product of " + a + " and " + b);
      }
      Dim inner = a.get(a.size() - 1);
      Dim other = b.get(Math.max(0, b.size() - 2));
      if (!inner.matches(other)) {
        throw inference.error(
            "a product of " + a + " and " + b + ": " + inner + " columns, " + other + " rows");
      }
      List<Dim> dims =
          new ArrayList<>(
              inference.broadcast(
                  a.subList(0, Math.max(0, a.size() - 2)),
                  b.subList(0, Math.max(0, b.size() - 2))));
      if (a.size() > 1) {
        dims.add(a.get(a.size() - 2));
      }
      if (b.size() > 1) {
        dims.add(b.get(b.size() - 1));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      if (isConstantProduct(compilation.node())) {
        // Reached only where fusion was not asked; the product packs its matrix all the same.
        return new Linear(compilation.constant(1), null, Activation.IDENTITY).compile(compilation);
      }
      Node node = compilation.node();
      if (node.inputs().get(1).rank() == 2 && node.inputs().get(0).rank() >= 2) {
        return MatrixGradients.oneMatrix(false);
      }
      return binding -> {
        Region a = binding.input(0);
        Region b = binding.input(1);
        Region out = binding.output(0);
        BatchedProduct product = product(binding.inputDims(0), binding.inputDims(1), false, false);
        return kernels -> kernels.multiply(product, a, b, out);
      };
    }

    /** The sizes of the products of two sides as they lie, or with their last two axes turned. */
    static BatchedProduct product(long[] aDims, long[] bDims, boolean transA, boolean transB) {
      long[] a = aDims.length > 1 ? aDims : new long[] {1, aDims[0]};
      long[] b = bDims.length > 1 ? bDims : new long[] {bDims[0], 1};
      int batchRank = Math.max(a.length, b.length) - 2;
      long[] aStrides = batchStrides(a, batchRank);
      long[] bStrides = batchStrides(b, batchRank);
      long[] extent = new long[batchRank];
      for (int i = 1; i <= batchRank; i++) {
        long left = i <= a.length - 2 ? a[a.length - 2 - i] : 1;
        long right = i <= b.length - 2 ? b[b.length - 2 - i] : 1;
        extent[batchRank - i] = left == 1 ? right : left;
      }
      int count = Math.toIntExact(Shape.of(extent).elements());
      long[] aOffsets = new long[count];
      long[] bOffsets = new long[count];
      for (int i = 0; i < count; i++) {
        long rest = i;
        for (int axis = batchRank - 1; axis >= 0; axis--) {
          long at = rest % extent[axis];
          rest /= extent[axis];
          aOffsets[i] += at * aStrides[axis];
          bOffsets[i] += at * bStrides[axis];
        }
      }
      int aColumns = Math.toIntExact(a[a.length - 1]);
      int aRows = Math.toIntExact(a[a.length - 2]);
      int bColumns = Math.toIntExact(b[b.length - 1]);
      int bRows = Math.toIntExact(b[b.length - 2]);
      return new BatchedProduct(
          aOffsets,
          bOffsets,
          transA ? aColumns : aRows,
          transA ? aRows : aColumns,
          transB ? bRows : bColumns,
          transA ? 1 : aColumns,
          transA ? aColumns : 1,
          transB ? 1 : bColumns,
          transB ? bColumns : 1);
    }

    /** Strides over the axes before the last two, 0 where a side is repeated. */
    private static long[] batchStrides(long[] dims, int batchRank) {
      long[] strides = new long[batchRank];
      long stride = dims[dims.length - 1] * dims[dims.length - 2];
      for (int i = 1; i <= batchRank && i <= dims.length - 2; i++) {
        long size = dims[dims.length - 2 - i];
        strides[batchRank - i] = size == 1 ? 0 : stride;
        stride *= size;
      }
      return strides;
    }
  }

  /** ONNX Gemm: {@code alpha A'·B' + beta C} with constant B, and C constant or left out. */
  record Gemm() implements Operator {
    /** With a matrix that is trained it becomes a product, a scaling and a sum. */
    @Override
    public void copyForTraining(TrainingCopy copy) {
      MatrixGradients.copyGemm(copy);
    }

    @Override
    public String type() {
      return "Gemm";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.expectRank(0, 2);
      inference.expectRank(1, 2);
      boolean transA = inference.attributes().integer("transA", 0) != 0;
      boolean transB = inference.attributes().integer("transB", 0) != 0;
      Dim rows = inference.dim(0, transA ? 1 : 0);
      Dim inner = inference.dim(0, transA ? 0 : 1);
      Dim columns = inference.dim(1, transB ? 0 : 1);
      if (!inner.matches(inference.dim(1, transB ? 1 : 0))) {
        throw inference.error(
            "a product of "
                + inference.dims(0)
                + " and "
                + inference.dims(1)
                + ", transA "
                + transA
                + ", transB "
                + transB);
      }
      inference.output(inference.type(0), rows, columns);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Attributes attributes = compilation.attributes();
      Node node = compilation.node();
      Tensor b = compilation.requireConstant(1, "matrix B").tensor(compilation.scratch());
      Tensor c = null;
      if (compilation.has(2)) {
        c = compilation.requireConstant(2, "addend C").tensor(compilation.scratch());
      }
      if (attributes.integer("transB", 0) != 0) {
        b = b.transpose();
      }
      long columns = b.dim(1);
      if (c != null && c.elements() != columns && c.elements() != 1) {
        throw new UnsupportedOperationException(
            node.name() + ": addend C is " + c.shape() + ", expected a row of " + columns);
      }
      if (c != null) {
        Tensor row = Tensor.allocate(compilation.scratch(), DType.FLOAT64, columns);
        row.copyFrom(c.contiguous(compilation.scratch()).reshape(c.elements()));
        c = scaled(compilation, row, attributes.real("beta", 1));
      }
      PackedMatrix packed =
          pack(compilation, scaled(compilation, b, attributes.real("alpha", 1)), c);
      boolean transA = attributes.integer("transA", 0) != 0;
      return new Compiled() {
        @Override
        public List<Value> operands(Node of) {
          return List.of(of.inputs().get(0));
        }

        @Override
        public Step bind(Binding binding) {
          Region in = binding.input(0);
          Region out = binding.output(0);
          int rows = Math.toIntExact(binding.outputDims(0)[0]);
          if (!transA) {
            return kernels ->
                kernels.multiply(
                    in, packed.inner(), rows, packed, Activation.IDENTITY, out, packed.columns());
          }
          int size = binding.inputType(0).bytes();
          Region turned = binding.scratch((long) rows * packed.inner() * size);
          long[] extent = {rows, packed.inner()};
          long[] from = {1, rows};
          long[] to = {packed.inner(), 1};
          return kernels -> {
            kernels.copyStrided(in, 0, from, turned, 0, to, extent, size);
            kernels.multiply(
                turned, packed.inner(), rows, packed, Activation.IDENTITY, out, packed.columns());
          };
        }
      };
    }

    private static Tensor scaled(Compilation compilation, Tensor tensor, float factor) {
      if (factor == 1) {
        return tensor;
      }
      double[] numbers = tensor.toDoubles();
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] *= factor;
      }
      return Tensor.ofDoubles(compilation.scratch(), numbers, tensor.shape().dims());
    }
  }
}

package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The gradients of operators that move elements. */
final class ShapeGradients {
  static final Operator SUM_LIKE = new SumLike();
  static final Operator RESHAPE_LIKE = new ReshapeLike();
  static final Operator SLICE = new SliceGradient();
  static final Operator CONCAT = new ConcatGradient();
  static final Operator GATHER = new GatherGradient();

  private ShapeGradients() {}

  /** A node that reads one of its inputs when it runs; of the others it needs the sizes. */
  static Operator.Compiled reading(int input, Setup setup) {
    return new Operator.Compiled() {
      @Override
      public List<Value> operands(Node node) {
        return List.of(node.inputs().get(input));
      }

      @Override
      public Operator.Step bind(Binding binding) {
        return setup.bind(binding);
      }
    };
  }

  /** What {@link Operator.Compiled#bind} does. */
  interface Setup {
    Operator.Step bind(Binding binding);
  }

  /** {@code [gradient, like]}: summed over the axes along which {@code like} was repeated. */
  private record SumLike() implements Operator {
    @Override
    public String type() {
      return "SumLike";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(1));
    }

    @Override
    public long viewOffset(Inference inference) {
      return elements(inference.dims(0)) == elements(inference.dims(1)) ? 0 : -1;
    }

    private static long elements(List<Dim> dims) {
      return Shape.of(dims.stream().mapToLong(Dim::size).toArray()).elements();
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return reading(0, SumLike::bind);
    }

    private static Step bind(Binding binding) {
      long[] from = binding.inputDims(0).clone();
      long[] like = binding.inputDims(1);
      int missing = from.length - like.length;
      int bytes = binding.inputType(0).bytes();
      List<Step> steps = new ArrayList<>();
      Region source = binding.input(0);
      // From the last axes on, neighbouring ones together.
      for (int end = from.length; end > 0; ) {
        int first = end;
        while (first > 0 && isRepeated(from, like, missing, first - 1)) {
          first--;
        }
        if (first == end) {
          end--;
          continue;
        }
        long outer = product(from, 0, first);
        int size = Math.toIntExact(product(from, first, end));
        long inner = product(from, end, from.length);
        Arrays.fill(from, first, end, 1);
        boolean last = true;
        for (int axis = first - 1; axis >= 0; axis--) {
          last &= !isRepeated(from, like, missing, axis);
        }
        Region in = source;
        Region out = last ? binding.output(0) : binding.scratch(outer * inner * bytes);
        steps.add(kernels -> kernels.reduce(Reduction.SUM, in, out, outer, size, inner));
        source = out;
        end = first;
      }
      Step[] all = steps.toArray(new Step[0]);
      return kernels -> {
        for (Step step : all) {
          step.run(kernels);
        }
      };
    }

    private static boolean isRepeated(long[] from, long[] like, int missing, int axis) {
      return from[axis] != 1 && (axis < missing || like[axis - missing] == 1);
    }

    private static long product(long[] dims, int from, int to) {
      long product = 1;
      for (int i = from; i < to; i++) {
        product = Math.multiplyExact(product, dims[i]);
      }
      return product;
    }
  }

  /** {@code [gradient, like]}: the same elements in another shape. */
  private record ReshapeLike() implements Operator {
    @Override
    public String type() {
      return "ReshapeLike";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(1));
    }

    @Override
    public long viewOffset(Inference inference) {
      return 0;
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return reading(
          0,
          binding -> {
            throw new IllegalStateException(binding.node().name() + " is a view and has no step");
          });
    }
  }

  /** The inputs and settings of the slice, and its gradient as input 5: what it left is 0. */
  private record SliceGradient() implements Operator {
    @Override
    public String type() {
      return "SliceGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return reading(5, SliceGradient::bind);
    }

    private static Step bind(Binding binding) {
      long[] dims = binding.inputDims(0);
      List<List<Dim>> known = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        Value value = binding.node().inputs().get(i);
        known.add(
            i == 0
                ? Arrays.stream(dims).mapToObj(Dim::of).toList()
                : value == null ? null : value.dims());
      }
      long[][] ranges = ShapeOperators.Slice.ranges(new Inference(binding.node(), known));
      long[] strides = Shape.of(dims).contiguousStrides();
      long[] extent = binding.inputDims(5);
      long[] from = Shape.of(extent).contiguousStrides();
      long begin = 0;
      for (int axis = 0; axis < dims.length; axis++) {
        if (ranges[axis] != null) {
          begin += ranges[axis][0] * strides[axis];
          strides[axis] *= ranges[axis][2];
        }
      }
      long offset = begin;
      long count = Shape.of(dims).elements();
      Region in = binding.input(5);
      Region out = binding.output(0);
      DType type = binding.outputType(0);
      return kernels -> {
        kernels.fill(out, type, count, 0);
        kernels.copyStrided(in, 0, from, out, offset, strides, extent, type.bytes());
      };
    }
  }

  /**
   * {@code [gradient, the inputs of the concatenation]}: the part of input number {@code input}.
   */
  private record ConcatGradient() implements Operator {
    @Override
    public String type() {
      return "ConcatGradient";
    }

    @Override
    public void infer(Inference inference) {
      int input = (int) inference.attributes().integer("input", 0) + 1;
      inference.output(inference.type(0), inference.dims(input));
    }

    @Override
    public long viewOffset(Inference inference) {
      List<Dim> whole = inference.dims(0);
      int axis = inference.axis("axis", 0, whole.size());
      long outer = 1;
      for (int i = 0; i < axis; i++) {
        outer *= whole.get(i).size();
      }
      if (outer != 1) {
        return -1;
      }
      long offset = 0;
      int input = (int) inference.attributes().integer("input", 0) + 1;
      for (int i = 1; i < input; i++) {
        offset += Shape.of(inference.dims(i).stream().mapToLong(Dim::size).toArray()).elements();
      }
      return offset;
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return reading(0, ConcatGradient::bind);
    }

    private static Step bind(Binding binding) {
      long[] whole = binding.inputDims(0);
      Attributes attributes = binding.node().attributes();
      long requested = attributes.integer("axis", 0);
      int axis = (int) (requested < 0 ? requested + whole.length : requested);
      int input = (int) attributes.integer("input", 0) + 1;
      long[] from = Shape.of(whole).contiguousStrides();
      long before = 0;
      for (int i = 1; i < input; i++) {
        before += binding.inputDims(i)[axis] * from[axis];
      }
      long offset = before;
      long[] extent = binding.outputDims(0);
      long[] to = Shape.of(extent).contiguousStrides();
      Region in = binding.input(0);
      Region out = binding.output(0);
      int bytes = binding.outputType(0).bytes();
      return kernels -> kernels.copyStrided(in, offset, from, out, 0, to, extent, bytes);
    }
  }

  /** {@code [gradient, indices, table]}: rows added up where they were taken from. */
  private record GatherGradient() implements Operator {
    @Override
    public String type() {
      return "GatherGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(2));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return new Compiled() {
        @Override
        public List<Value> operands(Node node) {
          return node.inputs().subList(0, 2);
        }

        @Override
        public Step bind(Binding binding) {
          long[] table = binding.outputDims(0);
          long rows = table[0];
          long size = Shape.of(Arrays.copyOfRange(table, 1, table.length)).elements();
          long count = Shape.of(binding.inputDims(1)).elements();
          DType type = binding.inputType(1);
          Region source = binding.input(0);
          Region indices = binding.input(1);
          Region out = binding.output(0);
          return (Kernels kernels) ->
              kernels.training().scatterAddRows(source, indices, type, count, size, out, rows);
        }
      };
    }
  }
}

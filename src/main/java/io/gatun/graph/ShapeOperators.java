package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;

/** Operators that move elements, or only look at them in another shape. */
final class ShapeOperators {
  private ShapeOperators() {}

  static List<Operator> all() {
    return List.of(
        new Identity("Identity"),
        new Identity("Dropout"),
        new Reshape(),
        new Flatten(),
        new Squeeze(),
        new Unsqueeze(),
        new Transpose(),
        new Slice(),
        new Concat(),
        new Expand(),
        new Gather());
  }

  /** An operator whose output has the elements of its input in the same order. */
  private interface SameElements extends Operator {
    @Override
    default void differentiate(Differentiation d) {
      d.give(0, d.shapedLike(d.gradient(0), d.input(0)));
    }

    @Override
    default long viewOffset(Inference inference) {
      return 0;
    }

    @Override
    default Compiled compile(Compilation compilation) {
      return copying();
    }
  }

  /** Needs only its first input; what else there is was read when the plan was made. */
  private static Operator.Compiled copying() {
    return new Operator.Compiled() {
      @Override
      public List<Value> operands(Node node) {
        return List.of(node.inputs().get(0));
      }

      @Override
      public Operator.Step bind(Binding binding) {
        throw new IllegalStateException(binding.node().name() + " is a view and has no step");
      }
    };
  }

  /** The same value under another name; dropout is that outside training. */
  private record Identity(String type) implements SameElements {
    @Override
    public void copyForTraining(TrainingCopy copy) {
      if (type.equals("Dropout")) {
        DropoutOperators.copy(copy);
      } else {
        copy.asItIs();
      }
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }
  }

  /**
   * The sizes come from the attribute {@code shape} or a constant: 0 copies a size, −1 is what is
   * left.
   */
  private record Reshape() implements SameElements {
    @Override
    public String type() {
      return "Reshape";
    }

    @Override
    public void infer(Inference inference) {
      long[] shape = inference.integers("shape", 1);
      if (shape == null) {
        throw inference.error("no shape is given");
      }
      boolean keepZero = inference.attributes().integer("allowzero", 0) != 0;
      List<Dim> from = inference.dims(0);
      Dim[] to = new Dim[shape.length];
      int open = -1;
      Dim left = Dim.ONE;
      Dim made = Dim.ONE;
      List<Dim> unmatched = new ArrayList<>(from);
      for (int axis = 0; axis < shape.length; axis++) {
        if (shape[axis] == -1 && open < 0) {
          open = axis;
          continue;
        }
        if (shape[axis] < 0 || (shape[axis] == 0 && !keepZero && axis >= from.size())) {
          throw inference.error("cannot reshape to " + Arrays.toString(shape));
        }
        to[axis] = shape[axis] == 0 && !keepZero ? inference.dim(0, axis) : Dim.of(shape[axis]);
        // What stands on both sides cancels, so that a symbol need not be divided by itself.
        if (!unmatched.remove(to[axis])) {
          made = made.times(to[axis]);
        }
      }
      for (Dim dim : unmatched) {
        left = left.times(dim);
      }
      if (open >= 0) {
        if (left.isKnown()
            && made.isKnown()
            && (made.size() == 0 || left.size() % made.size() != 0)) {
          if (!(left.size() == 0)) {
            throw inference.error("cannot reshape " + from + " to " + Arrays.toString(shape));
          }
        }
        to[open] = made.isKnown() && made.size() == 0 ? Dim.of(0) : left.dividedBy(made);
      } else if (left.isKnown() && made.isKnown() && left.size() != made.size()) {
        throw inference.error("cannot reshape " + from + " to " + Arrays.toString(shape));
      }
      inference.output(inference.type(0), to);
    }
  }

  /** To two axes: the product of those before {@code axis}, and of the rest. */
  private record Flatten() implements SameElements {
    @Override
    public String type() {
      return "Flatten";
    }

    @Override
    public void infer(Inference inference) {
      long axis = inference.attributes().integer("axis", 1);
      int rank = inference.rank(0);
      if (axis < -rank || axis > rank) {
        throw inference.error("axis " + axis + " of " + rank + " axes");
      }
      int split = (int) (axis < 0 ? axis + rank : axis);
      Dim before = Dim.ONE;
      Dim after = Dim.ONE;
      for (int i = 0; i < rank; i++) {
        if (i < split) {
          before = before.times(inference.dim(0, i));
        } else {
          after = after.times(inference.dim(0, i));
        }
      }
      inference.output(inference.type(0), before, after);
    }
  }

  private record Squeeze() implements SameElements {
    @Override
    public String type() {
      return "Squeeze";
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      long[] axes = inference.integers("axes", 1);
      TreeSet<Integer> drop = new TreeSet<>();
      if (axes == null) {
        // By what the graph says: a batch that happens to be of one sequence keeps its axis.
        for (int i = 0; i < rank; i++) {
          if (inference.node().inputs().get(0).dim(i).equals(Dim.ONE)) {
            drop.add(i);
          }
        }
      } else {
        for (long axis : axes) {
          drop.add(inference.axis(axis, rank));
        }
      }
      List<Dim> dims = new ArrayList<>();
      for (int i = 0; i < rank; i++) {
        if (!drop.contains(i)) {
          dims.add(inference.dim(0, i));
        } else if (!inference.dim(0, i).matches(Dim.ONE)) {
          throw inference.error("axis " + i + " of " + inference.dims(0) + " is not 1");
        }
      }
      inference.output(inference.type(0), dims);
    }
  }

  private record Unsqueeze() implements SameElements {
    @Override
    public String type() {
      return "Unsqueeze";
    }

    @Override
    public void infer(Inference inference) {
      long[] axes = inference.integers("axes", 1);
      if (axes == null) {
        throw inference.error("no axes are given");
      }
      int rank = inference.rank(0) + axes.length;
      TreeSet<Integer> added = new TreeSet<>();
      for (long axis : axes) {
        if (!added.add(inference.axis(axis, rank))) {
          throw inference.error("axis " + axis + " is named twice");
        }
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      added.forEach(axis -> dims.add(axis, Dim.ONE));
      inference.output(inference.type(0), dims);
    }
  }

  private static Operator.Compiled strided(StridedCopy copy) {
    return new Operator.Compiled() {
      @Override
      public List<Value> operands(Node node) {
        return List.of(node.inputs().get(0));
      }

      @Override
      public Operator.Step bind(Binding binding) {
        long[] extent = binding.outputDims(0);
        long[] from = new long[extent.length];
        long offset = copy.source(binding, from);
        long[] to = Shape.of(extent).contiguousStrides();
        Region in = binding.input(0);
        Region out = binding.output(0);
        int bytes = binding.inputType(0).bytes();
        return kernels -> kernels.copyStrided(in, offset, from, out, 0, to, extent, bytes);
      }
    };
  }

  private interface StridedCopy {
    /** Fills in the strides of the source, axis by axis of the output; returns its offset. */
    long source(Binding binding, long[] strides);
  }

  private record Transpose() implements Operator {
    @Override
    public String type() {
      return "Transpose";
    }

    private static int[] permutation(Inference inference) {
      int rank = inference.rank(0);
      int[] order = new int[rank];
      if (!inference.attributes().has("perm")) {
        Arrays.setAll(order, i -> rank - 1 - i);
        return order;
      }
      long[] perm = inference.attributes().integers("perm");
      TreeSet<Integer> seen = new TreeSet<>();
      for (int i = 0; i < rank && perm.length == rank; i++) {
        order[i] = inference.axis(perm[i], rank);
        seen.add(order[i]);
      }
      if (seen.size() != rank) {
        throw inference.error(Arrays.toString(perm) + " is no permutation of " + rank + " axes");
      }
      return order;
    }

    @Override
    public void infer(Inference inference) {
      int[] order = permutation(inference);
      inference.output(
          inference.type(0), Arrays.stream(order).mapToObj(i -> inference.dim(0, i)).toList());
    }

    @Override
    public void differentiate(Differentiation d) {
      int rank = d.input(0).rank();
      long[] perm = d.attributes().integers("perm");
      long[] inverse = new long[rank];
      for (int i = 0; i < rank; i++) {
        long axis = perm.length == 0 ? rank - 1 - i : perm[i] < 0 ? perm[i] + rank : perm[i];
        inverse[(int) axis] = i;
      }
      d.give(0, d.add(this, Attributes.of("perm", inverse), d.gradient(0)));
    }

    /** Nothing moves where all axes that change places have size 1. */
    @Override
    public long viewOffset(Inference inference) {
      int last = -1;
      for (int axis : permutation(inference)) {
        if (!inference.dim(0, axis).equals(Dim.ONE)) {
          if (axis < last) {
            return -1;
          }
          last = axis;
        }
      }
      return 0;
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return strided(
          (binding, strides) -> {
            long[] in = Shape.of(binding.inputDims(0)).contiguousStrides();
            long[] perm = binding.node().attributes().integers("perm");
            for (int i = 0; i < strides.length; i++) {
              int axis =
                  perm.length == 0
                      ? strides.length - 1 - i
                      : (int) (perm[i] < 0 ? perm[i] + strides.length : perm[i]);
              strides[i] = in[axis];
            }
            return 0;
          });
    }
  }

  /** {@code starts}, {@code ends}, {@code axes}, {@code steps}: attributes or constants. */
  record Slice() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      List<Value> in = new ArrayList<>(d.node().inputs());
      while (in.size() < 5) {
        in.add(null);
      }
      in.add(d.gradient(0));
      d.give(0, d.add(ShapeGradients.SLICE, d.attributes(), in, 1).get(0));
    }

    @Override
    public String type() {
      return "Slice";
    }

    /** Per axis of the input: first element, number of elements (−1 unknown), step. */
    static long[][] ranges(Inference inference) {
      int rank = inference.rank(0);
      long[] starts = inference.integers("starts", 1);
      long[] ends = inference.integers("ends", 2);
      long[] axes = inference.integers("axes", 3);
      long[] steps = inference.integers("steps", 4);
      if (starts == null
          || ends == null
          || starts.length != ends.length
          || (axes != null && axes.length != starts.length)
          || (steps != null && steps.length != starts.length)) {
        throw inference.error("starts, ends, axes and steps are not of one length");
      }
      long[][] ranges = new long[rank][];
      for (int i = 0; i < starts.length; i++) {
        int axis = inference.axis(axes == null ? i : axes[i], rank);
        long step = steps == null ? 1 : steps[i];
        if (step == 0) {
          throw inference.error("a step of 0");
        }
        Dim dim = inference.dim(0, axis);
        if (!dim.isKnown()) {
          ranges[axis] = new long[] {starts[i], -1, step};
          continue;
        }
        long size = dim.size();
        long start = starts[i] < 0 ? Math.max(starts[i] + size, step < 0 ? -1 : 0) : starts[i];
        long end = ends[i] < 0 ? Math.max(ends[i] + size, -1) : ends[i];
        long count;
        if (step > 0) {
          start = Math.min(start, size);
          end = Math.min(Math.max(end, 0), size);
          count = end <= start ? 0 : (end - start - 1) / step + 1;
        } else {
          start = Math.min(start, size - 1);
          end = Math.max(Math.min(end, size), -1);
          count = start <= end ? 0 : (start - end - 1) / -step + 1;
        }
        ranges[axis] = new long[] {start, count, step};
      }
      return ranges;
    }

    @Override
    public void infer(Inference inference) {
      long[][] ranges = ranges(inference);
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      for (int axis = 0; axis < ranges.length; axis++) {
        if (ranges[axis] != null) {
          long count = ranges[axis][1];
          dims.set(axis, count >= 0 ? Dim.of(count) : symbolic(inference, axis));
        }
      }
      inference.output(inference.type(0), dims);
    }

    /** The size of a slice of an axis whose size is not known yet. */
    private static Dim symbolic(Inference inference, int axis) {
      long[] starts = inference.integers("starts", 1);
      long[] ends = inference.integers("ends", 2);
      long[] axes = inference.integers("axes", 3);
      long[] steps = inference.integers("steps", 4);
      for (int i = 0; i < starts.length; i++) {
        int at = inference.axis(axes == null ? i : axes[i], inference.rank(0));
        long step = steps == null ? 1 : steps[i];
        if (at == axis && step == -1 && starts[i] == -1 && ends[i] <= Integer.MIN_VALUE) {
          return inference.dim(0, axis);
        }
        if (at == axis && starts[i] == -1 && ends[i] >= Integer.MAX_VALUE && step == 1) {
          return Dim.ONE;
        }
      }
      return Dim.symbol("slice of " + inference.dim(0, axis) + " at " + inference.node().name());
    }

    @Override
    public long viewOffset(Inference inference) {
      long[][] ranges = ranges(inference);
      long[] dims = inference.dims(0).stream().mapToLong(Dim::size).toArray();
      long[] strides = Shape.of(dims).contiguousStrides();
      boolean outerIsOne = true;
      long offset = 0;
      for (int axis = 0; axis < dims.length; axis++) {
        long[] range = ranges[axis];
        long count = range == null ? dims[axis] : range[1];
        if (count == 0) {
          return 0;
        }
        if (range != null && count != dims[axis]) {
          // Contiguous only if no axis before it has more than one element.
          if (!outerIsOne || (range[2] != 1 && count > 1)) {
            return -1;
          }
          offset += range[0] * strides[axis];
        } else if (range != null && range[2] != 1 && count > 1) {
          return -1;
        }
        outerIsOne &= count == 1;
      }
      return offset;
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return strided(
          (binding, strides) -> {
            long[] dims = binding.inputDims(0);
            long[] in = Shape.of(dims).contiguousStrides();
            Inference inference =
                new Inference(
                    binding.node(),
                    binding.node().inputs().stream()
                        .map(
                            value ->
                                value == null
                                    ? null
                                    : value == binding.node().inputs().get(0)
                                        ? Arrays.stream(dims).mapToObj(Dim::of).toList()
                                        : value.dims())
                        .toList());
            long[][] ranges = ranges(inference);
            long offset = 0;
            for (int axis = 0; axis < strides.length; axis++) {
              strides[axis] = in[axis] * (ranges[axis] == null ? 1 : ranges[axis][2]);
              offset += ranges[axis] == null ? 0 : ranges[axis][0] * in[axis];
            }
            return offset;
          });
    }
  }

  private record Concat() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      List<Value> in = new ArrayList<>(d.node().inputs());
      in.add(0, d.gradient(0));
      for (int i = 0; i + 1 < in.size(); i++) {
        if (d.wanted(i)) {
          Attributes which = Attributes.of("axis", d.attributes().integer("axis", 0), "input", i);
          d.give(i, d.add(ShapeGradients.CONCAT, which, in, 1).get(0));
        }
      }
    }

    @Override
    public String type() {
      return "Concat";
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      int axis = inference.axis("axis", 0, rank);
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      for (int input = 1; input < inference.inputs(); input++) {
        List<Dim> next = inference.dims(input);
        boolean fits = next.size() == rank && inference.type(input) == inference.type(0);
        for (int i = 0; fits && i < rank; i++) {
          fits = i == axis || next.get(i).matches(dims.get(i));
        }
        if (!fits) {
          throw inference.error(
              "cannot concatenate "
                  + inference.type(0).label()
                  + dims
                  + " and "
                  + inference.type(input).label()
                  + next
                  + " along axis "
                  + axis);
        }
        for (int i = 0; i < rank; i++) {
          if (i == axis) {
            dims.set(i, dims.get(i).plus(next.get(i)));
          } else if (next.get(i).isKnown()) {
            dims.set(i, next.get(i));
          }
        }
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] whole = binding.outputDims(0);
        long[] to = Shape.of(whole).contiguousStrides();
        long requested = binding.node().attributes().integer("axis", 0);
        int axis = (int) (requested < 0 ? requested + whole.length : requested);
        int inputs = binding.node().inputs().size();
        int bytes = binding.outputType(0).bytes();
        Region out = binding.output(0);
        Region[] in = new Region[inputs];
        long[][] extents = new long[inputs][];
        long[][] from = new long[inputs][];
        long[] offsets = new long[inputs];
        long at = 0;
        for (int i = 0; i < inputs; i++) {
          in[i] = binding.input(i);
          extents[i] = binding.inputDims(i);
          from[i] = Shape.of(extents[i]).contiguousStrides();
          offsets[i] = at;
          at += extents[i][axis] * to[axis];
        }
        return kernels -> {
          for (int i = 0; i < in.length; i++) {
            kernels.copyStrided(in[i], 0, from[i], out, offsets[i], to, extents[i], bytes);
          }
        };
      };
    }
  }

  /**
   * Repeats along axes of size 1; the sizes come from the attribute {@code shape} or a constant.
   */
  private record Expand() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, d.summedTo(d.gradient(0), d.input(0)));
    }

    @Override
    public String type() {
      return "Expand";
    }

    @Override
    public void infer(Inference inference) {
      long[] shape = inference.integers("shape", 1);
      if (shape == null) {
        throw inference.error("no shape is given");
      }
      inference.output(
          inference.type(0),
          inference.broadcast(inference.dims(0), Arrays.stream(shape).mapToObj(Dim::of).toList()));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return strided(
          (binding, strides) -> {
            long[] from =
                ElementwiseOperators.broadcastStrides(binding.inputDims(0), strides.length);
            System.arraycopy(from, 0, strides, 0, strides.length);
            return 0;
          });
    }
  }

  /** ONNX Gather along the first axis, which is what an embedding is. */
  private record Gather() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      d.give(
          0, d.add(ShapeGradients.GATHER, Attributes.NONE, d.gradient(0), d.input(1), d.input(0)));
    }

    @Override
    public String type() {
      return "Gather";
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      if (rank == 0 || inference.axis("axis", 0, rank) != 0) {
        throw inference.error("gathers along the first axis only");
      }
      DType indices = inference.type(1);
      if (indices != DType.INT32 && indices != DType.INT64) {
        throw inference.error("indices are " + indices.label() + ", expected int32 or int64");
      }
      List<Dim> dims = new ArrayList<>(inference.dims(1));
      dims.addAll(inference.dims(0).subList(1, rank));
      inference.output(inference.computedType(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] table = binding.inputDims(0);
        long rows = table[0];
        long rowBytes =
            Shape.of(Arrays.copyOfRange(table, 1, table.length)).elements()
                * binding.inputType(0).bytes();
        Region from = binding.input(0);
        Region indices = binding.input(1);
        DType indexType = binding.inputType(1);
        long count = Shape.of(binding.inputDims(1)).elements();
        Region out = binding.output(0);
        return kernels -> kernels.gatherRows(from, rows, rowBytes, indices, indexType, count, out);
      };
    }
  }
}

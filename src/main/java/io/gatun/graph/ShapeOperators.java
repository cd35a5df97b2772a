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
        new Split(),
        new Tile(),
        new ConstantOfShape(),
        new ShapeOf("Shape"),
        new ShapeOf("Size"),
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
      if (type.equals("Dropout")) {
        inference.output(DType.BOOL, inference.dims(0));
      }
    }

    /** With a mask: nothing is dropped. */
    @Override
    public long viewOffset(Inference inference) {
      return inference.node().outputs().size() > 1 ? -1 : 0;
    }

    @Override
    public Compiled compile(Compilation compilation) {
      if (compilation.node().outputs().size() < 2) {
        return copying();
      }
      return ShapeGradients.reading(
          0,
          binding -> {
            long count = Shape.of(binding.inputDims(0)).elements();
            long bytes = count * binding.inputType(0).bytes();
            Region in = binding.input(0);
            Region out = binding.output(0);
            Region mask = binding.output(1);
            return kernels -> {
              if (out != null) {
                kernels.copy(in, out, bytes);
              }
              if (mask != null) {
                kernels.fill(mask, DType.BOOL, count, 1);
              }
            };
          });
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
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      if (inference.later(1)) {
        List<Dim> dims = laterDims(inference, 1);
        for (int i = 0; i < Math.min(dims.size(), inference.rank(0)); i++) {
          if (dims.get(i).equals(Dim.of(0))
              && inference.attributes().integer("allowzero", 0) == 0) {
            dims.set(i, inference.dim(0, i));
          }
        }
        inference.output(inference.type(0), dims);
        return;
      }
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

  /** Sizes that are not known yet. */
  static List<Dim> unknownDims(Inference inference, int rank) {
    List<Dim> dims = new ArrayList<>();
    for (int i = 0; i < rank; i++) {
      dims.add(inference.unknown(i));
    }
    return dims;
  }

  /** The sizes that an input says, as far as they are known. */
  static List<Dim> laterDims(Inference inference, int input) {
    inference.expectRank(input, 1);
    if (!inference.dim(input, 0).isKnown()) {
      throw inference.error(
          "how many axes there will be is not known: "
              + inference.node().inputs().get(input).name()
              + " is "
              + inference.dims(input));
    }
    List<Dim> dims = unknownDims(inference, (int) inference.dim(input, 0).size());
    List<Dim> known = inference.sizes(input);
    for (int i = 0; known != null && i < Math.min(dims.size(), known.size()); i++) {
      // Zero may stand for another size, as in Reshape.
      Dim dim = known.get(i);
      if (dim != null && !dim.equals(Dim.of(0))) {
        dims.set(i, dim);
      }
    }
    return dims;
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
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      if (inference.later(1)) {
        int left = Math.max(0, rank - laterDims(inference, 1).size());
        inference.output(inference.type(0), unknownDims(inference, left));
        return;
      }
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
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      if (inference.later(1)) {
        int all = inference.rank(0) + laterDims(inference, 1).size();
        inference.output(inference.type(0), unknownDims(inference, all));
        return;
      }
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
    public boolean steers(Node node, int input) {
      return input > 0 && input < 5;
    }

    @Override
    public void infer(Inference inference) {
      for (int input = 1; input < 5; input++) {
        if (inference.later(input)) {
          inference.output(inference.type(0), unknownDims(inference, inference.rank(0)));
          return;
        }
      }
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
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      if (inference.later(1)) {
        inference.output(
            inference.type(0), inference.broadcast(inference.dims(0), laterDims(inference, 1)));
        return;
      }
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

  /** ONNX Gather: along the first axis it is what an embedding is. */
  private record Gather() implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      if (d.attributes().integer("axis", 0) != 0) {
        throw d.unsupported(" along another axis than the first; transpose before it");
      }
      d.give(
          0, d.add(ShapeGradients.GATHER, Attributes.NONE, d.gradient(0), d.input(1), d.input(0)));
    }

    @Override
    public String type() {
      return "Gather";
    }

    @Override
    public void infer(Inference inference) {
      int axis = inference.axis("axis", 0, inference.rank(0));
      DType indices = inference.type(1);
      if (indices != DType.INT32 && indices != DType.INT64) {
        throw inference.error("indices are " + indices.label() + ", expected int32 or int64");
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0).subList(0, axis));
      dims.addAll(inference.dims(1));
      dims.addAll(inference.dims(0).subList(axis + 1, inference.rank(0)));
      inference.output(inference.computedType(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        long[] table = binding.inputDims(0);
        long requested = binding.node().attributes().integer("axis", 0);
        int axis = (int) (requested < 0 ? requested + table.length : requested);
        long rows = table[axis];
        int outer = HostArray.product(table, 0, axis);
        int inner = HostArray.product(table, axis + 1, table.length);
        long rowBytes = (long) inner * binding.inputType(0).bytes();
        Region from = binding.input(0);
        Region indices = binding.input(1);
        DType indexType = binding.inputType(1);
        long count = Shape.of(binding.inputDims(1)).elements();
        Region out = binding.output(0);
        if (outer == 1) {
          return kernels ->
              kernels.gatherRows(from, rows, rowBytes, indices, indexType, count, out);
        }
        Region part = new Region();
        Region picked = new Region();
        long size = rows * rowBytes;
        long result = count * rowBytes;
        return kernels -> {
          for (int i = 0; i < outer; i++) {
            part.set(from.buffer(), from.offset() + i * size, size);
            picked.set(out.buffer(), out.offset() + i * result, result);
            kernels.gatherRows(part, rows, rowBytes, indices, indexType, count, picked);
          }
        };
      };
    }
  }

  /** Parts of an axis: of the sizes {@code split}, or as many as there are outputs, all alike. */
  private record Split() implements Operator {
    @Override
    public String type() {
      return "Split";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      int axis = inference.axis("axis", 0, inference.rank(0));
      Dim size = inference.dim(0, axis);
      List<Dim> parts = new ArrayList<>();
      long count = inference.attributes().integer("num_outputs", 0);
      if (inference.later(1)) {
        parts.addAll(laterDims(inference, 1));
      } else if (inference.has(1)) {
        long sum = 0;
        for (long part : inference.integers("split", 1)) {
          if (part < 0) {
            throw inference.error("a part of " + part);
          }
          parts.add(Dim.of(part));
          sum += part;
        }
        if (size.isKnown() && size.size() != sum) {
          throw inference.error("parts " + parts + " of axis " + axis + ", which is " + size);
        }
      } else if (count < 1) {
        throw inference.error("neither split nor num_outputs is given");
      } else {
        for (int i = 0; i < count; i++) {
          // The last is smaller where they cannot be alike.
          parts.add(
              !size.isKnown()
                  ? inference.unknown(i)
                  : Dim.of(
                      Math.max(
                          0,
                          Math.min(
                              Math.ceilDiv(size.size(), count),
                              size.size() - i * Math.ceilDiv(size.size(), count)))));
        }
      }
      for (Dim part : parts) {
        List<Dim> dims = new ArrayList<>(inference.dims(0));
        dims.set(axis, part);
        inference.output(inference.type(0), dims);
      }
    }

    @Override
    public void differentiate(Differentiation d) {
      List<Value> gradients = d.gradients();
      if (gradients.size() < d.node().outputs().size() || gradients.contains(null)) {
        throw d.unsupported(" where one of its parts is not used");
      }
      long axis = d.attributes().integer("axis", 0);
      d.give(0, d.add("Concat", Attributes.of("axis", axis), gradients.toArray(new Value[0])));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return ShapeGradients.reading(
          0,
          binding -> {
            long[] from = Shape.of(binding.inputDims(0)).contiguousStrides();
            long requested = binding.node().attributes().integer("axis", 0);
            int axis = (int) (requested < 0 ? requested + from.length : requested);
            int bytes = binding.inputType(0).bytes();
            Region in = binding.input(0);
            List<Step> steps = new ArrayList<>();
            long begin = 0;
            for (int i = 0; i < binding.node().outputs().size(); i++) {
              long[] extent = binding.outputDims(i);
              long offset = begin * from[axis];
              begin += extent[axis];
              Region out = binding.output(i);
              if (out != null) {
                long[] to = Shape.of(extent).contiguousStrides();
                steps.add(
                    kernels -> kernels.copyStrided(in, offset, from, out, 0, to, extent, bytes));
              }
            }
            Step[] all = steps.toArray(new Step[0]);
            return kernels -> {
              for (Step step : all) {
                step.run(kernels);
              }
            };
          });
    }
  }

  /** The whole repeated along each axis. */
  private record Tile() implements Operator {
    @Override
    public String type() {
      return "Tile";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      List<Dim> dims = new ArrayList<>();
      int rank = inference.rank(0);
      long[] repeats = inference.later(1) ? null : inference.integers("repeats", 1);
      if (!inference.later(1) && (repeats == null || repeats.length != rank)) {
        throw inference.error(
            "repeats are "
                + Arrays.toString(repeats)
                + ", expected one for each of "
                + rank
                + " axes");
      }
      for (int i = 0; i < rank; i++) {
        if (repeats != null && repeats[i] < 0) {
          throw inference.error("repeats are " + Arrays.toString(repeats));
        }
        dims.add(
            repeats == null ? inference.unknown(i) : inference.dim(0, i).times(Dim.of(repeats[i])));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return ShapeGradients.reading(
          0,
          binding -> {
            long[] dims = binding.inputDims(0);
            long[] out = binding.outputDims(0);
            long[] in = Shape.of(dims).contiguousStrides();
            long[] extent = new long[2 * dims.length];
            long[] from = new long[extent.length];
            for (int i = 0; i < dims.length; i++) {
              extent[2 * i] = dims[i] == 0 ? 0 : out[i] / dims[i];
              extent[2 * i + 1] = dims[i];
              from[2 * i + 1] = in[i];
            }
            long[] to = Shape.of(extent).contiguousStrides();
            Region source = binding.input(0);
            Region target = binding.output(0);
            int bytes = binding.inputType(0).bytes();
            return kernels -> kernels.copyStrided(source, 0, from, target, 0, to, extent, bytes);
          });
    }
  }

  /** One number everywhere: {@code value}, a constant of one element, by default a float32 0. */
  private record ConstantOfShape() implements HostOperator {
    @Override
    public String type() {
      return "ConstantOfShape";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      Constant value = inference.attributes().constant("value");
      if (value != null && value.shape().elements() != 1) {
        throw inference.error("value is " + value + ", expected one number");
      }
      DType type = value == null ? DType.FLOAT32 : value.dtype();
      List<Dim> dims = new ArrayList<>();
      if (inference.later(0)) {
        dims.addAll(laterDims(inference, 0));
      } else {
        inference.dims(0);
        for (long size : inference.constant(0).longs()) {
          if (size < 0) {
            throw inference.error("a size of " + size);
          }
          dims.add(Dim.of(size));
        }
      }
      inference.output(type, dims);
    }

    @Override
    public void compute(Call call) {
      Constant value = call.attributes().constant("value");
      HostArray out = call.out(0);
      if (out.wholes != null) {
        Arrays.fill(out.wholes, value.longs()[0]);
      } else {
        Arrays.fill(out.reals, value == null ? 0 : SelectionOperators.reals(value)[0]);
      }
    }
  }

  /** The sizes of the axes from {@code start} to {@code end}, or their product. */
  private record ShapeOf(String type) implements Operator {
    @Override
    public boolean sizesOnly() {
      return true;
    }

    private static int bound(Attributes attributes, String name, int rank) {
      long bound = attributes.integer(name, name.equals("end") ? rank : 0);
      return (int) Math.max(0, Math.min(rank, bound < 0 ? bound + rank : bound));
    }

    @Override
    public void infer(Inference inference) {
      if (type.equals("Size")) {
        inference.dims(0);
        inference.output(DType.INT64);
        return;
      }
      int start = bound(inference.attributes(), "start", inference.rank(0));
      int end = bound(inference.attributes(), "end", inference.rank(0));
      inference.output(DType.INT64, Dim.of(Math.max(0, end - start)));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return new Compiled() {
        @Override
        public List<Value> operands(Node node) {
          return List.of();
        }

        @Override
        public Step bind(Binding binding) {
          long[] dims = binding.inputDims(0);
          HostArray sizes = new HostArray(DType.INT64, DType.INT64, binding.outputDims(0));
          if (type.equals("Size")) {
            sizes.wholes[0] = Shape.of(dims).elements();
          } else {
            int start = bound(binding.node().attributes(), "start", dims.length);
            System.arraycopy(dims, start, sizes.wholes, 0, sizes.count);
          }
          Region out = binding.output(0);
          return kernels -> sizes.store(kernels, out);
        }
      };
    }
  }
}

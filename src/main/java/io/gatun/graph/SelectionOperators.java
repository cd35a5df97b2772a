package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Operators that choose, place or make elements by what other elements say. */
final class SelectionOperators {
  private SelectionOperators() {}

  static List<Operator> all() {
    return List.of(
        new Pad(),
        new GatherElements(),
        new GatherNd(),
        new ScatterElements(),
        new ScatterNd(),
        new TensorScatter(),
        new OneHot(),
        new Trilu(),
        new EyeLike(),
        new ReverseSequence(),
        new Range(),
        new NonZero(),
        new Compress(),
        new Unique(),
        new CenterCropPad());
  }

  /** A constant's elements as reals. */
  static double[] reals(Constant constant) {
    try (Arena scratch = Arena.ofConfined()) {
      return constant.tensor(scratch).toDoubles();
    }
  }

  /** A constant as an operand on the host. */
  static HostArray array(Constant constant) {
    HostArray array = new HostArray(constant.dtype(), constant.dtype(), constant.shape().dims());
    if (array.reals != null) {
      System.arraycopy(reals(constant), 0, array.reals, 0, array.count);
    } else {
      System.arraycopy(constant.longs(), 0, array.wholes, 0, array.count);
    }
    return array;
  }

  private static void requireIndices(Inference inference, int input) {
    DType type = inference.type(input);
    if (type != DType.INT32 && type != DType.INT64) {
      throw inference.error("indices are " + type.label() + ", expected int32 or int64");
    }
  }

  /** An index counted from the front. */
  private static int index(HostOperator.Call call, long index, long size) {
    if (index < -size || index >= size) {
      throw new IndexOutOfBoundsException(
          call.node().name() + ": index " + index + " along an axis of " + size);
    }
    return (int) (index < 0 ? index + size : index);
  }

  /** Elements of the input that go to the output by one strided copy; offsets count elements. */
  private record Block(long from, long to, long[] strides, long[] extent) {}

  /** The elements before, behind or between an axis' own; negative ones are cut off. */
  private record Pad() implements HostOperator {
    /** With more blocks to copy than these, places are looked up one by one. */
    private static final int MOST_BLOCKS = 1024;

    @Override
    public String type() {
      return "Pad";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input > 0;
    }

    /** Of each axis: how many before, how many behind. */
    private static long[][] pads(int rank, Constant pads, Constant axes) {
      long[] given = pads.longs();
      long[] named = axes == null ? null : axes.longs();
      int count = named == null ? rank : named.length;
      if (given.length != 2 * count) {
        return null;
      }
      long[][] result = new long[rank][2];
      for (int i = 0; i < count; i++) {
        int axis = (int) (named == null ? i : named[i] < 0 ? named[i] + rank : named[i]);
        if (axis < 0 || axis >= rank) {
          return null;
        }
        result[axis] = new long[] {given[i], given[count + i]};
      }
      return result;
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      inference.dims(1);
      String mode = inference.attributes().string("mode", "constant");
      if (!List.of("constant", "reflect", "edge", "wrap").contains(mode)) {
        throw inference.error("mode is '" + mode + "', expected constant, reflect, edge or wrap");
      }
      if (inference.later(1) || inference.later(3)) {
        inference.output(inference.type(0), ShapeOperators.unknownDims(inference, rank));
        return;
      }
      long[][] pads = pads(rank, inference.constant(1), inference.constant(3));
      if (pads == null) {
        throw inference.error(
            "pads are "
                + Arrays.toString(inference.constant(1).longs())
                + ", expected one before and one behind each axis of "
                + inference.dims(0));
      }
      List<Dim> dims = new ArrayList<>();
      for (int i = 0; i < rank; i++) {
        Dim size = inference.dim(0, i);
        long more = pads[i][0] + pads[i][1];
        if (size.isKnown() && size.size() + more < 0) {
          throw inference.error("pads of " + Arrays.toString(pads[i]) + " for an axis of " + size);
        }
        if (size.isKnown() && size.size() == 0 && more > 0 && !mode.equals("constant")) {
          throw inference.error("there is nothing in axis " + i + " to be repeated");
        }
        dims.add(more < 0 ? size.minus(Dim.of(-more)) : size.plus(Dim.of(more)));
      }
      inference.output(inference.type(0), dims);
    }

    private static double value(Constant value) {
      return value == null ? 0 : reals(value)[0];
    }

    @Override
    public Compiled compile(Compilation compilation) {
      boolean constant = compilation.attributes().string("mode", "constant").equals("constant");
      if (!constant) {
        return ShapeGradients.reading(0, this::repeating);
      }
      if (!compilation.node().inputs().get(0).type().isFloat()) {
        return new OnHost(this);
      }
      Constant pads = compilation.constant(1);
      Constant axes = compilation.constant(3);
      double value = value(compilation.constant(2));
      return ShapeGradients.reading(
          0,
          binding -> {
            long[] in = binding.inputDims(0);
            long[] out = binding.outputDims(0);
            long[][] edges = pads(in.length, pads, axes);
            long[] from = Shape.of(in).contiguousStrides();
            long[] to = Shape.of(out).contiguousStrides();
            long[] extent = new long[in.length];
            long source = 0;
            long target = 0;
            for (int i = 0; i < in.length; i++) {
              long cut = Math.max(0, -edges[i][0]);
              extent[i] = Math.max(0, in[i] - cut - Math.max(0, -edges[i][1]));
              source += cut * from[i];
              target += Math.max(0, edges[i][0]) * to[i];
            }
            long begin = source;
            long put = target;
            long count = Shape.of(out).elements();
            DType type = binding.outputType(0);
            Region data = binding.input(0);
            Region result = binding.output(0);
            return kernels -> {
              kernels.fill(result, type, count, value);
              kernels.copyStrided(data, begin, from, result, put, to, extent, type.bytes());
            };
          });
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      String mode = call.attributes().string("mode", "constant");
      long[][] pads = pads(x.dims.length, call.constant(1), call.constant(3));
      long[] strides = x.strides();
      long[][] sources = sources(mode, pads, x.dims, y.dims);
      HostArray value = new HostArray(y.type, y.type, new long[0]);
      if (call.constant(2) != null) {
        value.copy(0, array(call.constant(2)), 0);
      }
      int[] places = positions(y, sources, strides);
      for (int i = 0; i < y.count; i++) {
        y.copy(i, places[i] < 0 ? value : x, Math.max(0, places[i]));
      }
    }

    /** For each axis of the output where each of its places comes from, -1 for nowhere. */
    private static long[][] sources(String mode, long[][] pads, long[] in, long[] out) {
      long[][] sources = new long[in.length][];
      for (int axis = 0; axis < sources.length; axis++) {
        long size = in[axis];
        sources[axis] = new long[(int) out[axis]];
        for (int i = 0; i < sources[axis].length; i++) {
          long at = i - pads[axis][0];
          sources[axis][i] =
              switch (mode) {
                case "edge" -> Math.max(0, Math.min(size - 1, at));
                case "wrap" -> Math.floorMod(at, size);
                case "reflect" -> reflected(at, size);
                default -> at >= 0 && at < size ? at : -1;
              };
        }
      }
      return sources;
    }

    /** Where all that is added comes from the input: copies of blocks, some of them backwards. */
    private Step repeating(Binding binding) {
      Node node = binding.node();
      long[] in = binding.inputDims(0);
      long[] out = binding.outputDims(0);
      long[][] pads = pads(in.length, constant(node, 1), constant(node, 3));
      long[][] sources = sources(node.attributes().string("mode", ""), pads, in, out);
      List<Block> blocks = List.of(new Block(0, 0, new long[0], new long[0]));
      long[] from = Shape.of(in).contiguousStrides();
      long[] to = Shape.of(out).contiguousStrides();
      for (int axis = 0; axis < in.length; axis++) {
        blocks = along(blocks, sources[axis], from[axis], to[axis]);
        if (blocks.size() > MOST_BLOCKS) {
          return new OnHost(this).bind(binding);
        }
      }
      Block[] all = blocks.toArray(new Block[0]);
      int bytes = binding.outputType(0).bytes();
      Region data = binding.input(0);
      Region result = binding.output(0);
      return kernels -> {
        for (Block block : all) {
          kernels.copyStrided(
              data, block.from, block.strides, result, block.to, to, block.extent, bytes);
        }
      };
    }

    private static Constant constant(Node node, int input) {
      Value value = input < node.inputs().size() ? node.inputs().get(input) : null;
      return value == null ? null : value.constant();
    }

    /** Each block cut where the source of a further axis does not go on as it did. */
    private static List<Block> along(List<Block> blocks, long[] source, long from, long to) {
      List<Block> cut = new ArrayList<>();
      for (Block block : blocks) {
        for (int i = 0, end; i < source.length; i = end) {
          long step = i + 1 < source.length ? source[i + 1] - source[i] : 0;
          end = i + 1;
          while (Math.abs(step) <= 1
              && end < source.length
              && source[end] - source[end - 1] == step) {
            end++;
          }
          cut.add(
              new Block(
                  block.from + source[i] * from,
                  block.to + i * to,
                  with(block.strides, Math.abs(step) <= 1 ? step * from : 0),
                  with(block.extent, end - i)));
        }
      }
      return cut;
    }

    private static long[] with(long[] values, long last) {
      long[] all = Arrays.copyOf(values, values.length + 1);
      all[values.length] = last;
      return all;
    }

    private static long reflected(long at, long size) {
      if (size == 1) {
        return 0;
      }
      long place = Math.floorMod(at, 2 * (size - 1));
      return place < size ? place : 2 * (size - 1) - place;
    }
  }

  /**
   * For each element of an array, where it comes from: axis by axis, −1 where one of them has
   * nothing.
   */
  private static int[] positions(HostArray y, long[][] sources, long[] strides) {
    int[] places = new int[y.count];
    long[] own = y.strides();
    for (int i = 0; i < y.count; i++) {
      long at = 0;
      for (int axis = 0; axis < sources.length && at >= 0; axis++) {
        long source = sources[axis][(int) (i / own[axis] % y.dims[axis])];
        at = source < 0 ? -1 : at + source * strides[axis];
      }
      places[i] = (int) at;
    }
    return places;
  }

  /** Elements along an axis, for each its own index. */
  private record GatherElements() implements HostOperator {
    @Override
    public String type() {
      return "GatherElements";
    }

    @Override
    public void infer(Inference inference) {
      requireIndices(inference, 1);
      inference.expectRank(1, inference.rank(0));
      inference.axis("axis", 0, inference.rank(0));
      inference.output(inference.type(0), inference.dims(1));
    }

    @Override
    public void compute(Call call) {
      HostArray data = call.in(0);
      int[] places = along(call, data, call.in(1));
      for (int i = 0; i < places.length; i++) {
        call.out(0).copy(i, data, places[i]);
      }
    }

    /** Where in the data each index points, the other axes being the index' own. */
    static int[] along(Call call, HostArray data, HostArray indices) {
      int axis = call.axis("axis", 0, data.dims.length);
      for (int i = 0; i < data.dims.length; i++) {
        if (i != axis && indices.dims[i] > data.dims[i]) {
          throw call.error(
              "indices are "
                  + Arrays.toString(indices.dims)
                  + ", the data is "
                  + Arrays.toString(data.dims));
        }
      }
      long[] strides = data.strides();
      long step = strides[axis];
      strides[axis] = 0;
      int[] places = HostArray.places(indices.dims, strides, 0);
      for (int i = 0; i < places.length; i++) {
        places[i] += (int) step * index(call, indices.wholes[i], data.dims[axis]);
      }
      return places;
    }
  }

  private static String reduction(Inference inference) {
    String reduction = inference.attributes().string("reduction", "none");
    if (!List.of("none", "add", "mul", "max", "min").contains(reduction)) {
      throw inference.error(
          "reduction is '" + reduction + "', expected none, add, mul, max or min");
    }
    if (!reduction.equals("none")) {
      ElementOperators.requireNumbers(inference, 0);
    }
    if (inference.type(2) != inference.type(0)
        && !(inference.type(2).isFloat() && inference.type(0).isFloat())) {
      throw inference.error(
          "updates are " + inference.type(2).label() + ", expected " + inference.type(0).label());
    }
    return reduction;
  }

  /** {@code y[at] = reduction(y[at], update)}. */
  private static void put(String reduction, HostArray y, int at, HostArray update, int from) {
    switch (reduction) {
      case "add" -> {
        if (y.reals != null) {
          y.reals[at] += update.reals[from];
        } else {
          y.wholes[at] += update.wholes[from];
        }
      }
      case "mul" -> {
        if (y.reals != null) {
          y.reals[at] *= update.reals[from];
        } else {
          y.wholes[at] *= update.wholes[from];
        }
      }
      case "max" -> {
        if (update.compare(from, y, at) > 0) {
          y.copy(at, update, from);
        }
      }
      case "min" -> {
        if (update.compare(from, y, at) < 0) {
          y.copy(at, update, from);
        }
      }
      default -> y.copy(at, update, from);
    }
  }

  private static void copyAll(HostArray from, HostArray to) {
    for (int i = 0; i < to.count; i++) {
      to.copy(i, from, i);
    }
  }

  /** The data, with updates along an axis, for each its own index. */
  private record ScatterElements() implements HostOperator {
    @Override
    public String type() {
      return "ScatterElements";
    }

    @Override
    public void infer(Inference inference) {
      requireIndices(inference, 1);
      inference.expectRank(1, inference.rank(0));
      inference.expect(2, inference.dims(1).toArray(new Dim[0]));
      inference.axis("axis", 0, inference.rank(0));
      reduction(inference);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      copyAll(call.in(0), call.out(0));
      String reduction = call.attributes().string("reduction", "none");
      int[] places = GatherElements.along(call, call.in(0), call.in(1));
      for (int i = 0; i < places.length; i++) {
        put(reduction, call.out(0), places[i], call.in(2), i);
      }
    }
  }

  /** Where each tuple of indices {@code [..., length]} points, from an axis on. */
  private static int[] tuples(HostOperator.Call call, HostArray data, HostArray indices, int from) {
    int length = (int) indices.dims[indices.dims.length - 1];
    long[] strides = data.strides();
    int[] places =
        new int[length == 0 ? indices.product(0, indices.dims.length - 1) : indices.count / length];
    for (int i = 0; i < places.length; i++) {
      long at = 0;
      for (int k = 0; k < length; k++) {
        int axis = from + k;
        at += strides[axis] * index(call, indices.wholes[i * length + k], data.dims[axis]);
      }
      places[i] = (int) at;
    }
    return places;
  }

  private static int tupleLength(Inference inference, int most) {
    requireIndices(inference, 1);
    if (inference.rank(1) == 0 || !inference.dim(1, -1).isKnown()) {
      throw inference.error(
          "indices are " + inference.dims(1) + ", expected a known size of the last axis");
    }
    long length = inference.dim(1, -1).size();
    if (length > most) {
      throw inference.error("indices are " + inference.dims(1) + " for data " + inference.dims(0));
    }
    return (int) length;
  }

  /** Slices that tuples of indices point to. */
  private record GatherNd() implements HostOperator {
    @Override
    public String type() {
      return "GatherND";
    }

    private static int batchDims(Attributes attributes) {
      return Math.toIntExact(attributes.integer("batch_dims", 0));
    }

    @Override
    public void infer(Inference inference) {
      int batch = batchDims(inference.attributes());
      if (batch < 0 || batch >= Math.min(inference.rank(0), inference.rank(1))) {
        throw inference.error("batch_dims is " + batch);
      }
      int length = tupleLength(inference, inference.rank(0) - batch);
      List<Dim> dims = new ArrayList<>(inference.dims(1).subList(0, inference.rank(1) - 1));
      dims.addAll(inference.dims(0).subList(batch + length, inference.rank(0)));
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray data = call.in(0);
      HostArray indices = call.in(1);
      int batch = batchDims(call.attributes());
      int length = (int) indices.dims[indices.dims.length - 1];
      int size = data.product(batch + length, data.dims.length);
      int[] places = tuples(call, data, indices, batch);
      int batches = data.product(0, batch);
      int whole = data.product(batch, data.dims.length);
      for (int i = 0; i < places.length; i++) {
        int begin = places[i] + i / (places.length / batches) * whole;
        for (int k = 0; k < size; k++) {
          call.out(0).copy(i * size + k, data, begin + k);
        }
      }
    }
  }

  /** The data, with slices replaced that tuples of indices point to. */
  private record ScatterNd() implements HostOperator {
    @Override
    public String type() {
      return "ScatterND";
    }

    @Override
    public void infer(Inference inference) {
      int length = tupleLength(inference, inference.rank(0));
      List<Dim> dims = new ArrayList<>(inference.dims(1).subList(0, inference.rank(1) - 1));
      dims.addAll(inference.dims(0).subList(length, inference.rank(0)));
      inference.expect(2, dims.toArray(new Dim[0]));
      reduction(inference);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      copyAll(call.in(0), call.out(0));
      String reduction = call.attributes().string("reduction", "none");
      HostArray indices = call.in(1);
      int length = (int) indices.dims[indices.dims.length - 1];
      int size = call.in(0).product(length, call.in(0).dims.length);
      int[] places = tuples(call, call.in(0), indices, 0);
      for (int i = 0; i < places.length; i++) {
        for (int k = 0; k < size; k++) {
          put(reduction, call.out(0), places[i] + k, call.in(2), i * size + k);
        }
      }
    }
  }

  /** A cache, with an update written from an index on, for each sequence its own. */
  private record TensorScatter() implements HostOperator {
    @Override
    public String type() {
      return "TensorScatter";
    }

    @Override
    public void infer(Inference inference) {
      int axis = inference.axis("axis", -2, inference.rank(0));
      inference.expectRank(1, inference.rank(0));
      if (axis == 0 || inference.type(0) != inference.type(1)) {
        throw inference.error(
            "an update of "
                + inference.dims(1)
                + " along axis "
                + axis
                + " of "
                + inference.dims(0));
      }
      for (int i = 0; i < inference.rank(0); i++) {
        if (i != axis && !inference.dim(1, i).matches(inference.dim(0, i))) {
          throw inference.error("an update of " + inference.dims(1) + " to " + inference.dims(0));
        }
      }
      if (inference.has(2)) {
        requireIndices(inference, 2);
        inference.expect(2, inference.dim(0, 0));
      }
      String mode = inference.attributes().string("mode", "linear");
      if (!mode.equals("linear") && !mode.equals("circular")) {
        throw inference.error("mode is '" + mode + "', expected linear or circular");
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      HostArray update = call.in(1);
      copyAll(call.in(0), y);
      int axis = call.axis("axis", -2, y.dims.length);
      boolean circular = call.attributes().string("mode", "linear").equals("circular");
      long[] strides = y.strides();
      long[] own = update.strides();
      for (int i = 0; i < update.count; i++) {
        int batch = (int) (i / own[0]);
        long begin = call.in(2) == null ? 0 : call.in(2).wholes[batch];
        long at = begin + i / own[axis] % update.dims[axis];
        if (begin < 0 || (!circular && at >= y.dims[axis])) {
          throw new IndexOutOfBoundsException(
              call.node().name() + ": writes at " + at + " of an axis of " + y.dims[axis]);
        }
        long place = at % y.dims[axis] * strides[axis];
        for (int k = 0; k < y.dims.length; k++) {
          place += k == axis ? 0 : i / own[k] % update.dims[k] * strides[k];
        }
        y.copy((int) place, update, i);
      }
    }
  }

  /** One of two values by whether an index is a position along a new axis. */
  private record OneHot() implements HostOperator {
    @Override
    public String type() {
      return "OneHot";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      inference.expect(2, Dim.of(2));
      ElementOperators.requireNumbers(inference, 0);
      int axis = inference.axis("axis", -1, inference.rank(0) + 1);
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      if (inference.later(1)) {
        dims.add(axis, inference.unknown(0));
      } else {
        inference.dims(1);
        long depth = (long) reals(inference.constant(1))[0];
        if (depth < 0) {
          throw inference.error("a depth of " + depth);
        }
        dims.add(axis, Dim.of(depth));
      }
      inference.output(inference.type(2), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      int axis = call.axis("axis", -1, y.dims.length);
      int depth = (int) y.dims[axis];
      int inner = y.product(axis + 1, y.dims.length);
      for (int i = 0; i < y.count; i++) {
        int of = i / (inner * depth) * inner + i % inner;
        double index = call.in(0).real(of);
        y.copy(i, call.in(2), (index < 0 ? index + depth : index) == i / inner % depth ? 1 : 0);
      }
    }
  }

  /** The upper or lower triangle of matrices, the rest 0. */
  private record Trilu() implements HostOperator {
    @Override
    public String type() {
      return "Trilu";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      if (inference.rank(0) < 2) {
        throw inference.error("input is " + inference.dims(0) + ", expected matrices");
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      long k = call.constant(1) == null ? 0 : call.constant(1).longs()[0];
      boolean upper = call.attributes().integer("upper", 1) != 0;
      long columns = x.dims[x.dims.length - 1];
      long rows = x.dims[x.dims.length - 2];
      for (int i = 0; i < x.count; i++) {
        long off = i % columns - i / columns % rows;
        call.out(0).copyOrZero(i, x, (upper ? off >= k : off <= k) ? i : -1);
      }
    }
  }

  /** Ones along a diagonal; {@code dtype}: the label of a type. */
  private record EyeLike() implements HostOperator {
    @Override
    public String type() {
      return "EyeLike";
    }

    @Override
    public boolean sizesOnly() {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      inference.expectRank(0, 2);
      String type = inference.attributes().string("dtype", inference.type(0).label());
      inference.output(DType.of(type), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      long k = call.attributes().integer("k", 0);
      for (int i = 0; i < y.count; i++) {
        y.set(i, i % y.dims[1] - i / y.dims[1] == k ? 1 : 0);
      }
    }
  }

  /** The first elements of each sequence in reverse. */
  private record ReverseSequence() implements HostOperator {
    @Override
    public String type() {
      return "ReverseSequence";
    }

    @Override
    public void infer(Inference inference) {
      int batch = inference.axis("batch_axis", 1, 2);
      int time = inference.axis("time_axis", 0, 2);
      if (inference.rank(0) < 2 || batch == time) {
        throw inference.error(
            "batch_axis " + batch + " and time_axis " + time + " of " + inference.dims(0));
      }
      inference.expect(1, inference.dim(0, batch));
      requireIndices(inference, 1);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      int batch = call.axis("batch_axis", 1, 2);
      int time = call.axis("time_axis", 0, 2);
      long[] strides = x.strides();
      for (int i = 0; i < x.count; i++) {
        long length = call.in(1).wholes[(int) (i / strides[batch] % x.dims[batch])];
        if (length < 0 || length > x.dims[time]) {
          throw call.error("a sequence of length " + length + " along an axis of " + x.dims[time]);
        }
        long t = i / strides[time] % x.dims[time];
        long from = t < length ? length - 1 - t : t;
        call.out(0).copy(i, x, (int) (i + (from - t) * strides[time]));
      }
    }
  }

  /** From a start on, as long as a limit is not reached. */
  private record Range() implements HostOperator {
    @Override
    public String type() {
      return "Range";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      ElementOperators.requireNumbers(inference, 0);
      for (int i = 0; i < 3; i++) {
        if (inference.rank(i) > 1
            || !inference.dims(i).stream().allMatch(dim -> dim.matches(Dim.ONE))
            || inference.type(i) != inference.type(0)) {
          throw inference.error(
              "input " + i + " is " + inference.dims(i) + ", expected one number of one type");
        }
      }
      if (inference.later(0) || inference.later(1) || inference.later(2)) {
        inference.output(inference.type(0), inference.unknown(0));
        return;
      }
      double[] numbers = new double[3];
      for (int i = 0; i < 3; i++) {
        numbers[i] = reals(inference.constant(i))[0];
      }
      double count = Math.ceil((numbers[1] - numbers[0]) / numbers[2]);
      if (numbers[2] == 0 || Double.isNaN(count) || count > Integer.MAX_VALUE) {
        throw inference.error("a range of " + Arrays.toString(numbers));
      }
      inference.output(inference.type(0), Dim.of((long) Math.max(0, count)));
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      HostArray start = array(call.constant(0));
      HostArray step = array(call.constant(2));
      for (int i = 0; i < y.count; i++) {
        if (y.reals != null) {
          y.reals[i] = start.reals[0] + i * step.reals[0];
        } else {
          y.wholes[i] = start.wholes[0] + i * step.wholes[0];
        }
      }
    }
  }

  private static boolean isZero(HostArray x, int i) {
    return x.reals != null ? x.reals[i] == 0 : x.wholes[i] == 0;
  }

  /** {@code [rank, count]}: where the elements are that are not 0. */
  private record NonZero() implements HostOperator {
    @Override
    public String type() {
      return "NonZero";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public void infer(Inference inference) {
      Dim count = inference.unknown(0);
      if (!inference.later(0)) {
        inference.dims(0);
        HostArray x = array(inference.constant(0));
        int found = 0;
        for (int i = 0; i < x.count; i++) {
          found += isZero(x, i) ? 0 : 1;
        }
        count = Dim.of(found);
      }
      inference.output(DType.INT64, Dim.of(inference.rank(0)), count);
    }

    @Override
    public void compute(Call call) {
      HostArray x = array(call.constant(0));
      HostArray y = call.out(0);
      long[] strides = x.strides();
      int count = (int) y.dims[1];
      int found = 0;
      for (int i = 0; i < x.count; i++) {
        if (!isZero(x, i)) {
          for (int axis = 0; axis < strides.length; axis++) {
            y.wholes[axis * count + found] = i / strides[axis] % x.dims[axis];
          }
          found++;
        }
      }
    }
  }

  /** What a condition says, along an axis or of all elements. */
  private record Compress() implements HostOperator {
    @Override
    public String type() {
      return "Compress";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    private static int[] chosen(Constant condition) {
      long[] flags = condition.longs();
      return java.util.stream.IntStream.range(0, flags.length).filter(i -> flags[i] != 0).toArray();
    }

    @Override
    public void infer(Inference inference) {
      inference.expectRank(1, 1);
      boolean whole = !inference.attributes().has("axis");
      int axis = whole ? 0 : inference.axis("axis", 0, inference.rank(0));
      List<Dim> dims =
          whole ? new ArrayList<>(List.of(Dim.ONE)) : new ArrayList<>(inference.dims(0));
      if (inference.later(1)) {
        dims.set(axis, inference.unknown(0));
      } else {
        int[] chosen = chosen(inference.constant(1));
        Dim size = whole ? null : inference.dim(0, axis);
        if (size != null
            && size.isKnown()
            && chosen.length > 0
            && chosen[chosen.length - 1] >= size.size()) {
          throw inference.error(
              "the condition chooses beyond axis " + axis + " of " + inference.dims(0));
        }
        dims.set(axis, Dim.of(chosen.length));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      int[] chosen = chosen(call.constant(1));
      if (!call.attributes().has("axis")) {
        for (int i = 0; i < chosen.length; i++) {
          y.copy(i, x, index(call, chosen[i], x.count));
        }
        return;
      }
      int axis = call.axis("axis", 0, x.dims.length);
      int inner = x.product(axis + 1, x.dims.length);
      for (int i = 0; i < y.count; i++) {
        int outer = i / (inner * chosen.length);
        int k = chosen[i / inner % chosen.length];
        y.copy(i, x, (outer * (int) x.dims[axis] + k) * inner + i % inner);
      }
    }
  }

  /** What there is of an axis or of all elements, each once; also where, and how often. */
  private record Unique() implements HostOperator {
    @Override
    public String type() {
      return "Unique";
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    /** The first of those that are equal, and all of them, in the order of the result. */
    private static Map<Integer, List<Integer>> groups(HostArray x, int axis, boolean sorted) {
      int size = axis < 0 ? x.count : (int) x.dims[axis];
      List<Integer> order = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        order.add(i);
      }
      order.sort((a, b) -> compare(x, axis, a, b));
      Map<Integer, List<Integer>> groups = new LinkedHashMap<>();
      int first = -1;
      for (int i : order) {
        if (first < 0 || compare(x, axis, first, i) != 0) {
          first = i;
          groups.put(first, new ArrayList<>());
        }
        groups.get(first).add(i);
      }
      if (sorted) {
        return groups;
      }
      Map<Integer, List<Integer>> asFound = new LinkedHashMap<>();
      groups.keySet().stream().sorted().forEach(key -> asFound.put(key, groups.get(key)));
      return asFound;
    }

    private static int compare(HostArray x, int axis, int a, int b) {
      if (axis < 0) {
        return x.compare(a, x, b);
      }
      int inner = x.product(axis + 1, x.dims.length);
      int size = (int) x.dims[axis];
      for (int outer = 0; outer < x.product(0, axis); outer++) {
        for (int i = 0; i < inner; i++) {
          int order = x.compare((outer * size + a) * inner + i, x, (outer * size + b) * inner + i);
          if (order != 0) {
            return order;
          }
        }
      }
      return 0;
    }

    private static int axis(Attributes attributes, int rank) {
      if (!attributes.has("axis")) {
        return -1;
      }
      long axis = attributes.integer("axis", 0);
      return (int) (axis < 0 ? axis + rank : axis);
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      if (inference.attributes().has("axis")) {
        inference.axis("axis", 0, rank);
      }
      int axis = axis(inference.attributes(), rank);
      Dim count = inference.unknown(0);
      Dim all = axis < 0 ? inference.unknown(1) : inference.dim(0, axis);
      if (!inference.later(0)) {
        HostArray x = array(inference.constant(0));
        count = Dim.of(groups(x, axis, true).size());
        all = Dim.of(axis < 0 ? x.count : x.dims[axis]);
      }
      List<Dim> dims = new ArrayList<>(axis < 0 ? List.of(count) : inference.dims(0));
      dims.set(Math.max(0, axis), count);
      inference.output(inference.type(0), dims);
      inference.output(DType.INT64, count);
      inference.output(DType.INT64, all);
      inference.output(DType.INT64, count);
    }

    @Override
    public void compute(Call call) {
      HostArray x = array(call.constant(0));
      HostArray y = call.out(0);
      int axis = axis(call.attributes(), x.dims.length);
      boolean sorted = call.attributes().integer("sorted", 1) != 0;
      Map<Integer, List<Integer>> groups = groups(x, axis, sorted);
      int inner = axis < 0 ? 1 : x.product(axis + 1, x.dims.length);
      int outer = axis < 0 ? 1 : x.product(0, axis);
      int size = axis < 0 ? x.count : (int) x.dims[axis];
      int to = 0;
      for (Map.Entry<Integer, List<Integer>> group : groups.entrySet()) {
        for (int i = 0; i < outer * inner; i++) {
          int target = (i / inner * groups.size() + to) * inner + i % inner;
          y.copy(target, x, (i / inner * size + group.getKey()) * inner + i % inner);
        }
        if (call.out(1) != null) {
          call.out(1).wholes[to] = group.getKey();
        }
        for (int member : call.out(2) == null ? List.<Integer>of() : group.getValue()) {
          call.out(2).wholes[member] = to;
        }
        if (call.out(3) != null) {
          call.out(3).wholes[to] = group.getValue().size();
        }
        to++;
      }
    }
  }

  /** The middle of axes, or the whole with zeros around it. */
  private record CenterCropPad() implements HostOperator {
    @Override
    public String type() {
      return "CenterCropPad";
    }

    @Override
    public boolean steers(Node node, int input) {
      return input == 1;
    }

    @Override
    public void infer(Inference inference) {
      int rank = inference.rank(0);
      long[] axes =
          inference.attributes().has("axes") ? inference.attributes().integers("axes") : null;
      int count = axes == null ? rank : axes.length;
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      inference.expect(1, Dim.of(count));
      for (int i = 0; i < count; i++) {
        int axis = inference.axis(axes == null ? i : axes[i], rank);
        dims.set(
            axis,
            inference.later(1)
                ? inference.unknown(i)
                : Dim.of(Math.max(0, inference.constant(1).longs()[i])));
      }
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      long[][] sources = new long[x.dims.length][];
      for (int axis = 0; axis < sources.length; axis++) {
        long more = y.dims[axis] - x.dims[axis];
        long shift = more >= 0 ? more / 2 : -(-more / 2);
        sources[axis] = new long[(int) y.dims[axis]];
        for (int i = 0; i < sources[axis].length; i++) {
          long at = i - shift;
          sources[axis][i] = at >= 0 && at < x.dims[axis] ? at : -1;
        }
      }
      int[] places = positions(y, sources, x.strides());
      for (int i = 0; i < y.count; i++) {
        y.copyOrZero(i, x, places[i]);
      }
    }
  }
}

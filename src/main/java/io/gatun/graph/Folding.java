package io.gatun.graph;

import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * What is known of values before there is input: what nodes make of constants, computed by plain
 * loops in float32, and lists of sizes (Shape, and what is picked from and put together of it) as
 * far as the sizes are known.
 */
final class Folding {
  /** Results of more elements than this are kept as nodes where their inputs are smaller. */
  private static final long MOST_ELEMENTS = 1 << 20;

  private Folding() {}

  /** The device of plain loops: ready at once, and there on every machine. */
  private static final class Plain {
    static final Device DEVICE = Devices.open("scalar");
  }

  /**
   * The outputs of a node as constants; {@code null} where they are not known.
   *
   * @param outputs how many are wanted
   */
  static List<Constant> fold(Node node, List<DType> types, int outputs) {
    if (node.operator() instanceof ControlOperator || node.operator().type().startsWith("Random")) {
      return null;
    }
    if (node.inputs().stream().anyMatch(in -> in != null && in.constant() == null)) {
      List<Dim> sizes = outputs == 1 ? sizes(node) : null;
      if (sizes == null || !sizes.stream().allMatch(dim -> dim != null && dim.isKnown())) {
        return null;
      }
      long[] numbers = sizes.stream().mapToLong(Dim::size).toArray();
      Tensor tensor = allocate(types.get(0), isSingle(node) ? new long[0] : dims(numbers.length));
      for (int i = 0; i < numbers.length; i++) {
        tensor.setLong(numbers[i], isSingle(node) ? new long[0] : new long[] {i});
      }
      return List.of(Constant.of(tensor));
    }
    return compute(node, outputs);
  }

  private static long[] dims(long size) {
    return new long[] {size};
  }

  private static Tensor allocate(DType type, long... dims) {
    long bytes = Shape.of(dims).elements() * type.bytes();
    ByteBuffer memory =
        ByteBuffer.allocateDirect(Math.toIntExact(Math.max(8, bytes)))
            .order(ByteOrder.nativeOrder());
    return Tensor.wrap(memory, type, dims);
  }

  private static List<Constant> compute(Node node, int outputs) {
    Graph.Builder g = Graph.builder(node.name());
    List<Value> in = new ArrayList<>();
    long most = MOST_ELEMENTS;
    for (Value value : node.inputs()) {
      Value known = value == null ? null : g.find(value.name());
      in.add(
          value == null
              ? null
              : known != null ? known : g.constant(value.name(), value.constant()));
      most += value == null ? 0 : 4 * value.constant().shape().elements();
    }
    List<String> names = new ArrayList<>();
    for (int i = 0; i < outputs; i++) {
      names.add("folded " + i);
    }
    List<Value> out = g.node(node.name(), node.operator(), node.attributes(), in, names);
    for (Value value : out) {
      if (value.dims().stream().allMatch(Dim::isKnown)) {
        long elements = 1;
        for (Dim dim : value.dims()) {
          elements = dim.size() == 0 || elements > most ? elements : elements * dim.size();
        }
        if (elements > most) {
          return null;
        }
      }
      g.output(value);
    }
    try (Plan plan = Plan.on(Plain.DEVICE, g.build());
        Execution execution = plan.newExecution()) {
      execution.run();
      List<Constant> constants = new ArrayList<>();
      for (Value value : out) {
        Tensor result = execution.output(value.name());
        constants.add(Constant.of(allocate(value.type(), result.shape().dims()).copyFrom(result)));
      }
      return constants;
    }
  }

  /** Whether a node gives one number without an axis. */
  private static boolean isSingle(Node node) {
    return switch (node.operator().type()) {
      case "Shape", "Concat", "Slice", "Unsqueeze" -> false;
      case "Size", "Squeeze" -> true;
      case "Gather" -> node.inputs().get(1).rank() == 0;
      default -> node.inputs().get(0).rank() == 0;
    };
  }

  /**
   * The whole numbers that a node gives, a single one or a list, where they are sizes; {@code null}
   * in the place of one that is not known, and for all of them where none is.
   */
  static List<Dim> sizes(Node node) {
    List<Value> in = node.inputs();
    Attributes attributes = node.attributes();
    switch (node.operator().type()) {
      case "Shape" -> {
        List<Dim> dims = in.get(0).dims();
        int from = end(attributes.integer("start", 0), dims.size());
        int to = end(attributes.integer("end", dims.size()), dims.size());
        return from >= to ? List.of() : dims.subList(from, to);
      }
      case "Size" -> {
        Dim product = Dim.ONE;
        for (Dim dim : in.get(0).dims()) {
          product = product.times(dim);
        }
        return List.of(product);
      }
      case "Identity", "Cast", "Unsqueeze", "Squeeze" -> {
        boolean whole =
            !node.operator().type().equals("Cast")
                || attributes.string("to", "").matches("int(32|64)");
        return whole && !in.isEmpty() && in.get(0).rank() <= 1 ? content(in.get(0)) : null;
      }
      case "Gather" -> {
        List<Dim> from = in.size() < 2 || in.get(1) == null ? null : content(in.get(0));
        Constant which = from == null ? null : in.get(1).constant();
        if (which == null || in.get(0).rank() != 1 || which.shape().rank() > 1) {
          return null;
        }
        List<Dim> picked = new ArrayList<>();
        for (long index : which.longs()) {
          long at = index < 0 ? index + from.size() : index;
          if (at < 0 || at >= from.size()) {
            return null;
          }
          picked.add(from.get((int) at));
        }
        return picked;
      }
      case "Concat" -> {
        List<Dim> all = new ArrayList<>();
        for (Value part : in) {
          List<Dim> sizes = part == null || part.rank() != 1 ? null : content(part);
          if (sizes == null) {
            return null;
          }
          all.addAll(sizes);
        }
        return all;
      }
      case "Slice" -> {
        return slice(node);
      }
      default -> {
        return null;
      }
    }
  }

  private static int end(long position, int size) {
    long from = position < 0 ? position + size : position;
    return (int) Math.max(0, Math.min(size, from));
  }

  private static List<Dim> slice(Node node) {
    List<Value> in = node.inputs();
    List<Dim> from = in.get(0).rank() == 1 ? content(in.get(0)) : null;
    if (from == null || in.size() < 3) {
      return null;
    }
    for (int i = 1; i < in.size(); i++) {
      if (in.get(i) != null
          && (in.get(i).constant() == null || in.get(i).constant().shape().elements() != 1)) {
        return null;
      }
    }
    if (in.get(1) == null
        || in.get(2) == null
        || (in.size() > 4 && in.get(4) != null && in.get(4).constant().longs()[0] != 1)) {
      return null;
    }
    int begin = end(in.get(1).constant().longs()[0], from.size());
    int end = end(in.get(2).constant().longs()[0], from.size());
    return begin >= end ? List.of() : from.subList(begin, end);
  }

  /** What a value contains, as sizes; {@code null} where that is not known at all. */
  static List<Dim> content(Value value) {
    if (value.constant() == null) {
      return value.sizes();
    }
    boolean small =
        value.type().isInteger() && value.rank() <= 1 && value.constant().shape().elements() <= 64;
    return !small
        ? null
        : Arrays.stream(value.constant().longs())
            .mapToObj(number -> number < 0 ? null : Dim.of(number))
            .collect(java.util.stream.Collectors.toCollection(ArrayList::new));
  }

  /** A list that may hold {@code null}, copied; {@code null} where nothing in it is known. */
  static List<Dim> known(List<Dim> sizes) {
    return sizes == null || sizes.stream().allMatch(Objects::isNull)
        ? null
        : java.util.Collections.unmodifiableList(new ArrayList<>(sizes));
  }
}

package io.gatun.format;

import io.gatun.graph.Constant;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The messages of onnx.proto that a graph is made of, read into records. Of tensors and graphs
 * within only the place is kept. Field numbers are those of the format's definition.
 */
final class OnnxFields {
  private OnnxFields() {}

  /** A node as the file has it; what rewrites it makes a new one. */
  record Node(
      String name,
      String domain,
      String type,
      List<String> inputs,
      List<String> outputs,
      Map<String, Object> attributes,
      long offset) {

    /** How errors name it. */
    String title() {
      String label =
          !name.isEmpty()
              ? name
              : outputs.stream().filter(out -> !out.isEmpty()).findFirst().orElse("without a name");
      return "node '" + label + "' (" + (isStandard() ? type : domain + "." + type) + ")";
    }

    boolean isStandard() {
      return domain.isEmpty() || domain.equals("ai.onnx");
    }

    boolean hasInput(int index) {
      return index < inputs.size() && !inputs.get(index).isEmpty();
    }

    boolean has(String attribute) {
      return attributes.containsKey(attribute);
    }

    /** An integer attribute; of another type it is what the operator will complain about. */
    long integer(String attribute, long otherwise) {
      return attributes.get(attribute) instanceof Long value ? value : otherwise;
    }

    Node with(String newType, List<String> newInputs, Map<String, Object> newAttributes) {
      return new Node(name, domain, newType, newInputs, outputs, newAttributes, offset);
    }
  }

  /** An attribute that takes its value from one of the function that the node is in. */
  record Reference(String attribute) {}

  /** A graph: messages that are read when their turn comes. */
  record GraphMessage(
      String name,
      List<Protobuf> nodes,
      List<Protobuf> initializers,
      List<Protobuf> inputs,
      List<Protobuf> outputs,
      long offset) {}

  /** A function of the model: nodes that stand for one. */
  record Function(
      String domain,
      String name,
      String overload,
      List<String> inputs,
      List<String> outputs,
      List<Protobuf> nodes,
      List<Protobuf> defaults,
      Map<String, Long> opsets,
      long offset) {}

  /**
   * An input or output.
   *
   * @param type {@code null} where it is no tensor of a type that is read; then {@code kind} says
   *     what
   * @param dims a {@link Long}, a {@link String}, or {@code ""} for what has no name; {@code null}
   *     where even the number of axes is not given
   */
  record Info(String name, DType type, String kind, List<Object> dims, long offset) {}

  static GraphMessage graph(Protobuf message) {
    String name = "";
    List<Protobuf> nodes = new ArrayList<>();
    List<Protobuf> initializers = new ArrayList<>();
    List<Protobuf> inputs = new ArrayList<>();
    List<Protobuf> outputs = new ArrayList<>();
    Protobuf in = message.again();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> nodes.add(in.message("a node"));
        case 2 -> name = in.text("the name of a graph");
        case 5 -> initializers.add(in.message("an initializer"));
        case 11 -> inputs.add(in.message("an input"));
        case 12 -> outputs.add(in.message("an output"));
        case 15 -> throw in.error("a sparse initializer, which is not read; make it dense");
        default -> in.skip();
      }
    }
    return new GraphMessage(name, nodes, initializers, inputs, outputs, message.begin());
  }

  static Function function(Protobuf message) {
    String name = "";
    String domain = "";
    String overload = "";
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    List<Protobuf> nodes = new ArrayList<>();
    List<Protobuf> defaults = new ArrayList<>();
    Map<String, Long> opsets = new LinkedHashMap<>();
    Protobuf in = message.again();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> name = in.text("the name of a function");
        case 4 -> inputs.add(in.text("an input of a function"));
        case 5 -> outputs.add(in.text("an output of a function"));
        case 7 -> nodes.add(in.message("a node of a function"));
        case 9 -> opset(in.message("an operator set"), opsets);
        case 10 -> domain = in.text("the domain of a function");
        case 11 -> defaults.add(in.message("an attribute of a function"));
        case 13 -> overload = in.text("the overload of a function");
        default -> in.skip();
      }
    }
    return new Function(
        domain, name, overload, inputs, outputs, nodes, defaults, opsets, message.begin());
  }

  /** {@code OperatorSetIdProto}. */
  static void opset(Protobuf in, Map<String, Long> opsets) {
    String domain = "";
    long version = 0;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> domain = in.text("the domain of an operator set");
        case 2 -> version = in.integer("the version of an operator set");
        default -> in.skip();
      }
    }
    opsets.put(domain.equals("ai.onnx") ? "" : domain, version);
  }

  /** {@code StringStringEntryProto}. */
  static void entry(Protobuf in, Map<String, String> entries) {
    String key = "";
    String value = "";
    while (in.next()) {
      switch (in.field()) {
        case 1 -> key = in.text("a key");
        case 2 -> value = in.text("the value of '" + key + "'");
        default -> in.skip();
      }
    }
    entries.put(key, value);
  }

  static Node node(Protobuf message, OnnxTensors tensors) {
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    List<Protobuf> attributes = new ArrayList<>();
    String name = "";
    String type = "";
    String domain = "";
    Protobuf in = message.again();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> inputs.add(in.text("an input of a node"));
        case 2 -> outputs.add(in.text("an output of a node"));
        case 3 -> name = in.text("the name of a node");
        case 4 -> type = in.text("the operator of a node");
        case 5 -> attributes.add(in.message("an attribute"));
        case 7 -> domain = in.text("the domain of a node");
        default -> in.skip();
      }
    }
    Map<String, Object> values = new LinkedHashMap<>();
    Node node = new Node(name, domain, type, inputs, outputs, values, message.begin());
    for (Protobuf attribute : attributes) {
      attribute(attribute, node.title(), values, tensors);
    }
    return node;
  }

  /** {@code AttributeProto}: a typed value of a name. */
  static void attribute(
      Protobuf message, String owner, Map<String, Object> values, OnnxTensors tensors) {
    String name = "";
    long declared = 0;
    Object single = null;
    Protobuf.Numbers ints = new Protobuf.Numbers();
    Protobuf.Numbers floats = new Protobuf.Numbers();
    List<String> strings = new ArrayList<>();
    Protobuf in = message.again();
    while (in.next()) {
      String what = "attribute '" + name + "' of " + owner;
      switch (in.field()) {
        case 1 -> name = in.text("the name of an attribute of " + owner);
        case 2 -> single = in.real(what);
        case 3 -> single = in.integer(what);
        case 4 -> single = in.text(what);
        case 5 -> single = in.message(what);
        case 6 -> single = graph(in.message(what));
        case 7 -> in.fixed32(what, floats);
        case 8 -> in.integers(what, ints);
        case 9 -> strings.add(in.text(what));
        case 20 -> declared = in.integer("the type of " + what);
        case 21 -> single = new Reference(in.text(what));
        case 10, 11, 14, 15, 22, 23 ->
            throw in.error(what + " is a list of tensors or graphs, a type, or sparse: not read");
        default -> in.skip();
      }
    }
    if (name.isEmpty()) {
      throw message.error("an attribute of " + owner + " without a name");
    }
    String what = "attribute '" + name + "' of " + owner;
    Object value;
    if (single instanceof Reference) {
      value = single;
    } else {
      value =
          switch ((int) declared) {
            case 0 -> single;
            // Fields that have their default value are not in the file.
            case 1 -> single == null ? Float.valueOf(0) : single;
            case 2 -> single == null ? Long.valueOf(0) : single;
            case 3 -> single == null ? "" : single;
            case 4, 5 -> single;
            case 6 -> reals(floats);
            case 7 -> ints.toArray();
            case 8 -> List.copyOf(strings);
            default ->
                throw message.error(what + " is of type " + declared + ", which is not read");
          };
      boolean fits =
          switch ((int) declared) {
            case 1 -> value instanceof Float;
            case 2 -> value instanceof Long;
            case 3 -> value instanceof String;
            case 4 -> value instanceof Protobuf;
            case 5 -> value instanceof GraphMessage;
            default -> value != null;
          };
      if (!fits) {
        throw message.error(what + " has no value of its type");
      }
      if (value instanceof Protobuf tensor) {
        value = Constant.of(tensors.read(tensor, what).tensor());
      }
    }
    if (values.put(name, value) != null) {
      throw message.error(what + " is given twice");
    }
  }

  private static float[] reals(Protobuf.Numbers bits) {
    float[] values = new float[bits.count()];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat((int) bits.get(i));
    }
    return values;
  }

  /** {@code ValueInfoProto}. */
  static Info info(Protobuf message) {
    String name = "";
    Protobuf type = null;
    Protobuf in = message.again();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> name = in.text("the name of an input or output");
        case 2 -> type = in.message("the type of '" + name + "'");
        default -> in.skip();
      }
    }
    long offset = message.begin();
    if (type == null) {
      return new Info(name, null, "of no type", null, offset);
    }
    Protobuf tensor = null;
    String kind = "of no type";
    while (type.next()) {
      switch (type.field()) {
        case 1 -> tensor = type.message("the type of '" + name + "'");
        case 4 -> {
          kind = "a sequence";
          type.skip();
        }
        case 5 -> {
          kind = "a map";
          type.skip();
        }
        case 8 -> {
          kind = "a sparse tensor";
          type.skip();
        }
        case 9 -> {
          kind = "optional";
          type.skip();
        }
        default -> type.skip();
      }
    }
    if (tensor == null) {
      return new Info(name, null, kind, null, offset);
    }
    long element = 0;
    List<Object> dims = null;
    while (tensor.next()) {
      switch (tensor.field()) {
        case 1 -> element = tensor.integer("the element type of '" + name + "'");
        case 2 -> dims = dims(tensor.message("the shape of '" + name + "'"));
        default -> tensor.skip();
      }
    }
    return new Info(name, OnnxTensors.type(element), OnnxTensors.typeName(element), dims, offset);
  }

  private static List<Object> dims(Protobuf shape) {
    List<Object> dims = new ArrayList<>();
    while (shape.next()) {
      if (shape.field() != 1) {
        shape.skip();
        continue;
      }
      Protobuf dim = shape.message("a dimension");
      Object size = "";
      while (dim.next()) {
        switch (dim.field()) {
          case 1 -> size = dim.integer("a dimension");
          case 2 -> size = dim.text("a dimension");
          default -> dim.skip();
        }
      }
      dims.add(size);
    }
    return dims;
  }
}

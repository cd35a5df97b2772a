package io.gatun.format;

import io.gatun.format.OnnxFields.Node;
import io.gatun.graph.Constant;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns what an operator was in an older version into what it is in the newest one, so that the
 * graph's operators have one meaning. Where that takes more than other inputs and settings, it adds
 * nodes in front.
 */
final class OnnxVersions {
  private final OnnxGraphReader reader;
  private final long version;

  OnnxVersions(OnnxGraphReader reader, long version) {
    this.reader = reader;
    this.version = version;
  }

  /**
   * The node in its newest form; {@code null} where other nodes were added in its place.
   *
   * @throws ModelFormatException if the file's version has no such operator, or one that is not
   *     read
   */
  Node normal(Node node) {
    String refusal = OnnxDefinitions.refusal(node.type(), version);
    if (refusal != null) {
      throw reader.error(node, refusal);
    }
    return switch (node.type()) {
      // Settings that became inputs.
      case "Squeeze", "Unsqueeze" -> version < 13 ? integersToInputs(node, "axes") : node;
      case "ReduceSum" -> version < 13 ? integersToInputs(node, "axes") : node;
      case "ReduceMax",
          "ReduceMin",
          "ReduceMean",
          "ReduceProd",
          "ReduceL1",
          "ReduceL2",
          "ReduceLogSum",
          "ReduceLogSumExp",
          "ReduceSumSquare" ->
          version < 18 ? integersToInputs(node, "axes") : node;
      case "Split" -> split(version < 13 ? integersToInputs(node, "split") : node);
      case "Scatter" -> node.with("ScatterElements", node.inputs(), node.attributes());
      case "Resize" -> version < 11 ? resize(node) : node;
      case "TopK" -> version < 10 ? integersToInputs(node, "k") : node;
      case "Slice" -> version < 10 ? integersToInputs(node, "starts", "ends", "axes") : node;
      case "Pad" -> version < 11 ? pad(node) : node;
      case "DFT" -> version < 20 ? dft(node) : node;
      case "Clip" -> version < 11 ? realsToInputs(node, "min", "max") : node;
      case "Dropout" -> dropout(node);
      case "Upsample" -> upsample(node);
      // Meanings that changed.
      case "Softmax", "LogSoftmax", "Hardmax" -> version < 13 ? flatSoftmax(node) : node;
      case "BatchNormalization" -> batchNormalization(node);
      case "RoiAlign" ->
          version < 16 && !node.has("coordinate_transformation_mode")
              ? with(node, "coordinate_transformation_mode", "output_half_pixel")
              : node;
      case "GridSample" -> version < 20 ? gridSample(node) : node;
      // Any number of operands.
      case "Max", "Min" -> folded(node, node.type());
      case "Sum" -> folded(node, "Add");
      case "Mean" -> mean(node);
      case "Cast", "BitCast" -> typeNames(node, "to");
      case "EyeLike", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial" ->
          typeNames(node, "dtype");
      case "QuantizeLinear", "DequantizeLinear" -> typeNames(node, "output_dtype", "precision");
      case "HannWindow", "HammingWindow", "BlackmanWindow" -> typeNames(node, "output_datatype");
      default -> node;
    };
  }

  private static Node with(Node node, String attribute, Object value) {
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    attributes.put(attribute, value);
    return node.with(node.type(), node.inputs(), attributes);
  }

  /** Interpolation is named without the number of axes since version 20. */
  private static Node gridSample(Node node) {
    Object mode = node.attributes().get("mode");
    return switch (mode instanceof String name ? name : "bilinear") {
      case "bilinear" -> with(node, "mode", "linear");
      case "bicubic" -> with(node, "mode", "cubic");
      default -> node;
    };
  }

  /** Lists of integers that newer versions read from inputs, behind those there are. */
  private Node integersToInputs(Node node, String... names) {
    List<String> inputs = new ArrayList<>(node.inputs());
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    int at = 1;
    for (String name : names) {
      Object value = attributes.remove(name);
      while (inputs.size() <= at) {
        inputs.add("");
      }
      if (value instanceof long[] numbers) {
        inputs.set(at, reader.integers(name, numbers));
      } else if (value instanceof Long number) {
        inputs.set(at, reader.integers(name, number));
      } else if (value != null) {
        throw reader.error(node, "attribute " + name + " is no list of integers");
      }
      at++;
    }
    return node.with(node.type(), inputs, attributes);
  }

  /** Numbers that newer versions read from inputs of the first input's type. */
  private Node realsToInputs(Node node, String... names) {
    List<String> inputs = new ArrayList<>(node.inputs());
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    DType type = reader.value(node, 0).type();
    for (String name : names) {
      Object value = attributes.remove(name);
      inputs.add(value instanceof Float number ? real(name, number, type) : "");
    }
    return node.with(node.type(), inputs, attributes);
  }

  private String real(String name, float number, DType type) {
    Tensor tensor = Tensor.allocate(reader.file().arena(), type);
    tensor.setFloat(number);
    return reader.named(name, Constant.of(tensor));
  }

  /** The axis was a setting, the second one by default. */
  private Node dft(Node node) {
    List<String> inputs = new ArrayList<>(node.inputs());
    while (inputs.size() < 2) {
      inputs.add("");
    }
    inputs.add(reader.integers("axis", node.integer("axis", 1)));
    return without(node.with(node.type(), inputs, node.attributes()), "axis");
  }

  /** As many parts as there are outputs, where nothing else says so. */
  private static Node split(Node node) {
    if (node.hasInput(1) || node.attributes().containsKey("num_outputs")) {
      return node;
    }
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    attributes.put("num_outputs", (long) node.outputs().size());
    return node.with(node.type(), node.inputs(), attributes);
  }

  /** Version 10 had no region of interest, and said nothing of where the elements lie. */
  private static Node resize(Node node) {
    List<String> inputs = new ArrayList<>(node.inputs());
    inputs.add(1, "");
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    attributes.put("coordinate_transformation_mode", "asymmetric");
    attributes.put("nearest_mode", "floor");
    return node.with(node.type(), inputs, attributes);
  }

  private Node pad(Node node) {
    Node padded = integersToInputs(node, "pads");
    List<String> inputs = new ArrayList<>(padded.inputs());
    Map<String, Object> attributes = new LinkedHashMap<>(padded.attributes());
    Object value = attributes.remove("value");
    if (value instanceof Float number) {
      inputs.add(real("value", number, reader.value(node, 0).type()));
    }
    return node.with(node.type(), inputs, attributes);
  }

  private static Node without(Node node, String... names) {
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    for (String name : names) {
      attributes.remove(name);
    }
    return node.with(node.type(), node.inputs(), attributes);
  }

  /** Two operands at a time. */
  private Node folded(Node node, String operator) {
    if (node.inputs().isEmpty()) {
      throw reader.error(node, "there is nothing to compute it of");
    }
    if (node.inputs().size() == 1) {
      return node.with("Identity", node.inputs(), Map.of());
    }
    String sofar = node.inputs().get(0);
    for (int i = 1; i < node.inputs().size() - 1; i++) {
      String next = reader.freshName(node.type());
      reader.add(derived(node, operator, List.of(sofar, node.inputs().get(i)), next, Map.of()));
      sofar = next;
    }
    String last = node.inputs().get(node.inputs().size() - 1);
    return node.with(operator, List.of(sofar, last), Map.of());
  }

  private Node mean(Node node) {
    Node sum = folded(node, "Add");
    int count = node.inputs().size();
    if (count == 1) {
      return sum;
    }
    String total = reader.freshName("sum");
    reader.add(derived(node, "Add", sum.inputs(), total, Map.of()));
    String divisor = real("count", count, reader.value(node, 0).type());
    return node.with("Div", List.of(total, divisor), Map.of());
  }

  private static Node derived(
      Node node,
      String operator,
      List<String> inputs,
      String output,
      Map<String, Object> settings) {
    return new Node(node.name(), "", operator, inputs, List.of(output), settings, node.offset());
  }

  /** Nothing is dropped where nobody trains. */
  private Node dropout(Node node) {
    Value training = reader.value(node, 2);
    if (training != null) {
      if (training.constant() == null || training.constant().longs()[0] != 0) {
        throw reader.error(node, "dropout in training mode is not supported, only inference");
      }
    }
    List<String> data = node.inputs().isEmpty() ? List.of() : List.of(node.inputs().get(0));
    return node.with(node.type(), data, Map.of());
  }

  /** Upsample was Resize without a region of interest, rounding sizes and coordinates down. */
  private Node upsample(Node node) {
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    List<String> inputs = new ArrayList<>();
    inputs.add(node.inputs().isEmpty() ? "" : node.inputs().get(0));
    inputs.add("");
    if (node.hasInput(1)) {
      inputs.add(node.inputs().get(1));
    } else if (attributes.remove("scales") instanceof float[] scales) {
      Tensor tensor = Tensor.ofFloats(reader.file().arena(), scales, scales.length);
      inputs.add(reader.named("scales", Constant.of(tensor)));
    } else {
      throw reader.error(node, "no scales are given");
    }
    attributes.put("coordinate_transformation_mode", "asymmetric");
    attributes.put("nearest_mode", "floor");
    return node.with("Resize", inputs, attributes);
  }

  /** Before version 13 everything from the axis on was one row. */
  private Node flatSoftmax(Node node) {
    long axis = node.integer("axis", 1);
    Value input = reader.value(node, 0);
    int rank = input.rank();
    long last = axis < 0 ? axis + rank : axis;
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    if (last == rank - 1) {
      attributes.put("axis", -1L);
      return node.with(node.type(), node.inputs(), attributes);
    }
    String flat = reader.freshName("flat");
    String rows = reader.freshName("rows");
    reader.add(derived(node, "Flatten", node.inputs(), flat, Map.of("axis", axis)));
    attributes.put("axis", -1L);
    reader.add(derived(node, node.type(), List.of(flat), rows, attributes));
    String shape = reader.freshName("shape");
    reader.add(derived(node, "Shape", node.inputs(), shape, Map.of()));
    return node.with("Reshape", List.of(rows, shape), Map.of("allowzero", 1L));
  }

  /** The settings of training of older versions mean nothing when a network is run. */
  private Node batchNormalization(Node node) {
    if (node.integer("spatial", 1) != 1) {
      throw reader.error(node, "statistics for every position (spatial 0) are not supported");
    }
    Node plain = without(node, "spatial");
    return version < 14 ? without(plain, "momentum") : plain;
  }

  /** Element types, in the file by number, are labels in the graph. */
  private Node typeNames(Node node, String... names) {
    Map<String, Object> attributes = new LinkedHashMap<>(node.attributes());
    for (String name : names) {
      if (attributes.get(name) instanceof Long number) {
        if (number == 0 && !name.equals("to")) {
          attributes.remove(name);
          continue;
        }
        DType type = OnnxTensors.type(number);
        if (type == null) {
          throw reader.error(
              node, name + " is " + OnnxTensors.typeName(number) + ", which is not supported");
        }
        attributes.put(name, type.label());
      }
    }
    return node.with(node.type(), node.inputs(), attributes);
  }
}

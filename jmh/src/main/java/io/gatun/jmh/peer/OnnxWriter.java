package io.gatun.jmh.peer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a graph as an ONNX model, for another runtime to run. Our operators have the meaning of
 * ONNX' operators of the same name, so nodes go over as they are; only settings that newer versions
 * of an operator read from an input become constants. The message numbers are those of onnx.proto.
 */
public final class OnnxWriter {
  /** The version of the operators' meaning that is declared. */
  private static final int OPSET = 18;

  private static final int IR_VERSION = 9;

  /** Settings that are inputs in this version, by operator, in the order of the inputs. */
  private static final Map<String, List<String>> AS_INPUTS =
      Map.of(
          "Squeeze", List.of("axes"),
          "Unsqueeze", List.of("axes"),
          "Reshape", List.of("shape"),
          "Expand", List.of("shape"),
          "Slice", List.of("starts", "ends", "axes", "steps"),
          "TopK", List.of("k"),
          "ReduceSum", List.of("axes"),
          "ReduceMean", List.of("axes"),
          "ReduceMax", List.of("axes"));

  /**
   * The settings that operators have in ONNX where ours carry more: all parameters of an
   * activation, whatever it reads, and the ratio of a dropout, which says nothing outside training.
   */
  private static final Map<String, Set<String>> SETTINGS =
      Map.ofEntries(
          Map.entry("Relu", Set.of()),
          Map.entry("Tanh", Set.of()),
          Map.entry("Sigmoid", Set.of()),
          Map.entry("Softsign", Set.of()),
          Map.entry("Softplus", Set.of()),
          Map.entry("Exp", Set.of()),
          Map.entry("Dropout", Set.of()),
          Map.entry("Elu", Set.of("alpha")),
          Map.entry("LeakyRelu", Set.of("alpha")),
          Map.entry("ThresholdedRelu", Set.of("alpha")),
          Map.entry("HardSigmoid", Set.of("alpha", "beta")));

  private static final Set<String> NOT_ONNX = Set.of("MaskedSoftmax", "Swish");

  private OnnxWriter() {}

  /**
   * The bytes of a model with the graph's inputs and the given outputs.
   *
   * @throws UnsupportedOperationException for an operator that ONNX does not have
   */
  public static byte[] write(Graph graph, String... outputs) {
    Message body = new Message();
    int[] fresh = {0};
    for (Node node : graph.nodes()) {
      writeNode(body, node, fresh);
    }
    body.text(2, graph.name());
    for (Value value : graph.values().values()) {
      if (value.constant() != null) {
        body.message(5, initializer(value.name(), value.constant()));
      }
    }
    for (Value input : graph.inputs()) {
      body.message(11, valueInfo(input));
    }
    for (String output : outputs) {
      body.message(12, valueInfo(graph.value(output)));
    }
    Message opset = new Message().text(1, "").number(2, OPSET);
    return new Message()
        .number(1, IR_VERSION)
        .text(2, "gatun")
        .message(7, body)
        .message(8, opset)
        .bytes();
  }

  private static void writeNode(Message body, Node node, int[] fresh) {
    String type = node.operator().type();
    if (NOT_ONNX.contains(type)) {
      throw new UnsupportedOperationException(node.name() + ": ONNX has no operator " + type);
    }
    Message message = new Message();
    for (Value input : node.inputs()) {
      message.text(1, input == null ? "" : input.name());
    }
    List<String> moved = AS_INPUTS.getOrDefault(type, List.of());
    int last = -1;
    for (int i = 0; i < moved.size(); i++) {
      if (node.attributes().has(moved.get(i))) {
        last = i;
      }
    }
    for (int i = 0; i <= last; i++) {
      String name = moved.get(i);
      if (node.attributes().has(name)) {
        String constant = "setting " + fresh[0]++;
        body.message(5, integers(constant, node.attributes().integers(name)));
        message.text(1, constant);
      } else {
        message.text(1, "");
      }
    }
    for (Value output : node.outputs()) {
      message.text(2, output.name());
    }
    message.text(3, node.name()).text(4, type);
    for (String name : node.attributes().names()) {
      boolean unknown = SETTINGS.containsKey(type) && !SETTINGS.get(type).contains(name);
      if (!moved.contains(name) && !unknown) {
        message.message(5, attribute(name, node.attributes()));
      }
    }
    if (Set.of("RNN", "GRU", "LSTM").contains(type) && !node.attributes().has("hidden_size")) {
      int gates = type.equals("LSTM") ? 4 : type.equals("GRU") ? 3 : 1;
      long hidden = node.inputs().get(1).dim(1).size() / gates;
      message.message(5, attribute("hidden_size", Attributes.of("hidden_size", hidden)));
    }
    body.message(1, message);
  }

  private static Message attribute(String name, Attributes attributes) {
    Message message = new Message().text(1, name);
    Object value = valueOf(name, attributes);
    if (value instanceof Long number) {
      return message.number(3, number).number(20, 2);
    }
    if (value instanceof Float number) {
      return message.real(2, number).number(20, 1);
    }
    if (value instanceof String text) {
      return message.text(4, text).number(20, 3);
    }
    if (value instanceof float[] numbers) {
      for (float number : numbers) {
        message.real(7, number);
      }
      return message.number(20, 6);
    }
    if (value instanceof long[] numbers) {
      for (long number : numbers) {
        message.number(8, number);
      }
      return message.number(20, 7);
    }
    for (String text : attributes.strings(name)) {
      message.text(9, text);
    }
    return message.number(20, 8);
  }

  /** The setting in the type it has: the typed getters refuse the others. */
  private static Object valueOf(String name, Attributes attributes) {
    try {
      return attributes.integer(name, 0);
    } catch (IllegalArgumentException notAnInteger) {
      // One of the other types, then.
    }
    try {
      return attributes.real(name, 0);
    } catch (IllegalArgumentException notReal) {
      // Nor that.
    }
    try {
      return attributes.string(name, "");
    } catch (IllegalArgumentException notText) {
      // A list.
    }
    try {
      return attributes.integers(name);
    } catch (IllegalArgumentException notIntegers) {
      // Of reals or strings.
    }
    try {
      return attributes.reals(name);
    } catch (IllegalArgumentException notReals) {
      return attributes.strings(name);
    }
  }

  private static Message initializer(String name, Constant constant) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor tensor = constant.tensor(arena);
      DType type = tensor.dtype().isFloat() ? DType.FLOAT32 : tensor.dtype();
      Tensor dense = Tensor.allocate(arena, type, tensor.shape().dims()).copyFrom(tensor);
      byte[] bytes = dense.segment().toArray(ValueLayout.JAVA_BYTE);
      return tensorProto(name, type, tensor.shape().dims(), bytes);
    }
  }

  private static Message integers(String name, long[] numbers) {
    java.nio.ByteBuffer bytes =
        java.nio.ByteBuffer.allocate(numbers.length * 8).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    for (long number : numbers) {
      bytes.putLong(number);
    }
    return tensorProto(name, DType.INT64, new long[] {numbers.length}, bytes.array());
  }

  private static Message tensorProto(String name, DType type, long[] dims, byte[] raw) {
    Message message = new Message();
    for (long dim : dims) {
      message.number(1, dim);
    }
    return message.number(2, elementType(type)).text(8, name).raw(9, raw);
  }

  private static Message valueInfo(Value value) {
    Message shape = new Message();
    for (Dim dim : value.dims()) {
      Message size = new Message();
      if (dim.isKnown()) {
        size.number(1, dim.size());
      } else {
        size.text(2, dim.toString());
      }
      shape.message(1, size);
    }
    Message tensor = new Message().number(1, elementType(value.type())).message(2, shape);
    return new Message().text(1, value.name()).message(2, new Message().message(1, tensor));
  }

  private static int elementType(DType type) {
    return switch (type) {
      case FLOAT32 -> 1;
      case UINT8 -> 2;
      case INT8 -> 3;
      case UINT16 -> 4;
      case INT16 -> 5;
      case INT32 -> 6;
      case INT64 -> 7;
      case BOOL -> 9;
      case FLOAT16 -> 10;
      case FLOAT64 -> 11;
      case UINT32 -> 12;
      case UINT64 -> 13;
      case BFLOAT16 -> 16;
    };
  }

  /** A protobuf message in the making. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Message number(int field, long value) {
      varint((long) field << 3);
      varint(value);
      return this;
    }

    Message real(int field, float value) {
      varint((long) field << 3 | 5);
      int bits = Float.floatToIntBits(value);
      for (int i = 0; i < 4; i++) {
        out.write(bits >>> (8 * i));
      }
      return this;
    }

    Message text(int field, String value) {
      return raw(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message value) {
      return raw(field, value.bytes());
    }

    Message raw(int field, byte[] value) {
      varint((long) field << 3 | 2);
      varint(value.length);
      out.writeBytes(value);
      return this;
    }

    private void varint(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        out.write((int) (rest & 0x7f | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }
}

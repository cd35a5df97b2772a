package io.gatun.conformance;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** As much of ONNX' protobuf as conformance cases of one node need. */
final class OnnxFile {
  private OnnxFile() {}

  /** A message: every field's values in the order they came. */
  private static final class Message {
    private final Map<Integer, List<Object>> fields = new LinkedHashMap<>();

    Message(ByteBuffer bytes) {
      ByteBuffer in = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
      while (in.hasRemaining()) {
        int key = (int) varint(in);
        Object value =
            switch (key & 7) {
              case 0 -> varint(in);
              case 1 -> in.getLong();
              case 2 -> {
                int size = (int) varint(in);
                ByteBuffer part = in.slice(in.position(), size).order(ByteOrder.LITTLE_ENDIAN);
                in.position(in.position() + size);
                yield part;
              }
              case 5 -> in.getInt();
              default -> throw new IllegalArgumentException("wire type " + (key & 7));
            };
        fields.computeIfAbsent(key >>> 3, k -> new ArrayList<>()).add(value);
      }
    }

    static long varint(ByteBuffer in) {
      long value = 0;
      for (int shift = 0; ; shift += 7) {
        byte next = in.get();
        value |= (long) (next & 0x7f) << shift;
        if (next >= 0) {
          return value;
        }
      }
    }

    List<Object> all(int field) {
      return fields.getOrDefault(field, List.of());
    }

    Message message(int field) {
      return new Message((ByteBuffer) all(field).get(0));
    }

    List<Message> messages(int field) {
      return all(field).stream().map(part -> new Message((ByteBuffer) part)).toList();
    }

    List<String> strings(int field) {
      return all(field).stream()
          .map(part -> StandardCharsets.UTF_8.decode(((ByteBuffer) part).duplicate()).toString())
          .toList();
    }

    String string(int field) {
      return strings(field).isEmpty() ? "" : strings(field).get(0);
    }

    long integer(int field) {
      return all(field).isEmpty() ? 0 : (Long) all(field).get(0);
    }
  }

  /**
   * A node.
   *
   * @param type the operator
   * @param attributes names and values in turn
   * @param inputs names, empty where one is left out
   * @param outputs names, empty where one is not wanted
   */
  record Node(String type, Object[] attributes, List<String> inputs, List<String> outputs) {}

  /** The model's one node. */
  static Node node(byte[] model) {
    Message graph = new Message(ByteBuffer.wrap(model)).message(7);
    Message node = graph.message(1);
    List<Object> attributes = new ArrayList<>();
    for (Message attribute : node.messages(5)) {
      attributes.add(attribute.string(1));
      attributes.add(
          switch ((int) attribute.integer(20)) {
            case 1 -> Float.intBitsToFloat((Integer) attribute.all(2).get(0));
            case 2 -> attribute.integer(3);
            case 3 -> attribute.string(4);
            case 8 -> attribute.strings(9);
            default -> throw new IllegalArgumentException("type " + attribute.integer(20));
          });
    }
    return new Node(node.string(4), attributes.toArray(), node.strings(1), node.strings(2));
  }

  /** A float32 or int32 tensor. */
  static Tensor tensor(Arena arena, byte[] file) {
    Message message = new Message(ByteBuffer.wrap(file));
    List<Long> dims = new ArrayList<>();
    for (Object part : message.all(1)) {
      if (part instanceof ByteBuffer packed) {
        ByteBuffer in = packed.duplicate();
        while (in.hasRemaining()) {
          dims.add(Message.varint(in));
        }
      } else {
        dims.add((Long) part);
      }
    }
    long[] shape = dims.stream().mapToLong(Long::longValue).toArray();
    ByteBuffer raw = (ByteBuffer) message.all(9).get(0);
    DType type =
        switch ((int) message.integer(2)) {
          case 1 -> DType.FLOAT32;
          case 6 -> DType.INT32;
          default -> throw new IllegalArgumentException("data type " + message.integer(2));
        };
    ByteBuffer copy = ByteBuffer.allocateDirect(raw.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    copy.put(raw.duplicate()).flip();
    return Tensor.wrap(copy, type, shape).copy(arena);
  }
}

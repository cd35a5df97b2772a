package io.gatun.format;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** A protobuf message in the making, with the field numbers of onnx.proto written by hand. */
final class OnnxBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  OnnxBytes number(int field, long value) {
    varint((long) field << 3);
    varint(value);
    return this;
  }

  OnnxBytes text(int field, String value) {
    return raw(field, value.getBytes(StandardCharsets.UTF_8));
  }

  OnnxBytes message(int field, OnnxBytes value) {
    return raw(field, value.bytes());
  }

  OnnxBytes raw(int field, byte... value) {
    varint((long) field << 3 | 2);
    varint(value.length);
    out.writeBytes(value);
    return this;
  }

  /** The key of a field and a length, without what should follow. */
  OnnxBytes length(int field, long length) {
    varint((long) field << 3 | 2);
    varint(length);
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

  // ---- messages -------------------------------------------------------------------------------

  static byte[] model(OnnxBytes graph, OnnxBytes... functions) {
    OnnxBytes model =
        new OnnxBytes()
            .number(1, 8)
            .message(7, graph)
            .message(8, new OnnxBytes().text(1, "").number(2, 17))
            .message(8, new OnnxBytes().text(1, "own").number(2, 1));
    for (OnnxBytes function : functions) {
      model.message(25, function);
    }
    return model.bytes();
  }

  /** A float32 input or output. */
  static OnnxBytes info(String name, long... dims) {
    OnnxBytes shape = new OnnxBytes();
    for (long dim : dims) {
      shape.message(1, new OnnxBytes().number(1, dim));
    }
    OnnxBytes tensor = new OnnxBytes().number(1, 1).message(2, shape);
    return new OnnxBytes().text(1, name).message(2, new OnnxBytes().message(1, tensor));
  }

  static OnnxBytes node(String type, String inputs, String outputs, OnnxBytes... attributes) {
    OnnxBytes node = new OnnxBytes();
    for (String input : inputs.split(" ")) {
      node.text(1, input);
    }
    for (String output : outputs.split(" ")) {
      node.text(2, output);
    }
    node.text(4, type);
    for (OnnxBytes attribute : attributes) {
      node.message(5, attribute);
    }
    return node;
  }

  static OnnxBytes tensor(String name, int type, long... dims) {
    OnnxBytes tensor = new OnnxBytes();
    for (long dim : dims) {
      tensor.number(1, dim);
    }
    return tensor.number(2, type).text(8, name);
  }

  /** A float32 tensor whose numbers lie in another file. */
  static OnnxBytes external(String location, String offset, String length, long... dims) {
    OnnxBytes tensor = tensor("w", 1, dims).number(14, 1);
    tensor.message(13, new OnnxBytes().text(1, "location").text(2, location));
    if (offset != null) {
      tensor.message(13, new OnnxBytes().text(1, "offset").text(2, offset));
    }
    if (length != null) {
      tensor.message(13, new OnnxBytes().text(1, "length").text(2, length));
    }
    return tensor;
  }
}

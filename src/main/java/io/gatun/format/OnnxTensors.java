package io.gatun.format;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Tensors of ONNX files (message {@code TensorProto}): raw bytes where they lie, in the file or in
 * files of external data beside it; numbers in typed fields are decoded into the file's arena.
 */
final class OnnxTensors {
  /** Element types by their number in onnx.proto; those that are not read have a name alone. */
  private static final String[] TYPES = {
    "undefined",
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
    "float8e8m0",
    "uint2",
    "int2"
  };

  private final MappedFile file;

  /** Files of external data, mapped once each; closed with the model. */
  private final Map<Path, MappedFile> external = new HashMap<>();

  OnnxTensors(MappedFile file) {
    this.file = file;
  }

  /** A tensor with the name it has in the file. */
  record Named(String name, Tensor tensor) {}

  /** What an element type is called, whether it is read or not. */
  static String typeName(long type) {
    return type >= 0 && type < TYPES.length ? TYPES[(int) type] : "unknown type " + type;
  }

  /** The type of a number, or {@code null} where it is not read. */
  static DType type(long number) {
    String label = typeName(number);
    for (DType type : DType.values()) {
      if (type.label().equals(label)) {
        return type;
      }
    }
    return null;
  }

  /** A message's fields before they are believed. */
  private static final class Fields {
    final Protobuf.Numbers dims = new Protobuf.Numbers();
    final Map<String, String> external = new LinkedHashMap<>();
    final Protobuf.Numbers numbers = new Protobuf.Numbers();
    String name = "";
    long type;
    MemorySegment raw;
    int typedField;
    long location;
    boolean segmented;
  }

  Named read(Protobuf message, String what) {
    Fields f = new Fields();
    Protobuf in = message.again();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> in.integers("a size of " + what, f.dims);
        case 2 -> f.type = in.integer("the element type of " + what);
        case 3 -> {
          f.segmented = true;
          in.skip();
        }
        case 4 -> {
          typed(in, f, 4, what);
          in.fixed32("a number of " + what, f.numbers);
        }
        case 5 -> {
          typed(in, f, 5, what);
          in.integers("a number of " + what, f.numbers);
        }
        case 6 -> {
          typed(in, f, 6, what);
          in.skip();
        }
        case 7 -> {
          typed(in, f, 7, what);
          in.integers("a number of " + what, f.numbers);
        }
        case 8 -> f.name = in.text("the name of " + what);
        case 9 -> f.raw = in.bytes("the bytes of " + what);
        case 10 -> {
          typed(in, f, 10, what);
          in.fixed64("a number of " + what, f.numbers);
        }
        case 11 -> {
          typed(in, f, 11, what);
          in.integers("a number of " + what, f.numbers);
        }
        case 13 -> OnnxFields.entry(in.message("external data of " + what), f.external);
        case 14 -> f.location = in.integer("the data location of " + what);
        default -> in.skip();
      }
    }
    String name = f.name.isEmpty() ? what : what + " '" + f.name + "'";
    return new Named(f.name, tensor(message, f, name));
  }

  private static void typed(Protobuf in, Fields f, int field, String what) {
    if (f.typedField != 0 && f.typedField != field) {
      throw in.error(what + " has numbers of two types");
    }
    f.typedField = field;
  }

  private Tensor tensor(Protobuf message, Fields f, String name) {
    if (f.segmented) {
      throw file.error(message.begin(), name + " is a part of a tensor, which is not read");
    }
    DType type = type(f.type);
    if (type == null) {
      throw file.error(
          message.begin(),
          name + " is of type " + typeName(f.type) + ", which is not read; convert the model");
    }
    long[] dims = f.dims.toArray();
    Shape shape;
    try {
      shape = Shape.of(dims);
    } catch (ShapeException e) {
      throw file.error(message.begin(), name + ": " + e.getMessage(), e);
    }
    long bytes = shape.elements() * type.bytes();
    if (f.location == 1) {
      if (f.raw != null || f.typedField != 0) {
        throw file.error(message.begin(), name + " has its numbers both here and elsewhere");
      }
      return Tensor.wrap(external(message, f.external, bytes, name), type, dims).asReadOnly();
    }
    if (f.location != 0) {
      throw file.error(message.begin(), name + ": unknown data location " + f.location);
    }
    if (f.raw != null) {
      if (f.typedField != 0) {
        throw file.error(message.begin(), name + " has its numbers twice, raw and typed");
      }
      if (f.raw.byteSize() != bytes) {
        throw file.error(
            message.begin(),
            name
                + " "
                + type.label()
                + shape
                + " has "
                + f.raw.byteSize()
                + " bytes, expected "
                + bytes);
      }
      return Tensor.wrap(f.raw, type, dims).asReadOnly();
    }
    return decode(message, f, type, shape, name);
  }

  /** Numbers from one of the typed fields. */
  private Tensor decode(Protobuf message, Fields f, DType type, Shape shape, String name) {
    int expected =
        switch (type) {
          case FLOAT32 -> 4;
          case FLOAT64 -> 10;
          case INT64 -> 7;
          case UINT32, UINT64 -> 11;
          case INT8, UINT8, INT16, UINT16, INT32, BOOL, FLOAT16, BFLOAT16 -> 5;
        };
    if (f.typedField != 0 && f.typedField != expected) {
      throw file.error(
          message.begin(),
          name
              + " is "
              + type.label()
              + ", but its numbers are in field "
              + f.typedField
              + ", expected "
              + expected);
    }
    if (f.numbers.count() != shape.elements()) {
      throw file.error(
          message.begin(),
          name + " has " + f.numbers.count() + " numbers, expected " + shape + " of them");
    }
    Tensor tensor = Tensor.allocate(file.arena(), type, shape.dims());
    MemorySegment to = tensor.segment();
    for (int i = 0; i < f.numbers.count(); i++) {
      long bits = f.numbers.get(i);
      long at = (long) i * type.bytes();
      switch (type.bytes()) {
        case 1 -> to.set(ValueLayout.JAVA_BYTE, at, (byte) bits);
        case 2 -> to.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) bits);
        case 4 -> to.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) bits);
        default -> to.set(ValueLayout.JAVA_LONG_UNALIGNED, at, bits);
      }
    }
    return tensor.asReadOnly();
  }

  /** Bytes of a file beside the model; it may be nowhere else. */
  private MemorySegment external(
      Protobuf message, Map<String, String> entries, long bytes, String name) {
    String location = entries.get("location");
    if (location == null || location.isEmpty()) {
      throw file.error(message.begin(), name + " has external data without a location");
    }
    long offset = number(message, entries, "offset", 0, name);
    long length = number(message, entries, "length", bytes, name);
    if (length != bytes) {
      throw file.error(
          message.begin(), name + " has " + length + " bytes of external data, expected " + bytes);
    }
    MappedFile data = open(message, location, name);
    if (offset > data.size() || length > data.size() - offset) {
      throw file.error(
          message.begin(),
          name
              + " lies at bytes "
              + offset
              + " to "
              + Long.toUnsignedString(offset + length)
              + " of '"
              + location
              + "', which has "
              + data.size());
    }
    return data.slice(offset, length, name);
  }

  private long number(
      Protobuf message, Map<String, String> entries, String key, long otherwise, String name) {
    String text = entries.get(key);
    if (text == null) {
      return otherwise;
    }
    try {
      long value = Long.parseLong(text);
      if (value >= 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      // The same answer as to a negative number.
    }
    throw file.error(message.begin(), name + ": external data with " + key + " '" + text + "'");
  }

  private MappedFile open(Protobuf message, String location, String name) {
    try {
      Path folder = file.path().toAbsolutePath().getParent().toRealPath();
      Path given = Path.of(location.replace('\\', '/'));
      Path path = folder.resolve(given).normalize();
      if (given.isAbsolute() || !path.startsWith(folder) || path.equals(folder)) {
        throw file.error(
            message.begin(), name + " has external data outside the model's folder: " + location);
      }
      if (!Files.exists(path)) {
        throw file.error(
            message.begin(), name + " has external data in '" + location + "', which is missing");
      }
      if (!path.toRealPath().startsWith(folder)) {
        throw file.error(
            message.begin(),
            name + " has external data outside the model's folder, by way of a link: " + location);
      }
      MappedFile data = external.get(path);
      if (data == null) {
        data = MappedFile.open(path);
        external.put(path, data);
      }
      return data;
    } catch (InvalidPathException | IOException e) {
      throw file.error(
          message.begin(), name + " has external data in '" + location + "': " + e.getMessage(), e);
    }
  }

  /** Closes the files of external data. */
  void close() {
    for (MappedFile data : external.values()) {
      data.close();
    }
    external.clear();
  }
}

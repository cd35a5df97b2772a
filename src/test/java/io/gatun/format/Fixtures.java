package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** Files and tensors that several tests of this room use. */
final class Fixtures {
  /** Ranks 0 to 5, and shapes without elements. */
  static final long[][] SHAPES = {
    {}, {1}, {7}, {0}, {2, 3}, {3, 0}, {2, 3, 4}, {2, 1, 3, 2}, {2, 1, 3, 1, 2}
  };

  private Fixtures() {}

  /** Copies a test resource to a file, so that it can be mapped. */
  static Path resource(Path folder, String name) throws IOException {
    Path file = folder.resolve(name);
    try (InputStream in = Fixtures.class.getResourceAsStream(name)) {
      Files.write(file, Objects.requireNonNull(in, name).readAllBytes());
    }
    return file;
  }

  /** A tensor that counts 0, 1, 2, … in C order; modulo 2 for bool and modulo 100 for bytes. */
  static Tensor counting(Arena arena, DType dtype, long... dims) {
    Tensor tensor = Tensor.allocate(arena, dtype, dims);
    double[] values = counted(dtype, tensor.elements());
    return tensor.copyFrom(Tensor.ofDoubles(arena, values, dims));
  }

  static double[] counted(DType dtype, long elements) {
    double[] values = new double[(int) elements];
    Arrays.setAll(values, i -> i % (dtype == DType.BOOL ? 2 : 100));
    return values;
  }

  /** One tensor of every type and shape, except of the given types. */
  static Map<String, Tensor> everyTypeAndShape(Arena arena, DType... except) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (DType dtype : DType.values()) {
      if (!Arrays.asList(except).contains(dtype)) {
        for (long[] dims : SHAPES) {
          tensors.put(dtype.label() + Arrays.toString(dims), counting(arena, dtype, dims));
        }
      }
    }
    return tensors;
  }

  static void assertSame(Tensor expected, Tensor actual, String name) {
    assertEquals(expected.dtype(), actual.dtype(), name);
    assertEquals(expected.shape(), actual.shape(), name);
    assertEquals(Arrays.toString(expected.toDoubles()), Arrays.toString(actual.toDoubles()), name);
  }

  /** The bytes of a safetensors file with this header and so many bytes of numbers. */
  static byte[] safetensors(String header, int dataBytes) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + text.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(text.length)
        .put(text)
        .array();
  }

  /** The bytes of an npy file of version 1.0 with this dictionary and so many bytes of numbers. */
  static byte[] npy(String dictionary, int dataBytes) {
    byte[] text = dictionary.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(10 + text.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0})
        .putShort((short) text.length)
        .put(text)
        .array();
  }
}

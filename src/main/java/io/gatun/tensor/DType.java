package io.gatun.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * How one element of a tensor is stored. The labels are those of numpy and ONNX.
 *
 * <p>All types are stored in little-endian byte order. {@link #BFLOAT16} is the upper half of an
 * IEEE 754 binary32, {@link #FLOAT16} is IEEE 754 binary16, integers are two's complement, {@link
 * #BOOL} is one byte that is false when it is 0 and true otherwise.
 */
public enum DType {
  /** IEEE 754 binary32, the default of the library. */
  FLOAT32(4, "float32", true, false),
  /** IEEE 754 binary64. */
  FLOAT64(8, "float64", true, false),
  /** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
  FLOAT16(2, "float16", true, false),
  /** The upper 16 bits of a binary32: 1 sign, 8 exponent, 7 fraction bits. */
  BFLOAT16(2, "bfloat16", true, false),
  /** Signed, −128 to 127. */
  INT8(1, "int8", false, true),
  /** Unsigned, 0 to 255. */
  UINT8(1, "uint8", false, true),
  /** Signed, −32,768 to 32,767. */
  INT16(2, "int16", false, true),
  /** Unsigned, 0 to 65,535. */
  UINT16(2, "uint16", false, true),
  /** Signed, 32 bits. */
  INT32(4, "int32", false, true),
  /** Unsigned, 32 bits. */
  UINT32(4, "uint32", false, true),
  /** Signed, 64 bits. */
  INT64(8, "int64", false, true),
  /** Unsigned, 64 bits. As a Java {@code long} it is the number with the same bits. */
  UINT64(8, "uint64", false, true),
  /** One byte, 0 is false. Neither a float nor an integer. */
  BOOL(1, "bool", false, false);

  private final int bytes;
  private final String label;
  private final boolean isFloat;
  private final boolean isInteger;

  DType(int bytes, String label, boolean isFloat, boolean isInteger) {
    this.bytes = bytes;
    this.label = label;
    this.isFloat = isFloat;
    this.isInteger = isInteger;
  }

  /** Returns the size of one element in bytes: 1, 2, 4 or 8. */
  public int bytes() {
    return bytes;
  }

  /** Returns the name numpy and ONNX use, such as {@code "float32"}. */
  public String label() {
    return label;
  }

  /** Returns whether this is one of the four floating-point types. */
  public boolean isFloat() {
    return isFloat;
  }

  /** Returns whether this is one of the eight integer types; {@link #BOOL} is not. */
  public boolean isInteger() {
    return isInteger;
  }

  /**
   * Finds a type by its {@link #label()}.
   *
   * @param label a label such as {@code "float32"}, in lower case
   * @return the type
   * @throws IllegalArgumentException if no type has this label; the message lists those there are
   */
  public static DType of(String label) {
    for (DType type : values()) {
      if (type.label.equals(label)) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "unknown dtype '"
            + label
            + "', expected one of "
            + Arrays.stream(values()).map(DType::label).collect(Collectors.joining(", ")));
  }
}

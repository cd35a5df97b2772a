package io.gatun.format;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * What stands before the numbers of an npy array: the magic string, the version, and a Python
 * dictionary such as {@code {'descr': '<f4', 'fortran_order': False, 'shape': (25, 10), }}, as
 * numpy's {@code numpy.lib.format} defines it. The dictionary is read by a parser of just that
 * form; nothing in it is ever evaluated.
 *
 * @param dtype how an element is stored, once it is in little-endian order
 * @param bigEndian whether the file has the bytes of each element the other way round
 * @param fortranOrder whether the first axis is the fastest
 * @param shape the sizes in the order of the axes, whatever the order in memory
 * @param headerBytes where the numbers begin, from the start of the array
 */
record NpyHeader(
    DType dtype, boolean bigEndian, boolean fortranOrder, Shape shape, int headerBytes) {

  /** The longest dictionary that is read. An array of numbers needs a hundred bytes or two. */
  static final int MAX_DICTIONARY = 65_535;

  /** The most bytes in front of the numbers. */
  static final int MAX_HEADER = MAX_DICTIONARY + 12;

  /** The alignment of the numbers within the file, in bytes. */
  static final int ALIGNMENT = 64;

  /** The most axes an array has; numpy's own limit. */
  private static final int MAX_RANK = 64;

  private static final int MAGIC_BYTES = 6;
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  private static final Map<String, DType> TYPES =
      Map.ofEntries(
          Map.entry("b1", DType.BOOL),
          Map.entry("i1", DType.INT8),
          Map.entry("u1", DType.UINT8),
          Map.entry("i2", DType.INT16),
          Map.entry("u2", DType.UINT16),
          Map.entry("i4", DType.INT32),
          Map.entry("u4", DType.UINT32),
          Map.entry("i8", DType.INT64),
          Map.entry("u8", DType.UINT64),
          Map.entry("f2", DType.FLOAT16),
          Map.entry("f4", DType.FLOAT32),
          Map.entry("f8", DType.FLOAT64));

  /** How an error is made from a place in the array's own bytes. */
  interface Errors {
    ModelFormatException at(int offset, String problem);
  }

  /** Whether an array of numpy may start with these bytes. */
  static boolean isMagic(byte[] start) {
    return start.length >= MAGIC_BYTES
        && Arrays.equals(start, 0, MAGIC_BYTES, MAGIC, 0, MAGIC_BYTES);
  }

  /** The number of bytes that the array takes without its header. */
  long dataBytes() {
    return shape.elements() * dtype.bytes();
  }

  /**
   * Reads a header.
   *
   * @param start the first bytes of the array, as many as there are up to {@link #MAX_HEADER}
   * @param errors how errors are made
   * @return the header
   */
  static NpyHeader parse(byte[] start, Errors errors) {
    if (!isMagic(start)) {
      throw errors.at(0, "is no npy array: it does not start with \\x93NUMPY");
    }
    if (start.length < 8) {
      throw errors.at(start.length, "ends within the npy version");
    }
    int version = start[6];
    if (version < 1 || version > 3) {
      throw errors.at(6, "npy version " + version + "." + start[7] + ", expected 1.0, 2.0 or 3.0");
    }
    int lengthBytes = version == 1 ? 2 : 4;
    int dictionaryStart = 8 + lengthBytes;
    if (start.length < dictionaryStart) {
      throw errors.at(start.length, "ends within the length of the npy header");
    }
    long length = 0;
    for (int i = 0; i < lengthBytes; i++) {
      length |= (start[8 + i] & 0xffL) << (8 * i);
    }
    if (length > MAX_DICTIONARY) {
      throw errors.at(8, "npy header of " + length + " bytes, expected at most " + MAX_DICTIONARY);
    }
    if (length > start.length - dictionaryStart) {
      throw errors.at(
          8,
          "npy header of "
              + length
              + " bytes, but only "
              + (start.length - dictionaryStart)
              + " bytes follow");
    }
    int end = dictionaryStart + (int) length;
    return new Parser(start, dictionaryStart, end, version == 3, errors).header();
  }

  /**
   * Writes a version 1.0 header, padded so that the numbers start at a multiple of {@value
   * #ALIGNMENT} bytes.
   *
   * @param dtype any type but bfloat16, which npy has no name for
   * @param shape the sizes, in C order
   * @return the bytes in front of the numbers
   * @throws IllegalArgumentException for bfloat16
   */
  static byte[] write(DType dtype, Shape shape) {
    return write(dtype, shape, 0);
  }

  /**
   * As {@link #write(DType, Shape)}, but at least as long as stated, so that a header can be
   * replaced by one with other sizes.
   */
  static byte[] write(DType dtype, Shape shape, int leastBytes) {
    String type =
        TYPES.entrySet().stream()
            .filter(entry -> entry.getValue() == dtype)
            .map(Map.Entry::getKey)
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "npy has no type for "
                            + dtype.label()
                            + "; convert to float32 or write safetensors"));
    StringBuilder dictionary = new StringBuilder("{'descr': '");
    dictionary.append(dtype.bytes() == 1 ? '|' : '<').append(type);
    dictionary.append("', 'fortran_order': False, 'shape': (");
    for (long size : shape.dims()) {
      dictionary.append(size).append(shape.rank() == 1 ? "," : ", ");
    }
    if (shape.rank() > 1) {
      dictionary.setLength(dictionary.length() - 2);
    }
    dictionary.append("), }");
    int unpadded = 10 + dictionary.length() + 1;
    int padding = Math.floorMod(-unpadded, ALIGNMENT);
    padding = Math.max(padding, leastBytes - unpadded);
    dictionary.append(" ".repeat(padding)).append('\n');
    if (dictionary.length() > MAX_DICTIONARY) {
      throw new IllegalArgumentException("shape " + shape + " is too long for npy");
    }
    byte[] header = new byte[10 + dictionary.length()];
    System.arraycopy(MAGIC, 0, header, 0, MAGIC_BYTES);
    header[6] = 1;
    header[8] = (byte) dictionary.length();
    header[9] = (byte) (dictionary.length() >> 8);
    byte[] text = dictionary.toString().getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(text, 0, header, 10, text.length);
    return header;
  }

  /** Reads the dictionary; one use. */
  private static final class Parser {
    private final byte[] bytes;
    private final int end;
    private final boolean utf8;
    private final Errors errors;
    private int at;

    Parser(byte[] bytes, int start, int end, boolean utf8, Errors errors) {
      this.bytes = bytes;
      this.at = start;
      this.end = end;
      this.utf8 = utf8;
      this.errors = errors;
    }

    NpyHeader header() {
      String descr = null;
      int descrAt = at;
      Boolean fortran = null;
      List<Long> dims = null;
      int shapeAt = at;
      expect('{');
      while (peek() != '}') {
        int keyAt = at;
        String key = string();
        expect(':');
        skipSpaces();
        boolean repeated;
        switch (key) {
          case "descr" -> {
            repeated = descr != null;
            descrAt = at;
            descr = descr();
          }
          case "fortran_order" -> {
            repeated = fortran != null;
            fortran = bool();
          }
          case "shape" -> {
            repeated = dims != null;
            shapeAt = at;
            dims = tuple();
          }
          default ->
              throw errors.at(
                  keyAt, "npy header key '" + key + "', expected descr, fortran_order or shape");
        }
        if (repeated) {
          throw errors.at(keyAt, "npy header key '" + key + "' twice");
        }
        if (peek() != '}') {
          expect(',');
        }
      }
      expect('}');
      skipSpaces();
      if (at != end) {
        throw errors.at(at, "the npy header goes on after its dictionary");
      }
      if (descr == null || fortran == null || dims == null) {
        String missing = descr == null ? "descr" : fortran == null ? "fortran_order" : "shape";
        throw errors.at(at, "the npy header has no '" + missing + "'");
      }
      return build(descr, descrAt, fortran, dims, shapeAt);
    }

    private NpyHeader build(
        String descr, int descrAt, boolean fortran, List<Long> dims, int shapeAt) {
      DType dtype = descr.length() == 3 ? TYPES.get(descr.substring(1)) : null;
      char order = descr.isEmpty() ? ' ' : descr.charAt(0);
      boolean orderFits =
          dtype != null && (order == '<' || order == '>' || (order == '|' && dtype.bytes() == 1));
      if (!orderFits) {
        throw errors.at(descrAt, unsupported(descr));
      }
      Shape shape;
      try {
        shape = Shape.of(dims.stream().mapToLong(Long::longValue).toArray());
      } catch (ShapeException e) {
        throw errors.at(shapeAt, e.getMessage());
      }
      boolean bigEndian = order == '>' && dtype.bytes() > 1;
      return new NpyHeader(dtype, bigEndian, fortran, shape, end);
    }

    private static String unsupported(String descr) {
      String kind = descr.replaceFirst("^[<>|=]", "");
      String what;
      if (kind.startsWith("O")) {
        what =
            "holds pickled Python objects, which are programs and not numbers, and are never"
                + " read; save a plain array instead";
      } else if (kind.startsWith("U") || kind.startsWith("S")) {
        what = "holds strings, expected numbers";
      } else if (kind.startsWith("V")) {
        what = "holds raw bytes (as bfloat16 is saved by numpy), expected numbers";
      } else if (kind.startsWith("c")) {
        what = "holds complex numbers, expected real ones";
      } else {
        what = "is not a type of this library";
      }
      return "dtype '"
          + descr
          + "' "
          + what
          + "; readable are b1, i1, u1, i4, i8, f2, f4 and f8 in either byte order";
    }

    private String descr() {
      if (peek() == '[') {
        throw errors.at(
            at, "is a structured array (records with named fields); save one array per field");
      }
      return string();
    }

    private boolean bool() {
      for (String word : List.of("True", "False")) {
        if (end - at >= word.length()
            && new String(bytes, at, word.length(), StandardCharsets.US_ASCII).equals(word)) {
          at += word.length();
          return word.equals("True");
        }
      }
      throw errors.at(at, "fortran_order is not True or False");
    }

    private List<Long> tuple() {
      expect('(');
      List<Long> items = new ArrayList<>();
      boolean comma = true;
      while (peek() != ')') {
        if (!comma) {
          throw errors.at(at, "expected ',' or ')' in the shape");
        }
        if (items.size() == MAX_RANK) {
          throw errors.at(at, "the shape has more than " + MAX_RANK + " axes");
        }
        items.add(size());
        comma = peek() == ',';
        if (comma) {
          at++;
        }
      }
      expect(')');
      if (items.size() == 1 && !comma) {
        throw errors.at(at, "the shape is a number in parentheses, expected a tuple");
      }
      return items;
    }

    private long size() {
      skipSpaces();
      int start = at;
      long value = 0;
      while (at < end && bytes[at] >= '0' && bytes[at] <= '9') {
        int digit = bytes[at] - '0';
        if (value > (Long.MAX_VALUE - digit) / 10) {
          throw errors.at(start, "a size of the shape does not fit 63 bits");
        }
        value = value * 10 + digit;
        at++;
      }
      if (at == start) {
        throw errors.at(at, "expected a size of 0 or more in the shape");
      }
      if (at < end && bytes[at] == 'L') {
        at++; // Python 2 wrote long integers so.
      }
      return value;
    }

    private String string() {
      skipSpaces();
      if (at >= end || (bytes[at] != '\'' && bytes[at] != '"')) {
        throw errors.at(at, "expected a quoted string in the npy header");
      }
      byte quote = bytes[at];
      int start = ++at;
      while (at < end && bytes[at] != quote) {
        if (bytes[at] == '\\' || (bytes[at] >= 0 && bytes[at] < ' ')) {
          throw errors.at(at, "the npy header has an escaped or control character in a string");
        }
        at++;
      }
      if (at >= end) {
        throw errors.at(start, "a string of the npy header does not end");
      }
      String text =
          new String(
              bytes,
              start,
              at - start,
              utf8 ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1);
      at++;
      return text;
    }

    private void expect(char wanted) {
      skipSpaces();
      if (at >= end || bytes[at] != wanted) {
        throw errors.at(at, "expected '" + wanted + "' in the npy header");
      }
      at++;
    }

    private int peek() {
      skipSpaces();
      if (at >= end) {
        throw errors.at(at, "the npy header ends within its dictionary");
      }
      return bytes[at];
    }

    private void skipSpaces() {
      while (at < end && (bytes[at] == ' ' || bytes[at] == '\n')) {
        at++;
      }
    }
  }
}

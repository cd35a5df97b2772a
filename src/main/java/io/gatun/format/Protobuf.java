package io.gatun.format;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * A cursor over the fields of one message in the protobuf wire format, in a mapped file. Nothing is
 * copied before somebody asks for it, and a length is never believed: whatever reaches beyond its
 * message is a {@link ModelFormatException} with the offset. Not thread-safe.
 *
 * <pre>{@code
 * while (message.next()) {
 *   switch (message.field()) {
 *     case 1 -> name = message.text("a node's name");
 *     default -> message.skip();
 *   }
 * }
 * }</pre>
 */
final class Protobuf {
  /** Wire types. */
  static final int VARINT = 0;

  static final int FIXED64 = 1;
  static final int BYTES = 2;
  static final int FIXED32 = 5;

  /** Messages within messages; ONNX' own deepest is a graph within graphs. */
  private static final int MAX_DEPTH = 64;

  private final MappedFile file;
  private final String what;
  private final long begin;
  private final long end;
  private final int depth;

  private long position;
  private long keyAt;
  private int field;
  private int wireType;

  private Protobuf(MappedFile file, String what, long begin, long end, int depth) {
    this.file = file;
    this.what = what;
    this.begin = begin;
    this.end = end;
    this.depth = depth;
    this.position = begin;
  }

  /** The message that a whole file is. */
  static Protobuf of(MappedFile file, String what) {
    return new Protobuf(file, what, 0, file.size(), 0);
  }

  /** Another cursor over the same message, at its beginning. */
  Protobuf again() {
    return new Protobuf(file, what, begin, end, depth);
  }

  MappedFile file() {
    return file;
  }

  /** Where the message begins in the file. */
  long begin() {
    return begin;
  }

  long byteSize() {
    return end - begin;
  }

  /** Moves to the next field; whatever it holds must be read or skipped before the next call. */
  boolean next() {
    if (position == end) {
      return false;
    }
    keyAt = position;
    long key = readVarint();
    field = (int) (key >>> 3);
    wireType = (int) (key & 7);
    if (field == 0 || key >>> 32 != 0) {
      throw error("is no protobuf message: a field of number " + (key >>> 3));
    }
    if (wireType != VARINT && wireType != FIXED64 && wireType != BYTES && wireType != FIXED32) {
      throw error("is no protobuf message: a field of wire type " + wireType);
    }
    return true;
  }

  /** The number of the field. */
  int field() {
    return field;
  }

  void skip() {
    switch (wireType) {
      case VARINT -> readVarint();
      case FIXED64 -> advance(Long.BYTES);
      case FIXED32 -> advance(Integer.BYTES);
      default -> advance(length());
    }
  }

  /** A whole number. */
  long integer(String name) {
    expect(VARINT, name);
    return readVarint();
  }

  /** A whole number that must fit 32 bits. */
  int smallInteger(String name) {
    long value = integer(name);
    if (value != (int) value) {
      throw error(name + " is " + value);
    }
    return (int) value;
  }

  float real(String name) {
    expect(FIXED32, name);
    long at = position;
    advance(Float.BYTES);
    return Float.intBitsToFloat(file.integer(at, name));
  }

  /** A string; what is not UTF-8 is refused. */
  String text(String name) {
    expect(BYTES, name);
    long length = length();
    if (length > Integer.MAX_VALUE - 16) {
      throw error(name + " has " + length + " bytes");
    }
    long at = position;
    advance(length);
    byte[] bytes = file.bytes(at, (int) length, name);
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(bytes))
          .toString();
    } catch (CharacterCodingException e) {
      throw file.error(at, name + " is not UTF-8", e);
    }
  }

  /** A message within this one. */
  Protobuf message(String name) {
    expect(BYTES, name);
    if (depth == MAX_DEPTH) {
      throw error(name + ": messages within messages, deeper than " + MAX_DEPTH);
    }
    long length = length();
    long at = position;
    advance(length);
    return new Protobuf(file, name, at, at + length, depth + 1);
  }

  /** Bytes where they lie. */
  MemorySegment bytes(String name) {
    expect(BYTES, name);
    long length = length();
    long at = position;
    advance(length);
    return file.slice(at, length, name);
  }

  /** Whole numbers of a repeated field, packed or one by one. */
  void integers(String name, Numbers target) {
    if (wireType == BYTES) {
      Protobuf packed = message(name);
      while (packed.position < packed.end) {
        target.add(packed.readVarint());
      }
    } else {
      target.add(integer(name));
    }
  }

  /** Bits of 32-bit numbers of a repeated field, packed or one by one. */
  void fixed32(String name, Numbers target) {
    fixed(name, FIXED32, Integer.BYTES, target);
  }

  /** Bits of 64-bit numbers of a repeated field, packed or one by one. */
  void fixed64(String name, Numbers target) {
    fixed(name, FIXED64, Long.BYTES, target);
  }

  private void fixed(String name, int single, int bytes, Numbers target) {
    if (wireType == BYTES) {
      long length = length();
      if (length % bytes != 0) {
        throw error(name + " has " + length + " bytes, expected a multiple of " + bytes);
      }
      long at = position;
      advance(length);
      for (long offset = at; offset < at + length; offset += bytes) {
        target.add(bytes == 4 ? file.integer(offset, name) : file.longInteger(offset, name));
      }
    } else {
      expect(single, name);
      long at = position;
      advance(bytes);
      target.add(bytes == 4 ? file.integer(at, name) : file.longInteger(at, name));
    }
  }

  private void expect(int wanted, String name) {
    if (wireType != wanted) {
      throw error(name + " has wire type " + wireType + ", expected " + wanted);
    }
  }

  private long length() {
    long length = readVarint();
    if (length < 0 || length > end - position) {
      throw error(
          "field "
              + field
              + " of "
              + what
              + " has "
              + Long.toUnsignedString(length)
              + " bytes, but only "
              + (end - position)
              + " are left");
    }
    return length;
  }

  private void advance(long bytes) {
    if (bytes > end - position) {
      throw error(
          what
              + " ends within field "
              + field
              + ": "
              + (end - position)
              + " of "
              + bytes
              + " bytes");
    }
    position += bytes;
  }

  private long readVarint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position == end) {
        throw error(what + " ends within a number");
      }
      int next = file.unsignedByte(position++, what);
      value |= (long) (next & 0x7f) << shift;
      if (next < 0x80) {
        return value;
      }
    }
    throw error("a number of more than 10 bytes in " + what);
  }

  /** An exception at the field read last. */
  ModelFormatException error(String problem) {
    return file.error(keyAt == 0 ? begin : keyAt, problem);
  }

  /** Numbers that come one by one, as many as a file's bytes can hold. */
  static final class Numbers {
    private long[] values = new long[8];
    private int count;

    void add(long value) {
      if (count == values.length) {
        values = java.util.Arrays.copyOf(values, Math.multiplyExact(values.length, 2));
      }
      values[count++] = value;
    }

    int count() {
      return count;
    }

    long get(int index) {
      return values[index];
    }

    long[] toArray() {
      return java.util.Arrays.copyOf(values, count);
    }
  }
}

package io.gatun.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * The uncompressed bytes of a deflated member, read in order, exactly as many as its directory
 * entry claims.
 *
 * <p>A small file can claim to be a large one. Deflate makes at most 1032 bytes of one, so a claim
 * beyond that is refused outright. Beyond {@value #TRUSTED_RATIO} to one, which no trained weights
 * are, it may be {@value #MAX_SUSPICIOUS} bytes at most, and the member is first inflated into
 * nothing and its bytes counted, before anybody allocates memory for them.
 */
final class InflatedMember implements AutoCloseable {
  /** The most bytes deflate can make of one: 258 of a match of two bits. */
  private static final long MAX_RATIO = 1032;

  private static final long TRUSTED_RATIO = 16;
  private static final long MAX_SUSPICIOUS = 1 << 30;
  private static final int CHUNK = 1 << 16;

  private final MappedFile file;
  private final ZipDirectory.Member member;
  private final Inflater inflater = new Inflater(true);
  private final byte[] input = new byte[CHUNK];
  private long consumed;

  private InflatedMember(MappedFile file, ZipDirectory.Member member) {
    this.file = file;
    this.member = member;
  }

  /** The bytes of a member: where they lie, or inflated into memory of the file's arena. */
  static MemorySegment bytes(MappedFile file, ZipDirectory.Member member) {
    if (member.method() == ZipDirectory.STORED) {
      return file.slice(member.dataOffset(), member.bytes(), member.name());
    }
    try (InflatedMember in = open(file, member)) {
      MemorySegment bytes = file.arena().allocate(member.bytes(), 8);
      in.read(bytes);
      in.finish();
      return bytes;
    }
  }

  static InflatedMember open(MappedFile file, ZipDirectory.Member member) {
    long claimed = member.bytes();
    // An empty block takes two bytes and makes none.
    if (claimed / MAX_RATIO > member.compressedBytes()) {
      throw file.error(
          member.headerOffset(),
          "member '"
              + member.name()
              + "' claims "
              + claimed
              + " bytes from "
              + member.compressedBytes()
              + ", but deflate makes at most "
              + MAX_RATIO
              + " of one");
    }
    boolean suspicious = claimed / TRUSTED_RATIO > member.compressedBytes() && claimed > CHUNK;
    if (suspicious && claimed > MAX_SUSPICIOUS) {
      throw file.error(
          member.headerOffset(),
          "member '"
              + member.name()
              + "' makes "
              + claimed
              + " bytes from "
              + member.compressedBytes()
              + ", expected at most "
              + MAX_SUSPICIOUS
              + " where that is more than "
              + TRUSTED_RATIO
              + " to one; save it without compression");
    }
    if (suspicious) {
      try (InflatedMember counted = new InflatedMember(file, member)) {
        byte[] nothing = new byte[CHUNK];
        for (long left = claimed; left > 0; left -= Math.min(left, nothing.length)) {
          counted.read(ByteBuffer.wrap(nothing, 0, (int) Math.min(left, nothing.length)));
        }
        counted.finish();
      }
    }
    return new InflatedMember(file, member);
  }

  /** Fills an array. */
  void read(byte[] target) {
    read(ByteBuffer.wrap(target));
  }

  /**
   * Fills native memory, by way of an array: JDK 21 inflates into no buffer whose arena another
   * thread could close.
   */
  void read(MemorySegment target) {
    byte[] output = new byte[(int) Math.min(CHUNK, target.byteSize())];
    for (long done = 0; done < target.byteSize(); done += output.length) {
      int count = (int) Math.min(output.length, target.byteSize() - done);
      read(ByteBuffer.wrap(output, 0, count));
      MemorySegment.copy(output, 0, target, ValueLayout.JAVA_BYTE, done, count);
    }
  }

  private void read(ByteBuffer target) {
    while (target.hasRemaining()) {
      if (inflate(target) == 0) {
        throw error("ends before the " + member.bytes() + " bytes that the directory claims");
      }
    }
  }

  /** Checks that nothing follows: no more output, and no unused input. */
  void finish() {
    if (inflate(ByteBuffer.allocate(1)) != 0) {
      throw error("goes on after the " + member.bytes() + " bytes that the directory claims");
    }
    if (consumed - inflater.getRemaining() != member.compressedBytes()) {
      throw error(
          "ends before the " + member.compressedBytes() + " bytes that the directory claims");
    }
  }

  /** Returns how many bytes were made; 0 at the end of the stream. */
  private int inflate(ByteBuffer target) {
    try {
      while (true) {
        int made = inflater.inflate(target);
        if (made > 0 || inflater.finished()) {
          return made;
        }
        if (inflater.needsDictionary()) {
          throw error("asks for a dictionary");
        }
        if (inflater.needsInput()) {
          int count = (int) Math.min(CHUNK, member.compressedBytes() - consumed);
          if (count == 0) {
            throw error("is cut short");
          }
          MemorySegment.copy(
              file.slice(member.dataOffset() + consumed, count, "deflated data"),
              ValueLayout.JAVA_BYTE,
              0,
              input,
              0,
              count);
          consumed += count;
          inflater.setInput(input, 0, count);
        }
      }
    } catch (DataFormatException e) {
      throw file.error(
          member.dataOffset() + consumed - inflater.getRemaining(),
          "the deflated data of member '" + member.name() + "' is damaged: " + e.getMessage(),
          e);
    }
  }

  private ModelFormatException error(String problem) {
    return file.error(
        member.dataOffset() + consumed - inflater.getRemaining(),
        "the deflated data of member '" + member.name() + "' " + problem);
  }

  @Override
  public void close() {
    inflater.end();
  }
}

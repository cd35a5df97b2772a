package io.gatun.format;

import io.gatun.tensor.SharedArena;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/**
 * A file mapped read-only, with reads that check themselves against its end and exceptions that
 * know file and offset. Numbers are little-endian, as in every format read here.
 *
 * <p>Bytes that go to native code (inflating, checksums) are first copied to the heap: were the
 * file made shorter by somebody else while it is mapped, a copy by the JVM fails with an {@link
 * InternalError} that can be caught, native code would take the process down.
 */
final class MappedFile implements AutoCloseable {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int CHUNK = 1 << 16;

  private final Path path;
  private final SharedArena arena;
  private final MemorySegment bytes;

  private MappedFile(Path path, SharedArena arena, MemorySegment bytes) {
    this.path = path;
    this.arena = arena;
    this.bytes = bytes;
  }

  static MappedFile open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      throw ModelFormatException.in(path, "is a folder, expected a file");
    }
    // A pipe or a terminal would be waited for and cannot be mapped; what does not exist is left to
    // the file system to explain.
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw ModelFormatException.in(path, "is not a regular file, so it cannot be mapped");
    }
    SharedArena arena = SharedArena.open(path.toString());
    boolean opened = false;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      // An empty file cannot be mapped.
      MemorySegment bytes =
          size == 0
              ? arena.allocate(0, 1)
              : arena.map(channel, FileChannel.MapMode.READ_ONLY, 0, size);
      opened = true;
      return new MappedFile(path, arena, bytes);
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  Path path() {
    return path;
  }

  /** The arena of the mapping; copies that must be made live there too. */
  SharedArena arena() {
    return arena;
  }

  long size() {
    return bytes.byteSize();
  }

  int unsignedByte(long offset, String what) {
    require(offset, 1, what);
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, offset));
  }

  int unsignedShort(long offset, String what) {
    require(offset, Short.BYTES, what);
    return Short.toUnsignedInt(bytes.get(SHORT, offset));
  }

  int integer(long offset, String what) {
    require(offset, Integer.BYTES, what);
    return bytes.get(INT, offset);
  }

  long unsignedInteger(long offset, String what) {
    return Integer.toUnsignedLong(integer(offset, what));
  }

  /** Reads 64 bits; what is meant as an unsigned number beyond 2^63 − 1 comes out negative. */
  long longInteger(long offset, String what) {
    require(offset, Long.BYTES, what);
    return bytes.get(LONG, offset);
  }

  /** Copies bytes to the heap. The caller bounds the length. */
  byte[] bytes(long offset, int length, String what) {
    require(offset, length, what);
    byte[] copy = new byte[length];
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, offset, copy, 0, length);
    return copy;
  }

  MemorySegment slice(long offset, long length, String what) {
    require(offset, length, what);
    return bytes.asSlice(offset, length);
  }

  /** A stream over a part of the file; ends there and knows nothing of what follows. */
  InputStream stream(long offset, long length, String what) {
    return new SegmentStream(slice(offset, length, what));
  }

  /** Adds a part of the file to a checksum. */
  void addTo(CRC32 checksum, long offset, long length, String what) {
    addTo(checksum, slice(offset, length, what));
  }

  /** Adds a segment to a checksum, by way of the heap. */
  static void addTo(CRC32 checksum, MemorySegment segment) {
    byte[] chunk = new byte[(int) Math.min(CHUNK, segment.byteSize())];
    for (long done = 0; done < segment.byteSize(); done += chunk.length) {
      int count = (int) Math.min(chunk.length, segment.byteSize() - done);
      MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, done, chunk, 0, count);
      checksum.update(chunk, 0, count);
    }
  }

  /** Refuses a range that is not inside the file. */
  void require(long offset, long length, String what) {
    if (offset < 0 || length < 0 || offset > size() || length > size() - offset) {
      throw error(
          Math.max(0, Math.min(offset, size())),
          "the file ends at byte "
              + size()
              + ", expected "
              + Long.toUnsignedString(length)
              + " bytes of "
              + what
              + " from byte "
              + Long.toUnsignedString(offset));
    }
  }

  ModelFormatException error(long offset, String problem) {
    return ModelFormatException.at(path, offset, problem);
  }

  ModelFormatException error(long offset, String problem, Throwable cause) {
    return ModelFormatException.at(path, offset, problem, cause);
  }

  @Override
  public void close() {
    arena.close();
  }

  private static final class SegmentStream extends InputStream {
    private final MemorySegment segment;
    private long position;

    SegmentStream(MemorySegment segment) {
      this.segment = segment;
    }

    @Override
    public int read() {
      return position == segment.byteSize()
          ? -1
          : segment.get(ValueLayout.JAVA_BYTE, position++) & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      if (length > 0 && position == segment.byteSize()) {
        return -1;
      }
      int count = (int) Math.min(length, segment.byteSize() - position);
      MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, position, target, offset, count);
      position += count;
      return count;
    }
  }
}

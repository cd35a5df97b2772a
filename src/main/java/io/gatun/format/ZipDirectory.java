package io.gatun.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The members of a zip file, found through its central directory, as APPNOTE.TXT (PKWARE) defines
 * it, with the 64-bit extensions. Stricter than that: one disk, stored or deflated members only,
 * every name once, no encryption, no member that shares bytes with another, and local headers that
 * say the same as the directory. So there is one way to read the file and every reader has it.
 */
final class ZipDirectory {
  /** Compression method: none. */
  static final int STORED = 0;

  /** Compression method: deflate, RFC 1951. */
  static final int DEFLATED = 8;

  static final int LOCAL_SIGNATURE = 0x04034b50;
  static final int CENTRAL_SIGNATURE = 0x02014b50;
  static final int END_SIGNATURE = 0x06054b50;
  static final int END64_SIGNATURE = 0x06064b50;
  static final int LOCATOR64_SIGNATURE = 0x07064b50;
  static final int LOCAL_BYTES = 30;
  static final int CENTRAL_BYTES = 46;
  static final int END_BYTES = 22;
  static final int END64_BYTES = 56;
  static final int LOCATOR64_BYTES = 20;

  /** The id of the extra field with 64-bit sizes. */
  static final int EXTRA64 = 1;

  /** The flag of names in UTF-8. */
  static final int FLAG_UTF8 = 1 << 11;

  private static final int FLAG_ENCRYPTED = 1;
  private static final int FLAG_SIZES_FOLLOW = 1 << 3;
  private static final int FLAG_STRONG_ENCRYPTION = 1 << 6;
  private static final int FLAG_MASKED = 1 << 13;
  private static final int MAX_COMMENT = 65_535;

  /**
   * The most extra fields of an entry. They are walked before it is known whether entries overlap,
   * so without a bound a crafted file could make that take the square of its length.
   */
  private static final int MAX_EXTRA_FIELDS = 64;

  private static final long SEE_EXTRA = 0xffff_ffffL;
  private static final int SEE_EXTRA_SHORT = 0xffff;

  /**
   * A member. All offsets count from the start of the file.
   *
   * @param name the name, with no path tricks in it
   * @param method {@link #STORED} or {@link #DEFLATED}
   * @param checksum the CRC-32 of the uncompressed bytes
   * @param compressedBytes the bytes in the file
   * @param bytes the bytes once they are uncompressed, as the directory claims
   * @param headerOffset where the local header is
   * @param dataOffset where the compressed bytes are
   */
  record Member(
      String name,
      int method,
      int checksum,
      long compressedBytes,
      long bytes,
      long headerOffset,
      long dataOffset) {}

  private final MappedFile file;

  private ZipDirectory(MappedFile file) {
    this.file = file;
  }

  /** Reads and checks the directory; members by name, in its order. */
  static Map<String, Member> read(MappedFile file) {
    return new ZipDirectory(file).members();
  }

  private record Range(long offset, long bytes, long entries) {}

  private Map<String, Member> members() {
    Range directory = directory();
    if (directory.entries() > directory.bytes() / CENTRAL_BYTES) {
      throw file.error(
          directory.offset(),
          "a zip directory of "
              + directory.bytes()
              + " bytes cannot hold "
              + Long.toUnsignedString(directory.entries())
              + " members");
    }
    Map<String, Member> members = new LinkedHashMap<>();
    long at = directory.offset();
    long end = directory.offset() + directory.bytes();
    for (long i = 0; i < directory.entries(); i++) {
      Central central = new Central(at, end);
      Member member = central.member(directory.offset());
      if (members.put(member.name(), member) != null) {
        throw file.error(at, "member '" + member.name() + "' twice");
      }
      at = central.next;
    }
    if (at != end) {
      throw file.error(at, "the zip directory goes on after its last member");
    }
    checkOverlaps(members);
    return members;
  }

  private void checkOverlaps(Map<String, Member> members) {
    List<Member> inFileOrder = new ArrayList<>(members.values());
    inFileOrder.sort(Comparator.comparingLong(Member::headerOffset));
    Member before = null;
    for (Member member : inFileOrder) {
      if (before != null
          && before.dataOffset() + before.compressedBytes() > member.headerOffset()) {
        throw file.error(
            member.headerOffset(),
            "member '" + member.name() + "' overlaps '" + before.name() + "'");
      }
      before = member;
    }
  }

  /** Finds the end record, which stands at the very end but for a comment. */
  private Range directory() {
    long from = Math.max(0, file.size() - END_BYTES - MAX_COMMENT);
    byte[] tail = file.bytes(from, (int) (file.size() - from), "zip end record");
    ByteBuffer numbers = ByteBuffer.wrap(tail).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = tail.length - END_BYTES; at >= 0; at--) {
      if (numbers.getInt(at) == END_SIGNATURE
          && Short.toUnsignedInt(numbers.getShort(at + 20)) == tail.length - at - END_BYTES) {
        return directory(from + at);
      }
    }
    throw file.error(file.size(), "no zip end record: the file was cut short, or is no zip file");
  }

  private Range directory(long end) {
    int disk = file.unsignedShort(end + 4, "zip end record");
    int directoryDisk = file.unsignedShort(end + 6, "zip end record");
    int entriesHere = file.unsignedShort(end + 8, "zip end record");
    long entries = file.unsignedShort(end + 10, "zip end record");
    long bytes = file.unsignedInteger(end + 12, "zip end record");
    long offset = file.unsignedInteger(end + 16, "zip end record");
    long limit = end;
    long locator = end - LOCATOR64_BYTES;
    if (locator >= 0 && file.integer(locator, "zip64 locator") == LOCATOR64_SIGNATURE) {
      long end64 = file.longInteger(locator + 8, "zip64 locator");
      if (end64 < 0 || end64 > locator - END64_BYTES) {
        throw file.error(
            locator, "the zip64 end record is said to be at byte " + Long.toUnsignedString(end64));
      }
      if (file.integer(end64, "zip64 end record") != END64_SIGNATURE) {
        throw file.error(end64, "no zip64 end record where the locator says it is");
      }
      long entries64 = file.longInteger(end64 + 32, "zip64 end record");
      long bytes64 = file.longInteger(end64 + 40, "zip64 end record");
      long offset64 = file.longInteger(end64 + 48, "zip64 end record");
      if (file.integer(end64 + 16, "zip64 end record") != 0
          || file.integer(end64 + 20, "zip64 end record") != 0
          || file.longInteger(end64 + 24, "zip64 end record") != entries64) {
        throw file.error(end64, "a zip file in several parts is not read");
      }
      // Where the old record has room for the number, it must say the same.
      if ((entries != SEE_EXTRA_SHORT && entries != entries64)
          || (bytes != SEE_EXTRA && bytes != bytes64)
          || (offset != SEE_EXTRA && offset != offset64)) {
        throw file.error(
            end64, "the zip end record and the zip64 end record contradict each other");
      }
      entries = entries64;
      bytes = bytes64;
      offset = offset64;
      limit = end64;
    } else if (disk != 0 || directoryDisk != 0 || entriesHere != entries) {
      throw file.error(end, "a zip file in several parts is not read");
    }
    if (offset < 0 || bytes < 0 || entries < 0 || offset > limit || bytes != limit - offset) {
      throw file.error(
          end,
          "a zip directory of "
              + Long.toUnsignedString(bytes)
              + " bytes at byte "
              + Long.toUnsignedString(offset)
              + ", expected it to end at byte "
              + limit);
    }
    return new Range(offset, bytes, entries);
  }

  /** One entry of the central directory. */
  private final class Central {
    private final long at;
    private final long extra;
    private final int extraBytes;
    private final byte[] nameBytes;
    private final long next;

    Central(long at, long end) {
      this.at = at;
      if (at + CENTRAL_BYTES > end
          || file.integer(at, "zip directory entry") != CENTRAL_SIGNATURE) {
        throw file.error(at, "expected an entry of the zip directory");
      }
      int nameLength = file.unsignedShort(at + 28, "zip directory entry");
      this.extraBytes = file.unsignedShort(at + 30, "zip directory entry");
      int commentBytes = file.unsignedShort(at + 32, "zip directory entry");
      this.extra = at + CENTRAL_BYTES + nameLength;
      this.next = extra + extraBytes + commentBytes;
      if (next > end) {
        throw file.error(at, "an entry of the zip directory goes beyond its end");
      }
      this.nameBytes = file.bytes(at + CENTRAL_BYTES, nameLength, "member name");
    }

    Member member(long directoryOffset) {
      int flags = file.unsignedShort(at + 8, "zip directory entry");
      String name = name(flags);
      int method = file.unsignedShort(at + 10, "zip directory entry");
      int checksum = file.integer(at + 16, "zip directory entry");
      long compressed = file.unsignedInteger(at + 20, "zip directory entry");
      long bytes = file.unsignedInteger(at + 24, "zip directory entry");
      long header = file.unsignedInteger(at + 42, "zip directory entry");
      int disk = file.unsignedShort(at + 34, "zip directory entry");
      Extra64 wide = new Extra64(extra, extraBytes, name);
      bytes = wide.resolve(bytes, SEE_EXTRA, 8);
      compressed = wide.resolve(compressed, SEE_EXTRA, 8);
      header = wide.resolve(header, SEE_EXTRA, 8);
      disk = (int) wide.resolve(disk, SEE_EXTRA_SHORT, 4);
      if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED)) != 0) {
        throw file.error(at, "member '" + name + "' is encrypted");
      }
      if (method != STORED && method != DEFLATED) {
        throw file.error(
            at,
            "member '"
                + name
                + "' has compression method "
                + method
                + ", expected 0 (stored) or 8 (deflated)");
      }
      if (disk != 0) {
        throw file.error(at, "member '" + name + "' is on another part of the zip file");
      }
      if (compressed < 0 || bytes < 0 || (method == STORED && compressed != bytes)) {
        throw file.error(
            at,
            "member '"
                + name
                + "' has "
                + Long.toUnsignedString(compressed)
                + " bytes for "
                + Long.toUnsignedString(bytes)
                + " uncompressed ones");
      }
      if (header < 0 || header > directoryOffset - LOCAL_BYTES) {
        throw file.error(
            at,
            "member '"
                + name
                + "' is said to be at byte "
                + Long.toUnsignedString(header)
                + ", expected it before the directory at byte "
                + directoryOffset);
      }
      long data = checkLocal(header, name, flags, method, checksum, compressed, bytes);
      if (data > directoryOffset || compressed > directoryOffset - data) {
        throw file.error(
            header, "member '" + name + "' of " + compressed + " bytes reaches into the directory");
      }
      return new Member(name, method, checksum, compressed, bytes, header, data);
    }

    /** Compares the local header with the directory and returns where the data begins. */
    private long checkLocal(
        long header,
        String name,
        int flags,
        int method,
        int checksum,
        long compressed,
        long bytes) {
      if (file.integer(header, "zip local header") != LOCAL_SIGNATURE) {
        throw file.error(header, "no local header of member '" + name + "' where it should be");
      }
      int localFlags = file.unsignedShort(header + 6, "zip local header");
      int nameLength = file.unsignedShort(header + 26, "zip local header");
      int extraLength = file.unsignedShort(header + 28, "zip local header");
      byte[] localName = file.bytes(header + LOCAL_BYTES, nameLength, "member name");
      if (localFlags != flags
          || file.unsignedShort(header + 8, "zip local header") != method
          || !Arrays.equals(localName, nameBytes)) {
        throw file.error(
            header, "the local header of member '" + name + "' contradicts the zip directory");
      }
      long extraOffset = header + LOCAL_BYTES + nameLength;
      Extra64 wide = new Extra64(extraOffset, extraLength, name);
      long localBytes = file.unsignedInteger(header + 22, "zip local header");
      localBytes = wide.resolve(localBytes, SEE_EXTRA, 8);
      long localCompressed = file.unsignedInteger(header + 18, "zip local header");
      localCompressed = wide.resolve(localCompressed, SEE_EXTRA, 8);
      int localChecksum = file.integer(header + 14, "zip local header");
      boolean same =
          localBytes == bytes && localCompressed == compressed && localChecksum == checksum;
      boolean later = (flags & FLAG_SIZES_FOLLOW) != 0 && localBytes == 0 && localCompressed == 0;
      if (!same && !later) {
        throw file.error(
            header,
            "the local header of member '"
                + name
                + "' has sizes or a checksum that contradict the"
                + " zip directory");
      }
      return extraOffset + extraLength;
    }

    private String name(int flags) {
      String name;
      try {
        // Names in the code page of the first PCs are not guessed at; ASCII is the same in both.
        name =
            ((flags & FLAG_UTF8) != 0 ? StandardCharsets.UTF_8 : StandardCharsets.US_ASCII)
                .newDecoder()
                .decode(ByteBuffer.wrap(nameBytes))
                .toString();
      } catch (CharacterCodingException e) {
        throw file.error(at, "a member name is neither ASCII nor marked as UTF-8", e);
      }
      boolean trick = name.isEmpty() || name.startsWith("/") || name.endsWith("/");
      for (int i = 0; i < name.length(); i++) {
        trick |= name.charAt(i) < ' ' || name.charAt(i) == '\\' || name.charAt(i) == 0x7f;
      }
      for (String part : name.split("/", -1)) {
        trick |= part.equals("..") || part.equals(".");
      }
      if (trick) {
        throw file.error(
            at,
            "a member is named "
                + Json.quoted(name)
                + ", expected a relative name without '..', backslashes or control characters");
      }
      return name;
    }
  }

  /** The 64-bit numbers of an entry, in the order in which they are asked for. */
  private final class Extra64 {
    private final String name;
    private long at;
    private long end;

    Extra64(long offset, int length, String name) {
      this.name = name;
      file.require(offset, length, "extra fields of member '" + name + "'");
      long limit = offset + length;
      long field = offset;
      int count = 0;
      while (limit - field >= 4) {
        if (++count > MAX_EXTRA_FIELDS) {
          throw file.error(
              field, "member '" + name + "' has more than " + MAX_EXTRA_FIELDS + " extra fields");
        }
        int id = file.unsignedShort(field, "zip extra field");
        int size = file.unsignedShort(field + 2, "zip extra field");
        if (size > limit - field - 4) {
          throw file.error(field, "an extra field of member '" + name + "' goes beyond its end");
        }
        if (id == EXTRA64 && end == 0) {
          at = field + 4;
          end = at + size;
        }
        field += 4 + size;
      }
    }

    long resolve(long value, long marker, int width) {
      if (value != marker) {
        return value;
      }
      if (end - at < width) {
        // Without the field the number is what it says; the checks that follow judge it.
        if (end == 0) {
          return value;
        }
        throw file.error(at, "the zip64 field of member '" + name + "' is too short");
      }
      long wide =
          width == 8
              ? file.longInteger(at, "zip64 field")
              : file.unsignedInteger(at, "zip64 field");
      at += width;
      return wide;
    }
  }
}

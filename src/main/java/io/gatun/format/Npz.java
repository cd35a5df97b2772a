package io.gatun.format;

import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * Writes npz, numpy's zip of npy arrays, and reads its members for {@link TensorFile#open}.
 *
 * <p>Definition: {@code numpy.savez}, and APPNOTE.TXT (PKWARE) for the zip file. Stateless and
 * thread-safe.
 */
public final class Npz {
  private static final String SUFFIX = ".npy";

  /** Version 2.0 of the format, enough for deflate; 4.5 has the 64-bit sizes. */
  private static final int VERSION = 20;

  private static final int VERSION64 = 45;

  /** Made under Unix: tools leave names in UTF-8 alone then, and find a file's mode. */
  private static final int UNIX = 3;

  /** A plain file that its owner may read and write. */
  private static final int READABLE = 0100600;

  /** The first of January 1980, the earliest day a zip file knows; makes files reproducible. */
  private static final int DATE = 0x21;

  /** An extra field that is only there to take up room (Android's zipalign). */
  private static final int EXTRA_ALIGNMENT = 0xd935;

  private static final long MAX_32 = 0xffff_fffeL;

  private Npz() {}

  /**
   * Writes tensors in the order of the map, uncompressed, in C order and little-endian, each
   * aligned to 64 bytes within the file so that it can be used in place. The file is the same for
   * the same tensors. It appears when it is complete; on failure nothing is left behind and what
   * was there before stays.
   *
   * @param file where to write; replaced if it exists
   * @param tensors names (without {@code .npy}) and tensors, of any strides
   * @throws IOException if the file cannot be written
   * @throws IllegalArgumentException for bfloat16, which npy has no type for, and for names that a
   *     reader would refuse: empty, with a backslash, control character or '..' in them
   */
  public static void write(Path file, Map<String, Tensor> tensors) throws IOException {
    Map<String, byte[]> headers = new LinkedHashMap<>();
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      checkName(file, entry.getKey());
      Tensor tensor = entry.getValue();
      headers.put(entry.getKey(), NpyHeader.write(tensor.dtype(), tensor.shape()));
    }
    ByteArrayOutputStream directory = new ByteArrayOutputStream();
    try (ReplacedFile out = ReplacedFile.open(file)) {
      long offset = 0;
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        byte[] header = headers.get(entry.getKey());
        Tensor tensor = entry.getValue();
        CRC32 checksum = new CRC32();
        checksum.update(header);
        ReplacedFile.addTo(checksum, tensor);
        Local local =
            new Local(
                (entry.getKey() + SUFFIX).getBytes(StandardCharsets.UTF_8),
                (int) checksum.getValue(),
                header.length + tensor.elements() * tensor.dtype().bytes(),
                offset);
        byte[] localHeader = local.header();
        out.write(localHeader);
        out.write(header);
        out.write(tensor);
        directory.write(local.directoryEntry());
        offset += localHeader.length + local.bytes();
      }
      out.write(directory.toByteArray());
      out.write(end(tensors.size(), directory.size(), offset));
      out.commit();
    }
  }

  private static void checkName(Path file, String name) {
    boolean fits = !name.isEmpty() && !name.startsWith("/") && name.indexOf('\\') < 0;
    fits &= name.chars().noneMatch(c -> c < ' ' || c == 0x7f);
    for (String part : name.split("/", -1)) {
      fits &= !part.equals("..") && !part.equals(".");
    }
    fits &= name.getBytes(StandardCharsets.UTF_8).length <= 60_000;
    if (!fits) {
      throw new IllegalArgumentException(
          file + ": a tensor cannot be named " + Json.quoted(name) + " in npz");
    }
  }

  private record Local(byte[] name, int checksum, long bytes, long offset) {
    private boolean wide() {
      return bytes > MAX_32 || offset > MAX_32;
    }

    byte[] header() {
      byte[] wideSizes = new byte[0];
      if (bytes > MAX_32) {
        wideSizes =
            ByteBuffer.allocate(20)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putShort((short) 1)
                .putShort((short) 16)
                .putLong(bytes)
                .putLong(bytes)
                .array();
      }
      long unpadded = offset + ZipDirectory.LOCAL_BYTES + name.length + wideSizes.length + 4;
      int padding = (int) Math.floorMod(-unpadded, (long) NpyHeader.ALIGNMENT);
      int extra = wideSizes.length + 4 + padding;
      ByteBuffer header =
          ByteBuffer.allocate(ZipDirectory.LOCAL_BYTES + name.length + extra)
              .order(ByteOrder.LITTLE_ENDIAN);
      header.putInt(ZipDirectory.LOCAL_SIGNATURE);
      putCommon(header);
      header.putShort((short) extra).put(name).put(wideSizes);
      header.putShort((short) EXTRA_ALIGNMENT).putShort((short) padding);
      return header.array();
    }

    /** What local header and directory entry have in common. */
    private void putCommon(ByteBuffer to) {
      to.putShort((short) (wide() ? VERSION64 : VERSION));
      to.putShort((short) ZipDirectory.FLAG_UTF8).putShort((short) ZipDirectory.STORED);
      to.putShort((short) 0).putShort((short) DATE).putInt(checksum);
      int narrow = bytes > MAX_32 ? -1 : (int) bytes;
      to.putInt(narrow).putInt(narrow).putShort((short) name.length);
    }

    byte[] directoryEntry() {
      ByteBuffer wideNumbers = ByteBuffer.allocate(28).order(ByteOrder.LITTLE_ENDIAN);
      if (wide()) {
        int count = (bytes > MAX_32 ? 16 : 0) + (offset > MAX_32 ? 8 : 0);
        wideNumbers.putShort((short) 1).putShort((short) count);
        if (bytes > MAX_32) {
          wideNumbers.putLong(bytes).putLong(bytes);
        }
        if (offset > MAX_32) {
          wideNumbers.putLong(offset);
        }
      }
      wideNumbers.flip();
      ByteBuffer entry =
          ByteBuffer.allocate(ZipDirectory.CENTRAL_BYTES + name.length + wideNumbers.remaining())
              .order(ByteOrder.LITTLE_ENDIAN);
      entry.putInt(ZipDirectory.CENTRAL_SIGNATURE).putShort((short) (UNIX << 8 | VERSION64));
      putCommon(entry);
      entry.putShort((short) wideNumbers.remaining()).putShort((short) 0).putShort((short) 0);
      entry.putShort((short) 0).putInt(READABLE << 16);
      entry.putInt(offset > MAX_32 ? -1 : (int) offset).put(name).put(wideNumbers);
      return entry.array();
    }
  }

  private static byte[] end(int entries, long directoryBytes, long offset) {
    boolean wide = entries >= 0xffff || directoryBytes > MAX_32 || offset > MAX_32;
    ByteBuffer end =
        ByteBuffer.allocate(
                ZipDirectory.END_BYTES
                    + (wide ? ZipDirectory.END64_BYTES + ZipDirectory.LOCATOR64_BYTES : 0))
            .order(ByteOrder.LITTLE_ENDIAN);
    if (wide) {
      end.putInt(ZipDirectory.END64_SIGNATURE).putLong(ZipDirectory.END64_BYTES - 12);
      end.putShort((short) VERSION64).putShort((short) VERSION64).putInt(0).putInt(0);
      end.putLong(entries).putLong(entries).putLong(directoryBytes).putLong(offset);
      end.putInt(ZipDirectory.LOCATOR64_SIGNATURE).putInt(0);
      end.putLong(offset + directoryBytes).putInt(1);
    }
    end.putInt(ZipDirectory.END_SIGNATURE).putShort((short) 0).putShort((short) 0);
    short narrowEntries = (short) (wide ? 0xffff : entries);
    end.putShort(narrowEntries).putShort(narrowEntries);
    end.putInt(wide ? -1 : (int) directoryBytes).putInt(wide ? -1 : (int) offset);
    end.putShort((short) 0);
    return end.array();
  }

  /** Finds the arrays of a file, by name without {@code .npy}; other members are left alone. */
  static Map<String, ZipDirectory.Member> arrays(MappedFile file) {
    Map<String, ZipDirectory.Member> arrays = new LinkedHashMap<>();
    for (ZipDirectory.Member member : ZipDirectory.read(file).values()) {
      if (member.name().endsWith(SUFFIX)) {
        String name = member.name().substring(0, member.name().length() - SUFFIX.length());
        arrays.put(name, member);
      }
    }
    return arrays;
  }

  /** Reads an array and checks it against the member's checksum. */
  static Tensor read(MappedFile file, ZipDirectory.Member member) {
    String prefix = "'" + member.name() + "': ";
    if (member.method() == ZipDirectory.DEFLATED) {
      return inflated(file, member, prefix);
    }
    int headerBytes = (int) Math.min(NpyHeader.MAX_HEADER, member.bytes());
    byte[] start = file.bytes(member.dataOffset(), headerBytes, "npy header");
    NpyHeader header = Npy.header(file, member.dataOffset(), start, prefix);
    Npy.checkLength(file, member.dataOffset(), header, member.bytes(), prefix);
    CRC32 checksum = new CRC32();
    file.addTo(checksum, member.dataOffset(), member.bytes(), "member '" + member.name() + "'");
    checkChecksum(file, member, checksum, prefix);
    long dataOffset = member.dataOffset() + header.headerBytes();
    return Npy.inPlace(file, header, dataOffset, "array '" + member.name() + "'");
  }

  private static Tensor inflated(MappedFile file, ZipDirectory.Member member, String prefix) {
    try (InflatedMember in = InflatedMember.open(file, member)) {
      byte[] start = new byte[(int) Math.min(NpyHeader.MAX_HEADER, member.bytes())];
      in.read(start);
      NpyHeader header = Npy.header(file, member.dataOffset(), start, prefix);
      Npy.checkLength(file, member.dataOffset(), header, member.bytes(), prefix);
      MemorySegment data = file.arena().allocate(Math.max(1, header.dataBytes()), 1);
      int already = start.length - header.headerBytes();
      MemorySegment.copy(start, header.headerBytes(), data, ValueLayout.JAVA_BYTE, 0, already);
      in.read(data.asSlice(already, header.dataBytes() - already));
      in.finish();
      CRC32 checksum = new CRC32();
      checksum.update(start, 0, header.headerBytes());
      MappedFile.addTo(checksum, data.asSlice(0, header.dataBytes()));
      checkChecksum(file, member, checksum, prefix);
      return Npy.view(header, data);
    }
  }

  private static void checkChecksum(
      MappedFile file, ZipDirectory.Member member, CRC32 checksum, String prefix) {
    int came = (int) checksum.getValue();
    if (came != member.checksum()) {
      throw file.error(
          member.dataOffset(),
          prefix
              + String.format(
                  "checksum %08x, expected %08x: the bytes are not what was written",
                  came, member.checksum()));
    }
  }
}

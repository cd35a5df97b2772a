package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.Shared;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Damaged files and files that lie: each is read rightly, or refused in the library's own words.
 */
class HostileFilesTest {
  @TempDir Path folder;
  private Path small;

  @BeforeEach
  void writeSmallFiles() throws IOException {
    small = Files.createDirectory(folder.resolve("small"));
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("weight", Fixtures.counting(arena, DType.FLOAT32, 2, 3));
      tensors.put("bias", Fixtures.counting(arena, DType.INT64, 2));
      Safetensors.write(small.resolve("safetensors"), tensors, Map.of("made by", "a test"));
      Npz.write(small.resolve("npz"), tensors);
      Npy.write(small.resolve("npy"), tensors.get("weight"));
      try (ZipOutputStream zip =
          new ZipOutputStream(Files.newOutputStream(small.resolve("deflated")))) {
        zip.putNextEntry(new ZipEntry("weight.npy"));
        zip.write(Files.readAllBytes(small.resolve("npy")));
        zip.putNextEntry(new ZipEntry("again.npy"));
        zip.write(Files.readAllBytes(small.resolve("npy")));
      }
    }
  }

  /** Reads everything there is; whether it was refused. Anything but the library's own fails. */
  private static boolean refused(Path file) throws IOException {
    try (TensorFile read = TensorFile.open(file)) {
      double sum = 0;
      for (String name : read.names()) {
        for (double value : read.tensor(name).toDoubles()) {
          sum += value;
        }
      }
      return Double.isNaN(sum) && read.names().isEmpty();
    } catch (ModelFormatException e) {
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      assertEquals(file.toString(), e.file());
      return true;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"safetensors", "npz", "npy", "deflated"})
  void aSmallFileCutAnywhereIsRefused(String name) throws IOException {
    byte[] whole = Files.readAllBytes(small.resolve(name));
    Path cut = folder.resolve("cut." + name.replace("deflated", "npz"));
    for (int length = 0; length < whole.length; length++) {
      Files.write(cut, Arrays.copyOf(whole, length));
      assertTrue(refused(cut), name + " cut to " + length + " bytes was read");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "g2p_en/checkpoint20.npz",
        "kws_arm/CRNN_S.npz",
        "kws_arm/right_mfcc_40ms_40ms.npy",
        "silero_vad/silero_vad_16k.safetensors"
      })
  void aRealFileCutAtEvery97thByteIsRefused(String name) throws IOException {
    Path source = Shared.path("models/" + name);
    Path cut = folder.resolve(String.valueOf(source.getFileName()));
    Files.copy(source, cut);
    cut.toFile().setWritable(true);
    long step = 97;
    try (FileChannel channel = FileChannel.open(cut, StandardOpenOption.WRITE)) {
      for (long length = (channel.size() - 1) / step * step; length >= 0; length -= step) {
        channel.truncate(length);
        assertTrue(refused(cut), name + " cut to " + length + " bytes was read");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"safetensors", "npz", "npy", "deflated"})
  void aSmallFileWithAnyByteChangedIsReadOrRefused(String name) throws IOException {
    byte[] whole = Files.readAllBytes(small.resolve(name));
    Path changed = folder.resolve("changed." + name.replace("deflated", "npz"));
    for (int at = 0; at < whole.length; at++) {
      for (int value : new int[] {0, 0xff, 0x7f, whole[at] ^ 1, whole[at] ^ 0x80, '9', '"'}) {
        byte[] bytes = whole.clone();
        bytes[at] = (byte) value;
        Files.write(changed, bytes);
        refused(changed);
      }
    }
  }

  @Test
  void changedNumbersInAnNpzAreNoticed() throws IOException {
    byte[] whole = Files.readAllBytes(small.resolve("npz"));
    Path changed = folder.resolve("changed.npz");
    // The first member's numbers: its header ends at 64 + 128.
    for (int at = 192; at < 192 + 24; at++) {
      byte[] bytes = whole.clone();
      bytes[at] ^= 1;
      Files.write(changed, bytes);
      assertTrue(refused(changed), "byte " + at);
    }
  }

  @Test
  void randomNoiseInRealHeadersIsReadOrRefused() throws IOException {
    Random random = Seeds.random("HostileFilesTest.randomNoise");
    for (String name :
        new String[] {"kws_arm/Basic_LSTM_S.npz", "silero_vad/silero_vad_16k.safetensors"}) {
      byte[] whole = Files.readAllBytes(Shared.path("models/" + name));
      Path changed = folder.resolve("noise." + name.substring(name.lastIndexOf('.') + 1));
      for (int i = 0; i < 60; i++) {
        byte[] bytes = whole.clone();
        for (int n = 0; n <= i % 5; n++) {
          int place = random.nextInt(1500);
          bytes[random.nextBoolean() ? place : bytes.length - 1 - place] = (byte) random.nextInt();
        }
        Files.write(changed, bytes);
        refused(changed);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001, 1 << 20, 0, 1})
  void aSafetensorsHeaderOfAnAbsurdLengthIsRefused(long length) throws IOException {
    byte[] bytes = Files.readAllBytes(small.resolve("safetensors"));
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
    Path file = folder.resolve("length.safetensors");
    Files.write(file, bytes);
    assertTrue(refused(file), "length " + length);
  }

  @Test
  void deeplyNestedJsonIsRefused() throws IOException {
    String deep = "[".repeat(2_000_000);
    Path file = folder.resolve("deep.safetensors");
    Files.write(file, Fixtures.safetensors("{\"a\":{\"x\":" + deep, 0));
    assertTrue(refused(file));
    Files.write(file, Fixtures.safetensors("{\"a\":{\"shape\":" + deep, 0));
    assertTrue(refused(file));
    ModelFormatException inJson =
        assertThrows(ModelFormatException.class, () -> Json.parse("model.json", deep));
    assertTrue(inJson.getMessage().startsWith("model.json: line 1: "), inJson.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "npz, 10, 9, contradicts",
    "npz, 8, 1, encrypted",
    "npz, 20, 0x7fffffff, bytes for",
    "npz, 24, 0x7fffffff, bytes for",
    "npz, 42, 0x7fffffff, expected it before the directory",
    "npz, 42, 1, no local header",
    "npz, 16, 1, contradict",
    "npz, 34, 1, another part",
    "npz, 28, 0xffff, goes beyond its end",
    "npz, 30, 0xffff, goes beyond its end",
  })
  void aDirectoryEntryThatLiesIsRefused(String name, int field, String value, String message)
      throws IOException {
    byte[] bytes = Files.readAllBytes(small.resolve(name));
    ByteBuffer numbers = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int entry = find(numbers, ZipDirectory.CENTRAL_SIGNATURE);
    int number = Integer.decode(value);
    if (field == 8 || field == 10 || field == 34 || field == 28 || field == 30) {
      numbers.putShort(entry + field, (short) number);
    } else {
      numbers.putInt(entry + field, number);
    }
    assertRefused(bytes, field == 10 ? "compression method 9" : message);
  }

  @Test
  void membersThatOverlapAreRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(small.resolve("deflated"));
    ByteBuffer numbers = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int first = find(numbers, ZipDirectory.CENTRAL_SIGNATURE);
    // The first member is said to be long enough to cover the second one.
    int second = numbers.getInt(first + 46 + "weight.npy".length() + 42);
    numbers.putInt(first + 20, second + 10);
    assertRefused(bytes, "overlaps");
  }

  @Test
  void aNameThatComesTwiceIsRefused() throws IOException {
    byte[] npz = Files.readAllBytes(small.resolve("npy"));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.putNextEntry(new ZipEntry("a.npy"));
      zip.write(npz);
      zip.putNextEntry(new ZipEntry("b.npy"));
      zip.write(npz);
    }
    assertRefused(bytes(latin(out.toByteArray()).replace("b.npy", "a.npy")), "'a.npy' twice");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../../a.npy", "/etc/aa.npy", "a\\..\\b.npy", "./aaaa.npy", "a\0b.npy"})
  void namesThatLeadElsewhereAreRefused(String name) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.putNextEntry(new ZipEntry(name));
      zip.write(Files.readAllBytes(small.resolve("npy")));
    }
    assertRefused(out.toByteArray(), "a member is named");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40})
  void zip64SizesThatLieAreRefused(long lie) throws IOException {
    // A member whose sizes are in the extra field of the directory.
    for (int which = 0; which < 3; which++) {
      byte[] npz = Files.readAllBytes(small.resolve("npz"));
      ByteBuffer old = ByteBuffer.wrap(npz).order(ByteOrder.LITTLE_ENDIAN);
      int entry = find(old, ZipDirectory.CENTRAL_SIGNATURE);
      int extraAt = entry + 46 + "weight.npy".length();
      long size = Integer.toUnsignedLong(old.getInt(entry + 24));
      ByteBuffer wide = ByteBuffer.allocate(npz.length + 28).order(ByteOrder.LITTLE_ENDIAN);
      wide.put(npz, 0, extraAt).putShort((short) 1).putShort((short) 24);
      wide.putLong(which == 0 ? lie : size).putLong(which == 1 ? lie : size);
      wide.putLong(which == 2 ? lie : 0).put(npz, extraAt, npz.length - extraAt);
      wide.putInt(entry + 20, -1).putInt(entry + 24, -1).putInt(entry + 42, -1);
      wide.putShort(entry + 30, (short) 28);
      int end = wide.capacity() - ZipDirectory.END_BYTES;
      wide.putInt(end + 12, wide.getInt(end + 12) + 28);
      assertRefused(wide.array(), which < 2 ? "bytes for" : "expected it before the directory");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, 7})
  void aZip64EndRecordThatLiesIsRefused(long lie) throws IOException {
    byte[] npz = Files.readAllBytes(small.resolve("npz"));
    int endAt = npz.length - ZipDirectory.END_BYTES;
    ByteBuffer old = ByteBuffer.wrap(npz).order(ByteOrder.LITTLE_ENDIAN);
    long size = old.getInt(endAt + 12);
    long offset = old.getInt(endAt + 16);
    for (int which = 0; which < 5; which++) {
      ByteBuffer wide = ByteBuffer.allocate(npz.length + 76).order(ByteOrder.LITTLE_ENDIAN);
      wide.put(npz, 0, endAt).putInt(ZipDirectory.END64_SIGNATURE).putLong(44);
      wide.putShort((short) 45).putShort((short) 45).putInt(0).putInt(0);
      wide.putLong(which == 0 ? lie : 2).putLong(which == 0 || which == 4 ? lie : 2);
      wide.putLong(which == 1 ? lie : size).putLong(which == 2 ? lie : offset);
      wide.putInt(ZipDirectory.LOCATOR64_SIGNATURE).putInt(0);
      wide.putLong(which == 3 ? lie : endAt).putInt(1).put(npz, endAt, 8);
      wide.putShort((short) -1).putShort((short) -1).putInt(-1).putInt(-1).putShort((short) 0);
      assertRefused(wide.array(), null);
    }
  }

  @Test
  void aZip64EndRecordThatTellsTheTruthIsRead() throws IOException {
    byte[] npz = Files.readAllBytes(small.resolve("npz"));
    int endAt = npz.length - ZipDirectory.END_BYTES;
    ByteBuffer old = ByteBuffer.wrap(npz).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer wide = ByteBuffer.allocate(npz.length + 76).order(ByteOrder.LITTLE_ENDIAN);
    wide.put(npz, 0, endAt).putInt(ZipDirectory.END64_SIGNATURE).putLong(44);
    wide.putShort((short) 45).putShort((short) 45).putInt(0).putInt(0).putLong(2).putLong(2);
    wide.putLong(old.getInt(endAt + 12)).putLong(old.getInt(endAt + 16));
    wide.putInt(ZipDirectory.LOCATOR64_SIGNATURE).putInt(0).putLong(endAt).putInt(1);
    wide.put(npz, endAt, 8).putShort((short) -1).putShort((short) -1).putInt(-1).putInt(-1);
    Path file = folder.resolve("wide.npz");
    Files.write(file, wide.array());
    try (TensorFile read = TensorFile.open(file)) {
      assertEquals(5f, read.tensor("weight").getFloat(1, 2));
    }
  }

  @Test
  void aMemberThatClaimsMoreThanDeflateCanMakeIsRefusedBeforeAnythingIsAllocated()
      throws IOException {
    assertRefused(bomb(1000, 2_000_000_000), "deflate makes at most 1032 of one");
  }

  @Test
  void aMemberThatClaimsManyTimesItsSizeIsCountedBeforeAnythingIsAllocated() throws IOException {
    assertRefused(bomb(100_000, 90_000_000), "bytes that the directory claims");
  }

  @Test
  void aMemberThatIsMostlyNothingIsRefusedWhereItIsLarge() throws IOException {
    assertRefused(bomb(4_200_000, 4_000_000_000L), "save it without compression");
  }

  @Test
  void endlessExtraFieldsAreRefused() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      ZipEntry entry = new ZipEntry("a.npy");
      entry.setExtra(
          ByteBuffer.allocate(400).order(ByteOrder.LITTLE_ENDIAN).putShort(0, (short) 7).array());
      zip.putNextEntry(entry);
      zip.write(Files.readAllBytes(small.resolve("npy")));
    }
    assertRefused(out.toByteArray(), "more than 64 extra fields");
  }

  /** A deflated member of some size that claims to be an array of so many bytes. */
  private static byte[] bomb(int compressed, long claimed) throws IOException {
    long elements = claimed - 128;
    byte[] header = NpyHeader.write(DType.INT8, Shape.of(elements));
    ByteArrayOutputStream deflated = new ByteArrayOutputStream();
    try (OutputStream out =
        new DeflaterOutputStream(deflated, new Deflater(Deflater.NO_COMPRESSION, true))) {
      out.write(header);
      out.write(new byte[compressed - 500]);
    }
    byte[] name = bytes("a.npy");
    byte[] data = deflated.toByteArray();
    ByteBuffer zip =
        ByteBuffer.allocate(30 + 46 + 22 + 2 * name.length + data.length)
            .order(ByteOrder.LITTLE_ENDIAN);
    zip.putInt(ZipDirectory.LOCAL_SIGNATURE).putShort((short) 20).putShort((short) 0);
    zip.putShort((short) 8).putInt(0).putInt(0).putInt(data.length).putInt((int) claimed);
    zip.putShort((short) name.length).putShort((short) 0).put(name).put(data);
    int directory = zip.position();
    zip.putInt(ZipDirectory.CENTRAL_SIGNATURE).putShort((short) 20).putShort((short) 20);
    zip.putShort((short) 0).putShort((short) 8).putInt(0).putInt(0).putInt(data.length);
    zip.putInt((int) claimed).putShort((short) name.length).putShort((short) 0);
    zip.putShort((short) 0).putShort((short) 0).putShort((short) 0).putInt(0).putInt(0).put(name);
    int end = zip.position();
    zip.putInt(ZipDirectory.END_SIGNATURE).putInt(0).putShort((short) 1).putShort((short) 1);
    zip.putInt(end - directory).putInt(directory).putShort((short) 0);
    return zip.array();
  }

  @Test
  void aFileThatIsCutWhileItIsOpenIsRefused() throws IOException {
    Path file = folder.resolve("cut.npz");
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("small", Fixtures.counting(arena, DType.FLOAT32, 3));
      tensors.put("large", Fixtures.counting(arena, DType.FLOAT32, 1 << 20));
      Npz.write(file, tensors);
    }
    try (TensorFile read = TensorFile.open(file);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(8192);
      assertEquals(2f, read.tensor("small").getFloat(2));
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> read.tensor("large"));
      assertTrue(refused.getMessage().contains("was cut short"), refused.getMessage());
    }
  }

  @Test
  void whatIsNoFileOfTensorsIsNamed() throws IOException {
    assertRefusedAs("nothing", new byte[0], "the file is empty");
    assertRefusedAs("a.h5", new byte[] {(byte) 0x89, 'H', 'D', 'F', 13, 10, 26, 10}, "HDF5");
    assertRefusedAs("a.pkl", new byte[] {(byte) 0x80, 2, 99}, "pickle");
    assertRefusedAs("a.txt", bytes("some text that is no tensor at all"), "unknown kind of file");
    assertRefusedAs("a.safetensors", new byte[3], "header length");
    assertRefusedAs("a.npz", new byte[3], "no zip end record");
    assertRefusedAs("a.npy", new byte[3], "no npy array");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.putNextEntry(new ZipEntry("archive/data.pkl"));
      zip.write(1);
    }
    assertRefusedAs("a.pt", out.toByteArray(), "the pickle archive/data.pkl asks for");
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> TensorFile.open(folder));
    assertTrue(refused.getMessage().contains("is a folder"), refused.getMessage());
    assertThrows(IOException.class, () -> TensorFile.open(folder.resolve("missing.npz")));
  }

  private void assertRefused(byte[] bytes, String message) throws IOException {
    assertRefusedAs("lie.npz", bytes, message);
  }

  private void assertRefusedAs(String name, byte[] bytes, String message) throws IOException {
    Path file = folder.resolve(name);
    Files.write(file, bytes);
    ModelFormatException refused =
        assertThrows(
            ModelFormatException.class,
            () -> {
              try (TensorFile read = TensorFile.open(file)) {
                read.names().forEach(read::tensor);
              }
            });
    assertTrue(refused.getMessage().startsWith(file + ": at byte "), refused.getMessage());
    if (message != null) {
      assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }
  }

  private static int find(ByteBuffer bytes, int signature) {
    for (int at = 0; at < bytes.capacity() - 3; at++) {
      if (bytes.getInt(at) == signature) {
        return at;
      }
    }
    throw new AssertionError("no signature " + Integer.toHexString(signature));
  }

  private static String latin(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private static byte[] bytes(String latin) {
    return latin.getBytes(StandardCharsets.ISO_8859_1);
  }
}

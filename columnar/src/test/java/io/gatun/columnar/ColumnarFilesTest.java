package io.gatun.columnar;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.table.Compression;
import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written is read again, and what is no file of the format says so. */
class ColumnarFilesTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"parquet", "arrow"})
  void everyTypeOfColumnComesBack(String name) throws IOException {
    TableFormat format = TableFormats.named(name);
    Path file = folder.resolve("table." + name);
    for (int count : new int[] {0, 1, 7, 250}) {
      Files.deleteIfExists(file);
      List<Object[]> rows = Tables.rows(count);
      Tables.write(format, file, Tables.SCHEMA, rows, 64);
      Tables.assertSame(rows, Tables.read(format, file, null));
      List<Object[]> some = Tables.read(format, file, List.of("word", "vector"));
      assertEquals(count, some.size());
      for (int i = 0; i < count; i++) {
        assertEquals(rows.get(i)[1], some.get(i)[1]);
        assertEquals(null, some.get(i)[2]);
      }
    }
    assertEquals(format, TableFormats.of(file).orElseThrow());
  }

  @ParameterizedTest
  @ValueSource(strings = {"parquet", "arrow"})
  void aFileThatIsCutOffOrChangedIsAnErrorAndNeverAnythingElse(String name) throws IOException {
    TableFormat format = TableFormats.named(name);
    Path file = folder.resolve("table." + name);
    Tables.write(format, file, Tables.SCHEMA, Tables.rows(20), 8);
    byte[] whole = Files.readAllBytes(file);
    Path broken = folder.resolve("broken." + name);
    // What stands behind the last batch of Arrow is for those who jump; it is read in order here.
    int least = name.equals("arrow") ? whole.length / 2 : whole.length;
    for (int length = 0; length < least; length += 1 + length / 50) {
      Files.write(broken, Arrays.copyOf(whole, length));
      IOException cut =
          assertThrows(
              IOException.class, () -> Tables.read(format, broken, null), "cut at " + length);
      assertTrue(cut.getMessage().contains("broken." + name), cut.getMessage());
    }
    Random random = new Random(4);
    int found = 0;
    for (int i = 0; i < 400; i++) {
      byte[] changed = whole.clone();
      int at = random.nextInt(whole.length);
      changed[at] = (byte) (changed[at] ^ 1 << random.nextInt(8));
      Files.write(broken, changed);
      try {
        Tables.read(format, broken, null);
      } catch (IOException | IllegalArgumentException e) {
        found++;
      } catch (AssertionError e) {
        found++; // a record with a problem
      }
    }
    assertTrue(found > 100, "errors found: " + found);
  }

  @Test
  void zstdInPiecesIsReadAsAWhole() throws IOException {
    Compression zstd = TableFormats.compressionOf(Path.of("words.csv.zst"));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream plain = new ByteArrayOutputStream();
    Random random = new Random(5);
    for (int piece = 0; piece < 5; piece++) {
      byte[] bytes = new byte[random.nextInt(300_000)];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) (random.nextInt(4) + 'a');
      }
      plain.writeBytes(bytes);
      try (OutputStream compressed = zstd.writer(out)) {
        compressed.write(bytes);
      }
    }
    assertTrue(out.size() < plain.size() / 2);
    byte[] read = zstd.reader(new ByteArrayInputStream(out.toByteArray())).readAllBytes();
    assertArrayEquals(plain.toByteArray(), read);
  }
}

package io.gatun.table;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.batch.BadRecordException;
import io.gatun.batch.InputRecord;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What tables look like as files, and which records are none. */
class TableFormatsTest {
  @TempDir Path folder;

  private static TableSource source(String text) {
    return TableSource.of("test", new ByteArrayInputStream(text.getBytes(ISO_8859_1)), null);
  }

  /** All rows as text, and the problem where there is one. */
  private static List<String> read(TableReader reader) throws IOException {
    try (reader) {
      List<String> rows = new ArrayList<>();
      for (InputRecord<Row> record = reader.next(() -> {});
          record != null;
          record = reader.next(() -> {})) {
        assertEquals(rows.size() + 1, record.number());
        rows.add(
            record.problem() != null
                ? "bad: " + record.problem()
                : Arrays.deepToString(record.value().values()));
      }
      return rows;
    }
  }

  private static List<String> read(String format, String text) throws IOException {
    return read(TableFormats.named(format).reader(source(text), ReadOptions.USUAL));
  }

  private static String write(String format, Schema schema, Object[]... rows) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Sink sink = Sink.to("test", out);
    TableWriter writer = TableFormats.named(format).writer(sink, schema, List.of());
    for (Object[] row : rows) {
      writer.write(row);
    }
    writer.endChunk();
    writer.finish();
    sink.flush();
    return out.toString(UTF_8);
  }

  @Test
  void csvIsAsItsSpecificationHasIt() throws IOException {
    assertEquals(
        List.of("[aaa, b \r\nbb, ccc]", "[z\"z, y,y, ]", "[, , ]", "[ x , y, z]"),
        read("csv", "p,q,r\r\naaa,\"b \r\nbb\",ccc\r\n\"z\"\"z\",\"y,y\",\"\"\r\n,,\r\n x ,y,z"));
    assertEquals(List.of("[b, \u00e9]"), read("csv", "\u00ef\u00bb\u00bfa,c\nb,\u00c3\u00a9\n"));
    assertEquals(List.of(), read("csv", ""));
    assertEquals(List.of(), read("csv", "a,b\n"));
    assertEquals(List.of("[1]", "[]", "[2]"), read("csv", "a\n1\n\n2\n"));
  }

  @Test
  void aBadRecordOfCsvSpoilsNoOther() throws IOException {
    assertEquals(
        List.of(
            "[1, one]",
            "bad: line 3: 3 columns, expected 2 (id, word)",
            "bad: line 4: 1 column, expected 2 (id, word)",
            "bad: line 5: 'v' behind a closing quote",
            "[4, four]",
            "bad: line 7: a quote within a value that does not begin with one",
            "bad: line 8: 'x' behind a closing quote",
            "bad: line 9: no UTF-8: byte 3 is 0xff",
            "[8, eight]",
            "bad: line 11: a quote is opened and never closed",
            "[10, ten]"),
        read(
            "csv",
            "id,word\n1,one\n2,two,too\n\n3,\"three\n4,four\n5,f\"ve\n6,\"six\"x\n7,\u00ff\n8,eight\n"
                + "9,\"nine\n10,ten"));
    assertTrue(
        assertThrows(IOException.class, () -> read("csv", "a,a\n"))
            .getMessage()
            .contains("two columns are called 'a'"));
    TableReader headless =
        TableFormats.named("csv").reader(source("\"a\nb\",1\nc,2\n"), new ReadOptions(false, 100));
    assertEquals("column1, column2", headless.schema().names());
    assertEquals(List.of("[a\nb, 1]", "[c, 2]"), read(headless));
    TableReader bounded =
        TableFormats.named("csv")
            .reader(
                source("a\n" + "x".repeat(200) + "\n\"" + "y\n".repeat(99) + "z\n"),
                new ReadOptions(true, 50));
    List<String> rows = read(bounded);
    assertEquals("bad: line 2: 200 bytes, expected at most 50", rows.get(0));
    assertEquals("bad: line 3: a quote is opened and not closed within 50 bytes", rows.get(1));
    assertEquals("[y]", rows.get(2));
    assertEquals("[z]", rows.get(rows.size() - 1));
  }

  @Test
  void whatIsWrittenAsCsvIsReadAgain() throws IOException {
    Random random = Seeds.random("TableFormatsTest");
    Schema schema =
        Schema.of(new Column("a \"b\"", ColumnType.TEXT), new Column("c,d", ColumnType.TEXT));
    String[] pieces = {"x", "\"", ",", "\n", "\r\n", " ", "\u00e9", "\ud83d\ude00", "\t", "\r"};
    Object[][] rows = new Object[200][2];
    List<String> expected = new ArrayList<>();
    for (Object[] row : rows) {
      for (int k = 0; k < 2; k++) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(6); i > 0; i--) {
          text.append(pieces[random.nextInt(pieces.length)]);
        }
        row[k] = text.toString();
      }
      expected.add(Arrays.toString(row));
    }
    String text = write("csv", schema, rows);
    assertEquals(expected, read("csv", new String(text.getBytes(UTF_8), ISO_8859_1)));
  }

  @Test
  void tsvHasNoQuotesAndRefusesWhatItCannotExpress() throws IOException {
    assertEquals(List.of("[\"a, b\"]"), read("tsv", "x\ty\n\"a\tb\"\n"));
    Schema schema = Schema.of(new Column("a", ColumnType.TEXT), new Column("b", ColumnType.DOUBLE));
    assertEquals("a\tb\nx\t0.5\n\t\n", write("tsv", schema, row("x", 0.5), row(null, null)));
    assertThrows(BadRecordException.class, () -> write("tsv", schema, row("x\ty", 1.0)));
  }

  private static Object[] row(Object... values) {
    return values;
  }

  @Test
  void jsonLinesHaveTheColumnsAndTypesOfTheirFirstLine() throws IOException {
    assertEquals(
        List.of(
            "[1, a, [1, 2], true, {\"x\":[1]}, 0.5]",
            "[2, null, null, null, null, 2.0]",
            "bad: 'id' is not of the type integer as on the first line",
            "bad: no JSON: Unexpected character ('}' (code 125)): was expecting a colon to separate"
                + " field name and value (column 6)",
            "bad: expected an object of JSON, { … }",
            "bad: expected an object of JSON, { … }",
            "[3, b, null, false, null, null]"),
        read(
            "jsonl",
            """
            {"id":1,"word":"a","list":[1,2],"ok":true,"more":{"x":[1]},"real":0.5}
            {"id":2,"word":null,"unknown":[{}],"real":2}
            {"id":"3"}
            {"id"}
            [1]

            {"id":3,"word":"b","ok":false}
            """));
    Schema schema =
        Schema.of(
            new Column("t", ColumnType.TEXT),
            new Column("l", ColumnType.listOf(ColumnType.DOUBLE)),
            new Column("v", ColumnType.vector(2)));
    assertEquals(
        "{\"t\":\"a\\n\\\"b\",\"l\":[0.5,null],\"v\":[1.5,\"NaN\"]}\n{\"t\":null,\"l\":null,\"v\":null}\n",
        write(
            "jsonl",
            schema,
            row("a\n\"b", Arrays.asList(0.5, null), new float[] {1.5f, Float.NaN}),
            row(null, null, null)));
  }

  @Test
  void vectorsAreWrittenAsNpyAndReadAgain() throws IOException {
    Path file = folder.resolve("vectors.npy");
    Schema schema = Schema.of(new Column("v", ColumnType.vector(3)));
    try (Sink sink = Sink.to("vectors.npy", Storage.system().write(file, 0), 0)) {
      TableWriter writer = TableFormats.named("npy").writer(sink, schema, List.of());
      for (int i = 0; i < 10; i++) {
        writer.write(row(i == 4 ? null : (Object) new float[] {i, 0.5f, -i}));
      }
      writer.endChunk();
      writer.finish();
      sink.flush();
    }
    TableSource source = TableSource.of(file, Storage.system(), null);
    List<String> rows = read(TableFormats.named("npy").reader(source, ReadOptions.USUAL));
    assertEquals(10, rows.size());
    assertEquals("[[9.0, 0.5, -9.0]]", rows.get(9));
    assertEquals("[[NaN, NaN, NaN]]", rows.get(4));
    assertThrows(IllegalArgumentException.class, () -> write("npy", schema, row(new float[3])));
  }

  @Test
  void recordingsAreSamplesOfMinusOneToOne() throws IOException {
    for (int bits : new int[] {8, 16, 24, 32, -32}) {
      int size = Math.abs(bits) / 8;
      ByteBuffer wav = ByteBuffer.allocate(44 + 3 * size).order(ByteOrder.LITTLE_ENDIAN);
      wav.put("RIFF".getBytes(UTF_8)).putInt(36 + 3 * size).put("WAVEfmt ".getBytes(UTF_8));
      wav.putInt(16).putShort((short) (bits < 0 ? 3 : 1)).putShort((short) 1).putInt(16_000);
      wav.putInt(16_000 * size).putShort((short) size).putShort((short) (8 * size));
      wav.put("data".getBytes(UTF_8)).putInt(3 * size);
      for (double value : new double[] {0, 0.5, -1}) {
        switch (bits) {
          case 8 -> wav.put((byte) (128 + 128 * value));
          case 16 -> wav.putShort((short) (32_768 * value));
          case 24 -> {
            int whole = (int) (8_388_608 * value);
            wav.put((byte) whole).put((byte) (whole >> 8)).put((byte) (whole >> 16));
          }
          case 32 -> wav.putInt((int) (2_147_483_648L * value));
          default -> wav.putFloat((float) value);
        }
      }
      assertEquals(
          List.of("[test, 16000, [0.0, 0.5, -1.0]]"),
          read("wav", new String(wav.array(), ISO_8859_1)));
      for (int length = 0; length < wav.capacity(); length++) {
        String cut = new String(wav.array(), 0, length, ISO_8859_1);
        assertTrue(read("wav", cut).get(0).startsWith("bad: "), "cut at " + length);
      }
    }
  }

  @Test
  void compressedInPiecesIsTheSameAsAWhole() throws IOException {
    Compression gzip = TableFormats.compressionOf(Path.of("x.csv.gz"));
    assertEquals("csv", TableFormats.of(Path.of("x.csv.gz")).orElseThrow().name());
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (String piece : List.of("a,b\n1,", "2\n3,4\n")) {
      try (OutputStream compressed = gzip.writer(out)) {
        compressed.write(piece.getBytes(UTF_8));
      }
    }
    byte[] bytes = out.toByteArray();
    TableSource whole = TableSource.of("whole.gz", new ByteArrayInputStream(bytes), gzip);
    TableFormat csv = TableFormats.named("csv");
    assertEquals(List.of("[1, 2]", "[3, 4]"), read(csv.reader(whole, ReadOptions.USUAL)));
    byte[] half = Arrays.copyOf(bytes, bytes.length - 12);
    TableSource cut = TableSource.of("cut.gz", new ByteArrayInputStream(half), gzip);
    IOException e = assertThrows(IOException.class, () -> read(csv.reader(cut, ReadOptions.USUAL)));
    assertTrue(e.getMessage().contains("ends in the middle"), e.getMessage());
    assertArrayEquals(
        "x".getBytes(UTF_8),
        TableSource.of("p", new ByteArrayInputStream("x".getBytes(UTF_8)), null).stream()
            .readAllBytes());
  }

  @Test
  void severalFilesAreOneTableAndEachRecordKnowsItsPlace() throws IOException {
    Files.writeString(folder.resolve("b.csv"), "id,w\n3,c\n");
    Files.writeString(folder.resolve("a.csv"), "id,w\n1,a\n2,b,x\n");
    Files.writeString(folder.resolve("_SUCCESS"), "");
    Files.writeString(folder.resolve(".hidden.csv"), "");
    List<Path> files = TableFiles.expand(List.of(folder));
    assertEquals(List.of(folder.resolve("a.csv"), folder.resolve("b.csv")), files);
    assertEquals(files, TableFiles.expand(List.of(folder.resolve("[ab].csv"))));
    assertThrows(
        NoSuchFileException.class, () -> TableFiles.expand(List.of(folder.resolve("c*.csv"))));
    List<TableSource> sources =
        files.stream().map(file -> TableSource.of(file, Storage.system(), null)).toList();
    TableFormat csv = TableFormats.named("csv");
    TableFiles all = new TableFiles(sources, csv, ReadOptions.USUAL);
    assertEquals(
        List.of("[1, a]", "bad: line 3: 3 columns, expected 2 (id, w)", "[3, c]"), read(all));
    assertEquals(files.get(0) + ": record 2", all.place(2));
    assertEquals(files.get(1) + ": record 1", all.place(3));
    Files.writeString(folder.resolve("b.csv"), "id,v\n3,c\n");
    IOException other =
        assertThrows(
            IOException.class, () -> read(new TableFiles(sources, csv, ReadOptions.USUAL)));
    assertTrue(other.getMessage().contains("has the columns id (text), v (text), but"));
  }

  @Test
  void formatsThatAreNotThereSayWhereTheyAre() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> TableFormats.named("parquet"))
            .getMessage();
    assertTrue(message.contains("gatun-columnar"), message);
    assertThrows(IllegalArgumentException.class, () -> TableFormats.of(Path.of("x.parquet")));
    assertThrows(IllegalArgumentException.class, () -> TableFormats.of(Path.of("x.csv.zst")));
  }
}

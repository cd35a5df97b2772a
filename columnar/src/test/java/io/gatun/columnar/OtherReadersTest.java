package io.gatun.columnar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.arrow.vector.util.Text;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** DuckDB and Arrow's own library read what is written here, and write what is read here. */
class OtherReadersTest {
  @TempDir Path folder;

  private static Connection duckDb() throws SQLException {
    return DriverManager.getConnection("jdbc:duckdb:");
  }

  private static List<Object> list(Array array) throws SQLException {
    return array == null ? null : new ArrayList<>(Arrays.asList((Object[]) array.getArray()));
  }

  @Test
  void duckDbReadsTheParquetThatIsWrittenHere() throws Exception {
    Path file = folder.resolve("ours.parquet");
    List<Object[]> rows = Tables.rows(250);
    Tables.write(TableFormats.named("parquet"), file, Tables.SCHEMA, rows, 64);
    try (Connection db = duckDb();
        Statement query = db.createStatement();
        ResultSet found = query.executeQuery("select * from '" + file + "' order by id")) {
      for (Object[] row : rows) {
        assertTrue(found.next());
        assertEquals(row[0], found.getObject(1));
        assertEquals(row[1], found.getObject(2));
        assertEquals(row[2], found.getObject(3));
        assertEquals(row[3], found.getObject(4));
        assertEquals(row[4], found.getObject(5));
        assertEquals(row[5], list(found.getArray(6)));
        assertEquals(row[6], list(found.getArray(7)));
        List<Object> vector = null;
        if (row[7] != null) {
          vector = new ArrayList<>();
          for (float each : (float[]) row[7]) {
            vector.add(each);
          }
        }
        assertEquals(vector, list(found.getArray(8)));
      }
      assertFalse(found.next());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compression snappy",
        "compression zstd",
        "compression gzip",
        "compression lz4_raw",
        "compression uncompressed",
        "compression snappy, parquet_version v2",
        "compression zstd, row_group_size 2048"
      })
  void theParquetThatDuckDbWritesIsReadHere(String options) throws Exception {
    Path file = folder.resolve("theirs.parquet");
    try (Connection db = duckDb();
        Statement query = db.createStatement()) {
      query.execute(
          "copy (select i as id, case when i % 7 = 3 then null else 'wörd ' || (i % 11) end as word,"
              + " i / 7.0::double as score, (i % 100)::integer as small, (i % 2 = 0) as good,"
              + " [x::double / 2 for x in range(i % 4)] as scores, date '2020-01-01' as day"
              + " from range(5000) t(i)) to '"
              + file
              + "' (format parquet, "
              + options
              + ")");
    }
    TableFormat parquet = TableFormats.named("parquet");
    List<Object[]> rows =
        Tables.read(parquet, file, List.of("id", "word", "score", "small", "good", "scores"));
    List<Object[]> expected = new ArrayList<>();
    for (int i = 0; i < 5000; i++) {
      List<Object> scores = new ArrayList<>();
      for (int k = 0; k < i % 4; k++) {
        scores.add(k / 2.0);
      }
      expected.add(
          new Object[] {
            (long) i,
            i % 7 == 3 ? null : "wörd " + i % 11,
            i / 7.0,
            (long) (i % 100),
            i % 2 == 0,
            scores,
            null
          });
    }
    Tables.assertSame(expected, rows);
    Exception day =
        assertThrows(
            IllegalArgumentException.class, () -> Tables.read(parquet, file, List.of("day")));
    assertTrue(day.getMessage().contains("'day' is of a type that is not read"), day.getMessage());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void arrowReadsTheFilesThatAreWrittenHere(boolean asStream) throws Exception {
    Path file = folder.resolve("ours.arrow");
    List<Object[]> rows = Tables.rows(250);
    Tables.write(TableFormats.named("arrow"), file, Tables.SCHEMA, rows, 64);
    try (RootAllocator allocator = new RootAllocator();
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (asStream) {
        channel.position(8);
      }
      try (var reader =
          asStream
              ? new ArrowStreamReader(channel, allocator)
              : new ArrowFileReader(channel, allocator)) {
        int row = 0;
        while (reader.loadNextBatch()) {
          VectorSchemaRoot root = reader.getVectorSchemaRoot();
          for (int i = 0; i < root.getRowCount(); i++) {
            check(rows.get(row++), root.getFieldVectors(), i);
          }
        }
        assertEquals(rows.size(), row);
        assertEquals(
            new ArrowType.FixedSizeList(3),
            reader.getVectorSchemaRoot().getSchema().findField("vector").getType());
      }
    }
  }

  private static void check(Object[] expected, List<FieldVector> columns, int row) {
    for (int k = 0; k < expected.length; k++) {
      Object value = columns.get(k).getObject(row);
      Object theirs = expected[k];
      if (theirs instanceof float[] numbers) {
        List<Object> list = new ArrayList<>();
        for (float each : numbers) {
          list.add(each);
        }
        theirs = list;
      }
      assertEquals(String.valueOf(theirs), String.valueOf(unwrapped(value)));
    }
  }

  private static Object unwrapped(Object value) {
    if (value instanceof List<?> list) {
      List<Object> values = new ArrayList<>();
      list.forEach(each -> values.add(unwrapped(each)));
      return values;
    }
    return value instanceof Text text ? text.toString() : value;
  }

  @Test
  void theFilesThatArrowWritesAreReadHere() throws IOException {
    Path file = folder.resolve("theirs.arrow");
    Schema schema =
        new Schema(
            List.of(
                new Field("id", FieldType.nullable(new ArrowType.Int(64, true)), null),
                new Field("word", FieldType.nullable(new ArrowType.Utf8()), null)));
    try (RootAllocator allocator = new RootAllocator();
        VectorSchemaRoot root = VectorSchemaRoot.create(schema, allocator);
        FileChannel channel =
            FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        ArrowFileWriter writer = new ArrowFileWriter(root, null, channel)) {
      writer.start();
      for (int batch = 0; batch < 3; batch++) {
        BigIntVector ids = (BigIntVector) root.getVector("id");
        VarCharVector words = (VarCharVector) root.getVector("word");
        for (int i = 0; i < 10; i++) {
          ids.setSafe(i, batch * 10 + i);
          if (i == 4) {
            words.setNull(i);
          } else {
            words.setSafe(i, new Text("wörd" + i));
          }
        }
        root.setRowCount(10);
        writer.writeBatch();
      }
      writer.end();
    }
    List<Object[]> expected = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      expected.add(new Object[] {(long) i, i % 10 == 4 ? null : "wörd" + i % 10});
    }
    Tables.assertSame(expected, Tables.read(TableFormats.named("arrow"), file, null));
  }
}

package io.gatun.columnar;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.gatun.batch.InputRecord;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.ReadOptions;
import io.gatun.table.Row;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.Storage;
import io.gatun.table.TableFormat;
import io.gatun.table.TableReader;
import io.gatun.table.TableSource;
import io.gatun.table.TableWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Tables for tests: one with every type of column, and how to write and read. */
final class Tables {
  static final Schema SCHEMA =
      Schema.of(
          new Column("id", ColumnType.INTEGER),
          new Column("word", ColumnType.TEXT),
          new Column("score", ColumnType.DOUBLE),
          new Column("single", ColumnType.FLOAT),
          new Column("good", ColumnType.BOOLEAN),
          new Column("answers", ColumnType.listOf(ColumnType.TEXT)),
          new Column("scores", ColumnType.listOf(ColumnType.DOUBLE)),
          new Column("vector", ColumnType.vector(3)));

  private Tables() {}

  /** Rows with nulls, empty lists, nulls within lists and what Unicode has. */
  static List<Object[]> rows(int count) {
    List<Object[]> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      List<Object> answers = new ArrayList<>();
      List<Object> scores = new ArrayList<>();
      for (int k = 0; k < i % 4; k++) {
        answers.add(i % 5 == 0 && k == 1 ? null : "a" + i + "-" + k);
        scores.add(-0.5 * k - i);
      }
      rows.add(
          new Object[] {
            (long) i,
            i % 7 == 3 ? null : i % 7 == 4 ? "" : "wörd 😀 " + i % 11,
            i % 3 == 0 ? null : i / 7.0,
            i % 4 == 1 ? null : (Object) (i / 3f),
            i % 5 == 2 ? null : (Object) (i % 2 == 0),
            i % 6 == 5 ? null : answers,
            i % 6 == 4 ? null : scores,
            i % 9 == 8 ? null : new float[] {i, -i, i / 2f}
          });
    }
    return rows;
  }

  /** Writes a table in chunks; after each chunk another writer goes on. */
  static void write(TableFormat format, Path file, Schema schema, List<Object[]> rows, int chunk)
      throws IOException {
    List<String> chunks = new ArrayList<>();
    long length = 0;
    int from = 0;
    boolean finished = false;
    while (!finished) {
      try (Sink sink = Sink.to(file.toString(), Storage.system().write(file, length), length)) {
        TableWriter writer = format.writer(sink, schema, chunks);
        int to = Math.min(rows.size(), from + chunk);
        for (Object[] row : rows.subList(from, to)) {
          writer.write(row);
        }
        chunks.add(writer.endChunk());
        from = to;
        if (from == rows.size()) {
          writer.finish();
          finished = true;
        }
        sink.flush();
        length = sink.position();
      }
    }
  }

  static List<Object[]> read(TableFormat format, Path file, List<String> columns)
      throws IOException {
    try (TableReader reader =
        format.reader(TableSource.of(file, Storage.system(), null), ReadOptions.USUAL)) {
      if (columns != null) {
        reader.select(columns);
      }
      List<Object[]> rows = new ArrayList<>();
      for (InputRecord<Row> record = reader.next(() -> {});
          record != null;
          record = reader.next(() -> {})) {
        assertNull(record.problem());
        assertEquals(rows.size() + 1, record.number());
        rows.add(record.value().values());
      }
      return rows;
    }
  }

  static void assertSame(List<Object[]> expected, List<Object[]> rows) {
    assertEquals(expected.size(), rows.size());
    for (int i = 0; i < rows.size(); i++) {
      int row = i;
      assertEquals(expected.get(i).length, rows.get(i).length);
      for (int k = 0; k < rows.get(i).length; k++) {
        int column = k;
        Object value = rows.get(i)[k];
        if (value instanceof float[] numbers) {
          assertArrayEquals(
              (float[]) expected.get(i)[k], numbers, () -> "row " + row + " column " + column);
        } else {
          assertEquals(expected.get(i)[k], value, () -> "row " + row + " column " + column);
        }
      }
    }
  }
}

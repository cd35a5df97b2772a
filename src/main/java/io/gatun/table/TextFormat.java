package io.gatun.table;

import io.gatun.batch.BadRecordException;
import io.gatun.batch.InputRecord;
import io.gatun.batch.LineReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;

/**
 * Lines of text in UTF-8: a table of one column, {@code text}. A value with a line feed is several
 * lines when written; null is none.
 */
final class TextFormat implements TableFormat {
  static final Schema SCHEMA = Schema.of(new Column("text", ColumnType.TEXT));

  @Override
  public String name() {
    return "text";
  }

  @Override
  public List<String> suffixes() {
    return List.of(".txt", ".text");
  }

  @Override
  public boolean streams() {
    return true;
  }

  @Override
  public boolean chunked() {
    return false;
  }

  @Override
  public TableReader reader(TableSource source, ReadOptions options) throws IOException {
    InputStream in = source.stream();
    LineReader lines = new LineReader(source.name(), in, source.size(), options.maxRecordBytes());
    return new TableReader() {
      @Override
      public Schema schema() {
        return SCHEMA;
      }

      @Override
      public InputRecord<Row> next(Runnable waiting) throws IOException {
        InputRecord<String> line = lines.next(waiting);
        if (line == null) {
          return null;
        }
        return line.problem() != null
            ? InputRecord.bad(line.number(), line.problem(), line.endOffset())
            : InputRecord.of(line.number(), new Row(new Object[] {line.value()}), line.endOffset());
      }

      @Override
      public OptionalLong size() {
        return lines.size();
      }

      @Override
      public String unit() {
        return "line";
      }

      @Override
      public void close() throws IOException {
        in.close();
      }
    };
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) {
    if (schema.columns().size() != 1 || !schema.columns().get(0).type().is(ColumnType.Kind.TEXT)) {
      throw new IllegalArgumentException(
          "text has one column, and "
              + schema.names()
              + " are to be written to "
              + sink.name()
              + ": csv, tsv or jsonl have room for more");
    }
    return new TableWriter() {
      @Override
      public void write(Object[] values) throws IOException {
        if (values[0] == null) {
          return;
        }
        if (!(values[0] instanceof String text)) {
          throw new BadRecordException(values[0].getClass().getSimpleName() + " is no text");
        }
        sink.write(text.getBytes(StandardCharsets.UTF_8));
        sink.write('\n');
      }

      @Override
      public String endChunk() throws IOException {
        sink.flush();
        return "";
      }

      @Override
      public void finish() {}
    };
  }
}

package io.gatun.table;

import io.gatun.batch.BadRecordException;
import io.gatun.batch.InputRecord;
import io.gatun.batch.LineReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * CSV as RFC 4180 has it, with the first record as header, and TSV as IANA registered it: no
 * quotes, so no tab and no line break within a value. All columns are text. Lists and vectors are
 * written as JSON; null is an empty value, and in CSV an empty text is {@code ""}. Records are read
 * with and without a carriage return at the end and written without.
 */
final class SeparatedFormat implements TableFormat {
  /** Comma-separated values. */
  static final SeparatedFormat CSV = new SeparatedFormat("csv", ',', true);

  /** Tab-separated values. */
  static final SeparatedFormat TSV = new SeparatedFormat("tsv", '\t', false);

  private final String name;
  private final char separator;
  private final boolean quoted;

  private SeparatedFormat(String name, char separator, boolean quoted) {
    this.name = name;
    this.separator = separator;
    this.quoted = quoted;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public List<String> suffixes() {
    return quoted ? List.of(".csv") : List.of(".tsv", ".tab");
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
    try {
      return new Reader(source, in, options);
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) throws IOException {
    Writer writer = new Writer(sink);
    if (chunks.isEmpty()) {
      try {
        writer.write(schema.columns().stream().map(Column::name).toArray());
      } catch (BadRecordException e) {
        throw new IllegalArgumentException("the header: " + e.getMessage(), e);
      }
    }
    return writer;
  }

  /** What a record is that is none. */
  private static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message, null, false, false);
    }
  }

  /**
   * Puts lines together to records. A quote that is never closed spoils the line it is in and no
   * other: what was read in search of its end is read again.
   */
  private final class Reader implements TableReader {
    private final InputStream in;
    private final LineReader lines;
    private final int maxRecordBytes;
    private final Schema schema;
    private final ArrayDeque<InputRecord<String>> again = new ArrayDeque<>();

    /** The lines of the last record behind its first one. */
    private final List<InputRecord<String>> more = new ArrayList<>();

    private long number;
    private long endOffset;

    Reader(TableSource source, InputStream in, ReadOptions options) throws IOException {
      this.in = in;
      maxRecordBytes = options.maxRecordBytes();
      lines = new LineReader(source.name(), in, source.size(), maxRecordBytes, true);
      InputRecord<String> first = line(() -> {});
      if (first == null) {
        schema = new Schema(List.of());
        return;
      }
      List<String> values;
      try {
        if (first.problem() != null) {
          throw new Malformed(first.problem());
        }
        values = values(first);
      } catch (Malformed e) {
        throw new IOException(
            source.name()
                + ": the first record is no header: "
                + e.getMessage()
                + "; expected the names of the columns",
            e);
      }
      IntFunction<String> names = options.header() ? values::get : i -> "column" + (i + 1);
      try {
        schema =
            new Schema(
                IntStream.range(0, values.size())
                    .mapToObj(i -> new Column(names.apply(i), ColumnType.TEXT))
                    .toList());
      } catch (IllegalArgumentException e) {
        throw new IOException(source.name() + ": " + e.getMessage(), e);
      }
      if (!options.header()) { // it only told how many columns there are
        again.add(first);
        again.addAll(more);
      }
    }

    @Override
    public Schema schema() {
      return schema;
    }

    @Override
    public OptionalLong size() {
      return lines.size();
    }

    @Override
    public InputRecord<Row> next(Runnable waiting) throws IOException {
      InputRecord<String> line = line(waiting);
      if (line == null) {
        return null;
      }
      number++;
      long from = line.number();
      try {
        if (line.problem() != null) {
          throw new Malformed(line.problem());
        }
        List<String> values = values(line);
        if (values.size() != schema.columns().size()) {
          throw new Malformed(
              values.size()
                  + (values.size() == 1 ? " column" : " columns")
                  + ", expected "
                  + schema.columns().size()
                  + " ("
                  + schema.names()
                  + ")");
        }
        return InputRecord.of(number, new Row(values.toArray()), endOffset);
      } catch (Malformed e) {
        return InputRecord.bad(number, "line " + from + ": " + e.getMessage(), endOffset);
      }
    }

    private InputRecord<String> line(Runnable waiting) throws IOException {
      InputRecord<String> line = again.isEmpty() ? lines.next(waiting) : again.removeFirst();
      if (line != null) {
        endOffset = Math.max(endOffset, line.endOffset());
      }
      return line;
    }

    private List<String> values(InputRecord<String> line) throws Malformed, IOException {
      more.clear();
      String text = withoutCarriageReturn(line.value());
      if (!quoted || text.indexOf('"') < 0) {
        return split(text);
      }
      List<String> values = new ArrayList<>();
      StringBuilder value = new StringBuilder();
      text = line.value();
      long length = text.length();
      int at = 0;
      while (true) {
        if (at < text.length() && text.charAt(at) == '"') {
          at++;
          while (true) {
            int quote = text.indexOf('"', at);
            if (quote >= 0) {
              value.append(text, at, quote);
              at = quote + 1;
              if (at < text.length() && text.charAt(at) == '"') {
                value.append('"');
                at++;
                continue;
              }
              break;
            }
            value.append(text, at, text.length()).append('\n');
            InputRecord<String> next = line(() -> {});
            if (next != null) {
              more.add(next);
            }
            length += next == null || next.problem() != null ? 0 : next.value().length();
            if (next == null || next.problem() != null || length > maxRecordBytes) {
              throw giveBack(
                  next == null
                      ? "a quote is opened and never closed"
                      : next.problem() != null
                          ? "a quote is opened, and its end is not in sight: line "
                              + next.number()
                              + ": "
                              + next.problem()
                          : "a quote is opened and not closed within " + maxRecordBytes + " bytes");
            }
            text = next.value();
            at = 0;
          }
        } else {
          int end = text.indexOf(separator, at);
          end = end < 0 ? text.length() : end;
          String plain = text.substring(at, end);
          plain = end == text.length() ? withoutCarriageReturn(plain) : plain;
          if (plain.indexOf('"') >= 0) {
            throw giveBack("a quote within a value that does not begin with one");
          }
          value.append(plain);
          at = end;
        }
        values.add(value.toString());
        value.setLength(0);
        String rest = text.substring(at);
        if (rest.isEmpty() || rest.equals("\r")) {
          return values;
        }
        if (rest.charAt(0) != separator) {
          throw giveBack("'" + rest.charAt(0) + "' behind a closing quote");
        }
        at++;
      }
    }

    private Malformed giveBack(String problem) {
      for (int i = more.size() - 1; i >= 0; i--) {
        again.addFirst(more.get(i));
      }
      return new Malformed(problem);
    }

    private List<String> split(String text) {
      List<String> values = new ArrayList<>();
      int from = 0;
      for (int at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
        values.add(text.substring(from, at));
        from = at + 1;
      }
      values.add(text.substring(from));
      return values;
    }

    private static String withoutCarriageReturn(String text) {
      return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  private final class Writer implements TableWriter {
    private final Sink sink;

    Writer(Sink sink) {
      this.sink = sink;
    }

    @Override
    public void write(Object[] values) throws IOException {
      StringBuilder record = new StringBuilder();
      for (int i = 0; i < values.length; i++) {
        if (i > 0) {
          record.append(separator);
        }
        append(record, values[i]);
      }
      sink.write(record.append('\n').toString().getBytes(StandardCharsets.UTF_8));
    }

    private void append(StringBuilder record, Object value) {
      if (value == null) {
        return;
      }
      boolean nested = value instanceof float[] || value instanceof List<?>;
      String text = nested ? JsonLinesFormat.json(value) : value.toString();
      boolean special =
          text.indexOf(separator) >= 0 || text.indexOf('\n') >= 0 || text.indexOf('\r') >= 0;
      if (!quoted) {
        if (special) {
          throw new BadRecordException(
              "a value has a tab or a line break, which tsv cannot express; csv and jsonl can");
        }
        record.append(text);
      } else if (special || text.isEmpty() || text.indexOf('"') >= 0) {
        record.append('"').append(text.replace("\"", "\"\"")).append('"');
      } else {
        record.append(text);
      }
    }

    @Override
    public String endChunk() throws IOException {
      sink.flush();
      return "";
    }

    @Override
    public void finish() {}
  }
}

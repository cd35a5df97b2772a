package io.gatun.table;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import io.gatun.batch.InputRecord;
import io.gatun.batch.LineReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * An object of JSON on each line. The first line says which columns there are and of what type;
 * members that it lacks are not read later, members that a later line lacks are null. A member that
 * is itself an object is a text, its JSON.
 */
final class JsonLinesFormat implements TableFormat {
  /** How the parser names a place that is not where it stands. */
  private static final Pattern SOURCE =
      Pattern.compile("\\[Source: .*?; line: \\d+, column: (\\d+)\\]");

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .disable(StreamWriteFeature.AUTO_CLOSE_CONTENT)
          .build();

  @Override
  public String name() {
    return "jsonl";
  }

  @Override
  public List<String> suffixes() {
    return List.of(".jsonl", ".ndjson");
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
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) {
    return new TableWriter() {
      @Override
      public void write(Object[] values) throws IOException {
        StringWriter line = new StringWriter();
        try (JsonGenerator json = FACTORY.createGenerator(line)) {
          json.writeStartObject();
          for (int i = 0; i < values.length; i++) {
            json.writeFieldName(schema.columns().get(i).name());
            writeValue(json, values[i]);
          }
          json.writeEndObject();
        }
        sink.write(line.append('\n').toString().getBytes(StandardCharsets.UTF_8));
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

  /** Returns a value as JSON. */
  static String json(Object value) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = FACTORY.createGenerator(text)) {
      writeValue(json, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a string takes everything
    }
    return text.toString();
  }

  private static void writeValue(JsonGenerator json, Object value) throws IOException {
    switch (value) {
      case null -> json.writeNull();
      case String text -> json.writeString(text);
      case Long number -> json.writeNumber(number);
      case Double number -> json.writeNumber(number);
      case Float number -> json.writeNumber(number);
      case Boolean truth -> json.writeBoolean(truth);
      case float[] numbers -> {
        json.writeStartArray();
        for (float each : numbers) {
          json.writeNumber(each);
        }
        json.writeEndArray();
      }
      case List<?> list -> {
        json.writeStartArray();
        for (Object each : list) {
          writeValue(json, each);
        }
        json.writeEndArray();
      }
      default -> throw new IllegalArgumentException(value.getClass() + " is no value of a column");
    }
  }

  /** What a line is that is not as expected. */
  private static final class Unexpected extends Exception {
    private static final long serialVersionUID = 1L;

    Unexpected(String message) {
      super(message, null, false, false);
    }
  }

  private static final class Reader implements TableReader {
    private final InputStream in;
    private final LineReader lines;
    private final Schema schema;
    private InputRecord<String> first;
    private final Set<String> wanted = new HashSet<>();

    Reader(TableSource source, InputStream in, ReadOptions options) throws IOException {
      this.in = in;
      lines = new LineReader(source.name(), in, source.size(), options.maxRecordBytes());
      first = lines.next(() -> {});
      if (first == null) {
        schema = new Schema(List.of());
        return;
      }
      try {
        if (first.problem() != null) {
          throw new Unexpected(first.problem());
        }
        schema = schema(first.value());
      } catch (Unexpected | JsonProcessingException e) {
        throw new IOException(
            source.name() + ": the first line does not tell the columns: " + message(e), e);
      }
      schema.columns().forEach(column -> wanted.add(column.name()));
    }

    @Override
    public void select(Collection<String> names) {
      wanted.retainAll(names);
    }

    private static Schema schema(String line) throws IOException, Unexpected {
      List<Column> columns = new ArrayList<>();
      try (JsonParser json = FACTORY.createParser(line)) {
        begin(json);
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          json.nextToken();
          columns.add(new Column(name, type(json)));
        }
        end(json);
      }
      return new Schema(columns);
    }

    private static void begin(JsonParser json) throws IOException, Unexpected {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw new Unexpected("expected an object of JSON, { … }");
      }
    }

    private static void end(JsonParser json) throws IOException, Unexpected {
      if (json.nextToken() != null) {
        throw new Unexpected("something stands behind the object");
      }
    }

    private static ColumnType type(JsonParser json) throws IOException {
      return switch (json.currentToken()) {
        case VALUE_NUMBER_INT -> ColumnType.INTEGER;
        case VALUE_NUMBER_FLOAT -> ColumnType.DOUBLE;
        case VALUE_TRUE, VALUE_FALSE -> ColumnType.BOOLEAN;
        case START_ARRAY -> {
          ColumnType element = null;
          while (json.nextToken() != JsonToken.END_ARRAY) {
            ColumnType each = type(json);
            boolean mixed = element != null && !element.equals(each);
            boolean numbers = isNumber(element) && isNumber(each);
            element = mixed ? (numbers ? ColumnType.DOUBLE : ColumnType.TEXT) : each;
          }
          yield ColumnType.listOf(element == null ? ColumnType.TEXT : element);
        }
        case START_OBJECT -> {
          json.skipChildren();
          yield ColumnType.TEXT;
        }
        default -> ColumnType.TEXT;
      };
    }

    private static boolean isNumber(ColumnType type) {
      return ColumnType.INTEGER.equals(type) || ColumnType.DOUBLE.equals(type);
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
    public String unit() {
      return "line";
    }

    @Override
    public InputRecord<Row> next(Runnable waiting) throws IOException {
      InputRecord<String> line = first != null ? first : lines.next(waiting);
      first = null;
      if (line == null) {
        return null;
      }
      if (line.problem() != null) {
        return InputRecord.bad(line.number(), line.problem(), line.endOffset());
      }
      try {
        return InputRecord.of(line.number(), row(line.value()), line.endOffset());
      } catch (Unexpected | JsonProcessingException e) {
        return InputRecord.bad(line.number(), message(e), line.endOffset());
      }
    }

    private Row row(String line) throws IOException, Unexpected {
      Object[] values = new Object[schema.columns().size()];
      try (JsonParser json = FACTORY.createParser(line)) {
        begin(json);
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          json.nextToken();
          int column = wanted.contains(name) ? schema.indexOf(name) : -1;
          if (column < 0) {
            json.skipChildren();
          } else {
            values[column] = value(json, schema.columns().get(column));
          }
        }
        end(json);
      }
      return new Row(values);
    }

    private static Object value(JsonParser json, Column column) throws IOException, Unexpected {
      Object value = value(json, column.type());
      if (value == null && json.currentToken() != JsonToken.VALUE_NULL) {
        throw new Unexpected(
            "'"
                + column.name()
                + "' is not of the type "
                + column.type()
                + " as on the first line");
      }
      return value;
    }

    /** The value, or null where it is not of this type. */
    private static Object value(JsonParser json, ColumnType type) throws IOException {
      JsonToken token = json.currentToken();
      return switch (type.kind()) {
        case INTEGER -> {
          boolean fits =
              token == JsonToken.VALUE_NUMBER_INT
                  && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
          yield fits ? (Object) json.getLongValue() : null;
        }
        case DOUBLE -> token.isNumeric() ? (Object) json.getDoubleValue() : null;
        case BOOLEAN -> token.isBoolean() ? (Object) json.getBooleanValue() : null;
        case LIST -> token == JsonToken.START_ARRAY ? list(json, type.element()) : null;
        default -> {
          if (token == JsonToken.START_OBJECT) {
            StringWriter text = new StringWriter();
            try (JsonGenerator copy = FACTORY.createGenerator(text)) {
              copy.copyCurrentStructure(json);
            }
            yield text.toString();
          }
          yield token == JsonToken.VALUE_STRING ? json.getText() : null;
        }
      };
    }

    private static List<Object> list(JsonParser json, ColumnType element) throws IOException {
      List<Object> values = new ArrayList<>();
      boolean right = true;
      while (json.nextToken() != JsonToken.END_ARRAY) {
        Object value = value(json, element);
        if (value == null) {
          right &= json.currentToken() == JsonToken.VALUE_NULL;
          json.skipChildren();
        }
        values.add(value);
      }
      return right ? values : null;
    }

    /** What the parser says, with the places in it as columns: a record is one line. */
    private static String message(Exception e) {
      return e instanceof JsonProcessingException json
          ? "no JSON: "
              + SOURCE.matcher(json.getOriginalMessage()).replaceAll("column $1")
              + " (column "
              + json.getLocation().getColumnNr()
              + ")"
          : e.getMessage();
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}

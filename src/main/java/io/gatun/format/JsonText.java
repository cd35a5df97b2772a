package io.gatun.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * Writes JSON: maps, collections, strings, numbers, truth values, null, and {@link Json} that was
 * read. Stateless and thread-safe.
 */
public final class JsonText {
  private static final JsonFactory FACTORY = new JsonFactory();

  private JsonText() {}

  /**
   * A value as text: objects over several lines, lists on one.
   *
   * @throws IllegalArgumentException if it is something else than the above
   */
  public static String of(Object value) {
    StringWriter text = new StringWriter();
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter()
            .withObjectIndenter(new DefaultIndenter("  ", "\n"))
            .withSeparators(
                Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER));
    try (JsonGenerator out = FACTORY.createGenerator(text)) {
      out.setPrettyPrinter(printer);
      write(out, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.append('\n').toString();
  }

  private static void write(JsonGenerator out, Object value) throws IOException {
    if (value instanceof Map<?, ?> members) {
      out.writeStartObject();
      for (Map.Entry<?, ?> member : members.entrySet()) {
        out.writeFieldName(member.getKey().toString());
        write(out, member.getValue());
      }
      out.writeEndObject();
    } else if (value instanceof Iterable<?> items) {
      out.writeStartArray();
      for (Object item : items) {
        write(out, item);
      }
      out.writeEndArray();
    } else if (value instanceof Json json) {
      write(out, json);
    } else if (value instanceof String string) {
      out.writeString(string);
    } else if (value instanceof Boolean truth) {
      out.writeBoolean(truth);
    } else if (value instanceof Integer || value instanceof Long) {
      out.writeNumber(((Number) value).longValue());
    } else if (value instanceof Number number && Double.isFinite(number.doubleValue())) {
      out.writeNumber(value instanceof Float f ? f.floatValue() : number.doubleValue());
    } else if (value == null) {
      out.writeNull();
    } else {
      throw new IllegalArgumentException(value + " has no form in JSON");
    }
  }

  private static void write(JsonGenerator out, Json json) throws IOException {
    switch (json.kind()) {
      case OBJECT -> write(out, (Object) json.members());
      case ARRAY -> write(out, (Object) json.items());
      case STRING -> out.writeString(json.string());
      case BOOLEAN -> out.writeBoolean(json.bool());
      case NULL -> out.writeNull();
      case NUMBER -> {
        if (json.isWhole()) {
          out.writeNumber(json.integer(Long.MIN_VALUE, Long.MAX_VALUE));
        } else {
          out.writeNumber(json.number());
        }
      }
    }
  }
}

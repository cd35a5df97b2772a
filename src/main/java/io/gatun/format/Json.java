package io.gatun.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.gatun.graph.Names;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A value of a JSON text (RFC 8259) that knows where it stands, so that what is wrong with it can
 * be said in one line: {@code model.json: line 12: encoder.layers[1].hidden is "abc", expected an
 * integer}.
 *
 * <p>Strict and bounded: UTF-8 (a byte order mark is skipped), no key twice in an object, at most
 * {@value #MAX_DEPTH} levels, at most {@value #MAX_BYTES} bytes. Immutable and thread-safe; only
 * {@link Fields}, a reader of one object, belongs to one thread.
 */
public final class Json {
  /** The most levels of objects and arrays within each other. */
  public static final int MAX_DEPTH = 100;

  /** The longest text in bytes. Numbers belong into a file of tensors. */
  public static final int MAX_BYTES = 64 << 20;

  /** How much of a value an error message shows. */
  private static final int SHOWN = 60;

  /** The integers that a double holds exactly. */
  private static final double MAX_EXACT = 1L << 53;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxNumberLength(100)
                  .maxNameLength(1_000)
                  .maxStringLength(1 << 20)
                  .build())
          .build();

  /** The kinds of values. */
  public enum Kind {
    /** Names and values in braces. */
    OBJECT("an object"),
    /** Values in brackets. */
    ARRAY("a list"),
    /** Text in quotes. */
    STRING("a string"),
    /** A number. */
    NUMBER("a number"),
    /** True or false. */
    BOOLEAN("true or false"),
    /** The word null. */
    NULL("null");

    private final String label;

    Kind(String label) {
      this.label = label;
    }
  }

  private final String source;
  private final Json parent;

  /** Where the value is in its parent: a key or an index. */
  private final Object step;

  private final int line;
  private final Kind kind;

  /** The members (Map), items (List), text (String) or truth (Boolean). */
  private final Object content;

  private Json(String source, Json parent, Object step, int line, Kind kind, Object content) {
    this.source = source;
    this.parent = parent;
    this.step = step;
    this.line = line;
    this.kind = kind;
    this.content = content;
  }

  // ------------------------------------------------------------------------------- reading

  /**
   * Reads a file.
   *
   * @param file the file
   * @return its value
   * @throws IOException if the file does not exist or cannot be read
   * @throws ModelFormatException if it is no JSON text, or beyond the bounds of this class
   */
  public static Json read(Path file) throws IOException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_BYTES + 1);
    }
    if (bytes.length > MAX_BYTES) {
      throw ModelFormatException.in(file, "is longer than " + MAX_BYTES + " bytes");
    }
    int mark =
        bytes.length >= 3
                && bytes[0] == (byte) 0xef
                && bytes[1] == (byte) 0xbb
                && bytes[2] == (byte) 0xbf
            ? 3
            : 0;
    ByteBuffer text = ByteBuffer.wrap(bytes, mark, bytes.length - mark);
    try {
      return parse(file.toString(), StandardCharsets.UTF_8.newDecoder().decode(text).toString());
    } catch (CharacterCodingException e) {
      throw ModelFormatException.at(file, text.position(), "is no UTF-8 text here", e);
    }
  }

  /**
   * Reads a text.
   *
   * @param source what error messages call it
   * @param text the text
   * @return its value
   * @throws ModelFormatException if it is no JSON text, or beyond the bounds of this class
   */
  public static Json parse(String source, String text) {
    try (JsonParser parser = FACTORY.createParser(text)) {
      if (parser.nextToken() == null) {
        throw ModelFormatException.in(source, "is empty, expected JSON", null);
      }
      Json value = value(source, parser, null, null);
      if (parser.nextToken() != null) {
        throw ModelFormatException.atLine(
            source, line(parser), "the text goes on after its value", null);
      }
      return value;
    } catch (JsonProcessingException e) {
      long line = e.getLocation() == null ? 1 : Math.max(1, e.getLocation().getLineNr());
      throw ModelFormatException.atLine(source, line, firstSentence(e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Leaves away the advice about switches of the parser that the user cannot reach. */
  private static String firstSentence(String message) {
    return message.lines().findFirst().orElse("no JSON");
  }

  private static int line(JsonParser parser) {
    return parser.currentTokenLocation().getLineNr();
  }

  private static Json value(String source, JsonParser parser, Json parent, Object step)
      throws IOException {
    int line = line(parser);
    JsonToken token = parser.currentToken();
    return switch (token) {
      case START_OBJECT -> {
        Map<String, Json> members = new LinkedHashMap<>();
        Json object = new Json(source, parent, step, line, Kind.OBJECT, members);
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          parser.nextToken();
          members.put(key, value(source, parser, object, key));
        }
        yield object;
      }
      case START_ARRAY -> {
        List<Json> items = new ArrayList<>();
        Json array = new Json(source, parent, step, line, Kind.ARRAY, items);
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(value(source, parser, array, items.size()));
        }
        yield array;
      }
      case VALUE_STRING -> new Json(source, parent, step, line, Kind.STRING, parser.getText());
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT ->
          new Json(source, parent, step, line, Kind.NUMBER, parser.getText());
      case VALUE_TRUE -> new Json(source, parent, step, line, Kind.BOOLEAN, true);
      case VALUE_FALSE -> new Json(source, parent, step, line, Kind.BOOLEAN, false);
      case VALUE_NULL -> new Json(source, parent, step, line, Kind.NULL, "null");
      default ->
          throw ModelFormatException.atLine(source, line, "unexpected " + token + " in JSON", null);
    };
  }

  // ------------------------------------------------------------------------------- questions

  /** Returns what kind of value this is. */
  public Kind kind() {
    return kind;
  }

  /** Returns the line the value starts in, counted from 1. */
  public int line() {
    return line;
  }

  /** Returns what the text is called, usually its file. */
  public String source() {
    return source;
  }

  /**
   * Returns the way from the root, such as {@code encoder.layers[1].hidden}; empty for the root.
   */
  public String path() {
    if (parent == null) {
      return "";
    }
    String before = parent.path();
    if (step instanceof Integer index) {
      return before + "[" + index + "]";
    }
    return before.isEmpty() ? step.toString() : before + "." + step;
  }

  /**
   * Makes an exception about this value.
   *
   * @param problem what goes after the path, such as {@code "is 3, expected 4"}
   * @return the exception
   */
  public ModelFormatException error(String problem) {
    return error(problem, null);
  }

  /**
   * Makes an exception about this value, with a cause.
   *
   * @param problem what goes after the path
   * @param cause what was found first, or null
   * @return the exception
   */
  public ModelFormatException error(String problem, Throwable cause) {
    String path = path();
    return ModelFormatException.atLine(
        source, line, (path.isEmpty() ? "the model" : path) + " " + problem, cause);
  }

  private ModelFormatException expected(String what) {
    return error("is " + shown() + ", expected " + what);
  }

  /** Returns the text of a string; anything else is an error that names this value. */
  public String string() {
    if (kind != Kind.STRING) {
      throw expected("a string");
    }
    return (String) content;
  }

  /**
   * Returns an integer; {@code 3.0} is one too.
   *
   * @param least the least that is allowed
   * @param most the most that is allowed
   * @return the integer
   * @throws ModelFormatException if this is no integer, or out of range
   */
  public long integer(long least, long most) {
    if (kind != Kind.NUMBER) {
      throw expected("an integer");
    }
    long value;
    try {
      value = Long.parseLong((String) content);
    } catch (NumberFormatException e) {
      double number = Double.parseDouble((String) content);
      if (number != Math.rint(number) || Math.abs(number) > MAX_EXACT) {
        throw expected("an integer");
      }
      value = (long) number;
    }
    if (value < least || value > most) {
      throw expected(
          most == Long.MAX_VALUE || most == Integer.MAX_VALUE
              ? "an integer of at least " + least
              : "an integer from " + least + " to " + most);
    }
    return value;
  }

  /** Returns an integer from {@code least} to {@link Integer#MAX_VALUE}, as {@link #integer}. */
  public int integer(int least) {
    return (int) integer(least, Integer.MAX_VALUE);
  }

  /** Whether this is a number that is written as an integer is. */
  boolean isWhole() {
    return kind == Kind.NUMBER && ((String) content).matches("-?\\d+");
  }

  /** Returns a finite number; anything else is an error that names this value. */
  public double number() {
    if (kind != Kind.NUMBER) {
      throw expected("a number");
    }
    double value = Double.parseDouble((String) content);
    if (Double.isInfinite(value)) {
      throw expected("a number that a double can hold");
    }
    return value;
  }

  /** Returns a truth value; anything else is an error that names this value. */
  public boolean bool() {
    if (kind != Kind.BOOLEAN) {
      throw expected("true or false");
    }
    return (Boolean) content;
  }

  /** Returns the items of a list; anything else is an error that names this value. */
  @SuppressWarnings("unchecked")
  public List<Json> items() {
    if (kind != Kind.ARRAY) {
      throw expected("a list");
    }
    return Collections.unmodifiableList((List<Json>) content);
  }

  /** Returns the items of a list of strings; anything else is an error that names the value. */
  public List<String> strings() {
    return items().stream().map(Json::string).collect(Collectors.toUnmodifiableList());
  }

  /** Returns the members of an object in their order; anything else is an error. */
  @SuppressWarnings("unchecked")
  public Map<String, Json> members() {
    if (kind != Kind.OBJECT) {
      throw expected("an object");
    }
    return Collections.unmodifiableMap((Map<String, Json>) content);
  }

  /** Starts to read the members of an object by name; anything else is an error. */
  public Fields fields() {
    return new Fields(this);
  }

  /** Returns the one of an enumeration's names that this string is; the names are listed if not. */
  public String oneOf(String... names) {
    List<String> known = List.of(names);
    if (kind != Kind.STRING || !known.contains((String) content)) {
      throw error(
          "is "
              + shown()
              + ", expected one of "
              + String.join(", ", known)
              + (kind == Kind.STRING ? Names.didYouMean((String) content, known) : ""));
    }
    return (String) content;
  }

  /** Returns the one of some things whose label this string is; the labels are listed if none. */
  <T> T oneOf(T[] things, Function<T, String> label) {
    String name = oneOf(Arrays.stream(things).map(label).toArray(String[]::new));
    for (T thing : things) {
      if (label.apply(thing).equals(name)) {
        return thing;
      }
    }
    throw new AssertionError(name);
  }

  private String shown() {
    return switch (kind) {
      case STRING -> quoted((String) content);
      case OBJECT, ARRAY -> kind.label;
      default -> content.toString();
    };
  }

  /** Returns the value as error messages show it: its path and its content, shortened. */
  @Override
  public String toString() {
    return path() + " " + shown();
  }

  /** Puts a text in quotes for a message: one line, shortened, control characters escaped. */
  static String quoted(String text) {
    String shortened =
        text.codePointCount(0, text.length()) <= SHOWN
            ? text
            : text.substring(0, text.offsetByCodePoints(0, SHOWN)) + "…";
    return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(shortened)) + '"';
  }

  // ------------------------------------------------------------------------------- members

  /**
   * Reads the members of one object by name and remembers which were asked for, so that {@link
   * #done()} can find those that nobody reads, which are mistyped or meant for something else. A
   * member that is {@code null} counts as missing. For one thread.
   */
  public static final class Fields {
    private final Json object;
    private final Map<String, Json> members;
    private final Set<String> asked = new LinkedHashSet<>();

    private Fields(Json object) {
      this.object = object;
      this.members = object.members();
    }

    /** Returns the object. */
    public Json object() {
      return object;
    }

    /** Returns a member, if it is there. */
    public Optional<Json> find(String key) {
      asked.add(key);
      Json value = members.get(key);
      return value == null || value.kind == Kind.NULL ? Optional.empty() : Optional.of(value);
    }

    /** Returns whether a member is there. */
    public boolean has(String key) {
      return find(key).isPresent();
    }

    /** Returns whether a member is there and is {@code null}: left out on purpose. */
    public boolean isNull(String key) {
      asked.add(key);
      Json value = members.get(key);
      return value != null && value.kind == Kind.NULL;
    }

    /** Returns a member that must be there. */
    public Json require(String key) {
      return find(key)
          .orElseThrow(
              () -> {
                List<String> unknown =
                    members.keySet().stream().filter(other -> !asked.contains(other)).toList();
                return object.error("has no \"" + key + "\"" + Names.didYouMean(key, unknown));
              });
    }

    /** Returns a string that must be there. */
    public String string(String key) {
      return require(key).string();
    }

    /** Returns a string, or what stands for it where it is missing. */
    public String string(String key, String otherwise) {
      return find(key).map(Json::string).orElse(otherwise);
    }

    /** Returns an integer of at least {@code least}, or what stands for it. */
    public int integer(String key, int least, int otherwise) {
      return find(key).map(value -> value.integer(least)).orElse(otherwise);
    }

    /** Returns a number, or what stands for it where it is missing. */
    public double number(String key, double otherwise) {
      return find(key).map(Json::number).orElse(otherwise);
    }

    /** Returns a truth value, or what stands for it where it is missing. */
    public boolean bool(String key, boolean otherwise) {
      return find(key).map(Json::bool).orElse(otherwise);
    }

    /**
     * Refuses members that nobody asked for.
     *
     * @throws ModelFormatException naming the first of them and what may have been meant
     */
    public void done() {
      for (Map.Entry<String, Json> member : members.entrySet()) {
        if (!asked.contains(member.getKey())) {
          List<String> free = asked.stream().filter(known -> !members.containsKey(known)).toList();
          String suggestion = Names.didYouMean(member.getKey(), free);
          throw member
              .getValue()
              .error(
                  "is not known here"
                      + (suggestion.isEmpty()
                          ? "; known are " + String.join(", ", asked)
                          : suggestion));
        }
      }
    }
  }
}

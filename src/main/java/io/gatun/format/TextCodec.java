package io.gatun.format;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How text becomes token ids and ids become text again. Immutable and thread-safe.
 *
 * <p>Symbols with a job of their own (start, end, padding, unknown) never come out of text: a word
 * {@code </s>} in somebody's sentence is an unknown word, not the end of it.
 */
public final class TextCodec {
  /** How a text falls into tokens. */
  public enum Tokens {
    /** Every Unicode code point is one. */
    CHARACTERS("characters"),
    /** What stands between white space. */
    WORDS("words"),
    /** The longest symbol of the vocabulary that fits, from left to right. */
    LIST("list");

    private final String label;

    Tokens(String label) {
      this.label = label;
    }

    /** Returns the name used in a model file. */
    public String label() {
      return label;
    }
  }

  /** The longest symbol of a list: every length up to it is tried at every place of a text. */
  private static final int MAX_LISTED = 200;

  private final Vocabulary vocabulary;
  private final Tokens tokens;
  private final boolean lowercase;
  private final String separator;
  private final int start;
  private final int end;
  private final int pad;
  private final int unknown;
  private final Set<String> special = new HashSet<>();
  private final int longest;

  private TextCodec(Builder builder) {
    this.vocabulary = builder.vocabulary;
    this.tokens = builder.tokens;
    this.lowercase = builder.lowercase;
    this.separator =
        builder.separator == null ? (tokens == Tokens.WORDS ? " " : "") : builder.separator;
    this.start = special(builder.start, "start");
    this.end = special(builder.end, "end");
    this.pad = special(builder.pad, "pad");
    this.unknown = special(builder.unknown, "unknown");
    this.longest = tokens == Tokens.LIST ? vocabulary.longest(special) : 1;
    if (longest > MAX_LISTED) {
      throw new IllegalArgumentException(
          "a list has a symbol of " + longest + " characters, expected at most " + MAX_LISTED);
    }
  }

  private int special(String symbol, String job) {
    if (symbol == null) {
      return -1;
    }
    special.add(symbol);
    try {
      return vocabulary.id(symbol);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the " + job + " symbol: " + e.getMessage(), e);
    }
  }

  /**
   * Starts a codec that takes characters, changes nothing and has no special symbols.
   *
   * @param vocabulary the symbols
   * @return a builder
   */
  public static Builder builder(Vocabulary vocabulary) {
    return new Builder(vocabulary);
  }

  /**
   * Turns text into ids. The start symbol is put in front and the end symbol behind, where there
   * are such.
   *
   * @param text any text
   * @return ids, each within the vocabulary
   * @throws IllegalArgumentException if a token is not in the vocabulary and there is no unknown
   *     symbol; the message names the token and its place
   */
  public int[] encode(String text) {
    String prepared = lowercase ? text.toLowerCase(Locale.ROOT) : text;
    int[] ids = new int[prepared.length() + 2];
    int count = 0;
    if (start >= 0) {
      ids[count++] = start;
    }
    int at = 0;
    while (at < prepared.length()) {
      if (tokens == Tokens.WORDS && isSpace(prepared.codePointAt(at))) {
        at += Character.charCount(prepared.codePointAt(at));
        continue;
      }
      int to = tokenEnd(prepared, at);
      ids[count++] = id(prepared.substring(at, to), at);
      at = to;
    }
    if (end >= 0) {
      ids[count++] = end;
    }
    return Arrays.copyOf(ids, count);
  }

  private int tokenEnd(String text, int from) {
    int one = from + Character.charCount(text.codePointAt(from));
    return switch (tokens) {
      case CHARACTERS -> one;
      case WORDS -> {
        int to = one;
        while (to < text.length() && !isSpace(text.codePointAt(to))) {
          to += Character.charCount(text.codePointAt(to));
        }
        yield to;
      }
      case LIST -> {
        int best = one;
        int to = from;
        for (int length = 1; length <= longest && to < text.length(); length++) {
          to += Character.charCount(text.codePointAt(to));
          String candidate = text.substring(from, to);
          if (vocabulary.contains(candidate) && !special.contains(candidate)) {
            best = to;
          }
        }
        yield best;
      }
    };
  }

  /** Also the spaces that must not be broken at, and a byte order mark: nobody means them. */
  private static boolean isSpace(int codePoint) {
    return Character.isWhitespace(codePoint)
        || Character.isSpaceChar(codePoint)
        || codePoint == 0xfeff;
  }

  private int id(String token, int at) {
    int id = special.contains(token) ? unknown : vocabulary.id(token, unknown);
    if (id < 0) {
      throw new IllegalArgumentException(
          Json.quoted(token)
              + " at character "
              + (at + 1)
              + " is not among the "
              + vocabulary.size()
              + " symbols of the vocabulary, and it has none for unknown ones");
    }
    return id;
  }

  /**
   * Turns ids into text: their symbols with the separator between them. Start, end and padding are
   * left out; an unknown one is shown by its symbol.
   *
   * @param ids ids within the vocabulary
   * @return the text
   * @throws IndexOutOfBoundsException if an id is not within the vocabulary
   */
  public String decode(int... ids) {
    return Arrays.stream(ids)
        .filter(id -> id != start && id != end && id != pad)
        .mapToObj(vocabulary::symbol)
        .collect(Collectors.joining(separator));
  }

  /** Returns the symbols. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** Returns how a text falls into tokens. */
  public Tokens tokens() {
    return tokens;
  }

  /** Returns whether text is put into lower case first, by the rules of no particular language. */
  public boolean lowercase() {
    return lowercase;
  }

  /** Returns what is put between the symbols of a text. */
  public String separator() {
    return separator;
  }

  /** Returns the id of the symbol a sequence starts with. */
  public OptionalInt start() {
    return optional(start);
  }

  /** Returns the id of the symbol a sequence ends with. */
  public OptionalInt end() {
    return optional(end);
  }

  /** Returns the id of the symbol that fills a batch up. */
  public OptionalInt pad() {
    return optional(pad);
  }

  /** Returns the id of the symbol that stands for what is not in the vocabulary. */
  public OptionalInt unknown() {
    return optional(unknown);
  }

  private static OptionalInt optional(int id) {
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** Collects the options of a codec. For one thread. */
  public static final class Builder {
    private final Vocabulary vocabulary;
    private Tokens tokens = Tokens.CHARACTERS;
    private boolean lowercase;
    private String separator;
    private String start;
    private String end;
    private String pad;
    private String unknown;

    private Builder(Vocabulary vocabulary) {
      this.vocabulary = Objects.requireNonNull(vocabulary, "vocabulary");
    }

    /** Sets how a text falls into tokens. */
    public Builder tokens(Tokens kind) {
      this.tokens = Objects.requireNonNull(kind, "kind");
      return this;
    }

    /** Sets whether text is put into lower case first. */
    public Builder lowercase(boolean yes) {
      this.lowercase = yes;
      return this;
    }

    /** Sets what is put between symbols; a space for words and nothing otherwise if not set. */
    public Builder separator(String between) {
      this.separator = between;
      return this;
    }

    /** Sets the symbol that is put in front, or null. */
    public Builder start(String symbol) {
      this.start = symbol;
      return this;
    }

    /** Sets the symbol that is put behind, or null. */
    public Builder end(String symbol) {
      this.end = symbol;
      return this;
    }

    /** Sets the symbol that fills a batch up, or null. */
    public Builder pad(String symbol) {
      this.pad = symbol;
      return this;
    }

    /** Sets the symbol for what is not in the vocabulary, or null. */
    public Builder unknown(String symbol) {
      this.unknown = symbol;
      return this;
    }

    /**
     * Makes the codec.
     *
     * @return the codec
     * @throws IllegalArgumentException if a special symbol is not in the vocabulary, or a list has
     *     a symbol of more than 200 characters
     */
    public TextCodec build() {
      return new TextCodec(this);
    }
  }
}

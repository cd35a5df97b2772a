package io.gatun.format;

import io.gatun.graph.Names;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The symbols of a model and their numbers: symbol {@code i} of the list has the id {@code i}, the
 * row of the embedding table and the column of the output. Immutable and thread-safe.
 */
public final class Vocabulary {
  /** The longest file of symbols in bytes. */
  private static final int MAX_BYTES = 256 << 20;

  private final List<String> symbols;
  private final Map<String, Integer> ids;

  private Vocabulary(List<String> symbols, Map<String, Integer> ids) {
    this.symbols = symbols;
    this.ids = ids;
  }

  /**
   * Makes a vocabulary.
   *
   * @param symbols the symbols in the order of their ids
   * @return the vocabulary
   * @throws IllegalArgumentException if there are none, one is empty, or one comes twice
   */
  public static Vocabulary of(Collection<String> symbols) {
    if (symbols.isEmpty()) {
      throw new IllegalArgumentException("a vocabulary has no symbols");
    }
    Map<String, Integer> ids = new HashMap<>(symbols.size() * 2);
    for (String symbol : symbols) {
      if (symbol.isEmpty()) {
        throw new IllegalArgumentException("symbol " + ids.size() + " of a vocabulary is empty");
      }
      if (!StandardCharsets.UTF_8.newEncoder().canEncode(symbol)) {
        throw new IllegalArgumentException(
            "symbol " + ids.size() + " of a vocabulary has half a character (a lone surrogate)");
      }
      Integer before = ids.putIfAbsent(symbol, ids.size());
      if (before != null) {
        throw new IllegalArgumentException(
            "a vocabulary has "
                + Json.quoted(symbol)
                + " twice, as "
                + before
                + " and as "
                + ids.size());
      }
    }
    return new Vocabulary(List.copyOf(symbols), ids);
  }

  /**
   * Reads a vocabulary from a text file in UTF-8, one symbol on each line; a line's own spaces
   * belong to the symbol.
   *
   * @param file the file
   * @return the vocabulary
   * @throws IOException if the file does not exist or cannot be read
   * @throws ModelFormatException if a line is empty, a symbol comes twice, or it is no UTF-8
   */
  public static Vocabulary read(Path file) throws IOException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_BYTES + 1);
    }
    if (bytes.length > MAX_BYTES) {
      throw ModelFormatException.in(file, "is longer than " + MAX_BYTES + " bytes");
    }
    ByteBuffer text = ByteBuffer.wrap(bytes);
    try {
      String content = StandardCharsets.UTF_8.newDecoder().decode(text).toString();
      return of(content.lines().toList());
    } catch (CharacterCodingException e) {
      throw ModelFormatException.at(file, text.position(), "is no UTF-8 text here", e);
    } catch (IllegalArgumentException e) {
      throw ModelFormatException.in(file.toString(), e.getMessage(), e);
    }
  }

  /** Returns the number of symbols. */
  public int size() {
    return symbols.size();
  }

  /** Returns the symbols in the order of their ids; unmodifiable. */
  public List<String> symbols() {
    return symbols;
  }

  /** Returns whether there is such a symbol. */
  public boolean contains(String symbol) {
    return ids.containsKey(symbol);
  }

  /**
   * Returns the id of a symbol.
   *
   * @param symbol a symbol
   * @return its id
   * @throws IllegalArgumentException if there is no such symbol
   */
  public int id(String symbol) {
    Integer id = ids.get(symbol);
    if (id == null) {
      throw new IllegalArgumentException(
          Json.quoted(symbol)
              + " is not among the "
              + size()
              + " symbols of the vocabulary"
              + Names.didYouMean(symbol, symbols));
    }
    return id;
  }

  /**
   * Returns the id of a symbol, or another one where there is no such symbol.
   *
   * @param symbol a symbol
   * @param otherwise the id of an unknown symbol, or −1
   * @return an id
   */
  public int id(String symbol, int otherwise) {
    Integer id = ids.get(symbol);
    return id == null ? otherwise : id;
  }

  /**
   * Returns a symbol.
   *
   * @param id 0 to size − 1
   * @return the symbol
   * @throws IndexOutOfBoundsException if there is no such id
   */
  public String symbol(int id) {
    if (id < 0 || id >= symbols.size()) {
      throw new IndexOutOfBoundsException(
          "id " + id + " is not within the " + size() + " symbols of the vocabulary");
    }
    return symbols.get(id);
  }

  /** Returns the lengths, in code points, of the longest symbol that is not excluded. */
  int longest(Collection<String> excluded) {
    List<String> rest = new ArrayList<>(symbols);
    rest.removeAll(excluded);
    return rest.stream().mapToInt(s -> s.codePointCount(0, s.length())).max().orElse(1);
  }

  /** Two vocabularies are equal if they have the same symbols in the same order. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Vocabulary vocabulary && symbols.equals(vocabulary.symbols);
  }

  @Override
  public int hashCode() {
    return symbols.hashCode();
  }

  /** Returns the number of symbols and the first few. */
  @Override
  public String toString() {
    return size()
        + " symbols: "
        + String.join(" ", symbols.subList(0, Math.min(8, size())))
        + (size() > 8 ? " …" : "");
  }
}

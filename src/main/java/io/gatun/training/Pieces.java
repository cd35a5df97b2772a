package io.gatun.training;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Finds the pieces of words that texts are best made of: begins with characters and joins, again
 * and again, the two neighbours that stand together most often (byte pair encoding, Sennrich et al.
 * 2016). Pieces do not reach over the end of a word or from letters to other signs; a space belongs
 * to the word behind it. Stateless.
 */
final class Pieces {
  private static final Pattern WORDS =
      Pattern.compile(" ?[\\p{L}\\p{M}\\p{N}]+| ?[^\\s\\p{L}\\p{M}\\p{N}]|\\s");

  private Pieces() {}

  /** A kind of word, how often it comes, and the pieces it is made of so far. */
  private static final class Word {
    final int count;
    final List<String> pieces;

    Word(int count, List<String> pieces) {
      this.count = count;
      this.pieces = pieces;
    }
  }

  private record Pair(String first, String second) implements Comparable<Pair> {
    @Override
    public int compareTo(Pair other) {
      int order = first.compareTo(other.first);
      return order != 0 ? order : second.compareTo(other.second);
    }
  }

  /**
   * Finds pieces.
   *
   * @param texts what is learnt from
   * @param minimum rarer characters get no symbol, and rarer neighbours are not joined
   * @param most how many pieces are wanted; all characters that are frequent enough are among them
   * @return characters first, then what was joined, in that order
   */
  static List<String> of(List<String> texts, int minimum, int most) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    Map<String, Integer> characters = new LinkedHashMap<>();
    for (String text : texts) {
      Matcher words = WORDS.matcher(text);
      while (words.find()) {
        counts.merge(words.group(), 1, Integer::sum);
      }
      text.codePoints().forEach(c -> characters.merge(Character.toString(c), 1, Integer::sum));
    }
    characters.values().removeIf(count -> count < minimum);
    Set<String> pieces = new LinkedHashSet<>(characters.keySet().stream().sorted().toList());
    List<Word> words = new ArrayList<>();
    counts.forEach(
        (word, count) ->
            words.add(
                new Word(
                    count,
                    new ArrayList<>(word.codePoints().mapToObj(Character::toString).toList()))));
    Map<Pair, Integer> pairs = new HashMap<>();
    Map<Pair, Set<Word>> where = new HashMap<>();
    words.forEach(word -> count(word, 1, pairs, where));
    while (pieces.size() < most) {
      Pair best = null;
      int frequency = minimum - 1;
      for (Map.Entry<Pair, Integer> each : pairs.entrySet()) {
        int count = each.getValue();
        boolean more = count == frequency && best != null && each.getKey().compareTo(best) < 0;
        if (count > frequency || more) {
          best = each.getKey();
          frequency = count;
        }
      }
      if (best == null || frequency < 1) {
        break;
      }
      for (Word word : new ArrayList<>(where.get(best))) {
        count(word, -1, pairs, where);
        join(word.pieces, best);
        count(word, 1, pairs, where);
      }
      pieces.add(best.first() + best.second());
    }
    return List.copyOf(pieces);
  }

  /** Adds a word's neighbours to those that are known, or takes them away. */
  private static void count(
      Word word, int sign, Map<Pair, Integer> pairs, Map<Pair, Set<Word>> where) {
    for (int i = 0; i + 1 < word.pieces.size(); i++) {
      Pair pair = new Pair(word.pieces.get(i), word.pieces.get(i + 1));
      pairs.merge(pair, sign * word.count, Integer::sum);
      Set<Word> words = where.computeIfAbsent(pair, key -> new LinkedHashSet<>());
      if (sign > 0) {
        words.add(word);
      } else {
        words.remove(word);
      }
    }
  }

  private static void join(List<String> pieces, Pair pair) {
    for (int i = 0; i + 1 < pieces.size(); i++) {
      if (pieces.get(i).equals(pair.first()) && pieces.get(i + 1).equals(pair.second())) {
        pieces.set(i, pair.first() + pair.second());
        pieces.remove(i + 1);
      }
    }
  }
}

package io.gatun.format;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Finds what somebody may have meant. */
final class Suggestions {
  /** Longer names are not compared, so that a hostile file cannot make an error message slow. */
  private static final int MAX_LENGTH = 200;

  /** More candidates are not looked at, for the same reason. */
  private static final int MAX_CANDIDATES = 10_000;

  private static final int MAX_SUGGESTIONS = 3;

  private Suggestions() {}

  /**
   * Returns the end of a sentence about a name that does not exist.
   *
   * @param name the name that was asked for
   * @param candidates the names there are
   * @return such as {@code "; did you mean 'a' or 'b'?"}; empty where nothing is close
   */
  static String didYouMean(String name, Collection<String> candidates) {
    List<String> close = close(name, candidates);
    if (close.isEmpty()) {
      return "";
    }
    return "; did you mean '" + String.join("' or '", close) + "'?";
  }

  private static List<String> close(String name, Collection<String> candidates) {
    if (name.isEmpty() || name.length() > MAX_LENGTH) {
      return List.of();
    }
    String wanted = name.toLowerCase(Locale.ROOT);
    int allowed = Math.max(1, name.length() / 3);
    List<Map.Entry<Integer, String>> found = new ArrayList<>();
    int looked = 0;
    for (String candidate : candidates) {
      if (candidate.length() > MAX_LENGTH || ++looked > MAX_CANDIDATES) {
        continue;
      }
      String other = candidate.toLowerCase(Locale.ROOT);
      int distance = distance(wanted, other);
      if (distance > allowed && wanted.length() > 2 && other.contains(wanted)) {
        distance = allowed;
      }
      if (distance <= allowed) {
        found.add(Map.entry(distance, candidate));
      }
    }
    return found.stream()
        .sorted(Comparator.comparingInt(Map.Entry::getKey))
        .limit(MAX_SUGGESTIONS)
        .map(Map.Entry::getValue)
        .toList();
  }

  /** The Levenshtein distance: insertions, deletions and replacements from one to the other. */
  private static int distance(String a, String b) {
    int[] previous = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      previous[j] = j;
    }
    int[] current = new int[b.length() + 1];
    for (int i = 1; i <= a.length(); i++) {
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
      }
      int[] swap = previous;
      previous = current;
      current = swap;
    }
    return previous[b.length()];
  }
}

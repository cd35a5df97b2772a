package io.gatun.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Helps people who have mistyped a name. */
public final class Names {
  /** Longer names are not compared, so that a hostile file cannot make an error message slow. */
  private static final int MAX_LENGTH = 200;

  /** More candidates are not looked at, for the same reason. */
  private static final int MAX_CANDIDATES = 10_000;

  private static final int MAX_SUGGESTIONS = 3;
  private static final int MAX_LISTED = 20;

  private Names() {}

  /** What to say where people should see what there is: {@code did you mean a?}, or a list. */
  public static String suggest(String wrong, Collection<String> known) {
    List<String> close = close(wrong, known);
    if (!close.isEmpty()) {
      return "did you mean " + String.join(" or ", close) + "?";
    }
    List<String> some = new ArrayList<>(known.stream().limit(MAX_LISTED).toList());
    if (known.size() > some.size()) {
      some.add("…");
    }
    return some.isEmpty() ? "there are none" : "there are " + String.join(", ", some);
  }

  /**
   * The end of a sentence about a name that does not exist: {@code ; did you mean 'a' or 'b'?},
   * empty where nothing is close.
   */
  public static String didYouMean(String wrong, Collection<String> known) {
    List<String> close = close(wrong, known);
    return close.isEmpty() ? "" : "; did you mean '" + String.join("' or '", close) + "'?";
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

  /**
   * How many insertions, deletions, replacements and swaps of neighbours lie between two names
   * (optimal string alignment distance).
   */
  private static int distance(String a, String b) {
    int[][] rows = new int[3][b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      rows[0][j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int[] current = rows[i % 3];
      int[] before = rows[(i + 2) % 3];
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = before[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(replaced, 1 + Math.min(before[j], current[j - 1]));
        if (i > 1
            && j > 1
            && a.charAt(i - 1) == b.charAt(j - 2)
            && a.charAt(i - 2) == b.charAt(j - 1)) {
          current[j] = Math.min(current[j], rows[(i + 1) % 3][j - 2] + 1);
        }
      }
    }
    return rows[a.length() % 3][b.length()];
  }
}

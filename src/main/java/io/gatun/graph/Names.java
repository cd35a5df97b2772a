package io.gatun.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Helps people who have mistyped a name. */
public final class Names {
  private Names() {}

  /** {@code did you mean a, b?}, or {@code there are a, b, …}, for the end of a message. */
  public static String suggest(String wrong, Collection<String> known) {
    int near = Math.max(2, wrong.length() / 3);
    List<String> close =
        known.stream()
            .filter(name -> distance(name, wrong) <= near || name.contains(wrong))
            .sorted(Comparator.comparingInt(name -> distance(name, wrong)))
            .limit(3)
            .toList();
    if (!close.isEmpty()) {
      return "did you mean " + String.join(", ", close) + "?";
    }
    List<String> some = new ArrayList<>(known.stream().limit(20).toList());
    if (known.size() > some.size()) {
      some.add("…");
    }
    return some.isEmpty() ? "there are none" : "there are " + String.join(", ", some);
  }

  /** The edit distance (Levenshtein). */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}

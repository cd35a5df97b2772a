package io.gatun.training;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * BLEU of a corpus (Papineni et al. 2002) up to 4-grams, as sacreBLEU (Post 2018) computes it
 * unless told otherwise: case counts, the tokenisation is {@code 13a} (that of mteval-v13a), a
 * precision of zero is smoothed exponentially. The {@link #signature()} says so. Not thread-safe.
 */
public final class Bleu {
  private static final int ORDER = 4;

  private static final Pattern PUNCTUATION = Pattern.compile("([{-~\\[-` -&(-+:-@/])");
  private static final Pattern AFTER_NO_DIGIT = Pattern.compile("([^0-9])([.,])");
  private static final Pattern BEFORE_NO_DIGIT = Pattern.compile("([.,])([^0-9])");
  private static final Pattern DASH = Pattern.compile("([0-9])(-)");

  private final long[] matches = new long[ORDER];
  private final long[] totals = new long[ORDER];
  private long answerLength;
  private long referenceLength;
  private int references = -1;

  /** The tokens of a text by the rules of mteval-v13a. */
  public static List<String> tokens(String text) {
    String line = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ");
    line =
        line.replace("&quot;", "\"")
            .replace("&amp;", "&")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
    line = " " + line + " ";
    line = PUNCTUATION.matcher(line).replaceAll(" $1 ");
    line = AFTER_NO_DIGIT.matcher(line).replaceAll("$1 $2 ");
    line = BEFORE_NO_DIGIT.matcher(line).replaceAll(" $1 $2");
    line = DASH.matcher(line).replaceAll("$1 $2 ");
    String stripped = line.strip();
    return stripped.isEmpty() ? List.of() : List.of(stripped.split("\\s+"));
  }

  /**
   * Counts an answer.
   *
   * @param answer its text
   * @param right texts that are right, at least one, and as many for every answer
   */
  public void add(String answer, List<String> right) {
    if (right.isEmpty()) {
      throw new IllegalArgumentException("no reference, expected at least one");
    }
    references = references == -1 || references == right.size() ? right.size() : 0;
    List<String> tokens = tokens(answer);
    Map<List<String>, Integer> most = new HashMap<>();
    long nearest = Long.MAX_VALUE;
    for (String each : right) {
      List<String> reference = tokens(each);
      long length = reference.size();
      long distance = Math.abs(length - tokens.size());
      long least = nearest == Long.MAX_VALUE ? nearest : Math.abs(nearest - tokens.size());
      if (distance < least || distance == least && length < nearest) {
        nearest = length;
      }
      ngrams(reference).forEach((ngram, count) -> most.merge(ngram, count, Math::max));
    }
    answerLength += tokens.size();
    referenceLength += nearest;
    ngrams(tokens)
        .forEach(
            (ngram, count) -> {
              int order = ngram.size() - 1;
              totals[order] += count;
              matches[order] += Math.min(count, most.getOrDefault(ngram, 0));
            });
  }

  private static Map<List<String>, Integer> ngrams(List<String> tokens) {
    Map<List<String>, Integer> counts = new HashMap<>();
    for (int order = 1; order <= ORDER; order++) {
      for (int i = 0; i + order <= tokens.size(); i++) {
        counts.merge(new ArrayList<>(tokens.subList(i, i + order)), 1, Integer::sum);
      }
    }
    return counts;
  }

  /** The score, 0 to 100. */
  public double score() {
    double logarithms = 0;
    double smoothing = 1;
    if (matches[0] == 0) {
      return 0;
    }
    for (int i = 0; i < ORDER; i++) {
      if (totals[i] == 0) {
        return 0;
      }
      double precision;
      if (matches[i] == 0) {
        smoothing *= 2;
        precision = 1 / (smoothing * totals[i]);
      } else {
        precision = (double) matches[i] / totals[i];
      }
      logarithms += Math.log(precision);
    }
    double brevity =
        answerLength < referenceLength ? Math.exp(1 - (double) referenceLength / answerLength) : 1;
    return 100 * brevity * Math.exp(logarithms / ORDER);
  }

  /** How it was computed, in the words of sacreBLEU. */
  public String signature() {
    return "nrefs:"
        + (references > 0 ? String.valueOf(references) : "var")
        + "|case:mixed|eff:no|tok:13a|smooth:exp";
  }
}

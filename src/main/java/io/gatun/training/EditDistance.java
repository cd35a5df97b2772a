package io.gatun.training;

import java.util.List;
import java.util.Objects;

/**
 * Error rates by the edit distance (Levenshtein 1966): the fewest insertions, deletions and
 * substitutions of tokens that make one sequence of another.
 *
 * <p>Over many sequences: the <em>token error rate</em> is the edits divided by the tokens of the
 * references (with phonemes as tokens the phoneme error rate PER, with words the WER of speech
 * recognition), the <em>sequence error rate</em> the share of sequences with any edit (with a word
 * spelled or spoken as sequence the WER of pronunciation). Where several references are right, the
 * nearest counts; of equally near ones the longest. Not thread-safe.
 */
public final class EditDistance {
  private long edits;
  private long tokens;
  private long wrong;
  private long sequences;

  /** The edit distance between two sequences. */
  public static int between(List<?> a, List<?> b) {
    int[] row = new int[b.size() + 1];
    for (int j = 0; j <= b.size(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.size(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.size(); j++) {
        int substituted = diagonal + (Objects.equals(a.get(i - 1), b.get(j - 1)) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.size()];
  }

  /**
   * Counts an answer.
   *
   * @param answer its tokens
   * @param references the right ones, at least one
   */
  public void add(List<?> answer, List<? extends List<?>> references) {
    int least = Integer.MAX_VALUE;
    int length = 0;
    for (List<?> reference : references) {
      int distance = between(answer, reference);
      if (distance < least || distance == least && reference.size() > length) {
        least = distance;
        length = reference.size();
      }
    }
    if (references.isEmpty()) {
      throw new IllegalArgumentException("no reference, expected at least one");
    }
    edits += least;
    tokens += length;
    wrong += least > 0 ? 1 : 0;
    sequences++;
  }

  /** Edits divided by the tokens of the references; 0 to 1, or beyond for long answers. */
  public double tokenErrorRate() {
    return tokens == 0 ? 0 : (double) edits / tokens;
  }

  /** The share of answers that are no reference, 0 to 1. */
  public double sequenceErrorRate() {
    return sequences == 0 ? 0 : (double) wrong / sequences;
  }

  /** The number of answers. */
  public long sequences() {
    return sequences;
  }
}

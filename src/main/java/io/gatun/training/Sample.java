package io.gatun.training;

import java.util.List;

/**
 * One thing to learn from, as a file had it: a text or numbers, and what is right for it. Immutable
 * by agreement: the arrays are not copied.
 *
 * @param text the source; {@code null} where numbers are read
 * @param numbers the source as numbers; {@code null} where a text is read. Of a sequence all
 *     features of a time step stand together
 * @param targets what is right: a label, or one or more texts of which each is right; empty where
 *     {@code values} are
 * @param values numbers that are right; {@code null} where texts are
 */
public record Sample(String text, float[] numbers, List<String> targets, float[] values) {
  /** A text and the texts, or the label, that are right for it. */
  public static Sample of(String text, List<String> targets) {
    return new Sample(text, null, List.copyOf(targets), null);
  }

  /** Numbers and their label. */
  public static Sample of(float[] numbers, String label) {
    return new Sample(null, numbers, List.of(label), null);
  }

  /** Numbers and the numbers that are right for them. */
  public static Sample of(float[] numbers, float[] values) {
    return new Sample(null, numbers, List.of(), values);
  }
}

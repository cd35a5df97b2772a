package io.gatun.batch;

import java.util.Objects;

/**
 * A record as it was read: its value, or why it has none.
 *
 * @param number the place among the records, counted from 1; for lines the line number
 * @param value what was read; null where there is a problem
 * @param problem why the record cannot be used, or null
 * @param endOffset how many bytes of the input are behind when this record is, for progress
 * @param <R> what a record is
 */
public record InputRecord<R>(long number, R value, String problem, long endOffset) {
  /** Checks that there is either a value or a problem. */
  public InputRecord {
    if ((value == null) == (problem == null)) {
      throw new IllegalArgumentException(
          "record " + number + " has to have either a value or a problem");
    }
  }

  /**
   * A record that can be used.
   *
   * @param number its place, counted from 1
   * @param value what was read
   * @param endOffset the bytes of the input up to its end
   * @param <R> what a record is
   * @return the record
   */
  public static <R> InputRecord<R> of(long number, R value, long endOffset) {
    return new InputRecord<>(number, Objects.requireNonNull(value, "value"), null, endOffset);
  }

  /**
   * A record that cannot be used.
   *
   * @param number its place, counted from 1
   * @param problem why
   * @param endOffset the bytes of the input up to its end
   * @param <R> what a record is
   * @return the record
   */
  public static <R> InputRecord<R> bad(long number, String problem, long endOffset) {
    return new InputRecord<>(number, null, Objects.requireNonNull(problem, "problem"), endOffset);
  }
}

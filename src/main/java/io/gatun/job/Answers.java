package io.gatun.job;

import io.gatun.table.Column;
import java.util.List;

/**
 * How answers look in a table, and as text. Thread-safe.
 *
 * @param <O> what an answer is
 */
public interface Answers<O> {
  /** Returns the columns that answers make. */
  List<Column> columns();

  /**
   * Returns what stands in the columns.
   *
   * @param answer an answer
   * @return a value for each column, of the column's type, or null
   */
  Object[] values(O answer);

  /**
   * Returns an answer as text, for a file of lines.
   *
   * @param number the record's number, counted from 1
   * @param answer the answer, or null where the record has none
   * @return the line or lines, without a line feed at the end; null for none
   */
  String text(long number, O answer);
}

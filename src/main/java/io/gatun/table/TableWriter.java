package io.gatun.table;

import java.io.IOException;

/**
 * Writes the rows of a table into a {@link Sink}, which whoever made it closes. For one thread.
 *
 * <p>A table is written in chunks. After {@link #endChunk} all rows so far are in the sink, and a
 * writer that is given what the calls of {@code endChunk} returned goes on behind them as if it had
 * written them itself: the bytes are the same, also when the process has been another one.
 */
public interface TableWriter {
  /**
   * Writes a row.
   *
   * @param values a value for each column, or null
   * @throws io.gatun.batch.BadRecordException if the format cannot express one of the values; then
   *     nothing of the row is written
   * @throws IOException if the sink fails
   */
  void write(Object[] values) throws IOException;

  /**
   * Hands all rows so far to the sink.
   *
   * @return what a later writer needs to know of this chunk, in one line; empty if nothing
   * @throws IOException if the sink fails
   */
  String endChunk() throws IOException;

  /**
   * Writes what stands at the end of the table. Called once, after the last chunk was ended.
   *
   * @throws IOException if the sink fails
   */
  void finish() throws IOException;
}

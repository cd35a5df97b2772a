package io.gatun.table;

import io.gatun.batch.LineReader;

/**
 * How a table is read.
 *
 * @param header whether the first record of a CSV or TSV file has the names of the columns; without
 *     they are called column1, column2 and so on
 * @param maxRecordBytes how long a record may be in formats of lines; a longer one is bad
 */
public record ReadOptions(boolean header, int maxRecordBytes) {
  /** With a header and records of up to {@link LineReader#MAX_LINE_BYTES}. */
  public static final ReadOptions USUAL = new ReadOptions(true, LineReader.MAX_LINE_BYTES);
}

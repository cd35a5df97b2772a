package io.gatun.table;

import java.io.IOException;
import java.util.List;

/**
 * A format of files of records. Formats beside those of the library are found as services of this
 * type. Thread-safe.
 */
public interface TableFormat {
  /** Returns what the format is called on a command line, such as {@code csv}. */
  String name();

  /** Returns how names of its files end, such as {@code .csv}; the first one is the usual one. */
  List<String> suffixes();

  /**
   * Returns whether it is read and written from front to back, so that it can go through a pipe and
   * be compressed as a whole.
   */
  boolean streams();

  /** Returns whether the bytes of a table depend on where its chunks end. */
  boolean chunked();

  /** Returns whether it is read. */
  default boolean reads() {
    return true;
  }

  /** Returns whether it is written. */
  default boolean writes() {
    return true;
  }

  /**
   * Opens a table.
   *
   * @param source where its bytes are
   * @param options how to read it
   * @return the reader; the caller closes it
   * @throws IOException if it cannot be read or is no table of this format
   */
  TableReader reader(TableSource source, ReadOptions options) throws IOException;

  /**
   * Begins a table, or goes on with one.
   *
   * @param sink where its bytes go; its position is the end of the last chunk
   * @param schema the columns
   * @param chunks what {@link TableWriter#endChunk} returned for each chunk that is there; empty
   *     for a new table
   * @return the writer
   * @throws IllegalArgumentException if the format cannot express one of the columns
   * @throws IOException if the sink fails
   */
  TableWriter writer(Sink sink, Schema schema, List<String> chunks) throws IOException;
}

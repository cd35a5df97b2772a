package io.gatun.table;

import io.gatun.batch.RecordReader;
import java.io.Closeable;
import java.util.Collection;

/** Reads the rows of a table. Used by one thread at a time, and closed by whoever opened it. */
public interface TableReader extends RecordReader<Row>, Closeable {
  /** Returns the columns. */
  Schema schema();

  /** Returns what a record is called in places: {@code line}; empty where a file is one record. */
  default String unit() {
    return "record";
  }

  /**
   * Says which columns are wanted; the others may be null in each row from then on. Called before
   * the first row is read, if at all.
   *
   * @param names names of columns of the schema
   */
  default void select(Collection<String> names) {}
}

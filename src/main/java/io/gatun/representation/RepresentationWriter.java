package io.gatun.representation;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.util.List;

/**
 * Where representations go, example by example: files of arrays here, tables elsewhere. Called by
 * one thread. What is written appears with {@link #commit()}, whole; closed without it, nothing is
 * left behind.
 */
public interface RepresentationWriter extends AutoCloseable {
  /**
   * A representation that is written.
   *
   * @param name of the value
   * @param type of its numbers
   * @param dims the sizes for one example; −1 where they come with the examples
   * @param ragged whether the first of them is the example's own number of steps, so that each may
   *     have another; otherwise all examples have the sizes of the first
   */
  record Column(String name, DType type, List<Long> dims, boolean ragged) {
    /** Copies the list. */
    public Column {
      dims = List.copyOf(dims);
    }
  }

  /** Says what comes, before all else. */
  void begin(List<Column> columns) throws IOException;

  /**
   * Takes an example.
   *
   * @param example with its identifier
   * @param values one for each column, read-only, not to be kept
   */
  void write(Example example, List<Tensor> values) throws IOException;

  /** Puts what was written in its place. */
  void commit() throws IOException;

  /** Ends; without {@link #commit()} before, nothing is left behind. */
  @Override
  void close() throws IOException;
}

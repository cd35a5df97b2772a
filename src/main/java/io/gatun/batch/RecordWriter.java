package io.gatun.batch;

import java.io.IOException;

/**
 * Where answers go, in the order of the records. Called by the thread that runs the batch, and no
 * other; whoever made it closes what is behind it.
 *
 * @param <O> what an answer is
 */
public interface RecordWriter<O> {
  /**
   * Writes the answer to a record.
   *
   * @param number the record's number; one more than at the call before
   * @param answer the answer
   * @throws IOException if it cannot be written; the run ends with it
   */
  void write(long number, O answer) throws IOException;

  /**
   * Keeps the place of a record that has no answer.
   *
   * @param number the record's number; one more than at the call before
   * @throws IOException if it cannot be written; the run ends with it
   */
  void skip(long number) throws IOException;

  /**
   * Writes the answer to a record with what {@link BatchTask#identity} gave; by default without.
   *
   * @param number the record's number; one more than at the call before
   * @param identity what the task wants to be known beside the answer, or null
   * @param answer the answer
   * @throws IOException if it cannot be written; the run ends with it
   */
  default void write(long number, Object identity, O answer) throws IOException {
    write(number, answer);
  }

  /**
   * Keeps the place of a record that has no answer, and may keep the reason; by default without.
   *
   * @param number the record's number; one more than at the call before
   * @param identity what the task wants to be known beside the answer; null also where the record
   *     could not be read
   * @param reason why it has no answer
   * @throws IOException if it cannot be written; the run ends with it
   */
  default void skip(long number, Object identity, String reason) throws IOException {
    skip(number);
  }

  /**
   * Passes on what was written. Called before the run waits for more, and at the end.
   *
   * @throws IOException if it cannot be written; the run ends with it
   */
  default void flush() throws IOException {}
}

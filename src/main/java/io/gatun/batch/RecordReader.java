package io.gatun.batch;

import java.io.IOException;
import java.util.OptionalLong;

/**
 * Where records come from, one after the other. Used by one thread at a time; whoever made it
 * closes what is behind it.
 *
 * @param <R> what a record is
 */
public interface RecordReader<R> {
  /**
   * Reads the next record.
   *
   * @param waiting to be called before the reader waits for input that is not there yet, so that
   *     what was read before is not held up by it; calling it once too often does no harm
   * @return the record, its number one more than the last one's; null at the end
   * @throws IOException if the input fails; a record that is merely wrong is no failure but an
   *     {@link InputRecord} with a problem
   */
  InputRecord<R> next(Runnable waiting) throws IOException;

  /** Returns how many bytes the whole input has, where that is known. */
  default OptionalLong size() {
    return OptionalLong.empty();
  }

  /** Returns how many bytes of the input are behind before the first record; 0 by default. */
  default long startOffset() {
    return 0;
  }

  /**
   * Where a record that was read stands, in words for a person, such as {@code words.txt: line 7}.
   * May be called from another thread than the one that reads.
   *
   * @param number the record's number
   * @return the place
   */
  default String place(long number) {
    return "record " + number;
  }
}

package io.gatun.batch;

import java.util.List;

/**
 * What is done with each record. Thread-safe, except for its workers, each of which belongs to one
 * thread.
 *
 * <p>The answer to an item must not depend on the items beside it; then the output of a run does
 * not depend on batches, window and workers.
 *
 * @param <R> what a record is, such as a line of text
 * @param <I> what is computed with, such as token ids
 * @param <O> what an answer is
 */
public interface BatchTask<R, I, O> {
  /**
   * Turns a record into what is computed with. Called on the thread that reads.
   *
   * @param number the record's number, counted from 1
   * @param record the record
   * @return the item
   * @throws BadRecordException if the record is not what this task takes
   */
  I prepare(long number, R record);

  /**
   * What goes past the computation to the writer, such as the identifier of a record; it is there
   * also where the record turns out to be bad. Called on the thread that reads.
   *
   * @param record the record, or null where it could not be read
   * @return whatever the writer wants to know, or null
   */
  default Object identity(R record) {
    return null;
  }

  /**
   * The length of an item in tokens: items of like length are computed together, and batches and
   * memory are bounded by it.
   *
   * @param item an item
   * @return at least 0
   */
  int tokens(I item);

  /**
   * Which of two items comes first where items are put into batches, one after the other: what is
   * best computed together belongs side by side. By default the longer one does, which keeps like
   * lengths together; of equals the one that came first.
   *
   * @param a an item
   * @param b another one
   * @return negative, 0 or positive, as of a comparator
   */
  default int compare(I a, I b) {
    return Integer.compare(tokens(b), tokens(a));
  }

  /**
   * The answer where there is nothing to compute, such as that to an empty line.
   *
   * @param item an item
   * @return the answer, or null where it has to be computed
   */
  O trivial(I item);

  /**
   * Makes what computes on one thread. Called on that thread, when the first batch is there.
   *
   * @return a worker, closed on the same thread at the end of the run
   */
  Worker<I, O> newWorker();

  /**
   * What computes on one thread, with its own scratch memory.
   *
   * @param <I> what is computed with
   * @param <O> what an answer is
   */
  interface Worker<I, O> extends AutoCloseable {
    /**
     * Answers a batch.
     *
     * @param items at least one, in the order of {@link BatchTask#compare}
     * @return as many answers in the same order, none null
     * @throws BadRecordException if one of the items cannot be answered: they are then asked one by
     *     one, and the bad ones are reported and left out
     */
    List<O> run(List<I> items);

    /** Gives back memory. */
    @Override
    void close();
  }
}

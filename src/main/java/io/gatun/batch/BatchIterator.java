package io.gatun.batch;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.function.ToLongFunction;

/**
 * The answers to the records of an iterator, as an iterator: for whoever has threads of their own
 * and is asked for answers one by one, such as an engine that hands out partitions of data.
 *
 * <p>Everything happens on the thread that calls {@link #next}: a window of records is taken from
 * the iterator, bounded by {@link BatchOptions#windowRecords()}, {@link
 * BatchOptions#windowTokens()} and {@link BatchOptions#windowBytes()}, sorted by length, cut into
 * batches and answered; then the answers are handed out in the order of the records. {@link
 * BatchOptions#workers()} has no meaning here. The answers are those of a {@link BatchRun}.
 *
 * <pre>{@code
 * try (BatchIterator<String, Sentence, Translation> answers =
 *     new BatchIterator<>(lines.iterator(), task, options, String::length)) {
 *   answers.forEachRemaining(each -> use(each.record(), each.answer(), each.problem()));
 * }
 * }</pre>
 *
 * <p>For one thread. Memory for computing is given back after the last answer, or by {@link
 * #close}.
 *
 * @param <R> what a record is
 * @param <I> what is computed with
 * @param <O> what an answer is
 */
public final class BatchIterator<R, I, O>
    implements Iterator<BatchIterator.Answered<R, O>>, AutoCloseable {
  /**
   * A record with its answer, or with why it has none.
   *
   * @param number the record's number, counted from 1
   * @param record the record
   * @param answer null where there is a problem
   * @param problem null where there is an answer
   * @param <R> what a record is
   * @param <O> what an answer is
   */
  public record Answered<R, O>(long number, R record, O answer, String problem) {}

  private final Iterator<? extends R> records;
  private final BatchTask<R, I, O> task;
  private final BatchOptions options;
  private final ToLongFunction<? super R> bytes;

  private final ArrayDeque<Slot<R, I, O>> window = new ArrayDeque<>();
  private BatchTask.Worker<I, O> worker;
  private long number;

  /** A record in the window. */
  private static final class Slot<R, I, O> {
    final long number;
    final R record;
    int tokens;
    I item;
    O answer;
    String problem;

    Slot(long number, R record) {
      this.number = number;
      this.record = record;
    }
  }

  /**
   * Prepares to answer; nothing is read yet.
   *
   * @param records the records, none null
   * @param task what is done with them; not closed
   * @param options how large batches and the window are
   * @param bytes about how much memory a record takes
   */
  public BatchIterator(
      Iterator<? extends R> records,
      BatchTask<R, I, O> task,
      BatchOptions options,
      ToLongFunction<? super R> bytes) {
    this.records = Objects.requireNonNull(records, "records");
    this.task = Objects.requireNonNull(task, "task");
    this.options = Objects.requireNonNull(options, "options");
    this.bytes = Objects.requireNonNull(bytes, "bytes");
  }

  @Override
  public boolean hasNext() {
    if (window.isEmpty() && !records.hasNext()) {
      close();
      return false;
    }
    return true;
  }

  /**
   * Returns the next record with its answer.
   *
   * @throws NoSuchElementException if there is none
   */
  @Override
  public Answered<R, O> next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    if (window.isEmpty()) {
      fill();
    }
    Slot<R, I, O> slot = window.removeFirst();
    return new Answered<>(slot.number, slot.record, slot.answer, slot.problem);
  }

  private void fill() {
    List<Slot<R, I, O>> pending = new ArrayList<>();
    long windowTokens = 0;
    long windowBytes = 0;
    while (window.size() < options.windowRecords()
        && windowTokens < options.windowTokens()
        && windowBytes < options.windowBytes()
        && records.hasNext()) {
      Slot<R, I, O> slot = prepare(new Slot<>(++number, records.next()));
      window.addLast(slot);
      windowTokens += slot.tokens;
      windowBytes += bytes.applyAsLong(slot.record);
      if (slot.item != null) {
        pending.add(slot);
      }
    }
    pending.sort((a, b) -> task.compare(a.item, b.item));
    for (List<Slot<R, I, O>> batch :
        Batches.cut(pending, slot -> slot.tokens, options.batchTokens(), options.batchRecords())) {
      answer(batch);
    }
  }

  private Slot<R, I, O> prepare(Slot<R, I, O> slot) {
    try {
      I item = task.prepare(slot.number, slot.record);
      int length = task.tokens(item);
      if (length > options.maxRecordTokens()) {
        slot.problem = length + " tokens, expected at most " + options.maxRecordTokens();
        return slot;
      }
      slot.tokens = length;
      slot.answer = task.trivial(item);
      slot.item = slot.answer == null ? item : null;
    } catch (BadRecordException e) {
      slot.problem = e.getMessage();
    }
    return slot;
  }

  private void answer(List<Slot<R, I, O>> batch) {
    if (worker == null) {
      worker = task.newWorker();
    }
    List<O> answers;
    try {
      answers = worker.run(batch.stream().map(slot -> slot.item).toList());
    } catch (BadRecordException e) {
      if (batch.size() > 1) {
        batch.forEach(slot -> answer(List.of(slot)));
      } else {
        batch.get(0).problem = e.getMessage();
        batch.get(0).item = null;
      }
      return;
    }
    if (answers.size() != batch.size()) {
      throw new IllegalStateException(
          "a worker gave " + answers.size() + " answers to " + batch.size() + " records");
    }
    for (int i = 0; i < batch.size(); i++) {
      batch.get(i).answer = Objects.requireNonNull(answers.get(i), "a worker's answer");
      batch.get(i).item = null;
    }
  }

  /** Gives back the memory for computing; does nothing where there is none. */
  @Override
  public void close() {
    if (worker != null) {
      BatchTask.Worker<I, O> used = worker;
      worker = null;
      used.close();
    }
  }
}

package io.gatun.spark;

import io.gatun.batch.BadRecordException;
import io.gatun.batch.BatchIterator;
import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchService;
import io.gatun.batch.BatchTask;
import io.gatun.batch.LineReader;
import io.gatun.job.Answers;
import java.time.Duration;
import java.util.Iterator;

/**
 * A network with what is asked of it: a task and how its answers become columns.
 *
 * @param <I> what is computed with
 * @param <O> what an answer is
 */
final class Answering<I, O> implements AutoCloseable {
  private static final int MOST_WAITING = 1024;

  private final BatchTask<String, I, O> task;
  private final Answers<O> answers;
  private final BatchOptions options;
  private BatchService<Question, I, O> service;

  Answering(BatchTask<String, I, O> task, Answers<O> answers, BatchOptions options) {
    this.task = task;
    this.answers = answers;
    this.options = options;
  }

  /**
   * What came of a row.
   *
   * @param question which row
   * @param values of the columns of the answer, null where there is a problem
   * @param problem null where there is an answer
   */
  record Answer(Question question, Object[] values, String problem) {}

  /** Answers on the calling thread, a window at a time. */
  Partition answer(Iterator<Question> questions) {
    BatchIterator<Question, I, O> iterator =
        new BatchIterator<>(questions, new Questions(), options, Question::bytes);
    return new Partition() {
      @Override
      public boolean hasNext() {
        return iterator.hasNext();
      }

      @Override
      public Answer next() {
        BatchIterator.Answered<Question, O> next = iterator.next();
        return new Answer(
            next.record(),
            next.problem() == null ? answers.values(next.answer()) : null,
            next.problem());
      }

      @Override
      public void close() {
        iterator.close();
      }
    };
  }

  /** The answers to a partition's rows. */
  interface Partition extends Iterator<Answer>, AutoCloseable {
    @Override
    void close();
  }

  /** Answers one row, together with those that other threads ask for meanwhile. */
  Answer answer(Question question) throws InterruptedException {
    try {
      return new Answer(question, answers.values(service().call(question)), null);
    } catch (BadRecordException e) {
      return new Answer(question, null, e.getMessage());
    }
  }

  private synchronized BatchService<Question, I, O> service() {
    if (service == null) {
      BatchOptions workers =
          BatchOptions.builder()
              .batchTokens(options.batchTokens())
              .workers(Math.min(BatchOptions.MAX_WORKERS, cores()))
              .build();
      service = new BatchService<>(new Questions(), workers, Duration.ZERO, MOST_WAITING);
    }
    return service;
  }

  private static int cores() {
    return Runtime.getRuntime().availableProcessors();
  }

  @Override
  public synchronized void close() {
    if (service != null) {
      service.close();
      service = null;
    }
  }

  /** The task, for rows that have their number with them. */
  private final class Questions implements BatchTask<Question, I, O> {
    @Override
    public I prepare(long number, Question question) {
      if (question.problem() != null) {
        throw new BadRecordException(question.problem());
      }
      if (question.text().length() > LineReader.MAX_LINE_BYTES) {
        throw new BadRecordException(
            "longer than " + LineReader.MAX_LINE_BYTES + " characters, which is too long");
      }
      return task.prepare(question.number(), question.text());
    }

    @Override
    public int tokens(I item) {
      return task.tokens(item);
    }

    @Override
    public int compare(I a, I b) {
      return task.compare(a, b);
    }

    @Override
    public O trivial(I item) {
      return task.trivial(item);
    }

    @Override
    public Worker<I, O> newWorker() {
      return task.newWorker();
    }
  }
}

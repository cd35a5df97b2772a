package io.gatun.job;

import io.gatun.batch.BatchTask;
import java.util.function.Function;

/** A task whose records carry along what the output and the journal want to know of them. */
final class JobTask<R, I, O> implements BatchTask<R, I, O> {
  /**
   * What goes past the computation.
   *
   * @param kept values of columns that are carried through; null where the record was not read
   * @param fingerprint of all records up to this one
   */
  record Tag(Object[] kept, long fingerprint) {}

  private final BatchTask<R, I, O> task;
  private final Function<R, Object[]> keep;
  private final JobReader<R> reader;

  JobTask(BatchTask<R, I, O> task, Function<R, Object[]> keep, JobReader<R> reader) {
    this.task = task;
    this.keep = keep;
    this.reader = reader;
  }

  @Override
  public Object identity(R record) {
    return new Tag(record == null ? null : keep.apply(record), reader.fingerprint());
  }

  @Override
  public I prepare(long number, R record) {
    return task.prepare(number, record);
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

package io.gatun.job;

import io.gatun.batch.BadRecordException;
import io.gatun.batch.BatchTask;
import io.gatun.table.Row;
import io.gatun.table.Schema;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/**
 * A task for something that a row has, such as the text in one of its columns.
 *
 * @param <R> what the task takes
 * @param <I> what is computed with
 * @param <O> what an answer is
 */
public final class RowTask<R, I, O> implements BatchTask<Row, I, O> {
  private final BatchTask<R, I, O> task;
  private final Function<Row, R> select;

  /**
   * Makes a task of rows.
   *
   * @param task what is done
   * @param select what of a row it is done with; throws {@link BadRecordException} where the row
   *     does not have it
   */
  public RowTask(BatchTask<R, I, O> task, Function<Row, R> select) {
    this.task = Objects.requireNonNull(task, "task");
    this.select = Objects.requireNonNull(select, "select");
  }

  /**
   * Selects the text of a column; numbers and truth values are written out.
   *
   * @param schema the columns
   * @param name the name of one of them
   * @throws IllegalArgumentException if there is no such column
   */
  public static Function<Row, String> text(Schema schema, String name) {
    int column = schema.indexOf(name);
    return row -> {
      Object value = row.values()[column];
      if (value instanceof String text) {
        return text;
      }
      if (value == null) {
        throw new BadRecordException("'" + name + "' is null, expected a text");
      }
      if (value instanceof float[] numbers) {
        StringBuilder text = new StringBuilder();
        for (float number : numbers) {
          text.append(text.isEmpty() ? "" : " ").append(number);
        }
        return text.toString();
      }
      if (value instanceof List<?> list) {
        StringBuilder text = new StringBuilder();
        for (Object each : list) {
          text.append(text.isEmpty() ? "" : " ").append(each);
        }
        return text.toString();
      }
      return value.toString();
    };
  }

  @Override
  public I prepare(long number, Row row) {
    return task.prepare(number, select.apply(row));
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

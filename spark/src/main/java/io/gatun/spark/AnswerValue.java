package io.gatun.spark;

import io.gatun.batch.BadRecordException;
import io.gatun.job.OnError;
import java.util.Objects;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.util.TaskCompletionListener;

/** Answers single values, with a struct of the answer's columns. */
final class AnswerValue implements UDF1<Object, Row>, UDF2<Object, Number, Row> {
  private static final long serialVersionUID = 1L;

  private final Settings settings;
  private final int answers;
  private transient TaskContext task;
  private transient Networks.Lease lease;

  AnswerValue(Settings settings, int answers) {
    this.settings = settings;
    this.answers = answers;
  }

  @Override
  public Row call(Object value) throws Exception {
    return call(value, 1L);
  }

  @Override
  public Row call(Object value, Number number) throws Exception {
    Answering.Answer answer = network().answering(settings).answer(question(value, number));
    if (answer.problem() != null && settings.onError() == OnError.STOP) {
      throw new BadRecordException(
          answer.problem() + "; on-error skip or record goes on without it");
    }
    boolean problem = settings.onError() == OnError.RECORD;
    Object[] values = new Object[answers + (problem ? 1 : 0)];
    for (int i = 0; i < answers && answer.values() != null; i++) {
      values[i] = Types.value(answer.values()[i]);
    }
    if (problem) {
      values[answers] = answer.problem();
    }
    return RowFactory.create(values);
  }

  private static Question question(Object value, Number number) {
    try {
      if (number == null) {
        throw new BadRecordException("its number is null");
      }
      return new Question(number.longValue(), null, Types.text("value", value), null, 0);
    } catch (BadRecordException e) {
      return new Question(1, null, null, e.getMessage(), 0);
    }
  }

  /** The network, kept until the task ends; where there is no task, in the driver, for ever. */
  private synchronized Network network() {
    TaskContext now = TaskContext.get();
    if (lease == null || !Objects.equals(now, task)) {
      Networks.Lease taken = Networks.take(settings);
      if (now != null) {
        now.addTaskCompletionListener((TaskCompletionListener) context -> taken.close());
      }
      lease = taken;
      task = now;
    }
    return lease.network();
  }
}

package io.gatun.spark;

import io.gatun.batch.BadRecordException;
import io.gatun.job.OnError;
import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.TaskCompletionListener;

/** Answers the rows of a partition, in their order. */
final class AnswerPartition implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1L;
  private static final System.Logger LOG = System.getLogger("io.gatun.spark");
  private static final int MOST_LOGGED = 10;

  private final Settings settings;
  private final String name;
  private final int column;
  private final int number;
  private final int[] kept;
  private final int answers;
  private final LongAccumulator records;
  private final LongAccumulator bad;

  /**
   * Says what is read and what is written.
   *
   * @param name of the column that the network reads
   * @param column its place
   * @param number the place of the column of record numbers; -1 for none
   * @param kept the places of the columns that are carried through
   * @param answers how many columns an answer has
   * @param records counts all
   * @param bad counts those without an answer
   */
  AnswerPartition(
      Settings settings,
      String name,
      int column,
      int number,
      int[] kept,
      int answers,
      LongAccumulator records,
      LongAccumulator bad) {
    this.settings = settings;
    this.name = name;
    this.column = column;
    this.number = number;
    this.kept = kept;
    this.answers = answers;
    this.records = records;
    this.bad = bad;
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator();
    }
    Networks.Lease lease = Networks.take(settings);
    Answering.Partition partition = lease.network().answering(settings).answer(new Questions(rows));
    TaskContext.get()
        .addTaskCompletionListener(
            (TaskCompletionListener)
                context -> {
                  partition.close();
                  lease.close();
                });
    return new Rows(partition);
  }

  /** What is asked of the rows. */
  private final class Questions implements Iterator<Question> {
    private final Iterator<Row> rows;
    private long count;

    Questions(Iterator<Row> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      return rows.hasNext();
    }

    @Override
    public Question next() {
      Row row = rows.next();
      count++;
      long bytes = Types.bytes(row);
      try {
        if (number >= 0 && row.isNullAt(number)) {
          throw new BadRecordException("its number is null");
        }
        long its = number < 0 ? count : ((Number) row.get(number)).longValue();
        return new Question(its, row, Types.text(name, row.get(column)), null, bytes);
      } catch (BadRecordException e) {
        return new Question(count, row, null, e.getMessage(), bytes);
      }
    }
  }

  /** Rows with answers. */
  private final class Rows implements Iterator<Row> {
    private final Answering.Partition partition;
    private long count;
    private int logged;

    Rows(Answering.Partition partition) {
      this.partition = partition;
    }

    @Override
    public boolean hasNext() {
      return partition.hasNext();
    }

    @Override
    public Row next() {
      Answering.Answer answer = partition.next();
      count++;
      records.add(1);
      if (answer.problem() != null) {
        report(answer.problem());
      }
      boolean problem = settings.onError() == OnError.RECORD;
      Object[] values = new Object[kept.length + answers + (problem ? 1 : 0)];
      for (int i = 0; i < kept.length; i++) {
        values[i] = answer.question().row().get(kept[i]);
      }
      for (int i = 0; i < answers && answer.values() != null; i++) {
        values[kept.length + i] = Types.value(answer.values()[i]);
      }
      if (problem) {
        values[values.length - 1] = answer.problem();
      }
      return RowFactory.create(values);
    }

    private void report(String reason) {
      bad.add(1);
      String place = "partition " + TaskContext.getPartitionId() + ", row " + count;
      if (settings.onError() == OnError.STOP) {
        throw new BadRecordException(
            place + ": " + reason + "; on-error skip or record goes on without it");
      }
      if (logged++ < MOST_LOGGED) {
        LOG.log(
            System.Logger.Level.WARNING,
            place + ": " + reason + (logged == MOST_LOGGED ? "; no more of these are logged" : ""));
      }
    }
  }
}

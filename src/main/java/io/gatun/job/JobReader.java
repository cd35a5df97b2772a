package io.gatun.job;

import io.gatun.batch.InputRecord;
import io.gatun.batch.RecordReader;
import java.io.IOException;
import java.util.OptionalLong;

/** The part of an input that a job reads, with a fingerprint of what came so far. */
final class JobReader<R> implements RecordReader<R> {
  private final RecordReader<R> reader;
  private final long to;
  private final Fingerprint fingerprint = new Fingerprint();
  private long number;
  private long offset;
  private long startOffset;

  /**
   * Reads the records with numbers up to {@code to}.
   *
   * @param reader all records
   * @param from how many are passed over unseen
   */
  JobReader(RecordReader<R> reader, long from, long to) throws IOException {
    this.reader = reader;
    this.to = to;
    while (number < from && advance(() -> {}) != null) {
      startOffset = offset;
    }
  }

  /** Passes over records that were answered before; returns how many there were. */
  long pass(long count) throws IOException {
    long passed = 0;
    while (passed < count && next(() -> {}) != null) {
      passed++;
      startOffset = offset;
    }
    return passed;
  }

  /** Returns the fingerprint of the records read. For the thread that reads. */
  long fingerprint() {
    return fingerprint.value();
  }

  @Override
  public InputRecord<R> next(Runnable waiting) throws IOException {
    InputRecord<R> record = number < to ? advance(waiting) : null;
    if (record != null) {
      fingerprint.add(record.problem() != null ? record.problem() : record.value());
    }
    return record;
  }

  private InputRecord<R> advance(Runnable waiting) throws IOException {
    InputRecord<R> record = reader.next(waiting);
    if (record != null) {
      number = record.number();
      offset = record.endOffset();
    }
    return record;
  }

  @Override
  public OptionalLong size() {
    return to == Long.MAX_VALUE ? reader.size() : OptionalLong.empty();
  }

  @Override
  public long startOffset() {
    return startOffset;
  }

  @Override
  public String place(long record) {
    return reader.place(record);
  }
}

package io.gatun.job;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.batch.BadRecordException;
import io.gatun.batch.BatchListener;
import io.gatun.batch.RecordReader;
import io.gatun.batch.RecordWriter;
import io.gatun.table.Sink;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

/** Writes answers into the table, bad records into the side file, and checkpoints in between. */
final class JobWriter<O> implements RecordWriter<O> {
  private static final JsonFactory JSON = new JsonFactory();

  private final Answers<O> answers;
  private final ChunkedOutput output;
  private final boolean asText;
  private final int keptColumns;
  private final Sink errors;
  private final OnError onError;
  private final RecordReader<?> reader;
  private final BatchListener listener;
  private final Checkpoints checkpoints;

  private long bad;

  /** Is told after each record how far the output is. */
  interface Checkpoints {
    /** May make a checkpoint; {@code bad} of the records have no answer. */
    void after(long fingerprint, long bad) throws IOException;
  }

  JobWriter(
      Answers<O> answers,
      ChunkedOutput output,
      boolean asText,
      int keptColumns,
      Sink errors,
      OnError onError,
      RecordReader<?> reader,
      BatchListener listener,
      Checkpoints checkpoints,
      long bad) {
    this.answers = answers;
    this.output = output;
    this.asText = asText;
    this.keptColumns = keptColumns;
    this.errors = errors;
    this.onError = onError;
    this.reader = reader;
    this.listener = listener;
    this.checkpoints = checkpoints;
    this.bad = bad;
  }

  /** Returns how many records have no answer. */
  long bad() {
    return bad;
  }

  @Override
  public void write(long number, O answer) {
    throw new UnsupportedOperationException("a job's records have tags");
  }

  @Override
  public void skip(long number) {
    throw new UnsupportedOperationException("a job's records have tags");
  }

  @Override
  public void write(long number, Object identity, O answer) throws IOException {
    JobTask.Tag tag = (JobTask.Tag) identity;
    Object[] values;
    if (asText) {
      values = new Object[] {answers.text(number, answer)};
    } else {
      values = row(tag.kept());
      Object[] computed = answers.values(answer);
      System.arraycopy(computed, 0, values, keptColumns, computed.length);
    }
    try {
      output.write(values);
    } catch (BadRecordException e) {
      listener.bad(number, reader.place(number), e.getMessage());
      skip(number, identity, e.getMessage());
      return;
    }
    checkpoints.after(tag.fingerprint(), bad);
  }

  @Override
  public void skip(long number, Object identity, String reason) throws IOException {
    JobTask.Tag tag = (JobTask.Tag) identity;
    if (onError == OnError.STOP) {
      throw new BadRecordException(
          reader.place(number) + ": " + reason + "; --on-error skip goes on without it");
    }
    bad++;
    if (errors != null) {
      errors.write(line(number, reader.place(number), reason));
    }
    output.write(asText ? new Object[] {answers.text(number, null)} : row(tag.kept()));
    checkpoints.after(tag.fingerprint(), bad);
  }

  private Object[] row(Object[] kept) {
    Object[] values = new Object[keptColumns + answers.columns().size()];
    if (kept != null) {
      System.arraycopy(kept, 0, values, 0, keptColumns);
    }
    return values;
  }

  private static byte[] line(long number, String place, String reason) throws IOException {
    StringWriter line = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(line)) {
      json.writeStartObject();
      json.writeNumberField("record", number);
      json.writeStringField("place", place);
      json.writeStringField("reason", reason);
      json.writeEndObject();
    }
    return line.append('\n').toString().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void flush() throws IOException {
    output.pause();
  }
}

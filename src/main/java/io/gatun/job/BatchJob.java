package io.gatun.job;

import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchProgress;
import io.gatun.batch.BatchRun;
import io.gatun.batch.BatchTask;
import io.gatun.batch.RecordReader;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Compression;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.Storage;
import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Records in, a file of answers out, safe to be killed at any moment.
 *
 * <p>While it runs there are two files beside the output {@code NAME}: {@code .NAME.partial} and
 * {@code .NAME.journal}. The output takes its place when all of it is written and safe from a loss
 * of power; until then what was there stays as it was. A job that ended early is resumed by one
 * with the same settings and the same records: they are read again from the start, those that were
 * answered are passed over and compared with what was read then, and the bytes of the output are in
 * the end those of a job that was never interrupted.
 *
 * <p>An output that is there is not replaced unless {@link Builder#force} says so, nor is what an
 * interrupted job left.
 *
 * <p>Immutable; {@link #run} may be called once at a time for an output.
 */
public final class BatchJob {
  private static final System.Logger LOG = System.getLogger("io.gatun.job");

  private final Path output;
  private final String pipeName;
  private final OutputStream pipe;
  private final TableFormat format;
  private final Compression compression;
  private final OnError onError;
  private final Path errors;
  private final boolean resume;
  private final boolean force;
  private final long from;
  private final long to;
  private final int chunkRecords;
  private final int checkpointRecords;
  private final int checkpointMillis;
  private final Map<String, String> settings;
  private final Storage storage;
  private final BatchOptions batch;

  private BatchJob(Builder builder) {
    output = builder.output;
    pipeName = builder.pipeName;
    pipe = builder.pipe;
    if ((output == null) == (pipe == null)) {
      throw new IllegalArgumentException("a job has either a file or a stream as its output");
    }
    format = builder.format;
    if (!format.writes()) {
      throw new IllegalArgumentException(format.name() + " is not written, only read");
    }
    compression = builder.compression;
    onError = builder.onError;
    if (onError == OnError.RECORD && builder.errors == null && output == null) {
      throw new IllegalArgumentException(
          "bad records are to be recorded, but there is no file for them: name one with --errors");
    }
    errors =
        onError != OnError.RECORD
            ? null
            : builder.errors != null
                ? builder.errors
                : output.resolveSibling(output.getFileName() + ".errors.jsonl");
    if (pipe != null && (builder.resume || builder.force)) {
      throw new IllegalArgumentException(
          "only an output that is a file can be resumed or replaced: name one with --output");
    }
    resume = builder.resume;
    force = builder.force;
    from = builder.from;
    to = builder.to;
    chunkRecords = builder.chunkRecords;
    checkpointRecords = builder.checkpointRecords;
    checkpointMillis = builder.checkpointMillis;
    settings = new TreeMap<>(builder.settings);
    storage = builder.storage;
    batch = builder.batch;
  }

  /** Starts with the defaults; an output has to be named. */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects what a job is. For one thread. */
  public static final class Builder {
    private Path output;
    private String pipeName;
    private OutputStream pipe;
    private TableFormat format = TableFormats.TEXT;
    private Compression compression;
    private OnError onError = OnError.SKIP;
    private Path errors;
    private boolean resume;
    private boolean force;
    private long from;
    private long to = Long.MAX_VALUE;
    private int chunkRecords = 16_384;
    private int checkpointRecords = 256;
    private int checkpointMillis = 1000;
    private final Map<String, String> settings = new TreeMap<>();
    private Storage storage = Storage.system();
    private BatchOptions batch = BatchOptions.builder().build();

    private Builder() {}

    /** Writes to a file. */
    public Builder output(Path file) {
      output = Objects.requireNonNull(file, "file");
      return this;
    }

    /** Writes to a stream, which is flushed and not closed; such a job cannot be resumed. */
    public Builder output(String name, OutputStream stream) {
      pipeName = Objects.requireNonNull(name, "name");
      pipe = Objects.requireNonNull(stream, "stream");
      return this;
    }

    /**
     * Sets the format of the output; lines of text by default.
     *
     * @param tableFormat the format
     * @param compressedBy how it is compressed as a whole, or null
     */
    public Builder format(TableFormat tableFormat, Compression compressedBy) {
      format = Objects.requireNonNull(tableFormat, "tableFormat");
      compression = compressedBy;
      return this;
    }

    /** Sets what is done about records without an answer; they are skipped by default. */
    public Builder onError(OnError what) {
      onError = Objects.requireNonNull(what, "what");
      return this;
    }

    /**
     * Sets the side file for {@link OnError#RECORD}: a line of JSON for each bad record, {@code
     * record} (its number from 1), {@code place} and {@code reason}. By default it is the output's
     * name with {@code .errors.jsonl} behind. It is there even if no record was bad.
     */
    public Builder errors(Path file) {
      errors = file;
      return this;
    }

    /**
     * Goes on where an earlier job with this output ended; begins where there was none, and does
     * nothing where it ended well.
     */
    public Builder resume(boolean yes) {
      resume = yes;
      return this;
    }

    /** Replaces an output that is there, and what an interrupted job left. */
    public Builder force(boolean yes) {
      force = yes;
      return this;
    }

    /**
     * Answers only some records, which keep their numbers.
     *
     * @param before how many are passed over
     * @param last the number of the last one
     */
    public Builder records(long before, long last) {
      if (before < 0 || last < before) {
        throw new IllegalArgumentException("records behind " + before + " up to " + last);
      }
      from = before;
      to = last;
      return this;
    }

    /**
     * Sets how many records make a chunk in formats that are written in chunks (a row group of
     * Parquet, a batch of Arrow, a piece of a compressed file); 16,384 by default. It is also how
     * often such a job can be resumed from.
     */
    public Builder chunkRecords(int records) {
      chunkRecords = atLeast(1, records, "the size of a chunk in records");
      return this;
    }

    /**
     * Sets where a job with another format can be resumed from: at multiples of so many records
     * (256), if so much time (1,000 ms) has gone by since the last time.
     */
    public Builder checkpoints(int records, int millis) {
      checkpointRecords = atLeast(1, records, "the distance of checkpoints in records");
      checkpointMillis = atLeast(0, millis, "the distance of checkpoints in milliseconds");
      return this;
    }

    private static int atLeast(int least, int value, String what) {
      if (value < least) {
        throw new IllegalArgumentException(what + " is " + value + ", expected at least " + least);
      }
      return value;
    }

    /** Adds something that has to be the same when the job is resumed. */
    public Builder setting(String name, String value) {
      settings.put(name, value);
      return this;
    }

    /** Sets what reads and writes files; the machine's by default. */
    public Builder storage(Storage files) {
      storage = Objects.requireNonNull(files, "files");
      return this;
    }

    /** Sets how the work is divided. */
    public Builder batch(BatchOptions options) {
      batch = Objects.requireNonNull(options, "options");
      return this;
    }

    /**
     * Makes the job.
     *
     * @throws IllegalArgumentException if what was said does not go together
     */
    public BatchJob build() {
      return new BatchJob(this);
    }
  }

  /** The files of a job. */
  private record Names(Path target, Path partial, Path journal) {
    static Names of(Path file) throws IOException {
      Path target = Files.exists(file) ? file.toRealPath() : file.toAbsolutePath().normalize();
      if (Files.isDirectory(target)) {
        throw new IllegalArgumentException(
            file + " is a folder, expected the name of a file to write");
      }
      Path folder = target.getParent();
      if (folder == null || !Files.isDirectory(folder)) {
        throw new IllegalArgumentException(
            "there is no folder " + folder + " to write " + file + " in");
      }
      String name = "." + target.getFileName();
      return new Names(
          target, folder.resolve(name + ".partial"), folder.resolve(name + ".journal"));
    }
  }

  /**
   * Answers all records.
   *
   * @param reader where they come from; not closed
   * @param task what is done with them; not closed
   * @param answers how answers are written
   * @param kept the columns that are carried through, before those of the answers; none where the
   *     output is text
   * @param keep returns their values for a record
   * @param listener hears how it goes
   * @return how much was done
   * @throws IOException if reading or writing fails; what is done is kept, see {@link
   *     Builder#resume}
   * @throws InterruptedException if the calling thread is interrupted
   * @throws IllegalArgumentException if columns and format do not go together, the output is there
   *     already, or the job is not the one that is to be resumed
   * @throws io.gatun.batch.BadRecordException if a record is bad and that is to stop the job
   */
  public <R, I, O> JobSummary run(
      RecordReader<R> reader,
      BatchTask<R, I, O> task,
      Answers<O> answers,
      List<Column> kept,
      Function<R, Object[]> keep,
      BatchListener listener)
      throws IOException, InterruptedException {
    boolean asText = format.equals(TableFormats.TEXT);
    if (asText && !kept.isEmpty()) {
      throw new IllegalArgumentException(
          "text has no place for the columns that are to be kept; csv, tsv and jsonl have"
              + " (--output-format)");
    }
    List<Column> columns = new ArrayList<>(kept);
    if (asText) {
      columns.add(new Column("text", ColumnType.TEXT));
    } else {
      columns.addAll(answers.columns());
    }
    Schema schema = new Schema(columns);
    Work<R, I, O> work = new Work<>(reader, task, answers, keep, kept.size(), asText, listener);
    if (pipe != null) {
      return toStream(work, Sink.to(pipeName, pipe), schema);
    }
    if (Files.exists(output) && !Files.isRegularFile(output) && !Files.isDirectory(output)) {
      // A device or a pipe, such as /dev/null, is written as it is.
      try (OutputStream stream = Files.newOutputStream(output)) {
        return toStream(work, Sink.to(output.toString(), stream), schema);
      }
    }
    return toFile(work, schema);
  }

  /** What is the same whatever the output is. */
  private record Work<R, I, O>(
      RecordReader<R> reader,
      BatchTask<R, I, O> task,
      Answers<O> answers,
      Function<R, Object[]> keep,
      int keptColumns,
      boolean asText,
      BatchListener listener) {}

  // ---- to a stream ---------------------------------------------------------------------------

  private <R, I, O> JobSummary toStream(Work<R, I, O> work, Sink sink, Schema schema)
      throws IOException, InterruptedException {
    Names side = errors == null ? null : sideNames(Optional.empty());
    try {
      BatchProgress progress;
      JobWriter<O> writer;
      try (Sink sideSink = side == null ? null : opened(side.partial(), errors, 0)) {
        ChunkedOutput out = new ChunkedOutput(format, compression, sink, true, schema, List.of());
        long[] records = {0};
        JobReader<R> reader = new JobReader<>(work.reader(), from, to);
        JobWriter.Checkpoints chunks =
            (fingerprint, bad) -> {
              records[0]++;
              if (out.chunked && records[0] % chunkRecords == 0) {
                out.endChunk();
              }
            };
        writer = writer(work, out, sideSink, reader, chunks, 0);
        progress = run(work, reader, writer);
        out.endChunk();
        out.finish();
        sink.flush();
        if (sideSink != null) {
          sideSink.force();
        }
      }
      if (side != null) {
        storage.rename(side.partial(), side.target());
      }
      return new JobSummary(progress, 0, writer.bad());
    } catch (Throwable e) {
      if (side != null) {
        discard(side.partial());
      }
      throw e;
    }
  }

  private <R, I, O> JobWriter<O> writer(
      Work<R, I, O> work,
      ChunkedOutput out,
      Sink side,
      JobReader<R> reader,
      JobWriter.Checkpoints checkpoints,
      long bad) {
    return new JobWriter<>(
        work.answers(),
        out,
        work.asText(),
        work.keptColumns(),
        side,
        onError,
        reader,
        work.listener(),
        checkpoints,
        bad);
  }

  private <R, I, O> BatchProgress run(Work<R, I, O> work, JobReader<R> reader, JobWriter<O> writer)
      throws IOException, InterruptedException {
    JobTask<R, I, O> task = new JobTask<>(work.task(), work.keep(), reader);
    return new BatchRun<>(reader, task, writer, batch, work.listener()).run();
  }

  // ---- to a file -----------------------------------------------------------------------------

  private <R, I, O> JobSummary toFile(Work<R, I, O> work, Schema schema)
      throws IOException, InterruptedException {
    Names names = Names.of(output);
    Map<String, String> all = allSettings(schema);
    Optional<Journal.Contents> before = before(names);
    if (before.isEmpty() && resume && !force && storage.exists(names.target())) {
      LOG.log(System.Logger.Level.INFO, "{0} is complete, there is nothing to resume", output);
      return new JobSummary(nothing(), 0, 0);
    }
    if (before.isPresent()) {
      checkSettings(before.get().settings(), all);
    }
    Optional<Names> side = errors == null ? Optional.empty() : Optional.of(sideNames(before));
    if (before.isPresent() && before.get().complete()) {
      Journal.Checkpoint last = before.get().last();
      commit(names, side);
      return new JobSummary(nothing(), last.records(), last.bad());
    }
    Journal.Contents contents = before.orElse(new Journal.Contents(all, List.of(), false, 0));
    Journal.Checkpoint last = contents.last();
    JobReader<R> reader = new JobReader<>(work.reader(), from, to);
    checkInput(reader, last);

    long[] checkpoints = {contents.checkpoints().size()};
    boolean[] held = {false}; // against other processes
    try {
      BatchProgress progress;
      JobWriter<O> writer;
      try (Journal journal =
              before.isPresent()
                  ? Journal.append(storage, names.journal(), contents)
                  : Journal.create(storage, names.journal(), all);
          Sink sink = opened(names.partial(), output, last.output());
          Sink sideSink =
              side.isEmpty() ? null : opened(side.get().partial(), errors, last.errors())) {
        held[0] = true;
        if (before.isEmpty()) {
          storage.syncFolder(folder(names));
          if (side.isPresent()) {
            storage.syncFolder(folder(side.get()));
          }
        }
        List<String> chunks =
            contents.checkpoints().stream().map(Journal.Checkpoint::chunk).toList();
        ChunkedOutput out = new ChunkedOutput(format, compression, sink, false, schema, chunks);
        Checkpointing checkpointing =
            new Checkpointing(journal, out, sink, sideSink, last, checkpoints);
        writer = writer(work, out, sideSink, reader, checkpointing, last.bad());
        progress = run(work, reader, writer);
        checkpointing.finish(writer.bad());
        refuseWhileEnding();
        journal.complete();
      }
      commit(names, side);
      return new JobSummary(progress, last.records(), writer.bad());
    } catch (Throwable e) {
      if (checkpoints[0] == 0 && held[0]) { // nothing to go on from
        discard(names.partial());
        side.ifPresent(it -> discard(it.partial()));
        discard(names.journal());
        throw e;
      }
      if (e instanceof IOException failed && checkpoints[0] > 0) {
        throw new IOException(
            failed.getMessage() + "; what is done is kept, and --resume goes on from there",
            failed);
      }
      throw e;
    }
  }

  private static Path folder(Names names) {
    return names.target().getParent();
  }

  private BatchProgress nothing() {
    Duration none = Duration.ZERO;
    return new BatchProgress(
        0,
        0,
        0,
        0,
        0,
        OptionalLong.empty(),
        none,
        new BatchProgress.Times(batch.workers(), none, none, none));
  }

  /** What an earlier job left, if this one is to go on with it. */
  private Optional<Journal.Contents> before(Names names) throws IOException {
    boolean journal = storage.exists(names.journal());
    if (force && !resume) {
      storage.delete(names.journal());
      storage.delete(names.partial());
      return Optional.empty();
    }
    if (journal && !resume) {
      throw new IllegalArgumentException(
          "an interrupted job left "
              + names.journal()
              + ": --resume goes on with it, --force starts anew");
    }
    Optional<Journal.Contents> contents =
        journal ? Journal.read(storage, names.journal()) : Optional.empty();
    if (contents.isEmpty() && !force && !resume && storage.exists(names.target())) {
      throw new IllegalArgumentException(output + " is there already: --force replaces it");
    }
    return contents;
  }

  private Names sideNames(Optional<Journal.Contents> before) throws IOException {
    Names side = Names.of(errors);
    if (!force && before.isEmpty() && storage.exists(side.target())) {
      throw new IllegalArgumentException(errors + " is there already: --force replaces it");
    }
    return side;
  }

  private Map<String, String> allSettings(Schema schema) {
    Map<String, String> all = new TreeMap<>(settings);
    all.put("output format", format.name());
    all.put("compression", compression == null ? "none" : compression.name());
    if (format.chunked() || compression != null) {
      all.put("records in a chunk", Integer.toString(chunkRecords));
    }
    all.put("columns", schema.columns().toString());
    all.put("records", from + " to " + (to == Long.MAX_VALUE ? "the end" : to));
    all.put("side file", errors == null ? "none" : errors.getFileName().toString());
    return all;
  }

  private void checkSettings(Map<String, String> then, Map<String, String> now) {
    Set<String> names = new TreeSet<>(then.keySet());
    names.addAll(now.keySet());
    for (String name : names) {
      String before = then.getOrDefault(name, "not given");
      String here = now.getOrDefault(name, "not given");
      if (!here.equals(before)) {
        throw new IllegalArgumentException(
            output
                + " was begun with another '"
                + name
                + "': "
                + before
                + ", now "
                + here
                + "; --force without --resume starts anew");
      }
    }
  }

  private void checkInput(JobReader<?> reader, Journal.Checkpoint last) throws IOException {
    long passed = reader.pass(last.records());
    if (passed < last.records()) {
      throw new IOException(
          "the input ends after "
              + passed
              + " records, but "
              + last.records()
              + " of it were answered before: it is not the one that "
              + output
              + " was begun with; --force without --resume starts anew");
    }
    if (reader.fingerprint() != last.fingerprint()) {
      throw new IOException(
          "among the first "
              + passed
              + " records of the input one is not what it was when "
              + output
              + " was begun; --force without --resume starts anew");
    }
  }

  private Sink opened(Path partial, Path shown, long length) throws IOException {
    try {
      return Sink.to(shown.toString(), storage.write(partial, length), length);
    } catch (IOException e) {
      throw new IOException("cannot write " + shown + ": " + e.getMessage(), e);
    }
  }

  /** Ends chunks and notes them, when it is time. */
  private final class Checkpointing implements JobWriter.Checkpoints {
    private final Journal journal;
    private final ChunkedOutput out;
    private final Sink sink;
    private final Sink side;
    private final long[] made;
    private long records;
    private long noted;
    private long fingerprint;
    private long lastNanos = System.nanoTime();

    Checkpointing(
        Journal journal,
        ChunkedOutput out,
        Sink sink,
        Sink side,
        Journal.Checkpoint last,
        long[] made) {
      this.journal = journal;
      this.out = out;
      this.sink = sink;
      this.side = side;
      this.made = made;
      records = last.records();
      noted = records;
      fingerprint = last.fingerprint();
    }

    @Override
    public void after(long soFar, long bad) throws IOException {
      records++;
      fingerprint = soFar;
      if (out.chunked ? records % chunkRecords == 0 : isTime()) {
        make(bad);
      }
    }

    private boolean isTime() {
      return records % checkpointRecords == 0
          && System.nanoTime() - lastNanos >= TimeUnit.MILLISECONDS.toNanos(checkpointMillis);
    }

    private void make(long bad) throws IOException {
      String chunk = out.endChunk();
      sink.force();
      if (side != null) {
        side.force();
      }
      journal.checkpoint(
          new Journal.Checkpoint(
              records,
              bad,
              sink.position(),
              side == null ? 0 : side.position(),
              fingerprint,
              chunk));
      made[0]++;
      noted = records;
      lastNanos = System.nanoTime();
    }

    void finish(long bad) throws IOException {
      if (records > noted || made[0] == 0) {
        make(bad);
      }
      out.finish();
      sink.force();
    }
  }

  /** Ctrl-C also ends whoever writes the input, so its end may be no end at all. */
  private static void refuseWhileEnding() {
    Thread probe = new Thread(() -> {}, "gatun-probe");
    try {
      Runtime.getRuntime().addShutdownHook(probe);
      Runtime.getRuntime().removeShutdownHook(probe);
    } catch (IllegalStateException e) {
      throw new CancellationException("the process is ending");
    }
  }

  /** Gives everything its name; may have happened in part before. */
  private void commit(Names names, Optional<Names> side) throws IOException {
    if (side.isPresent() && storage.exists(side.get().partial())) {
      storage.rename(side.get().partial(), side.get().target());
      storage.syncFolder(folder(side.get()));
    }
    if (storage.exists(names.partial())) {
      storage.rename(names.partial(), names.target());
      storage.syncFolder(folder(names));
    }
    storage.delete(names.journal());
    storage.syncFolder(folder(names));
  }

  private void discard(Path file) {
    try {
      storage.delete(file);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "{0} is left behind: {1}", file, e.getMessage());
    }
  }
}

package io.gatun.batch;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Answers many records: one thread reads ahead and sorts what it read into batches of like lengths,
 * workers answer the batches, and the thread that called {@link #run} writes the answers in the
 * order of the records.
 *
 * <p>Memory is bounded by the window of {@link BatchOptions}: reading waits for writing. While no
 * more input is there, workers answer what has come, so that a person who types a line gets an
 * answer to it. A bad record is reported and left out.
 *
 * <p>How it goes is told to the listener, and to the {@linkplain System.Logger logger} {@code
 * io.gatun.batch}: at the end on the level {@code DEBUG}, between on {@code TRACE}, as the JSON of
 * {@link BatchProgress#toJson()}.
 *
 * <p>A run is used once. {@link #cancel} may be called from any thread.
 *
 * @param <R> what a record is
 * @param <I> what is computed with
 * @param <O> what an answer is
 */
public final class BatchRun<R, I, O> {
  private static final System.Logger LOG = System.getLogger("io.gatun.batch");

  /** A batch for one of several workers is not made smaller than this for the sake of the rest. */
  private static final int LEAST_SHARE_TOKENS = 256;

  private final RecordReader<R> reader;
  private final BatchTask<R, I, O> task;
  private final RecordWriter<O> writer;
  private final BatchOptions options;
  private final BatchListener listener;

  private final ReentrantLock lock = new ReentrantLock();

  /** The window has room again. */
  private final Condition room = lock.newCondition();

  /** There is a batch to take, or no more will come. */
  private final Condition work = lock.newCondition();

  /** The oldest record is answered, or the end is there. */
  private final Condition answered = lock.newCondition();

  // Under the lock.
  private final ArrayDeque<Slot<I, O>> window = new ArrayDeque<>();
  private List<Slot<I, O>> pending = new ArrayList<>();
  private long pendingTokens;
  private long windowTokens;
  private long windowBytes;
  private int windowRecords;
  private final ArrayDeque<List<Slot<I, O>>> batches = new ArrayDeque<>();
  private boolean readerWaits;
  private boolean ended;
  private boolean stopped;
  private boolean cancelled;
  private boolean started;
  private Throwable failure;
  private long nextChunkTokens;
  private long records;
  private long bad;
  private long tokens;
  private long paddedTokens;
  private long bytes;
  private long readNanos;
  private long computeNanos;
  private long writeNanos;

  // Of the thread that reads.
  private long lastOffset;
  private long unreportedReadNanos;

  // Of the thread that runs.
  private long startNanos;
  private long lastProgressNanos;

  /** A record's place in the window. */
  private static final class Slot<I, O> {
    final long number;
    final long bytes;
    Object identity;
    int tokens;
    I item;
    O answer;
    String problem;
    boolean done;

    Slot(long number, long bytes) {
      this.number = number;
      this.bytes = bytes;
    }

    void answer(O value) {
      answer = value;
      item = null;
      done = true;
    }

    void fail(String reason) {
      problem = reason;
      item = null;
      done = true;
    }
  }

  /**
   * Prepares a run.
   *
   * @param reader where records come from; not closed
   * @param task what is done with them; not closed
   * @param writer where answers go; flushed, not closed
   * @param options how work is divided
   * @param listener hears how it goes
   */
  public BatchRun(
      RecordReader<R> reader,
      BatchTask<R, I, O> task,
      RecordWriter<O> writer,
      BatchOptions options,
      BatchListener listener) {
    this.reader = Objects.requireNonNull(reader, "reader");
    this.task = Objects.requireNonNull(task, "task");
    this.writer = Objects.requireNonNull(writer, "writer");
    this.options = Objects.requireNonNull(options, "options");
    this.listener = Objects.requireNonNull(listener, "listener");
    nextChunkTokens = (long) options.workers() * options.batchTokens();
    lastOffset = reader.startOffset();
  }

  /**
   * Answers all records. When it returns or throws, all workers have ended; only a reader that
   * waits for input it cannot be called back from may be left, and its record is dropped.
   *
   * @return how much was done
   * @throws IOException if reading or writing fails
   * @throws InterruptedException if the calling thread is interrupted; the run is given up
   * @throws CancellationException if {@link #cancel} was called
   * @throws IllegalStateException if it ran before
   */
  public BatchProgress run() throws IOException, InterruptedException {
    locked(
        () -> {
          if (started) {
            throw new IllegalStateException("a batch run is used once");
          }
          started = true;
        });
    startNanos = System.nanoTime();
    lastProgressNanos = startNanos;
    Thread reading = new Thread(this::read, "gatun-batch-reader");
    reading.setDaemon(true);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < options.workers(); i++) {
      Thread thread = new Thread(this::work, "gatun-batch-worker-" + (i + 1));
      thread.setDaemon(true);
      threads.add(thread);
    }
    try {
      reading.start();
      threads.forEach(Thread::start);
      write();
    } finally {
      stop();
      awaitEnd(reading, threads);
    }
    rethrowFailure();
    BatchProgress summary = progress();
    listener.progress(summary);
    LOG.log(System.Logger.Level.DEBUG, () -> "batch run: " + summary.toJson());
    return summary;
  }

  /** Ends the run early: what is not written yet is not written. Does nothing after the end. */
  public void cancel() {
    locked(
        () -> {
          cancelled = true;
          stopLocked();
        });
  }

  // ---- reading -------------------------------------------------------------------------------

  private void read() {
    try {
      while (true) {
        long from = System.nanoTime();
        InputRecord<R> record = reader.next(this::beforeWaiting);
        if (record == null) {
          break;
        }
        Slot<I, O> slot = prepare(record);
        unreportedReadNanos += System.nanoTime() - from;
        if (!enter(slot)) {
          return;
        }
      }
    } catch (Throwable e) {
      fail(e);
    } finally {
      locked(
          () -> {
            ended = true;
            readerWaits = false;
            work.signalAll();
            answered.signalAll();
          });
    }
  }

  private void beforeWaiting() {
    locked(
        () -> {
          readerWaits = true;
          work.signalAll();
        });
  }

  private Slot<I, O> prepare(InputRecord<R> record) {
    Slot<I, O> slot = new Slot<>(record.number(), record.endOffset() - lastOffset);
    lastOffset = record.endOffset();
    slot.identity = task.identity(record.value());
    if (record.problem() != null) {
      slot.fail(record.problem());
      return slot;
    }
    I item;
    try {
      item = task.prepare(record.number(), record.value());
    } catch (BadRecordException e) {
      slot.fail(e.getMessage());
      return slot;
    }
    int length = task.tokens(item);
    if (length > options.maxRecordTokens()) {
      slot.fail(length + " tokens, expected at most " + options.maxRecordTokens());
      return slot;
    }
    slot.tokens = length;
    O trivial = task.trivial(item);
    if (trivial != null) {
      slot.answer(trivial);
    } else {
      slot.item = item;
    }
    return slot;
  }

  /** Waits for room and puts the slot into the window; false if the run is over. */
  private boolean enter(Slot<I, O> slot) throws InterruptedException {
    lock.lock();
    try {
      while (!stopped && isFull(slot)) {
        // What waits for room can only come once workers took what is here.
        readerWaits = true;
        work.signalAll();
        room.await();
      }
      readerWaits = false;
      if (stopped) {
        return false;
      }
      readNanos += unreportedReadNanos;
      unreportedReadNanos = 0;
      window.addLast(slot);
      windowRecords++;
      windowTokens += slot.tokens;
      windowBytes += slot.bytes;
      if (!slot.done) {
        pending.add(slot);
        pendingTokens += slot.tokens;
        if (pending.size() >= (options.windowRecords() + 1) / 2
            || pendingTokens >= Math.min(nextChunkTokens, options.windowTokens() / 2)
            || windowBytes >= options.windowBytes() / 2) {
          // The first answers come soon; later on, more records make more even batches.
          nextChunkTokens = Math.min(2 * nextChunkTokens, options.windowTokens());
          cut();
          work.signalAll();
        }
      } else {
        count(slot);
        if (window.peekFirst() == slot) {
          answered.signal();
        }
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  private void count(Slot<I, O> slot) {
    records++;
    tokens += slot.tokens;
    bytes += slot.bytes;
    if (slot.problem != null) {
      bad++;
    }
  }

  private boolean isFull(Slot<I, O> slot) {
    return windowRecords > 0
        && (windowRecords >= options.windowRecords()
            || windowTokens + slot.tokens > options.windowTokens()
            || windowBytes + slot.bytes > options.windowBytes());
  }

  /** Sorts what is pending, like beside like, and cuts it into batches. */
  private void cut() {
    if (pending.isEmpty()) {
      return;
    }
    // The sort is stable, so the same input makes the same batches.
    pending.sort((a, b) -> task.compare(a.item, b.item));
    // Few records for many workers are shared out evenly.
    long share = (pendingTokens + options.workers() - 1) / options.workers();
    long limit = Math.min(options.batchTokens(), Math.max(share, LEAST_SHARE_TOKENS));
    batches.addAll(Batches.cut(pending, slot -> slot.tokens, limit, options.batchRecords()));
    pending = new ArrayList<>();
    pendingTokens = 0;
  }

  // ---- working -------------------------------------------------------------------------------

  private void work() {
    BatchTask.Worker<I, O> worker = null;
    try {
      List<Slot<I, O>> batch = take();
      while (batch != null) {
        if (worker == null) {
          worker = task.newWorker();
        }
        answer(worker, batch);
        batch = take();
      }
    } catch (Throwable e) {
      fail(e);
    } finally {
      if (worker != null) {
        close(worker);
      }
    }
  }

  private void close(BatchTask.Worker<I, O> worker) {
    try {
      worker.close();
    } catch (Throwable e) {
      fail(e);
    }
  }

  private List<Slot<I, O>> take() throws InterruptedException {
    lock.lock();
    try {
      while (!stopped) {
        if (batches.isEmpty() && (readerWaits || ended)) {
          cut();
          if (batches.size() > 1) {
            work.signalAll();
          }
        }
        if (!batches.isEmpty()) {
          return batches.removeFirst();
        }
        if (ended) {
          return null;
        }
        work.await();
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void answer(BatchTask.Worker<I, O> worker, List<Slot<I, O>> batch) {
    List<I> items = new ArrayList<>(batch.size());
    for (Slot<I, O> slot : batch) {
      items.add(slot.item);
    }
    List<O> answers;
    long from = System.nanoTime();
    try {
      answers = worker.run(items);
    } catch (BadRecordException e) {
      if (batch.size() > 1) {
        for (Slot<I, O> slot : batch) {
          answer(worker, List.of(slot));
        }
      } else {
        finish(batch, null, e.getMessage(), System.nanoTime() - from);
      }
      return;
    }
    long nanos = System.nanoTime() - from;
    if (answers.size() != batch.size()) {
      throw new IllegalStateException(
          "a worker gave " + answers.size() + " answers to " + batch.size() + " records");
    }
    finish(batch, answers, null, nanos);
  }

  private void finish(List<Slot<I, O>> batch, List<O> answers, String problem, long nanos) {
    int longest = 0;
    for (Slot<I, O> slot : batch) {
      longest = Math.max(longest, slot.tokens);
    }
    long padded = (long) longest * batch.size();
    locked(
        () -> {
          computeNanos += nanos;
          paddedTokens += padded;
          for (int i = 0; i < batch.size(); i++) {
            if (answers == null) {
              batch.get(i).fail(problem);
            } else {
              batch.get(i).answer(Objects.requireNonNull(answers.get(i), "a worker's answer"));
            }
            count(batch.get(i));
          }
          Slot<I, O> head = window.peekFirst();
          if (head != null && head.done) {
            answered.signal();
          }
        });
  }

  // ---- writing -------------------------------------------------------------------------------

  private void write() throws IOException, InterruptedException {
    List<Slot<I, O>> ready = new ArrayList<>();
    while (awaitAnswers(ready)) {
      long writtenTokens = 0;
      long writtenBytes = 0;
      long from = System.nanoTime();
      for (Slot<I, O> slot : ready) {
        writtenTokens += slot.tokens;
        writtenBytes += slot.bytes;
        if (slot.problem == null) {
          writer.write(slot.number, slot.identity, slot.answer);
        } else {
          listener.bad(slot.number, reader.place(slot.number), slot.problem);
          writer.skip(slot.number, slot.identity, slot.problem);
        }
        slot.answer = null; // the others still hold the list
        slot.identity = null;
        if (options.progressMillis() > 0) { // writing all of them may take long
          reportProgress();
        }
      }
      leave(ready.size(), writtenTokens, writtenBytes, System.nanoTime() - from);
      ready.clear();
      reportProgress();
    }
    writer.flush();
  }

  private void leave(int count, long tokenCount, long byteCount, long nanos) {
    locked(
        () -> {
          writeNanos += nanos;
          windowRecords -= count;
          windowTokens -= tokenCount;
          windowBytes -= byteCount;
          room.signal();
        });
  }

  /** Waits for answers to the oldest records and takes them out; false at the end. */
  private boolean awaitAnswers(List<Slot<I, O>> ready) throws IOException, InterruptedException {
    boolean flushed = false;
    while (true) {
      boolean tick = false;
      lock.lockInterruptibly();
      try {
        while (true) {
          if (stopped) {
            throwFailure();
          }
          takeAnswered(ready);
          if (!ready.isEmpty()) {
            return true;
          }
          if (ended && window.isEmpty()) {
            return false;
          }
          if (!flushed || tick) {
            break;
          }
          if (options.progressMillis() == 0) {
            answered.await();
          } else {
            tick = !answered.await(options.progressMillis(), TimeUnit.MILLISECONDS);
          }
        }
      } finally {
        lock.unlock();
      }
      if (!flushed) {
        // Whoever reads the output need not wait for what is not answered yet.
        writer.flush();
        flushed = true;
      }
      if (tick) {
        reportProgress();
      }
    }
  }

  private void takeAnswered(List<Slot<I, O>> ready) {
    Slot<I, O> head = window.peekFirst();
    while (head != null && head.done) {
      ready.add(window.removeFirst());
      head = window.peekFirst();
    }
  }

  private void reportProgress() {
    long now = System.nanoTime();
    if (now - lastProgressNanos >= options.progressMillis() * 1_000_000L) {
      lastProgressNanos = now;
      BatchProgress progress = progress();
      listener.progress(progress);
      LOG.log(System.Logger.Level.TRACE, () -> "batch run goes on: " + progress.toJson());
    }
  }

  private BatchProgress progress() {
    lock.lock();
    try {
      return new BatchProgress(
          records,
          bad,
          tokens,
          paddedTokens,
          bytes,
          remainingSize(),
          Duration.ofNanos(System.nanoTime() - startNanos),
          new BatchProgress.Times(
              options.workers(),
              Duration.ofNanos(readNanos),
              Duration.ofNanos(computeNanos),
              Duration.ofNanos(writeNanos)));
    } finally {
      lock.unlock();
    }
  }

  /** The size of what is read here, which may begin in the middle of the input. */
  private OptionalLong remainingSize() {
    OptionalLong size = reader.size();
    return size.isEmpty()
        ? size
        : OptionalLong.of(Math.max(0, size.getAsLong() - reader.startOffset()));
  }

  // ---- ending --------------------------------------------------------------------------------

  private void fail(Throwable thrown) {
    locked(
        () -> {
          if (failure == null && !stopped) {
            failure = thrown;
          } else if (failure != null && !failure.equals(thrown)) {
            failure.addSuppressed(thrown);
          }
          stopLocked();
        });
  }

  private void stop() {
    locked(this::stopLocked);
  }

  private void stopLocked() {
    stopped = true;
    room.signalAll();
    work.signalAll();
    answered.signalAll();
  }

  private void awaitEnd(Thread reading, List<Thread> threads) {
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    // A reader in the middle of a line ends by itself; one that waits for input may never.
    while (reading.isAlive() && !readerIsWaiting()) {
      try {
        reading.join(10);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean readerIsWaiting() {
    lock.lock();
    try {
      return readerWaits;
    } finally {
      lock.unlock();
    }
  }

  private void rethrowFailure() throws IOException {
    lock.lock();
    try {
      throwFailure();
    } finally {
      lock.unlock();
    }
  }

  private void throwFailure() throws IOException {
    if (failure instanceof IOException e) {
      throw e;
    } else if (failure instanceof RuntimeException e) {
      throw e;
    } else if (failure instanceof Error e) {
      throw e;
    } else if (failure != null) {
      throw new IllegalStateException("a batch run was interrupted", failure);
    } else if (cancelled) {
      throw new CancellationException("the batch run was cancelled");
    }
  }

  private void locked(Runnable action) {
    lock.lock();
    try {
      action.run();
    } finally {
      lock.unlock();
    }
  }
}

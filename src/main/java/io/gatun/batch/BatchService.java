package io.gatun.batch;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Answers single records that come from many threads, as a service does: those that come within a
 * short time are computed together, on threads of its own.
 *
 * <pre>{@code
 * try (BatchService<String, Sentence, Translation> service =
 *     new BatchService<>(
 *         translator.translation(translator.options().build()),
 *         BatchOptions.builder().workers(2).build(),
 *         Duration.ofMillis(5),
 *         10_000)) {
 *   CompletableFuture<Translation> answer = service.submit("hello"); // from any thread
 * }
 * }</pre>
 *
 * <p>A batch is begun when it is full by {@link BatchOptions#batchTokens()} or {@link
 * BatchOptions#batchRecords()}, or when the record that waits longest has waited for {@code
 * maxDelay}. An answer does not depend on the records it was computed with. A future that is
 * cancelled before its batch is begun is not computed.
 *
 * <p>Thread-safe. The task is not closed.
 *
 * @param <R> what a record is
 * @param <I> what is computed with
 * @param <O> what an answer is
 */
public final class BatchService<R, I, O> implements AutoCloseable {
  private final BatchTask<R, I, O> task;
  private final BatchOptions options;
  private final long maxDelayNanos;
  private final int maxWaiting;

  private final ReentrantLock lock = new ReentrantLock();

  /** There is something to do, or nothing more will come. */
  private final Condition work = lock.newCondition();

  /** Fewer are waiting. */
  private final Condition room = lock.newCondition();

  // Under the lock.
  private final ArrayDeque<Waiting<I, O>> waiting = new ArrayDeque<>();
  private long waitingTokens;
  private long number;
  private boolean closed;

  private final List<Thread> threads = new ArrayList<>();

  /** A record that waits to be computed. */
  private record Waiting<I, O>(I item, int tokens, long sinceNanos, CompletableFuture<O> future) {}

  /**
   * Starts a service.
   *
   * @param task what is done with each record; its numbers are those of the order in which records
   *     came
   * @param options how many threads compute, and how large a batch is
   * @param maxDelay how long a record waits for others at most, while a thread is free
   * @param maxWaiting how many records wait at most; who comes then, waits to be let in
   * @throws IllegalArgumentException if the time is negative or nobody may wait
   */
  public BatchService(
      BatchTask<R, I, O> task, BatchOptions options, Duration maxDelay, int maxWaiting) {
    this.task = Objects.requireNonNull(task, "task");
    this.options = Objects.requireNonNull(options, "options");
    if (maxDelay.isNegative()) {
      throw new IllegalArgumentException(
          "the longest delay is " + maxDelay + ", expected 0 or more");
    }
    if (maxWaiting < 1) {
      throw new IllegalArgumentException(
          "the number of waiting records is " + maxWaiting + ", expected at least 1");
    }
    maxDelayNanos = maxDelay.toNanos();
    this.maxWaiting = maxWaiting;
    for (int i = 0; i < options.workers(); i++) {
      Thread thread = new Thread(this::serve, "gatun-service-" + (i + 1));
      thread.setDaemon(true);
      threads.add(thread);
    }
    threads.forEach(Thread::start);
  }

  /**
   * Asks for the answer to a record.
   *
   * @param record the record; it is prepared on the calling thread
   * @return its answer; fails with a {@link BadRecordException} where it has none; may be cancelled
   * @throws InterruptedException if the calling thread is interrupted while it waits to be let in
   * @throws RejectedExecutionException if the service is closed
   */
  public CompletableFuture<O> submit(R record) throws InterruptedException {
    CompletableFuture<O> future = new CompletableFuture<>();
    long its;
    lock.lock();
    try {
      its = ++number;
    } finally {
      lock.unlock();
    }
    I item;
    int tokens;
    O trivial;
    try {
      item = task.prepare(its, record);
      tokens = task.tokens(item);
      if (tokens > options.maxRecordTokens()) {
        throw new BadRecordException(
            tokens + " tokens, expected at most " + options.maxRecordTokens());
      }
      trivial = task.trivial(item);
    } catch (BadRecordException e) {
      future.completeExceptionally(e);
      return future;
    }
    if (trivial != null) {
      future.complete(trivial);
      return future;
    }
    lock.lockInterruptibly();
    try {
      while (!closed && waiting.size() >= maxWaiting) {
        room.await();
      }
      if (closed) {
        throw new RejectedExecutionException("the service is closed");
      }
      waiting.addLast(new Waiting<>(item, tokens, System.nanoTime(), future));
      waitingTokens += tokens;
      work.signal();
    } finally {
      lock.unlock();
    }
    return future;
  }

  /**
   * Asks for the answer to a record and waits for it.
   *
   * @param record the record
   * @return its answer
   * @throws BadRecordException if it has none
   * @throws InterruptedException if the calling thread is interrupted; the record is then cancelled
   * @throws RejectedExecutionException if the service is closed
   */
  public O call(R record) throws InterruptedException {
    return await(submit(record));
  }

  private static <O> O await(CompletableFuture<O> future) throws InterruptedException {
    try {
      return future.get();
    } catch (InterruptedException e) {
      future.cancel(false);
      throw e;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof BadRecordException bad) {
        throw new BadRecordException(bad.getMessage(), bad);
      }
      throw new CompletionException(e.getCause());
    }
  }

  /**
   * Answers the records of an iterator, in their order, a bounded number of them ahead of whoever
   * asks for the answers.
   *
   * @param records the records; asked for on the thread that asks for answers
   * @param ahead how many are computed ahead at most
   * @return the answers; {@code next} throws {@link BadRecordException} in the place of one that is
   *     not there, and can be called again
   */
  public Iterator<O> answers(Iterator<? extends R> records, int ahead) {
    if (ahead < 1) {
      throw new IllegalArgumentException("ahead is " + ahead + ", expected at least 1");
    }
    ArrayDeque<CompletableFuture<O>> asked = new ArrayDeque<>();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return !asked.isEmpty() || records.hasNext();
      }

      @Override
      public O next() {
        try {
          while (asked.size() < ahead && records.hasNext()) {
            asked.addLast(submit(records.next()));
          }
          if (asked.isEmpty()) {
            throw new NoSuchElementException();
          }
          return await(asked.removeFirst());
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          asked.forEach(each -> each.cancel(false));
          throw new CompletionException("interrupted", e);
        }
      }
    };
  }

  private void serve() {
    BatchTask.Worker<I, O> worker = null;
    try {
      for (List<Waiting<I, O>> batch = take(); batch != null; batch = take()) {
        try {
          if (worker == null) {
            worker = task.newWorker();
          }
          answer(worker, batch);
        } catch (
            Throwable e) { // whatever it is, those who wait hear of it and the others are served
          batch.forEach(each -> each.future().completeExceptionally(e));
          BatchTask.Worker<I, O> broken = worker;
          worker = null;
          if (broken != null) {
            broken.close();
          }
        }
      }
    } finally {
      if (worker != null) {
        worker.close();
      }
    }
  }

  /** Waits for a batch; null at the end. */
  private List<Waiting<I, O>> take() {
    lock.lock();
    try {
      while (true) {
        while (!waiting.isEmpty() && waiting.peekFirst().future().isDone()) {
          remove();
        }
        if (waiting.isEmpty()) {
          if (closed) {
            return null;
          }
          work.awaitUninterruptibly();
          continue;
        }
        long left = maxDelayNanos - (System.nanoTime() - waiting.peekFirst().sinceNanos());
        boolean full =
            waiting.size() >= options.batchRecords() || waitingTokens >= options.batchTokens();
        if (closed || full || left <= 0) {
          return cut();
        }
        try {
          work.awaitNanos(left);
        } catch (InterruptedException e) {
          return cut(); // these threads are nobody else's, and end with close alone
        }
      }
    } finally {
      lock.unlock();
    }
  }

  private Waiting<I, O> remove() {
    Waiting<I, O> first = waiting.removeFirst();
    waitingTokens -= first.tokens();
    room.signal();
    return first;
  }

  /** Takes those that came first, up to a full batch, and puts like beside like. */
  private List<Waiting<I, O>> cut() {
    List<Waiting<I, O>> batch = new ArrayList<>();
    int longest = 0;
    while (!waiting.isEmpty() && batch.size() < options.batchRecords()) {
      longest = Math.max(longest, waiting.peekFirst().tokens());
      if (!batch.isEmpty() && (batch.size() + 1L) * longest > options.batchTokens()) {
        break;
      }
      Waiting<I, O> next = remove();
      if (!next.future().isDone()) {
        batch.add(next);
      }
    }
    if (!waiting.isEmpty()) {
      work.signal();
    }
    batch.sort((a, b) -> task.compare(a.item(), b.item()));
    return batch;
  }

  private void answer(BatchTask.Worker<I, O> worker, List<Waiting<I, O>> batch) {
    if (batch.isEmpty()) {
      return;
    }
    List<O> answers;
    try {
      answers = worker.run(batch.stream().map(Waiting::item).toList());
    } catch (BadRecordException e) {
      if (batch.size() == 1) {
        batch.get(0).future().completeExceptionally(e);
      } else {
        batch.forEach(each -> answer(worker, List.of(each)));
      }
      return;
    }
    for (int i = 0; i < batch.size(); i++) {
      batch.get(i).future().complete(answers.get(i));
    }
  }

  /** Ends the service: lets nobody in any more, and returns when those who wait have answers. */
  @Override
  public void close() {
    close(false);
  }

  /** Ends the service at once: who waits is cancelled, what is being computed is not waited for. */
  public void cancel() {
    close(true);
  }

  private void close(boolean now) {
    List<CompletableFuture<O>> cancelled = new ArrayList<>();
    lock.lock();
    try {
      closed = true;
      if (now) {
        waiting.forEach(each -> cancelled.add(each.future()));
        waiting.clear();
        waitingTokens = 0;
      }
      work.signalAll();
      room.signalAll();
    } finally {
      lock.unlock();
    }
    cancelled.forEach(each -> each.cancel(false));
    if (now) {
      return;
    }
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive() && thread != Thread.currentThread()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

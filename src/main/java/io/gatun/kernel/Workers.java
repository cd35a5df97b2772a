package io.gatun.kernel;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads for the operations of a CPU device, sized and closed by the caller. The thread that calls
 * {@link #run} works along, so {@code new Workers(n)} starts n − 1 threads. They are daemons, wait
 * parked, and cost nothing while idle.
 *
 * <p>Thread-safe: if two threads run at once, the one that comes second does its parts alone, and
 * so does a part that runs something itself.
 *
 * <pre>{@code
 * try (Workers workers = new Workers(4)) {
 *   workers.run(rows, (row, worker) -> normalise(row, scratch[worker]));
 * }
 * }</pre>
 */
public final class Workers implements AutoCloseable {

  /** A piece of work that falls into parts, each done once, by any thread, in any order. */
  public interface Task {
    /**
     * Does one part.
     *
     * @param part from 0 to parts − 1
     * @param worker which of the {@link Workers#size()} threads does it, for scratch memory; no two
     *     threads of one {@link Workers#run} have the same
     */
    void run(int part, int worker);
  }

  private static final Workers NONE = new Workers(1);

  /** How often a waiting thread looks again before it parks: some tens of microseconds. */
  private static final int SPINS = 1_000;

  private final Thread[] threads;

  /** Counts the runs each thread has been called to; the thread waits for its own to change. */
  private final AtomicInteger[] calls;

  private final int spins;

  /** Held by whoever's task the threads work on, and for good by {@link #close}. */
  private final Semaphore turn = new Semaphore(1);

  /** The next part that nobody has taken; beyond all parts once one has failed. */
  private final AtomicLong next = new AtomicLong();

  /** How many of the threads called have not finished. */
  private final AtomicInteger pending = new AtomicInteger();

  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  // Written before the call that a thread sees, so it sees these too.
  private Task task;
  private int parts;
  private Thread caller;

  private final AtomicBoolean closing = new AtomicBoolean();
  private volatile boolean closed;

  /**
   * Starts the threads.
   *
   * @param size how many threads work, the caller's included; at least 1
   * @throws IllegalArgumentException if it is less
   * @throws OutOfMemoryError if the system has no more threads; then none is left
   */
  public Workers(int size) {
    if (size < 1) {
      throw new IllegalArgumentException(size + " workers, expected at least 1");
    }
    // With fewer cores than threads, one that looks again takes the time of one that works.
    spins = size <= Runtime.getRuntime().availableProcessors() ? SPINS : 0;
    threads = new Thread[size - 1];
    calls = new AtomicInteger[size - 1];
    for (int i = 0; i < threads.length; i++) {
      int index = i;
      calls[i] = new AtomicInteger();
      threads[i] = new Thread(() -> serve(index), "gatun-worker-" + (i + 1));
      threads[i].setDaemon(true);
    }
    try {
      for (Thread thread : threads) {
        thread.start();
      }
    } catch (RuntimeException | Error e) {
      // The system has no more threads: those that have begun must not wait for ever.
      close();
      throw e;
    }
  }

  /** No threads: everything runs on the calling thread. Closing it does nothing. */
  public static Workers none() {
    return NONE;
  }

  /** How many threads work, the caller's included. */
  public int size() {
    return threads.length + 1;
  }

  /**
   * Does all parts of a task and returns when they are done. If a part throws, parts that nobody
   * has begun are left out, and what it threw is thrown here after the others have ended; what more
   * of them threw is added to it as suppressed.
   *
   * @param count the number of parts; none if it is 0
   * @param work what does them
   * @throws IllegalStateException if the workers are closed
   */
  public void run(int count, Task work) {
    if (closed) {
      throw new IllegalStateException("the workers are closed");
    }
    if (count <= 1 || threads.length == 0 || !turn.tryAcquire()) {
      for (int part = 0; part < count; part++) {
        work.run(part, 0);
      }
      return;
    }
    Throwable thrown;
    try {
      thrown = share(count, work);
    } finally {
      turn.release();
    }
    if (thrown != null) {
      rethrow(thrown);
    }
  }

  private Throwable share(int count, Task work) {
    int called = Math.min(threads.length, count - 1);
    task = work;
    parts = count;
    caller = Thread.currentThread();
    next.set(0);
    pending.set(called);
    for (int i = 0; i < called; i++) {
      calls[i].incrementAndGet();
      LockSupport.unpark(threads[i]);
    }
    work(0);
    boolean interrupted = false;
    for (int looked = 0; pending.get() > 0; looked++) {
      if (looked < spins) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        // Parking returns at once while the interrupt stands.
        interrupted |= Thread.interrupted();
      }
    }
    task = null;
    caller = null;
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return failure.getAndSet(null);
  }

  private void work(int worker) {
    try {
      long end = parts;
      for (long part = next.getAndIncrement(); part < end; part = next.getAndIncrement()) {
        task.run((int) part, worker);
      }
    } catch (Throwable e) {
      next.set(parts);
      Throwable first = failure.compareAndExchange(null, e);
      if (first != null && !first.equals(e)) {
        first.addSuppressed(e);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> void rethrow(Throwable thrown) throws E {
    // A task declares nothing, but code compiled elsewhere may throw anything.
    throw (E) thrown;
  }

  private void serve(int index) {
    int answered = 0;
    while (true) {
      for (int looked = 0; calls[index].get() == answered; looked++) {
        if (closed) {
          return;
        }
        if (looked < spins) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
          // An interrupt means nothing here, but parking would return at once for ever.
          Thread.interrupted();
        }
      }
      answered++;
      work(index + 1);
      Thread waiting = caller;
      if (pending.decrementAndGet() == 0) {
        LockSupport.unpark(waiting);
      }
    }
  }

  /**
   * Ends the threads; they are gone when it returns. Waits for a task in progress to end, so a task
   * must not close its own workers. Closing twice does nothing.
   */
  @Override
  public void close() {
    if (this == NONE) {
      return;
    }
    if (closing.compareAndSet(false, true)) {
      // The turn is never given back: a run that is past its check does its parts alone.
      turn.acquireUninterruptibly();
      closed = true;
    }
    boolean interrupted = false;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
      while (thread.isAlive()) {
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

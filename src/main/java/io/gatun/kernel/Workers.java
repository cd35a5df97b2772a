package io.gatun.kernel;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads for the operations of a CPU device, sized and closed by the caller. The thread that calls
 * {@link #run} works along, so {@code new Workers(n)} starts n − 1 threads. They are daemons, wait
 * parked, and cost nothing while idle.
 *
 * <p>Thread-safe: if two threads run at once, the one that comes second does its parts alone.
 */
public final class Workers implements AutoCloseable {

  /** A piece of work that falls into parts, each done once, by any thread, in any order. */
  public interface Task {
    /**
     * Does one part.
     *
     * @param part from 0 to parts − 1
     * @param worker which of the {@link Workers#size()} threads does it, for scratch memory
     */
    void run(int part, int worker);
  }

  private static final Workers NONE = new Workers(1);

  /** How often a waiting thread looks again before it parks: a few microseconds. */
  private static final int SPINS = 2_000;

  private final Thread[] threads;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger pending = new AtomicInteger();
  private final AtomicInteger busy = new AtomicInteger();
  private Task task;
  private int parts;
  private Thread caller;
  private volatile int epoch;
  private volatile Throwable failure;
  private volatile boolean closed;

  /**
   * Starts the threads.
   *
   * @param size how many threads work, the caller's included; at least 1
   */
  public Workers(int size) {
    if (size < 1) {
      throw new IllegalArgumentException(size + " workers, expected at least 1");
    }
    threads = new Thread[size - 1];
    for (int i = 0; i < threads.length; i++) {
      int worker = i + 1;
      threads[i] = new Thread(() -> serve(worker), "gatun-worker-" + worker);
      threads[i].setDaemon(true);
      threads[i].start();
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
   * Does all parts of a task and returns when they are done. What one part throws is thrown here
   * after the others have ended.
   */
  @SuppressWarnings("NonAtomicVolatileUpdate") // only whoever won `busy` writes the epoch
  public void run(int count, Task work) {
    if (closed) {
      throw new IllegalStateException("the workers are closed");
    }
    if (count <= 1 || threads.length == 0 || !busy.compareAndSet(0, 1)) {
      for (int part = 0; part < count; part++) {
        work.run(part, 0);
      }
      return;
    }
    try {
      task = work;
      parts = count;
      caller = Thread.currentThread();
      failure = null;
      next.set(0);
      pending.set(threads.length);
      epoch++;
      for (Thread thread : threads) {
        LockSupport.unpark(thread);
      }
      work(0);
      for (int spins = 0; pending.get() > 0; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      Throwable thrown = failure;
      task = null;
      caller = null;
      if (thrown instanceof RuntimeException e) {
        throw e;
      }
      if (thrown instanceof Error e) {
        throw e;
      }
    } finally {
      busy.set(0);
    }
  }

  private void work(int worker) {
    try {
      for (int part = next.getAndIncrement(); part < parts; part = next.getAndIncrement()) {
        task.run(part, worker);
      }
    } catch (Throwable e) {
      failure = e;
      next.set(parts);
    }
  }

  private void serve(int worker) {
    int seen = 0;
    while (true) {
      for (int spins = 0; epoch == seen && !closed; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      if (closed) {
        return;
      }
      seen = epoch;
      work(worker);
      Thread waiting = caller;
      if (pending.decrementAndGet() == 0) {
        LockSupport.unpark(waiting);
      }
    }
  }

  /** Ends the threads; they are gone when it returns. */
  @Override
  public void close() {
    if (this == NONE || closed) {
      return;
    }
    closed = true;
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

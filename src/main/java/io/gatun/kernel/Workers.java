package io.gatun.kernel;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads for the operations of a CPU device, sized and closed by the caller. The thread that calls
 * {@link #run} works along, so {@code new Workers(n)} starts n − 1 threads. They are daemons, wait
 * parked, and cost nothing while idle: one that has nothing more to do looks for some tens of
 * microseconds whether more comes, and parks.
 *
 * <p>Thread-safe: if two threads run at once, the one that comes second does its parts alone, and
 * so does a part that runs something itself.
 *
 * <pre>{@code
 * try (Workers workers = new Workers(4)) {
 *   workers.run(rows, (row, worker) -> normalise(row, scratch[worker]));
 * }
 * }</pre>
 *
 * <p>Where parts depend on each other, and so often that a {@link #run} for each of them would cost
 * more than the work, a {@link #together team} goes through them in {@linkplain Team#round rounds}.
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

  /** A piece of work that threads do round by round, each round reading what the last one wrote. */
  public interface TeamTask {
    /**
     * Goes through all {@linkplain Team#round rounds}. Not every member need be run: what it would
     * have done is done by the others.
     *
     * @param member from 0 to the {@link Team#size size} of the team − 1, each on a thread of its
     *     own; 0 is the thread that called
     * @param team the members
     */
    void run(int member, Team team);
  }

  private static final Workers NONE = new Workers(1);

  /** How often a waiting thread looks again before it parks: some tens of microseconds. */
  static final int SPINS = 1_000;

  // What a thread is at. Only the caller calls, and takes a call back that was not heard yet; only
  // the thread goes to work, and comes to rest.
  private static final int RESTING = 0;
  private static final int CALLED = 1;
  private static final int WORKING = 2;

  /** Between two threads' numbers, so that they are not in the same cache line. */
  static final int APART = 32;

  private final Thread[] threads;

  /** What each thread is at, {@link #APART} from each other. */
  private final AtomicIntegerArray states;

  private final int spins;

  /** Held by whoever's task the threads work on, and for good by {@link #close}. */
  private final Semaphore turn = new Semaphore(1);

  /** The next part that nobody has taken; beyond all parts once one has failed. */
  private final AtomicLong next = new AtomicLong();

  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  // Written before the call that a thread sees, so it sees these too.
  private Task task;
  private int parts;
  private TeamTask joint;
  private final Team team;

  /** Who waits for the threads to come to rest, once it has stopped looking. */
  private volatile Thread waiting;

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
    states = new AtomicIntegerArray((size + 1) * APART);
    team = new Team(threads, spins);
    for (int i = 0; i < threads.length; i++) {
      int index = i;
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
    checkOpen();
    if (count <= 1 || !takeTurn()) {
      for (int part = 0; part < count; part++) {
        work.run(part, 0);
      }
      return;
    }
    Throwable thrown;
    try {
      task = work;
      parts = count;
      next.set(0);
      thrown = share(Math.min(threads.length, count - 1));
      task = null;
    } finally {
      turn.release();
    }
    if (thrown != null) {
      rethrow(thrown);
    }
  }

  /**
   * Does a piece of work with a team of threads, and returns when it is done and no member is at
   * work any more. If one throws, the others are let go at their next round, and what it threw is
   * thrown here.
   *
   * @param most how many members are of use; the team has as many where there are so many threads,
   *     and one, the caller, where they are at work already
   * @param work what each member does
   * @throws IllegalStateException if the workers are closed
   */
  public void together(int most, TeamTask work) {
    checkOpen();
    if (most <= 1 || !takeTurn()) {
      work.run(0, Team.ALONE);
      return;
    }
    Throwable thrown;
    try {
      joint = work;
      team.begin(Math.min(most, size()));
      thrown = share(team.size() - 1);
      joint = null;
    } finally {
      turn.release();
    }
    if (thrown != null) {
      rethrow(thrown);
    }
  }

  /** Whether the threads are there for the caller; it gives the turn back. */
  private boolean takeTurn() {
    // Who wants to close them waits for the turn, and would never get it from one that runs again
    // and again.
    return threads.length > 0 && !closing.get() && turn.tryAcquire();
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the workers are closed");
    }
  }

  /**
   * Calls threads, works along, and waits until they rest. One that has not come when the work is
   * done need not come any more.
   *
   * @param called how many
   */
  private Throwable share(int called) {
    for (int i = 0; i < called; i++) {
      states.set(state(i), CALLED);
      LockSupport.unpark(threads[i]);
    }
    work(0);
    boolean interrupted = false;
    for (int i = 0; i < called; i++) {
      if (states.compareAndSet(state(i), CALLED, RESTING)) {
        continue;
      }
      for (int looked = 0; states.get(state(i)) != RESTING; looked++) {
        if (looked < spins) {
          Thread.onSpinWait();
        } else if (waiting == null) {
          // Once more before it parks: who comes to rest from now on sees it waiting.
          waiting = Thread.currentThread();
        } else {
          LockSupport.park(this);
          // Parking returns at once while the interrupt stands.
          interrupted |= Thread.interrupted();
        }
      }
      waiting = null;
    }
    if (team.interrupted() || interrupted) {
      Thread.currentThread().interrupt();
    }
    return failure.getAndSet(null);
  }

  /** Where the state of a thread lies. */
  private static int state(int thread) {
    return (thread + 1) * APART;
  }

  private void work(int worker) {
    TeamTask shared = joint;
    try {
      if (shared != null) {
        shared.run(worker, team);
        team.leave(worker);
        return;
      }
      long end = parts;
      for (long part = next.getAndIncrement(); part < end; part = next.getAndIncrement()) {
        task.run((int) part, worker);
      }
    } catch (Throwable e) {
      if (shared == null) {
        next.set(parts);
      } else {
        team.fail(worker);
        if (e.equals(Team.LET_GO)) {
          return;
        }
      }
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
    int state = state(index);
    while (true) {
      for (int looked = 0; !states.compareAndSet(state, CALLED, WORKING); ) {
        // Looking is cheaper than trying.
        for (; states.get(state) != CALLED; looked++) {
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
      }
      work(index + 1);
      states.set(state, RESTING);
      Thread caller = waiting;
      if (caller != null) {
        LockSupport.unpark(caller);
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

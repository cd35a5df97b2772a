package io.gatun.kernel;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads that do a {@link Workers.TeamTask} together, round by round. A round has a share for
 * each member, and ends when all shares are done; where all members run, its end costs a fraction
 * of a microsecond. The share of a member that has not come, because its thread is not awake yet or
 * another process has its core, is done by one that waits for it. So a round is held up only by a
 * member that lost its core in the midst of a share.
 */
public final class Team {
  /** Thrown to members that wait for one that has failed; it carries no trace, so one is enough. */
  @SuppressWarnings("StaticAssignmentOfThrowable")
  static final RuntimeException LET_GO = new LetGo();

  /** A team of one. */
  static final Team ALONE = new Team(new Thread[0], 0);

  /** How often a member looks for another one's share before it asks whether that was begun. */
  private static final int PATIENCE = 50;

  /** How long a member sleeps that waits for a share which takes that long; nanoseconds. */
  private static final long NAP = 500_000;

  /** Shares that take longer are worth waking somebody for when they are done; nanoseconds. */
  private static final long LONG_SHARE = 50_000;

  private static final class LetGo extends RuntimeException {
    private static final long serialVersionUID = 1;

    LetGo() {
      super("another member of the team has failed", null, false, false);
    }
  }

  private final Thread[] threads;
  private final int spins;

  // For each member a number, APART from each other. Two arrays, because whoever waits for a share
  // looks at how many are done all the time, and at how many are begun hardly ever: so that whoever
  // begins one has that number in its cache.

  /** The shares of this member's number that were begun, by whomever. */
  private final AtomicLongArray begun;

  /** Those that are done. */
  private final AtomicLongArray done;

  /** The rounds that this member has been through; only it knows. */
  private final AtomicLongArray rounds;

  /** Members that have stopped looking. */
  private final AtomicInteger asleep = new AtomicInteger();

  private volatile boolean failed;
  private Thread caller;
  private int size = 1;
  private boolean interrupted;

  /** A team that may be as large as there are threads beside the caller's. */
  Team(Thread[] threads, int spins) {
    this.threads = threads;
    this.spins = spins;
    this.begun = new AtomicLongArray((threads.length + 2) * Workers.APART);
    this.done = new AtomicLongArray((threads.length + 2) * Workers.APART);
    this.rounds = new AtomicLongArray((threads.length + 2) * Workers.APART);
  }

  /** How many members there are, and shares in a round. */
  public int size() {
    return size;
  }

  /** A new team of so many, of which the calling thread is one; before the others are called. */
  void begin(int members) {
    size = members;
    caller = Thread.currentThread();
    failed = false;
    for (int member = 0; member < members; member++) {
      begun.setPlain(at(member), 0);
      done.setPlain(at(member), 0);
      rounds.setPlain(at(member), 0);
    }
  }

  /** Whether the caller was interrupted while it waited; asked once. */
  boolean interrupted() {
    boolean was = interrupted;
    interrupted = false;
    return was;
  }

  private static int at(int member) {
    return (member + 1) * Workers.APART;
  }

  /**
   * Does the shares of a round together with the other members, and returns when all are done. Each
   * is done once: the share of this member's number by this member, unless another one has begun
   * it. All members must come to every round; what was done in one is seen by all in the next.
   *
   * @param member who comes
   * @param work does a share: {@code run(share, member)}
   */
  public void round(int member, Workers.Task work) {
    if (size == 1) {
      work.run(0, 0);
      return;
    }
    long round = rounds.getPlain(at(member));
    rounds.setPlain(at(member), round + 1);
    if (begun.compareAndSet(at(member), round, round + 1)) {
      share(member, member, round, work);
    }
    // Its own too, which another one may have begun and not yet done.
    for (int other = member; other < member + size; other++) {
      int share = other < size ? other : other - size;
      if (done.get(at(share)) <= round) {
        await(share, member, round, work);
      }
    }
  }

  private void share(int share, int member, long round, Workers.Task work) {
    long start = System.nanoTime();
    work.run(share, member);
    done.set(at(share), round + 1);
    // Two threads that have one core between them would wake each other at every share, each time
    // in the midst of one. So whoever sleeps is left alone, unless the share was long.
    if (asleep.get() > 0 && System.nanoTime() - start > LONG_SHARE) {
      wake(member);
    }
  }

  private void await(int share, int member, long round, Workers.Task work) {
    int at = at(share);
    int looked = 0;
    do {
      if (failed) {
        throw LET_GO;
      }
      boolean late = looked % PATIENCE == PATIENCE - 1 || spins == 0;
      if (late && begun.get(at) == round && begun.compareAndSet(at, round, round + 1)) {
        share(share, member, round, work);
        return;
      }
      Thread.onSpinWait();
      if (done.get(at) > round) {
        return;
      }
    } while (++looked < spins);
    asleep.incrementAndGet();
    try {
      while (done.get(at) <= round) {
        if (failed) {
          throw LET_GO;
        }
        LockSupport.parkNanos(this, NAP);
        // Parking returns at once while the interrupt stands.
        if (Thread.interrupted() && member == 0) {
          interrupted = true;
        }
      }
    } finally {
      asleep.decrementAndGet();
    }
  }

  private void wake(int except) {
    for (int member = 0; member < size; member++) {
      if (member != except) {
        LockSupport.unpark(member == 0 ? caller : threads[member - 1]);
      }
    }
  }

  /** A member has been through all rounds; others need not sleep longer. */
  void leave(int member) {
    if (asleep.get() > 0) {
      wake(member);
    }
  }

  /** A member has failed: nobody should wait for it. */
  void fail(int member) {
    failed = true;
    leave(member);
  }
}

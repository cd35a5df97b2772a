package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A wait that never ends is what these tests look for, so all have a limit. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WorkersTest {

  @Test
  void everyPartIsDoneOnceWhateverTheNumberOfParts() {
    for (int size : new int[] {1, 2, 3, 8}) {
      try (Workers workers = new Workers(size)) {
        assertEquals(size, workers.size());
        for (int round = 0; round < 50; round++) {
          for (int count : new int[] {0, 1, 2, 7, 8, 9, 100}) {
            AtomicIntegerArray done = new AtomicIntegerArray(count);
            workers.run(count, (part, worker) -> done.incrementAndGet(part));
            for (int part = 0; part < count; part++) {
              assertEquals(1, done.get(part), "part " + part + " of " + count);
            }
          }
        }
      }
    }
  }

  @Test
  void whatThePartsWroteIsSeenByTheCaller() {
    try (Workers workers = new Workers(4)) {
      long[] plain = new long[64];
      for (int round = 1; round <= 1000; round++) {
        workers.run(plain.length, (part, worker) -> plain[part]++);
        for (long value : plain) {
          assertEquals(round, value);
        }
      }
    }
  }

  @Test
  void noTwoThreadsAreTheSameWorker() {
    try (Workers workers = new Workers(4)) {
      AtomicIntegerArray inside = new AtomicIntegerArray(4);
      AtomicInteger clashes = new AtomicInteger();
      for (int round = 0; round < 200; round++) {
        workers.run(
            40,
            (part, worker) -> {
              if (inside.incrementAndGet(worker) != 1) {
                clashes.incrementAndGet();
              }
              Thread.onSpinWait();
              inside.decrementAndGet(worker);
            });
      }
      assertEquals(0, clashes.get());
    }
  }

  @Test
  void allThreadsWorkAtTheSameTime() {
    try (Workers workers = new Workers(4)) {
      // Each part waits for the three others, so one thread alone would never finish.
      CountDownLatch together = new CountDownLatch(4);
      workers.run(
          4,
          (part, worker) -> {
            together.countDown();
            await(together);
          });
      assertEquals(0, together.getCount());
    }
  }

  @Test
  void whatAPartThrowsComesOutAfterTheOthersHaveEnded() {
    try (Workers workers = new Workers(3)) {
      for (int failing : new int[] {0, 1, 2, 5, 99}) {
        AtomicInteger running = new AtomicInteger();
        IllegalStateException thrown =
            assertThrows(
                IllegalStateException.class,
                () ->
                    workers.run(
                        100,
                        (part, worker) -> {
                          running.incrementAndGet();
                          try {
                            if (part == failing) {
                              throw new IllegalStateException("part " + part);
                            }
                          } finally {
                            running.decrementAndGet();
                          }
                        }));
        assertEquals("part " + failing, thrown.getMessage());
        assertEquals(0, running.get());
        AtomicInteger done = new AtomicInteger();
        workers.run(10, (part, worker) -> done.incrementAndGet());
        assertEquals(10, done.get(), "the workers go on after a failure");
      }
    }
  }

  @Test
  void anErrorOfAWorkerThreadComesOutAsItIs() {
    try (Workers workers = new Workers(2)) {
      OutOfMemoryError error = new OutOfMemoryError("for the test");
      CountDownLatch together = new CountDownLatch(2);
      Error thrown =
          assertThrows(
              OutOfMemoryError.class,
              () ->
                  workers.run(
                      2,
                      (part, worker) -> {
                        together.countDown();
                        await(together);
                        if (worker == 1) {
                          throw error;
                        }
                      }));
      assertSame(error, thrown);
    }
  }

  @Test
  void aCheckedExceptionThatWasNotDeclaredIsNotLost() {
    try (Workers workers = new Workers(2)) {
      Exception exception = new Exception("for the test");
      Throwable thrown =
          assertThrows(
              Exception.class,
              () ->
                  workers.run(
                      2,
                      (part, worker) -> {
                        WorkersTest.<RuntimeException>sneak(exception);
                      }));
      assertSame(exception, thrown);
    }
  }

  @Test
  void aRunThatComesSecondIsDoneByItsCaller() {
    try (Workers workers = new Workers(3)) {
      CountDownLatch begun = new CountDownLatch(1);
      CountDownLatch goOn = new CountDownLatch(1);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread first =
          new Thread(
              () ->
                  workers.run(
                      2,
                      (part, worker) -> {
                        begun.countDown();
                        await(goOn);
                      }));
      first.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
      first.start();
      await(begun);
      List<Thread> threads = new ArrayList<>();
      workers.run(
          20,
          (part, worker) -> {
            assertEquals(0, worker);
            threads.add(Thread.currentThread());
          });
      assertEquals(20, threads.size());
      assertEquals(Set.of(Thread.currentThread()), Set.copyOf(threads));
      goOn.countDown();
      join(first);
      assertEquals(null, failure.get());
    }
  }

  @Test
  void aPartMayRunSomethingItself() {
    try (Workers workers = new Workers(3)) {
      AtomicInteger done = new AtomicInteger();
      workers.run(6, (part, worker) -> workers.run(5, (inner, alone) -> done.incrementAndGet()));
      assertEquals(30, done.get());
    }
  }

  @Test
  void idleThreadsAreParked() {
    List<Thread> threads = new ArrayList<>();
    try (Workers workers = new Workers(3)) {
      collect(workers, threads);
      assertEquals(2, threads.size());
      for (Thread thread : threads) {
        assertTrue(thread.isDaemon());
        awaitState(thread, Thread.State.WAITING);
      }
      for (Thread thread : threads) {
        thread.interrupt();
      }
      for (Thread thread : threads) {
        // It may still be parked and not have noticed yet.
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (thread.isInterrupted() && System.nanoTime() < deadline) {
          Thread.onSpinWait();
        }
        assertFalse(thread.isInterrupted(), "an interrupt would keep it from parking");
        awaitState(thread, Thread.State.WAITING);
      }
      AtomicInteger done = new AtomicInteger();
      workers.run(10, (part, worker) -> done.incrementAndGet());
      assertEquals(10, done.get());
    }
  }

  @Test
  void anInterruptedCallerStillGetsEverythingDoneAndStaysInterrupted() {
    try (Workers workers = new Workers(3)) {
      Thread.currentThread().interrupt();
      AtomicInteger done = new AtomicInteger();
      workers.run(50, (part, worker) -> done.incrementAndGet());
      assertEquals(50, done.get());
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void closingEndsTheThreads() {
    List<Thread> threads = new ArrayList<>();
    Workers workers = new Workers(4);
    collect(workers, threads);
    assertEquals(3, threads.size());
    workers.close();
    for (Thread thread : threads) {
      assertFalse(thread.isAlive());
    }
    workers.close();
    assertThrows(IllegalStateException.class, () -> workers.run(1, (part, worker) -> {}));
  }

  @Test
  void closingWhileAnotherThreadRunsWaitsForItAndHangsNobody() {
    for (int round = 0; round < 200; round++) {
      Workers workers = new Workers(3);
      CountDownLatch begun = new CountDownLatch(1);
      AtomicInteger unfinished = new AtomicInteger();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread runner =
          new Thread(
              () -> {
                try {
                  while (true) {
                    begun.countDown();
                    unfinished.set(8);
                    workers.run(8, (part, worker) -> unfinished.decrementAndGet());
                    assertEquals(0, unfinished.get());
                  }
                } catch (IllegalStateException e) {
                  failure.set(e);
                }
              });
      runner.start();
      await(begun);
      workers.close();
      join(runner);
      assertEquals("the workers are closed", failure.get().getMessage());
    }
  }

  @Test
  void noneRunsOnTheCallerAndCannotBeClosed() {
    Workers.none().close();
    AtomicInteger done = new AtomicInteger();
    Workers.none()
        .run(
            3,
            (part, worker) -> {
              assertEquals(0, worker);
              done.incrementAndGet();
            });
    assertEquals(3, done.get());
    assertEquals(1, Workers.none().size());
    assertThrows(IllegalArgumentException.class, () -> new Workers(0));
  }

  /** Finds the threads by letting each do a part that waits for all others. */
  private static void collect(Workers workers, List<Thread> threads) {
    CountDownLatch together = new CountDownLatch(workers.size());
    Thread caller = Thread.currentThread();
    workers.run(
        workers.size(),
        (part, worker) -> {
          if (Thread.currentThread() != caller) {
            synchronized (threads) {
              threads.add(Thread.currentThread());
            }
          }
          together.countDown();
          await(together);
        });
  }

  private static void awaitState(Thread thread, Thread.State state) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (thread.getState() != state) {
      if (System.nanoTime() > deadline) {
        fail(thread.getName() + " is " + thread.getState() + ", expected " + state);
      }
      Thread.onSpinWait();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> void sneak(Throwable e) throws E {
    throw (E) e;
  }
}

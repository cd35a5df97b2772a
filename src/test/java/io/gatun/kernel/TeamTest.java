package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A wait that never ends is what these tests look for, so all have a limit. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TeamTest {

  @Test
  void everyShareOfEveryRoundIsDoneOnce() {
    for (int size : new int[] {1, 2, 3, 8}) {
      try (Workers workers = new Workers(size)) {
        for (int members = 1; members <= size; members++) {
          int expected = members;
          int rounds = 300;
          AtomicIntegerArray done = new AtomicIntegerArray(rounds * members);
          workers.together(
              members,
              (member, team) -> {
                assertEquals(expected, team.size());
                for (int round = 0; round < rounds; round++) {
                  int first = round * team.size();
                  team.round(member, (share, by) -> done.incrementAndGet(first + share));
                }
              });
          for (int i = 0; i < done.length(); i++) {
            assertEquals(1, done.get(i), "share " + i % members + " of round " + i / members);
          }
        }
      }
    }
  }

  @Test
  void whatARoundWroteIsReadByTheNext() {
    try (Workers workers = new Workers(4)) {
      int rounds = 5_000;
      long[][] numbers = new long[2][4];
      workers.together(
          4,
          (member, team) -> {
            for (int round = 1; round <= rounds; round++) {
              long[] before = numbers[(round + 1) % 2];
              long[] after = numbers[round % 2];
              int now = round;
              team.round(
                  member,
                  (share, by) -> {
                    for (long each : before) {
                      assertEquals(now - 1, each);
                    }
                    after[share] = now;
                  });
            }
          });
      for (long each : numbers[rounds % 2]) {
        assertEquals(rounds, each);
      }
    }
  }

  @Test
  void whatAMemberThatDoesNotComeWouldHaveDoneIsDoneByTheOthers() {
    try (Workers workers = new Workers(3)) {
      CountDownLatch finished = new CountDownLatch(1);
      AtomicInteger done = new AtomicInteger();
      AtomicInteger byTheLateOne = new AtomicInteger();
      workers.together(
          3,
          (member, team) -> {
            if (member == 1) {
              await(finished);
            }
            for (int round = 0; round < 50; round++) {
              team.round(
                  member,
                  (share, by) -> {
                    done.incrementAndGet();
                    byTheLateOne.addAndGet(by == 1 ? 1 : 0);
                  });
            }
            if (member == 0) {
              finished.countDown();
            }
          });
      assertEquals(150, done.get());
      assertEquals(0, byTheLateOne.get());
    }
  }

  @Test
  void aFailedShareLetsTheOthersGoAndComesOut() {
    try (Workers workers = new Workers(4)) {
      for (int failing = 0; failing < 4; failing++) {
        int share = failing;
        IllegalArgumentException failure = new IllegalArgumentException("share " + share);
        AtomicInteger inside = new AtomicInteger();
        Throwable thrown =
            assertThrows(
                IllegalArgumentException.class,
                () ->
                    workers.together(
                        4,
                        (member, team) -> {
                          inside.incrementAndGet();
                          try {
                            for (int round = 0; round < 100; round++) {
                              boolean fails = round == 60;
                              team.round(
                                  member,
                                  (some, by) -> {
                                    if (fails && some == share) {
                                      throw failure;
                                    }
                                  });
                            }
                          } finally {
                            inside.decrementAndGet();
                          }
                        }));
        assertSame(failure, thrown);
        assertEquals(0, thrown.getSuppressed().length);
        assertEquals(0, inside.get());
        AtomicInteger done = new AtomicInteger();
        workers.together(
            4, (member, team) -> team.round(member, (some, by) -> done.incrementAndGet()));
        assertEquals(4, done.get(), "the workers go on after a failure");
      }
    }
  }

  @Test
  void oneThatSleepsUntilALongShareIsDoneIsLetGoWhenItFails() {
    try (Workers workers = new Workers(2)) {
      Thread caller = Thread.currentThread();
      assertThrows(
          IllegalArgumentException.class,
          () ->
              workers.together(
                  2,
                  (member, team) ->
                      team.round(
                          member,
                          (share, by) -> {
                            if (share == 1) {
                              if (by == 1) {
                                awaitParked(caller);
                              }
                              throw new IllegalArgumentException("for the test");
                            }
                          })));
    }
  }

  @Test
  void oneThatSleepsGoesOnWhenTheShareIsDone() {
    try (Workers workers = new Workers(2)) {
      Thread caller = Thread.currentThread();
      for (int round = 0; round < 20; round++) {
        AtomicInteger done = new AtomicInteger();
        workers.together(
            2,
            (member, team) -> {
              for (int i = 0; i < 3; i++) {
                team.round(
                    member,
                    (share, by) -> {
                      if (share == 1 && by == 1) {
                        awaitParked(caller);
                      }
                      done.incrementAndGet();
                    });
              }
            });
        assertEquals(6, done.get());
      }
    }
  }

  @Test
  void anInterruptedCallerStillGetsEverythingDoneAndStaysInterrupted() {
    try (Workers workers = new Workers(2)) {
      Thread caller = Thread.currentThread();
      caller.interrupt();
      AtomicInteger done = new AtomicInteger();
      workers.together(
          2,
          (member, team) -> {
            for (int i = 0; i < 5; i++) {
              team.round(
                  member,
                  (share, by) -> {
                    if (by == 1) {
                      // Long enough that the caller sleeps, as far as its interrupt lets it.
                      for (int looked = 0; looked < 10_000; looked++) {
                        Thread.onSpinWait();
                      }
                    }
                    done.incrementAndGet();
                  });
            }
          });
      assertEquals(10, done.get());
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void aTeamOfWorkersThatAreAtWorkIsItsCallerAlone() {
    try (Workers workers = new Workers(3)) {
      AtomicInteger done = new AtomicInteger();
      workers.run(
          5,
          (part, worker) ->
              workers.together(
                  3,
                  (member, team) -> {
                    assertEquals(0, member);
                    assertEquals(1, team.size());
                    team.round(member, (share, by) -> done.incrementAndGet());
                  }));
      assertEquals(5, done.get());
      workers.together(
          3,
          (member, team) -> {
            team.round(
                member, (share, by) -> workers.run(4, (part, worker) -> done.incrementAndGet()));
          });
      assertEquals(17, done.get());
    }
    Workers.none()
        .together(
            4,
            (member, team) -> {
              assertEquals(1, team.size());
            });
  }

  @Test
  void closedWorkersAreNoTeam() {
    Workers workers = new Workers(2);
    workers.close();
    assertThrows(IllegalStateException.class, () -> workers.together(2, (member, team) -> {}));
    assertThrows(IllegalStateException.class, () -> workers.together(1, (member, team) -> {}));
  }

  private static void awaitParked(Thread thread) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (thread.getState() == Thread.State.RUNNABLE) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError(thread.getName() + " does not wait");
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
}

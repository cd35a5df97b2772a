package io.gatun.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records from many threads are computed together, and everybody gets the answer to the own. */
@Timeout(60)
class BatchServiceTest {
  private static final Duration FOREVER = Duration.ofDays(1);

  /** Doubles numbers; does not like 13, and breaks at 99. */
  private static class Doubling implements BatchTask<Integer, Integer, Integer> {
    final AtomicInteger open = new AtomicInteger();
    final ConcurrentLinkedQueue<List<Integer>> batches = new ConcurrentLinkedQueue<>();

    @Override
    public Integer prepare(long number, Integer record) {
      if (record < 0) {
        throw new BadRecordException("is negative");
      }
      return record;
    }

    @Override
    public int tokens(Integer item) {
      return 1;
    }

    @Override
    public int compare(Integer a, Integer b) {
      return Integer.compare(a, b);
    }

    @Override
    public Integer trivial(Integer item) {
      return item == 0 ? 0 : null;
    }

    @Override
    public Worker<Integer, Integer> newWorker() {
      open.incrementAndGet();
      return new Worker<>() {
        @Override
        public List<Integer> run(List<Integer> items) {
          if (items.contains(13)) {
            throw new BadRecordException("is unlucky");
          }
          if (items.contains(99)) {
            throw new IllegalStateException("broken");
          }
          batches.add(items);
          return items.stream().map(each -> 2 * each).toList();
        }

        @Override
        public void close() {
          open.decrementAndGet();
        }
      };
    }
  }

  private static BatchService<Integer, Integer, Integer> service(
      Doubling task, int workers, int batch, Duration delay) {
    BatchOptions options = BatchOptions.builder().workers(workers).batchRecords(batch).build();
    return new BatchService<>(task, options, delay, 1000);
  }

  @Test
  void whatComesTogetherIsComputedTogether() throws Exception {
    Doubling task = new Doubling();
    CompletableFuture<Integer> last;
    try (var service = service(task, 1, 3, FOREVER)) {
      var first = service.submit(5);
      var second = service.submit(4);
      var third = service.submit(6);
      assertEquals(List.of(10, 8, 12), List.of(first.get(), second.get(), third.get()));
      assertEquals(List.of(List.of(4, 5, 6)), List.copyOf(task.batches));
      last = service.submit(7); // waits for others, until the service is closed
      assertFalse(last.isDone());
    }
    assertEquals(14, last.get());
    assertEquals(0, task.open.get());
  }

  @Test
  void aSingleRecordWaitsNoLongerThanItHasTo() throws Exception {
    try (var service = service(new Doubling(), 1, 100, Duration.ofMillis(1))) {
      assertEquals(42, service.call(21));
      assertEquals(0, service.call(0));
    }
  }

  @Test
  void manyThreadsGetTheirOwnAnswers() throws Exception {
    Doubling task = new Doubling();
    List<Thread> threads = new ArrayList<>();
    AtomicInteger right = new AtomicInteger();
    try (var service = service(task, 2, 10, Duration.ofMillis(1))) {
      CountDownLatch start = new CountDownLatch(1);
      for (int t = 0; t < 8; t++) {
        int from = 100 + 1000 * t;
        Thread thread =
            new Thread(
                () -> {
                  try {
                    start.await();
                    for (int i = from; i < from + 200; i++) {
                      right.addAndGet(service.call(i) == 2 * i ? 1 : 0);
                    }
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
        thread.start();
        threads.add(thread);
      }
      start.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertEquals(1600, right.get());
    assertEquals(0, task.open.get());
  }

  @Test
  void aBadRecordHarmsNoOther() throws Exception {
    try (var service = service(new Doubling(), 1, 3, FOREVER)) {
      var good = service.submit(1);
      var bad = service.submit(13);
      var negative = service.submit(-1);
      var alsoGood = service.submit(2);
      assertEquals(2, good.get());
      assertEquals(4, alsoGood.get());
      assertEquals("is unlucky", cause(bad));
      assertEquals("is negative", cause(negative));
      // A fault of the task itself is told to those it concerns, and the service goes on.
      var broken = service.submit(99);
      var beside = service.submit(3);
      var third = service.submit(4);
      assertEquals("broken", cause(broken));
      assertEquals("broken", cause(beside));
      assertEquals("broken", cause(third));
      var after = IntStream.range(5, 8).mapToObj(i -> submit(service, i)).toList();
      assertEquals(10, after.get(0).get());
    }
  }

  private static CompletableFuture<Integer> submit(
      BatchService<Integer, Integer, Integer> service, int record) {
    try {
      return service.submit(record);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static String cause(CompletableFuture<Integer> future) {
    return assertThrows(ExecutionException.class, future::get).getCause().getMessage();
  }

  @Test
  void whatIsCancelledIsNotComputed() throws Exception {
    Doubling task = new Doubling();
    try (var service = service(task, 1, 2, FOREVER)) {
      var first = service.submit(1);
      assertTrue(first.cancel(false));
      var second = service.submit(2);
      assertEquals(6, service.submit(3).get());
      assertEquals(4, second.get());
      assertEquals(List.of(List.of(2, 3)), List.copyOf(task.batches));
      var last = service.submit(4);
      service.cancel();
      assertTrue(last.isCancelled());
      assertThrows(RejectedExecutionException.class, () -> service.submit(5));
    }
  }

  @Test
  void anIteratorIsAnsweredInItsOrderAndNotReadFarAhead() {
    AtomicInteger read = new AtomicInteger();
    try (var service = service(new Doubling(), 2, 4, Duration.ZERO)) {
      Iterator<Integer> records =
          IntStream.range(1, 50).map(i -> Math.max(i, read.incrementAndGet())).iterator();
      Iterator<Integer> answers = service.answers(records, 5);
      List<Integer> all = new ArrayList<>();
      int bad = 0;
      while (answers.hasNext()) {
        try {
          all.add(answers.next());
        } catch (BadRecordException e) {
          bad++;
        }
        assertTrue(read.get() <= all.size() + bad + 5, "read ahead");
      }
      assertEquals(1, bad);
      List<Integer> expected =
          IntStream.range(1, 50).filter(i -> i != 13).map(i -> 2 * i).boxed().toList();
      assertEquals(expected, all);
    }
  }
}

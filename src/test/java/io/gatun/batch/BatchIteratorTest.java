package io.gatun.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Answers come one by one, in order, and no more records are in memory than a window has. */
class BatchIteratorTest {
  /** Doubles numbers, as long as their value; does not like 13 and what is negative. */
  private static final class Doubling implements BatchTask<Integer, Integer, Integer> {
    final List<List<Integer>> batches = new ArrayList<>();
    int open;

    @Override
    public Integer prepare(long number, Integer record) {
      if (record < 0) {
        throw new BadRecordException("is negative");
      }
      return record;
    }

    @Override
    public int tokens(Integer item) {
      return item;
    }

    @Override
    public Integer trivial(Integer item) {
      return item == 0 ? 0 : null;
    }

    @Override
    public Worker<Integer, Integer> newWorker() {
      open++;
      return new Worker<>() {
        @Override
        public List<Integer> run(List<Integer> items) {
          if (items.contains(13)) {
            throw new BadRecordException("is unlucky");
          }
          batches.add(items);
          return items.stream().map(each -> 2 * each).toList();
        }

        @Override
        public void close() {
          open--;
        }
      };
    }
  }

  private static BatchIterator<Integer, Integer, Integer> over(
      Iterator<Integer> records, Doubling task, BatchOptions.Builder options) {
    return new BatchIterator<>(records, task, options.build(), record -> 10);
  }

  @Test
  void everyRecordHasItsAnswerOrItsProblemInTheOrderOfTheInput() {
    long seed = System.nanoTime();
    System.out.println("BatchIteratorTest: seed " + seed);
    Random random = new Random(seed);
    List<Integer> records = IntStream.range(0, 1000).mapToObj(i -> random.nextInt(-1, 22)).toList();
    Doubling task = new Doubling();
    BatchOptions.Builder options =
        BatchOptions.builder().batchTokens(40).windowRecords(64).maxRecordTokens(20);
    BatchIterator<Integer, Integer, Integer> answers = over(records.iterator(), task, options);
    for (int i = 0; i < records.size(); i++) {
      BatchIterator.Answered<Integer, Integer> next = answers.next();
      int record = records.get(i);
      assertEquals(i + 1, next.number());
      assertEquals(record, next.record());
      String problem =
          record < 0
              ? "is negative"
              : record == 13
                  ? "is unlucky"
                  : record == 21 ? "21 tokens, expected at most 20" : null;
      assertEquals(problem, next.problem());
      if (problem == null) {
        assertEquals(2 * record, next.answer());
      } else {
        assertNull(next.answer());
      }
    }
    assertFalse(answers.hasNext());
    assertThrows(NoSuchElementException.class, answers::next);
    assertEquals(0, task.open, "the worker is closed behind the last answer");
    for (List<Integer> batch : task.batches) {
      assertTrue(batch.size() == 1 || batch.size() * batch.get(0) <= 40, batch.toString());
    }
  }

  @Test
  void noMoreIsReadAheadThanTheWindowHas() {
    int[] read = {0};
    Iterator<Integer> endless =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return true;
          }

          @Override
          public Integer next() {
            read[0]++;
            return 5;
          }
        };
    Doubling task = new Doubling();
    BatchIterator<Integer, Integer, Integer> byRecords =
        over(endless, task, BatchOptions.builder().windowRecords(8));
    byRecords.next();
    assertEquals(8, read[0]);
    for (int i = 0; i < 8; i++) {
      byRecords.next();
    }
    assertEquals(16, read[0]);
    read[0] = 0;
    over(endless, task, BatchOptions.builder().windowTokens(50)).next();
    assertEquals(10, read[0]);
    read[0] = 0;
    over(endless, task, BatchOptions.builder().windowBytes(40)).next();
    assertEquals(4, read[0]);
  }

  @Test
  void whoLeavesEarlyClosesIt() {
    Doubling task = new Doubling();
    BatchIterator<Integer, Integer, Integer> answers =
        over(List.of(1, 2, 3).iterator(), task, BatchOptions.builder().windowRecords(1));
    answers.next();
    assertEquals(1, task.open);
    answers.close();
    answers.close();
    assertEquals(0, task.open);
  }
}

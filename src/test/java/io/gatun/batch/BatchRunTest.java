package io.gatun.batch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Answers come in the order of the records and are the same however the work is divided. */
@Timeout(60)
class BatchRunTest {
  /** Turns a line round; empty lines are trivial, "bad" is refused early and "worse" late. */
  private static class Turning implements BatchTask<String, String, String> {
    final AtomicInteger open = new AtomicInteger();
    final Set<Integer> batchSizes = ConcurrentHashMap.newKeySet();

    @Override
    public String prepare(long number, String line) {
      if (line.equals("bad")) {
        throw new BadRecordException("is bad");
      }
      return line;
    }

    @Override
    public int tokens(String item) {
      return item.length();
    }

    @Override
    public String trivial(String item) {
      return item.isEmpty() ? "" : null;
    }

    @Override
    public Worker<String, String> newWorker() {
      open.incrementAndGet();
      Thread owner = Thread.currentThread();
      return new Worker<>() {
        @Override
        public List<String> run(List<String> items) {
          assertSame(owner, Thread.currentThread());
          batchSizes.add(items.size());
          List<String> answers = new ArrayList<>();
          for (String item : items) {
            assertTrue(item.length() <= items.get(0).length(), "the longest comes first");
            answers.add(turned(item));
          }
          return answers;
        }

        @Override
        public void close() {
          assertSame(owner, Thread.currentThread());
          open.decrementAndGet();
        }
      };
    }

    String turned(String item) {
      if (item.equals("worse")) {
        throw new BadRecordException("is worse");
      }
      return new StringBuilder(item).reverse().toString();
    }
  }

  private static LineReader reader(String text) {
    byte[] bytes = text.getBytes(UTF_8);
    return new LineReader(
        "test", new ByteArrayInputStream(bytes), OptionalLong.of(bytes.length), 10_000);
  }

  private static LineWriter<String> writer(OutputStream out) {
    return new LineWriter<>(out, (number, answer) -> answer == null ? "" : answer);
  }

  private static String run(String text, Turning task, BatchOptions options, BatchListener listener)
      throws IOException, InterruptedException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    new BatchRun<>(reader(text), task, writer(out), options, listener).run();
    assertEquals(0, task.open.get(), "workers still open");
    return out.toString(UTF_8);
  }

  private static String turned(String text) {
    StringBuilder expected = new StringBuilder();
    for (String line : text.lines().toList()) {
      boolean left = line.equals("bad") || line.equals("worse");
      expected.append(left ? "" : new StringBuilder(line).reverse()).append('\n');
    }
    return expected.toString();
  }

  private static String randomText(Random random, int lines) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < lines; i++) {
      switch (random.nextInt(20)) {
        case 0 -> text.append("bad");
        case 1 -> text.append("worse");
        case 2 -> text.append("");
        default -> {
          int length = 1 + (int) Math.pow(300, random.nextDouble());
          for (int k = 0; k < length; k++) {
            text.append((char) ('a' + random.nextInt(26)));
          }
        }
      }
      text.append('\n');
    }
    return text.append("end\n").toString();
  }

  @Test
  void theOutputDoesNotDependOnBatchesWindowAndWorkers() throws Exception {
    Random random = Seeds.random("BatchRunTest");
    String text = randomText(random, 2000);
    String expected = turned(text);
    for (int trial = 0; trial < 60; trial++) {
      int batchTokens = 1 + random.nextInt(2000);
      int batchRecords = 1 + random.nextInt(50);
      int windowRecords = 1 + random.nextInt(300);
      int windowTokens = 1 + random.nextInt(10_000);
      int workers = 1 + random.nextInt(5);
      BatchOptions options =
          BatchOptions.builder()
              .batchTokens(batchTokens)
              .batchRecords(batchRecords)
              .windowRecords(windowRecords)
              .windowTokens(windowTokens)
              .workers(workers)
              .progressMillis(random.nextInt(2) * 250)
              .build();
      Turning task = new Turning();
      assertEquals(
          expected,
          run(text, task, options, BatchListener.NONE),
          () ->
              String.format(
                  "batch of %d tokens, %d records; window of %d records, %d tokens; %d workers",
                  batchTokens, batchRecords, windowRecords, windowTokens, workers));
      assertTrue(task.batchSizes.stream().allMatch(size -> size <= batchRecords));
    }
  }

  @Test
  void noInputMakesNoOutputAndNoWorker() throws Exception {
    Turning task =
        new Turning() {
          @Override
          public Worker<String, String> newWorker() {
            throw new AssertionError("nothing to do");
          }
        };
    assertEquals("", run("", task, BatchOptions.builder().build(), BatchListener.NONE));
    assertEquals("\n\n", run("\n\n", task, BatchOptions.builder().build(), BatchListener.NONE));
  }

  @Test
  void badRecordsAreReportedInOrderWithTheirNumbersAndTheRestGoesOn() throws Exception {
    List<String> reports = new ArrayList<>();
    BatchListener listener =
        new BatchListener() {
          @Override
          public void bad(long number, String reason) {
            reports.add(number + ": " + reason);
          }
        };
    String out =
        run(
            "one\nbad\nthree\nworse\ntoolong\nsix\n",
            new Turning(),
            BatchOptions.builder().maxRecordTokens(6).workers(2).build(),
            listener);
    assertEquals("eno\n\neerht\n\n\nxis\n", out);
    assertEquals(List.of("2: is bad", "4: is worse", "5: 7 tokens, expected at most 6"), reports);
  }

  @Test
  void progressIsToldWhileManyAnswersAreWritten() throws Exception {
    List<Integer> writtenWhenTold = new ArrayList<>();
    AtomicInteger written = new AtomicInteger();
    RecordWriter<String> slow =
        new RecordWriter<>() {
          @Override
          public void write(long number, String answer) {
            long due = System.nanoTime() + 1_000_000; // the time between two reports
            while (System.nanoTime() < due) {
              Thread.onSpinWait();
            }
            written.incrementAndGet();
          }

          @Override
          public void skip(long number) {
            throw new AssertionError("record " + number);
          }
        };
    BatchListener listener =
        new BatchListener() {
          @Override
          public void progress(BatchProgress progress) {
            writtenWhenTold.add(written.get());
          }
        };
    BatchOptions options = BatchOptions.builder().progressMillis(1).build();
    new BatchRun<>(reader("a\nb\nc\nd\n"), new Turning(), slow, options, listener).run();
    assertTrue(writtenWhenTold.containsAll(List.of(1, 2, 3, 4)), writtenWhenTold::toString);
  }

  @Test
  void progressEndsWithEverythingDone() throws Exception {
    List<BatchProgress> reports = new ArrayList<>();
    BatchListener listener =
        new BatchListener() {
          @Override
          public void progress(BatchProgress progress) {
            reports.add(progress);
          }
        };
    String text = randomText(Seeds.random("BatchRunTest"), 500);
    run(
        text,
        new Turning(),
        BatchOptions.builder().windowRecords(20).progressMillis(0).build(),
        listener);
    BatchProgress last = reports.get(reports.size() - 1);
    assertEquals(501, last.records());
    assertEquals(text.length(), last.bytes());
    assertEquals(1.0, last.fraction().getAsDouble());
    assertEquals(0, last.remaining().get().toNanos());
    assertEquals(
        text.lines().filter(s -> s.equals("bad") || s.equals("worse")).count(), last.bad());
    assertTrue(reports.size() > 20, "a window of 20 was written many times");
    for (int i = 1; i < reports.size(); i++) {
      assertTrue(reports.get(i).records() >= reports.get(i - 1).records());
      assertTrue(reports.get(i).bytes() >= reports.get(i - 1).bytes());
    }
  }

  @Test
  void aLineIsAnsweredWhileTheNextOneIsNotThereYet() throws Exception {
    PipedOutputStream typed = new PipedOutputStream();
    PipedInputStream in = new PipedInputStream(typed);
    PipedOutputStream out = new PipedOutputStream();
    PipedInputStream shown = new PipedInputStream(out);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread running =
        new Thread(
            () -> {
              try {
                new BatchRun<>(
                        new LineReader("typed", in),
                        new Turning(),
                        writer(out),
                        BatchOptions.builder().workers(2).build(),
                        BatchListener.NONE)
                    .run();
                out.close();
              } catch (IOException | InterruptedException e) {
                failure.set(e);
              }
            });
    running.start();
    for (String word : List.of("hello", "", "world", "bad", "again")) {
      typed.write((word + "\n").getBytes(UTF_8));
      typed.flush();
      String expected = turned(word + "\n");
      assertEquals(expected, new String(shown.readNBytes(expected.length()), UTF_8));
    }
    typed.close();
    assertEquals(-1, shown.read());
    running.join();
    assertEquals(null, failure.get());
  }

  @Test
  void readingStaysWithinTheWindowWhileNothingIsWritten() throws Exception {
    int windowRecords = 10;
    CountDownLatch release = new CountDownLatch(1);
    AtomicInteger read = new AtomicInteger();
    CountDownLatch windowIsFull = new CountDownLatch(windowRecords);
    Turning task =
        new Turning() {
          @Override
          public String prepare(long number, String line) {
            read.incrementAndGet();
            windowIsFull.countDown();
            return super.prepare(number, line);
          }

          @Override
          String turned(String item) {
            await(release);
            return super.turned(item);
          }
        };
    String text = "word\n".repeat(1000);
    AtomicReference<String> out = new AtomicReference<>();
    Thread running =
        new Thread(
            () -> {
              try {
                out.set(
                    run(
                        text,
                        task,
                        BatchOptions.builder().windowRecords(windowRecords).workers(3).build(),
                        BatchListener.NONE));
              } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    running.start();
    await(windowIsFull);
    // One more is in the reader's hand.
    assertTrue(read.get() <= windowRecords + 1, () -> read.get() + " read");
    release.countDown();
    running.join();
    assertEquals(turned(text), out.get());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(30, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void answersThatAreReadyEarlierWaitForTheirTurn() throws Exception {
    CountDownLatch othersAreDone = new CountDownLatch(3);
    Turning task =
        new Turning() {
          @Override
          String turned(String item) {
            if (item.equals("first")) {
              await(othersAreDone);
            } else {
              othersAreDone.countDown();
            }
            return super.turned(item);
          }
        };
    assertEquals(
        "tsrif\nb\nc\nd\n",
        run(
            "first\nb\nc\nd\n",
            task,
            BatchOptions.builder().batchRecords(1).workers(2).build(),
            BatchListener.NONE));
  }

  @Test
  void aFailureOfAWorkerEndsTheRunWithIt() {
    IllegalStateException broken = new IllegalStateException("broken");
    Turning task =
        new Turning() {
          @Override
          String turned(String item) {
            if (item.equals("break")) {
              throw broken;
            }
            return super.turned(item);
          }
        };
    BatchOptions options =
        BatchOptions.builder().windowRecords(8).batchRecords(2).workers(3).build();
    IllegalStateException thrown =
        assertThrows(
            IllegalStateException.class,
            () ->
                run(
                    "fine\n".repeat(100) + "break\n" + "fine\n".repeat(100),
                    task,
                    options,
                    BatchListener.NONE));
    assertSame(broken, thrown);
    assertEquals(0, task.open.get());
  }

  @Test
  void aFailureOfTheInputEndsTheRunWithIt() {
    InputStream failing =
        new InputStream() {
          private int calls;

          @Override
          public int read() throws IOException {
            throw new IOException("read in pieces");
          }

          @Override
          public int read(byte[] into, int from, int length) throws IOException {
            if (calls++ == 1000) {
              throw new IOException("the disk is gone");
            }
            byte[] line = "line\n".getBytes(UTF_8);
            System.arraycopy(line, 0, into, from, line.length);
            return line.length;
          }
        };
    Turning task = new Turning();
    IOException thrown =
        assertThrows(
            IOException.class,
            () ->
                new BatchRun<>(
                        new LineReader("failing", failing),
                        task,
                        writer(OutputStream.nullOutputStream()),
                        BatchOptions.builder().build(),
                        BatchListener.NONE)
                    .run());
    assertEquals("cannot read failing: the disk is gone", thrown.getMessage());
    assertEquals(0, task.open.get());
  }

  @Test
  void aFailureOfTheOutputEndsTheRunWithIt() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("no space left");
          }
        };
    Turning task = new Turning();
    IOException thrown =
        assertThrows(
            IOException.class,
            () ->
                new BatchRun<>(
                        reader("word\n".repeat(100_000)),
                        task,
                        writer(full),
                        BatchOptions.builder().windowRecords(100).workers(2).build(),
                        BatchListener.NONE)
                    .run());
    assertEquals("no space left", thrown.getMessage());
    assertEquals(0, task.open.get());
  }

  @Test
  void cancellingEndsARunWhoseInputNeverEnds() throws Exception {
    PipedOutputStream typed = new PipedOutputStream();
    PipedInputStream in = new PipedInputStream(typed);
    Turning task = new Turning();
    AtomicReference<BatchRun<String, String, String>> run = new AtomicReference<>();
    RecordWriter<String> cancelling =
        new RecordWriter<>() {
          @Override
          public void write(long number, String answer) {
            run.get().cancel();
          }

          @Override
          public void skip(long number) {
            throw new AssertionError();
          }
        };
    run.set(
        new BatchRun<>(
            new LineReader("typed", in),
            task,
            cancelling,
            BatchOptions.builder().workers(2).build(),
            BatchListener.NONE));
    typed.write("hello\n".getBytes(UTF_8));
    typed.flush();
    assertThrows(CancellationException.class, () -> run.get().run());
    assertEquals(0, task.open.get());
    typed.close();
  }

  @Test
  void anInterruptEndsARunWhoseInputNeverEnds() throws Exception {
    PipedInputStream in = new PipedInputStream(new PipedOutputStream());
    BatchRun<String, String, String> run =
        new BatchRun<>(
            new LineReader("typed", in),
            new Turning(),
            writer(OutputStream.nullOutputStream()),
            BatchOptions.builder().build(),
            BatchListener.NONE);
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, run::run);
    assertFalse(Thread.interrupted());
  }

  @Test
  void aRunIsUsedOnce() throws Exception {
    BatchRun<String, String, String> run =
        new BatchRun<>(
            reader("a\n"),
            new Turning(),
            writer(OutputStream.nullOutputStream()),
            BatchOptions.builder().build(),
            BatchListener.NONE);
    run.run();
    assertThrows(IllegalStateException.class, run::run);
  }

  @Test
  void moreThreadsThanAMachineHasAreRefused() {
    assertEquals(1024, BatchOptions.builder().workers(1024).build().workers());
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> BatchOptions.builder().workers(10_000_000))
            .getMessage();
    assertEquals("the number of workers is 10000000, expected at most 1024", message);
  }
}

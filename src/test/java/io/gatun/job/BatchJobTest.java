package io.gatun.job;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.batch.BadRecordException;
import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchTask;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Compression;
import io.gatun.table.ReadOptions;
import io.gatun.table.TableFiles;
import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import io.gatun.table.TableSource;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A job that is disturbed and resumed writes the bytes of one that is not. */
@Timeout(120)
class BatchJobTest {
  /** What cannot be tidied up without power is a warning each time. */
  private static final Logger QUIET = Logger.getLogger("io.gatun.job");

  @TempDir Path folder;

  @BeforeAll
  static void quiet() {
    QUIET.setLevel(Level.SEVERE);
  }

  /** Turns texts round, and does not like the letter x. */
  private static final class Turning implements BatchTask<String, String, String> {
    @Override
    public String prepare(long number, String text) {
      if (text.contains("x")) {
        throw new BadRecordException("an x");
      }
      return text;
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
      return new Worker<>() {
        @Override
        public List<String> run(List<String> items) {
          return items.stream().map(it -> new StringBuilder(it).reverse().toString()).toList();
        }

        @Override
        public void close() {}
      };
    }
  }

  private static final Answers<String> ANSWERS =
      new Answers<>() {
        @Override
        public List<Column> columns() {
          return List.of(new Column("turned", ColumnType.TEXT));
        }

        @Override
        public Object[] values(String answer) {
          return new Object[] {answer};
        }

        @Override
        public String text(long number, String answer) {
          return answer == null ? "" : answer;
        }
      };

  /** How the output looks. */
  enum Kind {
    TEXT("out.txt", false),
    CSV_GZ("out.csv.gz", true);

    final String file;
    final boolean keepsIds;

    Kind(String file, boolean keepsIds) {
      this.file = file;
      this.keepsIds = keepsIds;
    }
  }

  private static byte[] input(Random random, int rows) {
    StringBuilder text = new StringBuilder("id,text\n");
    for (int i = 0; i < rows; i++) {
      text.append(i).append(',');
      int length = random.nextInt(12);
      for (int k = 0; k < length; k++) {
        text.append((char) ('a' + random.nextInt(26)));
      }
      boolean broken = random.nextInt(15) == 0 && i > 0; // a test changes the first one
      text.append(broken ? ",one too many\n" : "\n");
    }
    return text.toString().getBytes(UTF_8);
  }

  private Path in() {
    return folder.resolve("in.csv");
  }

  private BatchJob.Builder job(SimulatedStorage storage, Kind kind) {
    Path out = folder.resolve(kind.file);
    TableFormat format = TableFormats.of(out).orElseThrow();
    Compression compression = TableFormats.compressionOf(out);
    return BatchJob.builder()
        .output(out)
        .format(format, compression)
        .storage(storage)
        .onError(OnError.RECORD)
        .chunkRecords(7)
        .checkpoints(5, 0)
        .batch(BatchOptions.builder().workers(2).batchTokens(20).windowRecords(9).build());
  }

  private JobSummary run(SimulatedStorage storage, Kind kind, BatchJob job)
      throws IOException, InterruptedException {
    TableFormat csv = TableFormats.named("csv");
    try (TableFiles rows =
        new TableFiles(List.of(TableSource.of(in(), storage, null)), csv, ReadOptions.USUAL)) {
      Column id = new Column("id", ColumnType.TEXT);
      return job.run(
          rows,
          new RowTask<>(new Turning(), RowTask.text(rows.schema(), "text")),
          ANSWERS,
          kind.keepsIds ? List.of(id) : List.of(),
          row -> kind.keepsIds ? new Object[] {row.values()[0]} : new Object[0],
          BatchListener.NONE);
    }
  }

  /** What an undisturbed job writes: the output and the side file. */
  private byte[][] undisturbed(byte[] input, Kind kind) throws Exception {
    SimulatedStorage storage = new SimulatedStorage();
    storage.put(in(), input);
    run(storage, kind, job(storage, kind).build());
    return outputs(storage, kind);
  }

  private byte[][] outputs(SimulatedStorage storage, Kind kind) {
    assertEquals(
        List.of(in(), folder.resolve(kind.file), side(kind)).stream().sorted().toList(),
        storage.files(),
        "what is left");
    return new byte[][] {storage.get(folder.resolve(kind.file)), storage.get(side(kind))};
  }

  private Path side(Kind kind) {
    return folder.resolve(kind.file + ".errors.jsonl");
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theOutputIsWhatTheTaskSays(Kind kind) throws Exception {
    byte[] input = "id,text\n1,ab\n2,x\n3,a,b\n4,\n5,cd\n".getBytes(UTF_8);
    byte[][] outputs = undisturbed(input, kind);
    byte[] output = outputs[0];
    if (kind == Kind.CSV_GZ) {
      output = new GZIPInputStream(new ByteArrayInputStream(output)).readAllBytes();
      assertEquals("id,turned\n1,ba\n2,\n,\n4,\"\"\n5,dc\n", new String(output, UTF_8));
    } else {
      assertEquals("ba\n\n\n\ndc\n", new String(output, UTF_8));
    }
    String expected =
        "{\"record\":2,\"place\":\""
            + in()
            + ": record 2\",\"reason\":\"an x\"}\n{\"record\":3,\"place\":\""
            + in()
            + ": record 3\",\"reason\":\"line 4: 3 columns, expected 2 (id, text)\"}\n";
    assertEquals(expected, new String(outputs[1], UTF_8));
  }

  /** Each operation of reading, then each of writing, fails in turn, in each way. */
  @ParameterizedTest
  @EnumSource(SimulatedStorage.Fault.class)
  void afterAnyFaultTheJobIsResumedToTheSameBytes(SimulatedStorage.Fault fault) throws Exception {
    Random random = Seeds.random("BatchJobTest." + fault);
    byte[] input = input(random, 40);
    for (Kind kind : Kind.values()) {
      byte[][] expected = undisturbed(input, kind);
      for (boolean reading : new boolean[] {true, false}) {
        int operation = 1;
        while (disturbed(random, input, kind, fault, reading, operation, expected)) {
          operation++;
        }
        assertTrue(operation > 5, "the job reads and writes");
      }
    }
  }

  /** Returns whether the fault happened. */
  private boolean disturbed(
      Random random,
      byte[] input,
      Kind kind,
      SimulatedStorage.Fault fault,
      boolean reading,
      int operation,
      byte[][] expected)
      throws Exception {
    String what = kind + ", " + fault + (reading ? " reading at " : " writing at ") + operation;
    SimulatedStorage storage = new SimulatedStorage();
    storage.put(in(), input);
    storage.failAt(fault, reading, operation);
    boolean ended = false;
    try {
      run(storage, kind, job(storage, kind).build());
      ended = true;
    } catch (IOException e) {
      assertNotNull(e.getMessage(), what);
      String message = e.getMessage();
      assertTrue(
          message.contains("injected") || message.contains("No space") || message.contains("power"),
          message);
    }
    boolean failed = storage.hasFailed();
    storage.repair(random);
    byte[] there = storage.get(folder.resolve(kind.file));
    if (there != null) {
      assertArrayEquals(expected[0], there, what + ": half an output under the final name");
    }
    assertTrue(!ended || there != null, what);
    if (!ended) {
      run(storage, kind, job(storage, kind).resume(true).build());
    }
    byte[][] outputs = outputs(storage, kind);
    assertArrayEquals(expected[0], outputs[0], what);
    assertArrayEquals(expected[1], outputs[1], what);
    return failed;
  }

  @Test
  void aJobGoesOnWithTheInputItBeganWithAndNoOther() throws Exception {
    Random random = Seeds.random("BatchJobTest");
    byte[] input = input(random, 40);
    Kind kind = Kind.TEXT;
    byte[][] expected = undisturbed(input, kind);
    SimulatedStorage storage = interrupted(input, kind);

    byte[] other = input.clone();
    other["id,text\n".length()] = 'Z'; // the first identifier
    storage.put(in(), other);
    IOException changed =
        assertThrows(
            IOException.class, () -> run(storage, kind, job(storage, kind).resume(true).build()));
    assertTrue(changed.getMessage().contains("is not what it was"), changed.getMessage());

    storage.put(in(), "id,text\n0,a\n".getBytes(UTF_8));
    IOException shorter =
        assertThrows(
            IOException.class, () -> run(storage, kind, job(storage, kind).resume(true).build()));
    assertTrue(shorter.getMessage().contains("the input ends after"), shorter.getMessage());

    storage.put(in(), input);
    IllegalArgumentException setting =
        assertThrows(
            IllegalArgumentException.class,
            () -> run(storage, kind, job(storage, kind).setting("beam", "5").resume(true).build()));
    assertTrue(setting.getMessage().contains("'beam'"), setting.getMessage());

    SimulatedStorage wide = interrupted(input, kind, "beam", "5");
    IllegalArgumentException missing =
        assertThrows(
            IllegalArgumentException.class,
            () -> run(wide, kind, job(wide, kind).resume(true).build()));
    assertTrue(
        missing.getMessage().contains("another 'beam': 5, now not given"), missing.getMessage());

    JobSummary summary = run(storage, kind, job(storage, kind).resume(true).build());
    assertTrue(summary.resumed() > 0);
    assertEquals(40, summary.resumed() + summary.progress().records());
    assertArrayEquals(expected[0], outputs(storage, kind)[0]);
  }

  /** A job that ended in the middle, with checkpoints. */
  private SimulatedStorage interrupted(byte[] input, Kind kind, String... setting)
      throws Exception {
    SimulatedStorage storage = new SimulatedStorage();
    storage.put(in(), input);
    storage.failAt(SimulatedStorage.Fault.NO_SPACE, false, 20);
    BatchJob.Builder job = job(storage, kind);
    if (setting.length > 0) {
      job.setting(setting[0], setting[1]);
    }
    IOException full = assertThrows(IOException.class, () -> run(storage, kind, job.build()));
    assertTrue(full.getMessage().endsWith("--resume goes on from there"), full.getMessage());
    storage.repair(new Random(1));
    return storage;
  }

  @Test
  void nothingThatIsThereIsOverwrittenUnlessThatIsAskedFor() throws Exception {
    byte[] input = input(new Random(2), 40);
    Kind kind = Kind.TEXT;
    byte[][] expected = undisturbed(input, kind);
    SimulatedStorage storage = new SimulatedStorage();
    storage.put(in(), input);
    storage.put(folder.resolve(kind.file), "precious".getBytes(UTF_8));
    Exception there =
        assertThrows(
            IllegalArgumentException.class, () -> run(storage, kind, job(storage, kind).build()));
    assertTrue(there.getMessage().contains("--force"), there.getMessage());
    assertEquals("precious", new String(storage.get(folder.resolve(kind.file)), ISO_8859_1));
    run(storage, kind, job(storage, kind).force(true).build());
    assertArrayEquals(expected[0], outputs(storage, kind)[0]);
    // What is complete need not be resumed, and stays as it is.
    JobSummary again = run(storage, kind, job(storage, kind).resume(true).build());
    assertEquals(0, again.progress().records());

    SimulatedStorage half = interrupted(input, kind);
    Exception left =
        assertThrows(
            IllegalArgumentException.class, () -> run(half, kind, job(half, kind).build()));
    assertTrue(left.getMessage().contains("--resume"), left.getMessage());
    run(half, kind, job(half, kind).force(true).build());
    assertArrayEquals(expected[0], outputs(half, kind)[0]);
  }

  @Test
  void theFirstBadRecordStopsAJobThatIsToStopAndItGoesOnOnceTheRecordIsMended() throws Exception {
    SimulatedStorage storage = new SimulatedStorage();
    StringBuilder text = new StringBuilder("id,text\n");
    for (int i = 0; i < 30; i++) {
      text.append(i).append(i == 17 ? ",fox\n" : ",dog\n");
    }
    storage.put(in(), text.toString().getBytes(UTF_8));
    Kind kind = Kind.TEXT;
    BadRecordException stopped =
        assertThrows(
            BadRecordException.class,
            () -> run(storage, kind, job(storage, kind).onError(OnError.STOP).build()));
    assertTrue(stopped.getMessage().startsWith(in() + ": record 18: an x"), stopped.getMessage());
    storage.put(in(), text.toString().replace("fox", "cow").getBytes(UTF_8));
    JobSummary summary =
        run(storage, kind, job(storage, kind).onError(OnError.STOP).resume(true).build());
    assertEquals(15, summary.resumed());
    assertEquals(
        "god\n".repeat(17) + "woc\n" + "god\n".repeat(12),
        new String(storage.get(folder.resolve(kind.file)), UTF_8));
  }

  @Test
  void partsInARowAreTheWhole() throws Exception {
    byte[] input = input(new Random(3), 40);
    Kind kind = Kind.TEXT;
    byte[][] expected = undisturbed(input, kind);
    StringBuilder parts = new StringBuilder();
    for (int part = 0; part < 3; part++) {
      SimulatedStorage storage = new SimulatedStorage();
      storage.put(in(), input);
      run(storage, kind, job(storage, kind).records(40 * part / 3, 40 * (part + 1) / 3).build());
      parts.append(new String(storage.get(folder.resolve(kind.file)), UTF_8));
    }
    assertEquals(new String(expected[0], UTF_8), parts.toString());
  }
}

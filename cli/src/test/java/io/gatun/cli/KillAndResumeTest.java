package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Processes that are killed at random moments, without a chance to tidy up, and resumed until they
 * end: {@code -Dgatun.kills=100} kills a hundred of them, {@code -Dgatun.records=10000} makes the
 * jobs smaller.
 */
@EnabledOnOs({OS.LINUX, OS.MAC})
class KillAndResumeTest {
  private static final int RECORDS = Integer.getInteger("gatun.records", 40_000);

  private static final int MOST_KILLS_OF_A_JOB = 4;

  @TempDir Path folder;

  private static Process start(Path input, Path output, int threads) throws IOException {
    List<String> command = new ArrayList<>(ProcessTest.command("classify", "examples/names"));
    command.addAll(
        List.of(
            input.toString(),
            "--column",
            "name",
            "--resume",
            "--on-error",
            "record",
            "--chunk-records",
            "256",
            "--batch-tokens",
            "256",
            "--threads",
            Integer.toString(threads),
            "--output",
            output.toString()));
    if (!output.toString().endsWith(".txt")) {
      command.addAll(List.of("--keep", "id"));
    }
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(output.resolveSibling("messages.txt").toFile())
        .start();
  }

  private static Path input(Path folder, Random random) throws IOException {
    List<String> names =
        Files.readAllLines(Shared.project().resolve("examples/names/names.txt"), UTF_8);
    StringBuilder text = new StringBuilder("id,name\n");
    for (int i = 0; i < RECORDS; i++) {
      text.append(i)
          .append(',')
          .append(names.get(random.nextInt(names.size())))
          .append(random.nextInt(RECORDS / 8) == 0 ? ",too many\n" : "\n");
    }
    return Files.writeString(folder.resolve("names.csv"), text);
  }

  @Test
  void whateverMomentItIsKilledAtTheBytesAreTheSameInTheEnd() throws Exception {
    int kills = Integer.getInteger("gatun.kills", 2);
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.println("KillAndResumeTest: -Dgatun.seed=" + seed);
    Random random = new Random(seed);
    Path input = input(folder, random);
    Path whole = Files.createDirectory(folder.resolve("whole"));
    String[] formats = {"out.jsonl", "out.parquet", "out.csv.gz", "out.arrow", "out.txt"};
    byte[][] expected = new byte[formats.length][];
    byte[] expectedErrors = null;
    long millis = 0;
    int done = 0;
    int resumed = 0;
    for (int job = 0; done < kills; job++) {
      int kind = job % formats.length;
      if (expected[kind] == null) {
        Path output = whole.resolve(formats[kind]);
        long from = System.nanoTime();
        assertEquals(ExitCode.BAD_LINES, start(input, output, 2).waitFor(), () -> messages(output));
        millis = Math.max(millis, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - from));
        expected[kind] = Files.readAllBytes(output);
        byte[] errors = Files.readAllBytes(whole.resolve(formats[kind] + ".errors.jsonl"));
        expectedErrors = expectedErrors == null ? errors : expectedErrors;
        assertArrayEquals(expectedErrors, errors);
      }
      Path run = Files.createDirectory(folder.resolve("job" + job));
      Path output = run.resolve(formats[kind]);
      int code = -1;
      int of = 0;
      while (code < 0) {
        Process process = start(input, output, 1 + random.nextInt(2));
        // No job is killed for ever, so that all formats have their turn.
        boolean kill = done < kills && of++ < MOST_KILLS_OF_A_JOB;
        if (kill && !process.waitFor(random.nextLong(millis), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly().waitFor();
          done++;
          resumed += Files.exists(run.resolve("." + formats[kind] + ".journal")) ? 1 : 0;
          assertTrue(!Files.exists(output) || isWhole(expected[kind], output), "half an output");
        } else {
          code = process.waitFor();
        }
      }
      assertTrue(code == ExitCode.BAD_LINES || code == ExitCode.OK, () -> messages(output));
      assertArrayEquals(expected[kind], Files.readAllBytes(output), formats[kind]);
      assertArrayEquals(
          expectedErrors, Files.readAllBytes(run.resolve(formats[kind] + ".errors.jsonl")));
      assertEquals(
          List.of("messages.txt", formats[kind], formats[kind] + ".errors.jsonl"), files(run));
    }
    System.out.println(
        "KillAndResumeTest: " + done + " killed, " + resumed + " of them left a journal");
  }

  private static boolean isWhole(byte[] expected, Path output) throws IOException {
    return Arrays.equals(expected, Files.readAllBytes(output));
  }

  private static String messages(Path output) {
    try {
      return Files.readString(output.resolveSibling("messages.txt"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static List<String> files(Path run) throws IOException {
    try (Stream<Path> files = Files.list(run)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}

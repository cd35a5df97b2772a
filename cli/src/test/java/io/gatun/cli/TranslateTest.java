package io.gatun.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code translate} and {@code score} with a real model, and all that lines can be. */
class TranslateTest {
  private static final String WEIGHTS = "models/g2p_en/checkpoint20.npz";

  @TempDir Path folder;

  private static String[] args(String command, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                command,
                Shared.project().resolve("examples/g2p_en").toString(),
                "--weights",
                Shared.path(WEIGHTS).toString()));
    args.addAll(Arrays.asList(more));
    return args.toArray(new String[0]);
  }

  private static Run translate(String input, String... more) {
    return Run.with(input, args("translate", more));
  }

  /** The words of the reference and what it answers. */
  private record Reference(List<String> words, List<String> answers) {
    static Reference read() throws IOException {
      List<String> words = new ArrayList<>();
      List<String> answers = new ArrayList<>();
      for (Json item : Json.read(Shared.path("models/g2p_en/expected.json")).items()) {
        words.add(item.members().get("word").string());
        answers.add(String.join(" ", item.members().get("phonemes").strings()));
      }
      return new Reference(words, answers);
    }

    String input() {
      return String.join("\n", words) + "\n";
    }

    String output() {
      return String.join("\n", answers) + "\n";
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 4096", "2, 4096", "2, 1", "3, 100", "1, 1000000"})
  void all517WordsAreAnsweredAsTheReferenceDoes(String threads, String batchTokens)
      throws IOException {
    Reference reference = Reference.read();
    assertEquals(517, reference.words().size());
    Run run = translate(reference.input(), "--threads", threads, "--batch-tokens", batchTokens);
    assertEquals("", run.err());
    assertEquals(ExitCode.OK, run.code());
    assertEquals(reference.output(), run.out());
  }

  @Test
  void theNamedDeviceAnswersTheSame() throws IOException {
    Reference reference = Reference.read();
    Run run = translate(reference.input(), "--device", "scalar");
    assertEquals(reference.output(), run.out());
    run = translate("", "--device", "abacus");
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().startsWith("gatun: no device is called abacus; there are"), run.err());
  }

  @Test
  void weightsAreRoundedWhenThatIsAskedFor() {
    assertEquals("T AH0 B AE1 K OW0\n", translate("tobacco\n").out());
    assertEquals("T AH0 B AE1 K OW0\n", translate("tobacco\n", "--weight-format", "float32").out());
    for (String format : List.of("bfloat16", "int8")) {
      Run run = translate("tobacco\nhello\n", "--weight-format", format);
      assertEquals("T AH0 B AA1 K OW0\nHH EH1 L OW0\n", run.out(), format);
    }
    Run run = translate("", "--weight-format", "int4");
    assertEquals(ExitCode.USAGE, run.code());
    assertTrue(
        run.err()
            .contains("'int4' is no format of weights, expected one of float32, bfloat16, int8"),
        run.err());
  }

  @Test
  void oddLinesKeepTheirPlaces() throws IOException {
    Reference reference = Reference.read();
    String word = reference.words().get(0);
    String answer = reference.answers().get(0);
    String input =
        "\n" + word + "\r\n\r\n" + word.toUpperCase(Locale.ROOT) + "\n" + "123 !?\n\n" + word;
    Run run = translate(input);
    assertEquals(ExitCode.OK, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(7, lines.size());
    assertEquals(List.of("", answer, "", answer), lines.subList(0, 4));
    assertEquals("", lines.get(5));
    assertEquals(answer, lines.get(6));
    assertTrue(run.out().endsWith("\n"), "also the last line is ended");
  }

  @Test
  void badLinesAreReportedWithTheirNumbersAndTheRestGoesOn() throws IOException {
    String word = Reference.read().words().get(0);
    String answer = Reference.read().answers().get(0);
    String tooLong = "a".repeat(40_000);
    String input = word + "\nab\u00ff\n" + word + "\n" + tooLong + "\n" + word + "\n";
    Run run = Run.with(new ByteArrayInputStream(input.getBytes(ISO_8859_1)), args("translate"));
    assertEquals(ExitCode.BAD_LINES, run.code());
    assertEquals(answer + "\n\n" + answer + "\n\n" + answer + "\n", run.out());
    assertEquals(
        List.of(
            "gatun: standard input: line 2: no UTF-8: byte 3 is 0xff",
            "gatun: standard input: line 4: 40001 tokens, expected at most 32768",
            "gatun: standard input: 2 of 5 lines were bad and have no answer"),
        run.err().lines().toList());
  }

  @Test
  void aWordOfTenThousandLettersIsAnswered() throws IOException {
    Reference reference = Reference.read();
    Run run =
        translate(
            reference.words().get(0) + "\n" + "abcdefghij".repeat(1000) + "\n",
            "--max-length",
            "5");
    assertEquals(ExitCode.OK, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(reference.answers().get(0), lines.get(0));
    assertEquals(5, lines.get(1).split(" ").length);
  }

  @Test
  void lettersOfAnyAlphabetAreUnknownToThisModelAndStillAnswered() {
    Run run = translate("\u0434\u0430\n\ud83d\ude00\n\u4e2d\n");
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertEquals(3, run.out().lines().count());
  }

  @Test
  void inputAndOutputMayBeFiles() throws IOException {
    Reference reference = Reference.read();
    Path words = Files.writeString(folder.resolve("words.txt"), reference.input());
    Path answers = folder.resolve("answers.txt");
    Run run = translate("", words.toString(), "--output", answers.toString());
    assertEquals("", run.err());
    assertEquals(ExitCode.OK, run.code());
    assertEquals("", run.out());
    assertEquals(reference.output(), Files.readString(answers));
    assertEquals(List.of("answers.txt", "words.txt"), filesOf(folder));

    run = translate("", words.toString(), "--output", answers.toString());
    assertEquals(ExitCode.FAILURE, run.code());
    assertEquals("gatun: " + answers + " is there already: --force replaces it\n", run.err());

    run = translate("", "--input", words.toString(), "--progress", "always");
    assertEquals(reference.output(), run.out());
  }

  private static List<String> filesOf(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aFailureLeavesTheOldOutputAndNothingElse() throws IOException {
    Path answers = Files.writeString(folder.resolve("answers.txt"), "old\n");
    InputStream failing =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException("the disk is gone");
          }

          @Override
          public int read(byte[] into, int from, int length) throws IOException {
            return read();
          }
        };
    Run run = Run.with(failing, args("translate", "--force", "--output", answers.toString()));
    assertEquals(ExitCode.FAILURE, run.code());
    assertEquals("gatun: cannot read standard input: the disk is gone\n", run.err());
    assertEquals("old\n", Files.readString(answers));
    assertEquals(List.of("answers.txt"), filesOf(folder));
  }

  @Test
  void whatCannotBeReadOrWrittenIsOneLine() {
    Run run = translate("", "no-such-file.txt");
    assertEquals(ExitCode.FAILURE, run.code());
    assertEquals("gatun: no such file: no-such-file.txt\n", run.err());

    run = translate("", folder.toString());
    assertEquals(ExitCode.FAILURE, run.code());
    assertEquals("gatun: the folder " + folder + " has no files to read\n", run.err());

    run = translate("", "--output", folder.resolve("none/x").toString());
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().startsWith("gatun: there is no folder "), run.err());

    run = translate("", "--output", folder.toString());
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().contains("is a folder"), run.err());
  }

  @Test
  void aReaderThatHasGoneEndsTheCommandQuietly() throws IOException {
    OutputStream gone = failing("Broken pipe");
    assertEquals(new Run(ExitCode.BROKEN_PIPE, "", ""), runInto(gone));
  }

  @Test
  void aFullDiskIsOneLine() throws IOException {
    OutputStream full = failing("No space left on device");
    assertEquals(
        new Run(
            ExitCode.FAILURE, "", "gatun: cannot write standard output: No space left on device\n"),
        runInto(full));
  }

  private static OutputStream failing(String message) {
    return new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        throw new IOException(message);
      }
    };
  }

  private static Run runInto(OutputStream out) throws IOException {
    byte[] words = Reference.read().input().getBytes(UTF_8);
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Streams streams =
        new Streams(
            new ByteArrayInputStream(words), out, new PrintStream(err, true, UTF_8), false, false);
    return new Run(Gatun.run(streams, args("translate")), "", err.toString(UTF_8));
  }

  @Test
  void aPersonWhoTypesALineGetsItsAnswer() throws Exception {
    Reference reference = Reference.read();
    PipedOutputStream typed = new PipedOutputStream();
    PipedInputStream in = new PipedInputStream(typed);
    PipedOutputStream out = new PipedOutputStream();
    PipedInputStream shown = new PipedInputStream(out);
    String[] args = args("translate");
    int[] code = {-1};
    Thread running =
        new Thread(() -> code[0] = Gatun.run(new Streams(in, out, System.err, false, false), args));
    running.start();
    for (int i = 0; i < 5; i++) {
      typed.write((reference.words().get(i) + "\n").getBytes(UTF_8));
      typed.flush();
      String expected = reference.answers().get(i) + "\n";
      assertEquals(expected, new String(shown.readNBytes(expected.length()), UTF_8));
    }
    typed.close();
    running.join();
    assertEquals(ExitCode.OK, code[0]);
  }

  @Test
  void theBestOfABeamComesFirstWithItsScoreInTheFormatOfMoses() throws IOException {
    String input = Reference.read().words().stream().limit(20).collect(Collectors.joining("\n"));
    List<String> nBest = translate(input, "--beam", "4", "--n-best", "3").out().lines().toList();
    List<String> best = translate(input, "--beam", "4", "--scores").out().lines().toList();
    assertEquals(60, nBest.size());
    assertEquals(20, best.size());
    for (int i = 0; i < 20; i++) {
      double before = 0;
      for (int k = 0; k < 3; k++) {
        String[] fields = nBest.get(3 * i + k).split(" \\|\\|\\| ");
        assertEquals(3, fields.length);
        assertEquals(i, Integer.parseInt(fields[0]));
        double score = Double.parseDouble(fields[2]);
        assertTrue(score <= before);
        before = score;
        if (k == 0) {
          assertEquals(best.get(i), fields[1] + "\t" + fields[2]);
        }
      }
    }
  }

  @Test
  void aSeedGivesTheSameSamplesWhateverTheBatches() throws IOException {
    String input = Reference.read().input();
    String[] sampling = {"--sample", "--temperature", "1.5", "--seed", "7"};
    String all = translate(input, sampling).out();
    List<String> otherwise = new ArrayList<>(Arrays.asList(sampling));
    otherwise.addAll(List.of("--threads", "3", "--batch-tokens", "50"));
    assertEquals(all, translate(input, otherwise.toArray(new String[0])).out());
    assertFalse(
        all.equals(translate(input, "--sample", "--temperature", "1.5", "--seed", "8").out()));
  }

  @Test
  void optionsThatDoNotGoTogetherAreUsageErrors() {
    for (List<String> wrong :
        List.of(
            List.of("--beam", "2", "--n-best", "3"),
            List.of("--beam", "0"),
            List.of("--min-length", "30", "--max-length", "20"),
            List.of("--sample", "--temperature", "0"),
            List.of("--sample", "--beam", "2"))) {
      Run run = translate("", wrong.toArray(new String[0]));
      assertEquals(ExitCode.USAGE, run.code(), wrong + ": " + run.err());
      assertTrue(run.err().startsWith("gatun translate: "), run.err());
    }
  }

  @Test
  void scoringTheAnswersGivesTheScoresOfTheAnswers() throws IOException {
    Reference reference = Reference.read();
    StringBuilder pairs = new StringBuilder();
    List<String> expected = new ArrayList<>();
    for (String line : translate(reference.input(), "--scores").out().lines().toList()) {
      pairs
          .append(reference.words().get(expected.size()))
          .append('\t')
          .append(line, 0, line.indexOf('\t'))
          .append('\n');
      expected.add(line.substring(line.indexOf('\t') + 1));
    }
    Run run = Run.with(pairs.toString(), args("score"));
    assertEquals("", run.err());
    List<String> scores = run.out().lines().toList();
    assertEquals(expected.size(), scores.size());
    for (int i = 0; i < scores.size(); i++) {
      // An answer cut off at the longest length has no end of its own, so its score is another.
      if (reference.answers().get(i).split(" ").length < 20) {
        assertEquals(expected.get(i), scores.get(i), reference.words().get(i));
      }
    }
  }

  @Test
  void targetsMayStandInAFileOfTheirOwn() throws IOException {
    Reference reference = Reference.read();
    Path words = Files.writeString(folder.resolve("words.txt"), reference.input());
    Path answers = Files.writeString(folder.resolve("answers.txt"), reference.output());
    StringBuilder pairs = new StringBuilder();
    for (int i = 0; i < reference.words().size(); i++) {
      pairs.append(reference.words().get(i)).append('\t');
      pairs.append(reference.answers().get(i)).append('\n');
    }
    Run apart =
        Run.of(
            args(
                "score", "--input", words.toString(), "--targets", answers.toString(), "--tokens"));
    Run together = Run.with(pairs.toString(), args("score", "--tokens"));
    assertEquals(ExitCode.OK, apart.code(), apart.err());
    assertEquals(together.out(), apart.out());
    String[] first = apart.out().lines().findFirst().orElseThrow().split("\t");
    assertEquals(reference.answers().get(0).split(" ").length + 2, first.length);
    double sum = 0;
    for (int i = 1; i < first.length; i++) {
      sum += Double.parseDouble(first[i].substring(first[i].lastIndexOf('=') + 1));
    }
    assertEquals(Double.parseDouble(first[0]), sum, 1e-5);
  }

  @Test
  void aLineWithoutATargetIsBad() {
    Run run = Run.with("hello\nhello\tHH AH0 L OW1\na\tb\tc\n", args("score"));
    assertEquals(ExitCode.BAD_LINES, run.code());
    String[] lines = run.out().split("\n", -1);
    assertArrayEquals(new String[] {"", lines[1], "", ""}, lines);
    assertTrue(run.err().contains("line 1: no tab, expected a source, a tab and a target"));
    assertTrue(run.err().contains("line 3: more than one tab"));
  }

  @Test
  void inspectShowsThePathOfRepresentations() {
    Run run = Run.of(args("inspect", "--unroll", "4"));
    assertEquals(ExitCode.OK, run.code(), run.err());
    for (String expected :
        List.of(
            "encoder.embedding",
            "float32 [time, batch, 256]",
            "convention pytorch",
            "in all: 834,890 parameters, 3,339,560 bytes",
            "encoder, many-to-one",
            "x(4)",
            "context ")) {
      assertTrue(run.out().contains(expected), expected + "\n" + run.out());
    }
  }

  @Test
  void inspectPrintsJson() {
    Run run = Run.of(args("inspect", "--json"));
    assertEquals(ExitCode.OK, run.code(), run.err());
    Json json = Json.parse("inspect", run.out());
    assertEquals("encoder-decoder", json.members().get("kind").string());
    List<Json> graphs = json.members().get("graphs").items();
    assertEquals(2, graphs.size());
    assertEquals(402_176, graphs.get(0).members().get("parameters").integer(0));
  }
}

package io.gatun.jmh;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.gatun.format.Json;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableFormats;
import io.gatun.table.TableWriter;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A million words of English, and what might be some, through {@code examples/pronunciation}: text
 * to text and Parquet to Parquet, with one thread and two, by the command {@code gatun}. Prints for
 * each run the rate, the most memory that the process had in RAM, and the share of the threads'
 * time that was not spent computing; then what two threads gain over one.
 *
 * <p>{@code jmh/run words [COUNT,… [THREADS,… [ROUNDS]]]}; each run is one line of JSON in {@code
 * jmh/target/words.jsonl}, too. The words are CMUdict's, see {@code examples/fetch}, and the
 * beginnings of some with the ends of others, cut behind a vowel.
 */
public final class MillionWords {
  private static final Pattern ENTRY = Pattern.compile("([A-Z]{2,})  .*");
  private static final Pattern CUT = Pattern.compile("^([^aeiouy]*[aeiouy]+)([^aeiouy].*)$");
  private static final Pattern PEAK = Pattern.compile("VmHWM:\\s*(\\d+) kB");
  private static final int MILLION = 1_000_000;
  private static final int CHUNK = 16_384;

  private final Path root = Path.of("").toAbsolutePath();
  private final Path folder = root.resolve("jmh/target/words");

  /** A run: how much of what, on how many threads. */
  private record Run(int count, String format, int threads) {}

  /** What a run showed. */
  private record Shown(double seconds, double rate, double idle, long peakKilobytes) {}

  private MillionWords() {}

  /**
   * Makes the words and runs the command.
   *
   * @param args the counts with commas between, 100000,1000000 by default; the numbers of threads,
   *     1,2 by default; how often
   * @throws Exception if a run fails
   */
  public static void main(String[] args) throws Exception {
    new MillionWords()
        .run(
            numbers(args.length > 0 ? args[0] : "100000,1000000"),
            numbers(args.length > 1 ? args[1] : "1,2"),
            args.length > 2 ? Integer.parseInt(args[2]) : 1);
  }

  private static List<Integer> numbers(String text) {
    return Arrays.stream(text.split(",")).map(Integer::valueOf).toList();
  }

  private void run(List<Integer> counts, List<Integer> allThreads, int rounds) throws Exception {
    Files.createDirectories(folder);
    List<String> words = words();
    Map<Run, List<Shown>> all = new LinkedHashMap<>();
    Path raw = root.resolve("jmh/target/words.jsonl");
    try (BufferedWriter lines =
        Files.newBufferedWriter(raw, UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      for (int round = 0; round < rounds; round++) {
        for (int count : counts) {
          for (String format : List.of("txt", "parquet")) {
            Path input = input(words.subList(0, count), format);
            for (int threads : allThreads) {
              Run run = new Run(count, format, threads);
              Shown shown = measured(run, input, lines);
              all.computeIfAbsent(run, key -> new ArrayList<>()).add(shown);
              print(run, shown);
            }
          }
        }
      }
    }
    all.forEach(
        (run, shown) -> {
          List<Shown> alone = all.get(new Run(run.count(), run.format(), 1));
          if (run.threads() == 2 && alone != null) {
            double one = fastest(alone);
            System.out.printf(
                Locale.ROOT,
                "%,d %s: two threads are %.2f times as fast as one%n",
                run.count(),
                run.format(),
                one / fastest(shown));
          }
        });
  }

  private static double fastest(List<Shown> runs) {
    return runs.stream().mapToDouble(Shown::seconds).min().orElseThrow();
  }

  private static void print(Run run, Shown shown) {
    System.out.printf(
        Locale.ROOT,
        "%,d %s, %d threads: %,.0f words/s, peak %,d MB, not computing %.1f %%, %.1f s%n",
        run.count(),
        run.format(),
        run.threads(),
        shown.rate(),
        shown.peakKilobytes() / 1000,
        100 * shown.idle(),
        shown.seconds());
  }

  /** A million different words in random order, the same ones each time. */
  private List<String> words() throws IOException {
    Path dictionary = root.resolve("examples/pronunciation/data/package/lib/cmu/cmudict.0.7a");
    if (!Files.exists(dictionary)) {
      throw new IOException(dictionary + " is missing: 'examples/fetch pronunciation' brings it");
    }
    Set<String> words = new LinkedHashSet<>();
    List<String> beginnings = new ArrayList<>();
    List<String> ends = new ArrayList<>();
    try (Stream<String> lines = Files.lines(dictionary, ISO_8859_1)) {
      lines.forEach(
          line -> {
            Matcher entry = ENTRY.matcher(line);
            if (entry.matches()) {
              String word = entry.group(1).toLowerCase(Locale.ROOT);
              words.add(word);
              Matcher cut = CUT.matcher(word);
              if (cut.matches()) {
                beginnings.add(cut.group(1));
                ends.add(cut.group(2));
              }
            }
          });
    }
    Random random = new Random(1);
    while (words.size() < MILLION) {
      words.add(
          beginnings.get(random.nextInt(beginnings.size()))
              + ends.get(random.nextInt(ends.size())));
    }
    List<String> mixed = new ArrayList<>(words);
    Collections.shuffle(mixed, random);
    return mixed;
  }

  private Path input(List<String> words, String format) throws IOException {
    Path file = folder.resolve("words-" + words.size() + "." + format);
    if (format.equals("txt")) {
      return Files.write(file, words, UTF_8);
    }
    Schema schema =
        Schema.of(new Column("id", ColumnType.INTEGER), new Column("word", ColumnType.TEXT));
    try (OutputStream out = Files.newOutputStream(file)) {
      Sink sink = Sink.to(file.toString(), out);
      TableWriter writer = TableFormats.named("parquet").writer(sink, schema, List.of());
      for (int i = 0; i < words.size(); i++) {
        writer.write(new Object[] {(long) i + 1, words.get(i)});
        if ((i + 1) % CHUNK == 0) {
          writer.endChunk();
        }
      }
      writer.endChunk();
      writer.finish();
      sink.flush();
    }
    return file;
  }

  private Shown measured(Run run, Path input, BufferedWriter lines)
      throws IOException, InterruptedException {
    Path output = folder.resolve("answers." + run.format());
    Path metrics = folder.resolve("metrics.json");
    List<String> command =
        new ArrayList<>(
            List.of(
                root.resolve("gatun").toString(),
                "translate",
                root.resolve("examples/pronunciation").toString(),
                input.toString(),
                "--output",
                output.toString(),
                "--force",
                "--threads",
                Integer.toString(run.threads()),
                "--progress",
                "never",
                "--metrics",
                metrics.toString()));
    if (run.format().equals("parquet")) {
      command.addAll(List.of("--column", "word", "--keep", "id"));
    }
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
            .start();
    long peak = 0;
    while (!process.waitFor(200, TimeUnit.MILLISECONDS)) {
      peak = Math.max(peak, peak(process.toHandle()));
    }
    if (process.exitValue() != 0) {
      throw new IOException("the command ended with " + process.exitValue() + ": " + command);
    }
    String text = Files.readString(metrics).strip();
    lines.write(
        "{\"count\":%d,\"format\":\"%s\",\"threads\":%d,\"peak_kilobytes\":%d,\"metrics\":%s}%n"
            .formatted(run.count(), run.format(), run.threads(), peak, text));
    lines.flush();
    Json.Fields fields = Json.parse(metrics.toString(), text).fields();
    return new Shown(
        fields.require("elapsed_seconds").number(),
        fields.require("records_per_second").number(),
        fields.require("idle").number(),
        peak);
  }

  /** The most that the process, or one that the launcher started, had in RAM so far. */
  private static long peak(ProcessHandle process) {
    return Stream.concat(Stream.of(process), process.descendants())
        .mapToLong(
            each -> {
              try {
                Matcher found =
                    PEAK.matcher(Files.readString(Path.of("/proc/" + each.pid() + "/status")));
                return found.find() ? Long.parseLong(found.group(1)) : 0;
              } catch (IOException e) {
                return 0; // it has ended meanwhile
              }
            })
        .max()
        .orElse(0);
  }
}

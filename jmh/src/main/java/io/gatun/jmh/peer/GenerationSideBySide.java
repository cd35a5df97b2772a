package io.gatun.jmh.peer;

import ai.onnxruntime.OrtException;
import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchProgress;
import io.gatun.batch.BatchRun;
import io.gatun.batch.LineReader;
import io.gatun.batch.LineWriter;
import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.kernel.Devices;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A file of words through {@code examples/g2p_en}, here and by a program that runs the same encoder
 * and decoder step as two models in ONNX Runtime ({@link OnnxTranslator}), in turn, in one process:
 * words a second, medians and their ratio. From the bytes of the file to the bytes of the answers,
 * both with two threads, and both with the search of {@code translate}.
 *
 * <p>ONNX Runtime is run in two ways, one session with two threads and two programs with a session
 * of one thread each; before anything is counted the faster one and the best of some batch sizes is
 * chosen.
 *
 * <p>Words: any list, one a line. The figures in {@code jmh/results} are of 100,000 words of the
 * Carnegie Mellon Pronouncing Dictionary 0.7b (npm package {@code cmu-pronouncing-dictionary}
 * 3.0.0): those that are letters alone, without the numbers of variants, in random order.
 */
public final class GenerationSideBySide {
  private static final int THREADS = 2;
  private static final int[] BATCHES = {64, 256};
  private static final int SAMPLE = 5_000;

  private final Model model;
  private final Path words;
  private final int count;
  private final int rounds;
  private final StringBuilder table = new StringBuilder();

  private GenerationSideBySide(Model model, Path words, int rounds) throws IOException {
    this.model = model;
    this.words = words;
    this.rounds = rounds;
    this.count = Files.readAllLines(words).size();
  }

  /**
   * Runs it.
   *
   * @param args the model's folder, its weights, the file of words, where the table goes or {@code
   *     -}, and how often each is run, 5 if nothing is said; then the beams, 1 and 4 if nothing is
   *     said
   */
  public static void main(String[] args) throws IOException, OrtException, InterruptedException {
    if (args.length < 4) {
      throw new IllegalArgumentException(
          "expected: MODEL-FOLDER WEIGHTS WORDS TABLE [ROUNDS [BEAM…]]");
    }
    int rounds = args.length > 4 ? Integer.parseInt(args[4]) : 5;
    int[] beams =
        args.length > 5
            ? Arrays.stream(args).skip(5).mapToInt(Integer::parseInt).toArray()
            : new int[] {1, 4};
    try (Model model = ModelFolder.open(Path.of(args[0]), Optional.of(Path.of(args[1])))) {
      GenerationSideBySide all = new GenerationSideBySide(model, Path.of(args[2]), rounds);
      all.print(
          "| search | words | here, words/s | ONNX Runtime, words/s | its sessions × threads,"
              + " batch | ratio | other answers |\n");
      all.print("|---|---|---|---|---|---|---|\n");
      for (int beam : beams) {
        all.compare(beam);
      }
      if (!args[3].equals("-")) {
        Path target = Path.of(args[3]);
        Files.createDirectories(target.toAbsolutePath().getParent());
        Files.writeString(target, all.table);
      }
    }
  }

  private void print(String line) {
    System.out.print(line);
    table.append(line);
  }

  /** Translates the file as {@code gatun translate} does. */
  private void here(Translator translator, int beam, Path from, OutputStream out)
      throws IOException, InterruptedException {
    try (InputStream in = Files.newInputStream(from)) {
      new BatchRun<>(
              new LineReader(from.toString(), in),
              translator.translation(translator.options().beamWidth(beam).build()),
              new LineWriter<>(
                  out,
                  (number, answer) ->
                      answer == null || answer.answers().isEmpty()
                          ? ""
                          : answer.answers().get(0).text()),
              BatchOptions.builder().workers(THREADS).build(),
              new Silent())
          .run();
    }
  }

  private static final class Silent implements BatchListener {
    @Override
    public void bad(long number, String problem) {
      throw new IllegalArgumentException("line " + number + ": " + problem);
    }

    @Override
    public void progress(BatchProgress progress) {
      // Nobody watches.
    }
  }

  private void compare(int beam) throws IOException, OrtException, InterruptedException {
    try (Translator translator = Translator.of(model, Devices.open(Peer.PROCESSOR))) {
      int programs = 0;
      int batch = 0;
      double fastest = 0;
      Path sample = sample();
      for (int each : new int[] {1, THREADS}) {
        for (int size : BATCHES) {
          try (OnnxTranslator peer = new OnnxTranslator(model, beam, each, THREADS / each, size)) {
            double speed = 0;
            for (int i = 0; i < 2; i++) {
              long begin = System.nanoTime();
              peer.translate(sample, OutputStream.nullOutputStream());
              speed = Math.max(speed, SAMPLE * 1e9 / (System.nanoTime() - begin));
            }
            System.err.printf(
                Locale.ROOT,
                "beam %d, %d sessions, batch %d: %.0f words/s%n",
                beam,
                each,
                size,
                speed);
            if (speed > fastest) {
              fastest = speed;
              programs = each;
              batch = size;
            }
          }
        }
      }
      Files.delete(sample);
      try (OnnxTranslator peer =
          new OnnxTranslator(model, beam, programs, THREADS / programs, batch)) {
        ByteArrayOutputStream ours = new ByteArrayOutputStream();
        here(translator, beam, words, ours);
        ByteArrayOutputStream theirs = new ByteArrayOutputStream();
        peer.translate(words, theirs);
        int other = different(ours, theirs);
        double[] here = new double[rounds];
        double[] there = new double[rounds];
        double[] ratios = new double[rounds];
        for (int round = 0; round < rounds; round++) {
          long begin = System.nanoTime();
          here(translator, beam, words, OutputStream.nullOutputStream());
          long middle = System.nanoTime();
          peer.translate(words, OutputStream.nullOutputStream());
          long end = System.nanoTime();
          here[round] = count * 1e9 / (middle - begin);
          there[round] = count * 1e9 / (end - middle);
          ratios[round] = here[round] / there[round];
          System.err.printf(
              Locale.ROOT, "beam %d: %.0f, %.0f words/s%n", beam, here[round], there[round]);
        }
        print(
            String.format(
                Locale.ROOT,
                "| %s | %,d | %,.0f | %,.0f | %d × %d, %d | %.2f | %d |%n",
                beam == 1 ? "greedy" : "beam " + beam,
                count,
                median(here),
                median(there),
                programs,
                THREADS / programs,
                batch,
                median(ratios),
                other));
      }
    }
  }

  /** Some of the words, from all over the file. */
  private Path sample() throws IOException {
    List<String> all = Files.readAllLines(words);
    StringBuilder some = new StringBuilder();
    for (int i = 0; i < SAMPLE; i++) {
      some.append(all.get((int) ((long) i * all.size() / SAMPLE))).append('\n');
    }
    return Files.writeString(Files.createTempFile("words", ".txt"), some);
  }

  private static int different(ByteArrayOutputStream ours, ByteArrayOutputStream theirs) {
    String[] a = ours.toString(StandardCharsets.UTF_8).split("\n", -1);
    String[] b = theirs.toString(StandardCharsets.UTF_8).split("\n", -1);
    if (a.length != b.length) {
      throw new IllegalStateException(a.length + " lines here, " + b.length + " there");
    }
    int count = 0;
    for (int i = 0; i < a.length; i++) {
      if (!a[i].equals(b[i])) {
        count++;
      }
    }
    return count;
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}

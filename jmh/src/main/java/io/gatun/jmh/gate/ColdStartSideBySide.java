package io.gatun.jmh.gate;

import ai.onnxruntime.OrtException;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.jmh.peer.OnnxTranslator;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * From the start of a process to the first phonemes of one word: the launcher {@code gatun}, and a
 * Java program that runs the same encoder and decoder step as two models in ONNX Runtime, in turn.
 * Prints seconds until the first line of the answer, seconds until the process ended, and the most
 * memory that was resident.
 *
 * <p>ONNX Runtime's program opens the same model folder and writes the two models from it, which
 * one that was made for it would find on the disk; it says how long that took, on standard error
 * and not in the table, so that it can be taken off.
 */
public final class ColdStartSideBySide {
  private ColdStartSideBySide() {}

  /** One run of a process. */
  private record Run(double first, double end, long kilobytes) {}

  /**
   * Runs it.
   *
   * @param args the launcher, the model's folder, its weights, and how often each is run, 10 if
   *     nothing is said
   */
  public static void main(String[] args) throws IOException, InterruptedException, OrtException {
    if (args.length < 3) {
      throw new IllegalArgumentException("expected: LAUNCHER MODEL-FOLDER WEIGHTS [ROUNDS]");
    }
    if (args[0].equals("word")) {
      word(Path.of(args[1]), Path.of(args[2]));
      return;
    }
    Path words = Files.writeString(Files.createTempFile("word", ".txt"), "hello\n");
    List<String> here =
        List.of(args[0], "translate", args[1], words.toString(), "--weights", args[2]);
    List<String> there =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            ColdStartSideBySide.class.getName(),
            "word",
            args[1],
            args[2]);
    int rounds = args.length > 3 ? Integer.parseInt(args[3]) : 10;
    List<Run> ours = new ArrayList<>();
    List<Run> theirs = new ArrayList<>();
    run(here); // builds what is not built
    for (int i = 0; i < rounds; i++) {
      ours.add(run(here));
      theirs.add(run(there));
    }
    Files.delete(words);
    System.out.println(
        "| | first phonemes, s (median, best) | end, s (median, best) | resident, MB |\n"
            + "|---|---|---|---|");
    print("gatun", ours);
    print("ONNX Runtime from Java", theirs);
  }

  private static void print(String name, List<Run> runs) {
    double[] first = runs.stream().mapToDouble(Run::first).sorted().toArray();
    double[] end = runs.stream().mapToDouble(Run::end).sorted().toArray();
    System.out.printf(
        Locale.ROOT,
        "| %s | %.2f, %.2f | %.2f, %.2f | %d |%n",
        name,
        first[first.length / 2],
        first[0],
        end[end.length / 2],
        end[0],
        runs.stream().mapToLong(Run::kilobytes).max().orElseThrow() / 1024);
  }

  private static Run run(List<String> command) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.redirectError(ProcessBuilder.Redirect.DISCARD);
    long begin = System.nanoTime();
    Process process = builder.start();
    long most = 0;
    long first = 0;
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      while (true) {
        if (reader.ready()) {
          if (reader.readLine() == null) {
            break;
          }
          first = first == 0 ? System.nanoTime() : first;
        } else if (!process.isAlive()) {
          break;
        }
        most = Math.max(most, resident(process.toHandle()));
        for (ProcessHandle child : process.descendants().toList()) {
          most = Math.max(most, resident(child));
        }
        Thread.sleep(1);
      }
    }
    if (process.waitFor() != 0 || first == 0) {
      throw new IOException(command + " failed");
    }
    return new Run((first - begin) / 1e9, (System.nanoTime() - begin) / 1e9, most);
  }

  /** The high-water mark of a process in kilobytes, 0 where nobody says. */
  private static long resident(ProcessHandle process) {
    try {
      return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream()
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0; // it has ended
    }
  }

  private static void word(Path folder, Path weights) throws IOException, OrtException {
    final long begin = System.nanoTime();
    try (Model model = ModelFolder.open(folder, Optional.of(weights));
        OnnxTranslator translator = new OnnxTranslator(model, 1, 1, 1, 1)) {
      double opened = (System.nanoTime() - begin) / 1e9;
      System.out.println(String.join(" ", Arrays.asList(translator.translate(List.of("hello")))));
      System.err.printf(Locale.ROOT, "%.2f s until both models were open%n", opened);
    }
  }
}

package io.gatun.jmh.gate;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.jmh.peer.OnnxTranslator;
import io.gatun.jmh.peer.OnnxWord;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * From the start of a process to the first phonemes of one word: the launcher {@code gatun}, and a
 * Java program that runs the same encoder and decoder step as two models in ONNX Runtime ({@link
 * OnnxWord}), in turn; the latter as it comes, and with what makes its start shorter, an archive of
 * its classes and the native libraries unpacked beforehand. Prints seconds until the first line of
 * the answer, seconds until the process ended, and the most memory that was resident.
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
    Path folder = Files.createTempDirectory("word");
    try {
      compare(args, folder);
    } finally {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  private static void compare(String[] args, Path folder)
      throws IOException, InterruptedException, OrtException {
    Path words = Files.writeString(folder.resolve("words.txt"), "hello\n");
    try (Model model = ModelFolder.open(Path.of(args[1]), Optional.of(Path.of(args[2])));
        OnnxTranslator translator = new OnnxTranslator(model, 1, 1, 1, 1)) {
      translator.write(folder);
    }
    Map<String, List<String>> commands = new LinkedHashMap<>();
    commands.put(
        "gatun", List.of(args[0], "translate", args[1], words.toString(), "--weights", args[2]));
    commands.put("ONNX Runtime from Java", program(folder));
    if (unpack(folder)) {
      String libraries = "-Donnxruntime.native.path=" + folder;
      String quiet = "-Xlog:disable";
      Path archive = folder.resolve("classes.jsa");
      run(program(folder, libraries, quiet, "-XX:ArchiveClassesAtExit=" + archive));
      commands.put(
          "the same, classes archived, libraries unpacked",
          program(folder, libraries, quiet, "-XX:SharedArchiveFile=" + archive));
    }
    int rounds = args.length > 3 ? Integer.parseInt(args[3]) : 10;
    Map<String, List<Run>> runs = new LinkedHashMap<>();
    for (Map.Entry<String, List<String>> command : commands.entrySet()) {
      run(command.getValue()); // builds what is not built
      runs.put(command.getKey(), new ArrayList<>());
    }
    for (int i = 0; i < rounds; i++) {
      for (Map.Entry<String, List<String>> command : commands.entrySet()) {
        runs.get(command.getKey()).add(run(command.getValue()));
      }
    }
    System.out.println(
        "| | first phonemes, s (median, best) | end, s (median, best) | resident, MB |\n"
            + "|---|---|---|---|");
    runs.forEach(ColdStartSideBySide::print);
  }

  private static List<String> program(Path folder, String... options) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of(options));
    String jars = jar(OnnxWord.class) + File.pathSeparator + jar(OrtEnvironment.class);
    command.addAll(List.of("-cp", jars, OnnxWord.class.getName()));
    command.addAll(List.of(folder.toString(), "hello"));
    return command;
  }

  private static String jar(Class<?> type) {
    return Path.of(URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString()))
        .toString();
  }

  /** Lays the libraries of ONNX Runtime into a folder, where it has any for a usual machine. */
  private static boolean unpack(Path folder) throws IOException {
    for (String name : List.of("onnxruntime", "onnxruntime4j_jni")) {
      String library = System.mapLibraryName(name);
      try (InputStream in =
          OnnxWord.class.getResourceAsStream("/ai/onnxruntime/native/linux-x64/" + library)) {
        if (in == null) {
          return false;
        }
        Files.copy(in, folder.resolve(library));
      }
    }
    return true;
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
    AtomicLong most = new AtomicLong();
    Thread watcher = new Thread(() -> watch(process, most));
    watcher.start();
    long first = 0;
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      while (reader.readLine() != null) {
        first = first == 0 ? System.nanoTime() : first;
      }
    }
    if (process.waitFor() != 0 || first == 0) {
      throw new IOException(command + " failed");
    }
    long end = System.nanoTime();
    watcher.join();
    return new Run((first - begin) / 1e9, (end - begin) / 1e9, most.get());
  }

  /** Looks at the memory so seldom that it does not slow the process down. */
  private static void watch(Process process, AtomicLong most) {
    try {
      while (!process.waitFor(25, TimeUnit.MILLISECONDS)) {
        most.accumulateAndGet(resident(process.toHandle()), Math::max);
        for (ProcessHandle child : process.descendants().toList()) {
          most.accumulateAndGet(resident(child), Math::max);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
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
}

package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command as a process of its own: what signals and closed pipes do to it. */
@Timeout(120)
@EnabledOnOs({OS.LINUX, OS.MAC})
class ProcessTest {
  @TempDir Path folder;

  /** The command line of a process that runs the command with a model of the project. */
  static List<String> command(String command, String model) {
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.addAll(
        List.of(
            "--add-modules",
            "jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-cp",
            classPath(),
            Gatun.class.getName(),
            command,
            Shared.project().resolve(model).toString()));
    return words;
  }

  private static String classPath() {
    return Gatun.class.getClassLoader() instanceof URLClassLoader loader
        ? Stream.of(loader.getURLs())
            .map(url -> Path.of(URI.create(url.toString())).toString())
            .collect(Collectors.joining(File.pathSeparator))
        : System.getProperty("java.class.path");
  }

  private static Process start(String... more) throws IOException {
    List<String> command = command("translate", "examples/g2p_en");
    command.addAll(List.of("--weights", Shared.path("models/g2p_en/checkpoint20.npz").toString()));
    command.addAll(Arrays.asList(more));
    return new ProcessBuilder(command).start();
  }

  private static List<String> messages(Process process) throws IOException {
    try (BufferedReader err = process.errorReader(UTF_8)) {
      // The JVM's own greeting to whoever uses the Vector API.
      return err.lines().filter(line -> !line.startsWith("WARNING: Using incubator")).toList();
    }
  }

  @Test
  void aTypedLineIsAnsweredBeforeTheInputEnds() throws Exception {
    Process process = start();
    try (BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
      process.getOutputStream().write("hello\n".getBytes(UTF_8));
      process.getOutputStream().flush();
      assertEquals("HH EH1 L OW0", out.readLine());
      process.getOutputStream().close();
      assertEquals(null, out.readLine());
    }
    assertEquals(List.of(), messages(process));
    assertEquals(ExitCode.OK, process.waitFor());
  }

  @Test
  void aReaderThatGoesAwayEndsItQuietly() throws Exception {
    Path words = Files.writeString(folder.resolve("words.txt"), "hello\n".repeat(50_000));
    Process process = start(words.toString());
    process.getInputStream().read();
    process.getInputStream().close();
    assertEquals(List.of(), messages(process));
    assertEquals(ExitCode.BROKEN_PIPE, process.waitFor());
  }

  @Test
  void aSignalLeavesWhatIsDoneBesideAnOutputThatIsNotThere() throws Exception {
    Process process = start("--output", folder.resolve("answers.txt").toString());
    process.getOutputStream().write(new byte[] {(byte) 0xff, '\n'});
    process.getOutputStream().flush();
    try (BufferedReader err = process.errorReader(UTF_8)) {
      String message = err.readLine();
      while (!message.contains("line 1: no UTF-8")) {
        message = err.readLine();
      }
      assertEquals(List.of(".answers.txt.journal", ".answers.txt.partial"), files());
      process.toHandle().destroy(); // the process's own would also end the input
      assertEquals(128 + 15, process.waitFor());
    }
    assertEquals(List.of(".answers.txt.journal", ".answers.txt.partial"), files());
    // Nothing of it is in the way of the same command with --resume, nor of --force.
    Process again = start("--output", folder.resolve("answers.txt").toString(), "--resume");
    again.getOutputStream().write("hello\n".getBytes(UTF_8));
    again.getOutputStream().close();
    assertEquals(List.of(), messages(again));
    assertEquals(ExitCode.OK, again.waitFor());
    assertEquals(List.of("answers.txt"), files());
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}

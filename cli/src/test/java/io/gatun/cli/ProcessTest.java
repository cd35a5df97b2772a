package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import io.gatun.Shared;
import io.gatun.format.Model;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
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
import picocli.CommandLine;

/** The command as a process of its own: what signals and closed pipes do to it. */
@Timeout(120)
@EnabledOnOs({OS.LINUX, OS.MAC})
class ProcessTest {
  @TempDir Path folder;

  private static Process start(String... more) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classPath(),
                Gatun.class.getName(),
                "translate",
                Shared.project().resolve("examples/g2p_en").toString(),
                "--weights",
                Shared.path("models/g2p_en/checkpoint20.npz").toString()));
    command.addAll(Arrays.asList(more));
    return new ProcessBuilder(command).start();
  }

  private static String classPath() {
    return Stream.of(Gatun.class, Model.class, CommandLine.class, JsonFactory.class)
        .map(type -> type.getProtectionDomain().getCodeSource().getLocation())
        .map(location -> Path.of(URI.create(location.toString())).toString())
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
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
  void aSignalLeavesNoFileBehind() throws Exception {
    Process process = start("--output", folder.resolve("answers.txt").toString());
    process.getOutputStream().write(new byte[] {(byte) 0xff, '\n'});
    process.getOutputStream().flush();
    try (BufferedReader err = process.errorReader(UTF_8)) {
      String message = err.readLine();
      while (!message.contains("line 1: no UTF-8")) {
        message = err.readLine();
      }
      assertEquals(1, files().size(), "written beside its place");
      assertTrue(files().get(0).startsWith(".answers.txt."));
      process.toHandle().destroy(); // the process's own would also end the input
      assertEquals(128 + 15, process.waitFor());
    }
    assertEquals(List.of(), files());
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}

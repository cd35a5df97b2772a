package io.gatun.jmh.peer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is to be run once a GPU is at hand has run before, on libraries that stand in for it. */
@Timeout(300)
class GpuCheckTest {
  private record Ended(int code, String printed) {}

  private static Ended run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Ended(process.waitFor(), printed);
  }

  private static boolean compiles() throws InterruptedException {
    try {
      return run(List.of("gcc", "--version")).code == 0;
    } catch (IOException missing) {
      return false;
    }
  }

  @Test
  void everyPartOfItRunsOnLibrariesThatStandInForAGpu(@TempDir Path folder) throws Exception {
    assumeTrue(
        System.getProperty("os.name").equals("Linux") && compiles(),
        "skipped: the stand-in for a GPU is built by gcc on Linux, which is not there");
    Ended built = run(List.of("sh", "../src/test/c/build", folder.toString()));
    assertEquals(0, built.code, built.printed);
    Ended ended =
        run(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Dgatun.cuda.path=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                GpuCheck.class.getName(),
                "cuda",
                "--quick"));
    assertEquals(0, ended.code, ended.printed);
    assertTrue(ended.printed.contains("all agrees"), ended.printed);
    assertTrue(ended.printed.contains("page-locked memory"), ended.printed);
    assertFalse(ended.printed.contains("WRONG"), ended.printed);
  }
}

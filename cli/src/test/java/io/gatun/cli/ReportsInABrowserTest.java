package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.Shared;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The pages of three examples in a browser without a window: its script runs to its end without an
 * error, and every part of the page is there. Skipped where there is no Chromium.
 */
class ReportsInABrowserTest {
  private static final Path EXAMPLES = Shared.project().resolve("examples");

  @TempDir Path folder;

  private static Optional<Path> chromium() {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(
            place ->
                Stream.of("chromium", "chromium-browser", "google-chrome")
                    .map(name -> Path.of(place, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  @ParameterizedTest
  @CsvSource({
    "digits, images.txt, path units maps answers",
    "sentiment, sentences.txt, path units steps maps answers",
    "pronunciation, words.txt, path units steps maps",
  })
  void aPageIsDrawnWithoutAnError(String example, String data, String parts)
      throws IOException, InterruptedException {
    Optional<Path> browser = chromium();
    assumeTrue(browser.isPresent(), "there is no Chromium here");
    Path page = folder.resolve(example + ".html");
    Run run =
        Run.of(
            "represent",
            EXAMPLES.resolve(example).toString(),
            EXAMPLES.resolve(example).resolve(data).toString(),
            "--report",
            page.toString(),
            "--top",
            "2",
            "--units",
            "3");
    assertEquals(0, run.code(), run.err());
    Path said = folder.resolve("said.txt");
    Path drawn = folder.resolve("drawn.html");
    List<String> command = new ArrayList<>(List.of(browser.get().toString(), "--headless"));
    command.addAll(List.of("--no-sandbox", "--disable-gpu", "--enable-logging=stderr"));
    command.addAll(List.of("--user-data-dir=" + folder.resolve("profile"), "--dump-dom"));
    command.add(page.toUri().toString());
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(drawn.toFile())
            .redirectError(said.toFile())
            .start();
    if (!process.waitFor(3, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("the browser did not come to an end");
    }
    String errors = new String(Files.readAllBytes(said), UTF_8);
    assertEquals(0, process.exitValue(), errors);
    // What a page's script says, or fails with, stands in a line of its own.
    assertEquals(List.of(), errors.lines().filter(line -> line.contains("CONSOLE")).toList());
    String html = Files.readString(drawn);
    Matcher sections = Pattern.compile("<section id=\"(\\w+)\"").matcher(html);
    assertEquals(
        List.of(parts.split(" ")), sections.results().map(found -> found.group(1)).toList());
    assertTrue(html.contains("class=\"unit"), "no unit is drawn");
  }
}

package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.TensorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RepresentTest {
  private static final Path EXAMPLES = Shared.project().resolve("examples");

  @TempDir Path folder;

  private String names() {
    return EXAMPLES.resolve("names").toString();
  }

  private String lines() {
    return EXAMPLES.resolve("names/names.txt").toString();
  }

  @Test
  void arraysHaveARowForEachLineAndAnotherCommandReadsThem() throws IOException {
    Path out = folder.resolve("features");
    Run run =
        Run.of(
            "represent",
            names(),
            lines(),
            "--values",
            "rnn,emb*",
            "--pool",
            "last",
            "--output-dir",
            out.toString());
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("rnn.npy: float32[examples, 256] of 10 examples"), run.out());
    try (TensorFile rnn = TensorFile.open(out.resolve("rnn.npy"));
        TensorFile embedding = TensorFile.open(out.resolve("embedding.npy"))) {
      assertEquals("[10, 256]", rnn.tensor(rnn.names().iterator().next()).shape().toString());
      assertEquals(
          "[10, 64]", embedding.tensor(embedding.names().iterator().next()).shape().toString());
    }
    assertEquals("10", Files.readAllLines(out.resolve("ids.txt")).get(9));
  }

  @Test
  void thePageIsWholeAndAsksTheNetForNothing() throws IOException {
    Path page = folder.resolve("page.html");
    Path labels = folder.resolve("labels.txt");
    List<String> marks =
        Files.readAllLines(EXAMPLES.resolve("names/languages.txt")).stream()
            .map(mark -> mark.startsWith("P") ? "</script><b>" : "other")
            .toList();
    Files.write(labels, marks);
    Run run =
        Run.of(
            "represent",
            names(),
            lines(),
            "--labels",
            labels.toString(),
            "--report",
            page.toString());
    assertEquals(0, run.code(), run.err());
    String html = Files.readString(page);
    assertTrue(html.startsWith("<!DOCTYPE html>") && html.strip().endsWith("</html>"));
    assertTrue(html.contains("Kowalczyk"));
    assertFalse(
        Pattern.compile("(src|href)=[\"']?(https?:)?//|@import|fetch\\(|XMLHttpRequest")
            .matcher(html)
            .find());
    // What somebody's label says must not end the script.
    assertEquals(2, html.split("</script>", -1).length);
  }

  @Test
  void whatIsWrongIsSaidAndLeavesNothingBehind() throws IOException {
    Run unknown =
        Run.of(
            "represent",
            names(),
            lines(),
            "--values",
            "embeding",
            "--output-dir",
            folder.resolve("a").toString());
    assertEquals(1, unknown.code());
    assertTrue(unknown.err().contains("did you mean embedding?"), unknown.err());
    Run nothing =
        Run.of(
            "represent",
            names(),
            lines(),
            "--values",
            "lstm*",
            "--output-dir",
            folder.resolve("b").toString());
    assertEquals(1, nothing.code());
    assertTrue(nothing.err().contains("has no value that fits lstm*"), nothing.err());
    Path few = folder.resolve("few.txt");
    Files.write(few, List.of("a", "b"));
    Run count =
        Run.of(
            "represent",
            names(),
            lines(),
            "--labels",
            few.toString(),
            "--report",
            folder.resolve("c.html").toString());
    assertEquals(1, count.code());
    assertTrue(count.err().contains("few.txt has 2 lines, fewer than"), count.err());
    Run neither = Run.of("represent", names(), lines());
    assertEquals(2, neither.code());
    try (Stream<Path> files = Files.walk(folder)) {
      assertEquals(List.of(few), files.filter(Files::isRegularFile).toList());
    }
  }
}

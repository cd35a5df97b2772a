package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the documentation shows is compiled, and the files it points to are there. */
class DocumentationTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Path EXAMPLES = ROOT.resolve("src/test/java/io/gatun/examples");
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern ROOM_EXAMPLE =
      Pattern.compile("<pre>\\{@code\n(.*?)\\}</pre>", Pattern.DOTALL);
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(#[^)]*)?\\)");

  private static List<Path> pages() throws IOException {
    List<Path> pages = new ArrayList<>(List.of(ROOT.resolve("README.md")));
    for (String folder : List.of("docs", "examples")) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(folder))) {
        files.filter(file -> file.toString().endsWith(".md")).forEach(pages::add);
      }
    }
    return pages;
  }

  private static String squeezed(String text) {
    return text.replaceAll("\\s+", "");
  }

  @Test
  void everyJavaBlockIsPartOfASourceThatIsCompiled() throws IOException {
    StringBuilder sources = new StringBuilder();
    try (Stream<Path> files = Files.list(EXAMPLES)) {
      for (Path file : files.toList()) {
        sources.append(squeezed(Files.readString(file)));
      }
    }
    int blocks = 0;
    for (Path page : pages()) {
      Matcher matcher = JAVA.matcher(Files.readString(page));
      while (matcher.find()) {
        blocks++;
        assertTrue(
            sources.indexOf(squeezed(matcher.group(1))) >= 0,
            ROOT.relativize(page) + " shows what no example compiles:\n" + matcher.group(1));
      }
    }
    assertFalse(blocks == 0);
  }

  private static String withoutComments(String text) {
    return text.replaceAll("//[^\n]*", "");
  }

  @Test
  void everyRoomShowsAnExampleThatATestRuns() throws IOException {
    for (String room :
        List.of(
            "tensor",
            "kernel",
            "kernel/simd",
            "graph",
            "layer",
            "format",
            "sequence",
            "representation",
            "training",
            "batch",
            "table",
            "job")) {
      String page =
          Files.readString(ROOT.resolve("src/main/java/io/gatun/" + room + "/package-info.java"))
              .replaceAll("(?m)^ \\* ?", "");
      Matcher example = ROOM_EXAMPLE.matcher(page);
      assertTrue(example.find(), "room " + room + " shows no example");
      StringBuilder tests = new StringBuilder();
      try (Stream<Path> files = Files.list(ROOT.resolve("src/test/java/io/gatun/" + room))) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
          tests.append(squeezed(withoutComments(Files.readString(file))));
        }
      }
      // What a test checks stands before the braces that close its blocks.
      String shown = squeezed(withoutComments(example.group(1))).replaceAll("}+$", "");
      assertTrue(
          tests.indexOf(shown) >= 0,
          "room " + room + " shows what none of its tests runs:\n" + example.group(1));
    }
  }

  @Test
  void everyLinkLeadsToAFile() throws IOException {
    List<String> broken = new ArrayList<>();
    for (Path page : pages()) {
      Matcher matcher = LINK.matcher(Files.readString(page));
      while (matcher.find()) {
        if (!Files.exists(page.resolveSibling(matcher.group(1)))) {
          broken.add(ROOT.relativize(page) + " links to " + matcher.group(1));
        }
      }
    }
    assertEquals(List.of(), broken);
  }
}

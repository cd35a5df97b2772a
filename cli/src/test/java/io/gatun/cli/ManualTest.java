package io.gatun.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every example of the manual is run, and prints what the manual shows. */
class ManualTest {
  private static final Pattern BLOCK = Pattern.compile("```console\n(.*?)```", Pattern.DOTALL);
  private static final Pattern ARGUMENT = Pattern.compile("'([^']*)'|(\\S+)");
  private static final Pattern SCORE = Pattern.compile("-?\\d+\\.\\d{6,}(E-?\\d+)?");
  private static final Pattern HEX = Pattern.compile("\\\\x([0-9a-f]{2})");

  private static final List<String> ENDINGS =
      List.of(".txt", ".npz", ".csv", ".jsonl", ".parquet", ".arrow", ".json");

  @TempDir static Path folder;

  private record Example(String command, List<String> output) {}

  @TestFactory
  Stream<DynamicTest> everyExamplePrintsWhatTheManualShows() throws IOException {
    Path weights = Shared.path("models/g2p_en/checkpoint20.npz");
    Files.copy(weights, folder.resolve("checkpoint20.npz"));
    List<Example> examples = new ArrayList<>();
    for (String page : List.of("docs/command-line.md", "docs/batch.md")) {
      List<Example> found = examples(Files.readString(Shared.project().resolve(page)));
      assertTrue(found.size() > 10, page);
      examples.addAll(found);
    }
    return examples.stream()
        .map(example -> DynamicTest.dynamicTest(example.command(), () -> check(example)));
  }

  private static List<Example> examples(String page) {
    List<Example> examples = new ArrayList<>();
    Matcher block = BLOCK.matcher(page);
    while (block.find()) {
      for (String line : block.group(1).lines().toList()) {
        if (line.startsWith("$ ")) {
          examples.add(new Example(line.substring(2), new ArrayList<>()));
        } else {
          examples.get(examples.size() - 1).output().add(line);
        }
      }
    }
    return examples;
  }

  private static void check(Example example) throws IOException {
    List<String> shown = new ArrayList<>(run(example.command()));
    assertEquals(example.output().size(), shown.size(), () -> String.join("\n", shown));
    // A terminal mixes the two outputs as they come, so the order between them is open.
    for (String expected : example.output()) {
      int found = 0;
      while (found < shown.size() && !isLike(expected, shown.get(found))) {
        found++;
      }
      assertTrue(found < shown.size(), expected + "\nnot in " + shown);
      shown.remove(found);
    }
  }

  /** Equal but for the last digits of scores, which another processor may round differently. */
  private static boolean isLike(String expected, String line) {
    if (!SCORE.matcher(expected).replaceAll("#").equals(SCORE.matcher(line).replaceAll("#"))) {
      return false;
    }
    Matcher a = SCORE.matcher(expected);
    Matcher b = SCORE.matcher(line);
    while (a.find() && b.find()) {
      if (Math.abs(Double.parseDouble(a.group()) - Double.parseDouble(b.group())) > 1e-4) {
        return false;
      }
    }
    return true;
  }

  private static List<String> run(String line) throws IOException {
    byte[] input = {};
    List<String> shown = List.of();
    for (String part : line.split(" \\| ")) {
      List<String> words = words(part);
      switch (words.get(0)) {
        case "printf" -> {
          input = bytes(words.get(1));
          if (words.size() == 4) {
            assertEquals(">", words.get(2));
            Files.write(folder.resolve(words.get(3)), input);
          }
        }
        case "echo" -> input = (words.get(1) + "\n").getBytes(UTF_8);
        case "cat" ->
            shown =
                Files.readAllLines(folder.resolve(words.get(1))).stream()
                    .map(text -> text.replace(folder + "/", ""))
                    .toList();
        case "head" -> {
          int count = Integer.parseInt(words.get(1).substring(1));
          shown = shown.subList(0, count);
        }
        case "tail" -> {
          int count = Integer.parseInt(words.get(1).substring(1));
          shown = shown.subList(shown.size() - count, shown.size());
        }
        case "gatun" -> shown = gatun(words.subList(1, words.size()), input);
        default -> throw new AssertionError("the test cannot run " + part);
      }
    }
    return shown;
  }

  private static List<String> words(String command) {
    List<String> words = new ArrayList<>();
    Matcher matcher = ARGUMENT.matcher(command);
    while (matcher.find()) {
      words.add(matcher.group(1) != null ? matcher.group(1) : matcher.group(2));
    }
    return words;
  }

  private static byte[] bytes(String format) {
    String text = format.replace("\\n", "\n").replace("\\t", "\t");
    text =
        HEX.matcher(text).replaceAll(m -> String.valueOf((char) Integer.parseInt(m.group(1), 16)));
    return text.getBytes(ISO_8859_1);
  }

  /** Runs the command as if in a folder with the example, the weights and the files made before. */
  private static List<String> gatun(List<String> words, byte[] input) {
    String project = Shared.project() + "/";
    String files = folder + "/";
    String[] args =
        words.stream()
            .map(
                word ->
                    word.startsWith("examples/")
                        ? project + word
                        : word.equals("features") || ENDINGS.stream().anyMatch(word::endsWith)
                            ? files + word
                            : word)
            .toArray(String[]::new);
    Run run = Run.with(new ByteArrayInputStream(input), args);
    String all = run.out() + run.err();
    return all.replace(project, "").replace(files, "").lines().toList();
  }
}

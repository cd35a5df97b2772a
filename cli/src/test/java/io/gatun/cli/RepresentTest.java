package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.batch.ExampleArray;
import io.gatun.format.Npy;
import io.gatun.format.TensorFile;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
  void aTableHasTheRowsOfTheArraysAndWhatIsBrokenSpoilsNoOther() throws IOException {
    List<String> good = Files.readAllLines(Path.of(lines()));
    List<String> rows = new ArrayList<>(List.of("id\tname"));
    for (int i = 0; i < good.size(); i++) {
      rows.add(i + "\t" + good.get(i));
    }
    rows.add(4, "x\ty\tz");
    Path table = Files.write(folder.resolve("names.tsv"), rows);
    Path out = folder.resolve("out.jsonl");
    List<String> args =
        List.of(
            "represent",
            names(),
            table.toString(),
            "--column",
            "name",
            "--keep",
            "id",
            "--values",
            "rnn,scores",
            "--pool",
            "last",
            "--on-error",
            "record",
            "--metrics",
            folder.resolve("metrics.json").toString(),
            "--output",
            out.toString());
    Run run = Run.of(args.toArray(new String[0]));
    assertEquals(3, run.code(), run.err());
    List<String> found = new ArrayList<>(Files.readAllLines(out));
    assertEquals("{\"id\":null,\"rnn\":null,\"scores\":null}", found.remove(3));
    assertTrue(
        Files.readString(folder.resolve("out.jsonl.errors.jsonl")).startsWith("{\"record\":4,"));
    assertTrue(Files.readString(folder.resolve("metrics.json")).contains("\"records\":11"));
    assertEquals(good.size(), found.size());
    String arrays = folder.resolve("arrays").toString();
    Run.of(
        "represent", names(), lines(), "--values", "rnn", "--pool", "last", "--output-dir", arrays);
    try (TensorFile file = TensorFile.open(Path.of(arrays, "rnn.npy"))) {
      Tensor rnn = ExampleArray.only(file);
      for (int i = 0; i < found.size(); i++) {
        String[] numbers = found.get(i).replaceAll(".*\"rnn\":\\[([^\\]]*).*", "$1").split(",");
        float[] floats = new float[numbers.length];
        for (int k = 0; k < floats.length; k++) {
          floats[k] = Float.parseFloat(numbers[k]);
        }
        assertArrayEquals(rnn.select(0, i).toFloats(), floats);
      }
    }
    List<String> again = new ArrayList<>(args);
    again.add("--resume");
    assertEquals(0, Run.of(again.toArray(new String[0])).code()); // complete: nothing to do
  }

  @Test
  void partsOfATableAsTextAreThatOfTheWholeAndAnArrayIsAnInputAndAnOutput() throws IOException {
    String[] all = {
      "represent", names(), lines(), "--values", "rnn.hidden", "--output-format", "text"
    };
    Run whole = Run.of(all);
    assertEquals(0, whole.code(), whole.err());
    StringBuilder parts = new StringBuilder();
    for (String shard : List.of("1/2", "2/2")) {
      List<String> args = new ArrayList<>(List.of(all));
      args.addAll(List.of("--shard", shard));
      parts.append(Run.of(args.toArray(new String[0])).out());
    }
    assertEquals(whole.out(), parts.toString());
    Path digits = folder.resolve("images.npy");
    try (Arena arena = Arena.ofConfined()) {
      float[] numbers = new float[3 * 784];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = i % 7 / 7f;
      }
      Npy.write(digits, Tensor.ofFloats(arena, numbers, 3, 1, 28, 28));
    }
    Path table = folder.resolve("conv1.npy");
    Path arrays = folder.resolve("arrays");
    for (String[] output :
        new String[][] {{"--output", table.toString()}, {"--output-dir", arrays.toString()}}) {
      Run run =
          Run.of(
              "represent",
              EXAMPLES.resolve("digits").toString(),
              digits.toString(),
              "--values",
              "conv1",
              "--pool",
              "mean",
              output[0],
              output[1]);
      assertEquals(0, run.code(), run.err());
    }
    try (TensorFile one = TensorFile.open(table);
        TensorFile other = TensorFile.open(arrays.resolve("conv1.npy"))) {
      assertArrayEquals(ExampleArray.only(other).toFloats(), ExampleArray.only(one).toFloats());
    }
  }

  @Test
  void whatGoesWithTablesAloneIsRefusedElsewhere() {
    Path out = folder.resolve("d");
    Run run = Run.of("represent", names(), lines(), "--output-dir", out.toString(), "--resume");
    assertEquals(2, run.code());
    assertTrue(run.err().contains("--resume goes with --output, for a table"), run.err());
    Run two =
        Run.of(
            "represent", names(), lines(), "--output-dir", out.toString(), "--output", "x.jsonl");
    assertEquals(2, two.code());
    assertTrue(two.err().contains("expected one of --output, for a table"), two.err());
    Run page = Run.of("represent", names(), lines(), "--output", "x.jsonl", "--labels", "l.txt");
    assertEquals(2, page.code());
    assertTrue(page.err().contains("--labels is for --report"), page.err());
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

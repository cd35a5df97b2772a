package io.gatun.representation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.batch.NpyFiles;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.format.TensorFile;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Values by name and pattern, pooled, written; the numbers are those of one example alone. */
class ExtractionTest {
  private static final List<String> NAMES = List.of("Kowalczyk", "Li", "Papadopoulos", "Abe", "O");

  @TempDir Path folder;

  private static Model open(String example) throws IOException {
    return ModelFolder.open(Shared.project().resolve("examples/" + example));
  }

  private static List<Example> names(Model model) {
    List<Example> all = new ArrayList<>();
    for (String name : NAMES) {
      int[] tokens = model.source().orElseThrow().encode(name);
      all.add(Example.ofTokens(all.size(), name, name, tokens, Optional.empty()));
    }
    return all;
  }

  static List<Example> images() throws IOException {
    List<Example> all = new ArrayList<>();
    for (String line : Files.readAllLines(Shared.project().resolve("examples/digits/images.txt"))) {
      String[] words = line.split(" ");
      float[] numbers = new float[words.length];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = Float.parseFloat(words[i]);
      }
      String id = "image " + all.size();
      all.add(
          Example.ofNumbers(
              all.size(), id, numbers, new long[] {1, 28, 28}, Optional.of("" + all.size())));
    }
    return all;
  }

  /** The value of one name alone, by a plan of its own. */
  private static float[] alone(Model model, Example example, String value) {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(model.network(), value);
        Execution run = plan.newExecution()) {
      int[] tokens = example.tokens();
      for (Value input : plan.inputs()) {
        run.input(
            input.name(),
            input.name().equals("tokens")
                ? Tensor.ofInts(arena, tokens, tokens.length, 1)
                : Tensor.ofInts(arena, new int[] {tokens.length}, 1));
      }
      run.run();
      return run.output(value).toFloats();
    }
  }

  @Test
  void namesAndPatternsFindValuesAndNeverWeights() throws IOException {
    try (Model model = open("names")) {
      Graph graph = model.network();
      assertEquals(
          List.of("rnn.hidden", "embedding", "drop1", "drop2"),
          Selection.of(graph, List.of("rnn.hidden", "embedding", "drop?")).stream()
              .map(Value::name)
              .toList());
      Exception unknown =
          assertThrows(
              IllegalArgumentException.class, () -> Selection.of(graph, List.of("embeding")));
      assertTrue(unknown.getMessage().contains("did you mean embedding"), unknown.getMessage());
      Exception nothing =
          assertThrows(
              IllegalArgumentException.class, () -> Selection.of(graph, List.of("embeding*")));
      assertTrue(
          nothing.getMessage().contains("fits embeding*; did you mean embedding"),
          nothing.getMessage());
      assertTrue(
          Selection.of(graph, List.of("*")).stream().allMatch(value -> value.constant() == null));
    }
  }

  @Test
  void thePathIsWhatLayersHandOn() throws IOException {
    try (Model digits = open("digits");
        Model names = open("names")) {
      assertEquals(
          List.of("image", "conv1", "conv2", "conv3", "scores"),
          Selection.path(digits.network()).stream().map(Value::name).toList());
      assertEquals(
          List.of("embedding", "rnn", "scores"),
          Selection.path(names.network()).stream().map(Value::name).toList());
    }
  }

  @Test
  void allStepsOfEveryExampleAreThoseOfItAlone() throws IOException {
    try (Model model = open("names")) {
      List<Example> examples = names(model);
      try (Extraction extraction =
              Extraction.of(
                  Feed.of(model.network()), List.of("rnn.sequence", "rnn.hidden"), Pooling.ALL);
          NpyFiles files = new NpyFiles(folder)) {
        assertEquals(5, extraction.run(ExampleReader.of(examples), files, Progress.NONE));
        try (Stream<Path> now = Files.list(folder)) {
          assertTrue(now.allMatch(file -> file.getFileName().toString().startsWith(".")));
        }
        files.commit();
      }
      assertEquals(NAMES, Files.readAllLines(folder.resolve("ids.txt")));
      try (TensorFile steps = TensorFile.open(folder.resolve("rnn.sequence.npy"));
          TensorFile offsets = TensorFile.open(folder.resolve("rnn.sequence.offsets.npy"));
          TensorFile hidden = TensorFile.open(folder.resolve("rnn.hidden.npy"))) {
        Tensor all = only(steps);
        long[] starts = only(offsets).toLongs();
        assertEquals(NAMES.stream().mapToInt(String::length).sum(), all.dim(0));
        for (int i = 0; i < examples.size(); i++) {
          assertArrayEquals(
              alone(model, examples.get(i), "rnn.sequence"),
              all.slice(0, starts[i], starts[i + 1]).toFloats());
          assertArrayEquals(
              alone(model, examples.get(i), "rnn.hidden"), only(hidden).select(0, i).toFloats());
        }
      }
    }
  }

  @Test
  void poolingCountsNothingBehindTheEndOfAnExample() throws IOException {
    try (Model model = open("names")) {
      for (Pooling pooling : List.of(Pooling.LAST, Pooling.MEAN, Pooling.MAX, Pooling.at(0, -1))) {
        Path to = folder.resolve(pooling.toString().replaceAll("[^a-z]", ""));
        List<Example> examples = names(model);
        try (Extraction extraction =
                Extraction.of(Feed.of(model.network()), List.of("rnn.sequence"), pooling);
            NpyFiles files = new NpyFiles(to)) {
          extraction.run(ExampleReader.of(examples), files, Progress.NONE);
          files.commit();
        }
        try (TensorFile file = TensorFile.open(to.resolve("rnn.sequence.npy"))) {
          for (int i = 0; i < examples.size(); i++) {
            float[] steps = alone(model, examples.get(i), "rnn.sequence");
            assertArrayEquals(
                pooled(steps, 256, pooling), only(file).select(0, i).toFloats(), 1e-7f);
          }
        }
      }
    }
  }

  private static float[] pooled(float[] steps, int units, Pooling pooling) {
    int count = steps.length / units;
    if (pooling.kind() == Pooling.Kind.AT) {
      float[] two = new float[2 * units];
      System.arraycopy(steps, 0, two, 0, units);
      System.arraycopy(steps, (count - 1) * units, two, units, units);
      return two;
    }
    float[] result = new float[units];
    for (int unit = 0; unit < units; unit++) {
      double sum = 0;
      float largest = Float.NEGATIVE_INFINITY;
      for (int t = 0; t < count; t++) {
        sum += steps[t * units + unit];
        largest = Math.max(largest, steps[t * units + unit]);
      }
      result[unit] =
          switch (pooling.kind()) {
            case LAST -> steps[(count - 1) * units + unit];
            case MEAN -> (float) (sum / count);
            default -> largest;
          };
    }
    return result;
  }

  @Test
  void planesKeepTheirShapeOrArePooledToTheirChannels() throws IOException {
    try (Model model = open("digits")) {
      Feed feed = Feed.of(model.network());
      for (Pooling pooling : List.of(Pooling.ALL, Pooling.MAX)) {
        Path to = folder.resolve(pooling.toString());
        try (Extraction extraction = Extraction.of(feed, List.of("conv?", "scores"), pooling);
            NpyFiles files = new NpyFiles(to)) {
          extraction.run(ExampleReader.of(images()), files, Progress.NONE);
          files.commit();
        }
      }
      try (TensorFile all = TensorFile.open(folder.resolve("all/conv2.npy"));
          TensorFile max = TensorFile.open(folder.resolve("max/conv2.npy"));
          TensorFile scores = TensorFile.open(folder.resolve("max/scores.npy"))) {
        assertArrayEquals(new long[] {3, 32, 7, 7}, only(all).shape().dims());
        assertArrayEquals(new long[] {3, 32}, only(max).shape().dims());
        float[] planes = only(all).toFloats();
        float[] largest = only(max).toFloats();
        for (int i = 0; i < largest.length; i++) {
          float expected = Float.NEGATIVE_INFINITY;
          for (int place = 0; place < 49; place++) {
            expected = Math.max(expected, planes[i * 49 + place]);
          }
          assertEquals(expected, largest[i]);
        }
        assertEquals(3, only(scores).dim(0));
      }
    }
  }

  @Test
  void anExampleThatDoesNotFitLeavesNothingBehind() throws IOException {
    try (Model model = open("digits")) {
      List<Example> examples = new ArrayList<>(images());
      examples.add(
          Example.ofNumbers(
              3, "narrow", new float[27 * 28], new long[] {1, 28, 27}, Optional.empty()));
      try (Extraction extraction =
              Extraction.of(Feed.of(model.network()), List.of("conv1"), Pooling.ALL);
          NpyFiles files = new NpyFiles(folder)) {
        Exception refused =
            assertThrows(
                IllegalArgumentException.class,
                () -> extraction.run(ExampleReader.of(examples), files, Progress.NONE));
        assertTrue(
            refused.getMessage().contains("example narrow is numbers [1, 28, 27]"),
            refused.getMessage());
      }
      try (Stream<Path> files = Files.list(folder)) {
        assertEquals(List.of(), files.toList());
      }
    }
  }

  @Test
  void aPositionThatAnExampleLacksIsNamed() throws IOException {
    try (Model model = open("names");
        Extraction extraction =
            Extraction.of(Feed.of(model.network()), List.of("rnn.sequence"), Pooling.at(5));
        NpyFiles files = new NpyFiles(folder)) {
      Exception refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> extraction.run(ExampleReader.of(names(model)), files, Progress.NONE));
      assertEquals(
          "example Li: rnn.sequence has 2 positions, and so none at 5", refused.getMessage());
    }
  }

  @Test
  void poolingsAreReadAsTheyAreWritten() {
    for (String text : List.of("all", "last", "mean", "max", "at:0,-1,7")) {
      assertEquals(text, Pooling.parse(text).toString());
    }
    Exception refused = assertThrows(IllegalArgumentException.class, () -> Pooling.parse("at:"));
    assertTrue(refused.getMessage().contains("expected all, last, mean, max or at:P,P…"));
  }

  private static Tensor only(TensorFile file) {
    return file.tensor(file.names().iterator().next());
  }
}

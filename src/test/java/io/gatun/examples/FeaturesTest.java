package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What docs/representations.md shows runs. */
class FeaturesTest {
  private static final Path DIGITS = Shared.project().resolve("examples/digits");

  @TempDir Path folder;

  private static List<Example> images() throws IOException {
    List<Example> all = new ArrayList<>();
    for (String line : Files.readAllLines(DIGITS.resolve("images.txt"))) {
      String[] words = line.split(" ");
      float[] numbers = new float[words.length];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = Float.parseFloat(words[i]);
      }
      long number = all.size();
      all.add(
          Example.ofNumbers(
              number, "image " + number, numbers, new long[] {1, 28, 28}, Optional.empty()));
    }
    return all;
  }

  @Test
  void theExamplesOfThePageRun() throws IOException {
    List<Example> examples = images();
    try (Model model = ModelFolder.open(DIGITS);
        Arena arena = Arena.ofConfined()) {
      assertEquals(3, Features.write(model, ExampleReader.of(examples), folder));
      assertTrue(Files.exists(folder.resolve("conv3.npy")));
      float[] all = new float[3 * 784];
      for (int i = 0; i < 3; i++) {
        System.arraycopy(examples.get(i).numbers(), 0, all, i * 784, 784);
      }
      Tensor images = Tensor.ofFloats(arena, all, 3, 1, 28, 28);
      assertEquals(2, Features.inPlace(model, images).length);
      assertEquals(3, Features.detected(model, ExampleReader.of(examples)).length);
      Tensor classes = Tensor.ofInts(arena, new int[] {0, 1, 0}, 3);
      // It begins with ln 2, the loss of knowing nothing.
      assertTrue(Features.newHead(model, images, classes, arena) < 0.05);
    }
  }
}

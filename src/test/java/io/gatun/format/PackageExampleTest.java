package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {
  @TempDir Path folder;

  @Test
  void theExampleOfTheDocumentationRuns() throws IOException {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try (Arena arena = Arena.ofConfined()) {
      run(
          folder.resolve("weights.safetensors"),
          Tensor.ofFloats(arena, new float[6], 2, 3),
          Tensor.ofFloats(arena, new float[3], 3));
    } finally {
      System.setOut(before);
    }
    assertEquals(
        "[W [2, 3], b [3]]",
        printed.toString(StandardCharsets.UTF_8).lines().sorted().toList().toString());
  }

  private static void run(Path file, Tensor w, Tensor b) throws IOException {
    Safetensors.write(file, Map.of("W", w, "b", b), Map.of("made by", "me"));
    try (TensorFile weights = TensorFile.open(file)) { // safetensors, npz or npy: its bytes say
      for (String name : weights.names()) {
        System.out.println(name + " " + weights.tensor(name).shape());
      }
    }
  }
}

package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LearningTest {
  @TempDir Path folder;

  @Test
  void theExampleTrainsAndWritesTheModel() throws Exception {
    String config = Files.readString(Path.of("../examples/sum/train.json"));
    Path file = folder.resolve("train.json");
    Files.writeString(
        file, config.replace("\"epochs\": 40", "\"epochs\": 2").replace("../../docs/", ""));
    Map<String, Double> figures = Learning.learn(file);
    assertEquals(1, figures.size());
    assertTrue(Double.isFinite(figures.get("loss")), figures.toString());
    assertTrue(Files.exists(folder.resolve("model.json")));
  }
}

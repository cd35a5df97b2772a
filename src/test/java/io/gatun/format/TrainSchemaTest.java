package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The schema of trainings' configurations, which editors use. */
class TrainSchemaTest {
  private static JsonSchema schema() throws IOException {
    return new JsonSchema(Json.read(Shared.project().resolve("docs/train.schema.json")));
  }

  @Test
  void everyConfigurationOfAnExampleKeepsToTheSchema() throws IOException {
    int count = 0;
    try (Stream<Path> files = Files.walk(Shared.project().resolve("examples"), 2)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".json")).toList()) {
        if (Files.readString(file).contains("\"gatun-train/1\"")) {
          assertEquals(List.of(), schema().problems(Json.read(file)), file.toString());
          count++;
        }
      }
    }
    assertTrue(count >= 3, count + " configurations");
  }

  @Test
  void theSchemaRefusesAMistypedKey() throws IOException {
    String text =
        """
        {"format": "gatun-train/1", "kind": "classifier", "data": {"format": "idx"},
         "training": {"epocs": 3}}
        """;
    assertFalse(schema().problems(Json.parse("train.json", text)).isEmpty());
  }
}

package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchService;
import io.gatun.batch.Classification;
import io.gatun.batch.Classifier;
import io.gatun.batch.Extractor;
import io.gatun.batch.Representation;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.representation.Example;
import io.gatun.representation.Pooling;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** The example of docs/batch.md. */
class ServiceTest {
  private static String language(Path folder) throws Exception {
    try (Model model = ModelFolder.open(folder);
        Classifier classifier = Classifier.of(model);
        BatchService<String, Classifier.Input, Classification> service =
            new BatchService<>(
                classifier.task(),
                BatchOptions.builder().workers(2).build(),
                Duration.ofMillis(5), // how long a record waits for others at most
                10_000)) { // how many wait at most; who comes then is made to wait
      CompletableFuture<Classification> answer = service.submit("Kowalski"); // from any thread
      return answer.get().choices().get(0).label();
    }
  }

  private static float[] vector(Path folder) throws Exception {
    try (Model model = ModelFolder.open(folder);
        Extractor extractor = Extractor.of(model, List.of("rnn"), Pooling.LAST);
        BatchService<String, Example, Representation> service =
            new BatchService<>(
                extractor.task(),
                BatchOptions.builder().workers(2).build(),
                Duration.ofMillis(5),
                10_000)) {
      return service.call("Kowalski").vector(); // waits for the answer
    }
  }

  @Test
  void aServiceAnswersWithVectors() throws Exception {
    assertEquals(256, vector(Path.of("../examples/names")).length);
  }

  @Test
  void aServiceAnswersSingleNames() throws Exception {
    assertEquals("Polish", language(Path.of("../examples/names")));
  }
}

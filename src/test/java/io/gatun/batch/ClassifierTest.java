package io.gatun.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples that Gatun trained classify what their folders show. */
class ClassifierTest {
  private static final Path EXAMPLES = Shared.project().resolve("examples");

  @Test
  void namesHaveTheLanguagesThatTheExampleShows() throws IOException {
    try (Model model = ModelFolder.open(EXAMPLES.resolve("names"));
        Classifier classifier = Classifier.of(model)) {
      List<String> names = Files.readAllLines(EXAMPLES.resolve("names/names.txt"));
      List<String> languages = Files.readAllLines(EXAMPLES.resolve("names/languages.txt"));
      for (int i = 0; i < names.size(); i++) {
        Classification answer = classifier.classify(names.get(i));
        assertEquals(languages.get(i), answer.choices().get(0).label());
        double sum =
            answer.choices().stream().mapToDouble(Classification.Choice::probability).sum();
        assertEquals(1, sum, 1e-6);
        assertEquals(18, answer.choices().size());
      }
    }
  }

  @Test
  void aBatchHasTheAnswersOfItsLinesOneByOne() throws IOException {
    try (Model model = ModelFolder.open(EXAMPLES.resolve("names"));
        Classifier classifier = Classifier.of(model)) {
      checkBatch(classifier, Files.readAllLines(EXAMPLES.resolve("names/names.txt")));
    }
  }

  @Test
  void withoutLengthsNamesOfDifferentLengthsAreNotComputedTogether(@TempDir Path folder)
      throws IOException {
    Path names = EXAMPLES.resolve("names");
    String told = Files.readString(names.resolve("model.json"));
    String inputs = "{\"name\": \"tokens\", \"type\": \"int32\", \"shape\": [\"time\", \"batch\"]}";
    Files.writeString(
        folder.resolve("model.json"),
        told.replaceFirst("\"network\": \\{", "\"network\": {\"inputs\": [" + inputs + "],"));
    Files.copy(names.resolve("weights.safetensors"), folder.resolve("weights.safetensors"));
    try (Model model = ModelFolder.open(folder);
        Classifier classifier = Classifier.of(model)) {
      assertEquals(1, model.network().inputs().size());
      checkBatch(classifier, Files.readAllLines(names.resolve("names.txt")));
    }
  }

  private static void checkBatch(Classifier classifier, List<String> lines) {
    BatchTask<String, Classifier.Input, Classification> task = classifier.task();
    List<Classifier.Input> inputs = lines.stream().map(line -> task.prepare(1, line)).toList();
    try (BatchTask.Worker<Classifier.Input, Classification> worker = task.newWorker()) {
      List<Classification> all = worker.run(inputs);
      for (int i = 0; i < lines.size(); i++) {
        assertEquals(classifier.classify(lines.get(i)), all.get(i));
      }
    }
  }

  @Test
  void numbersAreReadFromLines() throws IOException {
    try (Model model = ModelFolder.open(EXAMPLES.resolve("sum"));
        Classifier classifier = Classifier.of(model)) {
      List<Float> sums = classifier.classify("1, 2 3").numbers();
      assertEquals(3, sums.size());
      assertEquals(6, sums.get(2), 1e-3);
      BadRecordException e =
          assertThrows(BadRecordException.class, () -> classifier.classify("1 two"));
      assertTrue(e.getMessage().contains("two is no number"), e.getMessage());
    }
  }
}

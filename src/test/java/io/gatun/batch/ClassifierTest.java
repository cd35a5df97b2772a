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
      BatchTask<String, Classifier.Input, Classification> task = classifier.task();
      List<String> names = Files.readAllLines(EXAMPLES.resolve("names/names.txt"));
      List<Classifier.Input> inputs = names.stream().map(name -> task.prepare(1, name)).toList();
      try (BatchTask.Worker<Classifier.Input, Classification> worker = task.newWorker()) {
        List<Classification> all = worker.run(inputs);
        for (int i = 0; i < names.size(); i++) {
          assertEquals(classifier.classify(names.get(i)), all.get(i));
        }
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

package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The examples that Gatun trained answer what their folders show, from their committed weights. */
class TrainedExamplesTest {
  @ParameterizedTest
  @CsvSource({
    "classify, names, names.txt, languages.txt",
    "classify, digits, images.txt, classes.txt",
    "classify, sum, numbers.txt, sums.txt",
    "classify, sentiment, sentences.txt, labels.txt",
    "translate, pronunciation, words.txt, phonemes.txt",
    "translate, pronunciation/stress, ../words.txt, phonemes.txt",
    "translate, translation, sentences.txt, translations.txt",
  })
  void answersAsShown(String command, String example, String input, String expected)
      throws IOException {
    Path folder = Shared.project().resolve("examples").resolve(example);
    Run run = Run.of(command, folder.toString(), folder.resolve(input).toString());
    assertEquals(0, run.code(), run.err());
    assertEquals(Files.readString(folder.resolve(expected)), run.out());
  }
}

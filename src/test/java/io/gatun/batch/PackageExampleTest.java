package io.gatun.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {
  @TempDir Path temporary;

  @Test
  void theExampleOfTheDocumentationRuns() throws Exception {
    Path folder = Shared.project().resolve("examples/g2p_en");
    Path weights = Shared.path("models/g2p_en/checkpoint20.npz");
    Path words = Files.writeString(temporary.resolve("words.txt"), "hello\nworld\n");
    Path answers = temporary.resolve("answers.txt");

    try (Model model = ModelFolder.open(folder, Optional.of(weights));
        Translator translator = Translator.of(model);
        InputStream in = Files.newInputStream(words);
        OutputStream out = Files.newOutputStream(answers)) {
      BatchProgress done =
          new BatchRun<>(
                  new LineReader("words.txt", in),
                  translator.translation(translator.options().build()),
                  new LineWriter<>(out, (number, answer) -> answer == null ? "" : answer.text()),
                  BatchOptions.builder().workers(4).build(),
                  BatchListener.NONE)
              .run();
      assertEquals(2, done.records());
    }
    assertEquals("HH EH1 L OW0\nW ER1 L D\n", Files.readString(answers));
  }
}

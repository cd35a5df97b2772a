package io.gatun.representation;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.batch.NpyFiles;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of the room's documentation compiles and runs. */
class PackageExampleTest {
  @TempDir Path folder;

  @Test
  void theExampleOfTheDocumentationRuns() throws IOException {
    List<Example> examples = ExtractionTest.images();
    try (Model model = ModelFolder.open(Shared.project().resolve("examples/digits"))) {
      Feed feed = Feed.of(model.network());
      try (Extraction extraction = Extraction.of(feed, List.of("conv*"), Pooling.MEAN);
          NpyFiles files = new NpyFiles(folder)) {
        extraction.run(ExampleReader.of(examples), files, Progress.NONE);
        files.commit();
      }
    }
    assertTrue(Files.exists(folder.resolve("conv2.npy")));
  }
}

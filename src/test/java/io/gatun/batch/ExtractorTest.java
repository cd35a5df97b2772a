package io.gatun.batch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.format.TensorFile;
import io.gatun.representation.Example;
import io.gatun.representation.Extraction;
import io.gatun.representation.Feed;
import io.gatun.representation.Pooling;
import io.gatun.representation.Progress;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Single records have the numbers that {@code gatun represent} writes into arrays. */
@Timeout(60)
class ExtractorTest {
  private static final Path EXAMPLES = Shared.project().resolve("examples");

  @TempDir Path folder;

  private static Model open(String example) throws IOException {
    return ModelFolder.open(EXAMPLES.resolve(example));
  }

  /** Names of many lengths. */
  private static List<String> names(int count) throws IOException {
    List<String> names = Files.readAllLines(EXAMPLES.resolve("names/names.txt"));
    Random random = new Random(5);
    List<String> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String name = names.get(random.nextInt(names.size()));
      all.add(i % 3 == 0 ? name : name + names.get(random.nextInt(names.size())));
    }
    return all;
  }

  /** What the command writes for these lines, a list of records for each value. */
  private List<List<float[]>> written(
      Model model, List<String> lines, List<String> values, Pooling pooling) throws IOException {
    Feed feed = Feed.of(model.graphs().get(0));
    byte[] text = (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    try (Extraction extraction = Extraction.of(feed, values, pooling);
        NpyFiles files = new NpyFiles(folder)) {
      LineReader reader = new LineReader("lines", new ByteArrayInputStream(text));
      extraction.run(new ExampleLines(reader, feed, model.source(), null), files, Progress.NONE);
      files.commit();
      List<List<float[]>> all = new ArrayList<>();
      for (var column : extraction.columns()) {
        Path file = NpyFiles.file(folder, column.name());
        all.add(rows(file, column.ragged(), lines.size()));
      }
      return all;
    }
  }

  private static List<float[]> rows(Path file, boolean ragged, int count) throws IOException {
    List<float[]> rows = new ArrayList<>();
    try (TensorFile opened = TensorFile.open(file)) {
      Tensor all = ExampleArray.only(opened);
      if (!ragged) {
        for (int i = 0; i < count; i++) {
          rows.add(all.select(0, i).toFloats());
        }
        return rows;
      }
      String offsets = file.getFileName().toString().replace(".npy", ".offsets.npy");
      try (TensorFile starts = TensorFile.open(file.resolveSibling(offsets))) {
        long[] from = ExampleArray.only(starts).toLongs();
        for (int i = 0; i < count; i++) {
          rows.add(all.slice(0, from[i], from[i + 1]).toFloats());
        }
      }
      return rows;
    }
  }

  private void check(Model model, List<String> lines, List<String> values, Pooling pooling)
      throws IOException {
    try (Extractor extractor = Extractor.of(model, values, pooling);
        BatchIterator<String, Example, Representation> answers =
            new BatchIterator<>(
                lines.iterator(),
                extractor.task(),
                BatchOptions.builder().batchTokens(200).windowRecords(23).build(),
                String::length)) {
      List<String> names = extractor.columns().stream().map(each -> each.name()).toList();
      List<List<float[]>> expected = written(model, lines, names, pooling);
      for (int i = 0; i < lines.size(); i++) {
        BatchIterator.Answered<String, Representation> next = answers.next();
        assertEquals(null, next.problem());
        List<Representation.Part> parts = next.answer().values();
        assertEquals(expected.size(), parts.size());
        for (int v = 0; v < parts.size(); v++) {
          assertEquals(extractor.columns().get(v).name(), parts.get(v).name());
          assertArrayEquals(expected.get(v).get(i), parts.get(v).numbers(), lines.get(i));
        }
      }
    }
  }

  @Test
  void everyPoolingOfEveryStepHasTheBitsOfTheCommand() throws IOException {
    try (Model model = open("names")) {
      List<String> lines = names(60);
      List<String> values = List.of("rnn.sequence", "rnn.hidden", "emb*");
      for (String pooling : List.of("all", "last", "mean", "max", "at:0,-1")) {
        check(model, lines, values, Pooling.parse(pooling));
      }
    }
  }

  @Test
  void imagesAndEncodersHaveTheBitsOfTheCommand() throws IOException {
    try (Model digits = open("digits")) {
      List<String> images = Files.readAllLines(EXAMPLES.resolve("digits/images.txt"));
      check(digits, images, List.of("conv?", "scores"), Pooling.MAX);
    }
    try (Model model = open("pronunciation")) {
      List<String> words = Files.readAllLines(EXAMPLES.resolve("pronunciation/words.txt"));
      check(model, words, List.of("*"), Pooling.MEAN);
    }
  }

  @Test
  void aTensorHasTheSizesOfTheRecord() throws IOException {
    try (Model model = open("names");
        Extractor extractor = Extractor.of(model, List.of("rnn.sequence"), Pooling.ALL);
        Arena arena = Arena.ofConfined()) {
      Tensor steps = extractor.extract("Kowalczyk").values().get(0).tensor(arena);
      assertEquals("[9, 256]", steps.shape().toString());
      assertEquals(List.of(-1L, 256L), extractor.columns().get(0).dims());
      BatchOptions usual = BatchOptions.builder().build();
      assertEquals(64 << 10, extractor.bounded(usual).windowTokens());
      assertEquals(usual.windowRecords(), extractor.bounded(usual).windowRecords());
    }
  }

  @Test
  void manyThreadsGetTheVectorsOfTheirOwn() throws Exception {
    try (Model model = open("names");
        Extractor extractor = Extractor.of(model, List.of("rnn"), Pooling.LAST)) {
      List<String> lines = names(120);
      List<float[]> expected = written(model, lines, List.of("rnn"), Pooling.LAST).get(0);
      List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
      BatchOptions options = BatchOptions.builder().workers(2).batchRecords(7).build();
      try (var service = new BatchService<>(extractor.task(), options, Duration.ofMillis(2), 10)) {
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 6; t++) {
          int from = 20 * t;
          Thread thread =
              new Thread(
                  () -> {
                    try {
                      for (int i = from; i < from + 20; i++) {
                        String name = lines.get(i);
                        assertArrayEquals(expected.get(i), service.call(name).vector(), name);
                      }
                    } catch (Throwable e) {
                      failures.add(e);
                    }
                  });
          threads.add(thread);
          thread.start();
        }
        for (Thread thread : threads) {
          thread.join();
        }
        assertEquals(List.of(), failures);
        Iterator<Representation> answers = service.answers(lines.iterator(), 5);
        assertArrayEquals(expected.get(0), answers.next().vector());
        assertArrayEquals(expected.get(1), extractor.extract(lines.get(1)).vector());
      }
      var ended = new BatchService<>(extractor.task(), options, Duration.ofDays(1), 10);
      CompletableFuture<Representation> waiting = ended.submit("Kowalczyk");
      ended.cancel();
      assertThrows(CancellationException.class, waiting::get);
      assertThrows(RejectedExecutionException.class, () -> ended.submit("Kowalczyk"));
    }
  }

  @Test
  void whatIsWrongWithARecordIsSaidAndSpoilsNoOther() throws Exception {
    try (Model model = open("names");
        Extractor extractor = Extractor.of(model, List.of("rnn.sequence"), Pooling.at(5));
        var service =
            new BatchService<>(
                extractor.task(),
                BatchOptions.builder().batchRecords(2).build(),
                Duration.ofDays(1),
                10)) {
      CompletableFuture<Representation> good = service.submit("Kowalczyk");
      CompletableFuture<Representation> bad = service.submit("Li");
      assertEquals(256, good.get().vector().length);
      Throwable cause = assertThrows(ExecutionException.class, bad::get).getCause();
      assertTrue(cause instanceof BadRecordException, cause.toString());
      assertTrue(cause.getMessage().contains("none at 5"), cause.getMessage());
      assertTrue(extractor.extract("").isEmpty());
    }
    try (Model digits = open("digits");
        Extractor extractor = Extractor.of(digits, List.of("conv1"), Pooling.MEAN)) {
      assertTrue(extractor.extract(" ").isEmpty());
      BadRecordException few =
          assertThrows(BadRecordException.class, () -> extractor.extract("1 2 3"));
      assertTrue(few.getMessage().contains("3 numbers, but image"), few.getMessage());
    }
  }

  @Test
  void whatIsNoRepresentationIsRefusedByName() throws IOException {
    try (Model model = open("names")) {
      IllegalArgumentException whole =
          assertThrows(
              IllegalArgumentException.class,
              () -> Extractor.of(model, List.of("tokens"), Pooling.ALL));
      assertTrue(
          whole.getMessage().contains("is int32, expected a value of real numbers"),
          whole.getMessage());
      IllegalArgumentException unknown =
          assertThrows(
              IllegalArgumentException.class,
              () -> Extractor.of(model, List.of("embeding"), Pooling.ALL));
      assertTrue(unknown.getMessage().contains("did you mean embedding"), unknown.getMessage());
    }
  }
}

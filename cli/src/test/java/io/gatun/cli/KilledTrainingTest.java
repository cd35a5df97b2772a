package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A training whose process is killed (SIGKILL) at random moments, again and again, and resumed each
 * time: {@code -Dgatun.kills=20} for more of them than in every build, {@code -Dgatun.seed} for the
 * moments.
 */
class KilledTrainingTest {
  private static final String CONFIG =
      """
      {"format": "gatun-train/1", "name": "killed", "kind": "classifier",
       "data": {"format": "labelled", "files": ["texts.tsv"]},
       "split": {"validation": 0.1, "test": 0.1},
       "source": {"tokens": "characters"},
       "network": {"layers": [
         {"type": "embedding", "name": "embedding", "size": 8},
         {"type": "dropout", "name": "drop", "rate": 0.2},
         {"type": "gru", "name": "rnn", "hidden": 16, "bidirectional": "concat",
          "return_sequences": false},
         {"type": "dense", "name": "scores"}]},
       "training": {"epochs": EPOCHS, "batch": {"sequences": 16, "tokens": 60},
         "checkpoint_steps": 5, "schedule": {"type": "cosine"}}}
      """;

  @TempDir Path folder;

  private Path config(String name, int epochs) throws IOException {
    Path home = Files.createDirectories(folder.resolve(name));
    Random random = new Random(3);
    StringBuilder texts = new StringBuilder();
    for (int i = 0; i < 300; i++) {
      String text = "";
      for (int k = 2 + random.nextInt(9); k > 0; k--) {
        text += (char) ('a' + random.nextInt(6));
      }
      texts.append(text).append('\t').append(text.contains("a") ? "with" : "without").append('\n');
    }
    Files.writeString(home.resolve("texts.tsv"), texts);
    return Files.writeString(
        home.resolve("train.json"), CONFIG.replace("EPOCHS", String.valueOf(epochs)));
  }

  private static Process start(Path config) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Gatun.class.getName(), "train", "--resume", config.toString()));
    return new ProcessBuilder(command).redirectError(config.resolveSibling("log").toFile()).start();
  }

  /** Waits for the line that is printed before the first step. */
  private static void awaitFirstStep(Process process) throws IOException {
    int next = process.getInputStream().read();
    while (next >= 0 && next != '\n') {
      next = process.getInputStream().read();
    }
  }

  @Test
  void whatComesOutHasTheBitsOfATrainingThatWasNeverKilled() throws Exception {
    int kills = Integer.getInteger("gatun.kills", 2);
    // About as long as it takes until the next kill, so that most kills meet the loop.
    int epochs = 10 * kills;
    Path whole = config("whole", epochs);
    assertEquals(0, start(whole).waitFor(), () -> log(whole));
    Path killed = config("killed", epochs);
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.err.println("KilledTrainingTest: -Dgatun.seed=" + seed);
    Random random = new Random(seed);
    int done = 0;
    for (int i = 0; i < kills; i++) {
      Process process = start(killed);
      awaitFirstStep(process);
      if (!process.waitFor(random.nextInt(1500), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        assertEquals(128 + 9, process.waitFor(), () -> log(killed));
        done++;
      }
    }
    System.err.println("KilledTrainingTest: " + done + " killed, of " + kills);
    assertTrue(done > 0, () -> "every training was over before it was killed; " + log(killed));
    assertEquals(0, start(killed).waitFor(), () -> log(killed));
    for (String file : List.of("weights.safetensors", "model.json")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolveSibling("model").resolve(file)),
          Files.readAllBytes(killed.resolveSibling("model").resolve(file)),
          file + " after " + done + " kills");
    }
  }

  private static String log(Path config) {
    try {
      return Files.readString(config.resolveSibling("log"));
    } catch (IOException e) {
      return e.toString();
    }
  }
}

package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code gatun train}, {@code evaluate} and {@code classify} as somebody at a terminal uses them.
 */
class TrainTest {
  private static final String CONFIG =
      """
      {"format": "gatun-train/1", "name": "sum", "kind": "network",
       "data": {"format": "sums", "count": 200, "length": 8},
       "split": {"validation": 0.1, "test": 0.1},
       "network": {
         "inputs": [{"name": "x", "type": "float32", "shape": ["time", "batch", 1]},
                    {"name": "lengths", "type": "int32", "shape": ["batch"]}],
         "layers": [{"type": "simple_rnn", "name": "sum", "hidden": 1, "activation": "identity"}]},
       "training": {"epochs": 3, "batch": {"sequences": 16}, "checkpoint_steps": 2,
         "optimizer": {"learning_rate": 0.02}}}
      """;

  @TempDir Path folder;

  private String config(String text) throws IOException {
    Path file = folder.resolve("train.json");
    Files.writeString(file, text);
    return file.toString();
  }

  @Test
  void aModelIsTrainedMeasuredAndUsed() throws IOException {
    String config = config(CONFIG);
    Run trained = Run.of("train", config, "--progress", "always");
    assertEquals(0, trained.code(), trained.err());
    assertTrue(trained.out().startsWith("160 sequences to learn from, 20"), trained.out());
    assertTrue(trained.err().contains("epoch 3, step 30: loss"), trained.err());
    String model = folder.resolve("model").toString();
    Run measured = Run.of("evaluate", model, "--data", config);
    assertEquals(0, measured.code(), measured.err());
    // The figures that the training told are those of the folder.
    assertTrue(trained.out().endsWith(measured.out().lines().toList().get(1) + "\n"));
    Run used = Run.with("1 1\n\nx\n", "classify", model);
    assertEquals(3, used.code());
    assertEquals(3, used.out().lines().count());
    assertTrue(used.err().contains("line 3: x is no number"), used.err());
  }

  @Test
  void whatIsWrongIsOneLineAndNothingIsWritten() throws IOException {
    Run typo = Run.of("train", config(CONFIG.replace("epochs", "epocs")));
    assertEquals(1, typo.code());
    assertEquals(1, typo.err().lines().count(), typo.err());
    assertTrue(typo.err().contains("training.epocs is not known here"), typo.err());
    assertTrue(typo.err().contains("line 8"), typo.err());
    Run missing = Run.of("train", folder.resolve("none.json").toString());
    assertEquals(1, missing.code());
    assertTrue(missing.err().contains("no such file"), missing.err());
    String wild = "\"type\": \"sgd\", \"learning_rate\": 1e30";
    Run apart = Run.of("train", config(CONFIG.replace("\"learning_rate\": 0.02", wild)));
    assertEquals(1, apart.code());
    assertTrue(apart.err().startsWith("gatun: the training of "), apart.err());
    assertTrue(apart.err().contains("in step 2"), apart.err());
    assertFalse(Files.exists(folder.resolve("model/model.json")));
  }

  @Test
  void anInterruptedTrainingIsNotOverwrittenByAccident() throws IOException {
    String config = config(CONFIG);
    Files.createDirectories(folder.resolve("model"));
    Files.writeString(folder.resolve("model/checkpoint.safetensors"), "something");
    Run again = Run.of("train", config);
    assertEquals(1, again.code());
    assertTrue(again.err().contains("--resume goes on with it, --restart begins anew"));
    assertEquals(0, Run.of("train", config, "--restart").code());
  }
}

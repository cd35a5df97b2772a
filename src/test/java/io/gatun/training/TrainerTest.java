package io.gatun.training;

import static io.gatun.training.TrainingListener.NONE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small networks are trained, stopped and resumed, and broken. */
class TrainerTest {
  private static final String SUM =
      """
      {"format": "gatun-train/1", "name": "sum", "kind": "network", "output": "model",
       "data": {"format": "sums", "count": 400, "length": 12},
       "split": {"validation": 0.1, "test": 0.1},
       "network": {
         "inputs": [{"name": "x", "type": "float32", "shape": ["time", "batch", 1]},
                    {"name": "lengths", "type": "int32", "shape": ["batch"]}],
         "layers": [{"type": "simple_rnn", "name": "sum", "hidden": 1, "activation": "identity"}]},
       "training": {"epochs": 60, "batch": {"sequences": 16}, "clip_norm": 1,
         "optimizer": {"learning_rate": 0.02}, "schedule": {"type": "cosine"}}}
      """;
  private static final String CLASSES =
      """
      {"format": "gatun-train/1", "name": "toy", "kind": "classifier", "output": "model",
       "data": {"format": "labelled", "files": ["toy.tsv"]},
       "split": {"validation": 0.1, "test": 0.1, "by": "class"},
       "source": {"tokens": "characters"},
       "network": {"layers": [
         {"type": "embedding", "name": "embedding", "size": 6},
         {"type": "dropout", "name": "drop", "rate": 0.1},
         {"type": "gru", "name": "rnn", "hidden": 8, "return_sequences": false},
         {"type": "dense", "name": "scores"}]},
       "training": {"epochs": 8, "batch": {"sequences": 16}, "checkpoint_steps": 3,
         "optimizer": {"learning_rate": 0.02}}}
      """;
  private static final String PAIRS =
      """
      {"format": "gatun-train/1", "name": "copy", "kind": "encoder-decoder", "output": "model",
       "data": {"format": "pairs", "files": ["copy.tsv"]},
       "split": {"validation": 0.1, "test": 0.1},
       "source": {"tokens": "characters"}, "target": {"tokens": "characters"},
       "encoder": {"layers": [
         {"type": "embedding", "name": "encoder.embedding", "size": 8},
         {"type": "gru", "name": "encoder.gru", "hidden": 16}]},
       "decoder": {"layers": [
         {"type": "embedding", "name": "decoder.embedding", "size": 16},
         {"type": "gru", "name": "decoder.gru", "hidden": 16, "initial_state": "encoder.gru"},
         {"type": "attention", "name": "attention", "score": "general", "memory": "encoder.gru"},
         {"type": "concat", "name": "both", "from": ["decoder.gru", "attention"]},
         {"type": "dense", "name": "bridge", "size": 16, "activation": "tanh"},
         {"type": "dense", "name": "logits", "tie": "decoder.embedding"}]},
       "generation": {"max_length": 6},
       "training": {"epochs": 3, "batch": {"sequences": 16, "longest": 8},
         "loss": {"label_smoothing": 0.1}, "forcing": {"start": 1, "end": 0.5, "epochs": 2},
         "optimizer": {"type": "sgd", "learning_rate": 0.5, "momentum": 0.9}, "clip_norm": 1}}
      """;

  @TempDir Path folder;

  private TrainingConfig config(String json) throws IOException {
    Path file = folder.resolve("train.json");
    Files.writeString(file, json);
    Random random = new Random(5);
    StringBuilder toy = new StringBuilder();
    StringBuilder copy = new StringBuilder();
    for (int i = 0; i < 300; i++) {
      String text = "";
      for (int k = 1 + random.nextInt(4); k > 0; k--) {
        text += (char) ('a' + random.nextInt(4));
      }
      toy.append(text).append('\t').append(text.contains("a") ? "with" : "without").append('\n');
      copy.append(text).append('\t').append(text).append('\n');
    }
    Files.writeString(folder.resolve("toy.tsv"), toy);
    Files.writeString(folder.resolve("copy.tsv"), copy);
    return TrainingConfig.read(file);
  }

  private Map<String, float[]> weights() throws IOException {
    Map<String, float[]> weights = new LinkedHashMap<>();
    try (Model model = ModelFolder.open(folder.resolve("model"))) {
      for (String name : model.weights().names()) {
        weights.put(name, model.weights().tensor(name).toFloats());
      }
    }
    return weights;
  }

  private Map<String, Double> train(String json, boolean resume, TrainingListener listener)
      throws IOException {
    try (Trainer trainer = new Trainer(config(json))) {
      return trainer.train(resume, listener);
    }
  }

  @Test
  void aLinearNetworkFindsTheWeightsOfASum() throws IOException {
    Map<String, Double> figures = train(SUM, false, NONE);
    Map<String, float[]> weights = weights();
    assertEquals(1, weights.get("sum.W")[0], 1e-3);
    assertEquals(1, weights.get("sum.R")[0], 1e-3);
    assertEquals(0, weights.get("sum.B")[0] + weights.get("sum.B")[1], 1e-3);
    assertTrue(figures.get("loss") < 1e-5, figures.toString());
    assertTrue(Files.readString(folder.resolve("model/training.html")).contains("<polyline"));
    assertFalse(Files.exists(folder.resolve("model").resolve(Trainer.CHECKPOINT)));
  }

  private static void same(Map<String, float[]> expected, Map<String, float[]> got) {
    assertEquals(expected.keySet(), got.keySet());
    expected.forEach((name, numbers) -> assertArrayEquals(numbers, got.get(name), name));
  }

  /** Ends a training in the middle of things. */
  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static TrainingListener killer(long step) {
    return new TrainingListener() {
      @Override
      public void step(TrainingProgress progress) {
        if (progress.step() == step) {
          throw new Killed();
        }
      }
    };
  }

  @Test
  void aResumedTrainingHasTheBitsOfOneThatWasNeverStopped() throws IOException {
    String averaged = CLASSES.replace("\"epochs\": 8", "\"epochs\": 3, \"average_from\": 1");
    for (String json : new String[] {CLASSES, PAIRS, averaged}) {
      train(json, false, NONE);
      Map<String, float[]> whole = weights();
      for (int step : new int[] {2, 7, 16}) {
        assertThrows(Killed.class, () -> train(json, false, killer(step)));
        assertThrows(Killed.class, () -> train(json, true, killer(step + 4)));
        train(json, true, NONE);
        same(whole, weights());
      }
    }
  }

  @Test
  void averagedWeightsAreTheMeanOfThoseAfterEachStep() throws IOException {
    Map<String, double[]> mean = new LinkedHashMap<>();
    int steps = 5;
    for (int step = 1; step <= steps; step++) {
      train(CLASSES.replace("\"epochs\"", "\"steps\": " + step + ", \"epochs\""), false, NONE);
      weights()
          .forEach(
              (name, w) -> {
                double[] sum = mean.computeIfAbsent(name, n -> new double[w.length]);
                for (int i = 0; i < w.length; i++) {
                  sum[i] += w[i] / steps;
                }
              });
    }
    String averaged =
        CLASSES.replace("\"epochs\"", "\"steps\": 5, \"average_from\": 1, \"epochs\"");
    train(averaged, false, NONE);
    Map<String, float[]> got = weights();
    assertEquals(mean.keySet(), got.keySet());
    got.forEach(
        (name, w) -> {
          for (int i = 0; i < w.length; i++) {
            assertEquals(mean.get(name)[i], w[i], 1e-6, name);
          }
        });
  }

  @Test
  void whatIsWrittenIsAMeanEvenIfAStateBeforeDidBetter() throws IOException {
    String json = CLASSES.replace("\"epochs\"", "\"average_from\": 8, \"epochs\"");
    List<TrainingProgress> validations = new ArrayList<>();
    try (Trainer trainer = new Trainer(config(json))) {
      trainer.train(
          false,
          new TrainingListener() {
            @Override
            public void validated(TrainingProgress progress) {
              validations.add(progress);
            }
          });
      TrainingProgress last = validations.get(validations.size() - 1);
      double figure = last.metrics().get("accuracy");
      assertTrue(
          validations.stream()
              .limit(validations.size() - 1)
              .anyMatch(before -> before.metrics().get("accuracy") >= figure),
          "a state before the mean did as well");
      assertEquals(last.step(), trainer.bestStep());
    }
  }

  @Test
  void epochsMayHaveDifferentNumbersOfBatches() throws IOException {
    String tokens = CLASSES.replace("\"sequences\": 16", "\"tokens\": 23, \"pool\": 2");
    Map<Integer, Long> lastSteps = new LinkedHashMap<>();
    train(
        tokens,
        false,
        new TrainingListener() {
          @Override
          public void step(TrainingProgress progress) {
            lastSteps.put(progress.epoch(), progress.step());
          }
        });
    assertEquals(8, lastSteps.size());
    long first = lastSteps.get(1);
    assertTrue(
        lastSteps.entrySet().stream().anyMatch(each -> each.getValue() != each.getKey() * first),
        lastSteps.toString());
    Map<String, float[]> whole = weights();
    assertThrows(Killed.class, () -> train(tokens, false, killer(lastSteps.get(5) + 4)));
    train(tokens, true, NONE);
    same(whole, weights());
  }

  @Test
  void weightsOfHalfTheSizeAnswerNearlyTheSame() throws IOException {
    Map<String, Double> figures = train(PAIRS, false, NONE);
    String half = PAIRS.replace("\"output\"", "\"weights\": \"bfloat16\", \"output\"");
    Map<String, Double> halved = train(half, false, NONE);
    assertEquals(figures.get("perplexity"), halved.get("perplexity"), 0.05);
  }

  @Test
  void weightsOfAQuarterOfTheSizeAreJudgedAsWrittenAndBegunWith() throws IOException {
    Map<String, Double> figures = train(PAIRS, false, NONE);
    String small = PAIRS.replace("\"output\"", "\"weights\": \"int8\", \"output\"");
    Map<String, Double> rounded = train(small, false, NONE);
    assertEquals(figures.get("perplexity"), rounded.get("perplexity"), 0.1);
    assertNotEquals(figures.get("perplexity"), rounded.get("perplexity"));
    String further = PAIRS.replace("\"model\"", "\"further\", \"initial\": \"model\"");
    String still = further.replace("\"learning_rate\": 0.5", "\"learning_rate\": 1e-30");
    assertEquals(rounded.get("perplexity"), train(still, false, NONE).get("perplexity"), 1e-6);
  }

  private static double firstLoss(TrainerTest test, String json) throws IOException {
    double[] loss = new double[1];
    test.train(
        json.replace("\"epochs\"", "\"steps\": 1, \"epochs\""),
        false,
        new TrainingListener() {
          @Override
          public void step(TrainingProgress progress) {
            loss[0] = progress.loss();
          }
        });
    return loss[0];
  }

  @Test
  void stretchesCarryTheStateButNoGradient() throws IOException {
    for (String type : new String[] {"simple_rnn", "gru", "lstm"}) {
      String network =
          SUM.replace(
              "{\"type\": \"simple_rnn\", \"name\": \"sum\", \"hidden\": 1, \"activation\":"
                  + " \"identity\"}",
              "{\"type\": \""
                  + type
                  + "\", \"name\": \"rnn\", \"hidden\": 5}, {\"type\": \"dense\", \"name\":"
                  + " \"sum\", \"size\": 1}");
      // Adam's first step shows the gradients' signs alone, and a cosine is 0 at the last step.
      network =
          network
              .replace("{\"learning_rate\"", "{\"type\": \"sgd\", \"learning_rate\"")
              .replace("\"cosine\"", "\"constant\"");
      double whole = firstLoss(this, network);
      Map<String, float[]> untouched = weights();
      // Twelve steps are the longest: all of them in one stretch are no truncation.
      String one = network.replace("\"epochs\"", "\"truncate\": 12, \"epochs\"");
      assertEquals(whole, firstLoss(this, one), 1e-6 * whole);
      Map<String, float[]> same = weights();
      untouched.forEach((name, numbers) -> assertArrayEquals(numbers, same.get(name), 1e-5f, name));
      String cut = network.replace("\"epochs\"", "\"truncate\": 3, \"epochs\"");
      assertEquals(whole, firstLoss(this, cut), 1e-6 * whole, "the state is carried");
      Map<String, float[]> other = weights();
      assertTrue(
          untouched.keySet().stream()
              .anyMatch(name -> !java.util.Arrays.equals(untouched.get(name), other.get(name))),
          "gradients are cut");
    }
    String both = SUM.replace("\"identity\"}", "\"identity\", \"bidirectional\": \"sum\"}");
    RuntimeException e =
        assertThrows(
            RuntimeException.class,
            () ->
                train(both.replace("\"epochs\"", "\"truncate\": 3, \"epochs\""), false, killer(1)));
    assertTrue(e.getMessage().contains("looks ahead"), e.getMessage());
    train(SUM.replace("\"epochs\"", "\"truncate\": 4, \"epochs\""), false, NONE);
    assertEquals(1, weights().get("sum.R")[0], 1e-3);
  }

  @Test
  void theNumberOfThreadsChangesNothing() throws IOException {
    String three = CLASSES.replace("\"epochs\": 8", "\"epochs\": 2, \"shards\": 3");
    train(three.replace("\"epochs\"", "\"threads\": 1, \"epochs\""), false, NONE);
    Map<String, float[]> one = weights();
    train(three.replace("\"epochs\"", "\"threads\": 3, \"epochs\""), false, NONE);
    same(one, weights());
  }

  @Test
  void aClassifierLearns() throws IOException {
    Map<String, Double> figures = train(CLASSES, false, NONE);
    assertTrue(figures.get("accuracy") > 0.9, figures.toString());
  }

  @Test
  void frozenLayersStayAndOthersBeginWhereAnotherModelIs() throws IOException {
    train(CLASSES, false, NONE);
    Map<String, float[]> before = weights();
    Files.move(folder.resolve("model"), folder.resolve("first"));
    String next =
        CLASSES
            .replace("\"name\": \"toy\"", "\"name\": \"toy\", \"initial\": \"first\"")
            .replace("\"name\": \"scores\"", "\"name\": \"head\"")
            .replace("\"epochs\": 8", "\"epochs\": 2, \"freeze\": [\"embedding\", \"rn*\"]");
    train(next, false, NONE);
    Map<String, float[]> after = weights();
    assertArrayEquals(before.get("rnn.R"), after.get("rnn.R"));
    assertArrayEquals(before.get("embedding.data"), after.get("embedding.data"));
    assertTrue(after.containsKey("head.B"));
    String others =
        next.replace(
            "\"characters\"", "\"characters\", \"vocabulary\": [\"d\", \"c\", \"b\", \"a\"]");
    RuntimeException e = assertThrows(RuntimeException.class, () -> train(others, false, NONE));
    assertTrue(e.getMessage().contains("has as many symbols as that of"), e.getMessage());
  }

  @Test
  void numbersThatAreNoneStopTheTrainingWhereItBegan() throws IOException {
    String wild =
        SUM.replace("\"learning_rate\": 0.02", "\"type\": \"sgd\", \"learning_rate\": 1e30")
            .replace("\"clip_norm\": 1,", "");
    TrainingException e = assertThrows(TrainingException.class, () -> train(wild, false, NONE));
    assertTrue(e.getMessage().contains("in step 2 (batch 2 of epoch 1)"), e.getMessage());
    assertTrue(e.getMessage().contains(", and the first value "), e.getMessage());
    assertFalse(Files.exists(folder.resolve("model/model.json")));
  }

  @Test
  void aCheckpointOfAnotherTrainingIsRefused() throws IOException {
    assertThrows(Killed.class, () -> train(CLASSES, false, killer(20)));
    String other = CLASSES.replace("\"learning_rate\": 0.02", "\"learning_rate\": 0.03");
    TrainingException e = assertThrows(TrainingException.class, () -> train(other, true, NONE));
    assertTrue(e.getMessage().contains("other settings"), e.getMessage());
  }

  @Test
  void mistakesAreFoundBeforeAnyTimeIsSpent() throws IOException {
    String[][] mistakes = {
      {CLASSES, "\"epochs\"", "\"epocs\"", "did you mean 'epochs'"},
      {CLASSES, "toy.tsv", "tou.tsv", "there is no such file"},
      {CLASSES, "\"hidden\": 8", "\"hiden\": 8", "did you mean 'hiden'"},
      {CLASSES, "\"size\": 6", "\"size\": 0", "expected an integer of at least 1"},
      {
        CLASSES,
        "\"files\": [\"toy.tsv\"]",
        "\"files\": [\"toy.tsv\"], \"labels\": {\"with\": \"w\", \"without\": \"o\", \"x\": \"y\"}",
        "of which there is no example"
      },
      {
        CLASSES,
        "\"tokens\": \"characters\"",
        "\"tokens\": \"characters\", \"vocabulary\": [\"x\", \"y\"]",
        "vocabulary does not fit the data"
      },
      {PAIRS, "decoder.embedding\"}]}", "decoder.embeding\"}]}", "did you mean"},
      {
        PAIRS,
        "\"target\": {",
        "\"target\": {\"vocabulary\": [\"Q\"], ",
        "the target's vocabulary does not fit the data: 100 %"
      },
      {CLASSES, "\"learning_rate\": 0.02", "\"learning_rate\": -1", "expected more than 0"},
      {
        CLASSES,
        "\"name\": \"toy\"",
        "\"name\": \"toy\", \"initial\": \"nowhere\"",
        "but there is no such model"
      },
      {CLASSES, "\"epochs\"", "\"average_from\": 9, \"epochs\"", "expected one of the 8 epochs"},
      {SUM, "\"kind\": \"network\"", "\"kind\": \"netwrk\"", "did you mean 'network'"},
    };
    for (String[] mistake : mistakes) {
      RuntimeException e =
          assertThrows(
              RuntimeException.class,
              () -> train(mistake[0].replace(mistake[1], mistake[2]), false, killer(1)),
              mistake[2]);
      assertTrue(e.getMessage().contains(mistake[3]), e.getMessage());
    }
  }

  @Test
  void theAnswersOfTheFolderAreJudgedLikeThoseOfTheTraining() throws IOException {
    Map<String, Double> figures = train(PAIRS, false, NONE);
    TrainingConfig config = config(PAIRS);
    try (Model model = ModelFolder.open(folder.resolve("model"));
        io.gatun.kernel.Workers workers = new io.gatun.kernel.Workers(2)) {
      Evaluation again =
          Evaluation.of(model, config.split().test(), io.gatun.kernel.Devices.best(), workers, 0);
      assertEquals(figures, again.metrics());
      assertEquals(config.split().test().size(), again.answers().size());
    }
  }

  @Test
  void tensorsOfTheFolderAreFloat32() throws IOException {
    train(SUM.replace("60", "1"), false, NONE);
    try (Model model = ModelFolder.open(folder.resolve("model"))) {
      for (String name : model.weights().names()) {
        Tensor tensor = model.weights().tensor(name);
        assertEquals(io.gatun.tensor.DType.FLOAT32, tensor.dtype());
      }
    }
  }
}

package io.gatun.batch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Json;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Text to text with a trained network. */
class TranslatorTest {
  private Model model;
  private Translator translator;

  @BeforeEach
  void open() throws IOException {
    model =
        ModelFolder.open(
            Shared.project().resolve("examples/g2p_en"),
            Optional.of(Shared.path("models/g2p_en/checkpoint20.npz")));
    translator = Translator.of(model);
  }

  @AfterEach
  void close() {
    if (translator != null) {
      translator.close();
      model.close();
    }
  }

  @Test
  void aTextIsAnsweredAsTheReferenceDoes() throws IOException {
    for (Json item : Json.read(Shared.path("models/g2p_en/expected.json")).items().subList(0, 10)) {
      assertEquals(
          String.join(" ", item.members().get("phonemes").strings()),
          translator.translate(item.members().get("word").string()));
    }
    assertEquals("", translator.translate(""));
  }

  @Test
  void smallerWeightsChangeFewAnswers() throws IOException {
    List<Json> items = Json.read(Shared.path("models/g2p_en/expected.json")).items();
    Map<WeightFormat, Integer> most =
        Map.of(WeightFormat.FLOAT32, 0, WeightFormat.BFLOAT16, 5, WeightFormat.INT8, 10);
    for (WeightFormat format : WeightFormat.values()) {
      int changed = 0;
      try (Translator rounded = Translator.of(model, Devices.best(), format)) {
        for (Json item : items) {
          String answer = rounded.translate(item.members().get("word").string());
          String expected = String.join(" ", item.members().get("phonemes").strings());
          changed += answer.equals(expected) ? 0 : 1;
        }
      }
      assertTrue(changed <= most.get(format), format + ": " + changed + " words");
      assertEquals(format != WeightFormat.FLOAT32, changed > 0, format + ": rounding shows");
    }
  }

  @Test
  void aBatchOfManyIsManyBatchesOfOne() throws Exception {
    StringBuilder words = new StringBuilder();
    StringBuilder expected = new StringBuilder();
    for (Json item : Json.read(Shared.path("models/g2p_en/expected.json")).items().subList(0, 60)) {
      String word = item.members().get("word").string();
      words.append(word).append('\n');
      expected.append(translator.translate(word)).append('\n');
    }
    for (int workers = 1; workers <= 3; workers++) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      new BatchRun<>(
              new LineReader("words", new ByteArrayInputStream(words.toString().getBytes(UTF_8))),
              translator.translation(translator.options().build()),
              new LineWriter<Translation>(out, (number, answer) -> answer.text()),
              BatchOptions.builder().workers(workers).batchTokens(40 * workers).build(),
              BatchListener.NONE)
          .run();
      assertEquals(expected.toString(), out.toString(UTF_8), workers + " workers");
    }
  }

  @Test
  void aTargetIsScoredTokenByTokenAndItsEnd() {
    var task = translator.scoring();
    var item = task.prepare(1, new LinePairReader.Pair("hello", "HH AH0 L OW1"));
    try (var worker = task.newWorker()) {
      TargetScore score = worker.run(List.of(item)).get(0);
      assertEquals(
          List.of("HH", "AH0", "L", "OW1", "</s>"),
          score.tokens().stream().map(TargetScore.Token::symbol).toList());
      double sum = score.tokens().stream().mapToDouble(TargetScore.Token::logProbability).sum();
      assertEquals(score.logProbability(), sum, 1e-9);
      assertTrue(sum < 0);
    }
  }

  @Test
  void aModelThatIsNoEncoderDecoderIsRefused() throws IOException {
    try (Model other =
        ModelFolder.open(
            Shared.project().resolve("examples/kws_arm/GRU_S"),
            Optional.of(Shared.path("models/kws_arm/GRU_S.npz")))) {
      IllegalArgumentException thrown =
          assertThrows(IllegalArgumentException.class, () -> Translator.of(other));
      assertTrue(thrown.getMessage().contains("expected encoder-decoder"), thrown.getMessage());
    }
  }
}

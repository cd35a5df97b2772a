package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.batch.LinePairReader;
import io.gatun.batch.Translator;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Weights of int8 in files. */
class ScaledTensorsTest {
  @TempDir Path folder;

  private static Tensor bytes(Arena arena, int[] values, long... dims) {
    return Tensor.ofInts(arena, values, dims).to(arena, DType.INT8);
  }

  private TensorFile file(Map<String, Tensor> tensors) throws IOException {
    Path path = folder.resolve("weights.safetensors");
    Safetensors.write(path, tensors, Map.of());
    return TensorFile.open(path);
  }

  @Test
  void aTensorOfInt8IsTheProductWithItsScale() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("w", bytes(arena, new int[] {-127, 0, 127, 5, -6, 7}, 2, 3));
      tensors.put("w.scale", Tensor.ofFloats(arena, new float[] {0.5f, 2}, 2, 1));
      tensors.put("k", bytes(arena, new int[] {1, 2, 3, 4, 5, 6}, 2, 3));
      tensors.put("k.scale", Tensor.ofFloats(arena, new float[] {1, 10, 100}, 1, 3));
      tensors.put("one", bytes(arena, new int[] {1, -2}, 2));
      tensors.put("one.scale", Tensor.ofFloats(arena, new float[] {0.25f}));
      tensors.put("plain", Tensor.ofFloats(arena, new float[] {3}, 1));
      tensors.put("plain.scale", Tensor.ofFloats(arena, new float[] {4}, 1));
      tensors.put("counts", bytes(arena, new int[] {1, 2}, 2));
      try (TensorFile file = file(tensors)) {
        ScaledTensors scaled = new ScaledTensors(file);
        assertEquals(Set.of("w", "k", "one", "plain", "plain.scale", "counts"), scaled.names());
        assertEquals(
            List.of(-63.5, 0.0, 63.5, 10.0, -12.0, 14.0),
            java.util.Arrays.stream(scaled.tensor("w").toDoubles()).boxed().toList());
        assertEquals(DType.FLOAT32, scaled.tensor("w").dtype());
        assertSame(scaled.tensor("w"), scaled.tensor("w"));
        assertEquals(
            List.of(1.0, 20.0, 300.0, 4.0, 50.0, 600.0),
            java.util.Arrays.stream(scaled.tensor("k").toDoubles()).boxed().toList());
        assertEquals(-0.5, scaled.tensor("one").getDouble(1));
        assertEquals(4, scaled.tensor("plain.scale").getDouble(0));
        assertEquals(DType.INT8, scaled.tensor("counts").dtype());
      }
    }
  }

  @Test
  void aScaleThatDoesNotFitIsRefused() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Tensor w = bytes(arena, new int[] {1, 2, 3, 4, 5, 6}, 2, 3);
      for (Tensor wrong :
          List.of(
              Tensor.ofFloats(arena, new float[] {1, 2}, 2),
              Tensor.ofFloats(arena, new float[] {1, 2, 3}, 3),
              Tensor.ofFloats(arena, new float[] {1, 2, 3}, 3, 1),
              bytes(arena, new int[] {1, 2}, 2, 1))) {
        try (TensorFile file = file(Map.of("w", w, "w.scale", wrong))) {
          String message = message(file);
          assertTrue(message.contains("\"w.scale\" is") && message.contains("[rows, 1]"), message);
        }
      }
      for (float bad : new float[] {Float.NaN, -1, Float.POSITIVE_INFINITY}) {
        Tensor scale = Tensor.ofFloats(arena, new float[] {1, bad}, 2, 1);
        try (TensorFile file = file(Map.of("w", w, "w.scale", scale))) {
          String message = message(file);
          assertTrue(message.contains("\"w.scale\" has") && message.contains("" + bad), message);
        }
      }
    }
  }

  private static String message(TensorFile file) {
    ScaledTensors scaled = new ScaledTensors(file);
    String message =
        assertThrows(ModelFormatException.class, () -> scaled.tensor("w")).getMessage();
    assertTrue(message.startsWith(file.toString()), message);
    return message;
  }

  /** The model's matrices as int8 with scales of rows, everything else as it is. */
  private static Map<String, Tensor> quantised(Arena arena, TensorFile file) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (String name : file.names()) {
      Tensor tensor = file.tensor(name);
      if (tensor.rank() != 2 || name.endsWith("emb")) {
        tensors.put(name, tensor);
        continue;
      }
      int rows = (int) tensor.dim(0);
      int columns = (int) tensor.dim(1);
      float[] scales = new float[rows];
      int[] whole = new int[rows * columns];
      for (int row = 0; row < rows; row++) {
        float[] weights = tensor.select(0, row).toFloats();
        float largest = 0;
        for (float weight : weights) {
          largest = Math.max(largest, Math.abs(weight));
        }
        scales[row] = WeightFormat.scale(largest);
        for (int i = 0; i < columns; i++) {
          whole[row * columns + i] = WeightFormat.int8(weights[i], scales[row]);
        }
      }
      tensors.put(name, bytes(arena, whole, rows, columns));
      tensors.put(name + ".scale", Tensor.ofFloats(arena, scales, rows, 1));
    }
    return tensors;
  }

  @Test
  void aModelInInt8IsTheModelPackedAsInt8() throws IOException {
    Path original = Shared.path("models/g2p_en/checkpoint20.npz");
    Path example = Shared.project().resolve("examples/g2p_en");
    Path small = folder.resolve("int8.safetensors");
    try (Arena arena = Arena.ofConfined();
        TensorFile file = TensorFile.open(original)) {
      Safetensors.write(small, quantised(arena, file), Map.of());
    }
    try (Model floats = ModelFolder.open(example, Optional.of(original));
        Model bytes = ModelFolder.open(example, Optional.of(small))) {
      assertEquals(Set.of(), bytes.unusedWeights());
      assertTrue(bytes.weights().byteSize() < floats.weights().byteSize() / 2);
      double[] packed = scores(floats, WeightFormat.INT8);
      double[] exact = scores(floats, WeightFormat.FLOAT32);
      double[] read = scores(bytes, WeightFormat.INT8);
      double[] widened = scores(bytes, null);
      for (int i = 0; i < packed.length; i++) {
        // The same whole numbers; scales may differ in their last bit.
        assertEquals(packed[i], read[i], 1e-4, "packed again, word " + i);
        assertEquals(packed[i], widened[i], 1e-4, "in float32, word " + i);
      }
      assertFalse(java.util.Arrays.equals(packed, exact), "rounding shows");
    }
  }

  private static double[] scores(Model model, WeightFormat format) throws IOException {
    List<Json> words = Json.read(Shared.path("models/g2p_en/expected.json")).items().subList(0, 20);
    double[] scores = new double[words.size()];
    try (Translator translator = Translator.of(model, Devices.best(), format)) {
      var task = translator.scoring();
      try (var worker = task.newWorker()) {
        for (int i = 0; i < scores.length; i++) {
          Map<String, Json> word = words.get(i).members();
          LinePairReader.Pair pair =
              new LinePairReader.Pair(
                  word.get("word").string(), String.join(" ", word.get("phonemes").strings()));
          scores[i] = worker.run(List.of(task.prepare(i + 1, pair))).get(0).logProbability();
        }
      }
    }
    return scores;
  }
}

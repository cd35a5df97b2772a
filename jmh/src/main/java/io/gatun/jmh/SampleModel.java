package io.gatun.jmh;

import io.gatun.format.Safetensors;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A model folder with random weights, as a trained one would be: an encoder–decoder of GRUs from
 * letters to words.
 */
final class SampleModel implements AutoCloseable {
  static final int HIDDEN = 256;
  private static final int LETTERS = 29;
  private static final int GATES = 3;

  private final Path folder;

  /** Writes it to a temporary folder. */
  SampleModel(int vocabulary) throws IOException {
    folder = Files.createTempDirectory("gatun-benchmark");
    double deviation = 1 / Math.sqrt(HIDDEN);
    Map<String, Tensor> weights = new LinkedHashMap<>();
    try (Arena arena = Arena.ofConfined()) {
      weights.put("enc_emb", Shapes.random(arena, 1, LETTERS, HIDDEN));
      weights.put("dec_emb", Shapes.random(arena, 1, vocabulary, HIDDEN));
      for (String side : List.of("enc", "dec")) {
        weights.put(side + "_w_ih", Shapes.random(arena, deviation, GATES * HIDDEN, HIDDEN));
        weights.put(side + "_w_hh", Shapes.random(arena, deviation, GATES * HIDDEN, HIDDEN));
        weights.put(side + "_b_ih", Shapes.random(arena, deviation, GATES * HIDDEN));
        weights.put(side + "_b_hh", Shapes.random(arena, deviation, GATES * HIDDEN));
      }
      weights.put("fc_w", Shapes.random(arena, deviation, vocabulary, HIDDEN));
      weights.put("fc_b", Shapes.random(arena, deviation, vocabulary));
      Safetensors.write(folder.resolve("weights.safetensors"), weights, Map.of());
    }
    String letters =
        IntStream.range(0, LETTERS - 3)
            .mapToObj(i -> "\"" + (char) ('a' + i) + "\"")
            .collect(Collectors.joining(","));
    String words =
        IntStream.range(0, vocabulary - 4)
            .mapToObj(i -> "\"w" + i + "\"")
            .collect(Collectors.joining(","));
    Files.writeString(
        folder.resolve("model.json"),
        """
        {
          "format": "gatun-model/1",
          "name": "random",
          "kind": "encoder-decoder",
          "weights": {"file": "weights.safetensors", "convention": "pytorch"},
          "source": {"tokens": "characters", "vocabulary": ["<pad>", "<unk>", "</s>", LETTERS],
                     "pad": "<pad>", "unknown": "<unk>", "end": "</s>"},
          "target": {"tokens": "words", "separator": " ",
                     "vocabulary": ["<pad>", "<unk>", "<s>", "</s>", WORDS],
                     "pad": "<pad>", "unknown": "<unk>", "start": "<s>", "end": "</s>"},
          "encoder": {"layers": [
            {"type": "embedding", "name": "encoder.embedding", "size": 256,
             "weights": {"weight": "enc_emb"}},
            {"type": "gru", "name": "encoder.gru", "hidden": 256, "weights": {
              "weight_ih": "enc_w_ih", "weight_hh": "enc_w_hh",
              "bias_ih": "enc_b_ih", "bias_hh": "enc_b_hh"}}]},
          "decoder": {"layers": [
            {"type": "embedding", "name": "decoder.embedding", "size": 256,
             "weights": {"weight": "dec_emb"}},
            {"type": "gru", "name": "decoder.gru", "hidden": 256,
             "initial_state": "encoder.gru", "weights": {
              "weight_ih": "dec_w_ih", "weight_hh": "dec_w_hh",
              "bias_ih": "dec_b_ih", "bias_hh": "dec_b_hh"}},
            {"type": "dense", "name": "logits", "weights": {"weight": "fc_w", "bias": "fc_b"}}]}
        }
        """
            .replace("LETTERS", letters)
            .replace("WORDS", words));
  }

  /** Where it lies. */
  Path folder() {
    return folder;
  }

  /** Removes it. */
  @Override
  public void close() throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(folder)) {
      files = all.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }
}

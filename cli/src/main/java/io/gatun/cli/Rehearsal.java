package io.gatun.cli;

import io.gatun.format.Npz;
import io.gatun.format.Safetensors;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Runs the usual command over models of nothing but zeros, so that the launcher can have the JVM
 * write down which classes that takes, and keep them ready in an archive.
 */
public final class Rehearsal {
  private static final int SIZE = 16;
  private static final int SYMBOLS = 5;
  private static final String WORDS = "ab\nba\n";

  /** Characters in, words out, by layers that are put in between. */
  private static final String TOKENS =
      """
        "source": {
          "tokens": "characters",
          "lowercase": true,
          "vocabulary": ["<pad>", "<unk>", "</s>", "a", "b"],
          "pad": "<pad>",
          "unknown": "<unk>",
          "end": "</s>"
        },
        "target": {
          "tokens": "words",
          "separator": " ",
          "vocabulary": ["<pad>", "<unk>", "<s>", "</s>", "A"],
          "pad": "<pad>",
          "unknown": "<unk>",
          "start": "<s>",
          "end": "</s>"
        },
      """;

  /** A layer on each side, as in {@code examples/g2p_en}. */
  private static final String SIMPLE =
      """
      {
        "format": "gatun-model/1",
        "name": "rehearsal",
        "kind": "encoder-decoder",
        "weights": {"file": "weights.npz", "convention": "pytorch"},
      """
          + TOKENS
          + """
        "encoder": {
          "layers": [
            {
              "type": "embedding",
              "name": "encoder.embedding",
              "size": 16,
              "weights": {"weight": "embedding"}
            },
            {
              "type": "gru",
              "name": "encoder.gru",
              "hidden": 16,
              "weights": {
                "weight_ih": "weight",
                "weight_hh": "weight",
                "bias_ih": "bias",
                "bias_hh": "bias"
              }
            }
          ]
        },
        "decoder": {
          "layers": [
            {
              "type": "embedding",
              "name": "decoder.embedding",
              "size": 16,
              "weights": {"weight": "embedding"}
            },
            {
              "type": "gru",
              "name": "decoder.gru",
              "hidden": 16,
              "initial_state": "encoder.gru",
              "weights": {
                "weight_ih": "weight",
                "weight_hh": "weight",
                "bias_ih": "bias",
                "bias_hh": "bias"
              }
            },
            {
              "type": "dense",
              "name": "logits",
              "size": 5,
              "weights": {"weight": "embedding", "bias": "logits"}
            }
          ]
        },
        "generation": {"max_length": 4}
      }
      """;

  /** Two layers on each side, attention, weights of int8, as in {@code examples/pronunciation}. */
  private static final String ATTENTION =
      """
      {
        "format": "gatun-model/1",
        "name": "rehearsal",
        "kind": "encoder-decoder",
        "weights": {"file": "weights.safetensors", "convention": "onnx"},
      """
          + TOKENS
          + """
        "encoder": {
          "layers": [
            {"type": "embedding", "name": "encoder.embedding", "size": 16, "weights": "embedding"},
            {"type": "dropout", "name": "encoder.drop", "rate": 0.25},
            {
              "type": "gru",
              "name": "encoder.gru1",
              "hidden": 16,
              "bidirectional": "sum",
              "reset_after": true,
              "weights": "both"
            },
            {
              "type": "gru",
              "name": "encoder.gru2",
              "hidden": 16,
              "bidirectional": "sum",
              "reset_after": true,
              "weights": "both"
            }
          ]
        },
        "decoder": {
          "layers": [
            {"type": "embedding", "name": "decoder.embedding", "size": 16, "weights": "embedding"},
            {
              "type": "gru",
              "name": "decoder.gru1",
              "hidden": 16,
              "initial_state": "encoder.gru2",
              "reset_after": true,
              "weights": "first"
            },
            {
              "type": "attention",
              "name": "attention",
              "score": "general",
              "memory": "encoder.gru2",
              "weights": "attention"
            },
            {"type": "concat", "name": "joined", "from": ["decoder.gru1", "attention"]},
            {
              "type": "gru",
              "name": "decoder.gru2",
              "hidden": 16,
              "reset_after": true,
              "weights": "second"
            },
            {"type": "dense", "name": "logits", "weights": "logits"}
          ]
        },
        "generation": {"max_length": 4}
      }
      """;

  private Rehearsal() {}

  /**
   * Runs the commands whose start is to be fast; what they print goes nowhere. Ends the JVM with
   * their exit code if one fails.
   *
   * @param arguments none
   * @throws IOException if there is no room for temporary files
   */
  public static void main(String[] arguments) throws IOException {
    System.setProperty("gatun.heap.paced", "true"); // as the launcher says
    Path folder = Files.createTempDirectory("gatun");
    int code;
    try (Arena arena = Arena.ofConfined()) {
      Path words = Files.writeString(folder.resolve("words.txt"), WORDS);
      Files.writeString(folder.resolve("model.json"), SIMPLE);
      Npz.write(folder.resolve("weights.npz"), simple(arena));
      code = run("translate", folder.toString(), words.toString());
      Files.writeString(folder.resolve("model.json"), ATTENTION);
      Safetensors.write(folder.resolve("weights.safetensors"), attention(arena), Map.of());
      code = Math.max(code, run("translate", folder.toString()));
      code = Math.max(code, run("devices"));
      code = Math.max(code, run("--version"));
    } finally {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
    System.exit(code);
  }

  private static int run(String... arguments) {
    InputStream in = new ByteArrayInputStream(WORDS.getBytes(StandardCharsets.UTF_8));
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), true);
    return Gatun.run(new Streams(in, nowhere, nowhere, false, false), arguments);
  }

  private static Map<String, Tensor> simple(Arena arena) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("embedding", Tensor.allocate(arena, DType.FLOAT32, SYMBOLS, SIZE));
    weights.put("weight", Tensor.allocate(arena, DType.FLOAT32, 3 * SIZE, SIZE));
    weights.put("bias", Tensor.allocate(arena, DType.FLOAT32, 3 * SIZE));
    weights.put("logits", Tensor.allocate(arena, DType.FLOAT32, SYMBOLS));
    return weights;
  }

  private static Map<String, Tensor> attention(Arena arena) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    small(weights, arena, "embedding.data", SYMBOLS, SIZE);
    recurrent(weights, arena, "both", 2, SIZE);
    recurrent(weights, arena, "first", 1, SIZE);
    recurrent(weights, arena, "second", 1, 2 * SIZE);
    small(weights, arena, "attention.B", SIZE, SIZE);
    small(weights, arena, "logits.B", SIZE, SYMBOLS);
    weights.put("logits.C", Tensor.allocate(arena, DType.FLOAT32, SYMBOLS));
    return weights;
  }

  private static void recurrent(
      Map<String, Tensor> weights, Arena arena, String name, int directions, int inputs) {
    small(weights, arena, name + ".W", directions, 3 * SIZE, inputs);
    small(weights, arena, name + ".R", directions, 3 * SIZE, SIZE);
    weights.put(name + ".B", Tensor.allocate(arena, DType.FLOAT32, directions, 6 * SIZE));
  }

  /** A weight of int8 with a scale for each of its rows. */
  private static void small(Map<String, Tensor> weights, Arena arena, String name, long... dims) {
    long[] scale = dims.clone();
    scale[dims.length - 1] = 1;
    weights.put(name, Tensor.allocate(arena, DType.INT8, dims));
    weights.put(name + ".scale", Tensor.allocate(arena, DType.FLOAT32, scale));
  }
}

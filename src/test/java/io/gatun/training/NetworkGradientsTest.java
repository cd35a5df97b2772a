package io.gatun.training;

import io.gatun.Seeds;
import io.gatun.format.Json;
import io.gatun.format.ModelDraft;
import io.gatun.format.TextCodec;
import io.gatun.format.Vocabulary;
import io.gatun.graph.GradientCheck;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The loss of a whole encoder–decoder over a ragged batch, walked back to every parameter. */
class NetworkGradientsTest {
  private static final String PAIR =
      """
      {"kind": "encoder-decoder", "name": "pair",
       "encoder": {"layers": [
         {"type": "embedding", "name": "encoder.embedding", "size": 12},
         {"type": "dropout", "name": "encoder.drop1", "rate": 0.1},
         {"type": "CELL", "name": "one", "hidden": 24, "bidirectional": "sum"RESET},
         {"type": "dropout", "name": "encoder.drop2", "rate": 0.2},
         {"type": "CELL", "name": "two", "hidden": 24, "bidirectional": "sum"RESET}]},
       "decoder": {"layers": [
         {"type": "embedding", "name": "decoder.embedding", "size": 20},
         {"type": "CELL", "name": "decoder", "hidden": 24, "initial_state": "two"RESET},
         {"type": "attention", "name": "attention", "score": "general", "memory": "two"},
         {"type": "concat", "name": "both", "from": ["decoder", "attention"]},
         {"type": "dropout", "name": "drop", "rate": 0.2},
         {"type": "dense", "name": "mixed", "size": 20, "activation": "tanh"},
         {"type": "dense", "name": "logits", "tie": "decoder.embedding"}]}}
      """;

  private final SharedArena arena = SharedArena.open("gradients");
  private final Random random = Seeds.random("NetworkGradientsTest");

  @AfterEach
  void close() {
    arena.close();
  }

  private static TextCodec codec() {
    List<String> symbols = new ArrayList<>(List.of("<pad>", "<unk>", "<s>", "</s>"));
    for (char c = 'a'; c <= 'z'; c++) {
      symbols.add(String.valueOf(c));
    }
    return TextCodec.builder(Vocabulary.of(symbols))
        .pad("<pad>")
        .unknown("<unk>")
        .start("<s>")
        .end("</s>")
        .build();
  }

  /** Tokens of sequences {@code [time, batch]}; behind their ends what must not matter. */
  private Tensor tokens(int[] lengths, int time, int behind) {
    int[] ids = new int[time * lengths.length];
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < lengths.length; b++) {
        ids[t * lengths.length + b] = t < lengths[b] ? 4 + random.nextInt(26) : behind;
      }
    }
    return Tensor.ofInts(arena, ids, time, lengths.length);
  }

  @Test
  void ofAnEncoderAndADecoderWithAttention() {
    for (String cell : List.of("gru", "lstm")) {
      for (int batch : new int[] {3, 41}) {
        String json =
            PAIR.replace("CELL", cell)
                .replace("RESET", cell.equals("gru") ? ", \"reset_after\": true" : "");
        ModelDraft draft =
            ModelDraft.of(
                Json.parse("pair", json),
                codec(),
                codec(),
                null,
                arena,
                1,
                false,
                (graph, scores) ->
                    Losses.add(graph, scores, new TrainingConfig.Loss("cross_entropy", 0.1)));
        int[] lengths = random.ints(batch, 1, 10).toArray();
        int[] targets = random.ints(batch, 1, 9).toArray();
        new GradientCheck(draft.training(), Losses.LOSS)
            .terms(10.0 * batch * 24 * 64)
            .moved(batch < 8 ? 12 : 4)
            .fixed("tokens", tokens(lengths, 9, 0))
            .fixed("lengths", Tensor.ofInts(arena, lengths, batch))
            .fixed("target.tokens", tokens(targets, 8, 0))
            .fixed("target.lengths", Tensor.ofInts(arena, targets, batch))
            .fixed(Inputs.LABELS, tokens(targets, 8, -1))
            .run(random);
      }
    }
  }

  @Test
  void ofTheLossesOfNumbers() {
    for (String loss : List.of("mean_squared_error", "binary_cross_entropy")) {
      Graph.Builder graph = Graph.builder(loss);
      Value scores = graph.input("scores", DType.FLOAT32, "time", "batch", 3);
      Losses.add(graph, scores, new TrainingConfig.Loss(loss, 0));
      int[] lengths = random.ints(9, 1, 6).toArray();
      Tensor given = Tensor.allocate(arena, DType.FLOAT32, 5, 9, 3);
      Tensor right = Tensor.allocate(arena, DType.FLOAT32, 5, 9, 3);
      Tensor mask = Tensor.allocate(arena, DType.FLOAT32, 5, 9, 3);
      for (int i = 0; i < 5 * 9 * 3; i++) {
        // Far from 0 too, where a logarithm of a sigmoid would be none.
        given.setFloat(
            (float) (random.nextGaussian() * (i % 7 == 0 ? 40 : 1)), i / 27, i / 3 % 9, i % 3);
        right.setFloat(random.nextFloat(), i / 27, i / 3 % 9, i % 3);
        mask.setFloat(i / 27 < lengths[i / 3 % 9] ? 1 : 0, i / 27, i / 3 % 9, i % 3);
      }
      new GradientCheck(graph.build(), Losses.LOSS)
          .terms(5 * 9 * 3 * 64)
          .input("scores", given)
          .fixed(Inputs.VALUES, right)
          .fixed(Inputs.MASK, mask)
          .run(random);
    }
  }
}

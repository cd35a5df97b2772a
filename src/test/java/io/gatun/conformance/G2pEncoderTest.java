package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Evaluation;
import io.gatun.Shared;
import io.gatun.format.Json;
import io.gatun.format.TensorFile;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.layer.Convention;
import io.gatun.layer.Embedding;
import io.gatun.layer.Gru;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The encoder of a trained spelling-to-phonemes model, a GRU in PyTorch's convention. */
class G2pEncoderTest {
  private static final String MODEL = "models/g2p_en/";

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void wordsOfDifferentLengthEndInTheStatesThatAnIndependentComputationGave(Device device)
      throws IOException {
    List<Json> words = Json.read(Shared.path(MODEL + "expected.json")).items();
    List<String> graphemes =
        Json.read(Shared.path(MODEL + "vocabulary.json")).fields().require("graphemes").strings();
    try (TensorFile file = TensorFile.open(Shared.path(MODEL + "checkpoint20.npz"));
        Arena arena = Arena.ofConfined()) {
      Graph.Builder g = Graph.builder("encoder");
      Value tokens = g.input("tokens", DType.INT32, "time", "batch");
      Value lengths = g.input("lengths", DType.INT32, "batch");
      Value x =
          Embedding.of(
                  "embedding",
                  Weights.of(Convention.PYTORCH, Map.of("weight", file.tensor("enc_emb"))))
              .apply(g, tokens);
      Gru gru =
          Gru.builder("encoder")
              .weights(
                  Weights.of(
                      Convention.PYTORCH,
                      Map.of(
                          "weight_ih", file.tensor("enc_w_ih"),
                          "weight_hh", file.tensor("enc_w_hh"),
                          "bias_ih", file.tensor("enc_b_ih"),
                          "bias_hh", file.tensor("enc_b_hh"))))
              .build();
      gru.unroll(g, x, lengths);
      List<double[]> expected = new ArrayList<>();
      List<int[]> spelled = new ArrayList<>();
      for (Json each : words) {
        Json.Fields fields = each.fields();
        if (fields.has("encoder_state")) {
          expected.add(
              fields.require("encoder_state").items().stream().mapToDouble(Json::number).toArray());
          String word = fields.string("word");
          int[] ids = new int[word.length() + 1];
          for (int i = 0; i < word.length(); i++) {
            ids[i] = Math.max(1, graphemes.indexOf(word.substring(i, i + 1)));
          }
          ids[word.length()] = graphemes.indexOf("</s>");
          spelled.add(ids);
        }
      }
      assertEquals(16, expected.size());
      int[] sizes = spelled.stream().mapToInt(ids -> ids.length).toArray();
      int longest = java.util.Arrays.stream(sizes).max().orElseThrow();
      Tensor batch = Tensor.allocate(arena, DType.INT32, longest, sizes.length);
      for (int b = 0; b < sizes.length; b++) {
        for (int t = 0; t < sizes[b]; t++) {
          batch.setLong(spelled.get(b)[t], t, b);
        }
      }
      double[] states =
          Evaluation.of(
                  device,
                  g.build(),
                  Map.of("tokens", batch, "lengths", Tensor.ofInts(arena, sizes, sizes.length)),
                  "encoder.hidden")
              .get("encoder.hidden")
              .values();
      int hidden = gru.hiddenSize();
      double worst = 0;
      for (int b = 0; b < sizes.length; b++) {
        double[] state = java.util.Arrays.copyOfRange(states, b * hidden, (b + 1) * hidden);
        // Two computations in float32, each rounding its sums of input and state at every step.
        double bound = 2 * sizes[b] * (Math.log(2.0 * hidden) / Math.log(2)) * Math.ulp(1f);
        assertArrayEquals(expected.get(b), state, bound);
        for (int i = 0; i < hidden; i++) {
          worst = Math.max(worst, Math.abs(state[i] - expected.get(b)[i]) / bound);
        }
      }
      System.out.printf("encoder states on %s: %.3f of the bound%n", device.name(), worst);
    }
  }
}

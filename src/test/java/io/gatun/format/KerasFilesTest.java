package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.Shared;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The forms in which Keras writes models, and what is refused of them. */
class KerasFilesTest {
  @TempDir Path folder;

  private final Random random = Seeds.random("KerasFilesTest");

  private float[] numbers(int count) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = random.nextFloat() - 0.5f;
    }
    return all;
  }

  private KerasWriter.Weight weight(String name, int... shape) {
    return new KerasWriter.Weight(
        name, numbers(Arrays.stream(shape).reduce(1, (a, b) -> a * b)), shape);
  }

  private static float[] run(Model model, float[] input, long... dims) {
    Value in = model.network().inputs().get(0);
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(model.network());
        Execution execution = plan.newExecution()) {
      Tensor numbers = Tensor.ofFloats(arena, input, dims);
      execution.input(in.name(), numbers.to(arena, in.type()));
      execution.run();
      return execution.output(plan.outputs().get(0).name()).toFloats();
    }
  }

  private static final String LSTM =
      """
      {"class_name": "Sequential", "config": {"name": "both", "layers": [
        {"class_name": "InputLayer", "config": {"name": "x", "%1$s": [null, null, 3], "dtype": "float32"}},
        {"class_name": "Bidirectional", "config": {"name": "both_ways", "merge_mode": "concat", "layer":
          {"class_name": "LSTM", "config": {"name": "lstm", "units": 2, "activation": "tanh",
           "recurrent_activation": "hard_sigmoid", "use_bias": true, "return_sequences": false}}}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "linear"}}]}}
      """;

  /** The same weights in the layouts of Keras 2 and 3, whose hard sigmoids differ. */
  private Map<String, KerasWriter.Weight> lstmWeights() {
    Map<String, KerasWriter.Weight> weights = new LinkedHashMap<>();
    for (String direction : List.of("forward", "backward")) {
      String cell = "layers/bidirectional/" + direction + "_layer/cell/vars/";
      weights.put(cell + 0, weight(direction + "_lstm/lstm_cell/kernel:0", 3, 8));
      weights.put(cell + 1, weight(direction + "_lstm/lstm_cell/recurrent_kernel:0", 2, 8));
      weights.put(cell + 2, weight(direction + "_lstm/lstm_cell/bias:0", 8));
    }
    weights.put("layers/dense/vars/0", weight("dense/kernel:0", 4, 2));
    weights.put("layers/dense/vars/1", weight("dense/bias:0", 2));
    return weights;
  }

  private static Map<String, List<KerasWriter.Weight>> byLayer(
      Map<String, KerasWriter.Weight> weights) {
    List<KerasWriter.Weight> all = List.copyOf(weights.values());
    Map<String, List<KerasWriter.Weight>> layers = new LinkedHashMap<>();
    layers.put("x", List.of());
    layers.put("both_ways", all.subList(0, 6));
    layers.put("dense", all.subList(6, 8));
    return layers;
  }

  @Test
  void theHardSigmoidOfKeras3HasAnotherSlope() throws IOException {
    Map<String, KerasWriter.Weight> weights = lstmWeights();
    Path two = folder.resolve("two.h5");
    Path three = folder.resolve("three.keras");
    KerasWriter.hdf5(two, "2.11.0", LSTM.formatted("batch_input_shape"), byLayer(weights));
    KerasWriter.zip(three, "3.8.0", LSTM.formatted("batch_shape"), weights);
    float[] x = numbers(2 * 4 * 3);
    try (Model old = NetworkFile.open(two);
        Model now = NetworkFile.open(three)) {
      assertArrayEquals(bidirectional(weights, x, 0.2f), run(old, x, 2, 4, 3), 1e-6f);
      assertArrayEquals(bidirectional(weights, x, 1 / 6f), run(now, x, 2, 4, 3), 1e-6f);
      assertEquals(
          List.of(
              "both_ways.forward.kernel",
              "both_ways.forward.recurrent_kernel",
              "both_ways.forward.bias",
              "both_ways.backward.kernel",
              "both_ways.backward.recurrent_kernel",
              "both_ways.backward.bias",
              "dense.kernel",
              "dense.bias"),
          List.copyOf(now.weights().names()));
      assertEquals(old.weights().names(), now.weights().names());
    }
  }

  /** The equations, one number at a time. */
  private static float[] bidirectional(
      Map<String, KerasWriter.Weight> weights, float[] x, float slope) {
    List<KerasWriter.Weight> all = List.copyOf(weights.values());
    float[] made = new float[4];
    for (int b = 0; b < 2; b++) {
      double[] states = new double[4];
      for (int direction = 0; direction < 2; direction++) {
        float[] kernel = all.get(direction * 3).numbers();
        float[] recurrent = all.get(direction * 3 + 1).numbers();
        float[] bias = all.get(direction * 3 + 2).numbers();
        double[] h = new double[2];
        double[] c = new double[2];
        for (int step = 0; step < 4; step++) {
          int t = direction == 0 ? step : 3 - step;
          double[] z = new double[8];
          for (int j = 0; j < 8; j++) {
            z[j] = bias[j];
            for (int i = 0; i < 3; i++) {
              z[j] += x[(b * 4 + t) * 3 + i] * kernel[i * 8 + j];
            }
            for (int i = 0; i < 2; i++) {
              z[j] += h[i] * recurrent[i * 8 + j];
            }
          }
          for (int u = 0; u < 2; u++) {
            c[u] = hard(z[2 + u], slope) * c[u] + hard(z[u], slope) * Math.tanh(z[4 + u]);
            h[u] = hard(z[6 + u], slope) * Math.tanh(c[u]);
          }
        }
        System.arraycopy(h, 0, states, direction * 2, 2);
      }
      for (int j = 0; j < 2; j++) {
        double y = all.get(7).numbers()[j];
        for (int i = 0; i < 4; i++) {
          y += states[i] * all.get(6).numbers()[i * 2 + j];
        }
        made[b * 2 + j] = (float) y;
      }
    }
    return made;
  }

  private static double hard(double x, double slope) {
    return Math.max(0, Math.min(1, slope * x + 0.5));
  }

  @Test
  void weightsBesideADescriptionAreFound() throws IOException {
    Map<String, KerasWriter.Weight> weights = lstmWeights();
    KerasWriter.zip(folder.resolve("whole.keras"), "3.8.0", LSTM.formatted("batch_shape"), weights);
    KerasWriter.byPath(folder.resolve("parts.weights.h5"), weights);
    Files.writeString(folder.resolve("parts.json"), LSTM.formatted("batch_shape"));
    float[] x = numbers(3 * 3);
    try (Model whole = NetworkFile.open(folder.resolve("whole.keras"));
        Model parts = NetworkFile.open(folder.resolve("parts.json"))) {
      assertArrayEquals(run(whole, x, 1, 3, 3), run(parts, x, 1, 3, 3));
    }
  }

  /** Keras 2.12 and later on Windows: a whole path is one name, with backslashes. */
  @Test
  void weightsWithBackslashesInTheirPathsAreFound() throws IOException {
    Map<String, KerasWriter.Weight> weights = lstmWeights();
    Map<String, KerasWriter.Weight> windows = new LinkedHashMap<>();
    weights.forEach(
        (path, weight) -> {
          int vars = path.indexOf("/vars/");
          windows.put(path.substring(0, vars).replace('/', '\\') + path.substring(vars), weight);
        });
    String config = LSTM.formatted("batch_input_shape");
    KerasWriter.zip(folder.resolve("linux.keras"), "2.13.1", config, weights);
    KerasWriter.zip(folder.resolve("windows.keras"), "2.13.1", config, windows);
    float[] x = numbers(3 * 3);
    try (Model linux = NetworkFile.open(folder.resolve("linux.keras"));
        Model other = NetworkFile.open(folder.resolve("windows.keras"))) {
      assertArrayEquals(run(linux, x, 1, 3, 3), run(other, x, 1, 3, 3));
    }
  }

  /** Keras 2.12 and 2.13 count a layer that has weights twice. */
  @Test
  void layersWithWeightsThatAreCountedTwiceAreFound() throws IOException {
    String config =
        """
        {"class_name": "Sequential", "config": {"name": "three", "layers": [
          {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [null, 3]}},
          {"class_name": "Dense", "config": {"name": "a", "units": 4, "activation": "tanh"}},
          {"class_name": "Dropout", "config": {"name": "b", "rate": 0.5}},
          {"class_name": "Dense", "config": {"name": "c", "units": 2, "activation": "tanh"}},
          {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "linear"}}]}}
        """;
    List<KerasWriter.Weight> all =
        List.of(
            weight("kernel", 3, 4),
            weight("bias", 4),
            weight("kernel", 4, 2),
            weight("bias", 2),
            weight("kernel", 2, 2),
            weight("bias", 2));
    float[] x = numbers(2 * 3);
    float[] expected = null;
    for (int step = 1; step <= 2; step++) {
      Map<String, KerasWriter.Weight> weights = new LinkedHashMap<>();
      for (int i = 0; i < 3; i++) {
        String object = i == 0 ? "dense" : "dense_" + i * step;
        String vars = "_layer_checkpoint_dependencies/" + object + "/vars/";
        weights.put(vars + 0, all.get(2 * i));
        weights.put(vars + 1, all.get(2 * i + 1));
      }
      // What the file has of a layer without weights is a group.
      weights.put("_layer_checkpoint_dependencies/dropout/vars/0", weight("state", 2));
      Path file = folder.resolve("counted" + step + ".keras");
      KerasWriter.zip(file, "2.13.1", config, weights);
      try (Model model = NetworkFile.open(file)) {
        float[] made = run(model, x, 2, 3);
        assertArrayEquals(expected == null ? made : expected, made);
        expected = made;
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'class_name': 'LeakyReLU', 'config': {'name': 'l', 'alpha': 0.25}}           | 0.25",
        "{'class_name': 'LeakyReLU', 'config': {'name': 'l', 'negative_slope': 0.125}} | 0.125",
        "{'class_name': 'ReLU', 'config': {'name': 'r', 'negative_slope': 0.5}}        | 0.5",
        "{'class_name': 'Activation', 'config': {'name': 'a', 'activation': 'relu'}}   | 0",
      },
      quoteCharacter = '"')
  void anActivationThatIsALayerIsThatLayer(String layer, float slope) throws IOException {
    String plain = LSTM.formatted("batch_shape");
    String own = plain.replace("\"linear\"", layer.replace('\'', '"'));
    Map<String, KerasWriter.Weight> weights = lstmWeights();
    KerasWriter.zip(folder.resolve("plain.keras"), "3.8.0", plain, weights);
    KerasWriter.zip(folder.resolve("own.keras"), "3.8.0", own, weights);
    float[] x = numbers(8 * 3 * 3);
    try (Model linear = NetworkFile.open(folder.resolve("plain.keras"));
        Model bent = NetworkFile.open(folder.resolve("own.keras"))) {
      float[] expected = run(linear, x, 8, 3, 3);
      for (int i = 0; i < expected.length; i++) {
        expected[i] = expected[i] < 0 ? slope * expected[i] : expected[i];
      }
      assertArrayEquals(expected, run(bent, x, 8, 3, 3), 1e-7f);
    }
  }

  @Test
  void attentionWithSeveralHeadsIsTheSumOverItsHeads() throws IOException {
    String config =
        """
        {"class_name": "Functional", "config": {"name": "attends", "layers": [
          {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_shape": [null, null, 3]},
           "inbound_nodes": []},
          {"class_name": "MultiHeadAttention", "name": "heads", "config": {"name": "heads", "num_heads": 2,
           "key_dim": 2, "value_dim": 2, "use_bias": true}, "inbound_nodes": [{"args": [
             {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
             {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}], "kwargs": {}}]}],
          "input_layers": [["x", 0, 0]], "output_layers": [["heads", 0, 0]]}}
        """;
    Map<String, KerasWriter.Weight> weights = new LinkedHashMap<>();
    for (String part : List.of("query", "key", "value")) {
      String path = "layers/multi_head_attention/" + part + "_dense/vars/";
      weights.put(path + 0, weight(part, 3, 2, 2));
      weights.put(path + 1, weight(part, 2, 2));
    }
    weights.put("layers/multi_head_attention/output_dense/vars/0", weight("output", 2, 2, 3));
    weights.put("layers/multi_head_attention/output_dense/vars/1", weight("output", 3));
    Path file = folder.resolve("attends.keras");
    KerasWriter.zip(file, "3.8.0", config, weights);
    float[] x = numbers(4 * 3);
    List<KerasWriter.Weight> all = List.copyOf(weights.values());
    float[] expected = new float[4 * 3];
    for (int head = 0; head < 2; head++) {
      double[][][] projected = new double[3][4][2]; // query, key, value
      for (int part = 0; part < 3; part++) {
        for (int t = 0; t < 4; t++) {
          for (int k = 0; k < 2; k++) {
            projected[part][t][k] = all.get(part * 2 + 1).numbers()[head * 2 + k];
            for (int i = 0; i < 3; i++) {
              projected[part][t][k] +=
                  x[t * 3 + i] * all.get(part * 2).numbers()[i * 4 + head * 2 + k];
            }
          }
        }
      }
      for (int t = 0; t < 4; t++) {
        double[] score = new double[4];
        double sum = 0;
        for (int s = 0; s < 4; s++) {
          for (int k = 0; k < 2; k++) {
            score[s] += projected[0][t][k] * projected[1][s][k] / Math.sqrt(2);
          }
          score[s] = Math.exp(score[s]);
          sum += score[s];
        }
        for (int o = 0; o < 3; o++) {
          double y = head == 0 ? all.get(7).numbers()[o] : 0;
          for (int k = 0; k < 2; k++) {
            for (int s = 0; s < 4; s++) {
              y +=
                  score[s]
                      / sum
                      * projected[2][s][k]
                      * all.get(6).numbers()[(head * 2 + k) * 3 + o];
            }
          }
          expected[t * 3 + o] += (float) y;
        }
      }
    }
    try (Model model = NetworkFile.open(file)) {
      assertArrayEquals(expected, run(model, x, 1, 4, 3), 2e-6f);
    }
  }

  /** Keras' own example of a sequence to sequence model, and what is made of it for inference. */
  @Test
  void anEncoderAndADecoderAreTheirTrainingModelStepByStep() throws IOException {
    String lstm =
        """
        {"class_name": "LSTM", "name": "%1$s", "config": {"name": "%1$s", "units": 4, "activation": "tanh",
         "recurrent_activation": "sigmoid", "return_state": true, "return_sequences": %2$s},
         "inbound_nodes": [[["%3$s", 0, 0, {}]%4$s]]}\
        """;
    String input =
        """
        {"class_name": "InputLayer", "name": "%1$s", "config": {"name": "%1$s",
         "batch_input_shape": [null, null, 5]}, "inbound_nodes": []}\
        """;
    String config =
        """
        {"class_name": "Functional", "config": {"name": "s2s", "layers": [%s, %s, %s, %s,
          {"class_name": "Dense", "name": "dense", "config": {"name": "dense", "activation": "softmax"},
           "inbound_nodes": [[["lstm_1", 0, 0, {}]]]}],
         "input_layers": [["source", 0, 0], ["target", 0, 0]], "output_layers": [["dense", 0, 0]]}}
        """
            .formatted(
                input.formatted("source"),
                lstm.formatted("lstm", "false", "source", ""),
                input.formatted("target"),
                lstm.formatted(
                    "lstm_1", "true", "target", ", [\"lstm\", 0, 1, {}], [\"lstm\", 0, 2, {}]"));
    Map<String, List<KerasWriter.Weight>> weights = new LinkedHashMap<>();
    for (String layer : List.of("lstm", "lstm_1")) {
      weights.put(
          layer,
          List.of(
              weight(layer + "/lstm_cell/kernel:0", 5, 16),
              weight(layer + "/lstm_cell/recurrent_kernel:0", 4, 16),
              weight(layer + "/lstm_cell/bias:0", 16)));
    }
    weights.put("dense", List.of(weight("dense/kernel:0", 4, 5), weight("dense/bias:0", 5)));
    Path file = folder.resolve("s2s.h5");
    KerasWriter.hdf5(file, "2.11.0", config, weights);
    Files.writeString(
        folder.resolve("model.json"),
        """
        {"format": "gatun-model/1", "kind": "encoder-decoder",
         "weights": {"file": "s2s.h5", "convention": "keras"},
         "source": {"tokens": "characters", "vocabulary": ["a", "b", "c", "d", "e"]},
         "target": {"tokens": "characters", "vocabulary": ["<", ">", "x", "y", "z"], "start": "<", "end": ">"},
         "encoder": {"layers": [
           {"type": "one_hot", "name": "source"},
           {"type": "lstm", "name": "encoder.lstm", "weights": "lstm"}]},
         "decoder": {"layers": [
           {"type": "one_hot", "name": "target"},
           {"type": "lstm", "name": "decoder.lstm", "weights": "lstm_1", "initial_state": "encoder.lstm"},
           {"type": "dense", "name": "logits", "weights": "dense"},
           {"type": "softmax", "name": "probabilities"}]}}
        """);
    int[] source = {3, 1, 4};
    int[] target = {0, 2, 4, 3};
    try (Model training = NetworkFile.open(file);
        Model model = NetworkFile.open(folder);
        Plan whole = Plan.of(training.network());
        Execution forced = whole.newExecution();
        Plan encoderPlan = Plan.of(model.encoder(), "encoder.lstm.hidden", "encoder.lstm.cell");
        Execution encoder = encoderPlan.newExecution();
        Plan decoderPlan =
            Plan.of(model.decoder(), "probabilities", "decoder.lstm.hidden", "decoder.lstm.cell");
        Execution decoder = decoderPlan.newExecution();
        Arena arena = Arena.ofConfined()) {
      forced.input("source", Tensor.ofFloats(arena, oneHot(source), 1, 3, 5));
      forced.input("target", Tensor.ofFloats(arena, oneHot(target), 1, 4, 5));
      forced.run();
      float[] expected = forced.output("dense").toFloats();
      encoder.input("tokens", Tensor.ofInts(arena, source, 3, 1));
      encoder.input("lengths", Tensor.ofInts(arena, new int[] {3}, 1));
      encoder.run();
      float[] hidden = encoder.output("encoder.lstm.hidden").toFloats();
      float[] cell = encoder.output("encoder.lstm.cell").toFloats();
      for (int t = 0; t < target.length; t++) {
        decoder.input("token", Tensor.ofInts(arena, new int[] {target[t]}, 1, 1));
        decoder.input("decoder.lstm.initial.hidden", Tensor.ofFloats(arena, hidden, 1, 4));
        decoder.input("decoder.lstm.initial.cell", Tensor.ofFloats(arena, cell, 1, 4));
        decoder.run();
        assertArrayEquals(
            Arrays.copyOfRange(expected, t * 5, t * 5 + 5),
            decoder.output("probabilities").toFloats(),
            1e-6f);
        hidden = decoder.output("decoder.lstm.hidden").toFloats();
        cell = decoder.output("decoder.lstm.cell").toFloats();
      }
    }
  }

  private static float[] oneHot(int[] tokens) {
    float[] all = new float[tokens.length * 5];
    for (int i = 0; i < tokens.length; i++) {
      all[i * 5 + tokens[i]] = 1;
    }
    return all;
  }

  @Test
  void theSameNetworkAsHdf5AndAsOnnxGivesTheSame() throws IOException {
    Path shared = Shared.path("models/lstm_vae_encoder");
    float[] x = numbers(2 * 30 * 7);
    try (Model hdf5 = NetworkFile.open(shared.resolve("encoder.h5"));
        Model onnx = NetworkFile.open(shared.resolve("encoder.onnx"))) {
      assertArrayEquals(run(onnx, x, 2, 30, 7), run(hdf5, x, 2, 30, 7), 1e-6f);
    }
  }

  /**
   * Keras 3 has the mask as operations of the model. Steps that are masked change nothing, and two
   * directions give zeros there.
   */
  @Test
  void aMaskAnywhereIsAsIfItsStepsWereNotThere() throws IOException {
    String tensor =
        "{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"%s\", 0, 0]}}";
    String config =
        """
        {"class_name": "Functional", "config": {"name": "masked", "layers": [
          {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_shape": [null, null],
           "dtype": "int32"}, "inbound_nodes": []},
          {"class_name": "Embedding", "name": "e", "config": {"name": "e", "mask_zero": true},
           "inbound_nodes": [{"args": [%1$s], "kwargs": {}}]},
          {"class_name": "NotEqual", "name": "not_equal", "config": {"name": "not_equal"},
           "inbound_nodes": [{"args": [%1$s, 0], "kwargs": {}}]},
          {"class_name": "Bidirectional", "name": "both_ways", "config": {"name": "both_ways", "layer":
            {"class_name": "LSTM", "config": {"name": "lstm", "units": 2, "return_sequences": true}}},
           "inbound_nodes": [{"args": [%2$s], "kwargs": {"mask": %3$s}}]}],
         "input_layers": ["x", 0, 0], "output_layers": ["both_ways", 0, 0]}}
        """
            .formatted(tensor.formatted("x"), tensor.formatted("e"), tensor.formatted("not_equal"));
    Map<String, KerasWriter.Weight> weights = lstmWeights();
    weights.put("layers/embedding/vars/0", weight("embeddings", 7, 3));
    Path file = folder.resolve("masked.keras");
    KerasWriter.zip(file, "3.8.0", config, weights);
    try (Model model = NetworkFile.open(file)) {
      float[] whole = run(model, new float[] {3, 1, 5}, 1, 3);
      float[] before = run(model, new float[] {0, 0, 3, 1, 5}, 1, 5);
      float[] between = run(model, new float[] {3, 0, 1, 5, 0}, 1, 5);
      assertArrayEquals(new float[8], Arrays.copyOf(before, 8));
      assertArrayEquals(whole, Arrays.copyOfRange(before, 8, 20));
      assertArrayEquals(Arrays.copyOf(whole, 4), Arrays.copyOf(between, 4));
      assertArrayEquals(new float[4], Arrays.copyOfRange(between, 4, 8));
      assertArrayEquals(Arrays.copyOfRange(whole, 4, 12), Arrays.copyOfRange(between, 8, 16));
      assertArrayEquals(new float[4], Arrays.copyOfRange(between, 16, 20));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"Dense\"     | \"Lambda\"         | is a program in Python",
        "\"Dense\"     | \"MyLayer\"        | is a \"MyLayer\" called \"dense\"",
        "\"linear\"    | \"sparsemax\"      | the activation \"sparsemax\"",
        "\"Sequential\"| \"MyModel\"        | is a MyModel, expected a Sequential or functional",
        "\"units\": 2, \"activation\": \"tanh\" | \"units\": 5, \"activation\": \"tanh\" | hidden"
            + " size is 5",
        "\"concat\"    | \"max\"            | the merge_mode \"max\"",
        "null, 3]      | null, 4]           | expected [batch, time, 3]",
      })
  void whatIsNotSupportedIsRefusedByName(String right, String wrong, String message)
      throws IOException {
    String config = LSTM.formatted("batch_shape");
    assertTrue(config.contains(right), right);
    Path file = folder.resolve("wrong.keras");
    KerasWriter.zip(file, "3.8.0", config.replaceFirst(Pattern.quote(right), wrong), lstmWeights());
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> NetworkFile.open(file).close());
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
    assertTrue(refused.getMessage().startsWith(file.toString()), refused.getMessage());
  }

  @Test
  void otherVersionsThanTwoAndThreeAreRefused() throws IOException {
    Path file = folder.resolve("one.h5");
    KerasWriter.hdf5(file, "1.2.2", LSTM.formatted("batch_input_shape"), byLayer(lstmWeights()));
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> NetworkFile.open(file).close());
    assertTrue(refused.getMessage().contains("Keras 1.2.2"), refused.getMessage());
  }

  @Test
  void aRealModelIsReadWithEveryWeightUsed() throws IOException {
    try (Model model = NetworkFile.open(Shared.path("models/lstm_vae_encoder/encoder.h5"))) {
      assertEquals(0, model.unusedWeights().size());
      assertEquals(100, run(model, numbers(30 * 7), 1, 30, 7).length);
    }
  }

  @Test
  void aFileThatIsDamagedAnywhereIsReadOrRefused() throws IOException {
    Path small = folder.resolve("small.keras");
    KerasWriter.zip(small, "3.8.0", LSTM.formatted("batch_shape"), lstmWeights());
    damage(small, 29);
    damage(Shared.path("models/lstm_vae_encoder/encoder.h5"), 397);
  }

  private void damage(Path source, int step) throws IOException {
    byte[] whole = Files.readAllBytes(source);
    Path changed = folder.resolve("changed");
    for (int at = 0; at < whole.length; at += step) {
      Files.write(changed, Arrays.copyOf(whole, at));
      read(changed);
      byte[] bytes = whole.clone();
      bytes[at + random.nextInt(Math.min(step, whole.length - at))] = (byte) random.nextInt();
      Files.write(changed, bytes);
      read(changed);
    }
  }

  /** Anything but the library's own exception fails. */
  private static void read(Path file) throws IOException {
    try (TensorFile tensors = TensorFile.open(file)) {
      tensors.names().forEach(name -> tensors.tensor(name).elements());
    } catch (ModelFormatException e) {
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    }
    try (Model model = NetworkFile.open(file)) {
      model.network();
    } catch (ModelFormatException e) {
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    }
  }
}

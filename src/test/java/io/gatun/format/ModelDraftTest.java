package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A network that was described without weights computes the same when it comes from its folder. */
class ModelDraftTest {
  private static final String CLASSIFIER =
      """
      {"kind": "classifier", "name": "toy",
       "network": {"layers": [
         {"type": "embedding", "name": "embedding", "size": 5},
         {"type": "dropout", "rate": 0.3},
         {"type": "lstm", "name": "rnn", "hidden": 6, "bidirectional": "concat",
          "return_sequences": false},
         {"type": "layer_norm", "name": "norm"},
         {"type": "dense", "name": "scores"}]}}
      """;
  private static final String PAIR =
      """
      {"kind": "encoder-decoder", "name": "pair",
       "encoder": {"layers": [
         {"type": "embedding", "name": "encoder.embedding", "size": 8},
         {"type": "gru", "name": "encoder.gru", "hidden": 8}]},
       "decoder": {"layers": [
         {"type": "embedding", "name": "decoder.embedding", "size": 8},
         {"type": "gru", "name": "decoder.gru", "hidden": 8, "initial_state": "encoder.gru"},
         {"type": "attention", "name": "attention", "score": "%s", "memory": "encoder.gru",
          %s "from": "decoder.gru"},
         {"type": "concat", "name": "both", "from": ["decoder.gru", "attention"]},
         {"type": "dense", "name": "bridge", "size": 8, "activation": "tanh"},
         {"type": "dense", "name": "logits", "tie": "decoder.embedding"}]},
       "generation": {"max_length": 7}}
      """;
  private static final String IMAGES =
      """
      {"kind": "classifier",
       "network": {
         "inputs": [{"name": "image", "type": "float32", "shape": ["batch", 1, 9, 9]}],
         "layers": [
         {"type": "convolution", "name": "conv", "size": 4, "kernel": [3, 3], "strides": [2, 2],
          "activation": "relu"},
         {"type": "flatten", "name": "flat"},
         {"type": "dense", "name": "scores"}]}}
      """;

  private final SharedArena arena = SharedArena.open("drafts");
  @TempDir Path folder;

  @AfterEach
  void close() {
    arena.close();
  }

  private static TextCodec codec() {
    Vocabulary symbols = Vocabulary.of(List.of("<pad>", "<unk>", "<s>", "</s>", "a", "b", "č"));
    return TextCodec.builder(symbols)
        .pad("<pad>")
        .unknown("<unk>")
        .start("<s>")
        .end("</s>")
        .build();
  }

  private ModelDraft draft(String json) {
    Json config = Json.parse("draft", json);
    boolean pair = json.contains("encoder-decoder");
    boolean text = !json.contains("inputs");
    return ModelDraft.of(
        config,
        text ? codec() : null,
        pair ? codec() : null,
        pair ? null : Vocabulary.of(List.of("yes", "no", "maybe")),
        arena,
        3,
        false,
        (graph, scores) -> graph.alias("scores.of.training", scores));
  }

  private Tensor tokens(int... ids) {
    return Tensor.ofInts(arena, ids, ids.length, 1);
  }

  private static float[] run(
      Graph graph, WeightFormat format, String output, Map<String, Tensor> inputs) {
    try (Plan plan = Plan.on(Devices.best(), format, graph, output);
        Execution execution = plan.newExecution()) {
      plan.inputs().forEach(each -> execution.input(each.name(), inputs.get(each.name())));
      execution.run();
      return execution.output(output).toFloats();
    }
  }

  private float[] run(Model model) {
    return run(model, WeightFormat.FLOAT32);
  }

  private float[] run(Model model, WeightFormat format) {
    Map<String, Tensor> inputs =
        Map.of(
            "tokens",
            tokens(4, 5, 6, 1),
            "lengths",
            Tensor.ofInts(arena, new int[] {4}, 1),
            "image",
            Tensor.ofFloats(arena, new float[81], 1, 1, 9, 9).fill(0.5));
    Graph graph = model.graphs().get(0);
    return run(graph, format, graph.outputs().get(0).name(), inputs);
  }

  private static Stream<String> all() {
    return Stream.of(
        CLASSIFIER,
        IMAGES,
        PAIR.formatted("dot", ""),
        PAIR.formatted("general", ""),
        PAIR.formatted("additive", "\"size\": 5,"));
  }

  @Test
  void aNetworkComesBackFromItsFolder() throws IOException {
    for (String json : all().toList()) {
      ModelDraft draft = draft(json);
      // Twice: the second model takes the place of the first and leaves nothing of it.
      draft.write(folder, draft.parameters(), DType.FLOAT32, Map.of());
      draft.write(folder, draft.parameters(), DType.FLOAT32, Map.of("step", "7"));
      try (Stream<Path> files = Files.list(folder);
          Model model = ModelFolder.open(folder)) {
        assertEquals(2, files.count());
        assertArrayEquals(run(draft.model()), run(model));
        assertEquals(Map.of("step", "7"), model.weights().metadata());
        assertTrue(model.unusedWeights().isEmpty());
        assertEquals(draft.parameters().keySet(), model.weights().names());
        assertEquals(draft.model().labels(), model.labels());
        assertEquals(draft.model().generation(), model.generation());
      }
    }
  }

  @Test
  void weightsOfHalfTheSizeAreNear() throws IOException {
    ModelDraft draft = draft(CLASSIFIER);
    draft.write(folder, draft.parameters(), DType.BFLOAT16, Map.of());
    try (Model model = ModelFolder.open(folder)) {
      assertArrayEquals(run(draft.model()), run(model), 0.02f);
    }
  }

  @Test
  void weightsOfAQuarterOfTheSizeAreTheNearestMultiples() throws IOException {
    Random random = new Random(11);
    for (String json : all().toList()) {
      ModelDraft draft = draft(json);
      // Biases are 0 at first.
      draft
          .parameters()
          .forEach(
              (name, tensor) -> {
                if (name.endsWith("B") || name.endsWith("C")) {
                  Tensor flat = tensor.reshape(tensor.elements());
                  for (long i = 0; i < flat.elements(); i++) {
                    flat.setFloat((float) random.nextGaussian() / 4, i);
                  }
                }
              });
      draft.write(folder, draft.parameters(), DType.INT8, Map.of());
      try (Model model = ModelFolder.open(folder)) {
        assertTrue(model.unusedWeights().isEmpty());
        assertArrayEquals(run(draft.model()), run(model), 0.03f);
        // The scales are those of packing, so it has nothing left to round.
        assertArrayEquals(run(model), run(model, WeightFormat.INT8), 1e-5f);
        if (model.kind() == Model.Kind.ENCODER_DECODER) {
          Map<String, Tensor> inputs =
              Map.of("tokens", tokens(4, 5, 3), "lengths", Tensor.ofInts(arena, new int[] {3}, 1));
          assertArrayEquals(
              firstStep(model, WeightFormat.FLOAT32, inputs),
              firstStep(model, WeightFormat.INT8, inputs),
              1e-5f);
        }
        ScaledTensors read = new ScaledTensors(model.weights());
        assertEquals(draft.parameters().keySet(), read.names());
        draft.parameters().forEach((name, tensor) -> nearest(name, tensor, model.weights(), read));
      }
    }
  }

  /** Half a step from what was written at most, or, where there are no outputs, no way at all. */
  private static void nearest(String name, Tensor tensor, TensorFile file, NamedTensors read) {
    float[] written = tensor.toFloats();
    float[] got = read.tensor(name).toFloats();
    boolean added = name.matches(".*(rnn|gru|norm|conv)\\.B|.*Scale|.*C");
    assertEquals(added ? DType.FLOAT32 : DType.INT8, file.tensor(name).dtype(), name);
    if (added) {
      assertArrayEquals(written, got, name);
      return;
    }
    Tensor scale = file.tensor(name + ".scale");
    double[] scales = scale.broadcastTo(tensor.shape().dims()).toDoubles();
    double[] whole = file.tensor(name).toDoubles();
    Map<Double, Double> largest = new HashMap<>();
    for (int i = 0; i < written.length; i++) {
      assertEquals(written[i], got[i], 0.5001 * scales[i], name + " at " + i);
      largest.merge(scales[i], Math.abs(whole[i]), Math::max);
    }
    // Every output has a scale of its own, and uses all of it.
    assertEquals(scale.elements(), largest.size(), name);
    largest.values().forEach(each -> assertEquals(127, each, name));
  }

  @Test
  void aFileOfInt8IsAQuarterOfOneOfFloats() throws IOException {
    String large = CLASSIFIER.replace("\"size\": 5", "\"size\": 96").replace("6,", "128,");
    ModelDraft draft = draft(large);
    long[] bytes = new long[2];
    DType[] types = {DType.FLOAT32, DType.INT8};
    for (int i = 0; i < types.length; i++) {
      draft.write(folder, draft.parameters(), types[i], Map.of());
      try (Model model = ModelFolder.open(folder)) {
        bytes[i] = model.weights().byteSize();
      }
    }
    assertEquals(0.25, (double) bytes[1] / bytes[0], 0.03);
  }

  @Test
  void aWeightThatIsNoNumberIsNotWrittenAsInt8() throws IOException {
    ModelDraft draft = draft(CLASSIFIER);
    draft.parameters().get("rnn.R").setFloat(Float.NaN, 0, 3, 1);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> draft.write(folder, draft.parameters(), DType.INT8, Map.of()));
    assertTrue(e.getMessage().startsWith("rnn.R has NaN"), e.getMessage());
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void nothingIsLeftWhereTheModelFileCannotBeWritten() throws IOException {
    Path inItsPlace = Files.createDirectory(folder.resolve(ModelFolder.MODEL_FILE));
    ModelDraft draft =
        ModelDraft.of(
            Json.parse("draft", CLASSIFIER),
            codec(),
            null,
            // So many that they are a file of their own.
            Vocabulary.of(IntStream.range(0, 2000).mapToObj(i -> "class " + i).toList()),
            arena,
            3,
            false,
            (graph, scores) -> graph.alias("scores.of.training", scores));
    assertThrows(
        IOException.class, () -> draft.write(folder, draft.parameters(), DType.FLOAT32, Map.of()));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(inItsPlace), files.toList());
    }
  }

  @Test
  void aForcedDecoderScoresLikeItsSteps() {
    for (String json : all().filter(each -> each.contains("encoder-decoder")).toList()) {
      ModelDraft draft = draft(json);
      int[] target = {2, 5, 6, 4};
      Map<String, Tensor> inputs =
          Map.of(
              "tokens",
              tokens(4, 5, 3),
              "lengths",
              Tensor.ofInts(arena, new int[] {3}, 1),
              "target.tokens",
              tokens(target),
              "target.lengths",
              Tensor.ofInts(arena, new int[] {4}, 1));
      float[] all = run(draft.training(), WeightFormat.FLOAT32, "scores.of.training", inputs);
      assertEquals(4 * 7, all.length);
      float[] first = java.util.Arrays.copyOf(all, 7);
      assertArrayEquals(first, firstStep(draft.model(), WeightFormat.FLOAT32, inputs));
    }
  }

  private float[] firstStep(Model model, WeightFormat format, Map<String, Tensor> inputs) {
    Map<String, Tensor> step = new java.util.HashMap<>(Map.of("token", tokens(2)));
    step.put("lengths", inputs.get("lengths"));
    model.states().forEach(s -> step.put(s.input(), value(model, s.source().get(), inputs)));
    model
        .memories()
        .forEach(
            m -> {
              if (!m.source().equals("lengths")) {
                step.put(m.input(), value(model, m.source(), inputs));
              }
            });
    return run(model.decoder(), format, model.logits().name(), step);
  }

  private Tensor value(Model model, String name, Map<String, Tensor> inputs) {
    try (Plan plan = Plan.of(model.encoder(), name);
        Execution execution = plan.newExecution()) {
      plan.inputs().forEach(each -> execution.input(each.name(), inputs.get(each.name())));
      execution.run();
      return execution.output(name).copy(arena);
    }
  }

  @Test
  void parametersLieInOnePieceUnderTheGraphsConstants() {
    for (String json : all().toList()) {
      ModelDraft draft = draft(json);
      long seen =
          draft.training().values().values().stream()
              .filter(v -> v.constant() != null && v.type().isFloat())
              .filter(v -> v.constant().view().isPresent())
              .count();
      long constants =
          draft.training().values().values().stream()
              .filter(v -> v.constant() != null && v.type().isFloat())
              .count();
      assertEquals(constants, seen);
    }
  }

  @Test
  void aFailureLeavesTheModelThatWasThere() throws IOException {
    ModelDraft draft = draft(CLASSIFIER);
    draft.write(folder, draft.parameters(), DType.FLOAT32, Map.of());
    try (Model model = ModelFolder.open(folder)) {
      float[] before = run(model);
      Tensor closed;
      try (Arena gone = Arena.ofConfined()) {
        closed = Tensor.allocate(gone, DType.FLOAT32, 2);
      }
      assertThrows(
          IllegalStateException.class,
          () -> draft.write(folder, Map.of("x", closed), DType.FLOAT32, Map.of()));
      try (Model again = ModelFolder.open(folder)) {
        assertArrayEquals(before, run(again));
      }
    }
  }

  @Test
  void theSameSeedMakesTheSameNumbers() {
    ModelDraft one = draft(CLASSIFIER);
    ModelDraft two = draft(CLASSIFIER);
    one.parameters()
        .forEach(
            (name, tensor) ->
                assertArrayEquals(tensor.toFloats(), two.parameters().get(name).toFloats(), name));
    float[] bias = one.parameters().get("rnn.B").toFloats();
    assertEquals(1, bias[2 * 6]);
    assertEquals(0, bias[0]);
  }

  @Test
  void whatIsMissingIsNamedWithItsLine() {
    for (String[] wrong :
        new String[][] {
          {"\"hidden\": 6,", "", "line 5: network.layers[2] has no \"hidden\""},
          {"\"size\": 5}", "\"sise\": 5}", "did you mean 'sise'"},
          {"\"type\": \"lstm\"", "\"type\": \"lstn\"", "did you mean 'lstm'"},
          {
            "\"name\": \"scores\"",
            "\"name\": \"scores\", \"tie\": \"embeding\"",
            "did you mean 'embedding'"
          }
        }) {
      ModelFormatException e =
          assertThrows(
              ModelFormatException.class, () -> draft(CLASSIFIER.replace(wrong[0], wrong[1])));
      assertTrue(e.getMessage().contains(wrong[2]), e.getMessage());
    }
  }
}

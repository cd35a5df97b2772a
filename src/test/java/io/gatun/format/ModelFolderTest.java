package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.Shared;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.sequence.EncoderDecoder;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.Generator;
import io.gatun.sequence.Hypothesis;
import io.gatun.sequence.Sentence;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelFolderTest {
  private static final Path EXAMPLES = Shared.project().resolve("examples");

  @TempDir Path folder;

  private static JsonSchema schema() throws IOException {
    return new JsonSchema(Json.read(Shared.project().resolve("docs/model.schema.json")));
  }

  @Test
  void everyExampleKeepsToTheSchema() throws IOException {
    JsonSchema schema = schema();
    int count = 0;
    try (Stream<Path> files = Files.walk(EXAMPLES)) {
      for (Path file : files.filter(f -> f.endsWith("model.json")).toList()) {
        assertEquals(List.of(), schema.problems(Json.read(file)), file.toString());
        count++;
      }
    }
    assertTrue(count >= 4, count + " examples");
  }

  // ------------------------------------------------------------------------------- g2p_en

  private static Model g2p() throws IOException {
    return ModelFolder.open(
        EXAMPLES.resolve("g2p_en"), Optional.of(Shared.path("models/g2p_en/checkpoint20.npz")));
  }

  @Test
  void theSpellingModelIsReadWhole() throws IOException {
    try (Model model = g2p()) {
      assertEquals("g2p_en (encoder-decoder)", model.toString());
      assertEquals(Set.of(), model.unusedWeights());
      assertEquals(
          List.of("tokens", "lengths"),
          model.encoder().inputs().stream().map(Value::name).toList());
      assertEquals("token", model.decoder().inputs().get(0).name(), "the decoder's first input");
      assertEquals("logits float32[1, batch, 74]", model.logits().toString());
      assertEquals(
          List.of(
              new Model.State(
                  "decoder.gru.initial.hidden",
                  "decoder.gru.hidden",
                  Optional.of("encoder.gru.hidden"))),
          model.states());
      assertEquals(20, model.generation().maxLength());
      TextCodec source = model.source().orElseThrow();
      assertArrayEquals(new int[] {10, 7, 14, 14, 17, 2}, source.encode("Hello"));
      assertArrayEquals(new int[] {1, 3, 2}, source.encode("éa"));
      TextCodec target = model.target().orElseThrow();
      assertEquals(2, target.start().orElseThrow());
      assertEquals(3, target.end().orElseThrow());
      assertEquals("AA0 B", target.decode(4, 22, 3));
    }
  }

  @Test
  void theSpellingModelHasItsReferencesEncoderStates() throws IOException {
    Json expected = Json.read(Shared.path("models/g2p_en/expected.json"));
    try (Model model = g2p();
        Plan plan = Plan.of(model.encoder(), "encoder.gru.hidden");
        Execution execution = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      for (Json word : expected.items().subList(0, 16)) {
        int[] tokens = model.source().orElseThrow().encode(word.members().get("word").string());
        execution.input("tokens", Tensor.ofInts(arena, tokens, tokens.length, 1));
        execution.input("lengths", Tensor.ofInts(arena, new int[] {tokens.length}, 1));
        execution.run();
        float[] state = execution.output("encoder.gru.hidden").toFloats();
        List<Json> reference = word.members().get("encoder_state").items();
        // Each step rounds sums of 2 × 256 products, and their errors add up along the word.
        double threshold = 4 * tokens.length * 9 * Math.ulp(1f) / 2;
        for (int i = 0; i < state.length; i++) {
          assertEquals(reference.get(i).number(), state[i], threshold, word + " unit " + i);
        }
      }
    }
  }

  // ------------------------------------------------------------------------------- kws_arm

  @ParameterizedTest
  @CsvSource({
    "GRU_S, right_mfcc_40ms_40ms, 0.99996, 5e-6",
    "CRNN_S, right_mfcc_40ms_20ms, 0.99996, 5e-6",
    "Basic_LSTM_S, right_mfcc_40ms_20ms, 0.9996, 5e-5"
  })
  void theKeywordSpottersHearTheWord(String name, String features, double expected, double half)
      throws IOException {
    Path weights = Shared.path("models/kws_arm/" + name + ".npz");
    try (Model model = ModelFolder.open(EXAMPLES.resolve("kws_arm/" + name), Optional.of(weights));
        TensorFile recording = TensorFile.open(Shared.path("models/kws_arm/" + features + ".npy"));
        Plan plan = Plan.of(model.network());
        Execution execution = plan.newExecution()) {
      Tensor input = recording.tensor(features);
      execution.input("features", input.reshape(input.dim(0), 1, input.dim(1)));
      execution.run();
      float[] probabilities = execution.output(model.logits().name()).toFloats();
      int best = 0;
      for (int i = 0; i < probabilities.length; i++) {
        best = probabilities[i] > probabilities[best] ? i : best;
      }
      assertEquals("right", model.labels().orElseThrow().symbol(best));
      // The reference is stated with as many digits as it has.
      assertEquals(expected, probabilities[best], half);
    }
  }

  // ------------------------------------------------------------------------------- synthetic

  private static Tensor random(Arena arena, Random random, long... dims) {
    long count = 1;
    for (long dim : dims) {
      count *= dim;
    }
    float[] values = new float[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian() * 0.5f;
    }
    return Tensor.ofFloats(arena, values, dims);
  }

  /** A PyTorch LSTM of 3 units over 4 features, both directions, a tagger's dense layer on top. */
  private void writeTagger(Random random) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("embed.weight", random(arena, random, 5, 4));
      for (String direction : List.of("", "_reverse")) {
        tensors.put("rnn.weight_ih_l0" + direction, random(arena, random, 12, 4));
        tensors.put("rnn.weight_hh_l0" + direction, random(arena, random, 12, 3));
        tensors.put("rnn.bias_ih_l0" + direction, random(arena, random, 12));
        tensors.put("rnn.bias_hh_l0" + direction, random(arena, random, 12));
      }
      tensors.put("out.weight", random(arena, random, 2, 6));
      tensors.put("out.bias", random(arena, random, 2));
      Safetensors.write(folder.resolve("weights.safetensors"), tensors, Map.of());
    }
    Files.writeString(folder.resolve("symbols.txt"), "?\na\nb\nc\n");
  }

  private static final String TAGGER =
      """
      {
        "format": "gatun-model/1",
        "kind": "tagger",
        "weights": {"file": "weights.safetensors", "convention": "pytorch"},
        "source": {"tokens": "characters", "vocabulary": {"file": "symbols.txt"}, "unknown": "?"},
        "labels": {"vocabulary": ["inside", "begin"]},
        "network": {
          "layers": [
            {"type": "embedding", "name": "embedding", "weights": "embed"},
            {"type": "lstm", "name": "lstm", "bidirectional": "concat", "weights": RNN},
            {"type": "dropout", "name": "dropped", "rate": 0.2},
            {"type": "dense", "name": "scores", "weights": {"prefix": "out"}}
          ]
        }
      }
      """;

  private static String named(String direction) {
    return ("{'weight_ih': 'rnn.weight_ih_l0D', 'weight_hh': 'rnn.weight_hh_l0D',"
            + " 'bias_ih': 'rnn.bias_ih_l0D', 'bias_hh': 'rnn.bias_hh_l0D'}")
        .replace("D", direction)
        .replace('\'', '"');
  }

  private float[] tags(String text) throws IOException {
    Path file = folder.resolve("model.json");
    Files.writeString(file, text);
    assertEquals(List.of(), schema().problems(Json.read(file)));
    try (Model model = ModelFolder.open(folder);
        Plan plan = Plan.of(model.network());
        Execution execution = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      assertEquals(Set.of(), model.unusedWeights());
      assertEquals(folder.getFileName().toString(), model.name(), "named as its folder");
      int[] tokens = model.source().orElseThrow().encode("abxca");
      execution.input("tokens", Tensor.ofInts(arena, tokens, 5, 1));
      execution.input("lengths", Tensor.ofInts(arena, new int[] {5}, 1));
      execution.run();
      assertEquals("[5, 1, 2]", execution.output("scores").shape().toString());
      return execution.output("scores").toFloats();
    }
  }

  @Test
  void weightsByPrefixAreThoseThatTheirNamesSay() throws IOException {
    writeTagger(Seeds.random("ModelFolderTest.weightsByPrefix"));
    float[] byPrefix = tags(TAGGER.replace("RNN", "\"rnn\""));
    float[] byName =
        tags(TAGGER.replace("RNN", named("") + ", \"backward\": " + named("_reverse")));
    assertArrayEquals(byName, byPrefix);
    float[] swapped =
        tags(TAGGER.replace("RNN", named("_reverse") + ", \"backward\": " + named("")));
    assertTrue(!Arrays.equals(byName, swapped), "the directions are told apart");
  }

  private static final String ATTENDING =
      """
      {
        "format": "gatun-model/1",
        "kind": "encoder-decoder",
        "weights": {"file": "weights.safetensors", "convention": "pytorch"},
        "source": {"tokens": "words", "vocabulary": ["?", "a", "b", "c", "d"], "unknown": "?"},
        "target": {"tokens": "words", "vocabulary": ["<s>", "</s>"], "start": "<s>", "end": "</s>"},
        "encoder": {
          "layers": [
            {"type": "embedding", "name": "source", "weights": "embed"},
            {"type": "lstm", "name": "encoder", "bidirectional": "sum", "weights": "rnn"}
          ]
        },
        "decoder": {
          "layers": [
            {"type": "embedding", "name": "target", "weights": "embed"},
            {"type": "lstm", "name": "decoder", "initial_state": "encoder", "weights": ONE},
            {"type": "attention", "name": "attention", "score": "dot", "memory": "encoder"},
            {"type": "concat", "name": "both", "from": ["decoder", "attention"]},
            {"type": "dense", "name": "logits", "weights": "out"}
          ]
        },
        "generation": {"max_length": 7, "beam": 4, "n_best": 2, "suppress": ["<s>"]}
      }
      """
          .replace("ONE", named(""));

  @Test
  void aDecoderIsLinkedToItsEncoder() throws IOException {
    writeTagger(new Random(1));
    Files.writeString(folder.resolve("model.json"), ATTENDING);
    assertEquals(List.of(), schema().problems(Json.read(folder.resolve("model.json"))));
    try (Model model = ModelFolder.open(folder)) {
      assertEquals(
          List.of(
              new Model.State(
                  "decoder.initial.hidden", "decoder.hidden", Optional.of("encoder.hidden")),
              new Model.State("decoder.initial.cell", "decoder.cell", Optional.of("encoder.cell"))),
          model.states());
      assertEquals(
          List.of(
              new Model.Memory("attention.memory", "encoder"),
              new Model.Memory("lengths", "lengths")),
          model.memories());
      assertEquals("attention.alignment", model.attention().orElseThrow());
      Graph decoder = model.decoder();
      assertEquals("[1, batch, source_time]", dims(decoder, "attention.alignment"));
      assertEquals("[1, batch, 2]", dims(decoder, "logits"));
      assertEquals(new Model.Generation(7, 0, 4, 2, 0, 0, List.of(0)), model.generation());
      assertThrows(IllegalStateException.class, model::network);
    }
  }

  private static EncoderDecoder linked(Model model) {
    EncoderDecoder.Builder builder = EncoderDecoder.builder(model.encoder(), model.decoder());
    for (Model.State state : model.states()) {
      state
          .source()
          .ifPresentOrElse(
              source -> builder.state(state.input(), state.output(), source),
              () -> builder.zeroState(state.input(), state.output()));
    }
    model.memories().forEach(memory -> builder.memory(memory.input(), memory.source()));
    model.attention().ifPresent(builder::attention);
    TextCodec target = model.target().orElseThrow();
    return builder
        .logits(model.logits().name())
        .startToken(target.start().orElseThrow())
        .endTokens(target.end().orElseThrow())
        .build();
  }

  @Test
  void theSpellingModelGivesEveryAnswerOfItsReference() throws IOException {
    List<Json> words = Json.read(Shared.path("models/g2p_en/expected.json")).items();
    try (Model model = g2p();
        EncoderDecoder network = linked(model);
        Generator generator = network.newGenerator()) {
      List<Sentence> sentences = new ArrayList<>();
      for (Json word : words) {
        String spelling = word.members().get("word").string();
        sentences.add(
            new Sentence(sentences.size(), model.source().orElseThrow().encode(spelling)));
      }
      GenerationOptions options =
          GenerationOptions.builder().maxLength(model.generation().maxLength()).build();
      List<List<Hypothesis>> answers = generator.generate(sentences, options);
      for (int i = 0; i < words.size(); i++) {
        String expected = String.join(" ", words.get(i).members().get("phonemes").strings());
        String answer = model.target().orElseThrow().decode(answers.get(i).get(0).tokens());
        assertEquals(expected, answer, words.get(i).members().get("word").string());
      }
    }
  }

  @Test
  void aDecoderAttendsToEachSourceAlone() throws IOException {
    writeTagger(Seeds.random("ModelFolderTest.attends"));
    Files.writeString(folder.resolve("model.json"), ATTENDING);
    GenerationOptions options =
        GenerationOptions.builder().maxLength(5).minLength(5).attention(true).build();
    try (Model model = ModelFolder.open(folder);
        EncoderDecoder network = linked(model);
        Generator generator = network.newGenerator()) {
      TextCodec source = model.source().orElseThrow();
      List<Sentence> sentences = new ArrayList<>();
      for (String text : List.of("a b c d a", "b", "d x", "c c c c c c c")) {
        sentences.add(new Sentence(sentences.size(), source.encode(text)));
      }
      List<List<Hypothesis>> together = generator.generate(sentences, options);
      for (int i = 0; i < sentences.size(); i++) {
        Hypothesis alone = generator.generate(List.of(sentences.get(i)), options).get(0).get(0);
        assertArrayEquals(alone.tokens(), together.get(i).get(0).tokens());
        assertEquals(alone.logProbability(), together.get(i).get(0).logProbability());
      }
    }
  }

  private static String dims(Graph graph, String value) {
    return graph.value(value).dims().toString();
  }

  // ------------------------------------------------------------------------------- broken

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"gatun-model/1\"|\"gatun-model/2\"|line 2: format is \"gatun-model/2\", expected|schema",
        "\"kind\": \"enc|\"kind\": \"eng|line 3: kind is \"engoder-decoder\", expected one of|schema",
        "\"kind\"|\"knid\"|has no \"kind\"; did you mean 'knid'?|schema",
        "\"pytorch\"|\"pytorhc\"|line 4: weights.convention is \"pytorhc\"|schema",
        ", \"convention\": \"pytorch\"||line 9: encoder.layers[0] has weights, but neither|",
        "\"weights.safe|\"../weights.safe|expected the name of a file in the model's folder|",
        "\"weights.safe|\"/weights.safe|expected the name of a file in the model's folder|",
        "weights.safetensors|weight.safetensors|but there is no such file beside the model|",
        "[\"?\", \"a\"|[\"?\", \"?\"|line 5: source.vocabulary is no vocabulary|schema",
        "[\"?\", \"a\"|[\"?\", 3|source.vocabulary[1] is 3, expected a string|schema",
        "\"unknown\": \"?\"|\"unknown\": \"<unk>\"|source.unknown is \"<unk>\", which is not in|",
        "\"unknown\"|\"unknwon\"|source.unknwon is not known here; did you mean 'unknown'?|schema",
        "\"start\": \"<s>\", ||line 6: target has no \"start\"|",
        "\"words\"|\"word\"|source.tokens is \"word\", expected one of|schema",
        "\"c\", \"d\"]|\"c\", \"d\", \"e\"]|has a table of 5 rows, but the vocabulary has 6|",
        "\"<s>\", \"</s>\"]|\"<s>\", \"</s>\", \"x\"]|expected [1, batch, 3]|",
        "\"embed\"|\"embde\"|no tensor of|",
        "\"concat\", \"name\"|\"concatt\", \"name\"|decoder.layers[3].type is \"concatt\"|schema",
        "\"from\": [\"decoder\"|\"from\": [\"decodr\"|did you mean 'decoder'?|",
        "\"name\": \"both\"|\"name\": \"encoder\"|is called \"encoder\", and so is something|",
        "\"memory\": \"encoder\"|\"memory\": \"encodr\"|did you mean 'encoder'|",
        "\"initial_state\": \"encoder\"|\"initial_state\": \"source\"|which has no cell state|",
        "\"initial_state\"|\"inital_state\"|did you mean 'initial_state'?|schema",
        "\"bidirectional\": \"sum\"|\"bidirectional\": \"sun\"|expected one of concat, sum|schema",
        "\"bidirectional\": \"sum\", |\"index\": 0, |has a second direction (rnn.weight_ih_l0_reverse)|",
        "\"bidirectional\"|\"hidden\": 4, \"bidirectional\"|hidden size is 4, but the weights|",
        "\"bidirectional\": \"sum\"|\"bidirectional\": \"concat\"|is not possible|",
        "\"bidirectional\": \"sum\"|\"index\": 1|is \"rnn\", but no tensor of|",
        "\"beam\": 4|\"beam\": 0|generation.beam is 0, expected an integer of at least 1|schema",
        "\"beam\": 4|\"beam\": 4, \"length_penalty\": 11|length_penalty is 11.0, expected 0|schema",
        "\"beam\": 4|\"beam\": 1|has n_best above its beam of 1|",
        "[\"<s>\"]|[\"<z>\"]|which the target has not|",
        "\"dot\"|\"dot\", \"scale\": \"1\"|scale is \"1\", expected a number|schema",
        "\"layers\": [|\"inputs\": [], \"layers\": [|encoder.inputs is empty|schema",
      })
  void aBrokenModelFileIsRefusedWithItsPlace(String line) throws IOException {
    String[] parts = line.split("\\|", -1);
    writeTagger(new Random(1));
    Path file = folder.resolve("model.json");
    String broken =
        ATTENDING.replaceFirst(Pattern.quote(parts[0]), Matcher.quoteReplacement(parts[1]));
    assertTrue(!broken.equals(ATTENDING), "the model has " + parts[0]);
    Files.writeString(file, broken);
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> ModelFolder.open(folder));
    assertTrue(refused.getMessage().startsWith(file + ": line "), refused.getMessage());
    assertTrue(refused.getMessage().contains(parts[2]), refused.getMessage());
    boolean bySchema = !schema().problems(Json.read(file)).isEmpty();
    assertEquals(parts[3].equals("schema"), bySchema, "whether the schema refuses it too");
  }

  @Test
  void aModelFileCutAnywhereIsRefused() throws IOException {
    writeTagger(new Random(1));
    Path file = folder.resolve("model.json");
    for (int length = 0; length < ATTENDING.strip().length(); length += 7) {
      Files.writeString(file, ATTENDING.substring(0, length));
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> ModelFolder.open(file));
      assertTrue(refused.getMessage().startsWith(file + ": "), refused.getMessage());
    }
  }

  @Test
  void aModelWithoutAFolderOrWeightsSaysSo() throws IOException {
    assertThrows(IOException.class, () -> ModelFolder.open(folder));
    Files.writeString(
        folder.resolve("model.json"),
        TAGGER.replace("RNN", "\"rnn\"").replace("{\"file\": \"w", "{\"x\": \"w"));
    Files.writeString(folder.resolve("symbols.txt"), "?\n");
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> ModelFolder.open(folder));
    assertTrue(refused.getMessage().contains("weights.x is not known"), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"GRU_S", "CRNN_S", "Basic_LSTM_S"})
  void otherPeoplesWeightsInTheWrongPlaceAreRefused(String name) throws IOException {
    Path weights = Shared.path("models/g2p_en/checkpoint20.npz");
    ModelFormatException refused =
        assertThrows(
            ModelFormatException.class,
            () -> ModelFolder.open(EXAMPLES.resolve("kws_arm/" + name), Optional.of(weights)));
    assertTrue(refused.getMessage().contains("checkpoint20.npz"), refused.getMessage());
  }
}

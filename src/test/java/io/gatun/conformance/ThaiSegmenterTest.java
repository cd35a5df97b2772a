package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.gatun.Evaluation;
import io.gatun.Shared;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.layer.Convention;
import io.gatun.layer.Dense;
import io.gatun.layer.Embedding;
import io.gatun.layer.Lstm;
import io.gatun.layer.Merge;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * ICU's word segmenters for Thai segment ICU's own test sentences as ICU does: an embedding, a
 * bidirectional LSTM in Keras' convention, and a dense layer over B, I, E, S (begin, inside, end,
 * single). A word starts at a token whose largest score is B or S; the expected segmentations have
 * a bar there, at the first token too, and one at the end.
 *
 * <p>The matrices follow one another in {@code data}, float32 as bits: embedding [dictionary + 1,
 * embedding], then for the forward and the backward direction kernel, recurrent kernel and bias,
 * then the dense layer's kernel and bias. The token behind the dictionary stands for what is not in
 * it. Tokens are code points, or extended grapheme clusters (UAX #29).
 */
class ThaiSegmenterTest {

  private static final class Model implements AutoCloseable {
    private final Map<String, Integer> dictionary = new HashMap<>();
    private final Arena arena = Arena.ofConfined();
    private final int[] data;
    private final boolean clusters;
    private final int embedding;
    private final int units;
    private int at;

    Model(Path file) throws IOException {
      String text = Files.readString(file);
      clusters = text.contains("type{\"graphclust\"}");
      embedding = number(text, "embeddings:int\\{(\\d+)\\}");
      units = number(text, "hunits:int\\{(\\d+)\\}");
      int start = text.indexOf("data:intvector{");
      String list = text.substring(text.indexOf("dict{"), start);
      Matcher entry = Pattern.compile("\"((?:\\\\.|[^\"\\\\])*)\"").matcher(list);
      while (entry.find()) {
        dictionary.put(entry.group(1).replace("\\\"", "\""), dictionary.size());
      }
      String numbers = text.substring(start, text.indexOf('}', start));
      data =
          Pattern.compile("-?\\d+")
              .matcher(numbers)
              .results()
              .mapToInt(result -> Integer.parseInt(result.group()))
              .toArray();
    }

    private static int number(String text, String pattern) {
      Matcher matcher = Pattern.compile(pattern).matcher(text);
      if (!matcher.find()) {
        throw new IllegalArgumentException("no " + pattern);
      }
      return Integer.parseInt(matcher.group(1));
    }

    private Tensor next(long... dims) {
      Tensor bits = Tensor.allocate(arena, DType.INT32, dims);
      Tensor flat = bits.reshape(bits.elements());
      for (int i = 0; i < flat.elements(); i++) {
        flat.setLong(data[at++], i);
      }
      return Tensor.wrap(bits.segment(), DType.FLOAT32, dims);
    }

    private Weights lstm() {
      return Weights.of(
          Convention.KERAS,
          Map.of(
              "kernel", next(embedding, 4L * units),
              "recurrent_kernel", next(units, 4L * units),
              "bias", next(4L * units)));
    }

    Graph graph() {
      Graph.Builder g = Graph.builder("thai");
      Value tokens = g.input("tokens", DType.INT32, "time", 1);
      Tensor table = next(dictionary.size() + 1, embedding);
      Value x =
          Embedding.of("embedding", Weights.of(Convention.KERAS, Map.of("embeddings", table)))
              .apply(g, tokens);
      Weights forward = lstm();
      Weights backward = lstm();
      Value h =
          Lstm.builder("lstm")
              .weights(forward)
              .bidirectional(Merge.CONCAT, backward)
              .build()
              .apply(g, x);
      Weights last =
          Weights.of(Convention.KERAS, Map.of("kernel", next(2L * units, 4), "bias", next(4)));
      g.output(Dense.builder("tags").weights(last).build().apply(g, h));
      assertEquals(data.length, at, "numbers used");
      return g.build();
    }

    /** Where tokens start. */
    List<Integer> starts(String sentence) {
      List<Integer> starts = new ArrayList<>();
      if (clusters) {
        Pattern.compile("\\X").matcher(sentence).results().forEach(c -> starts.add(c.start()));
      } else {
        for (int i = 0; i < sentence.length(); i += Character.charCount(sentence.codePointAt(i))) {
          starts.add(i);
        }
      }
      return starts;
    }

    int[] tokens(String sentence, List<Integer> starts) {
      int[] tokens = new int[starts.size()];
      for (int i = 0; i < tokens.length; i++) {
        int end = i + 1 < tokens.length ? starts.get(i + 1) : sentence.length();
        tokens[i] =
            dictionary.getOrDefault(sentence.substring(starts.get(i), end), dictionary.size());
      }
      return tokens;
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  @TestFactory
  List<DynamicTest> everySentenceFallsIntoTheWordsThatIcuFinds() {
    List<DynamicTest> tests = new ArrayList<>();
    for (String model :
        List.of("Thai_codepoints_exclusive_model5_heavy", "Thai_graphclust_model4_heavy")) {
      Evaluation.devices()
          .forEach(
              device ->
                  tests.add(
                      dynamicTest(
                          model + " on " + device.description(), () -> segments(model, device))));
    }
    return tests;
  }

  private static void segments(String name, Device device) throws IOException {
    List<String> lines = Files.readAllLines(Shared.path("models/icu_lstm/" + name + "_Test.txt"));
    int sentences = 0;
    try (Model model = new Model(Shared.path("models/icu_lstm/" + name + ".txt"));
        Plan plan = Plan.on(device, model.graph());
        Execution execution = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < lines.size(); i++) {
        if (!lines.get(i).startsWith("Input:\t")) {
          continue;
        }
        String sentence = lines.get(i).substring("Input:\t".length());
        List<Integer> starts = model.starts(sentence);
        int[] tokens = model.tokens(sentence, starts);
        execution.input("tokens", Tensor.ofInts(arena, tokens, tokens.length, 1)).run();
        Tensor tags = execution.output("tags");
        StringBuilder words = new StringBuilder();
        for (int t = 0; t < tokens.length; t++) {
          int best = 0;
          for (int tag = 1; tag < 4; tag++) {
            best = tags.getDouble(t, 0, tag) > tags.getDouble(t, 0, best) ? tag : best;
          }
          boolean first = best == 0 || best == 3;
          int end = t + 1 < tokens.length ? starts.get(t + 1) : sentence.length();
          words.append(first ? "|" : "").append(sentence, starts.get(t), end);
        }
        String expected = lines.get(i + 1).substring("Output:\t".length());
        assertEquals(expected, words.append("|").toString());
        sentences++;
      }
    }
    assertEquals(46, sentences);
  }
}

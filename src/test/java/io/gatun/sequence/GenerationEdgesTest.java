package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.layer.Layers;
import io.gatun.sequence.Hypothesis.End;
import io.gatun.sequence.TestNetworks.Known;
import io.gatun.sequence.TokenListener.Decision;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What happens at the edges: nothing to do, nothing allowed, nothing known, somebody who stops. */
class GenerationEdgesTest {
  private final ScalarDevice device = new ScalarDevice(DType.FLOAT32);
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void closeMemory() {
    arena.close();
  }

  private Known chain(int vocabulary, int... ends) {
    return TestNetworks.chain(arena, new Random(5), device, vocabulary, 0, ends);
  }

  private static void assertMessage(String part, org.junit.jupiter.api.function.Executable code) {
    RuntimeException e = assertThrows(RuntimeException.class, code);
    assertTrue(e instanceof IllegalArgumentException, e.toString());
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void anEmptyBatchAndEmptySourcesAreDecoded() {
    Random random = Seeds.random("empty");
    try (Known known = TestNetworks.gru(arena, random, device, 5, 6, 4, true, 0, 1);
        Generator generator = known.model().newGenerator()) {
      assertEquals(List.of(), generator.generate(List.of(), GenerationOptions.GREEDY));
      assertEquals(List.of(), generator.score(List.of(), List.of()));
      GenerationOptions options = GenerationOptions.builder().maxLength(4).build();
      int[] alone = generator.generate(new int[0], options).tokens();
      List<List<Hypothesis>> made =
          generator.generate(
              List.of(new Sentence(0, 1, 2, 3), new Sentence(1)),
              options.toBuilder().attention(true).build());
      assertArrayEquals(alone, made.get(1).get(0).tokens());
      assertArrayEquals(
          known.oracle().beam(new int[0], new int[0], new int[] {1}, options).get(0).tokens(),
          alone);
      for (float[] weights : made.get(1).get(0).attention()) {
        assertEquals(0, weights.length);
      }
      for (float[] weights : made.get(0).get(0).attention()) {
        assertEquals(3, weights.length);
        assertEquals(1, weights[0] + weights[1] + weights[2], 1e-5);
      }
    }
  }

  @Test
  void aMaximumLengthOfNothingGivesTheEmptyHypothesis() {
    try (Known known = chain(4, 1);
        Generator generator = known.model().newGenerator()) {
      for (boolean sampling : new boolean[] {false, true}) {
        GenerationOptions options =
            GenerationOptions.builder()
                .maxLength(0)
                .sampling(sampling)
                .nBest(sampling ? 2 : 1)
                .logProbabilities(true)
                .build();
        List<Hypothesis> made = generator.generate(List.of(new Sentence(0, 1)), options).get(0);
        assertEquals(options.nBest(), made.size());
        assertEquals(0, made.get(0).tokens().length);
        assertEquals(0, made.get(0).score());
        assertEquals(0, made.get(0).logProbabilities().length);
        assertEquals(End.MAX_LENGTH, made.get(0).end());
      }
    }
  }

  @Test
  void whatDoesNotBelongIsNamed() {
    try (Known known = chain(4, 1);
        Generator generator = known.model().newGenerator()) {
      GenerationOptions greedy = GenerationOptions.builder().maxLength(3).build();
      assertEquals(6, known.model().sourceVocabulary());
      assertMessage(
          "sentence 1: token 2 of the source is 6, expected 0 to 5",
          () -> generator.generate(List.of(new Sentence(0, 1), new Sentence(1, 0, 0, 6)), greedy));
      assertMessage(
          "sentence 0: token 0 of the source is -1",
          () -> generator.generate(new int[] {-1}, greedy));
      SequenceException e =
          assertThrows(
              SequenceException.class,
              () ->
                  generator.generate(
                      List.of(new Sentence(0, 1), new Sentence(1, 1).withPrefix(4)), greedy));
      assertEquals(1, e.sentence());
      assertMessage(
          "the prefix has 4 tokens, but the maximum length is 3",
          () -> generator.generate(List.of(new Sentence(0, 1).withPrefix(0, 0, 0, 0)), greedy));
      assertMessage(
          "token 1 of the prefix is 1, which is an end token",
          () -> generator.generate(List.of(new Sentence(0, 1).withPrefix(0, 1)), greedy));
      assertMessage(
          "suppressed token is 4, expected 0 to 3",
          () -> generator.generate(new int[] {1}, GenerationOptions.builder().suppress(4).build()));
      assertMessage(
          "end token is 9",
          () ->
              generator.generate(new int[] {1}, GenerationOptions.builder().endTokens(9).build()));
      assertMessage(
          "attention is asked for",
          () ->
              generator.generate(
                  new int[] {1}, GenerationOptions.builder().attention(true).build()));
      assertMessage(
          "sentence 0: token 0 of the target is 7",
          () -> generator.score(List.of(new int[] {1}), List.of(new int[] {7})));
      assertMessage(
          "1 sources, but 0 targets", () -> generator.score(List.of(new int[] {1}), List.of()));
      assertEquals(3, generator.generate(new int[] {1}, greedy).tokens().length, "still works");
    }
  }

  @Test
  void aPrefixBeginsEveryHypothesisEvenWhereItIsSuppressed() {
    try (Known known = chain(6, 1);
        Generator generator = known.model().newGenerator()) {
      GenerationOptions options =
          GenerationOptions.builder()
              .beamWidth(3)
              .nBest(3)
              .maxLength(3)
              .suppress(4)
              .noRepeatNgram(1)
              .build();
      Sentence sentence = new Sentence(0, 2).withPrefix(4, 4);
      for (Hypothesis made : generator.generate(List.of(sentence), options).get(0)) {
        assertArrayEquals(new int[] {4, 4}, Arrays.copyOf(made.tokens(), 2));
        assertTrue(made.tokens().length == 2 || made.tokens()[2] != 4);
      }
      Hypothesis whole =
          generator.generate(List.of(sentence.withPrefix(4, 4, 0)), options).get(0).get(0);
      assertArrayEquals(new int[] {4, 4, 0}, whole.tokens());
      assertEquals(End.MAX_LENGTH, whole.end());
    }
  }

  @Test
  void whereNothingIsAllowedTheHypothesisEnds() {
    try (Known known = chain(3, 2);
        Generator generator = known.model().newGenerator()) {
      GenerationOptions options =
          GenerationOptions.builder().noRepeatNgram(1).suppress(2).maxLength(9).build();
      for (GenerationOptions each :
          List.of(
              options,
              options.toBuilder().beamWidth(5).build(),
              options.toBuilder().sampling(true).build())) {
        Hypothesis made = generator.generate(new int[] {1}, each);
        assertEquals(End.NO_TOKEN_ALLOWED, made.end());
        assertEquals(2, made.tokens().length);
        Hypothesis nothing =
            generator.generate(new int[] {1}, each.toBuilder().suppress(0, 1, 2).build());
        assertEquals(End.NO_TOKEN_ALLOWED, nothing.end());
        assertEquals(0, nothing.tokens().length);
      }
    }
  }

  @Test
  void aVocabularyOfOneAndABeamWiderThanTheVocabularyAreSearched() {
    try (Known one = chain(1);
        Known two = TestNetworks.chain(arena, new Random(3), device, 2, 0, 1);
        Generator ofOne = one.model().newGenerator();
        Generator ofTwo = two.model().newGenerator()) {
      GenerationOptions wide =
          GenerationOptions.builder().beamWidth(50).nBest(50).maxLength(4).build();
      List<Hypothesis> only = ofOne.generate(List.of(new Sentence(0, 1)), wide).get(0);
      assertEquals(1, only.size());
      assertArrayEquals(new int[4], only.get(0).tokens());
      assertEquals(0, only.get(0).score());
      // Five hypotheses: the empty one, 0, 00 and 000 with an end token, and 0000.
      assertEquals(5, ofTwo.generate(List.of(new Sentence(0, 1)), wide).get(0).size());
    }
  }

  @Test
  void otherEndTokensReplaceTheNetworksOwn() {
    try (Known known = chain(5, 1);
        Generator generator = known.model().newGenerator()) {
      GenerationOptions never = GenerationOptions.builder().endTokens().maxLength(30).build();
      Hypothesis made = generator.generate(new int[] {1}, never);
      assertEquals(30, made.tokens().length);
      int first = made.tokens()[0];
      Hypothesis none =
          generator.generate(
              new int[] {1}, never.toBuilder().endTokens(first, 4).logProbabilities(true).build());
      assertEquals(End.END_TOKEN, none.end());
      assertEquals(0, none.tokens().length);
      assertEquals(1, none.logProbabilities().length);
    }
  }

  @Test
  void logitsThatAreNotNumbersAreAnErrorThatNamesTheSentence() {
    Tensor transitions = TestNetworks.random(arena, new Random(1), 1, 4, 4);
    Tensor biases = Tensor.ofFloats(arena, new float[12], 3, 4);
    biases.setFloat(Float.NaN, 2, 3);
    biases.setFloat(Float.POSITIVE_INFINITY, 1, 0);
    try (Known known = TestNetworks.chain(device, transitions, biases, 0, 3);
        Generator generator = known.model().newGenerator()) {
      for (GenerationOptions options :
          List.of(
              GenerationOptions.builder().maxLength(3).build(),
              GenerationOptions.builder().maxLength(3).beamWidth(2).suppress(1).build(),
              GenerationOptions.builder().maxLength(3).suppress(0, 1, 2, 3).build(),
              GenerationOptions.builder().maxLength(3).sampling(true).build(),
              GenerationOptions.builder()
                  .maxLength(3)
                  .sampling(true)
                  .topK(2)
                  .suppress(0)
                  .build())) {
        for (int bad : new int[] {1, 2}) {
          SequenceException e =
              assertThrows(
                  SequenceException.class,
                  () ->
                      generator.generate(
                          List.of(new Sentence(0, 0), new Sentence(1, bad)), options));
          assertEquals(1, e.sentence());
          assertTrue(e.getMessage().contains("not numbers"), e.getMessage());
        }
      }
      assertMessage(
          "not numbers", () -> generator.score(List.of(new int[] {2}), List.of(new int[] {1})));
      assertMessage(
          "not numbers",
          () ->
              generator.generate(
                  List.of(new Sentence(0, 2).withPrefix(1)), GenerationOptions.GREEDY));
      Hypothesis good =
          generator.generate(new int[] {0}, GenerationOptions.builder().maxLength(3).build());
      assertTrue(Double.isFinite(good.score()));
    }
  }

  @Test
  void aListenerHearsEveryTokenAndMayStop() {
    try (Known known = chain(7);
        Generator generator = known.model().newGenerator()) {
      List<Sentence> batch = List.of(new Sentence(0, 1), new Sentence(1, 2), new Sentence(2, 3));
      List<List<Integer>> heard = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
      GenerationOptions options =
          GenerationOptions.builder()
              .maxLength(6)
              .listener(
                  (sentence, hypothesis, position, token, logProbability) -> {
                    assertEquals(heard.get(sentence).size(), position);
                    assertEquals(0, hypothesis);
                    assertTrue(logProbability <= 0);
                    heard.get(sentence).add(token);
                    return sentence == 1 && position == 1
                        ? Decision.STOP_SENTENCE
                        : sentence == 2 && position == 3 ? Decision.STOP_ALL : Decision.CONTINUE;
                  })
              .build();
      List<List<Hypothesis>> made = generator.generate(batch, options);
      int[] lengths = {4, 2, 4};
      for (int i = 0; i < 3; i++) {
        Hypothesis hypothesis = made.get(i).get(0);
        assertEquals(End.STOPPED, hypothesis.end());
        assertEquals(lengths[i], hypothesis.tokens().length);
        assertEquals(heard.get(i), Arrays.stream(hypothesis.tokens()).boxed().toList());
      }
      GenerationOptions beam =
          GenerationOptions.builder()
              .maxLength(6)
              .beamWidth(3)
              .nBest(3)
              .listener(
                  (s, h, position, t, l) ->
                      position == 2 ? Decision.STOP_SENTENCE : Decision.CONTINUE)
              .build();
      for (List<Hypothesis> each : generator.generate(batch, beam)) {
        assertEquals(3, each.size());
        each.forEach(hypothesis -> assertEquals(3, hypothesis.tokens().length));
      }
      assertThrows(
          ArithmeticException.class,
          () ->
              generator.generate(
                  batch,
                  beam.toBuilder()
                      .listener(
                          (s, h, p, t, l) -> {
                            throw new ArithmeticException("from outside");
                          })
                      .build()));
      assertEquals(3, generator.generate(batch, beam).size(), "still works");
    }
  }

  /** Two states that change places at every step, one zero at first, one a constant. */
  @Test
  void statesThatAreEachOthersNextValueAreNotMixedUp() {
    Graph.Builder e = Graph.builder("encoder");
    e.output(e.alias("unused", e.input("tokens", DType.INT32, "time", "batch")));
    Graph.Builder d = Graph.builder("decoder");
    Value token = d.input("token", DType.INT32, "batch");
    Value a = d.input("a", DType.FLOAT32, 2, "batch", 3);
    Value b = d.input("b", DType.FLOAT32, 2, "batch", 3);
    d.output(d.alias("a_next", b)).output(d.alias("b_next", a));
    Value table = d.constant("table", Tensor.ofFloats(arena, new float[9], 3, 3));
    Value row = d.node("row", "Gather", Attributes.NONE, table, token);
    Value sum = d.node("sum", "ReduceSum", Attributes.of("keepdims", 0), a, d.integers("0", 0));
    d.output(Layers.add(d, "logits", row, sum));
    Tensor first = Tensor.ofFloats(arena, new float[] {1, 2, 3, 3, 1, 4}, 2, 1, 3);
    try (EncoderDecoder model =
            EncoderDecoder.builder(e.build(), d.build())
                .constantState("a", "a_next", first)
                .zeroState("b", "b_next")
                .startToken(0)
                .build(device);
        Generator generator = model.newGenerator()) {
      double[] odd = Oracle.logSoftmax(new double[] {4, 3, 7});
      double even = Math.log(1.0 / 3);
      GenerationOptions options =
          GenerationOptions.builder()
              .maxLength(4)
              .beamWidth(5)
              .nBest(5)
              .logProbabilities(true)
              .build();
      for (List<Hypothesis> each :
          generator.generate(List.of(new Sentence(0, 1), new Sentence(1)), options)) {
        assertEquals(5, each.size());
        for (Hypothesis made : each) {
          double[] expected = {odd[made.tokens()[0]], even, odd[made.tokens()[2]], even};
          assertArrayEquals(expected, made.logProbabilities(), 1e-6);
        }
      }
    }
  }

  @Test
  void graphsThatDoNotFitAreRefused() {
    Graph.Builder e = Graph.builder("reader");
    Value tokens = e.input("tokens", DType.INT32, "time", "batch");
    Value table = e.constant("table", Tensor.ofFloats(arena, new float[6], 2, 3));
    Value read = e.node("read", "Gather", Attributes.NONE, table, tokens);
    e.output(e.node("sum", "ReduceSum", Attributes.of("keepdims", 0), read, e.integers("axis", 0)));
    Graph encoder = e.build();
    Graph.Builder d = Graph.builder("writer");
    Value token = d.input("token", DType.INT32, "batch");
    Value state = d.input("state", DType.FLOAT32, "batch", 3);
    Value wide = d.input("wide", DType.FLOAT32, "batch", 4);
    Value out = d.constant("out", Tensor.ofFloats(arena, new float[9], 3, 3));
    Value row = d.node("row", "Gather", Attributes.NONE, out, token);
    d.output(Layers.add(d, "logits", row, state));
    d.output(d.alias("wide_next", wide)).output(d.alias("next", state));
    Graph decoder = d.build();
    assertMessage(
        "nothing is said about input wide",
        () ->
            EncoderDecoder.builder(encoder, decoder)
                .state("state", "next", "sum")
                .startToken(0)
                .build(device));
    EncoderDecoder.Builder good =
        EncoderDecoder.builder(encoder, decoder)
            .state("state", "next", "sum")
            .zeroState("wide", "wide_next");
    assertMessage("start token is -1, expected 0 to 2", () -> good.build(device));
    assertMessage(
        "end token is 3, expected 0 to 2", () -> good.startToken(0).endTokens(3).build(device));
    good.endTokens(1).build(device).close();
    assertThrows(
        ShapeException.class,
        () ->
            EncoderDecoder.builder(encoder, decoder)
                .state("state", "next", "sum")
                .state("wide", "wide_next", "sum")
                .startToken(0)
                .build(device));
    assertThrows(
        ShapeException.class,
        () ->
            EncoderDecoder.builder(encoder, decoder)
                .state("state", "wide_next", "sum")
                .zeroState("wide", "wide_next")
                .startToken(0)
                .build(device));
    assertMessage(
        "did you mean sum?",
        () ->
            EncoderDecoder.builder(encoder, decoder)
                .state("state", "next", "summ")
                .zeroState("wide", "wide_next")
                .startToken(0)
                .build(device));
  }

  @Test
  void anOpenGeneratorKeepsItsNetworkOpenAndAClosedOneSaysSo() {
    Known known = chain(4, 1);
    Generator generator = known.model().newGenerator();
    assertThrows(IllegalStateException.class, known::close);
    generator.close();
    generator.close();
    assertThrows(
        IllegalStateException.class,
        () -> generator.generate(new int[] {1}, GenerationOptions.GREEDY));
    known.close();
  }

  @Test
  void aListenerDoesNotGetIntoItsOwnGenerator() {
    try (Known known = chain(5, 1);
        Generator generator = known.model().newGenerator()) {
      int[] seen = {0};
      GenerationOptions options =
          GenerationOptions.builder()
              .maxLength(3)
              .listener(
                  (sentence, hypothesis, position, token, logProbability) -> {
                    seen[0]++;
                    for (org.junit.jupiter.api.function.Executable work :
                        List.<org.junit.jupiter.api.function.Executable>of(
                            () -> generator.generate(new int[] {2}, GenerationOptions.GREEDY),
                            () -> generator.score(List.of(), List.of()),
                            generator::close)) {
                      var e = assertThrows(IllegalStateException.class, work);
                      assertTrue(e.getMessage().contains("is in use"), e.getMessage());
                    }
                    return Decision.CONTINUE;
                  })
              .build();
      int[] expected = generator.generate(new int[] {2}, options).tokens();
      assertTrue(seen[0] > 0);
      assertArrayEquals(
          expected,
          generator.generate(new int[] {2}, options.toBuilder().listener(null).build()).tokens());
    }
  }
}

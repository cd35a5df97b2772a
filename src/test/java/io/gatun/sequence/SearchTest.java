package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.gatun.Seeds;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.sequence.Oracle.Found;
import io.gatun.sequence.TestNetworks.Known;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Greedy and beam search against their definition and against all hypotheses there are. */
class SearchTest {
  private final ScalarDevice device = new ScalarDevice(DType.FLOAT64);

  private static void assertFound(List<Found> expected, List<Hypothesis> made, String what) {
    assertEquals(expected.size(), made.size(), what + ": " + expected);
    for (int i = 0; i < made.size(); i++) {
      Hypothesis hypothesis = made.get(i);
      assertArrayEquals(expected.get(i).tokens(), hypothesis.tokens(), what + ": " + expected);
      assertEquals(expected.get(i).end(), hypothesis.end(), what);
      assertEquals(expected.get(i).sum(), hypothesis.logProbability(), 1e-6, what);
      assertEquals(expected.get(i).score(), hypothesis.score(), 1e-6, what);
      double sum = 0;
      for (double term : hypothesis.logProbabilities()) {
        sum += term;
      }
      assertEquals(expected.get(i).length(), hypothesis.logProbabilities().length, what);
      assertEquals(sum, hypothesis.logProbability(), 1e-12, what);
    }
  }

  private static void assertAttention(
      Oracle looks, int[] source, Hypothesis hypothesis, String what) {
    assertEquals(hypothesis.logProbabilities().length, hypothesis.attention().length, what);
    for (int t = 0; t < hypothesis.attention().length; t++) {
      double[] expected = looks.next(source, Arrays.copyOf(hypothesis.tokens(), t));
      float[] weights = hypothesis.attention()[t];
      assertEquals(source.length, weights.length, what);
      for (int s = 0; s < weights.length; s++) {
        assertEquals(expected[s], weights[s], 1e-5, what);
      }
    }
  }

  private static List<Sentence> sentences(Random random, int count, int vocabulary, int longest) {
    List<Sentence> batch = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] tokens = random.ints(random.nextInt(longest + 1), 0, vocabulary).toArray();
      batch.add(new Sentence(i, tokens));
    }
    return batch;
  }

  private static GenerationOptions randomOptions(Random random, int vocabulary) {
    int maxLength = 1 + random.nextInt(6);
    int width = 1 + random.nextInt(5);
    GenerationOptions.Builder options =
        GenerationOptions.builder()
            .maxLength(maxLength)
            .minLength(random.nextInt(3) == 0 ? random.nextInt(maxLength + 1) : 0)
            .beamWidth(width)
            .nBest(1 + random.nextInt(width))
            .exhaustive(random.nextInt(4) == 0)
            .logProbabilities(true);
    if (random.nextBoolean()) {
      options.lengthPenalty(
          random.nextBoolean()
              ? LengthPenalty.gnmt(random.nextDouble() * 2)
              : LengthPenalty.power(random.nextDouble() * 2));
    }
    if (random.nextInt(3) == 0) {
      options.patience(0.5 + random.nextDouble() * 2);
    }
    if (random.nextInt(3) == 0) {
      options.noRepeatNgram(1 + random.nextInt(3));
    }
    if (random.nextInt(3) == 0) {
      options.suppress(random.nextInt(vocabulary), random.nextInt(vocabulary));
    }
    return options.build();
  }

  private static String describe(GenerationOptions o, int sentence) {
    return "sentence "
        + sentence
        + ": width "
        + o.beamWidth()
        + ", n-best "
        + o.nBest()
        + ", length "
        + o.minLength()
        + " to "
        + o.maxLength()
        + ", "
        + o.lengthPenalty()
        + ", patience "
        + o.patience()
        + ", exhaustive "
        + o.exhaustive()
        + ", n-gram "
        + o.noRepeatNgram()
        + ", suppressed "
        + Arrays.toString(o.suppressed());
  }

  private static void check(
      Known known, Generator generator, Random random, GenerationOptions options, int[] ends) {
    List<Sentence> batch = sentences(random, 1 + random.nextInt(5), 6, 4);
    int prefixToken = 0;
    while (Oracle.contains(ends, prefixToken)) {
      prefixToken++;
    }
    if (random.nextInt(3) == 0 && prefixToken < known.model().vocabulary()) {
      int place = random.nextInt(batch.size());
      int[] prefix = new int[1 + random.nextInt(options.maxLength())];
      Arrays.fill(prefix, prefixToken);
      batch.set(place, batch.get(place).withPrefix(prefix));
    }
    boolean attend = known.looks() != null;
    List<List<Hypothesis>> made =
        generator.generate(batch, options.toBuilder().attention(attend).build());
    for (int i = 0; i < batch.size(); i++) {
      Sentence sentence = batch.get(i);
      List<Found> expected =
          known.oracle().beam(sentence.tokens(), sentence.prefix(), ends, options);
      String what = describe(options, i) + " " + sentence;
      assertFound(expected, made.get(i), what);
      for (Hypothesis hypothesis : made.get(i)) {
        if (attend) {
          assertAttention(known.looks(), sentence.tokens(), hypothesis, what);
        }
      }
    }
  }

  @Test
  void searchingAChainFindsWhatTheDefinitionSays() {
    Random random = Seeds.random("chain");
    for (int run = 0; run < 40; run++) {
      int vocabulary = 1 + random.nextInt(7);
      int[] ends = random.ints(random.nextInt(3), 0, vocabulary).distinct().toArray();
      try (Arena arena = Arena.ofConfined();
          Known known =
              TestNetworks.chain(
                  arena, random, device, vocabulary, random.nextInt(vocabulary), ends);
          Generator generator = known.model().newGenerator()) {
        for (int i = 0; i < 8; i++) {
          check(known, generator, random, randomOptions(random, vocabulary), ends);
        }
      }
    }
  }

  @Test
  void searchingARecurrentNetworkFindsWhatTheDefinitionSays() {
    Random random = Seeds.random("recurrent");
    for (int run = 0; run < 12; run++) {
      int vocabulary = 3 + random.nextInt(9);
      int[] ends = {1};
      try (Arena arena = Arena.ofConfined();
          Known known =
              TestNetworks.gru(
                  arena, random, device, 6, vocabulary, 3 + run, run % 2 == 1, 0, ends);
          Generator generator = known.model().newGenerator()) {
        for (int i = 0; i < 6; i++) {
          check(known, generator, random, randomOptions(random, vocabulary), ends);
        }
      }
    }
  }

  @Test
  void aBeamAsWideAsTheSpaceFindsTheBestOfAllHypotheses() {
    Random random = Seeds.random("whole space");
    for (int run = 0; run < 20; run++) {
      int[] ends = {3};
      try (Arena arena = Arena.ofConfined();
          Known known = TestNetworks.chain(arena, random, device, 4, 0, ends);
          Generator generator = known.model().newGenerator()) {
        GenerationOptions options =
            GenerationOptions.builder()
                .maxLength(5)
                .minLength(random.nextInt(3))
                .noRepeatNgram(random.nextInt(4))
                .lengthPenalty(LengthPenalty.power(random.nextDouble() * 2))
                .beamWidth(400)
                .nBest(7)
                .patience(2)
                .exhaustive(random.nextBoolean())
                .logProbabilities(true)
                .build();
        int[] source = {1, 4};
        List<Found> all = known.oracle().all(source, new int[0], ends, options);
        List<Hypothesis> made =
            generator.generate(List.of(new Sentence(0, source)), options).get(0);
        assertFound(all.subList(0, Math.min(7, all.size())), made, describe(options, 0));
      }
    }
  }

  @Test
  void equalsAreTakenFromTheBetterHypothesisAndThenByTheLowerToken() {
    try (Arena arena = Arena.ofConfined();
        Known known =
            TestNetworks.chain(
                device,
                Tensor.ofFloats(arena, new float[16], 4, 4),
                Tensor.ofFloats(arena, new float[4], 1, 4),
                0,
                3);
        Generator generator = known.model().newGenerator()) {
      assertArrayEquals(
          new int[] {0, 0, 0},
          generator
              .generate(new int[] {0}, GenerationOptions.builder().maxLength(3).build())
              .tokens());
      List<Hypothesis> made =
          generator
              .generate(
                  List.of(new Sentence(0, 0)),
                  GenerationOptions.builder().beamWidth(3).nBest(3).maxLength(2).build())
              .get(0);
      assertArrayEquals(new int[] {0, 0}, made.get(0).tokens());
      assertArrayEquals(new int[] {0, 1}, made.get(1).tokens());
      assertArrayEquals(new int[] {0, 2}, made.get(2).tokens());
      assertNull(made.get(0).logProbabilities());
      assertNull(made.get(0).attention());
    }
  }
}

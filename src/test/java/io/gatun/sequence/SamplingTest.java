package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.sequence.TestNetworks.Known;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Samples come as often as their probabilities say. The seeds are fixed: nothing here is luck. */
class SamplingTest {
  private static final int SAMPLES = 8000;
  private static final double[] PROBABILITIES = {0.4, 0.05, 0.3, 0.05, 0.2};

  private final ScalarDevice device = new ScalarDevice(DType.FLOAT32);

  /** Every token is drawn from the same distribution. */
  private Known constant(Arena arena) {
    float[] logits = new float[25];
    for (int i = 0; i < 25; i++) {
      logits[i] = (float) Math.log(PROBABILITIES[i % 5]);
    }
    // The state grows by the first transition at each step; so only the first token is looked at.
    return TestNetworks.chain(
        device,
        Tensor.ofFloats(arena, logits, 5, 5),
        Tensor.ofFloats(arena, new float[5], 1, 5),
        0);
  }

  private static double[] frequencies(Generator generator, GenerationOptions.Builder options) {
    List<Hypothesis> made =
        generator
            .generate(
                List.of(new Sentence(17, 0)),
                options.sampling(true).nBest(SAMPLES).maxLength(1).build())
            .get(0);
    double[] frequencies = new double[5];
    for (Hypothesis each : made) {
      int token = each.tokens()[0];
      frequencies[token] += 1.0 / SAMPLES;
      assertEquals(
          Math.log(PROBABILITIES[token]), each.logProbability(), 1e-5, "the network's own");
    }
    return frequencies;
  }

  private static void assertFrequencies(double[] weights, double[] frequencies) {
    double sum = Arrays.stream(weights).sum();
    for (int i = 0; i < weights.length; i++) {
      double p = weights[i] / sum;
      // Four standard deviations of a binomial distribution.
      double bound = 1e-9 + 4 * Math.sqrt(p * (1 - p) / SAMPLES);
      assertEquals(p, frequencies[i], bound, Arrays.toString(frequencies));
    }
  }

  @Test
  void tokensComeAsOftenAsTheirProbabilitiesSay() {
    try (Arena arena = Arena.ofConfined();
        Known known = constant(arena);
        Generator generator = known.model().newGenerator()) {
      assertFrequencies(PROBABILITIES, frequencies(generator, GenerationOptions.builder()));
      double[] squared = Arrays.stream(PROBABILITIES).map(p -> p * p).toArray();
      assertFrequencies(
          squared, frequencies(generator, GenerationOptions.builder().temperature(0.5)));
      assertFrequencies(
          new double[] {0.4, 0, 0.3, 0, 0},
          frequencies(generator, GenerationOptions.builder().topK(2)));
      assertFrequencies(
          new double[] {0.4, 0.05, 0.3, 0, 0.2},
          frequencies(generator, GenerationOptions.builder().topK(4)));
      assertFrequencies(
          new double[] {0.4, 0, 0.3, 0, 0.2},
          frequencies(generator, GenerationOptions.builder().topP(0.85)));
      assertFrequencies(
          new double[] {0.4, 0.05, 0.3, 0, 0.2},
          frequencies(generator, GenerationOptions.builder().topP(0.92)));
      assertFrequencies(
          new double[] {0.4, 0, 0, 0, 0},
          frequencies(generator, GenerationOptions.builder().topP(1e-9)));
      assertFrequencies(
          new double[] {0.4, 0, 0.3, 0, 0},
          frequencies(generator, GenerationOptions.builder().topK(3).topP(0.7)));
      assertFrequencies(
          new double[] {0, 0.05, 0.3, 0.05, 0.2},
          frequencies(generator, GenerationOptions.builder().suppress(0)));
    }
  }

  @Test
  void aSeedGivesTheSameSamplesAndAnotherOneOthers() {
    try (Arena arena = Arena.ofConfined();
        Known known = constant(arena);
        Generator generator = known.model().newGenerator()) {
      GenerationOptions options =
          GenerationOptions.builder().sampling(true).maxLength(40).seed(3).build();
      Sentence sentence = new Sentence(5, 0);
      int[] first = generator.generate(List.of(sentence), options).get(0).get(0).tokens();
      int[] again = generator.generate(List.of(sentence), options).get(0).get(0).tokens();
      assertArrayEquals(first, again);
      int[] seeded =
          generator
              .generate(List.of(sentence), options.toBuilder().seed(4).build())
              .get(0)
              .get(0)
              .tokens();
      assertFalse(Arrays.equals(first, seeded));
      int[] other = generator.generate(List.of(new Sentence(6, 0)), options).get(0).get(0).tokens();
      assertFalse(Arrays.equals(first, other));
      List<Hypothesis> three =
          generator.generate(List.of(sentence), options.toBuilder().nBest(3).build()).get(0);
      assertArrayEquals(first, three.get(0).tokens());
      assertFalse(Arrays.equals(first, three.get(1).tokens()));
      assertTrue(three.stream().allMatch(each -> each.tokens().length == 40));
    }
  }
}

package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Seeds;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.sequence.TestNetworks.Known;
import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The same bits for a sentence, whoever else is in the batch and however many threads compute. */
class IndependenceTest {
  private static final List<GenerationOptions> STRATEGIES =
      List.of(
          options().build(),
          options().beamWidth(4).nBest(3).lengthPenalty(LengthPenalty.gnmt(0.8)).build(),
          options().beamWidth(3).exhaustive(true).noRepeatNgram(2).minLength(3).build(),
          options().sampling(true).nBest(3).seed(7).build(),
          options().sampling(true).nBest(2).topK(5).topP(0.8).temperature(1.5).build());

  private static GenerationOptions.Builder options() {
    return GenerationOptions.builder().maxLength(12).logProbabilities(true);
  }

  private static List<Device> devices() {
    return List.of(new ScalarDevice(DType.FLOAT32), Devices.best());
  }

  static void assertSame(List<Hypothesis> expected, List<Hypothesis> actual, String what) {
    assertSame(expected, actual, true, what);
  }

  /** The same to the bit, or but for the last bits, which a GPU may form by the batch's size. */
  private static void assertSame(
      List<Hypothesis> expected, List<Hypothesis> actual, boolean bits, String what) {
    assertEquals(expected.size(), actual.size(), what);
    for (int i = 0; i < expected.size(); i++) {
      Hypothesis a = expected.get(i);
      Hypothesis b = actual.get(i);
      assertArrayEquals(a.tokens(), b.tokens(), what);
      assertEquals(a.end(), b.end(), what);
      if (!bits) {
        assertEquals(a.score(), b.score(), 1e-4, what);
        assertEquals(a.logProbability(), b.logProbability(), 1e-4, what);
        continue;
      }
      assertEquals(a.score(), b.score(), what);
      assertEquals(a.logProbability(), b.logProbability(), what);
      assertArrayEquals(a.logProbabilities(), b.logProbabilities(), what);
      if (a.attention() != null) {
        for (int t = 0; t < a.attention().length; t++) {
          assertArrayEquals(a.attention()[t], b.attention()[t], what);
        }
      }
    }
  }

  private static List<Sentence> ragged(Random random) {
    List<Sentence> batch = new ArrayList<>();
    for (int i = 0; i < 11; i++) {
      int length = i == 3 ? 0 : i == 5 ? 40 : random.nextInt(17);
      batch.add(new Sentence(100 + i, random.ints(length, 0, 9).toArray()));
    }
    batch.set(7, batch.get(7).withPrefix(4, 5));
    return batch;
  }

  /** A GPU forms the last bits of a row by how many rows there are. */
  private static double tolerance(Device device) {
    return device.name().startsWith("cuda") ? 1e-4 : 0;
  }

  private static void checkBatches(Device device, Random random, boolean attend, int hidden) {
    try (Arena arena = Arena.ofConfined();
        Known known = TestNetworks.gru(arena, random, device, 9, 13, hidden, attend, 2, 3, 11);
        Generator generator = known.model().newGenerator()) {
      List<Sentence> batch = ragged(random);
      for (GenerationOptions plain : STRATEGIES) {
        GenerationOptions options = plain.toBuilder().attention(attend).build();
        boolean bits = !device.name().startsWith("cuda");
        String what = device + ", hidden " + hidden + ", strategy " + STRATEGIES.indexOf(plain);
        List<List<Hypothesis>> together = generator.generate(batch, options);
        for (int i = 0; i < batch.size(); i++) {
          List<Hypothesis> alone = generator.generate(List.of(batch.get(i)), options).get(0);
          assertSame(together.get(i), alone, bits, what + ", sentence " + i + " alone");
        }
        List<Sentence> turned = new ArrayList<>(batch);
        Collections.reverse(turned);
        List<List<Hypothesis>> other = generator.generate(turned.subList(2, 11), options);
        for (int i = 0; i < other.size(); i++) {
          assertSame(
              together.get(8 - i), other.get(i), bits, what + ", sentence " + (8 - i) + " turned");
        }
        for (int threads : new int[] {2, 8}) {
          try (Workers workers = new Workers(threads);
              Generator shared = known.model().newGenerator(workers)) {
            List<List<Hypothesis>> made = shared.generate(batch, options);
            for (int i = 0; i < batch.size(); i++) {
              assertSame(together.get(i), made.get(i), what + ", " + threads + " workers");
            }
          }
        }
      }
    }
  }

  @Test
  void aSentenceDoesNotFeelItsBatch() {
    Random random = Seeds.random("batch");
    for (Device device : devices()) {
      checkBatches(device, random, false, 7);
      checkBatches(device, random, false, 33);
    }
  }

  @Test
  void aSentenceWithAttentionDoesNotFeelItsBatch() {
    Random random = Seeds.random("batch with attention");
    for (Device device : devices()) {
      checkBatches(device, random, true, 7);
      checkBatches(device, random, true, 33);
    }
  }

  @Test
  void forcedScoresAreTheBitsOfGeneration() {
    Random random = Seeds.random("forced");
    for (Device device : devices()) {
      for (boolean attend : new boolean[] {false, true}) {
        try (Arena arena = Arena.ofConfined();
            Known known = TestNetworks.gru(arena, random, device, 9, 13, 20, attend, 2, 3);
            Generator generator = known.model().newGenerator()) {
          List<Sentence> batch = ragged(random);
          List<int[]> sources = new ArrayList<>();
          List<int[]> targets = new ArrayList<>();
          List<Hypothesis> all = new ArrayList<>();
          for (GenerationOptions options : STRATEGIES) {
            List<List<Hypothesis>> made = generator.generate(batch, options);
            for (int i = 0; i < batch.size(); i++) {
              for (Hypothesis hypothesis : made.get(i)) {
                sources.add(batch.get(i).tokens());
                targets.add(hypothesis.tokens());
                all.add(hypothesis);
              }
            }
          }
          List<Score> scores = generator.score(sources, targets);
          for (int i = 0; i < all.size(); i++) {
            double[] terms = scores.get(i).logProbabilities();
            double[] made = all.get(i).logProbabilities();
            assertEquals(targets.get(i).length + 1, terms.length);
            double tolerance = tolerance(device);
            assertArrayEquals(made, Arrays.copyOf(terms, made.length), tolerance, device + " " + i);
            if (made.length == terms.length) {
              assertEquals(
                  all.get(i).logProbability(),
                  scores.get(i).logProbability(),
                  made.length * tolerance);
            }
          }
        }
      }
    }
  }

  @Test
  void aDeviceThatDoesNotReachTheHostsMemoryGivesTheSameBits() {
    Random random = Seeds.random("far device");
    Device near = new ScalarDevice(DType.FLOAT32);
    Device far =
        new ScalarDevice(DType.FLOAT32) {
          @Override
          public Buffer wrap(MemorySegment memory) {
            return null;
          }
        };
    long seed = random.nextLong();
    try (Arena arena = Arena.ofConfined();
        Known here = TestNetworks.gru(arena, new Random(seed), near, 9, 13, 8, true, 2, 3);
        Known there = TestNetworks.gru(arena, new Random(seed), far, 9, 13, 8, true, 2, 3);
        Generator one = here.model().newGenerator();
        Generator other = there.model().newGenerator()) {
      List<Sentence> batch = ragged(random);
      for (GenerationOptions plain : STRATEGIES) {
        GenerationOptions options = plain.toBuilder().attention(true).suppress(5).build();
        List<List<Hypothesis>> expected = one.generate(batch, options);
        List<List<Hypothesis>> made = other.generate(batch, options);
        for (int i = 0; i < batch.size(); i++) {
          assertSame(expected.get(i), made.get(i), "sentence " + i);
        }
      }
      List<int[]> sources = List.of(new int[] {1, 2}, new int[] {3});
      List<int[]> targets = List.of(new int[] {1}, new int[] {4, 5, 6});
      assertArrayEquals(
          one.score(sources, targets).get(1).logProbabilities(),
          other.score(sources, targets).get(1).logProbabilities());
    }
  }
}

package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.gatun.kernel.Device;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.sequence.TestNetworks.Known;
import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A token costs no memory beyond its place in the hypothesis that is handed out. */
class SteadyStateTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Generations until nothing is allocated any more. */
  private static final int MOST_RUNS = 400;

  /** More than what is returned for a batch and made for it alone, less than a byte a number. */
  private static final long MOST_BYTES = 160_000;

  private static long allocated(Generator generator, List<Sentence> batch, int steps, int width) {
    GenerationOptions options =
        GenerationOptions.builder().beamWidth(width).endTokens().maxLength(steps).build();
    long before = THREADS.getCurrentThreadAllocatedBytes();
    List<List<Hypothesis>> made = generator.generate(batch, options);
    long bytes = THREADS.getCurrentThreadAllocatedBytes() - before;
    assertEquals(steps, made.get(0).get(0).tokens().length);
    return bytes;
  }

  private static long least(Generator generator, List<Sentence> batch, int steps, int width) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      least = Math.min(least, allocated(generator, batch, steps, width));
    }
    return least;
  }

  @Test
  void moreStepsAllocateOnlyTheTokensThatAreReturned() {
    try (Arena arena = Arena.ofConfined();
        Known known =
            TestNetworks.gru(
                arena, new Random(2), new ScalarDevice(DType.FLOAT32), 6, 9, 8, true, 0, 1);
        Generator generator = known.model().newGenerator()) {
      List<Sentence> batch = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        batch.add(new Sentence(i, 1, 2, 3, i));
      }
      for (int width : new int[] {1, 3}) {
        least(generator, batch, 400, width);
        long few = least(generator, batch, 200, width);
        long many = least(generator, batch, 400, width);
        System.out.println("width " + width + ": " + few + " bytes, then " + many);
        long tokens = 4L * 200 * Integer.BYTES;
        assertTrue(many - few <= tokens, (many - few) + " bytes for 200 more steps");
      }
    }
  }

  /** Where a sentence ends: so many together, one time after the other. */
  private static int end(int sentence, int last, int together) {
    return together == 0 ? last : last - sentence / together * together;
  }

  /** Sentences end some together, or all if that is 0. */
  private static long endingOneByOne(
      Generator generator, List<Sentence> batch, int last, int together, int width) {
    TokenListener listener =
        (sentence, hypothesis, position, token, logProbability) ->
            position + 1 >= end(sentence, last, together)
                ? TokenListener.Decision.STOP_SENTENCE
                : TokenListener.Decision.CONTINUE;
    GenerationOptions options =
        GenerationOptions.builder()
            .beamWidth(width)
            .endTokens()
            .maxLength(last + 1)
            .listener(listener)
            .build();
    long before = THREADS.getCurrentThreadAllocatedBytes();
    List<List<Hypothesis>> made = generator.generate(batch, options);
    long bytes = THREADS.getCurrentThreadAllocatedBytes() - before;
    for (int s = 0; s < batch.size(); s++) {
      assertEquals(end(s, last, together), made.get(s).get(0).tokens().length);
    }
    return bytes;
  }

  @Test
  void rowsThatComeToAnEndOneByOneAllocateNothing() {
    int count = 96;
    int last = count + 4;
    for (Device device : List.of(new ScalarDevice(DType.FLOAT32))) {
      int some = 1;
      // Fewer tokens are returned, each of 4 bytes, in arrays that are filled up to 8.
      long tokens = 0;
      for (int s = 0; s < count; s++) {
        tokens += last - end(s, last, some);
      }
      long fewer = Integer.BYTES * (tokens - 2L * count);
      for (boolean attend : new boolean[] {false, true}) {
        try (Arena arena = Arena.ofConfined();
            Known known = TestNetworks.gru(arena, new Random(3), device, 6, 9, 16, attend, 0, 1);
            Generator generator = known.model().newGenerator()) {
          List<Sentence> batch = new ArrayList<>();
          for (int i = 0; i < count; i++) {
            batch.add(new Sentence(i, 1, 2, 3, i % 6));
          }
          for (int width : new int[] {1, 3}) {
            long together = Long.MAX_VALUE;
            long oneByOne = Long.MAX_VALUE;
            for (int i = 0;
                i < MOST_RUNS && (together >= MOST_BYTES || oneByOne > together - fewer);
                i++) {
              together = Math.min(together, endingOneByOne(generator, batch, last, 0, width));
              oneByOne = Math.min(oneByOne, endingOneByOne(generator, batch, last, some, width));
            }
            assertTrue(
                together < MOST_BYTES,
                device + ", width " + width + ": " + together + " bytes where rows stay");
            assertTrue(
                oneByOne <= together - fewer,
                device
                    + ", width "
                    + width
                    + ": "
                    + (oneByOne - together + fewer)
                    + " bytes for rows that end one by one");
          }
        }
      }
    }
  }
}

package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
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
}

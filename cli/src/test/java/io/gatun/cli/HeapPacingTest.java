package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchProgress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class HeapPacingTest {
  private static final long FIRST_SIZE = 100;
  private static final BatchProgress SOME =
      new BatchProgress(
          1,
          0,
          1,
          1,
          1,
          OptionalLong.empty(),
          Duration.ZERO,
          new BatchProgress.Times(1, Duration.ZERO, Duration.ZERO, Duration.ZERO));

  private final List<String> heard = new ArrayList<>();
  private long used;
  private long alive;
  private int collections;

  private final BatchListener pacing =
      new HeapPacing(
          new BatchListener() {
            @Override
            public void bad(long number, String place, String reason) {
              heard.add(number + " " + place + " " + reason);
            }

            @Override
            public void progress(BatchProgress progress) {
              heard.add("progress");
            }
          },
          FIRST_SIZE,
          () -> used,
          () -> {
            used = alive;
            collections++;
          });

  private int collectionsAt(long usedBytes) {
    used = usedBytes;
    pacing.progress(SOME);
    return collections;
  }

  @Test
  void aHeapIsCollectedBeyondItsFirstSizeAndTwiceWhatWasAlive() {
    alive = 60;
    assertEquals(0, collectionsAt(FIRST_SIZE));
    assertEquals(1, collectionsAt(FIRST_SIZE + 1));
    assertEquals(1, collectionsAt(2 * alive));
    alive = 10;
    assertEquals(2, collectionsAt(121));
    assertEquals(2, collectionsAt(FIRST_SIZE));
    assertEquals(3, collectionsAt(FIRST_SIZE + 1));
  }

  @Test
  void whatALongRunNeedsDependsOnWhatIsAliveAndNotOnItsLength() {
    alive = 60;
    for (int step = 0; step < 100_000; step++) {
      used++;
      pacing.progress(SOME);
      assertTrue(used <= 2 * alive, () -> used + " in use, " + alive + " alive");
    }
    assertEquals(1 + (100_000 - 101) / 61, collections); // at 101, then every 61 steps
  }

  @Test
  void aHeapWhoseContentGrowsIsCollectedAtEverLongerIntervals() {
    for (int step = 0; step < 1_000_000; step++) {
      used++;
      alive = used;
      pacing.progress(SOME);
    }
    assertEquals(14, collections); // 100 · 2ⁿ < 1,000,000
  }

  @Test
  void whatTheRunSaysIsPassedOn() {
    pacing.bad(3, "words.txt: record 3", "too long");
    pacing.progress(SOME);
    assertEquals(List.of("3 words.txt: record 3 too long", "progress"), heard);
  }
}

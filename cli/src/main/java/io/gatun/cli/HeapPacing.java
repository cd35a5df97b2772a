package io.gatun.cli;

import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchProgress;
import java.util.function.LongSupplier;

/**
 * Keeps the heap of a long run as large as what is alive needs, by asking for a collection before
 * the JVM finds one necessary.
 *
 * <p>Records and their answers stay in the window of a run for so long that the serial collector
 * moves them to its old generation. Java 21 looks through that one before it becomes larger; Java
 * 25 lets it grow to its limit first, a quarter of the machine's memory, so that a run needs the
 * more memory the longer its input is. So once twice as much is in use as was alive after the
 * collection before, and more than the heap had to begin with, it is collected. A heap whose
 * content grows is thus collected at ever longer intervals, and one that is large from the start
 * ({@code -Xms}) is left alone.
 *
 * <p>Other collectors have a pace of their own, so the launcher says with the system property
 * {@code gatun.heap.paced} that it chose the serial one. With {@code -XX:+DisableExplicitGC} asking
 * is without effect, and soon rare.
 */
final class HeapPacing implements BatchListener {
  private final BatchListener next;
  private final LongSupplier usedBytes;
  private final Runnable collect;
  private final long leastBytes;
  private long limitBytes;

  /**
   * Makes a listener.
   *
   * @param next hears all that this one hears
   * @param leastBytes up to how many bytes in use nothing is collected
   * @param usedBytes says how many bytes of the heap are in use, alive or not
   * @param collect collects what is not alive
   */
  HeapPacing(BatchListener next, long leastBytes, LongSupplier usedBytes, Runnable collect) {
    this.next = next;
    this.usedBytes = usedBytes;
    this.collect = collect;
    this.leastBytes = leastBytes;
    limitBytes = leastBytes;
  }

  /** Paces the heap of this process, if the launcher says so. */
  static BatchListener of(BatchListener next) {
    Runtime java = Runtime.getRuntime();
    return Boolean.getBoolean("gatun.heap.paced")
        ? new HeapPacing(
            next, java.totalMemory(), () -> java.totalMemory() - java.freeMemory(), System::gc)
        : next;
  }

  @Override
  public void bad(long number, String place, String reason) {
    next.bad(number, place, reason);
  }

  @Override
  public void progress(BatchProgress progress) {
    next.progress(progress);
    if (usedBytes.getAsLong() > limitBytes) {
      collect.run();
      limitBytes = Math.max(leastBytes, 2 * usedBytes.getAsLong());
    }
  }
}

package io.gatun.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Questions about a segment's memory that decide who may use it. Stateless and thread-safe. */
public final class Segments {
  /** Never started, so it owns no arena: what it may access, every thread may. */
  private static final Thread NOBODY = new Thread(() -> {}, "gatun-access-probe");

  private Segments() {}

  /**
   * Returns whether only one thread may access the segment, as with a confined arena's. Such a
   * segment cannot be handed to worker threads.
   *
   * @param segment any segment, closed or not
   * @return whether access is confined to one thread
   */
  public static boolean isThreadConfined(MemorySegment segment) {
    return !segment.isAccessibleBy(NOBODY);
  }

  /**
   * Returns whether the segment's memory is never closed: its scope is the global arena's. Such
   * memory needs no {@link SharedArena.Lease} while a kernel reads it by address.
   *
   * @param segment any segment
   * @return whether the segment lives as long as the process
   */
  public static boolean staysAlive(MemorySegment segment) {
    return segment.scope().equals(Arena.global().scope());
  }
}

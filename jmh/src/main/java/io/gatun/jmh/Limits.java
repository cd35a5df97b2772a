package io.gatun.jmh;

import io.gatun.kernel.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the machine does at most: float32 multiply–adds in registers, and bytes read from a working
 * set of a given size. Everything else is a share of these.
 */
public final class Limits {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int CHAINS = 12;
  private static final int STEPS = 1_000_000;
  private static final int LOADS = 8;

  /** Bursts that are timed; the best counts, because only the machine can be in the way. */
  private static final int BURSTS = 40;

  private static final long WARM_NANOS = 1_000_000_000L;
  private static final long BURST_BYTES = 400_000_000L;
  private static final double GIGA = 1e9;
  private static final int ALIGNMENT = 64;

  private Limits() {}

  /** Floating-point operations per nanosecond (GFLOP/s) of so many threads at once. */
  public static double peak(int threads) {
    float[] sinks = new float[threads];
    double operations = 2.0 * CHAINS * STEPS * SPECIES.length() * threads;
    return operations / best(threads, (part, worker) -> sinks[part] = chains(STEPS));
  }

  /**
   * Bytes read per nanosecond (GB/s) of so many threads at once, each over its own memory again and
   * again.
   *
   * @param bytes of each thread's memory, a multiple of 4096
   */
  public static double bandwidth(int bytes, int threads) {
    float[] sinks = new float[threads];
    int passes = (int) Math.max(1, BURST_BYTES / bytes);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment[] memory = new MemorySegment[threads];
      Arrays.setAll(memory, i -> arena.allocate(bytes, ALIGNMENT).fill((byte) 0));
      double nanos =
          best(threads, (part, worker) -> sinks[part] = read(memory[part], bytes, passes));
      return (double) bytes * passes * threads / nanos;
    }
  }

  /** Nanoseconds of the fastest of some bursts. */
  private static double best(int threads, Workers.Task task) {
    try (Workers workers = new Workers(threads)) {
      long begin = System.nanoTime();
      long best = Long.MAX_VALUE;
      int bursts = 0;
      while (bursts < BURSTS || System.nanoTime() - begin < WARM_NANOS) {
        long start = System.nanoTime();
        workers.run(threads, task);
        best = Math.min(best, System.nanoTime() - start);
        bursts++;
        if (System.nanoTime() - begin > 4 * WARM_NANOS) {
          break;
        }
      }
      return best;
    }
  }

  /** Independent chains of multiply–adds; nothing is loaded. */
  static float chains(int steps) {
    FloatVector x = FloatVector.broadcast(SPECIES, 0.999f);
    FloatVector y = FloatVector.broadcast(SPECIES, 1e-3f);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    FloatVector e = x;
    FloatVector f = x;
    FloatVector g = x;
    FloatVector h = x;
    FloatVector i = x;
    FloatVector j = x;
    FloatVector k = x;
    FloatVector l = x;
    for (int step = 0; step < steps; step++) {
      a = a.fma(x, y);
      b = b.fma(x, y);
      c = c.fma(x, y);
      d = d.fma(x, y);
      e = e.fma(x, y);
      f = f.fma(x, y);
      g = g.fma(x, y);
      h = h.fma(x, y);
      i = i.fma(x, y);
      j = j.fma(x, y);
      k = k.fma(x, y);
      l = l.fma(x, y);
    }
    FloatVector sum = a.add(b).add(c).add(d).add(e).add(f);
    return sum.add(g).add(h).add(i).add(j).add(k).add(l).lane(0);
  }

  private static float read(MemorySegment memory, int bytes, int passes) {
    float sum = 0;
    for (int pass = 0; pass < passes; pass++) {
      sum += readOnce(memory, bytes);
    }
    return sum;
  }

  private static float readOnce(MemorySegment memory, int bytes) {
    int width = SPECIES.vectorByteSize();
    FloatVector a = FloatVector.zero(SPECIES);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    FloatVector e = a;
    FloatVector f = a;
    FloatVector g = a;
    FloatVector h = a;
    for (int at = 0; at < bytes; at += LOADS * width) {
      a = a.add(load(memory, at));
      b = b.add(load(memory, at + width));
      c = c.add(load(memory, at + 2 * width));
      d = d.add(load(memory, at + 3 * width));
      e = e.add(load(memory, at + 4 * width));
      f = f.add(load(memory, at + 5 * width));
      g = g.add(load(memory, at + 6 * width));
      h = h.add(load(memory, at + 7 * width));
    }
    return a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).lane(0);
  }

  private static FloatVector load(MemorySegment memory, int at) {
    return FloatVector.fromMemorySegment(SPECIES, memory, at, ByteOrder.nativeOrder());
  }

  /** GFLOP/s of so many operations in so many milliseconds. */
  public static double rate(double operations, double millis) {
    return operations / (millis / 1e3) / GIGA;
  }
}

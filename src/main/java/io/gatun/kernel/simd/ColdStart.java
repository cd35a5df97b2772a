package io.gatun.kernel.simd;

/**
 * The first multiplications of a process are done by plain loops ({@link PlainLoops}).
 *
 * <p>Code of the Vector API is fast once the optimising compiler has been over it and very slow
 * before: in the interpreter and in what C1 makes of it each vector is an object, a thousand times
 * the cost of the instruction. A process that has one word to translate is done long before its
 * kernels are compiled, and then waits at its end for the compiler to finish them. Plain loops over
 * arrays are near their speed after milliseconds, and since each number of a result is the same
 * chain of roundings in both, nobody can tell from the bits which of them it was.
 */
final class ColdStart {
  /** Multiplications and additions until vectors take over, some 30 ms of plain loops. */
  private static final long ENOUGH = 1L << 25;

  /** What was done so far. Two threads may lose a count to each other; it does no harm. */
  private static long done;

  private ColdStart() {}

  /** Whether plain loops still compute. */
  static boolean lasts() {
    return done < ENOUGH;
  }

  /** Takes down that so many multiplications and additions were done by plain loops. */
  static void count(long multiplications) {
    done += multiplications;
  }

  /** Begins anew, or ends at once: for tests, which want to know what they test. */
  static void set(boolean lasts) {
    done = lasts ? 0 : ENOUGH;
  }
}

package io.gatun;

import java.util.Random;

/**
 * Random numbers for tests, from a seed that is printed, so that what failed once can be seen
 * again: {@code -Dgatun.seed=NUMBER} sets it.
 */
public final class Seeds {
  private Seeds() {}

  /**
   * A generator for one test.
   *
   * @param test what the printed line calls it
   * @return a generator with the given seed, or a new one
   */
  public static Random random(String test) {
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.println(test + ": -Dgatun.seed=" + seed);
    return new Random(seed);
  }
}

package io.gatun.representation;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * What is kept of a representation that has positions: time steps, or places of an image. A value
 * without positions stays as it is. Immutable.
 *
 * @param kind how
 * @param positions which, for {@link Kind#AT}; negative ones count from the end
 */
public record Pooling(Kind kind, int[] positions) {
  /** All positions. */
  public static final Pooling ALL = new Pooling(Kind.ALL, new int[0]);

  /** The last time step of each example, wherever the longest of its batch ends. */
  public static final Pooling LAST = new Pooling(Kind.LAST, new int[0]);

  /** The mean over the positions of each example. */
  public static final Pooling MEAN = new Pooling(Kind.MEAN, new int[0]);

  /** The largest of each unit over the positions of each example. */
  public static final Pooling MAX = new Pooling(Kind.MAX, new int[0]);

  /** How positions become one, or stay. */
  public enum Kind {
    /** They stay. */
    ALL,
    /** The last. */
    LAST,
    /** Their mean. */
    MEAN,
    /** Their maximum. */
    MAX,
    /** Those that are named. */
    AT
  }

  /** Copies the positions. */
  public Pooling {
    positions = positions.clone();
    if ((kind == Kind.AT) != (positions.length > 0)) {
      throw new IllegalArgumentException(
          "pooling " + kind + " of positions " + Arrays.toString(positions));
    }
  }

  /** The positions of these numbers, counted from 0, or from the end where negative. */
  public static Pooling at(int... positions) {
    return new Pooling(Kind.AT, positions);
  }

  /**
   * Reads {@code all}, {@code last}, {@code mean}, {@code max} or {@code at:0,-1}.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static Pooling parse(String text) {
    if (text.matches("at:-?\\d{1,9}(,-?\\d{1,9})*")) {
      return at(Arrays.stream(text.substring(3).split(",")).mapToInt(Integer::parseInt).toArray());
    }
    for (Pooling each : new Pooling[] {ALL, LAST, MEAN, MAX}) {
      if (each.toString().equals(text)) {
        return each;
      }
    }
    throw new IllegalArgumentException(
        "'" + text + "' is no pooling, expected all, last, mean, max or at:P,P…");
  }

  @Override
  public int[] positions() {
    return positions.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Pooling that
        && that.kind == kind
        && Arrays.equals(that.positions, positions);
  }

  @Override
  public int hashCode() {
    return 31 * kind.hashCode() + Arrays.hashCode(positions);
  }

  @Override
  public String toString() {
    return kind == Kind.AT
        ? "at:"
            + Arrays.stream(positions).mapToObj(Integer::toString).collect(Collectors.joining(","))
        : kind.name().toLowerCase(java.util.Locale.ROOT);
  }
}

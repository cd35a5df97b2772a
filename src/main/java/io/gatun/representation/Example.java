package io.gatun.representation;

import java.util.Arrays;
import java.util.Optional;

/**
 * One thing that a network is shown: tokens, or numbers of a shape, and what people call it.
 * Immutable by agreement: the arrays are not copied.
 *
 * @param number its place in the data, counted from 0
 * @param id what identifies it, such as its line or a file's name
 * @param text what people read; empty where it is numbers alone
 * @param tokens what a network of tokens reads; {@code null} for numbers
 * @param numbers what other networks read, in row-major order; {@code null} for tokens
 * @param dims the sizes of the numbers, without a batch axis; {@code [time]} for tokens
 * @param label its class, where that is known
 */
public record Example(
    long number,
    String id,
    String text,
    int[] tokens,
    float[] numbers,
    long[] dims,
    Optional<String> label) {

  /** Checks that there is either the one or the other, and as much as the sizes say. */
  public Example {
    if ((tokens == null) == (numbers == null)) {
      throw new IllegalArgumentException(
          "example " + id + " has to have either tokens or numbers to read");
    }
    long elements = 1;
    for (long dim : dims) {
      elements = Math.multiplyExact(elements, dim);
    }
    int came = tokens == null ? numbers.length : tokens.length;
    if (elements != came) {
      throw new IllegalArgumentException(
          "example " + id + " of shape " + Arrays.toString(dims) + " has " + came + " numbers");
    }
  }

  /** How many tokens or numbers it has. */
  public int size() {
    return tokens == null ? numbers.length : tokens.length;
  }

  /** Tokens and the text they come from. */
  public static Example ofTokens(
      long number, String id, String text, int[] tokens, Optional<String> label) {
    return new Example(number, id, text, tokens, null, new long[] {tokens.length}, label);
  }

  /** Numbers of a shape. */
  public static Example ofNumbers(
      long number, String id, float[] numbers, long[] dims, Optional<String> label) {
    return new Example(number, id, "", null, numbers, dims.clone(), label);
  }
}

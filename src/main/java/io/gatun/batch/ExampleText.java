package io.gatun.batch;

import io.gatun.format.TextCodec;
import io.gatun.representation.Example;
import io.gatun.representation.Feed;
import java.util.Arrays;
import java.util.Optional;

/**
 * How a text becomes an example: tokens by the model's codec, or numbers with spaces or commas
 * between. Immutable and thread-safe.
 */
final class ExampleText {
  private final Feed feed;
  private final Optional<TextCodec> codec;

  /**
   * Makes it for a network.
   *
   * @param codec of text; empty for numbers
   * @throws IllegalArgumentException if the network reads tokens and there is no codec
   */
  ExampleText(Feed feed, Optional<TextCodec> codec) {
    if (feed.takesTokens() && codec.isEmpty()) {
      throw new IllegalArgumentException(
          feed.input() + " takes tokens, and the model does not say how text becomes tokens");
    }
    this.feed = feed;
    this.codec = feed.takesTokens() ? codec : Optional.empty();
  }

  /**
   * The example of a text.
   *
   * @throws BadRecordException if it has a token that the model does not know, or not the numbers
   *     it reads
   */
  Example example(long number, String id, String text, Optional<String> label) {
    if (codec.isPresent()) {
      return Example.ofTokens(number, id, text, tokens(codec.get(), text), label);
    }
    float[] numbers = numbers(text);
    long[] dims =
        numbers.length == 0 ? new long[] {0} : ExampleLines.dims(feed.expected(), numbers.length);
    if (dims == null) {
      throw new BadRecordException(
          numbers.length
              + " numbers, but "
              + feed.input()
              + " takes "
              + Arrays.toString(feed.expected()).replace("-1", "any"));
    }
    return Example.ofNumbers(number, id, numbers, dims, label);
  }

  /** Whether tokens are those alone that a codec puts around a text. */
  static boolean isBare(TextCodec codec, int[] tokens) {
    return tokens.length == (codec.start().isPresent() ? 1 : 0) + (codec.end().isPresent() ? 1 : 0);
  }

  /**
   * The tokens of a text.
   *
   * @throws BadRecordException if the codec does not know one
   */
  static int[] tokens(TextCodec codec, String text) {
    try {
      return codec.encode(text);
    } catch (IllegalArgumentException e) {
      throw new BadRecordException(e.getMessage(), e);
    }
  }

  /**
   * The numbers of a text, with spaces or commas between, or as a list of JSON, as a column of CSV
   * has them.
   *
   * @throws BadRecordException if one is none
   */
  static float[] numbers(String line) {
    String text = line.strip();
    if (text.startsWith("[") && text.endsWith("]")) {
      text = text.substring(1, text.length() - 1).strip();
    }
    String[] words = text.isEmpty() ? new String[0] : text.split("[\\s,]+");
    float[] numbers = new float[words.length];
    for (int i = 0; i < words.length; i++) {
      try {
        numbers[i] = Float.parseFloat(words[i]);
      } catch (NumberFormatException e) {
        throw new BadRecordException(words[i] + " is no number", e);
      }
    }
    return numbers;
  }
}

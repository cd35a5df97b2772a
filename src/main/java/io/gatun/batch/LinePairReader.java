package io.gatun.batch;

import java.io.IOException;
import java.util.Objects;
import java.util.OptionalLong;

/** Reads two inputs of equally many lines side by side, such as sources and their targets. */
public final class LinePairReader implements RecordReader<LinePairReader.Pair> {
  /**
   * A line of the first input and the one with the same number of the second.
   *
   * @param first of the first input
   * @param second of the second input
   */
  public record Pair(String first, String second) {}

  private final LineReader first;
  private final LineReader second;

  /**
   * Reads two inputs side by side.
   *
   * @param first the first; its size and its place in bytes are those of the pair
   * @param second the second
   */
  public LinePairReader(LineReader first, LineReader second) {
    this.first = Objects.requireNonNull(first, "first");
    this.second = Objects.requireNonNull(second, "second");
  }

  /**
   * {@inheritDoc}
   *
   * @throws IOException also if one input ends before the other
   */
  @Override
  public InputRecord<Pair> next(Runnable waiting) throws IOException {
    InputRecord<String> left = first.next(waiting);
    InputRecord<String> right = second.next(waiting);
    if (left == null && right == null) {
      return null;
    }
    if (left == null || right == null) {
      LineReader ended = left == null ? first : second;
      LineReader longer = left == null ? second : first;
      long line = (left == null ? right : left).number();
      throw new IOException(
          ended.name()
              + " ends after line "
              + (line - 1)
              + ", but "
              + longer.name()
              + " goes on; they have to have equally many lines");
    }
    if (left.problem() != null) {
      return InputRecord.bad(
          left.number(), "of " + first.name() + ": " + left.problem(), left.endOffset());
    }
    if (right.problem() != null) {
      return InputRecord.bad(
          left.number(), "of " + second.name() + ": " + right.problem(), left.endOffset());
    }
    return InputRecord.of(left.number(), new Pair(left.value(), right.value()), left.endOffset());
  }

  @Override
  public String place(long number) {
    return first.place(number);
  }

  @Override
  public OptionalLong size() {
    return first.size();
  }
}

package io.gatun.batch;

import io.gatun.format.TextCodec;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.representation.Feed;
import java.io.IOException;
import java.util.Optional;

/**
 * Examples from lines of text: what a network of tokens reads by its codec, what others read as
 * numbers with spaces or commas between. An example's identifier is the number of its line, counted
 * from 1; a line without anything is left out. For one thread.
 */
public final class ExampleLines implements ExampleReader {
  private final LineReader lines;
  private final ExampleText text;
  private final LineReader labels;
  private long count;

  /**
   * Makes a reader.
   *
   * @param lines the data
   * @param feed the network
   * @param codec of text; empty for numbers
   * @param labels a label on each line, for the example on the same line of the data; {@code null}
   *     for none
   * @throws IllegalArgumentException if the network reads tokens and there is no codec
   */
  public ExampleLines(LineReader lines, Feed feed, Optional<TextCodec> codec, LineReader labels) {
    text = new ExampleText(feed, codec);
    this.lines = lines;
    this.labels = labels;
  }

  @Override
  public Example next() throws IOException {
    while (true) {
      InputRecord<String> line = lines.next(ExampleLines::waits);
      InputRecord<String> label = labels == null ? null : labels.next(ExampleLines::waits);
      if (labels != null && (line == null) != (label == null)) {
        long here = line == null ? label.number() - 1 : line.number();
        throw new IllegalArgumentException(
            line == null
                ? labels.name() + " has more than the " + here + " lines of " + lines.name()
                : labels.name() + " has " + (here - 1) + " lines, fewer than " + lines.name());
      }
      if (line == null) {
        return null;
      }
      if (line.problem() != null) {
        throw bad(line, line.problem());
      }
      if (line.value().isBlank()) {
        continue;
      }
      Optional<String> of =
          label == null || label.value() == null || label.value().isBlank()
              ? Optional.empty()
              : Optional.of(label.value().strip());
      try {
        return text.example(count++, Long.toString(line.number()), line.value(), of);
      } catch (BadRecordException e) {
        throw bad(line, e.getMessage());
      }
    }
  }

  /** Nobody is waiting for what was read before. */
  private static void waits() {}

  private IllegalArgumentException bad(InputRecord<String> line, String problem) {
    return new IllegalArgumentException(lines.name() + ": line " + line.number() + ": " + problem);
  }

  /** The sizes with the only one that is open found from the rest, or {@code null}. */
  public static long[] dims(long[] expected, long numbers) {
    long known = 1;
    int open = -1;
    for (int axis = 0; axis < expected.length; axis++) {
      if (expected[axis] >= 0) {
        known *= expected[axis];
      } else if (open < 0) {
        open = axis;
      } else {
        return null;
      }
    }
    long[] dims = expected.clone();
    if (open < 0) {
      return known == numbers ? dims : null;
    }
    if (known == 0 || numbers % known != 0) {
      return null;
    }
    dims[open] = numbers / known;
    return dims;
  }
}

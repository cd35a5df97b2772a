package io.gatun.batch;

import io.gatun.format.TensorFile;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.representation.Feed;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Examples from an array, such as an npy file: its first axis is that of the examples, the others
 * are those of the network's input without its batch. Identifiers are the rows, counted from 0. For
 * one thread; the file stays the caller's.
 */
public final class ExampleArray implements ExampleReader {
  private final Tensor all;
  private final Feed feed;
  private final List<String> labels;
  private int next;

  /**
   * Makes a reader.
   *
   * @param all {@code [examples, …]}
   * @param feed the network
   * @param labels of each; empty for none
   * @throws IllegalArgumentException if the shape does not fit the network, or there are not as
   *     many labels as examples
   */
  public ExampleArray(Tensor all, Feed feed, List<String> labels) {
    long[] expected = feed.expected();
    boolean fits = all.rank() == expected.length + 1;
    for (int axis = 0; fits && axis < expected.length; axis++) {
      fits = expected[axis] < 0 || expected[axis] == all.dim(axis + 1);
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "the array is "
              + all.shape()
              + ", but "
              + feed.input()
              + " takes for each example "
              + Arrays.toString(expected).replace("-1", "any")
              + ", the examples along the first axis");
    }
    if (!labels.isEmpty() && labels.size() != all.dim(0)) {
      throw new IllegalArgumentException(labels.size() + " labels for " + all.dim(0) + " examples");
    }
    this.all = all;
    this.feed = feed;
    this.labels = List.copyOf(labels);
  }

  /**
   * The only array of a file.
   *
   * @throws IllegalArgumentException if it has several
   */
  public static Tensor only(TensorFile file) {
    if (file.names().size() != 1) {
      throw new IllegalArgumentException(
          file.path() + " has the arrays " + file.names() + ", expected one");
    }
    return file.tensor(file.names().iterator().next());
  }

  @Override
  public Example next() throws IOException {
    if (next >= all.dim(0)) {
      return null;
    }
    Tensor row = all.select(0, next);
    String id = Integer.toString(next);
    Optional<String> label =
        labels.isEmpty()
            ? Optional.empty()
            : Optional.of(labels.get(next)).filter(l -> !l.isBlank());
    int number = next++;
    return feed.takesTokens()
        ? new Example(number, id, "", row.toInts(), null, row.shape().dims(), label)
        : Example.ofNumbers(number, id, row.toFloats(), row.shape().dims(), label);
  }

  @Override
  public OptionalLong count() {
    return OptionalLong.of(all.dim(0));
  }
}

package io.gatun.representation;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.OptionalLong;

/** Where examples come from, one after the other. For one thread; whoever made it closes it. */
@FunctionalInterface
public interface ExampleReader {
  /**
   * The next example, or null at the end.
   *
   * @throws IOException if the data cannot be read
   */
  Example next() throws IOException;

  /** How many there are in all, where that is known. */
  default OptionalLong count() {
    return OptionalLong.empty();
  }

  /** Those of a list. */
  static ExampleReader of(List<Example> examples) {
    Iterator<Example> each = examples.iterator();
    return new ExampleReader() {
      @Override
      public Example next() {
        return each.hasNext() ? each.next() : null;
      }

      @Override
      public OptionalLong count() {
        return OptionalLong.of(examples.size());
      }
    };
  }
}

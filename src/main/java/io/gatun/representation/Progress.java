package io.gatun.representation;

import java.util.OptionalLong;

/** Hears how a pass over data goes; called on the thread that makes it. */
@FunctionalInterface
public interface Progress {
  /** Nobody listens. */
  Progress NONE = (done, total) -> {};

  /**
   * Called after each batch.
   *
   * @param done how many examples are behind
   * @param total how many there are, where that is known
   */
  void examples(long done, OptionalLong total);
}

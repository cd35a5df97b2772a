package io.gatun.jmh.peer;

/**
 * Something that solves a problem of a kind, so that it can be checked and timed beside others that
 * solve the same: Gatun itself, and what people would use instead. Used by one thread.
 *
 * @param <P> the kind of problem, {@link LayerProblem} or {@link ProductProblem}
 */
public interface Peer<P> extends AutoCloseable {
  /**
   * The device on which Gatun competes: the others compute on the processor, whatever else is
   * there.
   */
  String PROCESSOR = "simd";

  /** What it is called in tables. */
  String name();

  /**
   * Takes over the weights, in whatever form it likes best, and the input. What happens here is not
   * timed.
   *
   * @param threads how many threads it may compute with, the calling one among them
   * @throws UnsupportedOperationException if it cannot solve this problem, with the reason
   */
  void prepare(P problem, int threads);

  /** Computes the output once. This is what is timed. */
  void run();

  /** A copy of the last run's output, row by row. */
  float[] output();

  /** Gives everything back. */
  @Override
  void close();
}

package io.gatun.batch;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How far a run is. What is answered counts, also where it still waits for its turn to be written.
 *
 * @param records how many records are answered, the bad ones included
 * @param bad how many of them have no answer
 * @param tokens how many tokens they had
 * @param bytes how many bytes of the input they were
 * @param totalBytes how many bytes the input has, where that is known
 * @param elapsed the time since the start
 */
public record BatchProgress(
    long records, long bad, long tokens, long bytes, OptionalLong totalBytes, Duration elapsed) {

  /** Returns the records per second so far; 0 at the start. */
  public double recordsPerSecond() {
    return perSecond(records);
  }

  /** Returns the tokens per second so far; 0 at the start. */
  public double tokensPerSecond() {
    return perSecond(tokens);
  }

  private double perSecond(long count) {
    double seconds = elapsed.toNanos() / 1e9;
    return seconds > 0 ? count / seconds : 0;
  }

  /** Returns which part of the input is answered, 0 to 1, where its size is known. */
  public OptionalDouble fraction() {
    if (totalBytes.isEmpty()) {
      return OptionalDouble.empty();
    }
    long total = totalBytes.getAsLong();
    return OptionalDouble.of(total <= 0 ? 1 : Math.min(1, (double) bytes / total));
  }

  /**
   * Returns the time that is left if the rest goes as fast as what is answered; empty where the
   * size of the input is not known or nothing is answered yet.
   */
  public Optional<Duration> remaining() {
    OptionalDouble fraction = fraction();
    if (fraction.isEmpty() || fraction.getAsDouble() <= 0) {
      return Optional.empty();
    }
    double done = fraction.getAsDouble();
    return Optional.of(Duration.ofNanos((long) (elapsed.toNanos() * ((1 - done) / done))));
  }
}

package io.gatun.batch;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
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
 * @param paddedTokens how many tokens their batches had when each record counts as its batch's
 *     longest one
 * @param bytes how many bytes of the input they were
 * @param totalBytes how many bytes the input of this run has, where that is known
 * @param elapsed the time since the start
 * @param times where the time went
 */
public record BatchProgress(
    long records,
    long bad,
    long tokens,
    long paddedTokens,
    long bytes,
    OptionalLong totalBytes,
    Duration elapsed,
    Times times) {

  /**
   * Where the time of a run went, by the clock.
   *
   * @param workers how many threads compute
   * @param read the time in reading and preparing records, which includes waiting for the input but
   *     not for room
   * @param compute the time in computing, that of all workers together
   * @param write the time in writing answers
   */
  public record Times(int workers, Duration read, Duration compute, Duration write) {}

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

  /** Returns which part of the places in batches held no token, 0 to 1. */
  public double padding() {
    return paddedTokens <= 0 ? 0 : Math.max(0, 1 - (double) tokens / paddedTokens);
  }

  /** Returns which part of the workers' time was not spent computing, 0 to 1. */
  public double idle() {
    double available = (double) elapsed.toNanos() * times.workers();
    return available <= 0 ? 0 : Math.max(0, 1 - times.compute().toNanos() / available);
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

  /**
   * Returns all of it as one line of JSON: counts, and with {@code _seconds} or {@code _per_second}
   * in their names durations and rates; {@code remaining_seconds} and {@code total_bytes} only
   * where they are known.
   */
  public String toJson() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.writeStartObject();
      json.writeNumberField("records", records);
      json.writeNumberField("bad", bad);
      json.writeNumberField("tokens", tokens);
      json.writeNumberField("bytes", bytes);
      if (totalBytes.isPresent()) {
        json.writeNumberField("total_bytes", totalBytes.getAsLong());
      }
      json.writeNumberField("workers", times.workers());
      json.writeNumberField("elapsed_seconds", seconds(elapsed));
      json.writeNumberField("read_seconds", seconds(times.read()));
      json.writeNumberField("compute_seconds", seconds(times.compute()));
      json.writeNumberField("write_seconds", seconds(times.write()));
      if (remaining().isPresent()) {
        json.writeNumberField("remaining_seconds", seconds(remaining().get()));
      }
      json.writeNumberField("records_per_second", rounded(recordsPerSecond()));
      json.writeNumberField("tokens_per_second", rounded(tokensPerSecond()));
      json.writeNumberField("padding", rounded(padding()));
      json.writeNumberField("idle", rounded(idle()));
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a string takes everything
    }
    return text.toString();
  }

  private static double seconds(Duration duration) {
    return rounded(duration.toNanos() / 1e9);
  }

  private static double rounded(double value) {
    return Math.round(value * 1e4) / 1e4;
  }
}

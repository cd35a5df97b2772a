package io.gatun.representation;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * One pass of data through a network for several values at once: everything behind the last of them
 * is left out, neighbours that fit are computed side by side, and no more than a batch is held. For
 * one thread.
 */
final class Pass implements AutoCloseable {
  /** The most examples, and the most numbers of the input, that are computed side by side. */
  private static final int MOST_EXAMPLES = 64;

  private static final long MOST_NUMBERS = 1L << 18;

  /** Sees each example with its part of each value. */
  interface Visitor {
    /**
     * Called in the order of the data.
     *
     * @param example the example
     * @param values its part of each value, without the axis of the batch and without what lies
     *     behind its end; gone when this returns
     */
    void visit(Example example, Tensor[] values) throws IOException;
  }

  private final Feed feed;
  private final List<Value> values;
  private final Axes[] axes;
  private final boolean sameLength;
  private final Plan plan;
  private final Execution execution;

  Pass(Feed feed, List<Value> values, Device device, Workers workers) {
    this.feed = feed;
    this.values = values;
    axes = values.stream().map(value -> Axes.of(value, feed)).toArray(Axes[]::new);
    boolean same = false;
    for (Axes each : axes) {
      // Where positions are counted otherwise than steps, nobody knows where an example ends.
      same |= !each.stepped() && each.positions().length > 0 && feed.timeAxis() >= 0;
    }
    sameLength = same;
    plan = Plan.on(device, feed.graph(), values.stream().map(Value::name).toArray(String[]::new));
    try {
      execution = plan.newExecution(workers);
    } catch (RuntimeException e) {
      plan.close();
      throw e;
    }
  }

  /**
   * The values that names and patterns mean. A name means that very value; a pattern what fits it
   * and is something for each example.
   *
   * @throws IllegalArgumentException if a name is unknown or means nothing for each example, or
   *     nothing is left
   */
  static List<Value> values(Feed feed, Collection<String> words) {
    List<Value> found = Selection.of(feed.graph(), words);
    List<Value> usable = new ArrayList<>();
    for (Value value : found) {
      try {
        Axes.of(value, feed);
        usable.add(value);
      } catch (IllegalArgumentException e) {
        if (words.contains(value.name())) {
          throw e;
        }
      }
    }
    if (usable.isEmpty()) {
      throw new IllegalArgumentException(
          "network "
              + feed.graph().name()
              + ": none of "
              + found.stream().map(Value::name).toList()
              + " is a representation of an example");
    }
    return usable;
  }

  List<Value> values() {
    return values;
  }

  Axes axes(int value) {
    return axes[value];
  }

  /** Runs over all examples and returns how many there were. */
  long run(ExampleReader reader, Progress progress, Visitor visitor) throws IOException {
    long done = 0;
    List<Example> batch = new ArrayList<>();
    long numbers = 0;
    Example next = reader.next();
    while (next != null) {
      feed.check(next);
      batch.add(next);
      long size = next.tokens() != null ? next.tokens().length : next.numbers().length;
      numbers = Math.max(numbers, size);
      next = reader.next();
      boolean fits =
          next != null
              && batch.size() < MOST_EXAMPLES
              && (batch.size() + 1) * numbers <= MOST_NUMBERS
              && feed.together(batch.get(0), next, sameLength);
      if (!fits) {
        run(batch, visitor);
        done += batch.size();
        progress.examples(done, reader.count());
        batch.clear();
        numbers = 0;
      }
    }
    return done;
  }

  /** Runs a batch. */
  void run(List<Example> batch, Visitor visitor) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      feed.give(execution, batch, arena);
      execution.run();
      Tensor[] all = new Tensor[axes.length];
      for (int i = 0; i < axes.length; i++) {
        all[i] = execution.output(values.get(i).name());
      }
      Tensor[] parts = new Tensor[axes.length];
      for (int b = 0; b < batch.size(); b++) {
        for (int i = 0; i < axes.length; i++) {
          parts[i] = axes[i].of(all[i], b, feed.steps(batch.get(b)));
        }
        visitor.visit(batch.get(b), parts);
      }
    }
  }

  @Override
  public void close() {
    try {
      execution.close();
    } finally {
      plan.close();
    }
  }
}

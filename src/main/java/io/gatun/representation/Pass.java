package io.gatun.representation;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * One pass of data through a network for several values at once: everything behind the last of them
 * is left out, neighbours that fit are computed side by side, and no more than a batch is held.
 * Thread-safe, but for its runners.
 */
final class Pass implements AutoCloseable {
  /** The most examples, and the most numbers of the input, that are computed side by side. */
  private static final int MOST_EXAMPLES = 64;

  private static final long MOST_NUMBERS = 1L << 18;

  /**
   * Sees each example with its part of each value.
   *
   * @param <E> what it may throw
   */
  interface Visitor<E extends Exception> {
    /**
     * Called in the order of the data.
     *
     * @param example the example
     * @param values its part of each value, without the axis of the batch and without what lies
     *     behind its end; gone when this returns
     */
    void visit(Example example, Tensor[] values) throws E;
  }

  private final Feed feed;
  private final List<Value> values;
  private final Axes[] axes;
  private final boolean sameLength;
  private final Plan plan;
  private final Workers workers;

  Pass(Feed feed, List<Value> values, Device device, WeightFormat format, Workers workers) {
    this.feed = feed;
    this.values = values;
    this.workers = workers;
    axes = values.stream().map(value -> Axes.of(value, feed)).toArray(Axes[]::new);
    boolean same = false;
    for (Axes each : axes) {
      // Where positions are counted otherwise than steps, nobody knows where an example ends.
      same |= !each.stepped() && each.positions().length > 0 && feed.timeAxis() >= 0;
    }
    sameLength = same;
    String[] names = values.stream().map(Value::name).toArray(String[]::new);
    plan = Plan.on(device, format, feed.graph(), names);
  }

  List<Value> values() {
    return values;
  }

  Axes axes(int value) {
    return axes[value];
  }

  /** Runs over all examples and returns how many there were. */
  long run(ExampleReader reader, Progress progress, Visitor<IOException> visitor)
      throws IOException {
    long done = 0;
    List<Example> batch = new ArrayList<>();
    long numbers = 0;
    try (Runner runner = newRunner()) {
      Example next = reader.next();
      while (next != null) {
        feed.check(next);
        batch.add(next);
        numbers = Math.max(numbers, next.size());
        next = reader.next();
        boolean fits =
            next != null
                && batch.size() < MOST_EXAMPLES
                && (batch.size() + 1) * numbers <= MOST_NUMBERS
                && together(batch.get(0), next);
        if (!fits) {
          runner.run(batch, visitor);
          done += batch.size();
          progress.examples(done, reader.count());
          batch.clear();
          numbers = 0;
        }
      }
    }
    return done;
  }

  /** Whether two examples can be computed side by side. */
  boolean together(Example a, Example b) {
    return feed.together(a, b, sameLength);
  }

  /** Makes what computes on one thread; closed before this. */
  Runner newRunner() {
    return new Runner(plan.newExecution(workers));
  }

  /** Computes on one thread, with the weights of all. */
  final class Runner implements AutoCloseable {
    private final Execution execution;

    private Runner(Execution execution) {
      this.execution = execution;
    }

    /** Runs a batch of examples that can be computed side by side. */
    <E extends Exception> void run(List<Example> batch, Visitor<E> visitor) throws E {
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
      execution.close();
    }
  }

  @Override
  public void close() {
    plan.close();
  }
}

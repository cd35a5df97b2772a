package io.gatun.representation;

import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;

/**
 * What the units of a network detect: one pass over data finds the examples that activate each unit
 * most, where in them, and how each unit is distributed.
 *
 * <pre>{@code
 * try (Detectors detectors = Detectors.of(feed, List.of("conv2"), 9)) {
 *   UnitStatistics conv2 = detectors.run(examples, Progress.NONE).get(0);
 *   UnitStatistics.Top best = conv2.top(7).get(0);
 *   BitSet[] patch = detectors.patch(0, best); // channels, rows and columns that the unit saw
 * }
 * }</pre>
 *
 * <p>For one thread; the caller closes it.
 */
public final class Detectors implements AutoCloseable {
  private final Feed feed;
  private final Pass pass;
  private final int k;

  private Detectors(Feed feed, Pass pass, int k) {
    this.feed = feed;
    this.pass = pass;
    this.k = k;
  }

  /** As {@link #of(Feed, Collection, int, Device, Workers)}, on one thread of the best device. */
  public static Detectors of(Feed feed, Collection<String> values, int k) {
    return of(feed, values, k, Devices.best(), Workers.none());
  }

  /**
   * Makes it ready.
   *
   * @param feed the network
   * @param values names and patterns
   * @param k how many examples are kept for each unit
   * @throws IllegalArgumentException if a name is unknown, a pattern fits nothing, or k is not
   *     positive
   */
  public static Detectors of(
      Feed feed, Collection<String> values, int k, Device device, Workers workers) {
    if (k < 1) {
      throw new IllegalArgumentException(k + " examples for each unit, expected at least 1");
    }
    return new Detectors(
        feed, new Pass(feed, Selection.of(feed, values), device, null, workers), k);
  }

  /** The values that are looked at. */
  public List<Value> values() {
    return pass.values();
  }

  /**
   * Goes through data once.
   *
   * @return of each value; empty where there was no example
   */
  public List<UnitStatistics> run(ExampleReader reader, Progress progress) throws IOException {
    return run(reader, progress, (example, activations) -> {});
  }

  /** Sees the activations of an example: of each value position after position, all units. */
  interface Watcher {
    void see(Example example, float[][] activations) throws IOException;
  }

  List<UnitStatistics> run(ExampleReader reader, Progress progress, Watcher watcher)
      throws IOException {
    List<UnitStatistics> all = new ArrayList<>();
    int values = values().size();
    pass.run(
        reader,
        progress,
        (example, parts) -> {
          float[][] activations = new float[values][];
          for (int i = 0; i < values; i++) {
            Axes axes = pass.axes(i);
            if (all.size() <= i) {
              all.add(new UnitStatistics(values().get(i).name(), axes.unitCount(parts[i]), k));
            }
            activations[i] = positionsFirst(axes, parts[i]);
            if (activations[i].length % all.get(i).units() != 0) {
              throw new IllegalArgumentException(
                  "example "
                      + example.id()
                      + ": "
                      + values().get(i).name()
                      + " has other units"
                      + " than those before");
            }
            all.get(i).add(example, activations[i]);
          }
          watcher.see(example, activations);
        });
    return all;
  }

  private static float[] positionsFirst(Axes axes, Tensor part) {
    return axes.positionsFirst(part).toFloats();
  }

  /**
   * What a unit saw of the input where an example activates it most: its receptive field.
   *
   * @param value which of {@link #values()}
   * @param top one of its units' best
   * @return the indices along each axis of the example
   */
  public BitSet[] patch(int value, UnitStatistics.Top top) {
    ReceptiveField field =
        ReceptiveField.of(
            feed.graph(),
            values().get(value).name(),
            feed.input().name(),
            feed.sizes(top.example()));
    Axes axes = pass.axes(value);
    long[] dims = field.valueSizes();
    long[] index = new long[dims.length];
    long left = top.position();
    for (int i = axes.positions().length - 1; i >= 0; i--) {
      int axis = axes.positions()[i];
      index[axis] = left % dims[axis];
      left /= dims[axis];
    }
    BitSet[] all = field.at(index);
    BitSet[] own = new BitSet[all.length - 1];
    for (int axis = 0, at = 0; axis < all.length; axis++) {
      if (axis != feed.batchAxis()) {
        own[at++] = all[axis];
      }
    }
    return own;
  }

  Axes axes(int value) {
    return pass.axes(value);
  }

  /** Frees the packed weights. */
  @Override
  public void close() {
    pass.close();
  }
}

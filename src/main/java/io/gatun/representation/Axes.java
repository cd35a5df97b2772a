package io.gatun.representation;

import io.gatun.graph.Dim;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * What the axes of a value mean: which one the examples lie along, which are positions (time steps,
 * or places of a plane), and which are the units that are detectors at each position. Immutable.
 *
 * @param batch the axis of the examples
 * @param positions axes of positions; none where a value is one vector for an example
 * @param units the other axes
 * @param time whether the positions are time steps, of which an example may have fewer
 * @param stepped whether they are those of the input, so that an example's own length counts
 */
record Axes(int batch, int[] positions, int[] units, boolean time, boolean stepped) {
  /** Operators whose values are channels of planes: {@code [batch, channels, places...]}. */
  private static final Set<String> PLANES =
      Set.of(
          "Conv",
          "ConvTranspose",
          "MaxPool",
          "AveragePool",
          "GlobalMaxPool",
          "GlobalAveragePool",
          "InstanceNormalization");

  /** Operators that end planes. */
  private static final Set<String> OTHERS =
      Set.of(
          "Reshape",
          "Flatten",
          "Squeeze",
          "Unsqueeze",
          "Transpose",
          "MatMul",
          "Gemm",
          "RNN",
          "GRU",
          "LSTM",
          "Gather");

  /**
   * The axes of a value.
   *
   * @throws IllegalArgumentException if it is not something for each example
   */
  static Axes of(Value value, Feed feed) {
    Dim batchDim = feed.batch();
    int batch = -1;
    if (batchDim.isKnown()) {
      boolean same =
          value.rank() > feed.batchAxis() && value.dim(feed.batchAxis()).equals(batchDim);
      batch = same ? feed.batchAxis() : -1;
    }
    for (int axis = 0; axis < value.rank() && batch < 0; axis++) {
      if (value.dim(axis).equals(batchDim)) {
        batch = axis;
      }
    }
    if (batch < 0) {
      throw new IllegalArgumentException(
          value.name()
              + " "
              + value.dims()
              + " has no axis along which examples lie side by side ("
              + batchDim
              + "), so it is no representation of an example");
    }
    boolean isPlanes = batch == 0 && value.rank() >= 3 && isPlanes(value, new HashSet<>());
    if (isPlanes) {
      int[] places = new int[value.rank() - 2];
      Arrays.setAll(places, i -> i + 2);
      return new Axes(batch, places, new int[] {1}, false, false);
    }
    int time = -1;
    boolean stepped = false;
    if (feed.time() != null) {
      for (int axis = 0; axis < value.rank() && !stepped; axis++) {
        if (axis == batch || value.dim(axis).isKnown()) {
          continue;
        }
        stepped = value.dim(axis).equals(feed.time());
        time = stepped || time < 0 ? axis : time;
      }
    }
    int timeAxis = time;
    int batchAxis = batch;
    int[] units =
        java.util.stream.IntStream.range(0, value.rank())
            .filter(axis -> axis != batchAxis && axis != timeAxis)
            .toArray();
    return new Axes(batch, time < 0 ? new int[0] : new int[] {time}, units, time >= 0, stepped);
  }

  /** Whether a value is something for each example. */
  static boolean isPerExample(Value value, Feed feed) {
    Dim batch = feed.batch();
    return batch.isKnown()
        ? value.rank() > feed.batchAxis() && value.dim(feed.batchAxis()).equals(batch)
        : value.dims().contains(batch);
  }

  private static boolean isPlanes(Value value, Set<Value> seen) {
    Node producer = value.producer();
    if (producer == null) {
      return value.rank() >= 4;
    }
    String type = producer.operator().type();
    if (PLANES.contains(type)) {
      return true;
    }
    return !OTHERS.contains(type)
        && producer.inputs().stream()
            .anyMatch(
                v ->
                    v != null
                        && v.constant() == null
                        && v.rank() == value.rank()
                        && seen.add(v)
                        && isPlanes(v, seen));
  }

  /** The part of a batch's value that is one example's, in the order of its axes. */
  Tensor of(Tensor all, int example, int steps) {
    Tensor one = all.select(batch, example);
    if (stepped) {
      int axis = positions[0] > batch ? positions[0] - 1 : positions[0];
      one = one.slice(axis, 0, steps);
    }
    return one;
  }

  /** The same with the positions as the first axes and the units behind them. */
  Tensor positionsFirst(Tensor one) {
    int[] order = new int[one.rank()];
    int at = 0;
    for (int axis : positions) {
      order[at++] = axis > batch ? axis - 1 : axis;
    }
    for (int axis : units) {
      order[at++] = axis > batch ? axis - 1 : axis;
    }
    return one.transpose(order);
  }

  /** How many units there are. */
  int unitCount(Tensor one) {
    long count = 1;
    for (int axis : units) {
      count *= one.dim(axis > batch ? axis - 1 : axis);
    }
    return Math.toIntExact(count);
  }

  /** The sizes of the positions. */
  long[] positionDims(Tensor one) {
    return Arrays.stream(positions)
        .mapToLong(axis -> one.dim(axis > batch ? axis - 1 : axis))
        .toArray();
  }
}

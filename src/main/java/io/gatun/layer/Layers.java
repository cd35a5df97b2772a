package io.gatun.layer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;

/** Layers without weights. Each adds a value of the given name; see {@link Layer#apply}. */
public final class Layers {
  private Layers() {}

  /** An activation, element by element. */
  public static Value activation(
      Graph.Builder graph, String name, Activation activation, Value input) {
    return graph.activate(name, activation, input);
  }

  /** Softmax over the last axis: {@code e^x / Σ e^x}. */
  public static Value softmax(Graph.Builder graph, String name, Value input) {
    return graph.node(name, "Softmax", Attributes.of("axis", -1), input);
  }

  /** The logarithm of the softmax over the last axis: {@code x − ln Σ e^x}. */
  public static Value logSoftmax(Graph.Builder graph, String name, Value input) {
    return graph.node(name, "LogSoftmax", Attributes.of("axis", -1), input);
  }

  /**
   * Dropout (Srivastava et al. 2014), which outside training does nothing: the value under another
   * name, without a copy.
   *
   * @param rate the share of elements that training drops
   */
  public static Value dropout(Graph.Builder graph, String name, double rate, Value input) {
    if (!(rate >= 0 && rate < 1)) {
      throw new IllegalArgumentException(name + ": rate " + rate + ", expected from 0 to below 1");
    }
    return graph.node(name, "Dropout", Attributes.of("ratio", (float) rate), input);
  }

  /**
   * The largest of each window of each channel; windows lie side by side and do not overlap, and
   * what does not fill one at the end is left out.
   *
   * @param input {@code [batch, channels, spatial...]}
   * @param window its size along each spatial axis
   */
  public static Value maxPool(Graph.Builder graph, String name, Value input, long... window) {
    return graph.node(
        name, "MaxPool", Attributes.of("kernel_shape", window, "strides", window), input);
  }

  /** The mean of each window of each channel; otherwise as {@link #maxPool}. */
  public static Value averagePool(Graph.Builder graph, String name, Value input, long... window) {
    return graph.node(
        name, "AveragePool", Attributes.of("kernel_shape", window, "strides", window), input);
  }

  /** Side by side along an axis, which may count from the end. */
  public static Value concat(Graph.Builder graph, String name, int axis, Value... values) {
    return graph.node(name, "Concat", Attributes.of("axis", axis), values);
  }

  /** The sum; shapes are broadcast against each other. */
  public static Value add(Graph.Builder graph, String name, Value left, Value right) {
    return graph.node(name, "Add", Attributes.NONE, left, right);
  }

  /** The elementwise product; shapes are broadcast against each other. */
  public static Value multiply(Graph.Builder graph, String name, Value left, Value right) {
    return graph.node(name, "Mul", Attributes.NONE, left, right);
  }

  /** All axes after the first as one. */
  public static Value flatten(Graph.Builder graph, String name, Value input) {
    return graph.node(name, "Flatten", Attributes.of("axis", 1), input);
  }

  /** The same elements in another shape: 0 keeps a size, −1 is what is left. */
  public static Value reshape(Graph.Builder graph, String name, Value input, long... dims) {
    return graph.node(name, "Reshape", Attributes.of("shape", dims), input);
  }

  /** Axes in another order: axis i of the result is axis {@code permutation[i]} of the input. */
  public static Value transpose(Graph.Builder graph, String name, Value input, int... permutation) {
    return graph.node(name, "Transpose", Attributes.of("perm", permutation), input);
  }

  /** {@code [batch, time, …]} as {@code [time, batch, …]}, which recurrent layers take; or back. */
  public static Value swapTimeAndBatch(Graph.Builder graph, String name, Value input) {
    int[] permutation = new int[input.rank()];
    for (int i = 0; i < permutation.length; i++) {
      permutation[i] = i < 2 ? 1 - i : i;
    }
    return transpose(graph, name, input, permutation);
  }

  /** The time steps in the opposite order: {@code [time, …]}. */
  public static Value reverseTime(Graph.Builder graph, String name, Value input) {
    return graph.node(
        name,
        "Slice",
        Attributes.of(
            "starts", new long[] {-1},
            "ends", new long[] {Integer.MIN_VALUE},
            "axes", new long[] {0},
            "steps", new long[] {-1}),
        input);
  }
}

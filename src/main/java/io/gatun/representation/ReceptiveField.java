package io.gatun.representation;

import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What an element of a value can see of an input: walked back through the graph, node by node, by
 * the operators' own windows, with their strides, padding and dilation. For each axis of the input
 * it is the set of indices on which the element depends. Along a chain of layers it is exact; where
 * paths of different windows meet it has both, and an operator of which nothing is known here sees
 * everything. So nothing outside ever counts. Immutable.
 */
public final class ReceptiveField {
  private final Graph graph;
  private final Value value;
  private final Value input;
  private final Map<Value, long[]> sizes;

  private ReceptiveField(Graph graph, Value value, Value input, Map<Value, long[]> sizes) {
    this.graph = graph;
    this.value = value;
    this.input = input;
    this.sizes = sizes;
  }

  /**
   * The fields of a value's elements.
   *
   * @param graph the network
   * @param value a value of it
   * @param input an input, or any value on the way
   * @param inputSizes sizes of the inputs
   * @throws IllegalArgumentException if there is no such value, or its sizes do not follow
   */
  public static ReceptiveField of(
      Graph graph, String value, String input, Map<String, long[]> inputSizes) {
    Map<Value, long[]> sizes = graph.sizes(inputSizes);
    for (String each : List.of(value, input)) {
      if (!sizes.containsKey(graph.value(each))) {
        throw new IllegalArgumentException(
            "the size of " + each + " does not follow from those of " + inputSizes.keySet());
      }
    }
    return new ReceptiveField(graph, graph.value(value), graph.value(input), sizes);
  }

  /** The sizes of the value. */
  public long[] valueSizes() {
    return sizes.get(value).clone();
  }

  /** The sizes of the input. */
  public long[] inputSizes() {
    return sizes.get(input).clone();
  }

  /**
   * What one element sees.
   *
   * @param index its index in the value
   * @return for each axis of the input the indices it depends on; empty sets where it depends on
   *     nothing of it
   */
  public BitSet[] at(long... index) {
    long[] dims = sizes.get(value);
    if (index.length != dims.length) {
      throw new IllegalArgumentException(
          Arrays.toString(index) + " is no index of " + value.name() + " " + Arrays.toString(dims));
    }
    BitSet[] start = new BitSet[dims.length];
    for (int axis = 0; axis < dims.length; axis++) {
      if (index[axis] < 0 || index[axis] >= dims[axis]) {
        throw new IndexOutOfBoundsException(
            Arrays.toString(index) + " is outside " + value.name() + " " + Arrays.toString(dims));
      }
      start[axis] = Windows.only((int) index[axis]);
    }
    Map<Value, BitSet[]> seen = new HashMap<>();
    seen.put(value, start);
    List<Node> nodes = graph.nodes();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      for (int output = 0; output < node.outputs().size(); output++) {
        Value from = node.outputs().get(output);
        BitSet[] set = seen.get(from);
        if (set != null && from != input) {
          BitSet[][] inputs = new Windows(node, output, set, sizes).inputs();
          for (int k = 0; k < inputs.length; k++) {
            if (inputs[k] != null) {
              join(seen, node.inputs().get(k), inputs[k]);
            }
          }
        }
      }
    }
    BitSet[] found = seen.get(input);
    if (found != null) {
      return found;
    }
    BitSet[] none = new BitSet[sizes.get(input).length];
    Arrays.setAll(none, axis -> new BitSet());
    return none;
  }

  private static void join(Map<Value, BitSet[]> seen, Value value, BitSet[] more) {
    BitSet[] before = seen.get(value);
    if (before == null) {
      seen.put(value, more);
      return;
    }
    for (int axis = 0; axis < before.length; axis++) {
      before[axis].or(more[axis]);
    }
  }

  @Override
  public String toString() {
    List<String> dims = new ArrayList<>();
    for (long size : sizes.get(input)) {
      dims.add(Long.toString(size));
    }
    return value.name() + " sees " + input.name() + " [" + String.join(", ", dims) + "]";
  }
}

package io.gatun.layer;

import io.gatun.graph.Graph;
import io.gatun.graph.Value;

/**
 * A layer l of a network: maps one representation y(l−1) to the next, y(l), by adding nodes to a
 * graph. The value it adds is called like the layer and can be asked for by that name.
 *
 * <p>Layers are immutable and do not own their weights: these are views, which must stay open until
 * the plans made from the graph are built, and longer where a plan uses them in place. A layer can
 * be added to any number of graphs, once to each.
 */
public interface Layer {

  /** The layer's name, and that of the value it adds. */
  String name();

  /**
   * Adds the layer to a graph.
   *
   * @param graph the graph that is being built
   * @param input the representation it works on
   * @return the representation it makes
   * @throws io.gatun.tensor.ShapeException if the input does not fit the weights
   * @throws IllegalArgumentException if the graph has a value of the layer's name already
   */
  Value apply(Graph.Builder graph, Value input);
}

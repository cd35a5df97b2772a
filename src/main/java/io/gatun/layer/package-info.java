/**
 * What a person builds a network from: dense and embedding layers, recurrent layers and their
 * wrappers, convolutions, normalisation, attention. Each layer adds nodes to a graph. The weight
 * conventions of other frameworks (gate order, reset before or after the product, biases) are
 * converted here, once, by the name of the convention.
 */
package io.gatun.layer;

package io.gatun.examples;

import io.gatun.graph.Graph;
import io.gatun.sequence.EncoderDecoder;

/** What docs/decoding.md shows. */
final class TwoGraphs {
  private TwoGraphs() {}

  static EncoderDecoder together(Graph encoder, Graph decoder) {
    return EncoderDecoder.builder(encoder, decoder)
        .state("state", "state_next", "context")
        .zeroState("cell", "cell_next")
        .memory("source", "encoded")
        .memory("source_lengths", "lengths")
        .attention("attention.weights")
        .startToken(0)
        .endTokens(1)
        .build();
  }
}

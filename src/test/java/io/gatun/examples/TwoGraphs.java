package io.gatun.examples;

import io.gatun.graph.Graph;
import io.gatun.sequence.EncoderDecoder;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.Generator;
import io.gatun.sequence.Hypothesis;
import java.util.Arrays;

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

  static void best(EncoderDecoder model, int... source) {
    try (Generator generator = model.newGenerator()) {
      Hypothesis best = generator.generate(source, GenerationOptions.beam(4));
      System.out.println(Arrays.toString(best.tokens()) + " " + best.logProbability());
    }
  }
}

/**
 * Encoder–decoder networks: two graphs and a loop. The encoder runs once, the decoder step by step
 * with its state kept on the device; a generation strategy (greedy, beam, sampling) chooses the
 * tokens, or a given target is scored. Files and text are unknown here: tokens are numbers.
 *
 * <p>An {@link io.gatun.sequence.EncoderDecoder} says how the graphs fit and is shared; a {@link
 * io.gatun.sequence.Generator} belongs to one thread; {@link io.gatun.sequence.GenerationOptions}
 * say how tokens are chosen; a {@link io.gatun.sequence.Hypothesis} is what comes out.
 *
 * <pre>{@code
 * try (EncoderDecoder model =
 *         EncoderDecoder.builder(encoder, decoder)
 *             .state("state", "state_next", "context")
 *             .startToken(0)
 *             .endTokens(1)
 *             .build();
 *     Generator generator = model.newGenerator()) {
 *   Hypothesis best = generator.generate(new int[] {4, 2, 3}, GenerationOptions.beam(4));
 *   Score score = generator.score(List.of(new int[] {4, 2, 3}), List.of(best.tokens())).get(0);
 * }
 * }</pre>
 *
 * <p>What comes out for a sentence does not depend on the rest of its batch, bit for bit, nor on
 * the number of threads.
 */
package io.gatun.sequence;

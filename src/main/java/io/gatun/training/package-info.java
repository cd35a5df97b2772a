/**
 * Training: data, vocabularies, optimisers, the loop with its checkpoints, and metrics as the field
 * computes them.
 *
 * <pre>{@code
 * EditDistance rates = new EditDistance();
 * rates.add(List.of("T", "AH"), List.of(List.of("T", "OW", "M"), List.of("T", "AA")));
 * rates.add(List.of("K"), List.of(List.of("K")));
 * assertEquals(1.0 / 3, rates.tokenErrorRate(), 1e-12);
 * assertEquals(0.5, rates.sequenceErrorRate(), 1e-12);
 * }</pre>
 */
package io.gatun.training;

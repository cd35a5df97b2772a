/**
 * Encoder–decoder networks: two graphs and a loop. The encoder runs once, the decoder step by step
 * with its state kept in place; a generation strategy (greedy, beam, sampling) chooses the tokens,
 * or a given target is scored. Files are unknown here.
 */
package io.gatun.sequence;

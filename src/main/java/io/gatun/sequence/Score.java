package io.gatun.sequence;

/**
 * How probable the network finds a given target. The array is the receiver's.
 *
 * @param logProbability the sum of {@code logProbabilities}
 * @param logProbabilities natural logarithms: one for each token of the target, and one more for
 *     the network's first end token where it has one; the same bits as a generation that makes this
 *     target reports
 */
public record Score(double logProbability, double[] logProbabilities) {}

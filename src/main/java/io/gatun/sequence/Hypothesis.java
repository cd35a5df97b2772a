package io.gatun.sequence;

/**
 * A sequence of tokens that a decoder made. The arrays are the receiver's.
 *
 * @param tokens the tokens, a required prefix included, without start and end tokens
 * @param score what hypotheses of one sentence are ranked by: {@code logProbability} divided by the
 *     {@linkplain LengthPenalty length penalty}
 * @param logProbability the sum of the logarithms of the probabilities that the network gave the
 *     tokens, and the end token where it ended by one; prefix tokens count
 * @param logProbabilities its terms, one for each token and one more for the end token where it
 *     ended by one; {@code null} unless {@linkplain GenerationOptions#logProbabilities() asked for}
 * @param attention {@code [target, source]}: for each of those terms how much of the decoder's
 *     attention each token of the source got; {@code null} unless {@linkplain
 *     GenerationOptions#attention() asked for}
 * @param end why it ended
 */
public record Hypothesis(
    int[] tokens,
    double score,
    double logProbability,
    double[] logProbabilities,
    float[][] attention,
    End end) {

  /** Why a hypothesis ended. */
  public enum End {
    /** By an end token. */
    END_TOKEN,
    /** It was as long as it may be. */
    MAX_LENGTH,
    /** The listener stopped it. */
    STOPPED,
    /** No token was allowed to follow, not even an end token. */
    NO_TOKEN_ALLOWED
  }
}

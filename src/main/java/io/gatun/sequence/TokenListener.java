package io.gatun.sequence;

/**
 * Is told each token as it is chosen, and may stop. It is called on the thread that generates, in
 * the order of steps, within a step in the order of sentences, within a sentence best first. End
 * tokens are not told. What it throws ends the generation and reaches the caller.
 */
@FunctionalInterface
public interface TokenListener {

  /** What is to happen next. */
  enum Decision {
    /** Go on. */
    CONTINUE,
    /** End this sentence: its live hypotheses end where they are. */
    STOP_SENTENCE,
    /** End all sentences of the batch after this step. */
    STOP_ALL
  }

  /**
   * A token was chosen.
   *
   * @param sentence the place of the sentence in the batch, from 0
   * @param hypothesis which of the sentence's live hypotheses: its rank at this step in beam search
   *     (another one may be there at the next step), the sample's number when sampling
   * @param position the token's place in the hypothesis, from 0
   * @param token the token
   * @param logProbability the logarithm of the probability the network gave it
   */
  Decision onToken(int sentence, int hypothesis, int position, int token, double logProbability);
}

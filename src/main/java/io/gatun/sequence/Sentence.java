package io.gatun.sequence;

import java.util.Arrays;

/**
 * What is to be decoded. Arrays are not copied; they must not change while a generator reads them.
 *
 * @param id what its random stream is derived from when tokens are sampled (its line number, say):
 *     the same id, seed and tokens give the same samples in whatever batch
 * @param tokens its tokens; none is allowed and leaves the encoder in its initial state
 * @param prefix the tokens every hypothesis must begin with; usually none
 */
public record Sentence(long id, int[] tokens, int[] prefix) {
  private static final int[] NOTHING = {};

  /** A sentence without a prefix. */
  public Sentence(long id, int... tokens) {
    this(id, tokens, NOTHING);
  }

  /** Checks that there are tokens and a prefix, if empty ones. */
  public Sentence {
    if (tokens == null || prefix == null) {
      throw new IllegalArgumentException("a sentence without tokens or prefix: give empty arrays");
    }
  }

  /** The same sentence, whose hypotheses must begin with some tokens. */
  public Sentence withPrefix(int... tokensToBeginWith) {
    return new Sentence(id, tokens, tokensToBeginWith);
  }

  @Override
  public String toString() {
    return "sentence " + id + ": " + Arrays.toString(tokens) + " -> " + Arrays.toString(prefix);
  }
}

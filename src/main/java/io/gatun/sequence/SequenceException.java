package io.gatun.sequence;

/**
 * A sentence that cannot be decoded or scored: a token the network does not know, a prefix that
 * does not fit, numbers that are none. The message names the sentence and the position in it.
 */
public class SequenceException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;
  private final int sentence;

  /**
   * Makes an exception.
   *
   * @param sentence the place of the sentence in the batch, from 0
   * @param message what is wrong with it
   */
  public SequenceException(int sentence, String message) {
    super("sentence " + sentence + ": " + message);
    this.sentence = sentence;
  }

  /** The place of the sentence in the batch that was given, from 0. */
  public int sentence() {
    return sentence;
  }
}

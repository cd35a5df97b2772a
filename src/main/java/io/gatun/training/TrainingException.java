package io.gatun.training;

/** A training cannot go on: its numbers are none any more, or its checkpoint does not fit. */
public class TrainingException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  /** An exception with a message for the person who trains. */
  public TrainingException(String message) {
    super(message);
  }
}

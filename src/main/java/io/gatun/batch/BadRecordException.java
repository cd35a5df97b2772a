package io.gatun.batch;

/**
 * One record cannot be answered: it is not what the task takes, or too long. The message says why
 * in words that fit behind a line number. The record is reported and left out, the rest goes on.
 */
public class BadRecordException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * Makes an exception.
   *
   * @param reason what was expected and what came, without the place
   */
  public BadRecordException(String reason) {
    super(reason);
  }

  /**
   * Makes an exception with a cause.
   *
   * @param reason what was expected and what came, without the place
   * @param cause what was found first
   */
  public BadRecordException(String reason, Throwable cause) {
    super(reason, cause);
  }
}

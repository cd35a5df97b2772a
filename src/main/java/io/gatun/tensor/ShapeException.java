package io.gatun.tensor;

/**
 * A shape that does not fit: sizes that contradict each other, a negative or overflowing size, an
 * axis the tensor does not have, a segment too short for its shape. The message names the thing,
 * what was expected and what came.
 */
public class ShapeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  /**
   * Makes an exception.
   *
   * @param message what was expected and what came
   */
  public ShapeException(String message) {
    super(message);
  }

  /**
   * Makes an exception with a cause.
   *
   * @param message what was expected and what came
   * @param cause what was found first
   */
  public ShapeException(String message, Throwable cause) {
    super(message, cause);
  }
}

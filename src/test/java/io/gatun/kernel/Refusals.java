package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.function.Executable;

/** The ways in which an operation refuses its operands. */
final class Refusals {
  private Refusals() {}

  /** A region is too short: the message names it, the bytes it has and the bytes needed. */
  static void tooShort(String operand, Executable operation) {
    String message = assertThrows(IndexOutOfBoundsException.class, operation).getMessage();
    assertTrue(message.startsWith(operand + " ") && message.contains("bytes"), message);
    assertTrue(message.matches(".*\\d.*"), message);
  }

  /** Something would lie outside of a region. */
  static void outside(Executable operation) {
    assertThrows(IndexOutOfBoundsException.class, operation);
  }

  /** An argument makes no sense. */
  static void refused(Executable operation) {
    RuntimeException e = assertThrows(RuntimeException.class, operation);
    assertTrue(
        e instanceof IllegalArgumentException || e instanceof IndexOutOfBoundsException,
        () -> "refused with " + e);
  }
}

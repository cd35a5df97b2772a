package io.gatun.cli;

import java.io.IOException;

/** Whoever read standard output has gone, as {@code head} does. No failure: the command ends. */
final class BrokenPipeException extends IOException {
  private static final long serialVersionUID = 1L;

  BrokenPipeException(IOException cause) {
    super("nobody reads standard output any more", cause);
  }
}

package io.gatun.cli;

/** What the command ends with. */
final class ExitCode {
  /** All went well. */
  static final int OK = 0;

  /** Nothing came of it, or not all. */
  static final int FAILURE = 1;

  /** The command line was wrong. */
  static final int USAGE = 2;

  /** The output is complete, but some lines of the input had no answer. */
  static final int BAD_LINES = 3;

  /** Whoever read the output has gone: 128 + SIGPIPE, as for a program that the signal ended. */
  static final int BROKEN_PIPE = 141;

  private ExitCode() {}
}

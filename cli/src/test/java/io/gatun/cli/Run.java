package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;

/**
 * A run of the command within the JVM of the test.
 *
 * @param code its exit code
 * @param out what it printed on standard output
 * @param err what it printed on standard error
 */
record Run(int code, String out, String err) {
  /** Runs the command with an empty standard input. */
  static Run of(String... args) {
    return with("", args);
  }

  /** Runs the command with a text as standard input. */
  static Run with(String input, String... args) {
    return with(new ByteArrayInputStream(input.getBytes(UTF_8)), args);
  }

  /** Runs the command with bytes as standard input. */
  static Run with(InputStream input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Streams streams = new Streams(input, out, new PrintStream(err, true, UTF_8), false, false);
    int code = Gatun.run(streams, args);
    return new Run(code, out.toString(UTF_8), err.toString(UTF_8));
  }
}

package io.gatun.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * What a command reads from and prints to.
 *
 * @param in standard input
 * @param out standard output; unlike {@link System#out} it throws when it cannot be written
 * @param err standard error, for messages and progress
 * @param outIsTerminal whether a person sees standard output as it is written
 * @param errIsTerminal whether a person sees standard error as it is written
 */
record Streams(
    InputStream in,
    OutputStream out,
    PrintStream err,
    boolean outIsTerminal,
    boolean errIsTerminal) {

  /** Those of the process. The launcher knows what is a terminal, Java cannot tell. */
  static Streams ofProcess() {
    return new Streams(
        new FileInputStream(FileDescriptor.in),
        new FileOutputStream(FileDescriptor.out),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        Boolean.getBoolean("gatun.terminal.out"),
        Boolean.getBoolean("gatun.terminal"));
  }
}

package io.gatun.cli;

import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * Standard output with errors that say so: a reader that has gone is a {@link BrokenPipeException},
 * all else names what could not be written.
 */
final class StandardOutput extends FilterOutputStream {
  StandardOutput(OutputStream out) {
    super(out);
  }

  @Override
  public void write(int b) throws IOException {
    try {
      out.write(b);
    } catch (IOException e) {
      throw explained(e);
    }
  }

  @Override
  public void write(byte[] bytes, int from, int count) throws IOException {
    try {
      out.write(bytes, from, count);
    } catch (IOException e) {
      throw explained(e);
    }
  }

  @Override
  public void flush() throws IOException {
    try {
      out.flush();
    } catch (IOException e) {
      throw explained(e);
    }
  }

  private IOException explained(IOException e) {
    String message = String.valueOf(e.getMessage());
    // The words depend on the language of the system; that it was a pipe does not.
    if (message.contains("Broken pipe") || message.contains("EPIPE") || isPipe()) {
      return new BrokenPipeException(e);
    }
    return new IOException("cannot write standard output: " + message, e);
  }

  /** Whether this is the process's own output and goes to another one. */
  private boolean isPipe() {
    if (!(out instanceof FileOutputStream)) {
      return false;
    }
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
      return target.startsWith("pipe:") || target.startsWith("socket:");
    } catch (IOException | UnsupportedOperationException | InvalidPathException e) {
      return false; // not a system that shows it
    }
  }
}

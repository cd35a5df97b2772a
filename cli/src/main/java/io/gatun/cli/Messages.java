package io.gatun.cli;

import io.gatun.batch.BadRecordException;
import io.gatun.format.ModelFormatException;
import io.gatun.tensor.ShapeException;
import io.gatun.training.TrainingException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.concurrent.CancellationException;

/** Exceptions in words for the person at the command line. */
final class Messages {
  private Messages() {}

  /** One line that says what is wrong and, where there is one, the way out. */
  static String of(Throwable thrown) {
    if (thrown instanceof OutOfMemoryError) {
      return "out of memory: use a smaller --batch-tokens or fewer --threads, or give Java more,"
          + " such as GATUN_JAVA_OPTS=-Xmx4g";
    }
    if (thrown instanceof IOException e) {
      return ofInputOutput(e);
    }
    if (thrown instanceof CancellationException || thrown instanceof InterruptedException) {
      return "interrupted";
    }
    if (isForUsers(thrown)) {
      return oneLine(thrown.getMessage());
    }
    return "unexpected "
        + oneLine(thrown.toString())
        + "; this is a fault of Gatun: please report it with what --stacktrace adds and"
        + " 'gatun --version'";
  }

  /** Whether somebody wrote the message for the person who gave the input. */
  private static boolean isForUsers(Throwable thrown) {
    return thrown.getMessage() != null
        && (thrown instanceof CommandException
            || thrown instanceof BadRecordException
            || thrown instanceof ModelFormatException
            || thrown instanceof ShapeException
            || thrown instanceof TrainingException
            || thrown instanceof IllegalArgumentException
            || thrown.getClass() == IllegalStateException.class);
  }

  private static String ofInputOutput(IOException e) {
    String message = e.getMessage();
    if (e instanceof NoSuchFileException) {
      return "no such file: " + message;
    }
    if (e instanceof AccessDeniedException) {
      return "permission denied: " + message;
    }
    if (e instanceof NotDirectoryException) {
      return "not a folder: " + message;
    }
    if (e instanceof FileSystemException of && of.getReason() != null) {
      return of.getFile() + ": " + of.getReason();
    }
    if (e instanceof FileNotFoundException || e instanceof InterruptedIOException) {
      return oneLine(message);
    }
    return message == null ? e.toString() : oneLine(message);
  }

  private static String oneLine(String message) {
    return message == null ? "" : message.strip().replaceAll("\\s*\\R\\s*", "; ");
  }

  /** Whether a write failed because nobody reads any more. */
  static boolean isBrokenPipe(Throwable thrown) {
    return thrown instanceof BrokenPipeException;
  }
}

package io.gatun.format;

import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * A file that is not what it claims to be: cut short, contradicting itself, of a kind that is not
 * read, or a model that does not fit its weights. The message starts with the file and, where it is
 * known, the place in it, then names the thing, what was expected and what came, such as
 *
 * <pre>weights.npz: at byte 66: 'fc_w.npy' has method 12, expected 0 (stored) or 8 (deflated)</pre>
 *
 * <p>What the file system has to say (no such file, no permission, a full disk) stays a {@link
 * java.io.IOException}.
 */
public class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String file;
  private final long offset;

  private ModelFormatException(String file, long offset, String message, Throwable cause) {
    super(message, cause);
    this.file = Objects.requireNonNull(file, "file");
    this.offset = offset;
  }

  /**
   * Makes an exception about a file as a whole.
   *
   * @param file the file
   * @param problem what was expected and what came
   * @return the exception
   */
  public static ModelFormatException in(Path file, String problem) {
    return in(file.toString(), problem, null);
  }

  /**
   * Makes an exception about a file as a whole, with a cause.
   *
   * @param file what to call the file
   * @param problem what was expected and what came
   * @param cause what was found first, or null
   * @return the exception
   */
  public static ModelFormatException in(String file, String problem, Throwable cause) {
    return new ModelFormatException(file, -1, file + ": " + problem, cause);
  }

  /**
   * Makes an exception about a place in a binary file.
   *
   * @param file the file
   * @param offset the place, in bytes from the start of the file
   * @param problem what was expected and what came
   * @return the exception
   */
  public static ModelFormatException at(Path file, long offset, String problem) {
    return at(file, offset, problem, null);
  }

  /**
   * Makes an exception about a place in a binary file, with a cause.
   *
   * @param file the file
   * @param offset the place, in bytes from the start of the file
   * @param problem what was expected and what came
   * @param cause what was found first, or null
   * @return the exception
   */
  public static ModelFormatException at(Path file, long offset, String problem, Throwable cause) {
    return new ModelFormatException(
        file.toString(), offset, file + ": at byte " + offset + ": " + problem, cause);
  }

  /**
   * Makes an exception about a line of a text file.
   *
   * @param file what to call the file
   * @param line the line, counted from 1
   * @param problem what was expected and what came
   * @param cause what was found first, or null
   * @return the exception
   */
  public static ModelFormatException atLine(
      String file, long line, String problem, Throwable cause) {
    return new ModelFormatException(file, -1, file + ": line " + line + ": " + problem, cause);
  }

  /** Returns the file as the caller named it. */
  public String file() {
    return file;
  }

  /** Returns the place in bytes from the start of the file; empty where it has none. */
  public OptionalLong offset() {
    return offset < 0 ? OptionalLong.empty() : OptionalLong.of(offset);
  }
}

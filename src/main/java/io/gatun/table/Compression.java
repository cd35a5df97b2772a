package io.gatun.table;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * A way to compress a whole file in which what was compressed piece by piece, one piece behind the
 * other, is the compressed whole. Those beside gzip are found as services of this type.
 * Thread-safe.
 */
public interface Compression {
  /** Returns what it is called, such as {@code gzip}. */
  String name();

  /** Returns how names of files end that are compressed with it, such as {@code .gz}. */
  String suffix();

  /**
   * Reads what was compressed, all pieces.
   *
   * @throws IOException if it cannot be read or is not compressed this way
   */
  InputStream reader(InputStream compressed) throws IOException;

  /**
   * Compresses a piece, which ends where the stream is closed; that also closes {@code target}. The
   * same bytes give the same bytes.
   *
   * @throws IOException if it cannot be written
   */
  OutputStream writer(OutputStream target) throws IOException;
}

package io.gatun.table;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;

/**
 * The files that a job reads and writes. {@link #system()} is the machine's; another one can stand
 * between to count, limit or break what happens. Thread-safe, what it opens is not.
 */
public interface Storage {
  /** Returns the files of the machine. */
  static Storage system() {
    return SystemStorage.INSTANCE;
  }

  /** Returns whether there is something under that name. */
  boolean exists(Path file) throws IOException;

  /** Opens a file for reading, from its start. */
  SeekableByteChannel read(Path file) throws IOException;

  /**
   * Opens a file for writing and holds it against other processes where the system can.
   *
   * @param file the file; made if it is not there
   * @param length how many of its bytes stay; writing goes on behind them
   * @throws IOException also if it is shorter than that, or another process writes it
   */
  Output write(Path file, long length) throws IOException;

  /** Puts a file in another one's place, at once and for every onlooker. */
  void rename(Path from, Path to) throws IOException;

  /** Removes a file if it is there. */
  void delete(Path file) throws IOException;

  /** Returns once the names in a folder are as safe from a loss of power as the system can make. */
  void syncFolder(Path folder) throws IOException;

  /** A file that is written from front to back. */
  interface Output extends Closeable {
    /** Writes some of the bytes, at least one if there is one. */
    void write(ByteBuffer bytes) throws IOException;

    /** Writes over bytes that were written before. */
    void patch(long position, ByteBuffer bytes) throws IOException;

    /** Returns once all that was written is safe from a loss of power. */
    void force() throws IOException;
  }
}

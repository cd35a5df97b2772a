package io.gatun.table;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Objects;

/** Where a table's bytes go: a file or a pipe, with a buffer before it. For one thread. */
public final class Sink extends OutputStream {
  private final String name;
  private final Storage.Output file;
  private final OutputStream pipe;
  private final byte[] buffer = new byte[1 << 16];
  private int used;
  private long flushed;

  private Sink(String name, Storage.Output file, OutputStream pipe, long position) {
    this.name = Objects.requireNonNull(name, "name");
    this.file = file;
    this.pipe = pipe;
    flushed = position;
  }

  /**
   * Writes to a file.
   *
   * @param name what to call it in messages
   * @param file the file; closed with this
   * @param position how many bytes it has
   */
  public static Sink to(String name, Storage.Output file, long position) {
    return new Sink(name, Objects.requireNonNull(file, "file"), null, position);
  }

  /**
   * Writes to a stream.
   *
   * @param name what to call it in messages
   * @param pipe the stream; not closed
   */
  public static Sink to(String name, OutputStream pipe) {
    return new Sink(name, null, Objects.requireNonNull(pipe, "pipe"), 0);
  }

  /** Returns what to call it in messages. */
  public String name() {
    return name;
  }

  /** Returns how many bytes there are. */
  public long position() {
    return flushed + used;
  }

  @Override
  public void write(int b) throws IOException {
    if (used == buffer.length) {
      drain();
    }
    buffer[used++] = (byte) b;
  }

  @Override
  public void write(byte[] bytes, int from, int count) throws IOException {
    if (count > buffer.length - used) {
      drain();
    }
    if (count > buffer.length) {
      pass(bytes, from, count);
    } else {
      System.arraycopy(bytes, from, buffer, used, count);
      used += count;
    }
  }

  private void drain() throws IOException {
    int count = used;
    used = 0;
    pass(buffer, 0, count);
  }

  private void pass(byte[] bytes, int from, int count) throws IOException {
    if (count == 0) {
      return;
    }
    if (file == null) {
      pipe.write(bytes, from, count); // says itself what is wrong
    } else {
      try {
        ByteBuffer left = ByteBuffer.wrap(bytes, from, count);
        while (left.hasRemaining()) {
          file.write(left);
        }
      } catch (IOException e) {
        throw failed(e);
      }
    }
    flushed += count;
  }

  /** Hands all bytes on. */
  @Override
  public void flush() throws IOException {
    drain();
    if (pipe != null) {
      pipe.flush();
    }
  }

  /**
   * Returns once all bytes are safe from a loss of power; of a pipe, handed on.
   *
   * @throws IOException if that fails
   */
  public void force() throws IOException {
    flush();
    if (file != null) {
      try {
        file.force();
      } catch (IOException e) {
        throw failed(e);
      }
    }
  }

  /**
   * Writes over earlier bytes.
   *
   * @param position where
   * @param bytes what
   * @throws IOException if that fails
   * @throws IllegalArgumentException if it is a pipe
   */
  public void patch(long position, byte[] bytes) throws IOException {
    if (file == null) {
      throw new IllegalArgumentException(
          "this format is written to a file, not to " + name + ": say which with --output");
    }
    flush();
    try {
      file.patch(position, ByteBuffer.wrap(bytes));
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private IOException failed(IOException e) {
    return new IOException("cannot write " + name + ": " + e.getMessage(), e);
  }

  /** Closes a file without handing on what is in the buffer. */
  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}

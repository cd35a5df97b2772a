package io.gatun.table;

import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/** Where a table's bytes are: a file or a pipe, perhaps compressed. */
public final class TableSource {
  private final String name;
  private final Path file;
  private final Storage storage;
  private final InputStream pipe;
  private final Compression compression;

  private TableSource(
      String name, Path file, Storage storage, InputStream pipe, Compression compression) {
    this.name = name;
    this.file = file;
    this.storage = storage;
    this.pipe = pipe;
    this.compression = compression;
  }

  /**
   * A file.
   *
   * @param file the file
   * @param storage reads it
   * @param compression how it is compressed, or null
   */
  public static TableSource of(Path file, Storage storage, Compression compression) {
    return new TableSource(
        file.toString(), file, Objects.requireNonNull(storage, "storage"), null, compression);
  }

  /**
   * A stream.
   *
   * @param name what to call it in messages
   * @param pipe the stream; not closed
   * @param compression how it is compressed, or null
   */
  public static TableSource of(String name, InputStream pipe, Compression compression) {
    return new TableSource(name, null, null, Objects.requireNonNull(pipe, "pipe"), compression);
  }

  /** Returns what to call it in messages. */
  public String name() {
    return name;
  }

  /** Returns the file, where it is one. */
  public Optional<Path> file() {
    return Optional.ofNullable(file);
  }

  /**
   * Returns how many bytes {@link #stream} has, where that is known: not of a pipe, nor of what is
   * compressed.
   */
  public OptionalLong size() throws IOException {
    return file != null && compression == null && Files.isRegularFile(file)
        ? OptionalLong.of(Files.size(file))
        : OptionalLong.empty();
  }

  /**
   * Opens a file for reading at any place.
   *
   * @throws IOException if that fails, or if it is a pipe or compressed
   */
  public SeekableByteChannel channel() throws IOException {
    if (file == null || compression != null) {
      throw new IOException(
          name
              + " has to be a file that is not compressed as a whole: this format is not read"
              + " from front to back");
    }
    return storage.read(file);
  }

  /**
   * Opens it for reading from front to back, decompressed.
   *
   * @return the bytes; closing it leaves a pipe open
   * @throws IOException if that fails, named
   */
  public InputStream stream() throws IOException {
    InputStream raw =
        file == null
            ? new FilterInputStream(pipe) {
              @Override
              public void close() {}
            }
            : Channels.newInputStream(storage.read(file));
    if (compression == null) {
      return raw;
    }
    try {
      return new Decompressed(compression.reader(raw));
    } catch (IOException | RuntimeException e) {
      raw.close();
      throw broken(e);
    }
  }

  private IOException broken(Exception e) {
    String problem =
        e instanceof EOFException
            ? "it ends in the middle of its compressed data"
            : String.valueOf(e.getMessage());
    return new IOException("no whole " + compression.name() + " data: " + problem, e);
  }

  /** Says of broken data that it is; what is behind a cut must not look like the end. */
  private final class Decompressed extends FilterInputStream {
    Decompressed(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int from, int count) throws IOException {
      try {
        return in.read(bytes, from, count);
      } catch (EOFException e) {
        throw broken(e);
      } catch (IOException e) {
        throw e instanceof java.util.zip.ZipException ? broken(e) : e;
      } catch (RuntimeException e) {
        throw broken(e);
      }
    }
  }
}

package io.gatun.table;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** The files of the machine. */
final class SystemStorage implements Storage {
  static final SystemStorage INSTANCE = new SystemStorage();

  private SystemStorage() {}

  @Override
  public boolean exists(Path file) {
    return Files.exists(file);
  }

  @Override
  public SeekableByteChannel read(Path file) throws IOException {
    return Files.newByteChannel(file, StandardOpenOption.READ);
  }

  @Override
  public Output write(Path file, long length) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      lock(file, channel);
      if (channel.size() < length) {
        throw new IOException(
            file + " has " + channel.size() + " bytes, expected at least " + length);
      }
      channel.truncate(length);
      channel.position(length);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
    return new File(channel);
  }

  /** The lock is gone with the channel, also when the process dies. */
  private static void lock(Path file, FileChannel channel) throws IOException {
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      throw new IOException(file + " is being written by this process already", e);
    } catch (IOException e) {
      return; // a file system without locks
    }
    if (lock == null) {
      throw new IOException(file + " is being written by another process");
    }
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  @Override
  public void delete(Path file) throws IOException {
    Files.deleteIfExists(file);
  }

  @Override
  public void syncFolder(Path folder) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(folder, StandardOpenOption.READ);
    } catch (IOException e) {
      return; // a system on which folders are no files
    }
    try (channel) {
      channel.force(true);
    }
  }

  private record File(FileChannel channel) implements Output {
    @Override
    public void write(ByteBuffer bytes) throws IOException {
      channel.write(bytes);
    }

    @Override
    public void patch(long position, ByteBuffer bytes) throws IOException {
      long at = position;
      while (bytes.hasRemaining()) {
        at += channel.write(bytes, at);
      }
    }

    @Override
    public void force() throws IOException {
      channel.force(true);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}

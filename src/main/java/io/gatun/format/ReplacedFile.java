package io.gatun.format;

import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/**
 * A file that is written beside its place and takes it when it is complete, so that nobody ever
 * sees half of it. Closed without {@link #commit()}, it leaves nothing behind.
 */
final class ReplacedFile implements AutoCloseable {
  /** How much of a tensor is handed to the channel at a time. */
  private static final long CHUNK = 1L << 24;

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private boolean committed;

  private ReplacedFile(Path target, Path temporary, FileChannel channel) {
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
  }

  static ReplacedFile open(Path file) throws IOException {
    // A link is followed, so that the file it points to is replaced and not the link.
    Path target = Files.exists(file) ? file.toRealPath() : file.toAbsolutePath();
    Path name = target.getFileName();
    Path folder = target.getParent();
    if (name == null || folder == null || Files.isDirectory(target)) {
      throw new IOException(file + " is a folder, expected the name of a file");
    }
    for (int attempt = 0; ; attempt++) {
      Path temporary =
          folder.resolve("." + name + "." + ProcessHandle.current().pid() + "." + attempt + ".tmp");
      if (Files.exists(temporary)) {
        continue;
      }
      FileChannel channel =
          FileChannel.open(
              temporary,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE_NEW);
      return new ReplacedFile(target, temporary, channel);
    }
  }

  void write(byte[] bytes) throws IOException {
    write(ByteBuffer.wrap(bytes));
  }

  private void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Writes the numbers in C order; a view that is not in that order is copied for it. */
  void write(Tensor tensor) throws IOException {
    if (tensor.elements() == 0) {
      return;
    }
    if (!tensor.isContiguous()) {
      try (Arena arena = Arena.ofConfined()) {
        write(tensor.contiguous(arena));
      }
      return;
    }
    MemorySegment data = tensor.segment();
    for (long done = 0; done < data.byteSize(); done += CHUNK) {
      write(data.asSlice(done, Math.min(CHUNK, data.byteSize() - done)).asByteBuffer());
    }
  }

  /** The file itself, for those who write elsewhere than at its end. */
  FileChannel channel() {
    return channel;
  }

  /** The checksum of what {@link #write(Tensor)} would write. */
  static void addTo(CRC32 checksum, Tensor tensor) {
    if (tensor.elements() == 0) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MappedFile.addTo(checksum, tensor.contiguous(arena).segment());
    }
  }

  /** Puts the file in its place. */
  void commit() throws IOException {
    channel.force(true);
    channel.close();
    try {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      // A file system without atomic moves; the next best thing is still one step.
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
    committed = true;
  }

  @Override
  public void close() throws IOException {
    if (!committed) {
      try {
        channel.close();
      } finally {
        Files.deleteIfExists(temporary);
      }
    }
  }
}

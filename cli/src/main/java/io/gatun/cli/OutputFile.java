package io.gatun.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CancellationException;

/**
 * A file that is written beside its place and takes it when it is complete. Unless {@link #commit}
 * was called nothing is left behind: not by a failure, not by Ctrl-C. A device or pipe, such as
 * {@code /dev/null}, is written as it is.
 */
final class OutputFile extends OutputStream {
  private final Path shown;
  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private final Thread hook;
  private boolean ended;

  private OutputFile(Path shown, Path target, Path temporary, FileChannel channel) {
    this.shown = shown;
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
    hook = temporary == null ? null : new Thread(this::discard, "gatun-output-cleaner");
    if (hook != null) {
      Runtime.getRuntime().addShutdownHook(hook);
    }
  }

  /**
   * Opens a file for writing.
   *
   * @param file where it will be; a link is followed
   * @throws IOException if there is no such folder, or it must not be written
   */
  static OutputFile open(Path file) throws IOException {
    Path target = Files.exists(file) ? file.toRealPath() : file.toAbsolutePath().normalize();
    if (Files.isDirectory(target)) {
      throw new CommandException(file + " is a folder, expected the name of a file to write");
    }
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      return new OutputFile(file, target, null, FileChannel.open(target, StandardOpenOption.WRITE));
    }
    Path folder = target.getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new CommandException("there is no folder " + folder + " to write " + file + " in");
    }
    if (Files.exists(target) && !Files.isWritable(target)) {
      throw new CommandException(file + " is there and must not be written");
    }
    long process = ProcessHandle.current().pid();
    for (int attempt = 0; ; attempt++) {
      Path temporary =
          folder.resolve("." + target.getFileName() + "." + process + "." + attempt + ".tmp");
      if (!Files.exists(temporary)) {
        FileChannel channel =
            FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        OutputFile output = new OutputFile(file, target, temporary, channel);
        keepPermissions(target, temporary);
        return output;
      }
    }
  }

  /** Whoever could read the file before can read it afterwards. */
  private static void keepPermissions(Path from, Path to) throws IOException {
    if (Files.exists(from) && Files.getFileStore(from).supportsFileAttributeView("posix")) {
      Files.setPosixFilePermissions(to, Files.getPosixFilePermissions(from));
    }
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int from, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes, from, count);
    try {
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    } catch (IOException e) {
      throw new IOException("cannot write " + shown + ": " + e.getMessage(), e);
    }
  }

  /**
   * Puts the file in its place, once its bytes are on the disk.
   *
   * @throws IOException if that fails; then the place is as it was
   * @throws CancellationException if the JVM is ending; then the place is as it was
   */
  void commit() throws IOException {
    synchronized (this) {
      if (temporary == null) {
        channel.close();
      } else {
        try {
          channel.force(true);
          channel.close();
          // Ctrl-C also ends whoever writes the input, so its end may be no end at all.
          if (isShuttingDown()) {
            throw new CancellationException();
          }
          move();
        } catch (IOException e) {
          throw new IOException("cannot write " + shown + ": " + e.getMessage(), e);
        }
      }
      ended = true;
    }
    forgetHook();
  }

  private static boolean isShuttingDown() {
    Thread probe = new Thread(() -> {}, "gatun-probe");
    try {
      Runtime.getRuntime().addShutdownHook(probe);
      Runtime.getRuntime().removeShutdownHook(probe);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  private void move() throws IOException {
    try {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** Removes what was written unless it is in its place. */
  @Override
  public void close() {
    discard();
    forgetHook();
  }

  /** Also called while the JVM ends; after it nothing is put in its place any more. */
  private synchronized void discard() {
    if (ended) {
      return;
    }
    ended = true;
    try {
      channel.close();
      if (temporary != null) {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      System.getLogger("io.gatun.cli")
          .log(System.Logger.Level.WARNING, "{0} is left behind: {1}", temporary, e.getMessage());
    }
  }

  private void forgetHook() {
    if (hook == null) {
      return;
    }
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is ending and runs the hook, which finds nothing to do.
      assert ended;
    }
  }
}

package io.gatun.format;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Writes an npy file row by row where nobody knows yet how many there will be. The file is mapped
 * in pieces, so that whoever computes a row can write it where it stays; it appears under its name
 * when it is complete, and closed without {@link #commit()} it leaves nothing behind.
 *
 * <pre>{@code
 * try (NpyRows rows = NpyRows.open(file, DType.FLOAT32, 256)) {
 *   rows.next(1).copyFrom(state); // [1, 256]
 *   rows.commit();
 * }
 * }</pre>
 *
 * <p>For one thread.
 */
public final class NpyRows implements AutoCloseable {
  /** How much of the file is mapped at a time, unless what is asked for is more. */
  private static final long PIECE = 1L << 25;

  /** More than any file has; the header leaves room for the number of rows. */
  private static final long MOST_NUMBERS = 1L << 55;

  private static final byte[] ZEROS = new byte[1 << 16];

  private final ReplacedFile file;
  private final DType type;
  private final long[] row;
  private final long rowBytes;
  private final int headerBytes;
  private long rows;
  private Arena arena;
  private MemorySegment piece;
  private long pieceOffset;

  private NpyRows(ReplacedFile file, DType type, long[] row) throws IOException {
    this.file = file;
    this.type = type;
    this.row = row;
    long elements = Shape.of(row).elements();
    rowBytes = Math.multiplyExact(elements, (long) type.bytes());
    headerBytes = NpyHeader.write(type, sizes(MOST_NUMBERS / Math.max(1, elements))).length;
    file.write(new byte[headerBytes]);
  }

  /**
   * Begins a file.
   *
   * @param path where it will be; replaced if it exists
   * @param type of its numbers, not bfloat16
   * @param row the sizes of a row, without the first axis
   * @throws IOException if it cannot be written
   * @throws IllegalArgumentException for bfloat16, which npy has no type for
   */
  public static NpyRows open(Path path, DType type, long... row) throws IOException {
    ReplacedFile file = ReplacedFile.open(path);
    try {
      return new NpyRows(file, type, row.clone());
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private Shape sizes(long count) {
    long[] all = new long[row.length + 1];
    all[0] = count;
    System.arraycopy(row, 0, all, 1, row.length);
    return Shape.of(all);
  }

  /** How many rows there are. */
  public long rows() {
    return rows;
  }

  /**
   * The place of the next rows in the file, to be written to before the next call.
   *
   * @param count how many
   * @return {@code [count, row...]}, zeros
   * @throws IOException if there is no room for them
   */
  public Tensor next(long count) throws IOException {
    long bytes = Math.multiplyExact(count, rowBytes);
    long offset = headerBytes + rows * rowBytes;
    if (piece == null || offset + bytes > pieceOffset + piece.byteSize()) {
      map(offset, Math.max(bytes, PIECE));
    }
    rows += count;
    long[] dims = sizes(count).dims();
    return Tensor.wrap(piece.asSlice(offset - pieceOffset, bytes), type, dims);
  }

  private void map(long offset, long bytes) throws IOException {
    unmap();
    FileChannel channel = file.channel();
    // Written first: a full disk is then an exception here, and no fault at some later store.
    channel.position(offset);
    for (long done = 0; done < bytes; ) {
      done += channel.write(ByteBuffer.wrap(ZEROS, 0, (int) Math.min(ZEROS.length, bytes - done)));
    }
    arena = Arena.ofConfined();
    pieceOffset = offset;
    piece = channel.map(FileChannel.MapMode.READ_WRITE, offset, bytes, arena);
  }

  private void unmap() {
    if (arena != null) {
      arena.close();
      arena = null;
      piece = null;
    }
  }

  /**
   * Puts the file in its place, with the number of rows it has now.
   *
   * @throws IOException if that fails; then what was there before stays
   */
  public void commit() throws IOException {
    unmap();
    FileChannel channel = file.channel();
    channel.truncate(headerBytes + rows * rowBytes);
    channel.position(0);
    file.write(NpyHeader.write(type, sizes(rows), headerBytes));
    file.commit();
  }

  /** Removes what was written unless it is in its place. */
  @Override
  public void close() throws IOException {
    unmap();
    file.close();
  }
}

package io.gatun.kernel;

/**
 * A place in a {@link Buffer}: where one value lies. Regions are made once, when a computation is
 * set up, and may be pointed elsewhere later, so that running it makes no object.
 */
public final class Region {
  private Buffer buffer;
  private long offset;
  private long bytes;

  /** A region that points nowhere yet. */
  public Region() {}

  /** The whole of a buffer. */
  public Region(Buffer buffer) {
    this(buffer, 0, buffer.bytes());
  }

  /** The {@code bytes} bytes of a buffer from {@code offset} on. */
  public Region(Buffer buffer, long offset, long bytes) {
    set(buffer, offset, bytes);
  }

  /**
   * Points to the {@code bytes} bytes of a buffer from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException if they are not all within the buffer
   */
  public Region set(Buffer buffer, long offset, long bytes) {
    if (offset < 0 || bytes < 0 || bytes > buffer.bytes() - offset) {
      throw new IndexOutOfBoundsException(
          bytes + " bytes at " + offset + " of a buffer of " + buffer.bytes() + " bytes");
    }
    this.buffer = buffer;
    this.offset = offset;
    this.bytes = bytes;
    return this;
  }

  /** Points where another region points. */
  public Region set(Region other) {
    this.buffer = other.buffer;
    this.offset = other.offset;
    this.bytes = other.bytes;
    return this;
  }

  /** The buffer; {@code null} while the region points nowhere. */
  public Buffer buffer() {
    return buffer;
  }

  /** The offset of the first byte in the buffer. */
  public long offset() {
    return offset;
  }

  /** The size in bytes. */
  public long bytes() {
    return bytes;
  }

  @Override
  public String toString() {
    return bytes + " bytes at " + offset;
  }
}

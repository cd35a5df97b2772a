package io.gatun.batch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * Reads lines of text in UTF-8. A line ends with a line feed, or a carriage return and a line feed,
 * which do not belong to it; the last one may end without. A byte order mark at the very start is
 * left out.
 *
 * <p>A line that is no UTF-8 or longer than the bound is an {@link InputRecord} with a problem; no
 * more of it than the bound is held in memory.
 */
public final class LineReader implements RecordReader<String> {
  /** The longest line in bytes, if nothing else is said. */
  public static final int MAX_LINE_BYTES = 1 << 20;

  private final String name;
  private final InputStream in;
  private final OptionalLong size;
  private final int maxLineBytes;
  private final boolean keepsCarriageReturns;
  private final CharsetDecoder utf8 =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT);

  private final byte[] buffer = new byte[1 << 16];
  private int at;
  private int filled;
  private long consumed;
  private long number;

  // The part of a line that came with earlier buffers.
  private byte[] line = new byte[256];
  private int lineLength;

  /**
   * Reads lines of up to {@link #MAX_LINE_BYTES} from a stream of unknown size.
   *
   * @param name what to call the input in messages
   * @param in the stream; it need not be buffered, and is not closed
   */
  public LineReader(String name, InputStream in) {
    this(name, in, OptionalLong.empty(), MAX_LINE_BYTES);
  }

  /**
   * Reads lines from a stream.
   *
   * @param name what to call the input in messages
   * @param in the stream; it need not be buffered, and is not closed
   * @param size how many bytes it has, where that is known
   * @param maxLineBytes the longest line in bytes, its end not counted
   */
  public LineReader(String name, InputStream in, OptionalLong size, int maxLineBytes) {
    this(name, in, size, maxLineBytes, false);
  }

  /**
   * Reads lines from a stream, which end with a line feed alone where carriage returns are kept.
   *
   * @param name what to call the input in messages
   * @param in the stream; it need not be buffered, and is not closed
   * @param size how many bytes it has, where that is known
   * @param maxLineBytes the longest line in bytes, its end not counted
   * @param keepCarriageReturns whether a carriage return before the line feed belongs to the line
   */
  public LineReader(
      String name,
      InputStream in,
      OptionalLong size,
      int maxLineBytes,
      boolean keepCarriageReturns) {
    this.keepsCarriageReturns = keepCarriageReturns;
    this.name = Objects.requireNonNull(name, "name");
    this.in = Objects.requireNonNull(in, "in");
    this.size = Objects.requireNonNull(size, "size");
    if (maxLineBytes < 1) {
      throw new IllegalArgumentException(
          "the longest line is " + maxLineBytes + " bytes, expected at least 1");
    }
    this.maxLineBytes = maxLineBytes;
  }

  /** Returns what to call the input in messages. */
  public String name() {
    return name;
  }

  @Override
  public OptionalLong size() {
    return size;
  }

  @Override
  public String place(long record) {
    return name + ": line " + record;
  }

  @Override
  public InputRecord<String> next(Runnable waiting) throws IOException {
    lineLength = 0;
    long length = 0; // of the line, also of what is not kept
    boolean carriageReturn = false; // whether the last byte was one
    boolean complete = false;
    while (!complete && (at < filled || fill(waiting))) {
      int end = at;
      while (end < filled && buffer[end] != '\n') {
        end++;
      }
      keep(at, end);
      length += end - at;
      if (end > at) {
        carriageReturn = buffer[end - 1] == '\r';
      }
      complete = end < filled;
      consumed += end - at + (complete ? 1 : 0);
      at = complete ? end + 1 : end;
    }
    if (!complete && length == 0) {
      return null;
    }
    if (carriageReturn && !keepsCarriageReturns) {
      length--;
      lineLength = (int) Math.min(lineLength, length);
    }
    return line(length);
  }

  private boolean fill(Runnable waiting) throws IOException {
    at = 0;
    filled = 0;
    try {
      if (in.available() <= 0) {
        waiting.run();
      }
      filled = Math.max(0, in.read(buffer));
    } catch (IOException e) {
      throw new IOException("cannot read " + name + ": " + e.getMessage(), e);
    }
    return filled > 0;
  }

  private void keep(int from, int to) {
    // One byte more than the bound, which may be the carriage return that does not count.
    int count = Math.min(to - from, maxLineBytes + 1 - lineLength);
    if (lineLength + count > line.length) {
      long grown = Math.min(2L * (lineLength + count), maxLineBytes + 1L);
      line = Arrays.copyOf(line, (int) grown);
    }
    System.arraycopy(buffer, from, line, lineLength, count);
    lineLength += count;
  }

  private InputRecord<String> line(long length) {
    number++;
    if (length > maxLineBytes) {
      return InputRecord.bad(number, length + " bytes, expected at most " + maxLineBytes, consumed);
    }
    int from = number == 1 && startsWithByteOrderMark() ? 3 : 0;
    int bits = 0;
    for (int i = from; i < lineLength; i++) {
      bits |= line[i];
    }
    if (bits >= 0) { // ASCII alone: no byte has its sign
      return InputRecord.of(
          number, new String(line, from, lineLength - from, StandardCharsets.ISO_8859_1), consumed);
    }
    ByteBuffer bytes = ByteBuffer.wrap(line, from, lineLength - from);
    try {
      return InputRecord.of(number, utf8.decode(bytes).toString(), consumed);
    } catch (CharacterCodingException e) {
      int at = bytes.position();
      String found = "byte " + (at - from + 1) + " is 0x" + Integer.toHexString(line[at] & 0xff);
      return InputRecord.bad(number, "no UTF-8: " + found, consumed);
    }
  }

  private boolean startsWithByteOrderMark() {
    return lineLength >= 3
        && line[0] == (byte) 0xef
        && line[1] == (byte) 0xbb
        && line[2] == (byte) 0xbf;
  }
}

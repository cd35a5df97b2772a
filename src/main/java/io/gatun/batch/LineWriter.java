package io.gatun.batch;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * Writes answers as text in UTF-8, each ended by a line feed.
 *
 * @param <O> what an answer is
 */
public final class LineWriter<O> implements RecordWriter<O> {
  /**
   * How an answer looks.
   *
   * @param <O> what an answer is
   */
  public interface Format<O> {
    /**
     * Makes the text of an answer.
     *
     * @param number the record's number, counted from 1
     * @param answer the answer, or null where the record has none; an empty line there keeps the
     *     line numbers those of the input
     * @return the text without the line feed at its end, or null to write nothing; with line feeds
     *     of its own it is several lines
     */
    String text(long number, O answer);
  }

  private final OutputStream out;
  private final Format<? super O> format;
  private final byte[] buffer = new byte[1 << 16];
  private int used;

  /**
   * Writes to a stream.
   *
   * @param out the stream; it need not be buffered, and is not closed
   * @param format makes the text of an answer
   */
  public LineWriter(OutputStream out, Format<? super O> format) {
    this.out = Objects.requireNonNull(out, "out");
    this.format = Objects.requireNonNull(format, "format");
  }

  @Override
  public void write(long number, O answer) throws IOException {
    String text = format.text(number, answer);
    if (text != null) {
      write(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  @Override
  public void skip(long number) throws IOException {
    write(number, null);
  }

  private void write(byte[] text) throws IOException {
    if (used + text.length + 1 > buffer.length) {
      drain();
    }
    if (text.length + 1 > buffer.length) {
      out.write(text);
    } else {
      System.arraycopy(text, 0, buffer, used, text.length);
      used += text.length;
    }
    buffer[used++] = '\n';
  }

  @Override
  public void flush() throws IOException {
    drain();
    out.flush();
  }

  private void drain() throws IOException {
    int count = used;
    used = 0;
    out.write(buffer, 0, count);
  }
}

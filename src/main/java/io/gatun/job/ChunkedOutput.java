package io.gatun.job;

import io.gatun.table.Compression;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableFormat;
import io.gatun.table.TableWriter;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;

/** A table on its way out: perhaps compressed, chunk by chunk. */
final class ChunkedOutput {
  private final Sink sink;
  private final Piece piece;
  private final TableWriter writer;
  private final boolean pipe;

  /** Whether the bytes depend on where chunks end. */
  final boolean chunked;

  /**
   * Begins a table or goes on with one.
   *
   * @param sink where its bytes go in the end
   * @param pipe whether somebody waits for them there
   */
  ChunkedOutput(
      TableFormat format,
      Compression compression,
      Sink sink,
      boolean pipe,
      Schema schema,
      List<String> chunks)
      throws IOException {
    this.sink = sink;
    this.pipe = pipe;
    if (compression != null && !format.streams()) {
      throw new IllegalArgumentException(
          format.name() + " is not compressed as a whole: leave " + compression.suffix() + " out");
    }
    chunked = format.chunked() || compression != null;
    piece = compression == null ? null : new Piece(compression, sink);
    writer = format.writer(piece == null ? sink : Sink.to(sink.name(), piece), schema, chunks);
  }

  void write(Object[] values) throws IOException {
    writer.write(values);
  }

  /** Hands all rows to the sink, and ends the compressed piece. */
  String endChunk() throws IOException {
    String chunk = writer.endChunk();
    if (piece != null) {
      piece.end();
    }
    return chunk;
  }

  /** Lets those who read a pipe see what is there, where that changes nothing. */
  void pause() throws IOException {
    if (pipe && !chunked) {
      writer.endChunk();
      sink.flush();
    }
  }

  /** Writes the end of the table; the last chunk has been ended. */
  void finish() throws IOException {
    writer.finish();
    if (piece != null) {
      if (sink.position() == 0) {
        piece.begin(); // a compressed nothing is not nothing
      }
      piece.end();
    }
  }

  /** Compresses what is written between two ends on its own. */
  private static final class Piece extends OutputStream {
    private final Compression compression;
    private final Sink sink;
    private OutputStream current;

    Piece(Compression compression, Sink sink) {
      this.compression = compression;
      this.sink = sink;
    }

    void begin() throws IOException {
      if (current == null) {
        current =
            compression.writer(
                new FilterOutputStream(sink) {
                  @Override
                  public void write(byte[] bytes, int from, int count) throws IOException {
                    out.write(bytes, from, count);
                  }

                  @Override
                  public void flush() {}

                  @Override
                  public void close() {}
                });
      }
    }

    void end() throws IOException {
      if (current != null) {
        current.close();
        current = null;
      }
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
      if (count > 0) {
        begin();
        current.write(bytes, from, count);
      }
    }
  }
}

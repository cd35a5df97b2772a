package io.gatun.table;

import io.gatun.batch.InputRecord;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;

/**
 * Signals: a file in the format WAVE is one row, {@code file}, {@code rate} (in hertz) and {@code
 * samples}, floats of −1 to 1 of one channel. Read are whole numbers of 8, 16, 24 and 32 bits and
 * floats of 32 (Multimedia Programming Interface and Data Specifications 1.0, and its extensible
 * form).
 */
final class WavFormat implements TableFormat {
  private static final int PCM = 1;
  private static final int FLOAT = 3;
  private static final int EXTENSIBLE = 0xfffe;

  /** The longest recording: an hour and a half at 48 kHz. */
  private static final long MAX_SAMPLES = 1L << 28;

  private static final Schema SCHEMA =
      Schema.of(
          new Column("file", ColumnType.TEXT),
          new Column("rate", ColumnType.INTEGER),
          new Column("samples", ColumnType.listOf(ColumnType.FLOAT)));

  @Override
  public String name() {
    return "wav";
  }

  @Override
  public List<String> suffixes() {
    return List.of(".wav");
  }

  @Override
  public boolean streams() {
    return true;
  }

  @Override
  public boolean chunked() {
    return false;
  }

  @Override
  public boolean writes() {
    return false;
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) {
    throw new IllegalArgumentException("wav is not written");
  }

  @Override
  public TableReader reader(TableSource source, ReadOptions options) throws IOException {
    InputStream in = source.stream();
    OptionalLong size = source.size();
    return new TableReader() {
      private boolean read;

      @Override
      public Schema schema() {
        return SCHEMA;
      }

      @Override
      public OptionalLong size() {
        return size;
      }

      @Override
      public String unit() {
        return "";
      }

      @Override
      public InputRecord<Row> next(Runnable waiting) throws IOException {
        if (read) {
          return null;
        }
        read = true;
        waiting.run();
        try {
          Row row = recording(source.name(), new DataInputStream(in));
          return InputRecord.of(1, row, size.orElse(0));
        } catch (EOFException e) {
          return InputRecord.bad(1, "the recording ends in the middle", size.orElse(0));
        } catch (NoRecording e) {
          return InputRecord.bad(1, e.getMessage(), size.orElse(0));
        }
      }

      @Override
      public void close() throws IOException {
        in.close();
      }
    };
  }

  private static final class NoRecording extends Exception {
    private static final long serialVersionUID = 1L;

    NoRecording(String message) {
      super(message, null, false, false);
    }
  }

  private static Row recording(String name, DataInputStream in) throws IOException, NoRecording {
    if (!tag(in).equals("RIFF")) {
      throw new NoRecording("no WAVE file: it does not begin with RIFF");
    }
    length(in);
    if (!tag(in).equals("WAVE")) {
      throw new NoRecording("no WAVE file: RIFF of another kind");
    }
    ByteBuffer format = null;
    while (true) {
      String tag = tag(in);
      long length = length(in);
      if (tag.equals("fmt ")) {
        if (length < 16 || length > 1024) {
          throw new NoRecording("a format of " + length + " bytes, expected 16 to 1024");
        }
        format = bytes(in, (int) length);
      } else if (tag.equals("data")) {
        if (format == null) {
          throw new NoRecording("samples before their format");
        }
        return row(name, format, in, length);
      } else {
        in.skipNBytes(length);
      }
      in.skipNBytes(length & 1);
    }
  }

  private static Row row(String name, ByteBuffer format, DataInputStream in, long length)
      throws IOException, NoRecording {
    int code = format.getShort(0) & 0xffff;
    int channels = format.getShort(2);
    long rate = format.getInt(4) & 0xffffffffL;
    int bits = format.getShort(14);
    if (code == EXTENSIBLE && format.capacity() >= 26) {
      code = format.getShort(24) & 0xffff;
    }
    if (channels != 1) {
      throw new NoRecording(channels + " channels, expected 1");
    }
    boolean known =
        code == PCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32)
            || code == FLOAT && bits == 32;
    if (!known) {
      throw new NoRecording(
          "samples of format "
              + code
              + " with "
              + bits
              + " bits, expected whole numbers (1) of 8, 16, 24 or 32 bits or floats (3) of 32");
    }
    int size = bits / 8;
    long count = length / size;
    if (count > MAX_SAMPLES) {
      throw new NoRecording(count + " samples, expected at most " + MAX_SAMPLES);
    }
    ByteBuffer data = bytes(in, Math.toIntExact(count * size));
    float[] samples = new float[(int) count];
    for (int i = 0; i < samples.length; i++) {
      int at = i * size;
      samples[i] =
          switch (size) {
            case 1 -> ((data.get(at) & 0xff) - 128) / 128f;
            case 2 -> data.getShort(at) / 32_768f;
            case 3 ->
                ((data.get(at) & 0xff) | (data.get(at + 1) & 0xff) << 8 | data.get(at + 2) << 16)
                    / 8_388_608f;
            default -> code == FLOAT ? data.getFloat(at) : data.getInt(at) / 2_147_483_648f;
          };
    }
    return new Row(new Object[] {name, rate, samples});
  }

  private static ByteBuffer bytes(DataInputStream in, int count) throws IOException {
    byte[] bytes = in.readNBytes(count); // grows with what is there, whatever the header says
    if (bytes.length < count) {
      throw new EOFException();
    }
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String tag(DataInputStream in) throws IOException {
    byte[] tag = new byte[4];
    in.readFully(tag);
    return new String(tag, StandardCharsets.ISO_8859_1);
  }

  private static long length(DataInputStream in) throws IOException {
    return Integer.reverseBytes(in.readInt()) & 0xffffffffL;
  }
}

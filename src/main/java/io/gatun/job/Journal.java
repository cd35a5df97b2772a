package io.gatun.job;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.format.Json;
import io.gatun.format.ModelFormatException;
import io.gatun.table.Storage;
import java.io.Closeable;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * How far a job is, in a file beside its output: a line of settings, then one for each checkpoint,
 * each line with its checksum before it. A line is written after what it speaks of is safe, and is
 * itself made safe before anything else is done; one that is torn is none.
 */
final class Journal implements Closeable {
  /**
   * A point from which a job can go on.
   *
   * @param records how many records are answered
   * @param bad how many of them have no answer
   * @param output how many bytes the output has
   * @param errors how many bytes the side file has
   * @param fingerprint of the records
   * @param chunk what the writer of the output wants to know
   */
  record Checkpoint(
      long records, long bad, long output, long errors, long fingerprint, String chunk) {}

  /**
   * What a journal says.
   *
   * @param settings of the job that wrote it
   * @param checkpoints in the order they were made
   * @param complete whether all is written and only names are to be changed
   * @param bytes of the journal that are whole
   */
  record Contents(
      Map<String, String> settings, List<Checkpoint> checkpoints, boolean complete, long bytes) {
    /** Returns the last checkpoint, or the beginning. */
    Checkpoint last() {
      return checkpoints.isEmpty()
          ? new Checkpoint(0, 0, 0, 0, new Fingerprint().value(), "")
          : checkpoints.get(checkpoints.size() - 1);
    }
  }

  private static final JsonFactory JSON = new JsonFactory();
  private static final String VERSION = "gatun-journal/1";

  private final Path file;
  private final Storage.Output output;

  private Journal(Path file, Storage.Output output) {
    this.file = file;
    this.output = output;
  }

  /** Begins a journal; whatever was there is gone. */
  static Journal create(Storage storage, Path file, Map<String, String> settings)
      throws IOException {
    Journal journal = new Journal(file, opened(storage, file, 0));
    try {
      journal.line(
          json -> {
            json.writeStringField("journal", VERSION);
            json.writeObjectFieldStart("settings");
            for (Map.Entry<String, String> setting : settings.entrySet()) {
              json.writeStringField(setting.getKey(), setting.getValue());
            }
            json.writeEndObject();
          });
    } catch (IOException | RuntimeException e) {
      journal.close();
      throw e;
    }
    return journal;
  }

  /** Goes on with a journal behind its last whole line. */
  static Journal append(Storage storage, Path file, Contents contents) throws IOException {
    return new Journal(file, opened(storage, file, contents.bytes()));
  }

  private static Storage.Output opened(Storage storage, Path file, long length) throws IOException {
    try {
      return storage.write(file, length);
    } catch (IOException e) {
      throw new IOException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /** Reads a journal; empty if not even its first line is whole. */
  static Optional<Contents> read(Storage storage, Path file) throws IOException {
    byte[] bytes = bytes(storage, file);
    Map<String, String> settings = null;
    List<Checkpoint> checkpoints = new ArrayList<>();
    boolean complete = false;
    int at = 0;
    for (int end = next(bytes, at); end >= 0; end = next(bytes, at)) {
      String text = checked(bytes, at, end);
      if (text == null) {
        break;
      }
      try {
        Json.Fields line = Json.parse(file.toString(), text).fields();
        if (settings == null) {
          if (!line.string("journal").equals(VERSION)) {
            return Optional.empty();
          }
          Map<String, String> found = new TreeMap<>();
          line.require("settings").members().forEach((key, it) -> found.put(key, it.string()));
          settings = found;
        } else if (line.has("complete")) {
          complete = true;
        } else {
          checkpoints.add(
              new Checkpoint(
                  number(line, "records"),
                  number(line, "bad"),
                  number(line, "output"),
                  number(line, "errors"),
                  Long.parseUnsignedLong(line.string("fingerprint"), 16),
                  line.string("chunk")));
        }
      } catch (ModelFormatException | NumberFormatException e) {
        throw new IOException(
            file + " is no journal of a job: " + e.getMessage() + "; --force starts anew", e);
      }
      at = end + 1;
    }
    return settings == null
        ? Optional.empty()
        : Optional.of(new Contents(settings, checkpoints, complete, at));
  }

  private static long number(Json.Fields line, String key) {
    return line.require(key).integer(0, 1L << 53);
  }

  private static byte[] bytes(Storage storage, Path file) throws IOException {
    try (SeekableByteChannel channel = storage.read(file)) {
      ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(channel.size()));
      while (bytes.hasRemaining()) {
        if (channel.read(bytes) < 0) {
          throw new IOException("it became shorter while it was read");
        }
      }
      return bytes.array();
    } catch (IOException e) {
      throw new IOException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  private static int next(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  /** The text of a line behind its checksum, or null if it is not what was written. */
  private static String checked(byte[] bytes, int from, int to) {
    String line = new String(bytes, from, to - from, StandardCharsets.UTF_8);
    int space = line.indexOf(' ');
    if (space != 8) {
      return null;
    }
    String text = line.substring(space + 1);
    return line.substring(0, space).equals(checksum(text)) ? text : null;
  }

  private static String checksum(String text) {
    CRC32C crc = new CRC32C();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return String.format(Locale.ROOT, "%08x", crc.getValue());
  }

  /** Notes a checkpoint; what it speaks of has to be safe already. */
  void checkpoint(Checkpoint checkpoint) throws IOException {
    line(
        json -> {
          json.writeNumberField("records", checkpoint.records());
          json.writeNumberField("bad", checkpoint.bad());
          json.writeNumberField("output", checkpoint.output());
          json.writeNumberField("errors", checkpoint.errors());
          json.writeStringField("fingerprint", Long.toHexString(checkpoint.fingerprint()));
          json.writeStringField("chunk", checkpoint.chunk());
        });
  }

  /** Notes that all is written and safe. */
  void complete() throws IOException {
    line(json -> json.writeBooleanField("complete", true));
  }

  private interface Fields {
    void write(JsonGenerator json) throws IOException;
  }

  private void line(Fields fields) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      fields.write(json);
      json.writeEndObject();
    }
    String line = checksum(text.toString()) + " " + text + "\n";
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
    try {
      while (bytes.hasRemaining()) {
        output.write(bytes);
      }
      output.force();
    } catch (IOException e) {
      throw new IOException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void close() throws IOException {
    output.close();
  }
}

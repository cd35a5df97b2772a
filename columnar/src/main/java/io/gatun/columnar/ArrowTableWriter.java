package io.gatun.columnar;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.flatbuffers.FlatBufferBuilder;
import io.gatun.batch.BadRecordException;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;

/**
 * Writes record batches; where each begins is what the footer says and a later writer has to know.
 */
final class ArrowTableWriter implements TableWriter {
  static final byte[] MAGIC = "ARROW1".getBytes(US_ASCII);
  private static final byte[] END_OF_STREAM = {-1, -1, -1, -1, 0, 0, 0, 0};

  private final Sink sink;
  private final Schema schema;
  private final List<long[]> blocks = new ArrayList<>();
  private List<Values> columns;
  private int rows;

  ArrowTableWriter(Sink sink, Schema schema, List<String> chunks) throws IOException {
    this.sink = sink;
    this.schema = schema;
    for (Column column : schema.columns()) {
      Values.of(column.type()); // says at once what cannot be written
    }
    for (String chunk : chunks) {
      if (!chunk.isEmpty()) {
        String[] words = chunk.split(" ");
        blocks.add(
            new long[] {
              Long.parseLong(words[0]), Long.parseLong(words[1]), Long.parseLong(words[2])
            });
      }
    }
    if (chunks.isEmpty()) {
      sink.write(MAGIC);
      sink.write(new byte[2]);
      sink.write(ArrowSchemas.message(schema));
    }
  }

  @Override
  public void write(Object[] values) {
    for (int i = 0; i < values.length; i++) {
      Column column = schema.columns().get(i);
      if (!column.type().admits(values[i])) {
        throw new BadRecordException("the value of '" + column.name() + "' is no " + column.type());
      }
    }
    if (columns == null) {
      columns = new ArrayList<>();
      schema.columns().forEach(column -> columns.add(Values.of(column.type())));
    }
    for (int i = 0; i < values.length; i++) {
      columns.get(i).add(values[i]);
    }
    rows++;
  }

  @Override
  public String endChunk() throws IOException {
    if (columns == null) {
      return "";
    }
    Body body = new Body();
    for (Values values : columns) {
      values.write(body);
    }
    FlatBufferBuilder builder = new FlatBufferBuilder();
    RecordBatch.startBuffersVector(builder, body.buffers.size());
    for (int i = body.buffers.size() - 1; i >= 0; i--) {
      Buffer.createBuffer(builder, body.buffers.get(i)[0], body.buffers.get(i)[1]);
    }
    int buffers = builder.endVector();
    RecordBatch.startNodesVector(builder, body.nodes.size());
    for (int i = body.nodes.size() - 1; i >= 0; i--) {
      FieldNode.createFieldNode(builder, body.nodes.get(i)[0], body.nodes.get(i)[1]);
    }
    int nodes = builder.endVector();
    int batch = RecordBatch.createRecordBatch(builder, rows, nodes, buffers, 0, 0);
    byte[] message =
        ArrowSchemas.framed(builder, MessageHeader.RecordBatch, batch, body.bytes.size());
    long[] block = {sink.position(), message.length, body.bytes.size()};
    sink.write(message);
    body.bytes.writeTo(sink);
    sink.flush();
    blocks.add(block);
    columns = null;
    rows = 0;
    return block[0] + " " + block[1] + " " + block[2];
  }

  @Override
  public void finish() throws IOException {
    sink.write(END_OF_STREAM);
    FlatBufferBuilder builder = new FlatBufferBuilder();
    int schemaAt = ArrowSchemas.add(builder, schema);
    Footer.startDictionariesVector(builder, 0);
    int dictionaries = builder.endVector();
    Footer.startRecordBatchesVector(builder, blocks.size());
    for (int i = blocks.size() - 1; i >= 0; i--) {
      long[] block = blocks.get(i);
      Block.createBlock(builder, block[0], (int) block[1], block[2]);
    }
    int batches = builder.endVector();
    builder.finish(
        Footer.createFooter(builder, MetadataVersion.V5, schemaAt, dictionaries, batches, 0));
    byte[] footer = builder.sizedByteArray();
    sink.write(footer);
    ByteBuffer end = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    sink.write(end.putInt(footer.length).array());
    sink.write(MAGIC);
  }

  /** The body of a record batch: buffers on multiples of eight bytes, in the order of a walk. */
  private static final class Body {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final List<long[]> buffers = new ArrayList<>();
    final List<long[]> nodes = new ArrayList<>();

    void buffer(byte[] content) {
      buffers.add(new long[] {bytes.size(), content.length});
      bytes.writeBytes(content);
      bytes.writeBytes(new byte[(8 - content.length % 8) % 8]);
    }
  }

  /** Little-endian numbers that grow. */
  private static final class Bytes {
    private ByteBuffer buffer = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);

    ByteBuffer room(int count) {
      if (buffer.remaining() < count) {
        long size = Math.max(2L * buffer.capacity(), buffer.position() + (long) count);
        ByteBuffer larger =
            ByteBuffer.allocate((int) Math.min(size, Integer.MAX_VALUE - 16))
                .order(ByteOrder.LITTLE_ENDIAN);
        larger.put(buffer.flip());
        buffer = larger;
      }
      return buffer;
    }

    int size() {
      return buffer.position();
    }

    byte[] toArray() {
      byte[] bytes = new byte[buffer.position()];
      buffer.get(0, bytes);
      return bytes;
    }
  }

  /** One bit for each value. */
  private static final class Bits {
    private final Bytes bytes = new Bytes();
    private int count;
    int zeros;

    void add(boolean bit) {
      if (count % 8 == 0) {
        bytes.room(1).put((byte) 0);
      }
      if (bit) {
        int at = count / 8;
        bytes.buffer.put(at, (byte) (bytes.buffer.get(at) | 1 << count % 8));
      } else {
        zeros++;
      }
      count++;
    }

    byte[] toArray() {
      return bytes.toArray();
    }
  }

  /** The values of a column of a record batch. */
  private abstract static class Values {
    final Bits valid = new Bits();
    int count;

    static Values of(ColumnType type) {
      return switch (type.kind()) {
        case TEXT -> new Texts();
        case BOOLEAN -> new Truths();
        case INTEGER, DOUBLE, FLOAT -> new Numbers(type.kind());
        case VECTOR -> new Vectors(type.size());
        case LIST -> {
          boolean flat =
              type.element().kind() != ColumnType.Kind.LIST
                  && type.element().kind() != ColumnType.Kind.VECTOR;
          if (!flat) {
            throw new IllegalArgumentException("a " + type + " is not written");
          }
          yield new Lists(of(type.element()));
        }
      };
    }

    void add(Object value) {
      valid.add(value != null);
      count++;
      put(value);
    }

    /** Adds a value, or what keeps its place where it is null. */
    abstract void put(Object value);

    void write(Body body) {
      body.nodes.add(new long[] {count, valid.zeros});
      body.buffer(valid.toArray());
      writeBuffers(body);
    }

    abstract void writeBuffers(Body body);
  }

  private static final class Numbers extends Values {
    private final ColumnType.Kind kind;
    private final Bytes data = new Bytes();

    Numbers(ColumnType.Kind kind) {
      this.kind = kind;
    }

    @Override
    void put(Object value) {
      switch (kind) {
        case INTEGER -> data.room(8).putLong(value == null ? 0 : (Long) value);
        case DOUBLE -> data.room(8).putDouble(value == null ? 0 : (Double) value);
        default -> data.room(4).putFloat(value == null ? 0 : (Float) value);
      }
    }

    @Override
    void writeBuffers(Body body) {
      body.buffer(data.toArray());
    }
  }

  private static final class Truths extends Values {
    private final Bits data = new Bits();

    @Override
    void put(Object value) {
      data.add(value != null && (Boolean) value);
    }

    @Override
    void writeBuffers(Body body) {
      body.buffer(data.toArray());
    }
  }

  private static final class Texts extends Values {
    private final Bytes offsets = new Bytes();
    private final Bytes data = new Bytes();

    Texts() {
      offsets.room(4).putInt(0);
    }

    @Override
    void put(Object value) {
      if (value != null) {
        byte[] bytes = ((String) value).getBytes(UTF_8);
        data.room(bytes.length).put(bytes);
      }
      offsets.room(4).putInt(data.size());
    }

    @Override
    void writeBuffers(Body body) {
      body.buffer(offsets.toArray());
      body.buffer(data.toArray());
    }
  }

  private static final class Lists extends Values {
    private final Values elements;
    private final Bytes offsets = new Bytes();

    Lists(Values elements) {
      this.elements = elements;
      offsets.room(4).putInt(0);
    }

    @Override
    void put(Object value) {
      if (value instanceof float[] numbers) {
        for (float each : numbers) {
          elements.add(each);
        }
      } else if (value != null) {
        ((List<?>) value).forEach(elements::add);
      }
      offsets.room(4).putInt(elements.count);
    }

    @Override
    void writeBuffers(Body body) {
      body.buffer(offsets.toArray());
      elements.write(body);
    }
  }

  private static final class Vectors extends Values {
    private final int size;
    private final Values elements = new Numbers(ColumnType.Kind.FLOAT);

    Vectors(int size) {
      this.size = size;
    }

    @Override
    void put(Object value) {
      for (int i = 0; i < size; i++) {
        elements.add(value == null ? null : (Object) ((float[]) value)[i]);
      }
    }

    @Override
    void writeBuffers(Body body) {
      elements.write(body);
    }
  }
}

package io.gatun.columnar;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.airlift.compress.zstd.ZstdDecompressor;
import io.gatun.batch.InputRecord;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Row;
import io.gatun.table.Schema;
import io.gatun.table.TableReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.arrow.flatbuf.CompressionType;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Type;

/**
 * Reads the messages of a stream, which a file has within itself, one record batch at a time. What
 * lengths and offsets say is checked when values are taken out, by the bounds of the buffers.
 */
final class ArrowTableReader implements TableReader {
  private static final int MAX_METADATA = 64 << 20;

  private final String name;
  private final InputStream in;
  private final OptionalLong size;
  private final boolean file;
  private final List<Node> columns = new ArrayList<>();
  private final Map<Long, List<Object>> dictionaries = new HashMap<>();
  private final Map<Long, Node> dictionaryTypes = new HashMap<>();
  private final Set<String> unreadable = new HashSet<>();
  private final Schema schema;
  private Set<String> wanted;

  private long consumed;
  private List<Vector> batch = List.of();
  private int rows;
  private int row;
  private long number;

  /** A field of the schema, in the form that is needed to walk over buffers. */
  private record Node(
      String name,
      byte type,
      int width, // bits of a number, elements of a fixed-size list
      boolean signed,
      long dictionary, // -1 for none
      List<Node> children,
      ColumnType columnType) {} // null for what is not read

  /** A column of the record batch at hand. */
  private record Vector(
      Node node, int length, ByteBuffer valid, List<ByteBuffer> buffers, List<Vector> children) {}

  ArrowTableReader(String name, InputStream in, OptionalLong size) throws IOException {
    this.name = name;
    this.in = in;
    this.size = size;
    byte[] start = in.readNBytes(8);
    consumed = start.length;
    file = Arrays.equals(Arrays.copyOf(start, 6), ArrowTableWriter.MAGIC);
    ByteBuffer bytes = file ? metadata(null) : metadata(start);
    if (bytes == null) {
      throw new IOException(name + " is no Arrow file or stream: it has no schema");
    }
    List<Column> known = new ArrayList<>();
    try {
      Message message = Message.getRootAsMessage(bytes);
      if (message.headerType() != MessageHeader.Schema) {
        throw new IOException(
            name + " is no Arrow file or stream: it does not begin with a schema");
      }
      var fields =
          (org.apache.arrow.flatbuf.Schema) message.header(new org.apache.arrow.flatbuf.Schema());
      if (fields.endianness() != Endianness.Little) {
        throw new IOException(name + " has big-endian numbers, expected little-endian");
      }
      for (int i = 0; i < fields.fieldsLength(); i++) {
        Node node = node(fields.fields(i), 0);
        columns.add(node);
        if (node.columnType() == null) {
          unreadable.add(node.name());
        }
        known.add(
            new Column(
                node.name(), node.columnType() == null ? ColumnType.TEXT : node.columnType()));
      }
    } catch (RuntimeException e) {
      throw broken(e);
    }
    schema = new Schema(known);
  }

  private IOException broken(Exception e) {
    return new IOException(name + " is no whole Arrow file: " + e.getMessage(), e);
  }

  private Node node(Field field, int depth) throws IOException {
    if (depth > 32) {
      throw new IOException(name + ": types within types within types");
    }
    List<Node> children = new ArrayList<>();
    for (int i = 0; i < field.childrenLength(); i++) {
      children.add(node(field.children(i), depth + 1));
    }
    byte type = field.typeType();
    int width = 0;
    boolean signed = true;
    ColumnType column = null;
    switch (type) {
      case Type.Int -> {
        Int whole = (Int) field.type(new Int());
        width = whole.bitWidth();
        signed = whole.isSigned();
        column = signed || width < 64 ? ColumnType.INTEGER : null;
      }
      case Type.FloatingPoint -> {
        short precision = ((FloatingPoint) field.type(new FloatingPoint())).precision();
        width = precision == Precision.DOUBLE ? 64 : precision == Precision.SINGLE ? 32 : 16;
        column = width == 64 ? ColumnType.DOUBLE : ColumnType.FLOAT;
      }
      case Type.Utf8, Type.LargeUtf8 -> column = ColumnType.TEXT;
      case Type.Bool -> column = ColumnType.BOOLEAN;
      case Type.List, Type.LargeList -> column = listType(children);
      case Type.FixedSizeList -> {
        width = ((FixedSizeList) field.type(new FixedSizeList())).listSize();
        ColumnType list = listType(children);
        boolean floats = list != null && list.element().is(ColumnType.Kind.FLOAT) && width > 0;
        column = floats ? ColumnType.vector(width) : list;
      }
      default -> {
        // Not read; an error only where it is asked for.
      }
    }
    long dictionary = -1;
    Node node = new Node(field.name(), type, width, signed, dictionary, children, column);
    if (field.dictionary() != null) {
      dictionary = field.dictionary().id();
      dictionaryTypes.put(dictionary, node);
      Int index = field.dictionary().indexType();
      return new Node(
          field.name(),
          Type.Int,
          index == null ? 32 : index.bitWidth(),
          index == null || index.isSigned(),
          dictionary,
          List.of(),
          ColumnType.TEXT.equals(column) ? column : null);
    }
    return node;
  }

  private static ColumnType listType(List<Node> children) {
    if (children.size() != 1 || children.get(0).columnType() == null) {
      return null;
    }
    Node element = children.get(0);
    boolean flat = element.children().isEmpty() && element.dictionary() < 0;
    return flat ? ColumnType.listOf(element.columnType()) : null;
  }

  // ---- messages ------------------------------------------------------------------------------

  /** The next message without its body; null at the end. */
  private ByteBuffer metadata(byte[] begun) throws IOException {
    byte[] prefix = begun != null ? begun : in.readNBytes(4);
    consumed += begun != null ? 0 : prefix.length;
    if (prefix.length == 0 && !file) {
      return null; // a stream may just end
    }
    if (prefix.length < 4) {
      throw new IOException(name + " is no whole Arrow file: it ends between two messages");
    }
    ByteBuffer word = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN);
    int length = word.getInt();
    byte[] over = {};
    if (length == -1) {
      length =
          begun != null
              ? word.getInt()
              : ByteBuffer.wrap(exactly(4)).order(ByteOrder.LITTLE_ENDIAN).getInt();
    } else if (begun != null) {
      over = Arrays.copyOfRange(begun, 4, begun.length); // the form before version 0.15
    }
    if (length == 0) {
      return null;
    }
    if (length < 0 || length > MAX_METADATA) {
      throw new IOException(
          name + " is no Arrow file or stream: a message of " + length + " bytes");
    }
    byte[] bytes = Arrays.copyOf(over, length);
    System.arraycopy(exactly(length - over.length), 0, bytes, over.length, length - over.length);
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private byte[] exactly(int count) throws IOException {
    byte[] bytes = in.readNBytes(count);
    consumed += bytes.length;
    if (bytes.length < count) {
      throw new IOException(name + " is no whole Arrow file: it ends in the middle of a message");
    }
    return bytes;
  }

  /** Reads up to the next record batch; false at the end. */
  private boolean nextBatch() throws IOException {
    while (true) {
      ByteBuffer bytes = metadata(null);
      if (bytes == null) {
        return false;
      }
      Message message = Message.getRootAsMessage(bytes);
      long length = message.bodyLength();
      if (length < 0 || length > Integer.MAX_VALUE - 16) {
        throw new IOException(name + ": a record batch of " + length + " bytes");
      }
      ByteBuffer body = ByteBuffer.wrap(exactly((int) length)).order(ByteOrder.LITTLE_ENDIAN);
      if (message.headerType() == MessageHeader.DictionaryBatch) {
        dictionary((DictionaryBatch) message.header(new DictionaryBatch()), body);
      } else if (message.headerType() == MessageHeader.RecordBatch) {
        RecordBatch header = (RecordBatch) message.header(new RecordBatch());
        rows = Math.toIntExact(header.length());
        batch = new Walk(header, body).vectors(columns);
        row = 0;
        return true;
      }
    }
  }

  private void dictionary(DictionaryBatch header, ByteBuffer body) throws IOException {
    Node type = dictionaryTypes.get(header.id());
    if (type == null || !ColumnType.TEXT.equals(type.columnType())) {
      return; // of a column that is not read
    }
    Vector vector = new Walk(header.data(), body).vectors(List.of(type)).get(0);
    List<Object> values =
        header.isDelta() ? dictionaries.getOrDefault(header.id(), List.of()) : List.of();
    values = new ArrayList<>(values);
    for (int i = 0; i < vector.length(); i++) {
      values.add(value(vector, i));
    }
    dictionaries.put(header.id(), values);
  }

  /** Goes over the nodes and buffers of a record batch in their order. */
  private final class Walk {
    private final RecordBatch header;
    private final ByteBuffer body;
    private int node;
    private int buffer;

    Walk(RecordBatch header, ByteBuffer body) {
      this.header = header;
      this.body = body;
    }

    List<Vector> vectors(List<Node> nodes) throws IOException {
      List<Vector> vectors = new ArrayList<>();
      for (Node each : nodes) {
        vectors.add(vector(each));
      }
      return vectors;
    }

    private Vector vector(Node type) throws IOException {
      if (node >= header.nodesLength()) {
        throw new IOException(name + ": a record batch has too few columns");
      }
      int length = Math.toIntExact(header.nodes(node++).length());
      int count =
          switch (type.type()) {
            case Type.Int, Type.FloatingPoint, Type.Bool, Type.List, Type.LargeList -> 1;
            case Type.Date, Type.Time, Type.Timestamp, Type.Interval, Type.Duration -> 1;
            case Type.Decimal, Type.FixedSizeBinary, Type.Map -> 1;
            case Type.Utf8, Type.LargeUtf8, Type.Binary, Type.LargeBinary -> 2;
            case Type.FixedSizeList, Type.Struct_ -> 0;
            default ->
                throw new IOException(
                    name
                        + ": the column '"
                        + type.name()
                        + "' is of the type "
                        + Type.name(type.type())
                        + ", which is not known here; leave it out when the file is made");
          };
      ByteBuffer valid = buffer();
      List<ByteBuffer> buffers = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        buffers.add(buffer());
      }
      return new Vector(type, length, valid, buffers, vectors(type.children()));
    }

    private ByteBuffer buffer() throws IOException {
      if (buffer >= header.buffersLength()) {
        throw new IOException(name + ": a record batch has too few buffers");
      }
      var place = header.buffers(buffer++);
      if (place.offset() < 0
          || place.length() < 0
          || place.offset() > body.capacity() - place.length()) {
        throw new IOException(
            name
                + ": a buffer of "
                + place.length()
                + " bytes at "
                + place.offset()
                + " of "
                + body.capacity());
      }
      ByteBuffer bytes =
          body.slice((int) place.offset(), (int) place.length()).order(ByteOrder.LITTLE_ENDIAN);
      if (header.compression() == null || bytes.capacity() == 0) {
        return bytes;
      }
      long plain = bytes.getLong(0);
      ByteBuffer packed = bytes.slice(8, bytes.capacity() - 8);
      if (plain == -1) {
        return packed.order(ByteOrder.LITTLE_ENDIAN);
      }
      if (header.compression().codec() != CompressionType.ZSTD) {
        throw new IOException(
            name + " is compressed with LZ4, expected zstd or none: write it so, or as Parquet");
      }
      if (plain < 0 || plain > Integer.MAX_VALUE - 16) {
        throw new IOException(name + ": a buffer of " + plain + " bytes");
      }
      byte[] from = new byte[packed.remaining()];
      packed.get(from);
      byte[] to = new byte[(int) plain];
      if (new ZstdDecompressor().decompress(from, 0, from.length, to, 0, to.length) != plain) {
        throw new IOException(name + ": a buffer is shorter than it says");
      }
      return ByteBuffer.wrap(to).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  // ---- values --------------------------------------------------------------------------------

  private Object value(Vector vector, int i) throws CharacterCodingException {
    boolean there = vector.valid().capacity() == 0 || bit(vector.valid(), i);
    if (!there) {
      return null;
    }
    Node node = vector.node();
    return switch (node.type()) {
      case Type.Int -> {
        long whole = whole(vector, i);
        yield node.dictionary() < 0
            ? (Object) whole
            : dictionaries.getOrDefault(node.dictionary(), List.of()).get(Math.toIntExact(whole));
      }
      case Type.FloatingPoint -> {
        if (node.width() == 64) {
          yield (Object) vector.buffers().get(0).getDouble(8 * i);
        }
        yield (Object) single(vector, i);
      }
      case Type.Bool -> bit(vector.buffers().get(0), i);
      case Type.Utf8, Type.LargeUtf8 -> {
        long from = offset(vector, i, node.type() == Type.LargeUtf8);
        long to = offset(vector, i + 1, node.type() == Type.LargeUtf8);
        ByteBuffer text =
            vector.buffers().get(1).slice(Math.toIntExact(from), Math.toIntExact(to - from));
        yield UTF_8.newDecoder().decode(text).toString();
      }
      default -> {
        long from =
            node.type() == Type.FixedSizeList
                ? (long) i * node.width()
                : offset(vector, i, node.type() == Type.LargeList);
        long to =
            node.type() == Type.FixedSizeList
                ? from + node.width()
                : offset(vector, i + 1, node.type() == Type.LargeList);
        yield elements(vector.children().get(0), Math.toIntExact(from), Math.toIntExact(to));
      }
    };
  }

  private Object elements(Vector elements, int from, int to) throws CharacterCodingException {
    if (ColumnType.FLOAT.equals(elements.node().columnType())) {
      float[] numbers = new float[to - from];
      for (int i = from; i < to; i++) {
        Object number = value(elements, i);
        numbers[i - from] = number == null ? Float.NaN : (Float) number;
      }
      return numbers;
    }
    List<Object> list = new ArrayList<>();
    for (int i = from; i < to; i++) {
      list.add(value(elements, i));
    }
    return list;
  }

  private static float single(Vector vector, int i) {
    ByteBuffer bytes = vector.buffers().get(0);
    return vector.node().width() == 32
        ? bytes.getFloat(4 * i)
        : Float.float16ToFloat(bytes.getShort(2 * i));
  }

  private static long whole(Vector vector, int i) {
    ByteBuffer bytes = vector.buffers().get(0);
    boolean signed = vector.node().signed();
    return switch (vector.node().width()) {
      case 8 -> signed ? bytes.get(i) : bytes.get(i) & 0xff;
      case 16 -> signed ? bytes.getShort(2 * i) : bytes.getShort(2 * i) & 0xffff;
      case 32 -> signed ? bytes.getInt(4 * i) : bytes.getInt(4 * i) & 0xffffffffL;
      default -> bytes.getLong(8 * i);
    };
  }

  private static long offset(Vector vector, int i, boolean large) {
    ByteBuffer offsets = vector.buffers().get(0);
    return large ? offsets.getLong(8 * i) : offsets.getInt(4 * i);
  }

  private static boolean bit(ByteBuffer bits, int i) {
    return (bits.get(i / 8) >> i % 8 & 1) != 0;
  }

  // ---- rows ----------------------------------------------------------------------------------

  @Override
  public Schema schema() {
    return schema;
  }

  @Override
  public void select(Collection<String> names) {
    for (String each : names) {
      if (unreadable.contains(each)) {
        throw new IllegalArgumentException(
            name
                + ": the column '"
                + each
                + "' is of a type that is not read; text, numbers, truth values and lists of these"
                + " are");
      }
    }
    wanted = Set.copyOf(names);
  }

  @Override
  public String unit() {
    return "row";
  }

  @Override
  public OptionalLong size() {
    return size;
  }

  @Override
  public InputRecord<Row> next(Runnable waiting) throws IOException {
    try {
      while (row == rows) {
        waiting.run();
        if (!nextBatch()) {
          return null;
        }
      }
      Object[] values = new Object[columns.size()];
      String problem = null;
      for (int i = 0; i < values.length; i++) {
        String column = columns.get(i).name();
        if (!unreadable.contains(column) && (wanted == null || wanted.contains(column))) {
          try {
            values[i] = value(batch.get(i), row);
          } catch (CharacterCodingException e) {
            problem = "'" + column + "' is no UTF-8";
          }
        }
      }
      row++;
      number++;
      return problem == null
          ? InputRecord.of(number, new Row(values), consumed)
          : InputRecord.bad(number, problem, consumed);
    } catch (RuntimeException e) {
      throw broken(e);
    }
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

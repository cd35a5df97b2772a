package io.gatun.columnar;

import io.gatun.batch.InputRecord;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Row;
import io.gatun.table.Schema;
import io.gatun.table.TableReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReadStore;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.column.page.PageReader;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.MessageType;

/** Reads row groups one after the other; of each, the columns that are wanted are in memory. */
final class ParquetTableReader implements TableReader {
  private static final int MAX_FOOTER = 256 << 20;

  private final String name;
  private final SeekableByteChannel channel;
  private final long size;
  private final FileMetaData metaData;
  private final ParquetSchema.Node root;
  private final MessageType message;
  private final Schema schema;
  private final Set<String> unreadable = new HashSet<>();
  private Set<String> wanted;

  private int group;
  private long rowsLeft;
  private long rowsOfGroup;
  private long groupBytes;
  private long bytesBefore;
  private List<Leaf> leaves = List.of();
  private long number;

  /** A wanted column of the row group at hand. */
  private record Leaf(
      int place, String name, ColumnType type, ColumnReader reader, int most, int repeated) {}

  ParquetTableReader(String name, SeekableByteChannel channel) throws IOException {
    this.name = name;
    this.channel = channel;
    size = channel.size();
    metaData = footer();
    try {
      root = ParquetSchema.tree(metaData.getSchema());
      message = ParquetSchema.message(root);
    } catch (RuntimeException e) {
      throw broken(e);
    }
    List<Column> columns = new ArrayList<>();
    for (ParquetSchema.Node child : root.children()) {
      ColumnType type = ParquetSchema.columnType(child);
      String column = child.element().getName();
      if (type == null) {
        unreadable.add(column);
      }
      columns.add(new Column(column, type == null ? ColumnType.TEXT : type));
    }
    schema = new Schema(columns);
  }

  private IOException broken(Exception e) {
    return new IOException(name + " is no whole Parquet file: " + e.getMessage(), e);
  }

  private FileMetaData footer() throws IOException {
    if (size < 12) {
      throw new IOException(name + " is no Parquet file: it has only " + size + " bytes");
    }
    ByteBuffer end = ByteBuffer.wrap(bytes(size - 8, 8)).order(ByteOrder.LITTLE_ENDIAN);
    int length = end.getInt();
    byte[] magic = new byte[4];
    end.get(magic);
    if (!Arrays.equals(magic, ParquetTableWriter.MAGIC)) {
      throw new IOException(
          name
              + " is no whole Parquet file: it ends with "
              + (new String(magic, StandardCharsets.ISO_8859_1).equals("PARE")
                  ? "PARE, so it is encrypted"
                  : "something else than PAR1; it may have been cut off"));
    }
    if (length < 0 || length > size - 12 || length > MAX_FOOTER) {
      throw new IOException(
          name + " is no whole Parquet file: its footer has " + length + " bytes");
    }
    try {
      return Util.readFileMetaData(new ByteArrayInputStream(bytes(size - 8 - length, length)));
    } catch (IOException | RuntimeException e) {
      throw broken(e);
    }
  }

  private byte[] bytes(long at, int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count);
    channel.position(at);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes) < 0) {
        throw new IOException("cannot read " + name + ": it became shorter while it was read");
      }
    }
    return bytes.array();
  }

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
    return OptionalLong.of(size);
  }

  @Override
  public InputRecord<Row> next(Runnable waiting) throws IOException {
    try {
      while (rowsLeft == 0) {
        bytesBefore += groupBytes;
        groupBytes = 0;
        if (group == metaData.getRow_groups().size()) {
          return null;
        }
        open(metaData.getRow_groups().get(group++));
      }
      Object[] values = new Object[schema.columns().size()];
      String problem = null;
      for (Leaf leaf : leaves) {
        try {
          values[leaf.place()] = value(leaf);
        } catch (CharacterCodingException e) {
          problem = "'" + leaf.name() + "' is no UTF-8";
        }
      }
      rowsLeft--;
      number++;
      long offset =
          bytesBefore + (long) (groupBytes * ((double) (rowsOfGroup - rowsLeft) / rowsOfGroup));
      return problem == null
          ? InputRecord.of(number, new Row(values), offset)
          : InputRecord.bad(number, problem, offset);
    } catch (RuntimeException e) {
      throw broken(e);
    }
  }

  private void open(RowGroup rows) throws IOException {
    List<ColumnDescriptor> columns = message.getColumns();
    List<ColumnChunk> chunks = rows.getColumns();
    if (chunks.size() != columns.size()) {
      throw new IOException(
          name + ": a row group has " + chunks.size() + " columns, expected " + columns.size());
    }
    rowsOfGroup = rows.getNum_rows();
    if (rowsOfGroup < 0) {
      throw new IOException(name + ": a row group of " + rowsOfGroup + " rows");
    }
    ChunkReaders readers = new ChunkReaders(rowsOfGroup);
    List<Integer> chosen = new ArrayList<>();
    groupBytes = 0;
    for (int i = 0; i < columns.size(); i++) {
      String column = columns.get(i).getPath()[0];
      boolean readable = !unreadable.contains(column);
      groupBytes += Math.max(0, chunks.get(i).getMeta_data().getTotal_compressed_size());
      if (readable && (wanted == null || wanted.contains(column))) {
        readers.add(columns.get(i), chunkReader(chunks.get(i)));
        chosen.add(i);
      }
    }
    ColumnReadStore store =
        new ColumnReadStoreImpl(
            readers, new Ignoring(message), message, String.valueOf(metaData.getCreated_by()));
    leaves = new ArrayList<>();
    for (int i : chosen) {
      ColumnDescriptor column = columns.get(i);
      String top = column.getPath()[0];
      int place = schema.indexOf(top);
      ColumnType type = schema.columns().get(place).type();
      int repeated = 0;
      if (type.kind() == ColumnType.Kind.LIST) {
        repeated = message.getMaxDefinitionLevel(column.getPath()[0], column.getPath()[1]);
      }
      leaves.add(
          new Leaf(
              place,
              top,
              type,
              store.getColumnReader(column),
              column.getMaxDefinitionLevel(),
              repeated));
    }
    rowsLeft = rowsOfGroup;
  }

  private PageReader chunkReader(ColumnChunk chunk) throws IOException {
    var columnData = chunk.getMeta_data();
    long start = columnData.getData_page_offset();
    if (columnData.isSetDictionary_page_offset() && columnData.getDictionary_page_offset() > 0) {
      start = Math.min(start, columnData.getDictionary_page_offset());
    }
    long length = columnData.getTotal_compressed_size();
    if (start < 4 || length < 0 || length > Integer.MAX_VALUE - 16 || start > size - length) {
      throw new IOException(
          name
              + ": the column "
              + String.join(".", columnData.getPath_in_schema())
              + " is said to have "
              + length
              + " bytes from "
              + start
              + ", but the file has "
              + size);
    }
    return new ParquetPages(
        name, columnData.getCodec(), columnData.getNum_values(), bytes(start, (int) length));
  }

  private static Object value(Leaf leaf) throws CharacterCodingException {
    ColumnReader reader = leaf.reader();
    if (leaf.type().kind() != ColumnType.Kind.LIST) {
      boolean there = reader.getCurrentDefinitionLevel() == leaf.most();
      try {
        return there ? scalar(reader, leaf.type()) : null;
      } finally {
        reader.consume();
      }
    }
    int level = reader.getCurrentDefinitionLevel();
    if (level < leaf.repeated()) {
      reader.consume();
      boolean empty = level == leaf.repeated() - 1;
      return !empty
          ? null
          : leaf.type().element().is(ColumnType.Kind.FLOAT) ? new float[0] : List.of();
    }
    List<Object> list = new ArrayList<>();
    CharacterCodingException problem = null;
    boolean nulls = false;
    do {
      boolean there = reader.getCurrentDefinitionLevel() == leaf.most();
      nulls |= !there;
      try {
        list.add(there ? scalar(reader, leaf.type().element()) : null);
      } catch (CharacterCodingException e) {
        problem = e;
      }
      reader.consume();
    } while (reader.getCurrentRepetitionLevel() > 0);
    if (problem != null) {
      throw problem;
    }
    if (!leaf.type().element().is(ColumnType.Kind.FLOAT)) {
      return list;
    }
    float[] numbers = new float[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = nulls && list.get(i) == null ? Float.NaN : (Float) list.get(i);
    }
    return numbers;
  }

  private static Object scalar(ColumnReader reader, ColumnType type)
      throws CharacterCodingException {
    return switch (type.kind()) {
      case TEXT ->
          StandardCharsets.UTF_8.newDecoder().decode(reader.getBinary().toByteBuffer()).toString();
      case INTEGER ->
          switch (reader.getDescriptor().getPrimitiveType().getPrimitiveTypeName()) {
            case INT32 -> (long) reader.getInteger();
            default -> reader.getLong();
          };
      case DOUBLE -> reader.getDouble();
      case FLOAT -> reader.getFloat();
      case BOOLEAN -> reader.getBoolean();
      default -> throw new IllegalStateException(type.toString());
    };
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  /** The column chunks of a row group. */
  private static final class ChunkReaders implements PageReadStore {
    private final long rows;
    private final List<ColumnDescriptor> columns = new ArrayList<>();
    private final List<PageReader> readers = new ArrayList<>();

    ChunkReaders(long rows) {
      this.rows = rows;
    }

    void add(ColumnDescriptor column, PageReader reader) {
      columns.add(column);
      readers.add(reader);
    }

    @Override
    public PageReader getPageReader(ColumnDescriptor column) {
      return readers.get(columns.indexOf(column));
    }

    @Override
    public long getRowCount() {
      return rows;
    }
  }

  /** Values are asked for one by one, so there is nothing to convert them to. */
  private static final class Ignoring extends GroupConverter {
    private final GroupType group;

    Ignoring(GroupType group) {
      this.group = group;
    }

    @Override
    public Converter getConverter(int field) {
      return group.getType(field).isPrimitive()
          ? new PrimitiveConverter() {}
          : new Ignoring(group.getType(field).asGroupType());
    }

    @Override
    public void start() {}

    @Override
    public void end() {}
  }
}

package io.gatun.columnar;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.gatun.batch.BadRecordException;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnWriteStore;
import org.apache.parquet.column.ColumnWriter;
import org.apache.parquet.column.Encoding;
import org.apache.parquet.column.ParquetProperties;
import org.apache.parquet.column.page.DictionaryPage;
import org.apache.parquet.column.page.PageWriteStore;
import org.apache.parquet.column.page.PageWriter;
import org.apache.parquet.column.statistics.SizeStatistics;
import org.apache.parquet.column.statistics.Statistics;
import org.apache.parquet.column.statistics.geospatial.GeospatialStatistics;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.ColumnMetaData;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.DictionaryPageHeader;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.KeyValue;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.Util;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;

/** Writes row groups; what the footer says of each is what a later writer has to know. */
final class ParquetTableWriter implements TableWriter {
  static final byte[] MAGIC = "PAR1".getBytes(US_ASCII);
  private static final String CREATED_BY = "gatun";

  private final Sink sink;
  private final Schema schema;
  private final MessageType message;
  private final ParquetProperties properties =
      ParquetProperties.builder()
          .withWriterVersion(ParquetProperties.WriterVersion.PARQUET_1_0)
          .withSizeStatisticsEnabled(false)
          .build();
  private final List<RowGroup> groups = new ArrayList<>();

  // The row group at hand.
  private Pages pages;
  private ColumnWriteStore store;
  private List<ColumnWriter> writers;
  private long rows;

  ParquetTableWriter(Sink sink, Schema schema, List<String> chunks) throws IOException {
    this.sink = sink;
    this.schema = schema;
    message = ParquetSchema.message(schema);
    for (String chunk : chunks) {
      if (!chunk.isEmpty()) {
        byte[] bytes = Base64.getDecoder().decode(chunk);
        groups.addAll(Util.readFileMetaData(new ByteArrayInputStream(bytes)).getRow_groups());
      }
    }
    if (chunks.isEmpty()) {
      sink.write(MAGIC);
    }
  }

  private void begin() {
    pages = new Pages();
    store = properties.newColumnWriteStore(message, pages);
    writers = new ArrayList<>();
    for (ColumnDescriptor column : message.getColumns()) {
      writers.add(store.getColumnWriter(column));
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
    if (store == null) {
      begin();
    }
    for (int i = 0; i < values.length; i++) {
      write(writers.get(i), schema.columns().get(i).type(), values[i]);
    }
    store.endRecord();
    rows++;
  }

  private static void write(ColumnWriter writer, ColumnType type, Object value) {
    if (value == null) {
      writer.writeNull(0, 0);
      return;
    }
    switch (value) {
      case float[] numbers -> {
        if (numbers.length == 0) {
          writer.writeNull(0, 1);
        }
        for (int i = 0; i < numbers.length; i++) {
          writer.write(numbers[i], i == 0 ? 0 : 1, 3);
        }
      }
      case List<?> list -> {
        if (list.isEmpty()) {
          writer.writeNull(0, 1);
        }
        for (int i = 0; i < list.size(); i++) {
          Object element = list.get(i);
          if (element == null) {
            writer.writeNull(i == 0 ? 0 : 1, 2);
          } else {
            scalar(writer, type.element(), element, i == 0 ? 0 : 1, 3);
          }
        }
      }
      default -> scalar(writer, type, value, 0, 1);
    }
  }

  private static void scalar(
      ColumnWriter writer, ColumnType type, Object value, int repetition, int definition) {
    switch (type.kind()) {
      case TEXT -> writer.write(Binary.fromString((String) value), repetition, definition);
      case INTEGER -> writer.write((long) (Long) value, repetition, definition);
      case DOUBLE -> writer.write((double) (Double) value, repetition, definition);
      case FLOAT -> writer.write((float) (Float) value, repetition, definition);
      case BOOLEAN -> writer.write((boolean) (Boolean) value, repetition, definition);
      default -> throw new IllegalArgumentException("lists of " + type + " are not written");
    }
  }

  @Override
  public String endChunk() throws IOException {
    if (store == null) {
      return "";
    }
    store.flush();
    RowGroup group = pages.write(sink, message, rows);
    group.setOrdinal((short) Math.min(groups.size(), Short.MAX_VALUE));
    groups.add(group);
    store.close();
    store = null;
    rows = 0;
    sink.flush();
    ByteArrayOutputStream state = new ByteArrayOutputStream();
    Util.writeFileMetaData(metaData(List.of(group)), state);
    return Base64.getEncoder().encodeToString(state.toByteArray());
  }

  @Override
  public void finish() throws IOException {
    ByteArrayOutputStream footer = new ByteArrayOutputStream();
    Util.writeFileMetaData(metaData(groups), footer);
    sink.write(footer.toByteArray());
    ByteBuffer end = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    sink.write(end.putInt(footer.size()).put(MAGIC).array());
  }

  private FileMetaData metaData(List<RowGroup> rowGroups) {
    long count = rowGroups.stream().mapToLong(RowGroup::getNum_rows).sum();
    List<SchemaElement> elements = ParquetSchema.elements(message);
    FileMetaData metaData = new FileMetaData(1, elements, count, rowGroups);
    metaData.setCreated_by(CREATED_BY);
    // Readers of Arrow take from it that vectors have a fixed size, which Parquet cannot say.
    KeyValue arrow = new KeyValue(ArrowSchemas.KEY);
    arrow.setValue(ArrowSchemas.encoded(schema));
    metaData.setKey_value_metadata(List.of(arrow));
    return metaData;
  }

  /** The pages of a row group, column by column. */
  private static final class Pages implements PageWriteStore {
    private final Map<ColumnDescriptor, ChunkPages> chunks = new LinkedHashMap<>();

    @Override
    public PageWriter getPageWriter(ColumnDescriptor column) {
      return chunks.computeIfAbsent(column, each -> new ChunkPages());
    }

    RowGroup write(Sink sink, MessageType message, long rows) throws IOException {
      List<ColumnChunk> columns = new ArrayList<>();
      long start = sink.position();
      long uncompressed = 0;
      for (ColumnDescriptor column : message.getColumns()) {
        ChunkPages pages = chunks.get(column);
        long dictionaryAt = sink.position();
        pages.dictionary.writeTo(sink);
        long dataAt = sink.position();
        pages.data.writeTo(sink);
        ColumnMetaData metaData =
            new ColumnMetaData(
                ParquetSchema.type(column.getPrimitiveType().getPrimitiveTypeName()),
                List.copyOf(pages.encodings),
                List.of(column.getPath()),
                CompressionCodec.ZSTD,
                pages.values,
                pages.uncompressed,
                sink.position() - dictionaryAt,
                dataAt);
        if (dataAt > dictionaryAt) {
          metaData.setDictionary_page_offset(dictionaryAt);
        }
        ColumnChunk chunk = new ColumnChunk(dictionaryAt);
        chunk.setMeta_data(metaData);
        columns.add(chunk);
        uncompressed += pages.uncompressed;
      }
      RowGroup group = new RowGroup(columns, uncompressed, rows);
      group.setFile_offset(start);
      group.setTotal_compressed_size(sink.position() - start);
      return group;
    }
  }

  /** The pages of one column of a row group. */
  @SuppressWarnings("deprecation") // the interface still has a method of an older form
  private static final class ChunkPages implements PageWriter {
    final ByteArrayOutputStream dictionary = new ByteArrayOutputStream();
    final ByteArrayOutputStream data = new ByteArrayOutputStream();
    final Set<org.apache.parquet.format.Encoding> encodings = new LinkedHashSet<>();
    long values;
    long uncompressed;

    private void add(BytesInput bytes, PageHeader header, ByteArrayOutputStream target)
        throws IOException {
      byte[] plain = bytes.toByteArray();
      byte[] packed = Codecs.zstd(plain);
      CRC32 crc = new CRC32();
      crc.update(packed);
      header.setUncompressed_page_size(plain.length);
      header.setCompressed_page_size(packed.length);
      header.setCrc((int) crc.getValue());
      int before = target.size();
      Util.writePageHeader(header, target);
      uncompressed += target.size() - before + plain.length;
      target.write(packed);
    }

    private org.apache.parquet.format.Encoding known(Encoding encoding) {
      org.apache.parquet.format.Encoding same =
          org.apache.parquet.format.Encoding.valueOf(encoding.name());
      encodings.add(same);
      return same;
    }

    @Override
    public void writePage(
        BytesInput bytes,
        int valueCount,
        Statistics<?> statistics,
        Encoding repetition,
        Encoding definition,
        Encoding encoding)
        throws IOException {
      PageHeader header = new PageHeader(PageType.DATA_PAGE, 0, 0);
      header.setData_page_header(
          new DataPageHeader(valueCount, known(encoding), known(definition), known(repetition)));
      add(bytes, header, data);
      values += valueCount;
    }

    @Override
    public void writePage(
        BytesInput bytes,
        int valueCount,
        int rowCount,
        Statistics<?> statistics,
        Encoding repetition,
        Encoding definition,
        Encoding encoding)
        throws IOException {
      writePage(bytes, valueCount, statistics, repetition, definition, encoding);
    }

    @Override
    public void writePage(
        BytesInput bytes,
        int valueCount,
        int rowCount,
        Statistics<?> statistics,
        SizeStatistics sizes,
        GeospatialStatistics places,
        Encoding repetition,
        Encoding definition,
        Encoding encoding)
        throws IOException {
      writePage(bytes, valueCount, statistics, repetition, definition, encoding);
    }

    @Override
    public void writePageV2(
        int rowCount,
        int nullCount,
        int valueCount,
        BytesInput repetitionLevels,
        BytesInput definitionLevels,
        Encoding dataEncoding,
        BytesInput bytes,
        Statistics<?> statistics) {
      throw new UnsupportedOperationException("pages of version 2");
    }

    @Override
    public void writeDictionaryPage(DictionaryPage page) throws IOException {
      PageHeader header = new PageHeader(PageType.DICTIONARY_PAGE, 0, 0);
      header.setDictionary_page_header(
          new DictionaryPageHeader(page.getDictionarySize(), known(page.getEncoding())));
      add(page.getBytes(), header, dictionary);
    }

    @Override
    public long getMemSize() {
      return data.size();
    }

    @Override
    public long allocatedSize() {
      return data.size();
    }

    @Override
    public String memUsageString(String prefix) {
      return prefix + data.size();
    }
  }
}

package io.gatun.columnar;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.zip.CRC32;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.column.Encoding;
import org.apache.parquet.column.page.DataPage;
import org.apache.parquet.column.page.DataPageV1;
import org.apache.parquet.column.page.DataPageV2;
import org.apache.parquet.column.page.DictionaryPage;
import org.apache.parquet.column.page.PageReader;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.DataPageHeaderV2;
import org.apache.parquet.format.DictionaryPageHeader;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.Util;

/** The pages of one column chunk, decompressed when they are asked for. */
final class ParquetPages implements PageReader {
  private static final int MAX_PAGE = 1 << 30;

  private final String name;
  private final CompressionCodec codec;
  private final long values;
  private final byte[] bytes;
  private final ByteArrayInputStream in;
  private DictionaryPage dictionary;
  private DataPage first;

  ParquetPages(String name, CompressionCodec codec, long values, byte[] bytes) throws IOException {
    this.name = name;
    this.codec = codec;
    this.values = values;
    this.bytes = bytes;
    in = new ByteArrayInputStream(bytes);
    first = page(); // a dictionary, if there is one, stands before it
  }

  private DataPage page() throws IOException {
    while (in.available() > 0) {
      PageHeader header = Util.readPageHeader(in);
      int packed = header.getCompressed_page_size();
      int plain = header.getUncompressed_page_size();
      if (packed < 0 || packed > in.available() || plain < 0 || plain > MAX_PAGE) {
        throw new IOException(
            name + ": a page of " + packed + " bytes, with " + in.available() + " left");
      }
      int at = bytes.length - in.available();
      byte[] page = Arrays.copyOfRange(bytes, at, at + packed);
      in.skip(packed);
      check(header, page);
      if (header.getType() == PageType.DICTIONARY_PAGE) {
        DictionaryPageHeader its = header.getDictionary_page_header();
        dictionary =
            new DictionaryPage(
                BytesInput.from(Codecs.decompress(codec, page, plain)),
                its.getNum_values(),
                known(its.getEncoding()));
      } else if (header.getType() == PageType.DATA_PAGE) {
        DataPageHeader its = header.getData_page_header();
        return new DataPageV1(
            BytesInput.from(Codecs.decompress(codec, page, plain)),
            its.getNum_values(),
            plain,
            null,
            known(its.getRepetition_level_encoding()),
            known(its.getDefinition_level_encoding()),
            known(its.getEncoding()));
      } else if (header.getType() == PageType.DATA_PAGE_V2) {
        return second(header.getData_page_header_v2(), page, plain);
      }
    }
    return null;
  }

  private DataPage second(DataPageHeaderV2 header, byte[] page, int plain) throws IOException {
    int repetition = header.getRepetition_levels_byte_length();
    int definition = header.getDefinition_levels_byte_length();
    if (repetition < 0 || definition < 0 || repetition + definition > page.length) {
      throw new IOException(name + ": a page whose levels are longer than itself");
    }
    int levels = repetition + definition;
    byte[] data = Arrays.copyOfRange(page, levels, page.length);
    if (!header.isSetIs_compressed() || header.isIs_compressed()) {
      data = Codecs.decompress(codec, data, plain - levels);
    }
    return DataPageV2.uncompressed(
        header.getNum_rows(),
        header.getNum_nulls(),
        header.getNum_values(),
        BytesInput.from(page, 0, repetition),
        BytesInput.from(page, repetition, definition),
        known(header.getEncoding()),
        BytesInput.from(data),
        null);
  }

  private void check(PageHeader header, byte[] page) throws IOException {
    if (header.isSetCrc()) {
      CRC32 crc = new CRC32();
      crc.update(page);
      if ((int) crc.getValue() != header.getCrc()) {
        throw new IOException(name + ": a page has another checksum than is written before it");
      }
    }
  }

  private static Encoding known(org.apache.parquet.format.Encoding encoding) {
    return Encoding.valueOf(encoding.name());
  }

  @Override
  public DictionaryPage readDictionaryPage() {
    return dictionary;
  }

  @Override
  public long getTotalValueCount() {
    return values;
  }

  @Override
  public DataPage readPage() {
    DataPage page = first;
    first = null;
    if (page != null) {
      return page;
    }
    try {
      return page();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

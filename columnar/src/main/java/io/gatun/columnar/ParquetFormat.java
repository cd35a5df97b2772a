package io.gatun.columnar;

import io.gatun.table.ReadOptions;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableFormat;
import io.gatun.table.TableReader;
import io.gatun.table.TableSource;
import io.gatun.table.TableWriter;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.util.List;

/**
 * Apache Parquet (format version 2.x as its specification describes it). Columns of text, numbers,
 * truth values and lists of these are read; other types may be there, and are an error only where
 * they are asked for. Written are data pages of version 1, compressed with zstd, a row group for
 * each chunk, with checksums.
 */
public final class ParquetFormat implements TableFormat {
  /** Made by the service loader. */
  public ParquetFormat() {}

  @Override
  public String name() {
    return "parquet";
  }

  @Override
  public List<String> suffixes() {
    return List.of(".parquet");
  }

  @Override
  public boolean streams() {
    return false;
  }

  @Override
  public boolean chunked() {
    return true;
  }

  @Override
  public TableReader reader(TableSource source, ReadOptions options) throws IOException {
    SeekableByteChannel channel = source.channel();
    try {
      return new ParquetTableReader(source.name(), channel);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) throws IOException {
    return new ParquetTableWriter(sink, schema, chunks);
  }
}

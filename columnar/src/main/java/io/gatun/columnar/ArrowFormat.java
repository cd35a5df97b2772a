package io.gatun.columnar;

import io.gatun.table.ReadOptions;
import io.gatun.table.Schema;
import io.gatun.table.Sink;
import io.gatun.table.TableFormat;
import io.gatun.table.TableReader;
import io.gatun.table.TableSource;
import io.gatun.table.TableWriter;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * Arrow IPC (Arrow columnar format 1.5, metadata version 5): files and streams are read, files are
 * written, a record batch for each chunk. Columns of text, numbers, truth values, lists of these
 * and fixed-size lists of floats; other types may be there, and are an error only where they are
 * asked for.
 */
public final class ArrowFormat implements TableFormat {
  /** Made by the service loader. */
  public ArrowFormat() {}

  @Override
  public String name() {
    return "arrow";
  }

  @Override
  public List<String> suffixes() {
    return List.of(".arrow", ".arrows", ".feather");
  }

  @Override
  public boolean streams() {
    return true;
  }

  @Override
  public boolean chunked() {
    return true;
  }

  @Override
  public TableReader reader(TableSource source, ReadOptions options) throws IOException {
    InputStream in = source.stream();
    try {
      return new ArrowTableReader(source.name(), in, source.size());
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) throws IOException {
    return new ArrowTableWriter(sink, schema, chunks);
  }
}

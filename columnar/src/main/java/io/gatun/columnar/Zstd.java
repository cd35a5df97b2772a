package io.gatun.columnar;

import io.airlift.compress.zstd.ZstdInputStream;
import io.airlift.compress.zstd.ZstdOutputStream;
import io.gatun.table.Compression;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Zstandard (RFC 8878) in plain Java; a file of several frames is their contents in a row. */
public final class Zstd implements Compression {
  /** Made by the service loader. */
  public Zstd() {}

  @Override
  public String name() {
    return "zstd";
  }

  @Override
  public String suffix() {
    return ".zst";
  }

  @Override
  public InputStream reader(InputStream compressed) {
    return new ZstdInputStream(compressed);
  }

  @Override
  public OutputStream writer(OutputStream target) throws IOException {
    return new ZstdOutputStream(target);
  }
}

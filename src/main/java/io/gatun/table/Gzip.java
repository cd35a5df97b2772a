package io.gatun.table;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** gzip (RFC 1952), as the JDK has it; a file of several members is their contents in a row. */
final class Gzip implements Compression {
  private static final int BUFFER = 1 << 16;

  @Override
  public String name() {
    return "gzip";
  }

  @Override
  public String suffix() {
    return ".gz";
  }

  @Override
  public InputStream reader(InputStream compressed) throws IOException {
    return new GZIPInputStream(compressed, BUFFER);
  }

  @Override
  public OutputStream writer(OutputStream target) throws IOException {
    return new GZIPOutputStream(target, BUFFER);
  }
}

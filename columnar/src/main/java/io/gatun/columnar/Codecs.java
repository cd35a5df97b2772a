package io.gatun.columnar;

import io.airlift.compress.Compressor;
import io.airlift.compress.Decompressor;
import io.airlift.compress.lz4.Lz4Decompressor;
import io.airlift.compress.snappy.SnappyDecompressor;
import io.airlift.compress.zstd.ZstdCompressor;
import io.airlift.compress.zstd.ZstdDecompressor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.format.CompressionCodec;

/** The compressions of Parquet's pages. */
final class Codecs {
  private Codecs() {}

  /** Compresses a page with zstd; the same bytes give the same bytes. */
  static byte[] zstd(byte[] bytes) {
    Compressor compressor = new ZstdCompressor();
    byte[] target = new byte[compressor.maxCompressedLength(bytes.length)];
    int length = compressor.compress(bytes, 0, bytes.length, target, 0, target.length);
    return Arrays.copyOf(target, length);
  }

  /**
   * Decompresses a page.
   *
   * @param size how many bytes it has to become
   * @throws IOException if it does not, or is compressed in another way than those that are known
   */
  static byte[] decompress(CompressionCodec codec, byte[] bytes, int size) throws IOException {
    Decompressor decompressor =
        switch (codec) {
          case UNCOMPRESSED, GZIP -> null;
          case SNAPPY -> new SnappyDecompressor();
          case ZSTD -> new ZstdDecompressor();
          case LZ4_RAW -> new Lz4Decompressor();
          default ->
              throw new IOException(
                  "it is compressed with "
                      + codec
                      + ", expected one of UNCOMPRESSED, SNAPPY, GZIP, ZSTD, LZ4_RAW");
        };
    byte[] target;
    if (decompressor != null) {
      target = new byte[size];
      int length = size == 0 ? 0 : decompressor.decompress(bytes, 0, bytes.length, target, 0, size);
      target = length == size ? target : Arrays.copyOf(target, length);
    } else if (codec == CompressionCodec.GZIP) {
      target = new GZIPInputStream(new ByteArrayInputStream(bytes)).readNBytes(size);
    } else {
      target = bytes;
    }
    if (target.length != size) {
      throw new IOException("a page has " + target.length + " bytes, expected " + size);
    }
    return target;
  }
}

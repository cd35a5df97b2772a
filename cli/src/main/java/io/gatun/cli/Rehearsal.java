package io.gatun.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Runs the usual command over a model of nothing but zeros, so that the launcher can have the JVM
 * write down which classes that takes, and keep them ready in an archive.
 */
public final class Rehearsal {
  private static final int SIZE = 16;
  private static final int SYMBOLS = 5;

  private static final String MODEL =
      """
      {
        "format": "gatun-model/1",
        "name": "rehearsal",
        "kind": "encoder-decoder",
        "weights": {"file": "weights.npz", "convention": "pytorch"},
        "source": {
          "tokens": "characters",
          "lowercase": true,
          "vocabulary": ["<pad>", "<unk>", "</s>", "a", "b"],
          "pad": "<pad>",
          "unknown": "<unk>",
          "end": "</s>"
        },
        "target": {
          "tokens": "words",
          "separator": " ",
          "vocabulary": ["<pad>", "<unk>", "<s>", "</s>", "A"],
          "pad": "<pad>",
          "unknown": "<unk>",
          "start": "<s>",
          "end": "</s>"
        },
        "encoder": {
          "layers": [
            {
              "type": "embedding",
              "name": "encoder.embedding",
              "size": 16,
              "weights": {"weight": "embedding"}
            },
            {
              "type": "gru",
              "name": "encoder.gru",
              "hidden": 16,
              "weights": {
                "weight_ih": "weight",
                "weight_hh": "weight",
                "bias_ih": "bias",
                "bias_hh": "bias"
              }
            }
          ]
        },
        "decoder": {
          "layers": [
            {
              "type": "embedding",
              "name": "decoder.embedding",
              "size": 16,
              "weights": {"weight": "embedding"}
            },
            {
              "type": "gru",
              "name": "decoder.gru",
              "hidden": 16,
              "initial_state": "encoder.gru",
              "weights": {
                "weight_ih": "weight",
                "weight_hh": "weight",
                "bias_ih": "bias",
                "bias_hh": "bias"
              }
            },
            {
              "type": "dense",
              "name": "logits",
              "size": 5,
              "weights": {"weight": "embedding", "bias": "logits"}
            }
          ]
        },
        "generation": {"max_length": 4}
      }
      """;

  private Rehearsal() {}

  /**
   * Runs the commands whose start is to be fast; what they print goes nowhere. Ends the JVM with
   * their exit code if one fails.
   *
   * @param arguments none
   * @throws IOException if there is no room for temporary files
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Files.createTempDirectory("gatun");
    int code;
    try {
      Files.writeString(folder.resolve("model.json"), MODEL);
      writeWeights(folder.resolve("weights.npz"));
      Path words = Files.writeString(folder.resolve("words.txt"), "ab\n");
      code = Math.max(run("translate", folder.toString(), words.toString()), run("devices"));
      code = Math.max(code, run("--version"));
    } finally {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
    System.exit(code);
  }

  private static int run(String... arguments) {
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), true);
    return Gatun.run(
        new Streams(new ByteArrayInputStream(new byte[0]), nowhere, nowhere, false, false),
        arguments);
  }

  private static void writeWeights(Path file) throws IOException {
    Map<String, int[]> shapes = new LinkedHashMap<>();
    shapes.put("embedding", new int[] {SYMBOLS, SIZE});
    shapes.put("weight", new int[] {3 * SIZE, SIZE});
    shapes.put("bias", new int[] {3 * SIZE});
    shapes.put("logits", new int[] {SYMBOLS});
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, int[]> array : shapes.entrySet()) {
        byte[] bytes = zeros(array.getValue());
        ZipEntry entry = new ZipEntry(array.getKey() + ".npy");
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(bytes.length);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(bytes);
      }
    }
  }

  /** An array of zeros as npy, version 1.0. */
  private static byte[] zeros(int... shape) {
    int elements = 1;
    StringBuilder dims = new StringBuilder();
    for (int dim : shape) {
      elements *= dim;
      dims.append(dim).append(", ");
    }
    String header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }";
    int headerBytes = (10 + header.length() + 1 + 63) / 64 * 64 - 10;
    byte[] bytes = new byte[10 + headerBytes + elements * Float.BYTES];
    byte[] start = "?NUMPY".getBytes(StandardCharsets.US_ASCII);
    start[0] = (byte) 0x93;
    System.arraycopy(start, 0, bytes, 0, start.length);
    bytes[6] = 1;
    bytes[8] = (byte) headerBytes;
    bytes[9] = (byte) (headerBytes >> 8);
    byte[] text =
        (header + " ".repeat(headerBytes - header.length() - 1) + "\n")
            .getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(text, 0, bytes, 10, text.length);
    return bytes;
  }
}

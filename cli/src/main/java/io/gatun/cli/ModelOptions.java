package io.gatun.cli;

import io.gatun.format.Json;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.format.NetworkFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.CRC32C;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which model. */
final class ModelOptions {
  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = {
        "The model: its folder, or the model.json in it; an ONNX file; or one of Keras (.h5,"
            + " .keras,",
        "or .json with its weights beside it)."
      })
  private Path model;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description = "Take the weights from this file (safetensors, npz, PyTorch, Keras).")
  private Path weights;

  /** Opens the model; the caller closes it. */
  Model open() throws IOException {
    if (!Files.exists(model)) {
      throw new CommandException("no such model: " + model + ", expected a folder or a file");
    }
    return NetworkFile.open(model, Optional.ofNullable(weights));
  }

  /** The file that was named, where it has weights and nothing that says of what network. */
  Optional<Path> weightsAlone() throws IOException {
    boolean alone = weights == null && Files.exists(model) && NetworkFile.isWeightsAlone(model);
    return alone ? Optional.of(model) : Optional.empty();
  }

  /** A number that is another one when the model is: the checksums of its file and its weights. */
  String fingerprint() throws IOException {
    Path file = Files.isDirectory(model) ? model.resolve(ModelFolder.MODEL_FILE) : model;
    String text = checksum(file);
    Path used = weights;
    if (used == null && file.endsWith(ModelFolder.MODEL_FILE)) {
      Json named = Json.read(file).fields().require("weights").fields().require("file");
      used = file.resolveSibling(named.string());
    }
    return used == null ? text : text + "-" + checksum(used);
  }

  private static String checksum(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = new byte[1 << 16];
      for (int count = in.read(bytes); count > 0; count = in.read(bytes)) {
        crc.update(bytes, 0, count);
      }
    }
    return Long.toHexString(crc.getValue());
  }
}

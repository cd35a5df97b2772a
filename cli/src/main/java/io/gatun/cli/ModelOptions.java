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
import picocli.CommandLine.Model.CommandSpec;

/** Which model. */
final class ModelOptions {
  private final Argument<Path> model =
      Argument.parameter(
          Path.class,
          0,
          "1",
          "MODEL",
          "The model: its folder, or the model.json in it; an ONNX file; or one of Keras (.h5,"
              + " .keras,",
          "or .json with its weights beside it).");

  private final Argument<Path> weights =
      Argument.option(
          Path.class,
          "--weights",
          "FILE",
          "Take the weights from this file (safetensors, npz, PyTorch, Keras).");

  /** Gives a command these arguments, after those that it has. */
  ModelOptions(CommandSpec spec) {
    Argument.add(spec, model, weights);
  }

  /** Opens the model; the caller closes it. */
  Model open() throws IOException {
    if (!Files.exists(model.get())) {
      throw new CommandException("no such model: " + model.get() + ", expected a folder or a file");
    }
    return NetworkFile.open(model.get(), Optional.ofNullable(weights.get()));
  }

  /** The file that was named, where it has weights and nothing that says of what network. */
  Optional<Path> weightsAlone() throws IOException {
    boolean alone =
        weights.get() == null
            && Files.exists(model.get())
            && NetworkFile.isWeightsAlone(model.get());
    return alone ? Optional.of(model.get()) : Optional.empty();
  }

  /** A number that is another one when the model is: the checksums of its file and its weights. */
  String fingerprint() throws IOException {
    Path file =
        Files.isDirectory(model.get()) ? model.get().resolve(ModelFolder.MODEL_FILE) : model.get();
    String text = checksum(file);
    Path used = weights.get();
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

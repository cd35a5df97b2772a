package io.gatun.cli;

import io.gatun.format.Model;
import io.gatun.format.NetworkFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
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
}

package io.gatun.cli;

import io.gatun.format.Model;
import io.gatun.format.NetworkWriter;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;

/** {@code gatun convert}: a network of another format as a model folder. */
final class Convert implements Syntax.Subcommand {
  private final CommandSpec spec =
      new Syntax(
              "convert",
              this,
              "Writes a network of any format as a model folder: model.json, which can be read and"
                  + " changed, and its weights as safetensors. It gives the same numbers.")
          .examples(
              "  gatun convert model.keras model",
              "  gatun convert model.onnx model",
              "  gatun convert model.json model --weights model.weights.h5");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<Path> folder =
      Argument.parameter(
              Path.class,
              1,
              "1",
              "FOLDER",
              "The folder to write; it must not be there yet, or be empty.")
          .in(spec);

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException {
    try (Model model = modelOptions.open()) {
      NetworkWriter.write(model, folder.get());
      spec.commandLine().getOut().println(model + " written to " + folder.get());
    }
    return ExitCode.OK;
  }
}

package io.gatun.cli;

import io.gatun.format.Model;
import io.gatun.format.NetworkWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun convert}: a network of another format as a model folder. */
@Command(
    name = "convert",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    sortOptions = false,
    description =
        "Writes a network of any format as a model folder: model.json, which can be read and"
            + " changed, and its weights as safetensors. It gives the same numbers.",
    parameterListHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  gatun convert model.keras model",
      "  gatun convert model.onnx model",
      "  gatun convert model.json model --weights model.weights.h5"
    })
final class Convert implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOptions modelOptions;

  @Parameters(
      index = "1",
      paramLabel = "FOLDER",
      description = "The folder to write; it must not be there yet, or be empty.")
  private Path folder;

  @Override
  public Integer call() throws IOException {
    try (Model model = modelOptions.open()) {
      NetworkWriter.write(model, folder);
      spec.commandLine().getOut().println(model + " written to " + folder);
    }
    return ExitCode.OK;
  }
}

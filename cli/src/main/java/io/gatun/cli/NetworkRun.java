package io.gatun.cli;

import io.gatun.format.Model;
import io.gatun.format.Npy;
import io.gatun.format.TensorFile;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun run}: a network over arrays of numbers. */
final class NetworkRun implements Syntax.Subcommand {
  /** A value of more numbers is summed up where it is printed. */
  private static final int MOST_PRINTED = 100;

  private final CommandSpec spec =
      new Syntax(
              "run",
              this,
              "Runs a network of any format once, over numpy arrays, and writes the values that"
                  + " are asked"
                  + " for: its outputs, or any on the way to them.")
          .examples(
              "  gatun run model.keras --input tokens=tokens.npy --output dense=scores.npy",
              "  gatun run model.onnx --input x=x.npy --output-dir out --values 'encoder.*,logits'",
              "  gatun inspect model.onnx      lists the values, inputs and outputs");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<List<String>> inputs =
      Argument.options(
              String.class,
              "-i,--input",
              "NAME=FILE",
              "An input from a file .npy; FILE alone where the network has one input. Numbers of"
                  + " another type are converted if they stay what they are.")
          .in(spec);

  private final Argument<Map<String, Path>> outputs =
      Argument.entries(
              String.class,
              Path.class,
              "-o,--output",
              "NAME=FILE",
              "Write a value to a file .npy, which appears when it is complete.")
          .in(spec);

  private final Argument<Path> folder =
      Argument.option(Path.class, "--output-dir", "DIR", "Write each value to DIR/NAME.npy.")
          .in(spec);

  private final Argument<List<String>> values =
      Argument.options(
              String.class,
              "--values",
              "NAME",
              "Which values, with commas between; * stands for anything. By default the network's"
                  + " outputs.")
          .split()
          .in(spec);

  private final Argument<String> device = RunOptions.device().in(spec);

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException {
    try (Model model = modelOptions.open()) {
      if (model.kind() == Model.Kind.ENCODER_DECODER) {
        throw new CommandException(
            model.file() + " is an encoder–decoder, which 'gatun translate' and 'gatun score' run");
      }
      if (device.get().equals("auto")) {
        run(model.network(), Devices.best());
      } else {
        try (Device opened = Devices.open(device.get())) {
          run(model.network(), opened);
        }
      }
    }
    return ExitCode.OK;
  }

  private void run(Graph graph, Device opened) throws IOException {
    Set<String> wanted = wanted(graph);
    Map<String, Path> files = files(graph);
    Map<String, TensorFile> open = new LinkedHashMap<>();
    try (Arena arena = Arena.ofShared();
        Plan plan = Plan.on(opened, graph, wanted.toArray(new String[0]));
        Execution execution = plan.newExecution()) {
      for (Value input : plan.inputs()) {
        Path file = files.get(input.name());
        if (file == null) {
          throw usage(
              "input " + input + " is not given; add --input " + input.name() + "=FILE.npy");
        }
        TensorFile tensors = TensorFile.open(file);
        open.put(input.name(), tensors);
        execution.input(input.name(), fitting(input, file, tensors, arena));
      }
      execution.run();
      deliver(execution, wanted);
    } finally {
      for (TensorFile file : open.values()) {
        file.close();
      }
    }
  }

  /** The values to compute, in the order in which they are asked for. */
  private Set<String> wanted(Graph graph) {
    List<String> all =
        graph.values().values().stream()
            .filter(value -> value.constant() == null)
            .map(Value::name)
            .toList();
    Set<String> wanted = new LinkedHashSet<>();
    for (String each : values.get()) {
      Pattern pattern = Pattern.compile(Pattern.quote(each).replace("*", "\\E.*\\Q"));
      List<String> found = all.stream().filter(name -> pattern.matcher(name).matches()).toList();
      if (found.isEmpty()) {
        throw usage("there is no value " + each + "; " + Names.suggest(each, all));
      }
      wanted.addAll(found);
    }
    for (String name : outputs.get().keySet()) {
      if (!all.contains(name)) {
        throw usage("there is no value " + name + "; " + Names.suggest(name, all));
      }
    }
    if (values.get().isEmpty() && (outputs.get().isEmpty() || folder.get() != null)) {
      graph.outputs().forEach(value -> wanted.add(value.name()));
    }
    wanted.addAll(outputs.get().keySet());
    Set<String> names = new LinkedHashSet<>();
    for (String name : wanted) {
      if (folder.get() != null && !names.add(fileName(name))) {
        throw usage("two values would be written to " + fileName(name) + "; use --output");
      }
    }
    return wanted;
  }

  private Map<String, Path> files(Graph graph) {
    Map<String, Path> files = new LinkedHashMap<>();
    List<String> names = graph.inputs().stream().map(Value::name).toList();
    for (String each : inputs.get()) {
      int equals = each.indexOf('=');
      String name = equals < 0 ? "" : each.substring(0, equals);
      if (equals < 0 && names.size() == 1) {
        name = names.get(0);
      }
      if (!names.contains(name)) {
        throw usage(
            equals < 0
                ? "--input " + each + " names no input; there are " + String.join(", ", names)
                : "there is no input " + name + "; " + Names.suggest(name, names));
      }
      if (files.put(name, Path.of(each.substring(equals + 1))) != null) {
        throw usage("input " + name + " is given twice");
      }
    }
    return files;
  }

  /** The array of a file in the type of the input. */
  private static Tensor fitting(Value input, Path file, TensorFile tensors, Arena arena) {
    if (tensors.names().size() != 1) {
      throw new CommandException(
          file + " has " + tensors.names().size() + " arrays, expected one, as .npy");
    }
    Tensor given = tensors.tensor(tensors.names().iterator().next());
    if (given.dtype() == input.type()) {
      return given;
    }
    Tensor converted = given.to(arena, input.type());
    boolean same =
        input.type().isFloat() || Arrays.equals(given.toDoubles(), converted.toDoubles());
    if (!same) {
      throw new CommandException(
          file
              + " is "
              + given.dtype().label()
              + " with numbers that "
              + input.type().label()
              + " cannot hold, which input "
              + input.name()
              + " is");
    }
    return converted;
  }

  private void deliver(Execution execution, Set<String> wanted) throws IOException {
    for (Map.Entry<String, Path> each : outputs.get().entrySet()) {
      Npy.write(each.getValue(), execution.output(each.getKey()));
    }
    PrintWriter out = spec.commandLine().getOut();
    if (folder.get() != null) {
      Files.createDirectories(folder.get());
    }
    for (String name : wanted) {
      if (folder.get() != null) {
        Npy.write(folder.get().resolve(fileName(name)), execution.output(name));
      } else if (!outputs.get().containsKey(name)) {
        print(name, execution.output(name), out);
      }
    }
    out.flush();
  }

  /** The name of a value as that of a file. */
  private static String fileName(String value) {
    return value.replaceAll("[^A-Za-z0-9._-]", "_") + ".npy";
  }

  private static void print(String name, Tensor tensor, PrintWriter out) {
    out.println(name + " " + tensor.dtype().label() + Arrays.toString(tensor.shape().dims()));
    double[] numbers = tensor.toDoubles();
    List<String> line = new ArrayList<>();
    int row = tensor.rank() == 0 ? 1 : (int) Math.max(1, tensor.dim(tensor.rank() - 1));
    int shown = Math.min(numbers.length, MOST_PRINTED);
    for (int i = 0; i < shown; i++) {
      line.add(
          tensor.dtype().isFloat()
              ? Float.toString((float) numbers[i])
              : Long.toString((long) numbers[i]));
      if ((i + 1) % row == 0 || i == shown - 1) {
        out.println("  " + String.join(" ", line));
        line.clear();
      }
    }
    if (shown < numbers.length) {
      out.println("  and " + (numbers.length - shown) + " more; --output-dir writes them all");
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}

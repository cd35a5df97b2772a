package io.gatun.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.gatun.format.Json;
import io.gatun.format.Model;
import io.gatun.format.TensorFile;
import io.gatun.format.TextCodec;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun inspect}: the path of representations of a model. */
final class Inspect implements Syntax.Subcommand {
  /** A drawing over more steps than this helps nobody. */
  private static final int MOST_STEPS = 100;

  private static final JsonFactory JSON = new JsonFactory();

  private final CommandSpec spec =
      new Syntax(
              "inspect",
              this,
              "Shows what a model is made of: the path of representations from its input to its"
                  + " output,"
                  + " each with its shape, parameters and bytes.")
          .examples(
              "  gatun inspect examples/g2p_en",
              "  gatun inspect examples/g2p_en --unroll 3",
              "  gatun inspect examples/g2p_en --json | jq '.graphs[].nodes[].name'",
              "",
              "Where the weights do not lie beside model.json, say where with --weights FILE. A"
                  + " file of",
              "weights alone (.safetensors, .npz, .pt) is shown as the tensors that are in it.");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<Integer> steps =
      Argument.option(
              Integer.class,
              "--unroll",
              "N",
              "Also draw the recurrent loop, unrolled over N time steps.")
          .in(spec);

  private final Argument<Boolean> json = Argument.flag("--json", "Print it as JSON.").in(spec);

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException {
    if (steps.get() != null && (steps.get() < 1 || steps.get() > MOST_STEPS)) {
      throw usage("--unroll is " + steps.get() + ", expected 1 to " + MOST_STEPS);
    }
    if (steps.get() != null && json.get()) {
      throw usage("--unroll draws text, it does not go with --json");
    }
    PrintWriter out = spec.commandLine().getOut();
    Optional<Path> weights = modelOptions.weightsAlone();
    if (weights.isPresent() && steps.get() == null) {
      try (TensorFile file = TensorFile.open(weights.get())) {
        if (json.get()) {
          printJson(file, out);
        } else {
          printText(file, out);
        }
      }
      out.flush();
      return ExitCode.OK;
    }
    try (Model model = modelOptions.open()) {
      if (json.get()) {
        printJson(model, out);
      } else {
        printText(model, out);
      }
      out.flush();
    }
    return ExitCode.OK;
  }

  // ---- text ------------------------------------------------------------------------------------

  private void printText(Model model, PrintWriter out) {
    out.println(model);
    model.description().ifPresent(text -> out.println("  " + text));
    model.origin().ifPresent(origin -> out.println("  from " + origin));
    model.license().ifPresent(license -> out.println("  licence " + license));
    if (model.hasWeightFile()) {
      out.printf(
          Locale.ROOT,
          "  weights: %s, %s, %,d bytes, %d tensors%s%n",
          model.weights().path(),
          model.weights().format().label(),
          model.weights().byteSize(),
          model.weights().names().size(),
          convention(model).map(name -> ", convention " + name).orElse(""));
    }
    if (!model.unusedWeights().isEmpty()) {
      out.println("  weights that no layer uses: " + String.join(", ", model.unusedWeights()));
    }
    model.source().ifPresent(codec -> out.println("  source: " + text(codec)));
    model.target().ifPresent(codec -> out.println("  target: " + text(codec)));
    model.labels().ifPresent(labels -> out.println("  labels: " + labels));
    if (model.kind() == Model.Kind.ENCODER_DECODER) {
      Model.Generation usual = model.generation();
      out.println(
          "  generation: up to "
              + usual.maxLength()
              + " tokens, "
              + (usual.beam() == 1 ? "greedy" : "beam of " + usual.beam()));
      for (Model.State state : model.states()) {
        out.println(
            "  state: "
                + state.input()
                + " begins as "
                + state.source().orElse("zeros")
                + ", then "
                + state.output());
      }
      for (Model.Memory memory : model.memories()) {
        out.println("  memory: " + memory.input() + " is " + memory.source() + " at every step");
      }
    }
    Totals all = new Totals();
    for (Graph graph : model.graphs()) {
      out.println();
      printGraph(graph, all, out);
    }
    if (model.graphs().size() > 1) {
      out.printf(Locale.ROOT, "%nin all: %,d parameters, %,d bytes%n", all.parameters, all.bytes);
    }
    if (steps.get() != null) {
      for (String line : unrolled(model)) {
        out.println(line);
      }
    }
  }

  /** Tensors of which nothing says what they are weights of. */
  private static void printText(TensorFile file, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%s: %s, %,d bytes, %d tensors; a model.json beside it says what network they are of%n%n",
        file.path().getFileName(),
        file.format().label(),
        file.byteSize(),
        file.names().size());
    List<String[]> table = new ArrayList<>();
    table.add(new String[] {"tensor", "type and shape", "parameters", "bytes"});
    long parameters = 0;
    long bytes = 0;
    for (String name : file.names()) {
      Tensor tensor = file.tensor(name);
      long size = tensor.elements() * tensor.dtype().bytes();
      table.add(
          new String[] {
            name,
            tensor.dtype().label() + " " + tensor.shape(),
            String.format(Locale.ROOT, "%,d", tensor.elements()),
            String.format(Locale.ROOT, "%,d", size)
          });
      parameters += tensor.elements();
      bytes += size;
    }
    table.add(
        new String[] {
          "",
          "in all",
          String.format(Locale.ROOT, "%,d", parameters),
          String.format(Locale.ROOT, "%,d", bytes)
        });
    printTable(table, out);
  }

  private static String text(TextCodec codec) {
    StringBuilder text = new StringBuilder(codec.tokens().label());
    if (codec.lowercase()) {
      text.append(" in lower case");
    }
    text.append(", ").append(codec.vocabulary().size()).append(" symbols");
    append(text, "start", codec, codec.start());
    append(text, "end", codec, codec.end());
    append(text, "unknown", codec, codec.unknown());
    append(text, "padding", codec, codec.pad());
    return text.toString();
  }

  private static void append(StringBuilder text, String job, TextCodec codec, OptionalInt id) {
    if (id.isPresent()) {
      text.append(", ").append(job).append(' ').append(codec.vocabulary().symbol(id.getAsInt()));
    }
  }

  /** What the model file says about whose order of gates and biases its weights have. */
  private static Optional<String> convention(Model model) {
    if (!model.file().toString().endsWith(".json")) {
      return Optional.empty();
    }
    try {
      return Json.read(model.file())
          .fields()
          .find("weights")
          .flatMap(weights -> weights.fields().find("convention"))
          .map(Json::string);
    } catch (IOException e) {
      return Optional.empty(); // it was there a moment ago; the rest of the answer stands
    }
  }

  /** Counts weights; one that is used twice counts once. */
  private static final class Totals {
    private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    private long parameters;
    private long bytes;

    /** The number and bytes of a node's weights that were not seen before. */
    long[] add(Node node) {
      long count = 0;
      long size = 0;
      for (Value input : node.inputs()) {
        if (input != null && UnrolledDrawing.isWeight(input) && seen.add(input.constant())) {
          count += input.constant().shape().elements();
          size += input.constant().bytes();
        }
      }
      parameters += count;
      bytes += size;
      return new long[] {count, size};
    }
  }

  private static void printGraph(Graph graph, Totals all, PrintWriter out) {
    Totals totals = new Totals();
    Set<Value> outputs = new LinkedHashSet<>(graph.outputs());
    List<String[]> table = new ArrayList<>();
    table.add(new String[] {"representation", "operator", "type and shape", "parameters", "bytes"});
    for (Value input : graph.inputs()) {
      table.add(new String[] {input.name(), "input", shape(input), "", ""});
    }
    for (Node node : graph.nodes()) {
      all.add(node);
      long[] weights = totals.add(node);
      boolean first = true;
      for (Value value : node.outputs()) {
        if (first || outputs.contains(value) || isUsed(graph, value)) {
          table.add(
              new String[] {
                value.name() + (outputs.contains(value) ? " *" : ""),
                first ? node.operator().type() : "",
                shape(value),
                first && weights[0] > 0 ? String.format(Locale.ROOT, "%,d", weights[0]) : "",
                first && weights[1] > 0 ? String.format(Locale.ROOT, "%,d", weights[1]) : ""
              });
          first = false;
        }
      }
    }
    table.add(
        new String[] {
          "",
          "",
          "in all",
          String.format(Locale.ROOT, "%,d", totals.parameters),
          String.format(Locale.ROOT, "%,d", totals.bytes)
        });
    out.println(graph.name() + " (* is an output)");
    printTable(table, out);
  }

  private static boolean isUsed(Graph graph, Value value) {
    return graph.nodes().stream().anyMatch(node -> node.inputs().contains(value));
  }

  private static String shape(Value value) {
    return value.type().toString().toLowerCase(Locale.ROOT)
        + " "
        + value.dims().stream().map(Dim::toString).collect(Collectors.joining(", ", "[", "]"));
  }

  private static void printTable(List<String[]> table, PrintWriter out) {
    int columns = table.get(0).length;
    int[] widths = new int[columns];
    for (String[] row : table) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    for (String[] row : table) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < columns; i++) {
        String padding = " ".repeat(widths[i] - row[i].length());
        boolean number = i >= columns - 2;
        line.append("  ").append(number ? padding + row[i] : row[i] + padding);
      }
      out.println(line.toString().stripTrailing());
    }
  }

  private List<String> unrolled(Model model) {
    List<String> lines = new ArrayList<>();
    lines.add("");
    if (model.kind() != Model.Kind.ENCODER_DECODER) {
      lines.addAll(UnrolledDrawing.ofNetwork(model.network(), steps.get(), "y", model.logits()));
      return lines;
    }
    boolean attends = !model.memories().isEmpty();
    Value context =
        model.memories().stream()
            .map(Model.Memory::source)
            .findFirst()
            .or(() -> model.states().stream().flatMap(state -> state.source().stream()).findFirst())
            .map(model.encoder()::value)
            .orElse(model.encoder().outputs().get(0));
    lines.addAll(UnrolledDrawing.ofNetwork(model.encoder(), steps.get(), "context", context));
    lines.add("");
    TextCodec target = model.target().orElseThrow();
    String start = target.vocabulary().symbol(target.start().orElseThrow());
    boolean fromEncoder = model.states().stream().anyMatch(state -> state.source().isPresent());
    lines.addAll(
        UnrolledDrawing.ofDecoder(
            model.decoder(), steps.get(), start, fromEncoder ? "context" : "zeros"));
    if (attends) {
      lines.add("");
      lines.add("Every step of the decoder sees all steps of the encoder (attention).");
    }
    return lines;
  }

  // ---- JSON ------------------------------------------------------------------------------------

  private static void printJson(TensorFile file, PrintWriter out) throws IOException {
    try (JsonGenerator to = JSON.createGenerator(out)) {
      to.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      to.setPrettyPrinter(new DefaultPrettyPrinter());
      to.writeStartObject();
      to.writeStringField("file", file.path().toString());
      to.writeStringField("format", file.format().label());
      to.writeNumberField("bytes", file.byteSize());
      to.writeArrayFieldStart("tensors");
      for (String name : file.names()) {
        Tensor tensor = file.tensor(name);
        to.writeStartObject();
        to.writeStringField("name", name);
        to.writeStringField("type", tensor.dtype().label());
        to.writeFieldName("shape");
        to.writeArray(tensor.shape().dims(), 0, tensor.rank());
        to.writeEndObject();
      }
      to.writeEndArray();
      to.writeEndObject();
    }
    out.println();
  }

  private static void printJson(Model model, PrintWriter out) throws IOException {
    try (JsonGenerator to = JSON.createGenerator(out)) {
      to.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      to.setPrettyPrinter(new DefaultPrettyPrinter());
      to.writeStartObject();
      to.writeStringField("name", model.name());
      to.writeStringField("kind", model.kind().label());
      to.writeObjectFieldStart("weights");
      if (model.hasWeightFile()) {
        to.writeStringField("file", model.weights().path().toString());
        to.writeStringField("format", model.weights().format().label());
        to.writeNumberField("bytes", model.weights().byteSize());
      } else {
        to.writeStringField("file", model.file().toString());
      }
      Optional<String> convention = convention(model);
      if (convention.isPresent()) {
        to.writeStringField("convention", convention.get());
      }
      to.writeEndObject();
      to.writeArrayFieldStart("graphs");
      for (Graph graph : model.graphs()) {
        writeGraph(graph, to);
      }
      to.writeEndArray();
      to.writeArrayFieldStart("states");
      for (Model.State state : model.states()) {
        to.writeStartObject();
        to.writeStringField("input", state.input());
        to.writeStringField("output", state.output());
        if (state.source().isPresent()) {
          to.writeStringField("begins_as", state.source().get());
        }
        to.writeEndObject();
      }
      to.writeEndArray();
      to.writeEndObject();
    }
    out.println();
  }

  private static void writeGraph(Graph graph, JsonGenerator to) throws IOException {
    to.writeStartObject();
    to.writeStringField("name", graph.name());
    to.writeArrayFieldStart("inputs");
    for (Value input : graph.inputs()) {
      writeValue(input, to);
    }
    to.writeEndArray();
    to.writeArrayFieldStart("outputs");
    for (Value output : graph.outputs()) {
      to.writeString(output.name());
    }
    to.writeEndArray();
    Totals totals = new Totals();
    to.writeArrayFieldStart("nodes");
    for (Node node : graph.nodes()) {
      long[] weights = totals.add(node);
      to.writeStartObject();
      to.writeStringField("name", node.name());
      to.writeStringField("operator", node.operator().type());
      to.writeArrayFieldStart("outputs");
      for (Value value : node.outputs()) {
        writeValue(value, to);
      }
      to.writeEndArray();
      to.writeNumberField("parameters", weights[0]);
      to.writeNumberField("bytes", weights[1]);
      to.writeEndObject();
    }
    to.writeEndArray();
    to.writeNumberField("parameters", totals.parameters);
    to.writeNumberField("bytes", totals.bytes);
    to.writeEndObject();
  }

  private static void writeValue(Value value, JsonGenerator to) throws IOException {
    to.writeStartObject();
    to.writeStringField("name", value.name());
    to.writeStringField("type", value.type().toString().toLowerCase(Locale.ROOT));
    to.writeArrayFieldStart("shape");
    for (Dim dim : value.dims()) {
      if (dim.isKnown()) {
        to.writeNumber(dim.size());
      } else {
        to.writeString(dim.toString());
      }
    }
    to.writeEndArray();
    to.writeEndObject();
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}

package io.gatun.format;

import io.gatun.format.OnnxFields.Function;
import io.gatun.format.OnnxFields.GraphMessage;
import io.gatun.format.OnnxFields.Info;
import io.gatun.format.OnnxFields.Node;
import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Operators;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads the nodes of an ONNX graph into a {@link Graph}. A graph within a node (of If, Loop and
 * Scan) becomes a graph of its own: values of the graphs around it that it uses become inputs of it
 * and of the node, weights become its constants.
 */
final class OnnxGraphReader {
  /** Functions that call functions, graphs within graphs: deeper is taken for an attack. */
  private static final int MAX_DEPTH = 16;

  /** Nodes that all functions put in place together may have. */
  private static final int MAX_INLINED = 1_000_000;

  /** What constants that are worked out when a file is read may take, however small it is. */
  private static final long LEAST_BUDGET = 64L << 20;

  private final MappedFile file;
  private final OnnxTensors tensors;
  private final Map<String, Function> functions = new HashMap<>();
  private final Map<String, Long> modelOpsets;
  private final OnnxGraphReader parent;
  private final int depth;
  private final int[] inlined;

  /** Bytes that constants which are worked out may still take. */
  private final long[] budget;

  /** Sizes that the caller gives to symbols. */
  private final Map<String, Long> sizes;

  private Graph.Builder g;

  /** Values by the name that the part being read uses; {@code null} for a left-out input. */
  private Map<String, Value> scope = new HashMap<>();

  /** In front of the names of what a function adds. */
  private String prefix = "";

  private Map<String, Long> opsets;
  private int functionDepth;
  private int branches;
  private final Set<Value> captured = new LinkedHashSet<>();
  private int fresh;

  OnnxGraphReader(
      MappedFile file,
      OnnxTensors tensors,
      Map<String, Long> opsets,
      List<Function> functions,
      Map<String, Long> sizes) {
    this.sizes = sizes;
    this.budget = new long[] {Math.max(LEAST_BUDGET, 4 * file.size())};
    this.file = file;
    this.tensors = tensors;
    this.modelOpsets = opsets;
    this.opsets = opsets;
    this.parent = null;
    this.depth = 0;
    this.inlined = new int[1];
    for (Function function : functions) {
      String key = key(function.domain(), function.name(), function.overload());
      if (this.functions.put(key, function) != null) {
        throw file.error(function.offset(), "a second function '" + function.name() + "'");
      }
    }
  }

  private OnnxGraphReader(OnnxGraphReader parent) {
    this.file = parent.file;
    this.tensors = parent.tensors;
    this.functions.putAll(parent.functions);
    this.modelOpsets = parent.modelOpsets;
    this.opsets = parent.opsets;
    this.parent = parent;
    this.depth = parent.depth + 1;
    this.inlined = parent.inlined;
    this.budget = parent.budget;
    this.sizes = parent.sizes;
    this.functionDepth = parent.functionDepth;
  }

  private static String key(String domain, String name, String overload) {
    return (domain.equals("ai.onnx") ? "" : domain) + "\n" + name + "\n" + overload;
  }

  /** The model's graph. */
  Graph read(Protobuf message) {
    GraphMessage graph = OnnxFields.graph(message);
    g = Graph.builder(graph.name().isEmpty() ? stem() : graph.name());
    initializers(graph);
    for (Protobuf input : graph.inputs()) {
      Info info = OnnxFields.info(input);
      if (!scope.containsKey(info.name())) {
        define(info.name(), input(info, info.dims()), info.offset());
      }
    }
    nodes(graph.nodes());
    Set<String> seen = new LinkedHashSet<>();
    for (Protobuf output : graph.outputs()) {
      Info info = OnnxFields.info(output);
      if (!seen.add(info.name())) {
        throw file.error(info.offset(), "output '" + info.name() + "' is named twice");
      }
      g.output(resolve(info.name(), "output of the graph", info.offset()));
    }
    if (seen.isEmpty()) {
      throw file.error(graph.offset(), "the graph has no output");
    }
    return g.build();
  }

  private String stem() {
    String name = String.valueOf(file.path().getFileName());
    return name.endsWith(".onnx") ? name.substring(0, name.length() - 5) : name;
  }

  private void initializers(GraphMessage graph) {
    for (Protobuf message : graph.initializers()) {
      OnnxTensors.Named named = tensors.read(message, "initializer");
      if (named.name().isEmpty()) {
        throw file.error(message.begin(), "an initializer without a name");
      }
      define(named.name(), constant(named.name(), Constant.of(named.tensor())), message.begin());
    }
  }

  private Value input(Info info, List<Object> sizes) {
    if (info.name().isEmpty()) {
      throw file.error(info.offset(), "an input without a name");
    }
    if (info.type() == null) {
      throw file.error(
          info.offset(),
          "input '" + info.name() + "' is " + info.kind() + ", read are tensors of numbers");
    }
    if (sizes == null) {
      throw file.error(
          info.offset(), "input '" + info.name() + "' does not say how many axes it has");
    }
    Object[] dims = new Object[sizes.size()];
    for (int axis = 0; axis < dims.length; axis++) {
      dims[axis] = dim(sizes.get(axis), info.name() + "." + axis);
    }
    return g.input(unique(info.name()), info.type(), dims);
  }

  /** A size from a file: numbers are sizes, names symbols, and all else is not known. */
  private Dim dim(Object size, String otherwise) {
    if (size instanceof Dim dim) {
      return dim;
    }
    if (size instanceof Long number && number >= 0) {
      return Dim.of(number);
    }
    String name = size instanceof String text ? text : "";
    Long given = sizes.get(name);
    if (given != null) {
      return Dim.of(given);
    }
    boolean named = !name.isEmpty() && !Character.isDigit(name.charAt(0)) && name.charAt(0) != '-';
    return Dim.symbol(named ? name : otherwise.replaceFirst("^[-0-9]", "_$0"));
  }

  // ---- names ----------------------------------------------------------------------------------

  private void define(String name, Value value, long offset) {
    if (scope.containsKey(name)) {
      throw file.error(offset, "two values are called '" + name + "'");
    }
    scope.put(name, value);
  }

  /** A name that no value of the graph being built has. */
  private String unique(String name) {
    String wanted = prefix + name;
    String result = wanted;
    for (int i = 2; g.find(result) != null; i++) {
      result = wanted + "#" + i;
    }
    return result;
  }

  Value constant(String name, Constant constant) {
    return g.constant(unique(name), constant);
  }

  /** The value of a name, from here or from the graphs around. */
  private Value resolve(String name, String user, long offset) {
    if (scope.containsKey(name)) {
      return scope.get(name);
    }
    Value outer = parent == null ? null : parent.find(name);
    if (outer == null) {
      throw file.error(
          offset,
          user
              + " needs '"
              + name
              + "', which is neither an input nor computed before it"
              + Names.didYouMean(name, scope.keySet()));
    }
    Value inner;
    if (outer.constant() != null) {
      inner = constant(name, outer.constant());
    } else {
      inner = g.input(unique(outer.name()), outer.type(), outer.dims().toArray());
      captured.add(outer);
    }
    scope.put(name, inner);
    return inner;
  }

  /** The value of a name for a graph within this one; {@code null} if there is none. */
  private Value find(String name) {
    if (scope.containsKey(name)) {
      return scope.get(name);
    }
    return parent == null || parent.find(name) == null ? null : resolve(name, "a graph", 0);
  }

  // ---- nodes ----------------------------------------------------------------------------------

  private void nodes(List<Protobuf> messages) {
    for (Protobuf message : messages) {
      node(OnnxFields.node(message, tensors));
    }
  }

  private void node(Node node) {
    if (node.type().isEmpty()) {
      throw file.error(node.offset(), node.title() + " has no operator");
    }
    Function function = functions.get(key(node.domain(), node.type(), ""));
    if (function != null) {
      inline(node, function);
      return;
    }
    if (!node.isStandard()) {
      throw file.error(
          node.offset(),
          node.title() + " is of domain '" + node.domain() + "', read are ONNX' own operators");
    }
    for (Object value : node.attributes().values()) {
      if (value instanceof OnnxFields.Reference reference) {
        throw file.error(
            node.offset(),
            node.title() + " refers to attribute '" + reference.attribute() + "' of no function");
      }
    }
    if (node.type().equals("Constant")) {
      constantNode(node);
      return;
    }
    Node normal;
    try {
      normal = new OnnxVersions(this, opsets.getOrDefault("", 0L)).normal(node);
    } catch (ModelFormatException e) {
      throw e;
    } catch (RuntimeException e) {
      throw failed(node, e);
    }
    if (normal != null) {
      add(normal);
    }
  }

  /** Adds a node in its newest form. */
  void add(Node node) {
    if (!Operators.all().containsKey(node.type())) {
      throw file.error(
          node.offset(),
          node.title()
              + ": operator "
              + node.type()
              + " is not supported"
              + Names.didYouMean(node.type(), Operators.all().keySet())
              + "; docs/operators.md lists those that are");
    }
    List<Value> inputs = new ArrayList<>();
    for (String input : node.inputs()) {
      inputs.add(input.isEmpty() ? null : resolve(input, node.title(), node.offset()));
    }
    // Optional inputs that are left out at the end are the same as none.
    while (!inputs.isEmpty() && inputs.get(inputs.size() - 1) == null) {
      inputs.remove(inputs.size() - 1);
    }
    int count = node.outputs().size();
    while (count > 1 && node.outputs().get(count - 1).isEmpty()) {
      count--;
    }
    List<String> names = new ArrayList<>();
    Set<String> taken = new LinkedHashSet<>();
    for (String output : node.outputs().subList(0, count)) {
      String name = output.isEmpty() ? "unused " + ++fresh : output;
      if (!taken.add(name)) {
        throw file.error(node.offset(), node.title() + " has two outputs '" + name + "'");
      }
      names.add(unique(name));
    }
    if (node.type().equals("If") && inputs.size() == 1 && isKnownCondition(inputs.get(0))) {
      boolean yes = inputs.get(0).constant().longs()[0] != 0;
      List<Value> results = branch(node, yes ? "then_branch" : "else_branch");
      for (int i = 0; i < results.size(); i++) {
        if (!node.outputs().get(i).isEmpty()) {
          rename(node.outputs().get(i), results.get(i), node.offset());
        }
      }
      return;
    }
    List<Value> outputs;
    try {
      Attributes settings = attributes(node, inputs);
      if (node.type().equals("If") && !areAlike(settings)) {
        assumed(node, inputs.get(0));
        return;
      }
      List<Constant> known =
          budget[0] > 0 ? g.fold(label(node), node.type(), settings, inputs, count) : null;
      if (known != null) {
        budget[0] -= known.stream().mapToLong(Constant::bytes).sum();
      }
      outputs =
          known != null
              ? constants(names, known)
              : g.node(label(node), node.type(), settings, inputs, names);
    } catch (ModelFormatException e) {
      throw e;
    } catch (RuntimeException e) {
      throw failed(node, e);
    }
    for (int i = 0; i < count; i++) {
      if (!node.outputs().get(i).isEmpty()) {
        define(node.outputs().get(i), outputs.get(i), node.offset());
      }
    }
  }

  private List<Value> constants(List<String> names, List<Constant> known) {
    List<Value> values = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      values.add(g.constant(names.get(i), known.get(i)));
    }
    return values;
  }

  private static boolean isKnownCondition(Value condition) {
    return condition != null
        && condition.type() == DType.BOOL
        && condition.constant() != null
        && condition.constant().shape().elements() == 1;
  }

  /** Puts the nodes of one branch in the place of a node whose condition is known. */
  private List<Value> branch(Node node, String name) {
    if (!(node.attributes().get(name) instanceof GraphMessage graph)) {
      throw error(node, "has no graph " + name);
    }
    if (depth + branches > MAX_DEPTH) {
      throw error(node, "graphs within graphs, deeper than " + MAX_DEPTH);
    }
    if (graph.outputs().size() < node.outputs().size() || !graph.inputs().isEmpty()) {
      throw error(
          node,
          name
              + " has "
              + graph.inputs().size()
              + " inputs and "
              + graph.outputs().size()
              + " outputs, expected none and "
              + node.outputs().size());
    }
    Map<String, Value> outside = scope;
    scope = new HashMap<>(scope);
    branches++;
    List<Value> results = new ArrayList<>();
    try {
      initializers(graph);
      nodes(graph.nodes());
      for (Protobuf output : graph.outputs()) {
        Info info = OnnxFields.info(output);
        results.add(resolve(info.name(), "output of " + name, info.offset()));
      }
    } finally {
      scope = outside;
      branches--;
    }
    return results.subList(0, node.outputs().size());
  }

  /** Whether the two branches of an If give values of the same types and numbers of axes. */
  private static boolean areAlike(Attributes settings) {
    Graph yes = settings.graph("then_branch");
    Graph no = settings.graph("else_branch");
    boolean alike = yes == null || no == null || yes.outputs().size() == no.outputs().size();
    for (int i = 0; alike && yes != null && no != null && i < yes.outputs().size(); i++) {
      alike =
          yes.outputs().get(i).type() == no.outputs().get(i).type()
              && yes.outputs().get(i).rank() == no.outputs().get(i).rank();
    }
    return alike;
  }

  /**
   * Takes the first branch of a node whose branches give values of different numbers of axes, and
   * has the condition checked when there are sizes. Exporters write such nodes where an axis is
   * dropped if its size is 1, and the first branch is the one that drops it.
   */
  private void assumed(Node node, Value condition) {
    List<Value> results = branch(node, "then_branch");
    for (int i = 0; i < results.size(); i++) {
      String name = node.outputs().get(i);
      if (!name.isEmpty()) {
        Attributes expected = Attributes.of("expected", 1);
        Value checked =
            g.node(
                    label(node),
                    "Assume",
                    expected,
                    List.of(results.get(i), condition),
                    List.of(unique(name)))
                .get(0);
        define(name, checked, node.offset());
      }
    }
  }

  private String label(Node node) {
    String name =
        node.name().isEmpty() ? node.outputs().isEmpty() ? "" : node.outputs().get(0) : node.name();
    return prefix + name;
  }

  private ModelFormatException failed(Node node, RuntimeException e) {
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    String label = label(node) + ": ";
    return file.error(
        node.offset(),
        node.title()
            + ": "
            + (message.startsWith(label) ? message.substring(label.length()) : message),
        e);
  }

  /**
   * The settings of a node. Its graphs are read, and what they use of the graphs around them is
   * added to the inputs: the setting {@code "captures of NAME"} lists, for each of the last inputs
   * of graph NAME, which of the node's inputs it is.
   */
  private Attributes attributes(Node node, List<Value> inputs) {
    List<Object> all = new ArrayList<>();
    for (Map.Entry<String, Object> setting : node.attributes().entrySet()) {
      all.add(setting.getKey());
      if (setting.getValue() instanceof GraphMessage message) {
        OnnxGraphReader inner = new OnnxGraphReader(this);
        all.add(inner.readWithin(message, node, setting.getKey(), List.copyOf(inputs)));
        all.add("captures of " + setting.getKey());
        all.add(inner.captured.stream().mapToLong(value -> position(inputs, value)).toArray());
      } else {
        all.add(setting.getValue());
      }
    }
    return Attributes.of(all.toArray());
  }

  /** Where a value stands among a node's inputs; at the end if it was not there. */
  private static long position(List<Value> inputs, Value value) {
    int at = inputs.indexOf(value);
    if (at < 0) {
      inputs.add(value);
      at = inputs.size() - 1;
    }
    return at;
  }

  /** What a node's graph is given first: its own inputs, by type and sizes. */
  private record Formal(DType type, List<Dim> dims) {}

  private Graph readWithin(GraphMessage graph, Node node, String attribute, List<Value> inputs) {
    String what = "graph '" + attribute + "' of " + node.title();
    if (depth > MAX_DEPTH) {
      throw file.error(graph.offset(), what + ": graphs within graphs, deeper than " + MAX_DEPTH);
    }
    g = Graph.builder(node.title() + "." + attribute);
    List<Formal> formals = formals(node, inputs);
    if (formals.size() != graph.inputs().size()) {
      throw file.error(
          graph.offset(),
          what + " has " + graph.inputs().size() + " inputs, expected " + formals.size());
    }
    initializers(graph);
    for (int i = 0; i < formals.size(); i++) {
      Info info = OnnxFields.info(graph.inputs().get(i));
      Formal formal = formals.get(i);
      if (info.type() != null && info.type() != formal.type) {
        throw file.error(
            info.offset(),
            what
                + ": input '"
                + info.name()
                + "' is "
                + info.kind()
                + ", but is given "
                + formal.type.label());
      }
      List<Object> dims = info.dims() == null ? new ArrayList<>(formal.dims) : info.dims();
      Info known = new Info(info.name(), formal.type, info.kind(), dims, info.offset());
      define(info.name(), input(known, dims), info.offset());
    }
    nodes(graph.nodes());
    // Each output a value of its own, that a node computes.
    List<Value> results = new ArrayList<>();
    for (Protobuf output : graph.outputs()) {
      Info info = OnnxFields.info(output);
      Value value = resolve(info.name(), "output of " + what, info.offset());
      boolean own = value.producer() != null && !results.contains(value);
      results.add(own ? value : g.alias(unique(info.name() + " out"), value));
    }
    results.forEach(g::output);
    if (graph.outputs().isEmpty()) {
      throw file.error(graph.offset(), what + " has no output");
    }
    return g.build();
  }

  private List<Formal> formals(Node node, List<Value> inputs) {
    List<Formal> formals = new ArrayList<>();
    switch (node.type()) {
      case "If" -> {}
      case "Loop" -> {
        formals.add(new Formal(DType.INT64, List.of()));
        formals.add(new Formal(DType.BOOL, List.of()));
        for (int i = 2; i < inputs.size(); i++) {
          // The sizes of what is carried may change from one round to the next.
          List<Dim> dims = new ArrayList<>();
          for (int axis = 0; axis < inputs.get(i).rank(); axis++) {
            dims.add(Dim.symbol(inputs.get(i).name() + "." + axis + " carried"));
          }
          formals.add(new Formal(inputs.get(i).type(), dims));
        }
      }
      case "Scan" -> {
        int scanned = (int) node.integer("num_scan_inputs", 0);
        long[] axes =
            node.attributes().get("scan_input_axes") instanceof long[] given ? given : new long[0];
        for (int i = 0; i < inputs.size(); i++) {
          List<Dim> dims = new ArrayList<>(inputs.get(i).dims());
          int from = inputs.size() - scanned;
          if (i >= from) {
            long axis = i - from < axes.length ? axes[i - from] : 0;
            axis = axis < 0 ? axis + dims.size() : axis;
            if (axis < 0 || axis >= dims.size()) {
              throw error(node, "scan input " + inputs.get(i) + " has no axis " + axis);
            }
            dims.remove((int) axis);
          }
          formals.add(new Formal(inputs.get(i).type(), dims));
        }
      }
      default -> throw error(node, "a graph as a setting is not supported here");
    }
    return formals;
  }

  /** A node {@code Constant}: its value in one of several attributes. */
  private void constantNode(Node node) {
    if (node.outputs().size() != 1 || node.attributes().size() != 1) {
      throw file.error(
          node.offset(),
          node.title()
              + " has "
              + node.attributes().size()
              + " values and "
              + node.outputs().size()
              + " outputs, expected one each");
    }
    Map.Entry<String, Object> only = node.attributes().entrySet().iterator().next();
    Constant constant =
        switch (only.getValue()) {
          case Constant tensor -> tensor;
          case Long number -> Constant.of(Tensor.ofLongs(file.arena(), new long[] {number}));
          case Float number -> Constant.of(Tensor.ofFloats(file.arena(), new float[] {number}));
          case long[] numbers -> Constant.of(Tensor.ofLongs(file.arena(), numbers, numbers.length));
          case float[] numbers ->
              Constant.of(Tensor.ofFloats(file.arena(), numbers, numbers.length));
          default ->
              throw file.error(
                  node.offset(), node.title() + " has a " + only.getKey() + ", read are numbers");
        };
    String name = node.outputs().get(0);
    define(name, constant(name, constant), node.offset());
  }

  // ---- functions ------------------------------------------------------------------------------

  /** Puts the nodes of a function in the place of a node that calls it. */
  private void inline(Node call, Function function) {
    if (functionDepth == MAX_DEPTH) {
      throw file.error(
          call.offset(),
          call.title() + ": functions that call functions, deeper than " + MAX_DEPTH);
    }
    inlined[0] += function.nodes().size();
    if (inlined[0] > MAX_INLINED) {
      throw file.error(
          call.offset(),
          call.title() + ": functions of more than " + MAX_INLINED + " nodes in all");
    }
    if (call.inputs().size() > function.inputs().size()
        || call.outputs().size() > function.outputs().size()) {
      throw file.error(
          call.offset(), call.title() + " has more inputs or outputs than the function it calls");
    }
    Map<String, Value> inside = new HashMap<>();
    for (int i = 0; i < function.inputs().size(); i++) {
      inside.put(
          function.inputs().get(i),
          call.hasInput(i) ? resolve(call.inputs().get(i), call.title(), call.offset()) : null);
    }
    Map<String, Object> settings = new LinkedHashMap<>();
    for (Protobuf attribute : function.defaults()) {
      OnnxFields.attribute(attribute, "function '" + function.name() + "'", settings, tensors);
    }
    settings.putAll(call.attributes());

    Map<String, Value> outside = scope;
    String outsidePrefix = prefix;
    Map<String, Long> outsideOpsets = opsets;
    scope = inside;
    prefix = label(call) + "/";
    opsets = function.opsets().isEmpty() ? modelOpsets : function.opsets();
    functionDepth++;
    List<Value> results = new ArrayList<>();
    try {
      for (Protobuf message : function.nodes()) {
        node(substituted(OnnxFields.node(message, tensors), settings));
      }
      for (int i = 0; i < call.outputs().size(); i++) {
        results.add(
            call.outputs().get(i).isEmpty()
                ? null
                : resolve(function.outputs().get(i), call.title(), call.offset()));
      }
    } finally {
      scope = outside;
      prefix = outsidePrefix;
      opsets = outsideOpsets;
      functionDepth--;
    }
    for (int i = 0; i < results.size(); i++) {
      if (results.get(i) != null) {
        rename(call.outputs().get(i), results.get(i), call.offset());
      }
    }
  }

  /** Gives a value the name under which the file knows it. */
  private void rename(String name, Value value, long offset) {
    boolean known = value.constant() != null;
    define(name, known ? constant(name, value.constant()) : g.alias(unique(name), value), offset);
  }

  /** A function's node with the settings of the call. */
  private static Node substituted(Node node, Map<String, Object> settings) {
    Map<String, Object> attributes = new LinkedHashMap<>();
    node.attributes()
        .forEach(
            (name, value) -> {
              if (!(value instanceof OnnxFields.Reference reference)) {
                attributes.put(name, value);
              } else if (settings.containsKey(reference.attribute())) {
                attributes.put(name, settings.get(reference.attribute()));
              }
            });
    return node.with(node.type(), node.inputs(), attributes);
  }

  // ---- for what rewrites nodes ----------------------------------------------------------------

  /** Adds a constant of whole numbers; returns the name to use as an input. */
  String integers(String what, long... numbers) {
    return named(what, Constant.of(Tensor.ofLongs(file.arena(), numbers, numbers.length)));
  }

  /** Adds a constant; returns the name to use as an input. */
  String named(String what, Constant constant) {
    String name = freshName(what);
    scope.put(name, constant(name, constant));
    return name;
  }

  /** A name that nobody has. */
  String freshName(String what) {
    String name;
    do {
      name = what + " " + ++fresh;
    } while (scope.containsKey(name) || g.find(prefix + name) != null);
    return name;
  }

  /** The value of an input, or {@code null} where it is left out. */
  Value value(Node node, int input) {
    return node.hasInput(input)
        ? resolve(node.inputs().get(input), node.title(), node.offset())
        : null;
  }

  ModelFormatException error(Node node, String problem) {
    return file.error(node.offset(), node.title() + ": " + problem);
  }

  MappedFile file() {
    return file;
  }
}

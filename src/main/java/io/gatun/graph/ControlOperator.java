package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * An operator that runs graphs of its own: ONNX If, Loop and Scan. A graph's last inputs are values
 * of the graphs around it that it uses; the setting {@code "captures of NAME"} lists which of the
 * node's inputs they are.
 *
 * <p>Each graph is a plan of its own, made with the plan around it, and each layout has executions
 * of those plans.
 */
abstract class ControlOperator implements Operator {

  static List<Operator> all() {
    return List.of(new If(), new Scan(), new Loop());
  }

  /** The plans of a node's graphs. */
  record Plans(List<Part> parts) implements Compiled {
    @Override
    public Step bind(Binding binding) {
      throw new IllegalStateException(binding.node().name() + " was not prepared");
    }
  }

  /**
   * One graph of a node.
   *
   * @param captures for each of the graph's last inputs, which of the node's inputs it is
   */
  record Part(Plan plan, long[] captures) {
    /** How many inputs the node gives the graph beside what it captures. */
    int own() {
      return plan.graph().inputs().size() - captures.length;
    }

    /** The value of an input of the graph if the plan needs it, else {@code null}. */
    String needed(int input) {
      Value value = plan.graph().inputs().get(input);
      return plan.inputs().contains(value) ? value.name() : null;
    }
  }

  /** A node within one layout: executions that are set up, and the sizes that come out. */
  abstract static class Running implements Compiled, AutoCloseable {
    private final List<long[]> dims = new ArrayList<>();
    final List<AutoCloseable> owned = new ArrayList<>();

    final void output(long... sizes) {
      dims.add(sizes);
    }

    final long[] outputDims(int output) {
      return dims.get(output);
    }

    @Override
    public void close() {
      for (int i = owned.size() - 1; i >= 0; i--) {
        try {
          owned.get(i).close();
        } catch (RuntimeException e) {
          throw e;
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
      owned.clear();
    }

    /** An execution of a part, closed with this. */
    final Execution open(Part part, Workers workers) {
      Execution execution = part.plan.newExecution(workers);
      owned.add(execution);
      return execution;
    }
  }

  /** The names of the settings that are graphs. */
  abstract List<String> graphs();

  /**
   * Sets a node up for one layout.
   *
   * @param node the node, with constants in the place of what steers it
   * @param dims the sizes of its inputs; {@code null} where one is left out
   */
  abstract Running prepare(
      Compiled compiled, Node node, long[][] dims, Kernels kernels, Workers workers);

  @Override
  public final Compiled compile(Compilation compilation) {
    List<Part> parts = new ArrayList<>();
    for (String name : graphs()) {
      Graph graph = graph(compilation.attributes(), compilation.node(), name);
      Plan plan = compilation.own(Plan.on(compilation.device(), compilation.format(), graph));
      parts.add(new Part(plan, captures(compilation.attributes(), name)));
    }
    return new Plans(parts);
  }

  static long[] captures(Attributes attributes, String graph) {
    return attributes.integers("captures of " + graph);
  }

  static Graph graph(Attributes attributes, Node node, String name) {
    Graph graph = attributes.graph(name);
    if (graph == null) {
      throw new ShapeException(node.name() + ": has no graph " + name);
    }
    return graph;
  }

  /** Whether one of the node's graphs captures an input and is steered by it. */
  final boolean steersWithin(Node node, int input) {
    for (String name : graphs()) {
      Graph graph = graph(node.attributes(), node, name);
      long[] captures = captures(node.attributes(), name);
      for (int i = 0; i < captures.length; i++) {
        Value inner = graph.inputs().get(graph.inputs().size() - captures.length + i);
        if (captures[i] == input && graph.steering().contains(inner)) {
          return true;
        }
      }
    }
    return false;
  }

  /** Tells an execution of what sizes, or with what content, the captured inputs come. */
  static void expectCaptures(Execution execution, Part part, Node node, long[][] dims) {
    for (int i = 0; i < part.captures.length; i++) {
      int input = (int) part.captures[i];
      expect(execution, part, part.own() + i, node.inputs().get(input), dims[input]);
    }
  }

  static void expect(Execution execution, Part part, int inner, Value outer, long[] dims) {
    String name = part.needed(inner);
    if (name == null) {
      return;
    }
    if (outer.constant() != null) {
      Constant constant = outer.constant();
      Tensor tensor =
          constant
              .view()
              .orElseThrow(() -> new IllegalStateException(outer.name() + " is in pieces"));
      execution.input(name, tensor);
    } else {
      execution.expect(name, dims);
    }
  }

  /** Gives an execution the captured inputs as they lie now. */
  static void giveCaptures(Execution execution, Part part, Binding binding) {
    for (int i = 0; i < part.captures.length; i++) {
      int input = (int) part.captures[i];
      String name = part.needed(part.own() + i);
      if (name != null) {
        execution.input(name, binding.input(input), binding.inputDims(input));
      }
    }
  }

  /** The output of one graph, which the plan has by position. */
  static String outputName(Part part, int index) {
    return part.plan.graph().outputs().get(index).name();
  }

  /** ONNX If: one of two graphs. */
  static final class If extends ControlOperator {
    private static final List<String> GRAPHS = List.of("then_branch", "else_branch");

    @Override
    public String type() {
      return "If";
    }

    @Override
    List<String> graphs() {
      return GRAPHS;
    }

    @Override
    public boolean steers(Node node, int input) {
      return (input == 0 && Steering.isCheap(node.inputs().get(0))) || steersWithin(node, input);
    }

    @Override
    public String limits() {
      return "where the condition is computed from data, both branches give values of one shape";
    }

    @Override
    public void infer(Inference inference) {
      if (inference.type(0) != DType.BOOL) {
        throw inference.error("the condition is " + inference.type(0).label() + ", expected bool");
      }
      List<Value> yes = outputs(inference, "then_branch");
      List<Value> no = outputs(inference, "else_branch");
      if (yes.size() != no.size()) {
        throw inference.error("its branches have " + yes.size() + " and " + no.size() + " outputs");
      }
      for (int k = 0; k < yes.size(); k++) {
        Value a = yes.get(k);
        Value b = no.get(k);
        if (a.type() != b.type() || a.rank() != b.rank()) {
          throw inference.error(
              "output "
                  + k
                  + " is "
                  + a
                  + " or "
                  + b
                  + ", expected one type and number of axes of both");
        }
        Dim[] dims = new Dim[a.rank()];
        for (int axis = 0; axis < dims.length; axis++) {
          dims[axis] =
              a.dim(axis).equals(b.dim(axis))
                  ? a.dim(axis)
                  : Dim.symbol("?" + inference.node().name() + "." + k + "." + axis);
        }
        inference.output(a.type(), dims);
      }
    }

    private static List<Value> outputs(Inference inference, String name) {
      return graph(inference.attributes(), inference.node(), name).outputs();
    }

    @Override
    Running prepare(Compiled compiled, Node node, long[][] dims, Kernels kernels, Workers workers) {
      List<Part> parts = ((Plans) compiled).parts();
      Constant known = node.inputs().get(0).constant();
      Conditional running = new Conditional(node);
      try {
        if (known != null) {
          running.open(parts.get(known.longs()[0] != 0 ? 0 : 1), dims, workers);
        } else {
          running.open(parts.get(0), dims, workers);
          running.open(parts.get(1), dims, workers);
        }
        running.describe();
        return running;
      } catch (RuntimeException | Error e) {
        running.close();
        throw e;
      }
    }

    /** One branch where the condition is known, both where it is not. */
    private static final class Conditional extends Running {
      private final Node node;
      private final List<Part> parts = new ArrayList<>();
      private final List<Execution> executions = new ArrayList<>();
      private final Tensor condition;

      Conditional(Node node) {
        this.node = node;
        Arena arena = Arena.ofShared();
        owned.add(arena);
        condition = Tensor.allocate(arena, DType.BOOL);
      }

      void open(Part part, long[][] dims, Workers workers) {
        Execution execution = open(part, workers);
        parts.add(part);
        executions.add(execution);
        expectCaptures(execution, part, node, dims);
      }

      void describe() {
        Shape[] shapes = executions.get(0).sized();
        if (executions.size() == 2) {
          Shape[] others = executions.get(1).sized();
          if (!Arrays.equals(shapes, others)) {
            throw new ShapeException(
                node.name()
                    + ": gives "
                    + Arrays.toString(shapes)
                    + " or "
                    + Arrays.toString(others)
                    + ", and which of them depends on what is computed;"
                    + " expected one shape of both");
          }
        }
        for (Shape shape : shapes) {
          output(shape.dims());
        }
      }

      @Override
      public List<Value> operands(Node of) {
        List<Value> operands = new ArrayList<>();
        if (executions.size() == 2) {
          operands.add(of.inputs().get(0));
        }
        for (Part part : parts) {
          addCaptures(operands, part, of);
        }
        return operands;
      }

      @Override
      public Step bind(Binding binding) {
        return kernels -> {
          int which = 0;
          if (executions.size() == 2) {
            kernels.download(binding.input(0), condition);
            which = condition.getLong() != 0 ? 0 : 1;
          }
          Part part = parts.get(which);
          Execution execution = executions.get(which);
          giveCaptures(execution, part, binding);
          for (int k = 0; k < node.outputs().size(); k++) {
            Region target = binding.output(k);
            if (target != null) {
              execution.output(outputName(part, k), target);
            }
          }
          execution.run();
        };
      }
    }
  }

  static void addCaptures(List<Value> operands, Part part, Node node) {
    for (int i = 0; i < part.captures.length; i++) {
      if (part.needed(part.own() + i) != null) {
        operands.add(node.inputs().get((int) part.captures[i]));
      }
    }
  }

  /** ONNX Scan: a graph run over slices of its inputs, with states from one to the next. */
  static final class Scan extends ControlOperator {
    @Override
    public String type() {
      return "Scan";
    }

    @Override
    List<String> graphs() {
      return List.of("body");
    }

    @Override
    public boolean steers(Node node, int input) {
      return steersWithin(node, input);
    }

    @Override
    public String limits() {
      return "from version 9 on; states keep their sizes";
    }

    private static int scanned(Node node) {
      return (int) node.attributes().integer("num_scan_inputs", 0);
    }

    /** A setting with one number for each of several inputs or outputs, 0 where it is left out. */
    private static long each(Node node, String attribute, int index) {
      long[] all = node.attributes().integers(attribute);
      return index < all.length ? all[index] : 0;
    }

    private static int states(Node node) {
      Graph body = graph(node.attributes(), node, "body");
      return body.inputs().size() - captures(node.attributes(), "body").length - scanned(node);
    }

    private static int axis(Node node, String attribute, int index, int rank) {
      long axis = each(node, attribute, index);
      if (axis < -rank || axis >= rank) {
        throw new ShapeException(node.name() + ": axis " + axis + " of " + rank + " axes");
      }
      return (int) (axis < 0 ? axis + rank : axis);
    }

    @Override
    public void infer(Inference inference) {
      Node node = inference.node();
      Graph body = graph(inference.attributes(), node, "body");
      int states = states(node);
      if (scanned(node) < 1 || states < 0) {
        throw inference.error(
            "scans " + scanned(node) + " inputs, expected 1 to " + body.inputs().size());
      }
      Dim length = null;
      for (int i = 0; i < scanned(node); i++) {
        Dim dim =
            inference.dim(states + i, axis(node, "scan_input_axes", i, inference.rank(states + i)));
        if (length != null && !length.matches(dim)) {
          throw inference.error("its inputs have " + length + " and " + dim + " slices");
        }
        length = length == null || dim.isKnown() ? dim : length;
      }
      if (body.outputs().size() < states) {
        throw inference.error(
            "its graph has " + body.outputs().size() + " outputs for " + states + " states");
      }
      for (int k = 0; k < body.outputs().size(); k++) {
        Value value = body.outputs().get(k);
        if (k < states) {
          if (value.type() != inference.type(k) || value.rank() != inference.rank(k)) {
            throw inference.error(
                "state " + k + " comes as " + inference.dims(k) + " and leaves as " + value);
          }
          inference.output(value.type(), inference.dims(k));
        } else {
          List<Dim> dims = new ArrayList<>(value.dims());
          dims.add(
              axis(node, "scan_output_axes", k - states, dims.size() + 1),
              Objects.requireNonNull(length));
          inference.output(value.type(), dims);
        }
      }
    }

    @Override
    Running prepare(Compiled compiled, Node node, long[][] dims, Kernels kernels, Workers workers) {
      Scanning running = new Scanning(node, ((Plans) compiled).parts().get(0), workers);
      try {
        running.describe(dims);
        return running;
      } catch (RuntimeException | Error e) {
        running.close();
        throw e;
      }
    }

    private static final class Scanning extends Running {
      private final Node node;
      private final Part part;
      private final Execution execution;
      private final int states;
      private long[][] in;
      private int length = -1;
      private Shape[] shapes;

      Scanning(Node node, Part part, Workers workers) {
        this.node = node;
        this.part = part;
        this.states = states(node);
        this.execution = open(part, workers);
      }

      private int inputAxis(int input) {
        return axis(node, "scan_input_axes", input, in[states + input].length);
      }

      private long[] slice(int input) {
        long[] whole = in[states + input];
        int axis = inputAxis(input);
        long[] slice = new long[whole.length - 1];
        for (int i = 0; i < slice.length; i++) {
          slice[i] = whole[i < axis ? i : i + 1];
        }
        return slice;
      }

      void describe(long[][] dims) {
        in = dims;
        for (int i = 0; i < states; i++) {
          expect(execution, part, i, node.inputs().get(i), dims[i]);
        }
        for (int i = 0; i < scanned(node); i++) {
          int slices = Math.toIntExact(dims[states + i][inputAxis(i)]);
          if (length >= 0 && slices != length) {
            throw new ShapeException(
                node.name() + ": its inputs have " + length + " and " + slices + " slices");
          }
          length = slices;
          if (part.needed(states + i) != null) {
            execution.expect(part.needed(states + i), slice(i));
          }
        }
        expectCaptures(execution, part, node, dims);
        shapes = execution.sized();
        for (int k = 0; k < shapes.length; k++) {
          long[] sizes = shapes[k].dims();
          if (k < states) {
            if (!Arrays.equals(sizes, dims[k])) {
              throw new ShapeException(
                  node.name()
                      + ": state "
                      + k
                      + " comes as "
                      + Arrays.toString(dims[k])
                      + " and leaves as "
                      + shapes[k]);
            }
            output(sizes);
          } else {
            int axis = axis(node, "scan_output_axes", k - states, sizes.length + 1);
            long[] all = new long[sizes.length + 1];
            for (int i = 0; i < all.length; i++) {
              all[i] = i == axis ? length : sizes[i < axis ? i : i - 1];
            }
            output(all);
          }
        }
      }

      @Override
      public Step bind(Binding binding) {
        int outputs = shapes.length;
        Region[][] state = new Region[2][states];
        for (int i = 0; i < states; i++) {
          long bytes = shapes[i].elements() * binding.outputType(i).bytes();
          state[0][i] = binding.scratch(bytes);
          state[1][i] = binding.scratch(bytes);
        }
        Slices[] inputs = new Slices[scanned(node)];
        for (int i = 0; i < inputs.length; i++) {
          boolean reverse = each(node, "scan_input_directions", i) != 0;
          long[] whole = in[states + i];
          int bytes = binding.inputType(states + i).bytes();
          inputs[i] = new Slices(binding, whole, inputAxis(i), length, reverse, bytes);
        }
        Slices[] results = new Slices[outputs];
        for (int k = states; k < outputs; k++) {
          if (binding.output(k) != null) {
            boolean reverse = each(node, "scan_output_directions", k - states) != 0;
            int axis = axis(node, "scan_output_axes", k - states, outputDims(k).length);
            int bytes = binding.outputType(k).bytes();
            results[k] = new Slices(binding, outputDims(k), axis, length, reverse, bytes);
          }
        }
        return kernels -> {
          giveCaptures(execution, part, binding);
          for (int i = 0; i < states; i++) {
            kernels.copy(binding.input(i), state[0][i], state[0][i].bytes());
          }
          for (int t = 0; t < length; t++) {
            Region[] from = state[t & 1];
            Region[] to = state[(t + 1) & 1];
            for (int i = 0; i < states; i++) {
              give(i, from[i], in[i]);
              execution.output(outputName(part, i), to[i]);
            }
            for (int i = 0; i < inputs.length; i++) {
              give(
                  states + i,
                  inputs[i].read(kernels, binding.input(states + i), t),
                  inputs[i].dims);
            }
            for (int k = states; k < outputs; k++) {
              if (results[k] != null) {
                execution.output(outputName(part, k), results[k].place(binding.output(k), t));
              }
            }
            execution.run();
            for (int k = states; k < outputs; k++) {
              if (results[k] != null) {
                results[k].write(kernels, binding.output(k), t);
              }
            }
          }
          for (int i = 0; i < states; i++) {
            if (binding.output(i) != null) {
              kernels.copy(state[length & 1][i], binding.output(i), state[0][i].bytes());
            }
          }
        };
      }

      private void give(int input, Region region, long[] dims) {
        String name = part.needed(input);
        if (name != null) {
          execution.input(name, region, dims);
        }
      }
    }

    /** The slices of a tensor along one axis: in place along the first, else through scratch. */
    private static final class Slices {
      private final Region part = new Region();
      private final Region copy;
      private final long[] dims;
      private final long[] strides;
      private final long[] dense;
      private final long step;
      private final long bytes;
      private final int count;
      private final boolean reverse;
      private final int elementBytes;

      Slices(
          Binding binding, long[] whole, int axis, int count, boolean reverse, int elementBytes) {
        long[] all = Shape.of(whole).contiguousStrides();
        dims = new long[whole.length - 1];
        strides = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
          dims[i] = whole[i < axis ? i : i + 1];
          strides[i] = all[i < axis ? i : i + 1];
        }
        Shape slice = Shape.of(dims);
        dense = slice.contiguousStrides();
        step = all[axis];
        bytes = slice.elements() * elementBytes;
        copy = axis == 0 ? null : binding.scratch(bytes);
        this.count = count;
        this.reverse = reverse;
        this.elementBytes = elementBytes;
      }

      private long at(int t) {
        return (reverse ? count - 1 - t : t) * step;
      }

      private Region slice(Region whole, int t) {
        return part.set(whole.buffer(), whole.offset() + at(t) * elementBytes, bytes);
      }

      Region read(Kernels kernels, Region whole, int t) {
        if (copy == null) {
          return slice(whole, t);
        }
        kernels.copyStrided(whole, at(t), strides, copy, 0, dense, dims, elementBytes);
        return copy;
      }

      Region place(Region whole, int t) {
        return copy == null ? slice(whole, t) : copy;
      }

      void write(Kernels kernels, Region whole, int t) {
        if (copy != null) {
          kernels.copyStrided(copy, 0, dense, whole, at(t), strides, dims, elementBytes);
        }
      }
    }
  }

  /**
   * ONNX Loop. How often it runs, and with that the sizes of what it collects, is decided by what
   * its graph computes; so all that it is given is worked out ahead, the loop is run while the
   * layout is made, and a run hands out what came of it.
   */
  static final class Loop extends ControlOperator {
    private static final int COUNT = 0;
    private static final int CONDITION = 1;

    @Override
    public String type() {
      return "Loop";
    }

    @Override
    List<String> graphs() {
      return List.of("body");
    }

    @Override
    public boolean steers(Node node, int input) {
      return true;
    }

    @Override
    public String limits() {
      return "worked out again whenever anything it is given changes; values keep their rank";
    }

    private static int states(Node node) {
      Graph body = graph(node.attributes(), node, "body");
      return body.inputs().size() - captures(node.attributes(), "body").length - 2;
    }

    @Override
    public void infer(Inference inference) {
      Node node = inference.node();
      Graph body = graph(inference.attributes(), node, "body");
      int states = states(node);
      if (states < 0 || body.outputs().size() < states + 1) {
        throw inference.error(
            "its graph has "
                + body.outputs().size()
                + " outputs, expected a condition and "
                + states
                + " values");
      }
      if (body.outputs().get(0).type() != DType.BOOL) {
        throw inference.error("its graph's condition is " + body.outputs().get(0));
      }
      for (int k = 1; k < body.outputs().size(); k++) {
        Value value = body.outputs().get(k);
        List<Dim> dims = new ArrayList<>();
        boolean carried = k <= states;
        if (carried
            && (value.type() != inference.type(k + 1) || value.rank() != inference.rank(k + 1))) {
          throw inference.error(
              "value " + k + " comes as " + inference.dims(k + 1) + " and leaves as " + value);
        }
        if (!carried) {
          dims.add(Dim.symbol("?" + node.name() + " rounds"));
        }
        for (int axis = 0; axis < value.rank(); axis++) {
          Dim dim = value.dim(axis);
          dims.add(dim.isKnown() ? dim : Dim.symbol("?" + node.name() + "." + k + "." + axis));
        }
        inference.output(value.type(), dims);
      }
    }

    @Override
    Running prepare(Compiled compiled, Node node, long[][] dims, Kernels kernels, Workers workers) {
      Looping running = new Looping(node, ((Plans) compiled).parts().get(0), workers);
      try {
        running.loop();
        return running;
      } catch (RuntimeException | Error e) {
        running.close();
        throw e;
      }
    }

    private static final class Looping extends Running {
      private final Node node;
      private final Part part;
      private final Execution execution;
      private final Arena arena;
      private final int states;
      private final List<Tensor> results = new ArrayList<>();

      Looping(Node node, Part part, Workers workers) {
        this.node = node;
        this.part = part;
        this.states = states(node);
        arena = Arena.ofShared();
        owned.add(arena);
        execution = open(part, workers);
      }

      private boolean has(int input) {
        return input < node.inputs().size() && node.inputs().get(input) != null;
      }

      private Tensor content(int input) {
        Tensor tensor = node.inputs().get(input).constant().tensor(arena);
        return tensor.to(arena, part.plan.device().stored(tensor.dtype()));
      }

      private void give(int input, Tensor tensor) {
        String name = part.needed(input);
        if (name != null) {
          execution.input(name, tensor);
        }
      }

      void loop() {
        long rounds = has(COUNT) ? content(COUNT).getLong(first(COUNT)) : Long.MAX_VALUE;
        boolean going = !has(CONDITION) || content(CONDITION).getLong(first(CONDITION)) != 0;
        List<Tensor> values = new ArrayList<>();
        for (int i = 0; i < states; i++) {
          values.add(content(2 + i));
        }
        for (int i = 0; i < part.captures.length; i++) {
          give(part.own() + i, content((int) part.captures[i]));
        }
        int outputs = part.plan.graph().outputs().size();
        List<List<Tensor>> collected = new ArrayList<>();
        for (int k = states + 1; k < outputs; k++) {
          collected.add(new ArrayList<>());
        }
        Tensor round = Tensor.allocate(arena, DType.INT64);
        Tensor condition = Tensor.allocate(arena, DType.BOOL);
        condition.setLong(1);
        for (long t = 0; t < rounds && going; t++) {
          round.setLong(t);
          give(0, round);
          give(1, condition);
          for (int i = 0; i < states; i++) {
            give(2 + i, values.get(i));
          }
          execution.run();
          going = execution.output(outputName(part, 0)).toLongs()[0] != 0;
          for (int i = 0; i < states; i++) {
            values.set(i, execution.output(outputName(part, 1 + i)).copy(arena));
          }
          for (int k = states + 1; k < outputs; k++) {
            collected.get(k - states - 1).add(execution.output(outputName(part, k)).copy(arena));
          }
        }
        results.addAll(values);
        for (int k = states + 1; k < outputs; k++) {
          results.add(stacked(collected.get(k - states - 1), part.plan.graph().outputs().get(k)));
        }
        results.forEach(tensor -> output(tensor.shape().dims()));
      }

      /** The index of the first element, whether it is a scalar or a list of one. */
      private long[] first(int input) {
        return new long[node.inputs().get(input).rank()];
      }

      private Tensor stacked(List<Tensor> parts, Value value) {
        long[] dims = new long[value.rank() + 1];
        dims[0] = parts.size();
        for (int axis = 0; axis < value.rank(); axis++) {
          dims[axis + 1] =
              parts.isEmpty()
                  ? value.dim(axis).isKnown() ? value.dim(axis).size() : 0
                  : parts.get(0).dim(axis);
        }
        DType type = part.plan.device().stored(value.type());
        Tensor whole = Tensor.allocate(arena, type, dims);
        for (int i = 0; i < parts.size(); i++) {
          if (!parts.get(i).shape().equals(parts.get(0).shape())) {
            throw new ShapeException(
                node.name()
                    + ": collects "
                    + value.name()
                    + " as "
                    + parts.get(0).shape()
                    + " and in round "
                    + i
                    + " as "
                    + parts.get(i).shape());
          }
          whole.select(0, i).copyFrom(parts.get(i));
        }
        return whole;
      }

      @Override
      public List<Value> operands(Node of) {
        return List.of();
      }

      @Override
      public Step bind(Binding binding) {
        return kernels -> {
          for (int k = 0; k < node.outputs().size(); k++) {
            if (binding.output(k) != null) {
              kernels.upload(results.get(k), binding.output(k));
            }
          }
        };
      }
    }
  }
}

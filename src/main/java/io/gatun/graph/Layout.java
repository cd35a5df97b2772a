package io.gatun.graph;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.HostBuffer;
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
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A plan for one set of input sizes: the size of every value, where in the workspace it lies, and
 * the steps bound to those places. Values whose lives do not overlap share memory; a value that is
 * only another look at one before it has none of its own.
 */
final class Layout implements AutoCloseable {
  private static final int FOREVER = Integer.MAX_VALUE;

  /** Something that needs memory from one node to another. */
  private static final class Home {
    final Region region;
    final long bytes;
    final int first;
    int last;
    long offset;

    Home(Region region, long bytes, int first) {
      this.region = region;
      this.bytes = bytes;
      this.first = first;
      this.last = first;
    }

    boolean meets(Home other) {
      return first <= other.last && other.first <= last;
    }
  }

  /** A value that lies within another one. */
  private record View(Region root, Region region, long offset, long bytes) {}

  private final Plan plan;
  private final Kernels kernels;
  private final Workers workers;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final Operator.Compiled[] compiled;
  private final Inference[] inferences;

  /** What inputs contained when this was made, where that steers; and other values known ahead. */
  private final Tensor[] contents;

  private boolean steered;

  /** Memory of the contents; {@code null} while there are none. */
  private Arena arena;

  private final Map<Value, Integer> slots;
  private final Execution.Operand[] outputs;
  private final long[][] signature;
  private final long[][] dims;
  private final Region[] regions;
  private final Home[] homes;
  private final List<Home> all = new ArrayList<>();
  private final View[] views;
  private final Operator.Step[] steps;
  private final Home[] outputHomes;
  private final Region[] outputRegions;
  private final Shape[] outputShapes;
  private final long[] outputBytes;
  private final Tensor[] outputViews;
  private final Execution.Operand[] inputs;
  private final long workspaceBytes;
  private Buffer workspace;

  Layout(
      Plan plan,
      Map<Value, Integer> slots,
      Execution.Operand[] inputs,
      Execution.Operand[] outputs,
      Kernels kernels,
      Workers workers) {
    this.plan = plan;
    this.slots = slots;
    this.inputs = inputs;
    this.outputs = outputs;
    this.kernels = kernels;
    this.workers = workers;
    List<Node> nodes = plan.nodes();
    compiled = new Operator.Compiled[nodes.size()];
    inferences = new Inference[nodes.size()];
    contents = new Tensor[slots.size()];
    signature = new long[inputs.length][];
    dims = new long[slots.size()][];
    regions = new Region[slots.size()];
    homes = new Home[slots.size()];
    steps = new Operator.Step[nodes.size()];
    outputHomes = new Home[outputs.length];
    outputRegions = new Region[outputs.length];
    outputShapes = new Shape[outputs.length];
    outputBytes = new long[outputs.length];
    outputViews = new Tensor[outputs.length];
    List<View> lookingInto = new ArrayList<>();
    try {
      workspaceBytes = make(nodes, lookingInto);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
    views = lookingInto.toArray(new View[0]);
  }

  private long make(List<Node> nodes, List<View> lookingInto) {
    int[] root = new int[slots.size()];
    Arrays.setAll(root, i -> i);
    for (int i = 0; i < inputs.length; i++) {
      signature[i] = inputs[i].dims.clone();
      int slot = slots.get(inputs[i].value);
      dims[slot] = signature[i];
      regions[slot] = inputs[i].region;
      if (plan.steers(inputs[i].value)) {
        steered = true;
        contents[slot] = inputs[i].content.copy(arena());
      }
    }
    slots.forEach(
        (value, slot) -> {
          if (value.constant() != null) {
            dims[slot] = value.constant().shape().dims();
            Buffer buffer = plan.constant(value);
            regions[slot] = buffer == null ? null : new Region(buffer);
          }
        });
    for (int i = 0; i < nodes.size(); i++) {
      try {
        size(i, nodes.get(i));
      } catch (ArithmeticException e) {
        throw beyondCounting(nodes.get(i), e);
      }
    }
    boolean[] used = used(nodes);
    for (int i = 0; i < nodes.size(); i++) {
      try {
        settle(i, nodes.get(i), used, root, lookingInto);
      } catch (ArithmeticException e) {
        throw beyondCounting(nodes.get(i), e);
      }
    }
    for (int i = 0; i < nodes.size(); i++) {
      if (isUsed(nodes.get(i), used)) {
        for (Value value : compiled[i].operands(nodes.get(i))) {
          live(root[slots.get(value)], i);
        }
      }
    }
    for (Execution.Operand output : outputs) {
      live(root[slots.get(output.value)], FOREVER);
    }
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      boolean isView = root[slots.get(node.outputs().get(0))] != slots.get(node.outputs().get(0));
      try {
        steps[i] =
            isView || !isUsed(node, used)
                ? null
                : compiled[i].bind(new Operands(i, node, inferences[i].node()));
      } catch (ArithmeticException e) {
        throw beyondCounting(node, e);
      }
    }
    long bytes = arrange();
    for (int i = 0; i < outputs.length; i++) {
      int slot = slots.get(outputs[i].value);
      outputHomes[i] = homes[slot];
      outputRegions[i] = regions[slot];
      outputShapes[i] = Shape.of(dims[slot]);
      outputBytes[i] = bytes(outputs[i].value, dims[slot]);
    }
    return bytes;
  }

  /** Works out the sizes of a node's outputs, and what they contain where that steers. */
  private void size(int index, Node node) {
    Node known = withContents(node);
    Inference inference =
        new Inference(
            known,
            node.inputs().stream()
                .map(
                    value ->
                        value == null
                            ? null
                            : Arrays.stream(dims[slots.get(value)]).mapToObj(Dim::of).toList())
                .toList());
    inferences[index] = inference;
    compiled[index] = plan.compiled(index);
    if (node.operator() instanceof ControlOperator control) {
      long[][] sizes = new long[node.inputs().size()][];
      Arrays.setAll(
          sizes, i -> node.inputs().get(i) == null ? null : dims[slots.get(node.inputs().get(i))]);
      ControlOperator.Running running =
          control.prepare(compiled[index], known, sizes, kernels, workers);
      owned.add(running);
      compiled[index] = running;
      for (int k = 0; k < node.outputs().size(); k++) {
        dims[slots.get(node.outputs().get(k))] = running.outputDims(k);
      }
    } else {
      node.operator().infer(inference);
      if (compiled[index] == null) {
        try (Arena scratch = Arena.ofConfined()) {
          compiled[index] = plan.compile(known, scratch, owned);
        }
      }
      for (int k = 0; k < node.outputs().size(); k++) {
        dims[slots.get(node.outputs().get(k))] =
            inference.outputDims().get(k).stream().mapToLong(Dim::size).toArray();
      }
    }
    if (node.outputs().stream().anyMatch(plan::steers)) {
      evaluate(index, node);
    }
  }

  /** The node with constants in the place of what steers it. */
  private Node withContents(Node node) {
    if (!Steering.steers(node)) {
      return node;
    }
    List<Value> inputs = new ArrayList<>(node.inputs());
    for (int i = 0; i < inputs.size(); i++) {
      Value value = inputs.get(i);
      if (value != null && value.constant() == null && node.operator().steers(node, i)) {
        int slot = slots.get(value);
        List<Dim> sizes = Arrays.stream(dims[slot]).mapToObj(Dim::of).toList();
        inputs.set(i, new Value(value.name(), value.type(), sizes, Constant.of(contents[slot])));
      }
    }
    return new Node(node.name(), node.operator(), node.attributes(), inputs, node.outputs());
  }

  /** Runs a node now: its outputs must be known before the layout goes on. */
  private void evaluate(int index, Node node) {
    long view =
        node.operator() instanceof ControlOperator
            ? -1
            : node.operator().viewOffset(inferences[index]);
    if (view >= 0) {
      Value input = node.inputs().get(0);
      Tensor whole = content(input);
      int slot = slots.get(node.outputs().get(0));
      contents[slot] =
          Tensor.wrap(
              whole.segment().asSlice(view * whole.dtype().bytes()), whole.dtype(), dims[slot]);
      return;
    }
    try (Evaluation now = new Evaluation(node)) {
      Operator.Step step = compiled[index].bind(now);
      step.run(kernels);
      kernels.synchronize();
      for (int k = 0; k < node.outputs().size(); k++) {
        Value output = node.outputs().get(k);
        int slot = slots.get(output);
        if (plan.steers(output)) {
          contents[slot] =
              Tensor.allocate(arena(), plan.device().stored(output.type()), dims[slot]);
          kernels.download(now.output(k), contents[slot]);
        }
      }
    }
  }

  /** What a value contains, contiguous. */
  private Tensor content(Value value) {
    if (value.constant() != null) {
      return value.constant().tensor(arena()).contiguous(arena());
    }
    Tensor content = contents[slots.get(value)];
    if (content == null) {
      throw new IllegalStateException(value.name() + " steers, but is not known ahead");
    }
    return content;
  }

  private Arena arena() {
    if (arena == null) {
      arena = Arena.ofShared();
    }
    return arena;
  }

  /** Which values a step reads or somebody asked for. */
  private boolean[] used(List<Node> nodes) {
    boolean[] used = new boolean[slots.size()];
    for (Execution.Operand output : outputs) {
      used[slots.get(output.value)] = true;
    }
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      if (isUsed(node, used)) {
        compiled[i].operands(node).forEach(value -> used[slots.get(value)] = true);
      }
    }
    slots.forEach(
        (value, slot) -> {
          if (value.constant() != null && used[slot] && regions[slot] == null) {
            try (Arena scratch = Arena.ofConfined()) {
              regions[slot] = new Region(plan.buffer(value, scratch, owned));
            }
          }
        });
    return used;
  }

  private boolean isUsed(Node node, boolean[] used) {
    for (Value output : node.outputs()) {
      if (used[slots.get(output)]) {
        return true;
      }
    }
    return false;
  }

  /** Gives a node's outputs homes where they are used. */
  private void settle(int index, Node node, boolean[] used, int[] root, List<View> lookingInto) {
    for (int k = 0; k < node.outputs().size(); k++) {
      int slot = slots.get(node.outputs().get(k));
      if (!used[slot]) {
        continue;
      }
      long bytes = bytes(node.outputs().get(k), dims[slot]);
      regions[slot] = new Region();
      long offset =
          k == 0 && !(node.operator() instanceof ControlOperator)
              ? node.operator().viewOffset(inferences[index])
              : -1;
      if (offset >= 0) {
        int of = slots.get(node.inputs().get(0));
        root[slot] = root[of];
        long elementBytes = plan.device().stored(node.inputs().get(0).type()).bytes();
        lookingInto.add(new View(regions[of], regions[slot], offset * elementBytes, bytes));
      } else {
        homes[slot] = new Home(regions[slot], bytes, index);
        all.add(homes[slot]);
      }
    }
  }

  private void live(int slot, int until) {
    if (homes[slot] != null) {
      homes[slot].last = Math.max(homes[slot].last, until);
    }
  }

  /** Greedy by size: each home at the lowest place that no home alive at the same time takes. */
  private long arrange() {
    List<Home> bySize = new ArrayList<>(all);
    bySize.sort(Comparator.comparingLong((Home home) -> home.bytes).reversed());
    List<Home> placed = new ArrayList<>();
    long end = 0;
    for (Home home : bySize) {
      long offset = 0;
      for (Home other : placed) {
        // placed is sorted by offset: the first gap that is wide enough is the lowest.
        if (other.meets(home)) {
          if (offset + home.bytes <= other.offset) {
            break;
          }
          offset = Math.max(offset, aligned(other.offset + other.bytes));
        }
      }
      home.offset = offset;
      int at = 0;
      while (at < placed.size() && placed.get(at).offset <= offset) {
        at++;
      }
      placed.add(at, home);
      end = Math.max(end, aligned(offset + home.bytes));
    }
    return end;
  }

  private static long aligned(long bytes) {
    return Math.addExact(bytes, 63) & ~63L;
  }

  private long bytes(Value value, long[] sizes) {
    return Math.multiplyExact(
        Shape.of(sizes).elements(), (long) plan.device().stored(value.type()).bytes());
  }

  private ShapeException beyondCounting(Node node, ArithmeticException cause) {
    StringBuilder sizes = new StringBuilder();
    for (Value input : node.inputs()) {
      if (input != null) {
        sizes.append(sizes.isEmpty() ? ": " : ", ").append(input.name()).append(' ');
        sizes.append(Arrays.toString(dims[slots.get(input)]));
      }
    }
    return new ShapeException(
        "node "
            + node.name()
            + " of "
            + plan.graph().name()
            + ": sizes beyond what can be counted"
            + sizes,
        cause);
  }

  /** Whether it was made for the sizes the inputs have now, and for what steers in them. */
  boolean fits(Execution.Operand[] given) {
    for (int i = 0; i < given.length; i++) {
      if (!Arrays.equals(signature[i], given[i].dims)) {
        return false;
      }
    }
    return isSteeredBy(given);
  }

  /** Whether what steers is what it was when this was made. */
  boolean isSteeredBy(Execution.Operand[] given) {
    for (int i = 0; steered && i < given.length; i++) {
      Tensor known = plan.steers(given[i].value) ? contents[slots.get(given[i].value)] : null;
      if (known != null && known.segment().mismatch(given[i].content.segment()) >= 0) {
        return false;
      }
    }
    return true;
  }

  /** Whether it holds for certain contents of inputs only. */
  boolean isSteered() {
    return steered;
  }

  /** Gives back what was made for it alone. */
  @Override
  public void close() {
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    owned.clear();
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }

  long workspaceBytes() {
    return workspaceBytes;
  }

  /** Moves every home into a workspace. */
  void place(Buffer memory) {
    workspace = memory;
    Arrays.fill(outputViews, null);
    for (Home home : all) {
      home.region.set(memory, home.offset, home.bytes);
    }
  }

  void run(Kernels kernels) {
    for (int i = 0; i < outputs.length; i++) {
      if (outputHomes[i] != null) {
        if (isDirect(i)) {
          outputRegions[i].set(outputs[i].region);
        } else {
          outputRegions[i].set(workspace, outputHomes[i].offset, outputHomes[i].bytes);
        }
      }
    }
    for (View view : views) {
      view.region.set(view.root.buffer(), view.root.offset() + view.offset, view.bytes);
    }
    for (Operator.Step step : steps) {
      if (step != null) {
        step.run(kernels);
      }
    }
    // What is only another look at an input comes first: another output may go to that memory.
    for (int i = 0; i < outputs.length; i++) {
      if (outputHomes[i] == null && isOnDevice(i)) {
        kernels.copy(outputRegions[i], outputs[i].region, outputRegions[i].bytes());
      }
    }
    for (int i = 0; i < outputs.length; i++) {
      if (outputHomes[i] != null && isOnDevice(i) && !isDirect(i)) {
        kernels.copy(outputRegions[i], outputs[i].region, outputRegions[i].bytes());
      }
    }
  }

  private boolean isOnDevice(int output) {
    return outputs[output].given
        && (outputs[output].tensor == null || outputs[output].inPlace != null);
  }

  /**
   * Whether an output's step writes straight to where the caller wants it. Not where that is also
   * read: a later node may still need the input.
   */
  private boolean isDirect(int output) {
    if (!isOnDevice(output)) {
      return false;
    }
    Region target = outputs[output].region;
    for (Execution.Operand input : inputs) {
      if (overlap(target, input.region)) {
        return false;
      }
    }
    return true;
  }

  private static boolean overlap(Region a, Region b) {
    long from = a.offset();
    long other = b.offset();
    if (a.buffer() instanceof HostBuffer left && b.buffer() instanceof HostBuffer right) {
      from += left.address();
      other += right.address();
    } else if (!Objects.equals(a.buffer(), b.buffer())) {
      return false;
    }
    return from < other + b.bytes() && other < from + a.bytes();
  }

  long outputBytes(int output) {
    return outputBytes[output];
  }

  Shape outputShape(int output) {
    return outputShapes[output];
  }

  /** Where an output lies after a run. */
  Region output(int output) {
    return outputRegions[output];
  }

  Tensor view(int output) {
    return outputViews[output];
  }

  void view(int output, Tensor view) {
    outputViews[output] = view;
  }

  /** The operands of one node. */
  private final class Operands implements Binding {
    private final int index;
    private final Node node;
    private final Node known;

    Operands(int index, Node node, Node known) {
      this.index = index;
      this.node = node;
      this.known = known;
    }

    private int slot(List<Value> values, int position) {
      return slots.get(values.get(position));
    }

    @Override
    public Node node() {
      return known;
    }

    @Override
    public boolean has(int input) {
      return input < node.inputs().size() && node.inputs().get(input) != null;
    }

    @Override
    public Region input(int input) {
      return regions[slot(node.inputs(), input)];
    }

    @Override
    public Region output(int output) {
      return output < node.outputs().size() ? regions[slot(node.outputs(), output)] : null;
    }

    @Override
    public long[] inputDims(int input) {
      return dims[slot(node.inputs(), input)];
    }

    @Override
    public long[] outputDims(int output) {
      return dims[slot(node.outputs(), output)];
    }

    @Override
    public DType inputType(int input) {
      return plan.device().stored(node.inputs().get(input).type());
    }

    @Override
    public DType outputType(int output) {
      return plan.device().stored(node.outputs().get(output).type());
    }

    @Override
    public Region scratch(long bytes) {
      Home home = new Home(new Region(), bytes, index);
      all.add(home);
      return home.region;
    }
  }

  /** The operands of one node that is run while the layout is made, in memory of their own. */
  private final class Evaluation implements Binding, AutoCloseable {
    private final Node node;
    private final List<Buffer> buffers = new ArrayList<>();
    private final Region[] in;
    private final Region[] out;

    Evaluation(Node node) {
      this.node = node;
      in = new Region[node.inputs().size()];
      out = new Region[node.outputs().size()];
    }

    private Region allocate(long bytes) {
      Buffer buffer = plan.device().allocate(Math.max(bytes, 1));
      buffers.add(buffer);
      return new Region(buffer, 0, bytes);
    }

    @Override
    public Node node() {
      return withContents(node);
    }

    @Override
    public boolean has(int input) {
      return input < in.length && node.inputs().get(input) != null;
    }

    @Override
    public Region input(int input) {
      if (in[input] == null) {
        Value value = node.inputs().get(input);
        in[input] = allocate(bytes(value, inputDims(input)));
        kernels.upload(content(value), in[input]);
      }
      return in[input];
    }

    @Override
    public Region output(int output) {
      if (output >= out.length) {
        return null;
      }
      if (out[output] == null) {
        out[output] = allocate(bytes(node.outputs().get(output), outputDims(output)));
      }
      return out[output];
    }

    @Override
    public long[] inputDims(int input) {
      return dims[slots.get(node.inputs().get(input))];
    }

    @Override
    public long[] outputDims(int output) {
      return dims[slots.get(node.outputs().get(output))];
    }

    @Override
    public DType inputType(int input) {
      return plan.device().stored(node.inputs().get(input).type());
    }

    @Override
    public DType outputType(int output) {
      return plan.device().stored(node.outputs().get(output).type());
    }

    @Override
    public Region scratch(long bytes) {
      return allocate(bytes);
    }

    @Override
    public void close() {
      buffers.forEach(Buffer::close);
    }
  }
}

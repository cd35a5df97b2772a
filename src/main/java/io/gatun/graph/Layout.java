package io.gatun.graph;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
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
final class Layout {
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
      Execution.Operand[] outputs) {
    this.plan = plan;
    this.slots = slots;
    this.inputs = inputs;
    this.outputs = outputs;
    signature = new long[inputs.length][];
    dims = new long[slots.size()][];
    regions = new Region[slots.size()];
    homes = new Home[slots.size()];
    int[] root = new int[slots.size()];
    Arrays.setAll(root, i -> i);
    for (int i = 0; i < inputs.length; i++) {
      signature[i] = inputs[i].dims.clone();
      int slot = slots.get(inputs[i].value);
      dims[slot] = signature[i];
      regions[slot] = inputs[i].region;
    }
    slots.forEach(
        (value, slot) -> {
          if (value.constant() != null) {
            dims[slot] = value.constant().shape().dims();
            Buffer buffer = plan.constant(value);
            regions[slot] = buffer == null ? null : new Region(buffer);
          }
        });

    List<Node> nodes = plan.nodes();
    boolean[] used = new boolean[slots.size()];
    for (int i = 0; i < nodes.size(); i++) {
      plan.compiled(i).operands(nodes.get(i)).forEach(value -> used[slots.get(value)] = true);
    }
    for (Execution.Operand output : outputs) {
      used[slots.get(output.value)] = true;
    }
    List<View> lookingInto = new ArrayList<>();
    for (int i = 0; i < nodes.size(); i++) {
      try {
        size(i, nodes.get(i), used, root, lookingInto);
      } catch (ArithmeticException e) {
        throw beyondCounting(nodes.get(i), e);
      }
    }
    views = lookingInto.toArray(new View[0]);
    for (int i = 0; i < nodes.size(); i++) {
      for (Value value : plan.compiled(i).operands(nodes.get(i))) {
        live(root[slots.get(value)], i);
      }
    }
    for (Execution.Operand output : outputs) {
      live(root[slots.get(output.value)], FOREVER);
    }
    steps = new Operator.Step[nodes.size()];
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      boolean isView = root[slots.get(node.outputs().get(0))] != slots.get(node.outputs().get(0));
      boolean isUsed = node.outputs().stream().anyMatch(value -> used[slots.get(value)]);
      try {
        steps[i] = isView || !isUsed ? null : plan.compiled(i).bind(new Operands(i, node));
      } catch (ArithmeticException e) {
        throw beyondCounting(node, e);
      }
    }
    workspaceBytes = arrange();

    outputHomes = new Home[outputs.length];
    outputRegions = new Region[outputs.length];
    outputShapes = new Shape[outputs.length];
    outputBytes = new long[outputs.length];
    outputViews = new Tensor[outputs.length];
    for (int i = 0; i < outputs.length; i++) {
      int slot = slots.get(outputs[i].value);
      outputHomes[i] = homes[slot];
      outputRegions[i] = regions[slot];
      outputShapes[i] = Shape.of(dims[slot]);
      outputBytes[i] = bytes(outputs[i].value, dims[slot]);
    }
  }

  /** Gives a node's outputs their sizes, and homes where they are used. */
  private void size(int index, Node node, boolean[] used, int[] root, List<View> lookingInto) {
    Inference inference =
        new Inference(
            node,
            node.inputs().stream()
                .map(
                    value ->
                        value == null
                            ? null
                            : Arrays.stream(dims[slots.get(value)]).mapToObj(Dim::of).toList())
                .toList());
    node.operator().infer(inference);
    for (int k = 0; k < node.outputs().size(); k++) {
      int slot = slots.get(node.outputs().get(k));
      dims[slot] = inference.outputDims().get(k).stream().mapToLong(Dim::size).toArray();
      if (!used[slot]) {
        continue;
      }
      long bytes = bytes(node.outputs().get(k), dims[slot]);
      regions[slot] = new Region();
      long offset = k == 0 ? node.operator().viewOffset(inference) : -1;
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

  /** Whether it was made for the sizes the inputs have now. */
  boolean fits(Execution.Operand[] given) {
    for (int i = 0; i < given.length; i++) {
      if (!Arrays.equals(signature[i], given[i].dims)) {
        return false;
      }
    }
    return true;
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

    Operands(int index, Node node) {
      this.index = index;
      this.node = node;
    }

    private int slot(List<Value> values, int position) {
      return slots.get(values.get(position));
    }

    @Override
    public Node node() {
      return node;
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
}

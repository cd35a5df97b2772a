package io.gatun.training;

import io.gatun.format.Json;
import io.gatun.format.ModelDraft;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The parameters that a training changes, and where their gradients and moments lie: one stretch of
 * memory of each kind, so that a whole network's gradient is added, measured and scaled as one row
 * of numbers. A parameter that a graph uses twice (tied weights) has a gradient for each use; those
 * beyond the first lie behind the others and are added to it. For one thread at a time.
 */
final class Parameters {
  /** Where parameters begin: a multiple of 64 bytes. */
  private static final long ALIGN = Tensor.ALIGNMENT / Float.BYTES;

  /** A constant of the graph that is a parameter, or a transposed view of one. */
  private record Use(String constant, Tensor view, long offset, boolean first) {}

  private record Parameter(String name, Tensor tensor, long offset) {}

  private final List<Parameter> parameters = new ArrayList<>();
  private final Map<String, Use> uses = new LinkedHashMap<>();
  private final SharedArena arena;

  /** Elements of the gradients proper, and with those of further uses. */
  private long size;

  private long allSize;
  private MemorySegment first;
  private MemorySegment second;

  /** The mean of the parameters after each step, as they lie there; {@code null} for none. */
  private MemorySegment mean;

  /**
   * Finds the parameters of a network.
   *
   * @param frozen which layers are not changed: names, or beginnings of names followed by '*'
   */
  Parameters(ModelDraft draft, List<Json> frozen, SharedArena arena) {
    this.arena = arena;
    Map<String, Tensor> trained = new LinkedHashMap<>(draft.parameters());
    for (Json each : frozen) {
      freeze(trained, each, draft.parameters().keySet());
    }
    for (Map.Entry<String, Tensor> each : trained.entrySet()) {
      parameters.add(new Parameter(each.getKey(), each.getValue(), size));
      size += padded(each.getValue().elements());
    }
    allSize = size;
    Graph graph = draft.training();
    for (Value value : graph.values().values()) {
      if (value.constant() == null || !value.type().isFloat()) {
        continue;
      }
      Tensor view = value.constant().view().orElse(null);
      Parameter parameter = view == null ? null : find(view);
      if (parameter == null) {
        continue;
      }
      boolean again = uses.values().stream().anyMatch(use -> use.offset() == parameter.offset());
      boolean plain = view.isContiguous() && !again;
      uses.put(
          value.name(), new Use(value.name(), view, plain ? parameter.offset() : allSize, plain));
      allSize += plain ? 0 : padded(view.elements());
    }
    first = arena.allocate(Math.max(1, size) * Float.BYTES, Tensor.ALIGNMENT);
    second = arena.allocate(Math.max(1, size) * Float.BYTES, Tensor.ALIGNMENT);
  }

  private static void freeze(Map<String, Tensor> trained, Json pattern, Set<String> all) {
    String name = pattern.string();
    boolean open = name.endsWith("*");
    String start = open ? name.substring(0, name.length() - 1) : name + ".";
    if (!trained.keySet().removeIf(each -> each.startsWith(start))) {
      Set<String> layers = new LinkedHashSet<>();
      all.forEach(each -> layers.add(each.substring(0, each.lastIndexOf('.'))));
      throw pattern.error(
          "is "
              + name
              + ", but no layer of that name has weights"
              + Names.didYouMean(name, layers));
    }
  }

  private static long padded(long elements) {
    return (elements + ALIGN - 1) / ALIGN * ALIGN;
  }

  private Parameter find(Tensor view) {
    long address = view.baseSegment().address();
    for (Parameter parameter : parameters) {
      long from = parameter.tensor().segment().address();
      if (address + view.byteOffset() >= from
          && address + view.byteOffset() < from + parameter.tensor().byteSize()) {
        return parameter;
      }
    }
    return null;
  }

  /** The constants of the graph that are trained. */
  List<String> constants() {
    return List.copyOf(uses.keySet());
  }

  /** What an execution reads for a constant. */
  Tensor tensor(String constant) {
    return uses.get(constant).view();
  }

  /** The number of single numbers that are trained. */
  long count() {
    return parameters.stream().mapToLong(each -> each.tensor().elements()).sum();
  }

  /** Memory for the gradients of one shard. */
  MemorySegment newGradients() {
    return arena.allocate(Math.max(1, allSize) * Float.BYTES, Tensor.ALIGNMENT);
  }

  /** Where within a shard's memory the gradient of a constant goes. */
  Tensor gradient(String constant, MemorySegment gradients) {
    Use use = uses.get(constant);
    return Tensor.wrap(
        gradients.asSlice(use.offset() * Float.BYTES, use.view().byteSize()),
        DType.FLOAT32,
        use.view().shape().dims());
  }

  /** Adds the gradients of further uses to those of the first ones. */
  void join(Kernels kernels, MemorySegment gradients) {
    Region all = new Region(HostBuffer.wrap(gradients));
    for (Use use : uses.values()) {
      if (use.first()) {
        continue;
      }
      Parameter parameter = find(use.view());
      Tensor tensor = parameter.tensor();
      Region sum = region(all, parameter.offset(), tensor.elements());
      Region more = region(all, use.offset(), tensor.elements());
      long[] dims = tensor.shape().dims();
      boolean transposed = !use.view().isContiguous();
      if (transposed && dims.length != 2) {
        throw new IllegalStateException(use.constant() + " is shared in a form that has no sum");
      }
      long[] strides = transposed ? new long[] {1, dims[0]} : tensor.strides();
      kernels.binary(
          BinaryOperation.ADD, DType.FLOAT32, sum, tensor.strides(), more, strides, sum, dims);
    }
  }

  private static Region region(Region all, long offset, long elements) {
    return new Region(all.buffer(), all.offset() + offset * Float.BYTES, elements * Float.BYTES);
  }

  /** Adds a shard's gradients to those of the first one. */
  void add(Kernels kernels, MemorySegment sum, MemorySegment more) {
    Region to = new Region(HostBuffer.wrap(sum));
    long[] one = {1};
    kernels.binary(
        BinaryOperation.ADD,
        DType.FLOAT32,
        to,
        one,
        new Region(HostBuffer.wrap(more)),
        one,
        to,
        new long[] {size});
  }

  /** The sum of the squares of all gradients. */
  double sumOfSquares(Kernels kernels, MemorySegment gradients) {
    return kernels.sumOfSquares(new Region(HostBuffer.wrap(gradients)), size);
  }

  /** Changes the parameters by one step. */
  void optimise(Kernels kernels, OptimiserStep step, MemorySegment gradients) {
    Region all = new Region(HostBuffer.wrap(gradients));
    Region means = new Region(HostBuffer.wrap(first));
    Region squares = new Region(HostBuffer.wrap(second));
    for (Parameter parameter : parameters) {
      long count = parameter.tensor().elements();
      kernels.optimise(
          step,
          new Region(HostBuffer.wrap(parameter.tensor().segment())),
          region(all, parameter.offset(), count),
          region(means, parameter.offset(), count),
          region(squares, parameter.offset(), count),
          count);
    }
  }

  /** Makes room for the mean of the parameters, which is computed from now on. */
  void beginMean() {
    mean = arena.allocate(Math.max(1, size) * Float.BYTES, Tensor.ALIGNMENT);
  }

  /**
   * Takes the parameters into the mean as the number {@code count} of them, counted from 1: m ← m −
   * (m − w) / count.
   *
   * @param gradients memory of a shard's gradients, which is written over
   */
  void average(Kernels kernels, long count, MemorySegment gradients) {
    OptimiserStep step =
        new OptimiserStep(OptimiserStep.Rule.SGD, 1.0 / count, 0, 0, 0, 0, false, 1, 1, 1);
    Region means = new Region(HostBuffer.wrap(mean));
    Region all = new Region(HostBuffer.wrap(gradients));
    long[] one = {1};
    for (Parameter parameter : parameters) {
      long elements = parameter.tensor().elements();
      Region at = region(means, parameter.offset(), elements);
      Region distance = region(all, parameter.offset(), elements);
      Region now = new Region(HostBuffer.wrap(parameter.tensor().segment()));
      kernels.binary(
          BinaryOperation.SUBTRACT,
          DType.FLOAT32,
          at,
          one,
          now,
          one,
          distance,
          new long[] {elements});
      kernels.optimise(step, at, distance, distance, distance, elements);
    }
  }

  /** Puts the mean where the parameters are, and them where it was; a second time takes it back. */
  void exchangeMean() {
    for (Parameter parameter : parameters) {
      MemorySegment now = parameter.tensor().segment();
      MemorySegment other = mean.asSlice(parameter.offset() * Float.BYTES, now.byteSize());
      MemorySegment aside = MemorySegment.ofArray(new byte[Math.toIntExact(now.byteSize())]);
      aside.copyFrom(now);
      now.copyFrom(other);
      other.copyFrom(aside);
    }
  }

  /** What a checkpoint keeps of the optimiser and of the mean. */
  Map<String, Tensor> kept() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    all.put(
        "optimiser/first", Tensor.wrap(first.asSlice(0, size * Float.BYTES), DType.FLOAT32, size));
    all.put(
        "optimiser/second",
        Tensor.wrap(second.asSlice(0, size * Float.BYTES), DType.FLOAT32, size));
    if (mean != null) {
      all.put("mean", Tensor.wrap(mean.asSlice(0, size * Float.BYTES), DType.FLOAT32, size));
    }
    return all;
  }

  /**
   * The names of parameters that hold a number as large as a limit; with an infinite limit, those
   * that hold something that is no finite number.
   */
  List<String> beyond(double limit) {
    List<String> names = new ArrayList<>();
    for (Parameter parameter : parameters) {
      if (!within(parameter.tensor(), limit)) {
        names.add(parameter.name());
      }
    }
    return names;
  }

  /** Whether all numbers of a tensor are numbers, and smaller than a limit. */
  static boolean within(Tensor tensor, double limit) {
    for (float each : tensor.toFloats()) {
      if (!(Math.abs(each) < limit)) {
        return false;
      }
    }
    return true;
  }
}

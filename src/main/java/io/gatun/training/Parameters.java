package io.gatun.training;

import io.gatun.format.Json;
import io.gatun.format.ModelDraft;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * The parameters that a training changes, and where their gradients and moments lie: one stretch of
 * the device's memory of each kind, so that a whole network's gradient is added, measured and
 * scaled as one row of numbers. A parameter that a graph uses twice (tied weights) has a gradient
 * for each use; those beyond the first lie behind the others and are added to it.
 *
 * <p>A device that computes in the host's memory changes the parameters where the network has them.
 * On another they stay on the device, and the network's are brought up to date by {@link #toHost}
 * when somebody wants to look at them.
 *
 * <p>For one thread at a time. What is done here is done when the method returns, but for what
 * {@link Trainer} waits for at the end of a step.
 */
final class Parameters implements AutoCloseable {
  /** Where parameters begin: a multiple of 64 bytes. */
  private static final long ALIGN = Tensor.ALIGNMENT / Float.BYTES;

  /** A constant of the graph that is a parameter, or a transposed view of one. */
  private record Use(String constant, Tensor view, long offset, boolean first) {}

  private record Parameter(String name, Tensor tensor, long offset) {}

  private final List<Parameter> parameters = new ArrayList<>();
  private final Map<String, Use> uses = new LinkedHashMap<>();
  private final Device device;
  private final Kernels kernels;
  private final List<Buffer> buffers = new ArrayList<>();

  /** Elements of the gradients proper, and with those of further uses. */
  private long size;

  private long allSize;

  /**
   * The parameters on a device that does not compute in the host's memory, and behind them those
   * that are used transposed once more, as they are used; {@code null} where the network has them.
   */
  private Region there;

  private final Region first;
  private final Region second;

  /** The mean of the parameters after each step, as they lie there; {@code null} for none. */
  private Region mean;

  /**
   * Finds the parameters of a network.
   *
   * @param frozen which layers are not changed: names, or beginnings of names followed by '*'
   * @param kernels what changes them, for as long as this is open
   */
  Parameters(ModelDraft draft, List<Json> frozen, Kernels kernels) {
    this.kernels = kernels;
    device = kernels.device();
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
    boolean ready = false;
    try {
      first = allocate(size);
      second = allocate(size);
      if (parameters.stream().anyMatch(each -> device.wrap(each.tensor().segment()) == null)) {
        there = allocate(allSize);
        toDevice();
      }
      ready = true;
    } finally {
      if (!ready) {
        close();
      }
    }
  }

  private Region allocate(long elements) {
    Buffer buffer = device.allocate(Math.max(1, elements) * Float.BYTES);
    buffers.add(buffer);
    return new Region(buffer);
  }

  /** Where the device has a parameter. */
  private Region region(Parameter parameter) {
    long elements = parameter.tensor().elements();
    return there != null
        ? region(there, parameter.offset(), elements)
        : new Region(HostBuffer.wrap(parameter.tensor().segment()));
  }

  /** Brings the network's parameters up to date, where the device has its own. */
  void toHost() {
    if (there != null) {
      parameters.forEach(each -> kernels.download(region(each), each.tensor()));
    }
  }

  /** Gives the device the parameters that the network has, where it has its own. */
  void toDevice() {
    if (there != null) {
      parameters.forEach(each -> kernels.upload(each.tensor(), region(each)));
      turn();
      kernels.synchronize();
    }
  }

  /** Brings those up to date that are used transposed. */
  private void turn() {
    if (there == null) {
      return;
    }
    for (Use use : uses.values()) {
      if (!use.view().isContiguous()) {
        Parameter parameter = find(use.view());
        kernels.copyStrided(
            there,
            parameter.offset() + within(use.view(), parameter),
            use.view().strides(),
            there,
            use.offset(),
            use.view().shape().contiguousStrides(),
            use.view().shape().dims(),
            Float.BYTES);
      }
    }
  }

  /** How many elements behind the beginning of a parameter a view of it begins. */
  private static long within(Tensor view, Parameter parameter) {
    long address = view.baseSegment().address() + view.byteOffset();
    return (address - parameter.tensor().segment().address()) / Float.BYTES;
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

  /** What the network has for a constant. */
  Tensor tensor(String constant) {
    return uses.get(constant).view();
  }

  /** Gives an execution what it reads for a constant at each run. */
  void give(Execution execution, String constant) {
    Use use = uses.get(constant);
    Tensor view = use.view();
    if (there == null) {
      execution.input(constant, view);
      return;
    }
    Parameter parameter = find(view);
    long offset = view.isContiguous() ? parameter.offset() + within(view, parameter) : use.offset();
    execution.input(constant, region(there, offset, view.elements()), view.shape().dims());
  }

  /** The number of single numbers that are trained. */
  long count() {
    return parameters.stream().mapToLong(each -> each.tensor().elements()).sum();
  }

  /** Memory for the gradients of one shard, which is freed with this. */
  Region newGradients() {
    return allocate(allSize);
  }

  /** Where within a shard's memory the gradient of a constant goes. */
  Region gradient(String constant, Region gradients) {
    Use use = uses.get(constant);
    return region(gradients, use.offset(), use.view().elements());
  }

  /** Adds the gradients of further uses to those of the first ones. */
  void join(Region all) {
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
  void add(Region sum, Region more) {
    add(kernels, sum, more, size);
  }

  /** Adds as many gradients as there are, further uses' among them, in another order of work. */
  void addAll(Kernels other, Region sum, Region more) {
    add(other, sum, more, allSize);
  }

  private static void add(Kernels kernels, Region sum, Region more, long count) {
    long[] one = {1};
    kernels.binary(
        BinaryOperation.ADD, DType.FLOAT32, sum, one, more, one, sum, new long[] {count});
  }

  /** The sum of the squares of all gradients. */
  double sumOfSquares(Region gradients) {
    return kernels.sumOfSquares(gradients, size);
  }

  /** Changes the parameters by one step. */
  void optimise(OptimiserStep step, Region gradients) {
    for (Parameter parameter : parameters) {
      long count = parameter.tensor().elements();
      kernels.optimise(
          step,
          region(parameter),
          region(gradients, parameter.offset(), count),
          region(first, parameter.offset(), count),
          region(second, parameter.offset(), count),
          count);
    }
    turn();
  }

  /** Makes room for the mean of the parameters, which is computed from now on. */
  void beginMean() {
    mean = allocate(size);
  }

  /**
   * Takes the parameters into the mean as the number {@code count} of them, counted from 1: m ← m −
   * (m − w) / count.
   *
   * @param gradients memory of a shard's gradients, which is written over
   */
  void average(long count, Region gradients) {
    OptimiserStep step =
        new OptimiserStep(OptimiserStep.Rule.SGD, 1.0 / count, 0, 0, 0, 0, false, 1, 1, 1);
    long[] one = {1};
    for (Parameter parameter : parameters) {
      long elements = parameter.tensor().elements();
      Region at = region(mean, parameter.offset(), elements);
      Region distance = region(gradients, parameter.offset(), elements);
      kernels.binary(
          BinaryOperation.SUBTRACT,
          DType.FLOAT32,
          at,
          one,
          region(parameter),
          one,
          distance,
          new long[] {elements});
      kernels.optimise(step, at, distance, distance, distance, elements);
    }
  }

  /**
   * Puts the mean where the parameters are, and them where it was; a second time takes it back.
   *
   * @param aside memory of a shard's gradients, which is written over
   */
  void exchangeMean(Region aside) {
    for (Parameter parameter : parameters) {
      Region now = region(parameter);
      Region other = region(mean, parameter.offset(), parameter.tensor().elements());
      long bytes = parameter.tensor().byteSize();
      kernels.copy(now, aside, bytes);
      kernels.copy(other, now, bytes);
      kernels.copy(aside, other, bytes);
    }
    turn();
    kernels.synchronize();
    toHost();
  }

  /** What a checkpoint keeps of the optimiser and of the mean, by name. */
  private Map<String, Region> keeps() {
    Map<String, Region> all = new LinkedHashMap<>();
    all.put("optimiser/first", first);
    all.put("optimiser/second", second);
    if (mean != null) {
      all.put("mean", mean);
    }
    return all;
  }

  /**
   * What a checkpoint keeps of the optimiser and of the mean.
   *
   * @param aside where it is copied to from a device that has its own memory
   */
  Map<String, Tensor> kept(Arena aside) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    keeps()
        .forEach(
            (name, region) -> {
              if (region.buffer() instanceof HostBuffer buffer) {
                all.put(
                    name,
                    Tensor.wrap(
                        buffer.segment().asSlice(0, size * Float.BYTES), DType.FLOAT32, size));
              } else {
                Tensor copy = Tensor.allocate(aside, DType.FLOAT32, size);
                kernels.download(region, copy);
                all.put(name, copy);
              }
            });
    return all;
  }

  /** Takes back what a checkpoint kept, and the parameters that the network has. */
  void restore(Function<String, Tensor> kept) {
    keeps().forEach((name, region) -> kernels.upload(kept.apply(name), region));
    kernels.synchronize();
    toDevice();
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

  @Override
  public void close() {
    buffers.forEach(Buffer::close);
    buffers.clear();
  }
}

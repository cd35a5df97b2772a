package io.gatun.representation;

import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/**
 * Gives representations of data as features for something else: any values of a network, by name or
 * pattern, all of them in one pass, with all that they do not need left out.
 *
 * <pre>{@code
 * Feed feed = Feed.of(model.network());
 * try (Extraction extraction = Extraction.of(feed, List.of("conv*"), Pooling.MEAN);
 *     NpyFiles files = new NpyFiles(folder)) {
 *   extraction.run(examples, files, Progress.NONE);
 *   files.commit();
 * }
 * }</pre>
 *
 * <p>A batch has the bits of its examples one by one, so nothing here depends on how they are put
 * together. Immutable and thread-safe; the weights are packed once and shared by all runs and
 * {@link #newRunner runners}. The caller closes it, after these.
 */
public final class Extraction implements AutoCloseable {
  private final Pass pass;
  private final Pooling pooling;

  private Extraction(Pass pass, Pooling pooling) {
    this.pass = pass;
    this.pooling = pooling;
  }

  /**
   * As {@link #of(Feed, Collection, Pooling, Device, Workers)}, on one thread of the best device.
   */
  public static Extraction of(Feed feed, Collection<String> values, Pooling pooling) {
    return of(feed, values, pooling, Devices.best(), Workers.none());
  }

  /**
   * Makes an extraction.
   *
   * @param feed the network, and how it takes examples
   * @param values names and patterns, as {@link Selection#of} reads them
   * @param pooling what is kept of the positions of each
   * @param device where it computes
   * @param workers threads that share the work; stay open as long as this
   * @throws IllegalArgumentException if a name is unknown, a pattern fits nothing, or a value that
   *     is named is nothing for each example
   */
  public static Extraction of(
      Feed feed, Collection<String> values, Pooling pooling, Device device, Workers workers) {
    return of(feed, values, pooling, device, null, workers);
  }

  /**
   * As {@link #of(Feed, Collection, Pooling, Device, Workers)}, with weights in a format.
   *
   * @param format what the weights are rounded to; {@code null} for the one they are stored in
   */
  public static Extraction of(
      Feed feed,
      Collection<String> values,
      Pooling pooling,
      Device device,
      WeightFormat format,
      Workers workers) {
    List<Value> usable = Selection.of(feed, values);
    return new Extraction(new Pass(feed, usable, device, format, workers), pooling);
  }

  /** The values that are extracted, in the order of the columns. */
  public List<Value> values() {
    return pass.values();
  }

  /** What is written of each. */
  public List<RepresentationWriter.Column> columns() {
    List<RepresentationWriter.Column> columns = new ArrayList<>();
    for (int i = 0; i < values().size(); i++) {
      Value value = values().get(i);
      Axes axes = pass.axes(i);
      boolean all = pooling.kind() == Pooling.Kind.ALL || axes.positions().length == 0;
      List<Long> dims = new ArrayList<>();
      if (!all && pooling.kind() == Pooling.Kind.AT) {
        dims.add((long) pooling.positions().length);
      }
      if (all && axes.time()) {
        dims.add(-1L);
      }
      for (int axis = 0; axis < value.rank(); axis++) {
        int each = axis;
        boolean isUnit = Arrays.stream(axes.units()).anyMatch(a -> a == each);
        if (isUnit || all && axis != axes.batch() && !axes.time()) {
          dims.add(value.dim(axis).isKnown() ? value.dim(axis).size() : -1);
        }
      }
      DType type = value.type().isFloat() ? DType.FLOAT32 : value.type();
      columns.add(new RepresentationWriter.Column(value.name(), type, dims, all && axes.time()));
    }
    return columns;
  }

  /**
   * Runs over data. What is written appears when the writer is told to {@linkplain
   * RepresentationWriter#commit commit}, which is left to the caller.
   *
   * @return how many examples there were
   * @throws IOException if reading or writing fails
   * @throws IllegalArgumentException if an example does not fit the network, or has no such
   *     position
   */
  public long run(ExampleReader reader, RepresentationWriter writer, Progress progress)
      throws IOException {
    writer.begin(columns());
    return pass.run(reader, progress, pooling(writer::write));
  }

  /**
   * Sees what is kept of each example.
   *
   * @param <E> what it may throw
   */
  public interface Visitor<E extends Exception> {
    /**
     * Sees an example.
     *
     * @param example the example
     * @param values what is kept of it, in the order of {@link #columns}; gone when this returns
     */
    void visit(Example example, List<Tensor> values) throws E;
  }

  /**
   * Makes what computes on one thread, for those who put batches together themselves.
   *
   * @return for one thread; the caller closes it, before this
   */
  public Runner newRunner() {
    return new Runner(pass.newRunner());
  }

  /**
   * Which of two examples comes first where they are to be computed together: what can be computed
   * side by side stands side by side, and long ones come first.
   *
   * @return negative, 0 or positive, as of a comparator
   */
  public static int compare(Example a, Example b) {
    return Arrays.compare(b.dims(), a.dims());
  }

  /** Computes on one thread. */
  public final class Runner implements AutoCloseable {
    private final Pass.Runner runner;

    private Runner(Pass.Runner runner) {
      this.runner = runner;
    }

    /**
     * Computes examples: neighbours that fit side by side, the others one after the other.
     *
     * @param examples at least one; each fits the network as {@link Feed#check} sees it
     * @param visitor sees each, in their order
     * @throws IllegalArgumentException if one has no such position, or the network cannot be run
     *     over its sizes
     */
    public <E extends Exception> void run(List<Example> examples, Visitor<E> visitor) throws E {
      int from = 0;
      for (int to = 1; to <= examples.size(); to++) {
        if (to == examples.size() || !pass.together(examples.get(from), examples.get(to))) {
          runner.run(examples.subList(from, to), pooling(visitor));
          from = to;
        }
      }
    }

    /** Gives back memory. */
    @Override
    public void close() {
      runner.close();
    }
  }

  private <E extends Exception> Pass.Visitor<E> pooling(Visitor<E> visitor) {
    return (example, parts) -> {
      try (Arena arena = Arena.ofConfined()) {
        List<Tensor> kept = new ArrayList<>();
        for (int i = 0; i < parts.length; i++) {
          kept.add(pooled(example, parts[i], i, arena));
        }
        visitor.visit(example, kept);
      }
    };
  }

  private Tensor pooled(Example example, Tensor part, int index, Arena arena) {
    Axes axes = pass.axes(index);
    if (axes.positions().length == 0) {
      return part;
    }
    if (pooling.kind() == Pooling.Kind.ALL) {
      return axes.time() ? axes.positionsFirst(part) : part;
    }
    Tensor first = axes.positionsFirst(part);
    long[] units = new long[axes.units().length];
    for (int i = 0; i < units.length; i++) {
      units[i] = first.dim(axes.positions().length + i);
    }
    long positions = 1;
    for (int i = 0; i < axes.positions().length; i++) {
      positions *= first.dim(i);
    }
    if (positions == 0) {
      throw new IllegalArgumentException(
          "example " + example.id() + ": " + values().get(index).name() + " has no position");
    }
    return switch (pooling.kind()) {
      case LAST -> at(first, positions - 1, axes);
      case AT -> {
        long[] dims = new long[units.length + 1];
        dims[0] = pooling.positions().length;
        System.arraycopy(units, 0, dims, 1, units.length);
        Tensor chosen = Tensor.allocate(arena, part.dtype(), dims);
        int row = 0;
        for (int position : pooling.positions()) {
          long from = position < 0 ? positions + position : position;
          if (from < 0 || from >= positions) {
            throw new IllegalArgumentException(
                "example "
                    + example.id()
                    + ": "
                    + values().get(index).name()
                    + " has "
                    + positions
                    + " positions, and so none at "
                    + position);
          }
          chosen.select(0, row++).copyFrom(at(first, from, axes));
        }
        yield chosen;
      }
      default -> {
        Tensor target = Tensor.allocate(arena, part.dtype(), units);
        reduce(first, positions, target);
        yield target;
      }
    };
  }

  /** One position, counted in row-major order over the axes of positions. */
  private static Tensor at(Tensor first, long position, Axes axes) {
    Tensor at = first;
    long left = position;
    for (int axis = 0; axis < axes.positions().length; axis++) {
      long inner = 1;
      for (int later = axis + 1; later < axes.positions().length; later++) {
        inner *= first.dim(later);
      }
      at = at.select(0, left / inner);
      left %= inner;
    }
    return at;
  }

  private void reduce(Tensor first, long positions, Tensor target) {
    float[] all = first.toFloats();
    int units = (int) target.elements();
    double[] sums = new double[units];
    boolean mean = pooling.kind() == Pooling.Kind.MEAN;
    Arrays.fill(sums, mean ? 0 : Double.NEGATIVE_INFINITY);
    for (int at = 0; at < all.length; at += units) {
      for (int unit = 0; unit < units; unit++) {
        sums[unit] = mean ? sums[unit] + all[at + unit] : Math.max(sums[unit], all[at + unit]);
      }
    }
    Tensor flat = target.reshape(units);
    for (int unit = 0; unit < units; unit++) {
      flat.setFloat((float) (mean ? sums[unit] / positions : sums[unit]), unit);
    }
  }

  /** Frees the packed weights. */
  @Override
  public void close() {
    pass.close();
  }
}

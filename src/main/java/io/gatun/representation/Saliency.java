package io.gatun.representation;

import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Gradients;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * How much each number of a value counts for a unit further on: by the gradient (Simonyan et al.
 * 2014), by integrated gradients (Sundararajan et al. 2017) and by occlusion (Zeiler and Fergus
 * 2014). The value is an input of real numbers, such as an image, or one on the way, such as
 * embedded tokens, which have no gradient themselves.
 *
 * <p>Results are in the order of the example's own axes: {@code [channels, height, width]} for an
 * image, {@code [time, size]} for embedded tokens. The baseline of what is "not there" is zero.
 *
 * <p>For one thread; the caller closes it.
 */
public final class Saliency implements AutoCloseable {
  private static final String WEIGHTS = "saliency.weights";
  private static final String CHOSEN = "saliency.chosen";
  private static final String SUM = "saliency.sum";

  /** The most that is computed side by side. */
  private static final int MOST = 32;

  private final Feed feed;
  private final Value target;
  private final Axes targetAxes;
  private final Value source;
  private final Axes sourceAxes;
  private final boolean isInput;
  private final Plan sourcePlan;
  private final Execution sourceRun;
  private final Gradients gradients;
  private final Plan plan;
  private final Execution run;

  private Saliency(Feed feed, String target, String source, Device device) {
    this.feed = feed;
    Graph graph = feed.graph();
    this.target = graph.value(target);
    this.source = graph.value(source);
    targetAxes = Axes.of(this.target, feed);
    sourceAxes = Axes.of(this.source, feed);
    isInput = this.source == feed.input();
    if (!this.source.type().isFloat()) {
      throw new IllegalArgumentException(
          source
              + " is "
              + this.source.type().label()
              + ", which has no gradient; take the value"
              + " that is made of it, such as the embedding");
    }
    Graph.Builder part = graph.part(List.of(source), List.of(target));
    Value seen = part.find(target);
    Value weights = part.input(WEIGHTS, DType.FLOAT32, seen.dims().toArray());
    Value chosen = part.node(CHOSEN, "Mul", Attributes.NONE, seen, weights);
    int[] axes = new int[seen.rank()];
    Arrays.setAll(axes, i -> i);
    part.node(SUM, "ReduceSum", Attributes.of("axes", axes, "keepdims", 0), chosen);
    gradients = Gradients.of(part.build(), SUM, source);
    plan = Plan.on(device, gradients.graph(), target, gradients.name(source));
    run = plan.newExecution();
    sourcePlan = isInput ? null : Plan.on(device, graph, source);
    sourceRun = isInput ? null : sourcePlan.newExecution();
  }

  /** As {@link #of(Feed, String, String, Device)}, on the best device. */
  public static Saliency of(Feed feed, String target, String source) {
    return of(feed, target, source, Devices.best());
  }

  /**
   * Makes it ready.
   *
   * @param feed the network
   * @param target the value whose units are asked about
   * @param source the value whose numbers are weighed
   * @throws IllegalArgumentException if there is no such value, it has no gradient, or the target
   *     does not depend on the source
   * @throws UnsupportedOperationException if an operator between them has no gradient
   */
  public static Saliency of(Feed feed, String target, String source, Device device) {
    return new Saliency(feed, target, source, device);
  }

  /**
   * The numbers of the source for an example, in the order of its own axes, without the batch.
   *
   * @param example one
   */
  public float[] source(Example example) {
    if (isInput) {
      return example.numbers().clone();
    }
    try (Arena arena = Arena.ofConfined()) {
      feed.give(sourceRun, List.of(example), arena);
      sourceRun.run();
      return sourceAxes.of(sourceRun.output(source.name()), 0, feed.steps(example)).toFloats();
    }
  }

  /**
   * The gradient of a unit's activation at a position with respect to each number of the source.
   */
  public float[] gradient(Example example, int unit, long position) {
    float[] source = source(example);
    return evaluate(example, List.of(source), unit, position).gradients()[0];
  }

  /**
   * Integrated gradients from a baseline of zeros: x · the mean of the gradient along the straight
   * line from zeros to x, by the midpoint rule. They sum to what the unit has more than at zeros.
   *
   * @param steps how many points of the line; 32 are mostly enough
   */
  public float[] integratedGradients(Example example, int unit, long position, int steps) {
    float[] x = source(example);
    double[] sum = new double[x.length];
    for (int from = 0; from < steps; from += MOST) {
      int count = Math.min(MOST, steps - from);
      float[][] points = new float[count][x.length];
      for (int s = 0; s < count; s++) {
        float part = (from + s + 0.5f) / steps;
        for (int i = 0; i < x.length; i++) {
          points[s][i] = part * x[i];
        }
      }
      for (float[] gradient : evaluate(example, List.of(points), unit, position).gradients()) {
        for (int i = 0; i < x.length; i++) {
          sum[i] += gradient[i];
        }
      }
    }
    float[] result = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      result[i] = (float) (x[i] * sum[i] / steps);
    }
    return result;
  }

  /**
   * How much a unit loses where a window of places is set to zero, all channels of it together; of
   * an image windows of that size at each place, of a sequence of time steps.
   *
   * @param window its size along each axis of places
   * @param stride how far apart the windows are
   * @return for each place the mean loss of the windows that cover it, without the axis of channels
   */
  public float[] occlusion(Example example, int unit, long position, int window, int stride) {
    float[] x = source(example);
    Places places = places(example, x.length);
    int[] firsts = places.firsts(window, stride);
    float whole = evaluate(example, List.of(x), unit, position).activations()[0];
    double[] lost = new double[places.count()];
    int[] covered = new int[places.count()];
    for (int from = 0; from < firsts.length; from += MOST) {
      int count = Math.min(MOST, firsts.length - from);
      float[][] without = new float[count][];
      for (int k = 0; k < count; k++) {
        without[k] = x.clone();
        for (int place : places.window(firsts[from + k], window)) {
          for (int i : places.numbers(place)) {
            without[k][i] = 0;
          }
        }
      }
      float[] values = evaluate(example, List.of(without), unit, position).activations();
      for (int k = 0; k < count; k++) {
        for (int place : places.window(firsts[from + k], window)) {
          lost[place] += whole - values[k];
          covered[place]++;
        }
      }
    }
    float[] result = new float[lost.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = covered[i] == 0 ? 0 : (float) (lost[i] / covered[i]);
    }
    return result;
  }

  /** A unit's activation at a position where the source has these numbers. */
  public float activation(Example example, float[] source, int unit, long position) {
    return evaluate(example, List.of(source), unit, position).activations()[0];
  }

  /** Where the places of a source lie among its numbers. */
  private record Places(int[] sizes, int channels, boolean channelsFirst) {
    int count() {
      return Arrays.stream(sizes).reduce(1, (a, b) -> a * b);
    }

    int[] numbers(int place) {
      int[] all = new int[channels];
      for (int c = 0; c < channels; c++) {
        all[c] = channelsFirst ? c * count() + place : place * channels + c;
      }
      return all;
    }

    /** The first places of windows: on a grid, but each axis ends with one that ends with it. */
    int[] firsts(int window, int stride) {
      int[] all = {0};
      int inner = count();
      for (int size : sizes) {
        inner /= size;
        int most = Math.max(0, size - window);
        int[] starts =
            java.util.stream.IntStream.concat(
                    java.util.stream.IntStream.iterate(0, s -> s < most, s -> s + stride),
                    java.util.stream.IntStream.of(most))
                .toArray();
        int step = inner;
        all =
            Arrays.stream(all).flatMap(a -> Arrays.stream(starts).map(s -> a + s * step)).toArray();
      }
      return all;
    }

    int[] window(int first, int window) {
      int[] all = {first};
      int inner = count();
      int left = first;
      for (int size : sizes) {
        inner /= size;
        int at = left / inner;
        left %= inner;
        int step = inner;
        int most = Math.min(window, size - at);
        all =
            Arrays.stream(all)
                .flatMap(a -> java.util.stream.IntStream.range(0, most).map(s -> a + s * step))
                .toArray();
      }
      return all;
    }
  }

  private Places places(Example example, int numbers) {
    if (sourceAxes.positions().length == 0) {
      return new Places(new int[] {numbers}, 1, false);
    }
    if (sourceAxes.time()) {
      int steps = feed.steps(example);
      return new Places(new int[] {steps}, numbers / steps, false);
    }
    int[] sizes = new int[sourceAxes.positions().length];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = (int) example.dims()[i + 1];
    }
    int count = Arrays.stream(sizes).reduce(1, (a, b) -> a * b);
    return new Places(sizes, numbers / count, true);
  }

  private record Evaluation(float[] activations, float[][] gradients) {}

  /** Runs several sources for the same example side by side. */
  private Evaluation evaluate(Example example, List<float[]> sources, int unit, long position) {
    if (feed.batch().isKnown() && feed.batch().size() == 1 && sources.size() > 1) {
      float[] activations = new float[sources.size()];
      float[][] each = new float[sources.size()][];
      for (int i = 0; i < activations.length; i++) {
        Evaluation one = evaluate(example, List.of(sources.get(i)), unit, position);
        activations[i] = one.activations()[0];
        each[i] = one.gradients()[0];
      }
      return new Evaluation(activations, each);
    }
    int count = sources.size();
    List<Example> copies = Collections.nCopies(count, example);
    int steps = feed.steps(example);
    try (Arena arena = Arena.ofConfined()) {
      Tensor given = Tensor.allocate(arena, DType.FLOAT32, sourceDims(example, sources, count));
      for (int b = 0; b < count; b++) {
        Tensor one = given.select(sourceAxes.batch(), b);
        one.copyFrom(Tensor.ofFloats(arena, sources.get(b), one.shape().dims()));
      }
      Tensor weights = Tensor.allocate(arena, DType.FLOAT32, targetDims(example, count));
      long flat = flat(weights, unit, position);
      for (int b = 0; b < count; b++) {
        setFlat(weights.select(targetAxes.batch(), b), flat, 1);
      }
      for (Value needed : plan.inputs()) {
        if (needed.name().equals(source.name())) {
          run.input(needed.name(), given);
        } else if (needed.name().equals(WEIGHTS)) {
          run.input(WEIGHTS, weights);
        } else if (needed.name().equals(feed.input().name())) {
          run.input(needed.name(), feed.pack(copies, arena));
        } else if (!feed.giveOther(run, needed, copies, arena)) {
          throw new IllegalStateException("nobody gives " + needed);
        }
      }
      run.run();
      float[] activations = new float[count];
      float[][] each = new float[count][];
      Tensor values = run.output(target.name());
      Tensor back = run.output(gradients.name(source.name()));
      for (int b = 0; b < count; b++) {
        activations[b] = getFlat(values.select(targetAxes.batch(), b), flat);
        each[b] = sourceAxes.of(back, b, steps).toFloats();
      }
      return new Evaluation(activations, each);
    }
  }

  private long[] sourceDims(Example example, List<float[]> sources, int count) {
    long[] dims = feed.graph().sizes(feed.sizes(example)).get(source);
    long[] all = dims.clone();
    all[sourceAxes.batch()] = count;
    if (sources.get(0).length != Arrays.stream(dims).reduce(1, (a, b) -> a * b)) {
      throw new IllegalArgumentException(
          source.name()
              + " of "
              + example.id()
              + " has "
              + Arrays.toString(dims)
              + " numbers, but "
              + sources.get(0).length
              + " came");
    }
    return all;
  }

  private long[] targetDims(Example example, int count) {
    long[] dims = feed.graph().sizes(feed.sizes(example)).get(target).clone();
    dims[targetAxes.batch()] = count;
    return dims;
  }

  /** Where a unit at a position lies in an example's part of the target, in its own order. */
  private long flat(Tensor all, int unit, long position) {
    Tensor one = all.select(targetAxes.batch(), 0);
    long[] dims = one.shape().dims();
    long[] index = new long[dims.length];
    long leftUnit = unit;
    for (int i = targetAxes.units().length - 1; i >= 0; i--) {
      int axis = within(targetAxes.units()[i]);
      index[axis] = leftUnit % dims[axis];
      leftUnit /= dims[axis];
    }
    long leftPosition = position;
    for (int i = targetAxes.positions().length - 1; i >= 0; i--) {
      int axis = within(targetAxes.positions()[i]);
      index[axis] = leftPosition % dims[axis];
      leftPosition /= dims[axis];
    }
    if (unit < 0 || position < 0 || leftUnit != 0 || leftPosition != 0) {
      throw new IndexOutOfBoundsException(
          "unit " + unit + " at position " + position + " of " + target);
    }
    long flat = 0;
    for (int axis = 0; axis < dims.length; axis++) {
      flat = flat * dims[axis] + index[axis];
    }
    return flat;
  }

  private int within(int axis) {
    return axis > targetAxes.batch() ? axis - 1 : axis;
  }

  private static long[] index(Tensor one, long flat) {
    long[] index = new long[one.rank()];
    long left = flat;
    for (int axis = index.length - 1; axis >= 0; axis--) {
      index[axis] = left % one.dim(axis);
      left /= one.dim(axis);
    }
    return index;
  }

  private static void setFlat(Tensor one, long flat, float value) {
    one.setFloat(value, index(one, flat));
  }

  private static float getFlat(Tensor one, long flat) {
    return one.getFloat(index(one, flat));
  }

  @Override
  public void close() {
    run.close();
    plan.close();
    if (sourceRun != null) {
      sourceRun.close();
      sourcePlan.close();
    }
  }
}

package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Compares gradients with central differences in float64, and those of the fastest device with
 * them.
 *
 * <p>A central difference with step h is wrong by h²/6 times a third derivative and ε/h times the
 * loss; h = 1e-5, near the cube root of ε, makes both about 1e-10 of the loss and its derivatives,
 * and the threshold leaves three digits for derivatives larger than the values themselves.
 */
public final class GradientCheck {
  private static final double STEP = 1e-5;

  /**
   * Where a function has a kink (a clip, a hard sigmoid) within the step, a difference over it is
   * between the slopes of both sides. A step this short hardly ever meets the same kink, and its
   * rounding errors, about 1e-9 of the loss, are still within the threshold.
   */
  private static final double SHORT_STEP = 1e-7;

  private static final double THRESHOLD = 1e-7;

  private final Graph graph;
  private final String loss;
  private final Map<String, Tensor> inputs = new LinkedHashMap<>();
  private final List<String> parameters = new ArrayList<>();
  private double terms = 64;
  private int moved = 40;

  /** Checks the gradients of a value that is one number. */
  public GradientCheck(Graph graph, String loss) {
    this.graph = graph;
    this.loss = loss;
  }

  /** Adds to a graph a loss that every element of a value has a different share in. */
  public static Value loss(Graph.Builder g, Arena arena, Random random, Value... values) {
    Value sum = null;
    for (Value value : values) {
      // Shares that do not depend on sizes: a wave over the elements of the last axes.
      Value bent = g.node(value.name() + ".bent", "Sigmoid", Attributes.NONE, value);
      Value share = g.node(value.name() + ".share", "Mul", Attributes.NONE, bent, bent);
      Value mixed = g.node(value.name() + ".mixed", "Mul", Attributes.NONE, share, value);
      Value one = g.node(value.name() + ".total", "ReduceSum", Attributes.of("keepdims", 0), mixed);
      sum = sum == null ? one : g.node(value.name() + ".both", "Add", Attributes.NONE, sum, one);
    }
    Value loss = g.alias("loss", sum);
    g.output(loss);
    return loss;
  }

  /** An input's numbers; real ones are differentiated too. */
  public GradientCheck input(String name, Tensor tensor) {
    inputs.put(name, tensor);
    if (tensor.dtype().isFloat()) {
      parameters.add(name);
    }
    return this;
  }

  /** An input's numbers, which are not differentiated. */
  public GradientCheck fixed(String name, Tensor tensor) {
    inputs.put(name, tensor);
    return this;
  }

  /** How many rounded terms the longest sums have, for the threshold of float32. */
  public GradientCheck terms(double count) {
    terms = count;
    return this;
  }

  /** How many elements of each parameter are moved. */
  public GradientCheck moved(int count) {
    moved = count;
    return this;
  }

  /** Compares, on the plain loops in float64 and on the best device. */
  public void run(Random random) {
    parameters.addAll(0, Gradients.trainable(graph));
    Gradients gradients = Gradients.of(graph, loss, parameters);
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> values = new LinkedHashMap<>();
      inputs.forEach(values::put);
      for (String name : parameters) {
        Value value = graph.value(name);
        Tensor from = value.constant() != null ? value.constant().tensor(arena) : inputs.get(name);
        values.put(name, Tensor.allocate(arena, DType.FLOAT64, from.shape().dims()).copyFrom(from));
      }
      if (gradients.needsSeed()) {
        values.put(Gradients.SEED, Tensor.ofLongs(arena, new long[] {random.nextLong()}, 1));
      }
      Map<String, double[]> exact = differences(gradients, values, random);
      compareDevice(gradients, values, exact, arena);
    }
  }

  private Map<String, double[]> differences(
      Gradients gradients, Map<String, Tensor> values, Random random) {
    Map<String, double[]> all = new LinkedHashMap<>();
    try (Device device = new ScalarDevice(DType.FLOAT64);
        Plan plan = Plan.on(device, gradients.graph());
        Plan lossOnly = Plan.on(device, gradients.graph(), loss);
        Execution both = plan.newExecution();
        Execution there = lossOnly.newExecution()) {
      give(both, plan, values);
      give(there, lossOnly, values);
      both.run();
      double value = both.output(loss).toDoubles()[0];
      for (String name : parameters) {
        all.put(name, both.output(gradients.name(name)).toDoubles());
      }
      for (String name : parameters) {
        Tensor parameter = values.get(name);
        double[] numbers = parameter.toDoubles();
        double[] gradient = all.get(name);
        assertTrue(
            gradient.length == numbers.length,
            name + ": " + gradient.length + " gradients of " + numbers.length);
        double scale = Math.abs(value);
        for (double g : gradient) {
          scale = Math.max(scale, Math.abs(g));
        }
        for (int k = 0; k < Math.min(moved, numbers.length); k++) {
          int i = numbers.length <= moved ? k : random.nextInt(numbers.length);
          double bound = THRESHOLD * Math.max(1, scale);
          double wide = difference(there, parameter, numbers, i, STEP);
          boolean kink = Math.abs(wide - gradient[i]) > bound;
          double difference = kink ? difference(there, parameter, numbers, i, SHORT_STEP) : wide;
          assertTrue(
              Math.abs(difference - gradient[i]) <= bound,
              () ->
                  name
                      + " of "
                      + graph.name()
                      + " at ["
                      + i
                      + "]: gradient "
                      + gradient[i]
                      + ", central difference "
                      + difference);
        }
      }
    }
    return all;
  }

  private double difference(
      Execution there, Tensor parameter, double[] numbers, int i, double step) {
    double up = at(there, parameter, numbers, i, step);
    double down = at(there, parameter, numbers, i, -step);
    return (up - down) / (2 * step);
  }

  private double at(Execution there, Tensor parameter, double[] numbers, int i, double step) {
    double kept = numbers[i];
    numbers[i] = kept + step;
    write(parameter, numbers);
    there.run();
    double value = there.output(loss).toDoubles()[0];
    numbers[i] = kept;
    write(parameter, numbers);
    return value;
  }

  private static void write(Tensor tensor, double[] numbers) {
    try (Arena arena = Arena.ofConfined()) {
      tensor.copyFrom(Tensor.ofDoubles(arena, numbers, tensor.shape().dims()));
    }
  }

  private void compareDevice(
      Gradients gradients, Map<String, Tensor> values, Map<String, double[]> exact, Arena arena) {
    Map<String, Tensor> single = new LinkedHashMap<>();
    values.forEach(
        (name, tensor) ->
            single.put(
                name,
                tensor.dtype().isFloat()
                    ? Tensor.allocate(arena, DType.FLOAT32, tensor.shape().dims()).copyFrom(tensor)
                    : tensor));
    List<float[]> alone = new ArrayList<>();
    for (int threads : new int[] {1, 3}) {
      try (Workers workers = new Workers(threads);
          Plan plan = Plan.on(Devices.best(), gradients.graph());
          Execution run = plan.newExecution(workers)) {
        give(run, plan, single);
        run.run();
        int at = 0;
        for (String name : parameters) {
          float[] come = run.output(gradients.name(name)).toFloats();
          compare(name, exact.get(name), come);
          if (threads == 1) {
            alone.add(come);
          } else {
            assertTrue(
                java.util.Arrays.equals(alone.get(at++), come),
                name + " has other bits with " + threads + " threads");
          }
        }
      }
    }
  }

  private void compare(String name, double[] exact, float[] come) {
    // The loss passes numbers and slopes of about 1, which are rounded even where they cancel.
    double largest = 0.25;
    for (double g : exact) {
      largest = Math.max(largest, Math.abs(g));
    }
    double allowed = 8 * Math.log(terms + 2) / Math.log(2) * Math.ulp(1f) * largest;
    for (int i = 0; i < come.length; i++) {
      int at = i;
      assertTrue(
          Math.abs(come[i] - exact[i]) <= allowed,
          () ->
              name
                  + "["
                  + at
                  + "]: "
                  + come[at]
                  + " in float32, "
                  + exact[at]
                  + " in float64, allowed "
                  + allowed);
    }
  }

  private static void give(Execution execution, Plan plan, Map<String, Tensor> values) {
    for (Value input : plan.inputs()) {
      execution.input(input.name(), values.get(input.name()));
    }
  }
}

package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every recurrent network, over random ones and ragged batches. */
class RecurrentPropertiesTest {
  private static final int NETWORKS = 24;
  private static final int[] SIZES = {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 48};

  /** A random layer: of any kind, size, activation and option. */
  private static final class Net implements AutoCloseable {
    final Arena arena = Arena.ofConfined();
    final Random random;
    final int kind;
    final int input;
    final int hidden;
    final int state;
    final Weights forward;
    final Weights backward;
    final boolean coupled;
    final boolean resetAfter;
    final float clip;
    final boolean normalised;
    final Activation gate;
    final Activation squash;

    Net(Random random) {
      this.random = random;
      kind = random.nextInt(3);
      input = size();
      hidden = size();
      state = kind == 2 && random.nextInt(3) == 0 ? size() : hidden;
      coupled = kind == 2 && random.nextInt(4) == 0;
      resetAfter = random.nextBoolean();
      clip = random.nextInt(4) == 0 ? 0.5f + random.nextFloat() : 0;
      normalised = random.nextInt(4) == 0;
      gate = random.nextInt(4) == 0 ? Activation.HARD_SIGMOID_SIXTH : Activation.SIGMOID;
      squash = random.nextInt(4) == 0 ? Activation.of(Activation.Kind.SOFTSIGN) : Activation.TANH;
      boolean bias = random.nextInt(4) != 0;
      boolean peepholes = kind == 2 && random.nextInt(3) == 0;
      forward = weights(bias, peepholes);
      backward = weights(bias, peepholes);
    }

    private int size() {
      return SIZES[random.nextInt(SIZES.length)];
    }

    Tensor random(double scale, long... dims) {
      Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
      Tensor flat = tensor.reshape(tensor.elements());
      for (long i = 0; i < flat.elements(); i++) {
        flat.setFloat((float) (random.nextGaussian() * scale), i);
      }
      return tensor;
    }

    private Weights weights(boolean bias, boolean peepholes) {
      int gates = new int[] {1, 3, 4}[kind];
      Map<String, Tensor> parts = new LinkedHashMap<>();
      parts.put("W", random(0.5 / Math.sqrt(input), (long) gates * hidden, input));
      parts.put("R", random(0.5 / Math.sqrt(state), (long) gates * hidden, state));
      if (bias) {
        parts.put("B", random(0.5, 2L * gates * hidden));
      }
      if (peepholes) {
        parts.put("P", random(0.5, 3L * hidden));
      }
      if (state != hidden) {
        parts.put("projection", random(1 / Math.sqrt(hidden), state, hidden));
      }
      if (normalised) {
        parts.put("norm_input.scale", random(0.5, (long) gates * hidden));
        parts.put("norm_recurrent.scale", random(0.5, (long) gates * hidden));
        parts.put("norm_recurrent.shift", random(0.5, (long) gates * hidden));
        if (kind == 2) {
          parts.put("norm_cell.scale", random(0.5, hidden));
        }
      }
      return Weights.of(Convention.ONNX, parts);
    }

    /** What to do to a builder besides what the network is. */
    private interface Option {
      void apply(Recurrent.Builder<?> builder);
    }

    Recurrent layer(String name, Weights weights, Option option) {
      return switch (kind) {
        case 0 -> {
          var builder = SimpleRnn.builder(name).activation(squash);
          common(builder, weights, option);
          yield builder.build();
        }
        case 1 -> {
          var builder =
              Gru.builder(name).recurrentActivation(gate).activation(squash).resetAfter(resetAfter);
          common(builder, weights, option);
          yield builder.build();
        }
        default -> {
          var builder = Lstm.builder(name).recurrentActivation(gate).activation(squash);
          common(builder, weights, option);
          yield coupled ? builder.coupled().build() : builder.build();
        }
      };
    }

    private void common(Recurrent.Builder<?> builder, Weights weights, Option option) {
      builder.weights(weights).clip(clip);
      if (normalised) {
        builder.layerNorm(1e-3f);
      }
      option.apply(builder);
    }

    @Override
    public void close() {
      arena.close();
    }

    @Override
    public String toString() {
      return List.of("RNN", "GRU", "LSTM").get(kind)
          + " "
          + input
          + " to "
          + hidden
          + (state == hidden ? "" : ", projected to " + state)
          + (coupled ? ", coupled" : "")
          + (clip > 0 ? ", clip " + clip : "")
          + (normalised ? ", normalised" : "")
          + (kind == 1 && resetAfter ? ", reset after" : "")
          + ", "
          + gate
          + ", "
          + squash;
    }
  }

  private interface Check {
    void run(Net net) throws Exception;
  }

  private static void networks(String name, Check check) throws Exception {
    networks(name, NETWORKS, check);
  }

  private static void networks(String name, int count, Check check) throws Exception {
    Random random = Seeds.random(name);
    for (int i = 0; i < count; i++) {
      try (Net net = new Net(random)) {
        try {
          check.run(net);
        } catch (AssertionError e) {
          throw new AssertionError("network " + i + ": " + net, e);
        }
      }
    }
  }

  /** A layer between inputs x and lengths, with an initial state given. */
  private static Graph graph(Recurrent layer) {
    Graph.Builder g = Graph.builder("net");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", layer.inputSize());
    Value lengths = g.input("lengths", DType.INT32, "batch");
    layer.unroll(g, x, lengths, layer.stateInputs(g, DType.FLOAT32, "batch"));
    return g.build();
  }

  private static String[] outputs(Recurrent layer) {
    return layer instanceof Lstm
        ? new String[] {layer.name(), layer.name() + ".hidden", layer.name() + ".cell"}
        : new String[] {layer.name(), layer.name() + ".hidden"};
  }

  /** A ragged batch: the longest sequence may be shorter than time, others may be empty. */
  private static Map<String, Tensor> batch(Net net, Recurrent layer, int time, int batch) {
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    inputs.put("x", net.random(1, time, batch, net.input));
    int[] lengths = new int[batch];
    for (int b = 0; b < batch; b++) {
      lengths[b] = net.random.nextInt(time + 1);
    }
    inputs.put("lengths", Tensor.ofInts(net.arena, lengths, batch));
    long[] directions = layer.directions() == 1 ? new long[0] : new long[] {2};
    inputs.put(
        layer.name() + ".initial.hidden", net.random(0.5, join(directions, batch, net.state)));
    inputs.put(
        layer.name() + ".initial.cell", net.random(0.5, join(directions, batch, net.hidden)));
    return inputs;
  }

  private static long[] join(long[] first, long... rest) {
    long[] all = Arrays.copyOf(first, first.length + rest.length);
    System.arraycopy(rest, 0, all, first.length, rest.length);
    return all;
  }

  private static Recurrent either(Net net) {
    return net.random.nextBoolean()
        ? net.layer("rnn", net.forward, builder -> {})
        : net.layer(
            "rnn", net.forward, builder -> builder.bidirectional(Merge.CONCAT, net.backward));
  }

  /** Row b of [time, batch, size] or [batch, size]. */
  private static double[] row(Evaluation.Numbers numbers, int b, int time) {
    long[] dims = numbers.shape().dims();
    int size = (int) dims[dims.length - 1];
    if (dims.length == 2) {
      return Arrays.copyOfRange(numbers.values(), b * size, (b + 1) * size);
    }
    int batch = (int) dims[1];
    double[] row = new double[time * size];
    for (int t = 0; t < time; t++) {
      System.arraycopy(numbers.values(), (t * batch + b) * size, row, t * size, size);
    }
    return row;
  }

  private static void assertSameBits(double[] expected, double[] actual, String what) {
    assertArrayEquals(bits(expected), bits(actual), what);
  }

  private static long[] bits(double[] values) {
    return Arrays.stream(values).mapToLong(Double::doubleToRawLongBits).toArray();
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aBatchIsItsSequencesOneByOne(Device device) throws Exception {
    networks(
        "a batch is its sequences one by one",
        net -> {
          Recurrent layer = either(net);
          Graph graph = graph(layer);
          int time = 1 + net.random.nextInt(12);
          int batch = 1 + net.random.nextInt(11);
          Map<String, Tensor> together = batch(net, layer, time, batch);
          var all = Evaluation.of(device, graph, together, outputs(layer));
          for (int b = 0; b < batch; b++) {
            Map<String, Tensor> alone = new LinkedHashMap<>();
            for (var input : together.entrySet()) {
              Tensor tensor = input.getValue();
              int axis = tensor.rank() == 1 ? 0 : tensor.rank() - 2;
              alone.put(input.getKey(), tensor.slice(axis, b, b + 1).copy(net.arena));
            }
            var one = Evaluation.of(device, graph, alone, outputs(layer));
            for (String output : outputs(layer)) {
              assertSameBits(
                  row(one.get(output), 0, time),
                  row(all.get(output), b, time),
                  output + " of sequence " + b + " of " + batch);
            }
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void paddingChangesNothing(Device device) throws Exception {
    networks(
        "padding changes nothing",
        net -> {
          Recurrent layer = either(net);
          Graph graph = graph(layer);
          int time = 1 + net.random.nextInt(9);
          int batch = 1 + net.random.nextInt(7);
          int more = 1 + net.random.nextInt(4);
          Map<String, Tensor> inputs = batch(net, layer, time, batch);
          Map<String, Tensor> padded = new LinkedHashMap<>(inputs);
          Tensor longer = Tensor.allocate(net.arena, DType.FLOAT32, time + more, batch, net.input);
          longer.fill(Double.NaN);
          int[] lengths = inputs.get("lengths").toInts();
          for (int b = 0; b < batch; b++) {
            longer
                .select(1, b)
                .slice(0, 0, lengths[b])
                .copyFrom(inputs.get("x").select(1, b).slice(0, 0, lengths[b]));
          }
          padded.put("x", longer);
          var plain = Evaluation.of(device, graph, inputs, outputs(layer));
          var other = Evaluation.of(device, graph, padded, outputs(layer));
          for (String output : outputs(layer)) {
            for (int b = 0; b < batch; b++) {
              assertSameBits(
                  row(plain.get(output), b, time), row(other.get(output), b, time), output);
            }
          }
          double[] sequence = other.get("rnn").values();
          for (int b = 0; b < batch; b++) {
            double[] row = row(other.get("rnn"), b, time + more);
            int size = row.length / (time + more);
            for (int i = lengths[b] * size; i < row.length; i++) {
              assertEquals(0, row[i], "behind the end of sequence " + b);
            }
          }
          assertEquals((time + more) * batch * layer.outputSize(), sequence.length);
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void steppingIsTheWholeSequence(Device device) throws Exception {
    networks(
        "stepping is the whole sequence",
        net -> {
          Recurrent layer = net.layer("rnn", net.forward, builder -> {});
          int time = 2 + net.random.nextInt(9);
          int batch = 1 + net.random.nextInt(5);
          Tensor x = net.random(1, time, batch, net.input);
          Graph.Builder g = Graph.builder("net");
          Value in = g.input("x", DType.FLOAT32, "time", "batch", net.input);
          Recurrent.State initial = layer.stateInputs(g, DType.FLOAT32, "batch");
          Recurrent.Result result = layer.unroll(g, in, null, initial);
          try (Plan plan = Plan.on(device, g.build(), outputs(layer));
              StatefulExecution whole =
                  StatefulExecution.of(plan, Workers.none(), batch, result.carries());
              StatefulExecution loop =
                  StatefulExecution.of(plan, Workers.none(), batch, result.carries())) {
            Tensor all = x.to(net.arena, device.real());
            whole.execution().input("x", all);
            whole.run();
            Tensor expected = whole.execution().output("rnn");
            for (int run = 0; run < 2; run++) {
              for (int t = 0; t < time; ) {
                // One step at a time first, then stretches of any length.
                int steps = run == 0 ? 1 : 1 + net.random.nextInt(time - t);
                loop.execution().input("x", all.slice(0, t, t + steps));
                loop.run();
                assertSameBits(
                    expected.slice(0, t, t + steps).toDoubles(),
                    loop.execution().output("rnn").toDoubles(),
                    "step " + t);
                t += steps;
              }
              for (String state : outputs(layer)) {
                if (!state.equals("rnn")) {
                  assertSameBits(
                      whole.execution().output(state).toDoubles(),
                      loop.execution().output(state).toDoubles(),
                      state);
                }
              }
              loop.zeroState();
            }
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void reversedTwiceIsTheSame(Device device) throws Exception {
    networks(
        "reversed twice is the same",
        net -> {
          int time = 1 + net.random.nextInt(9);
          int batch = 1 + net.random.nextInt(5);
          Graph.Builder g = Graph.builder("net");
          Value x = g.input("x", DType.FLOAT32, "time", "batch", net.input);
          net.layer("forward", net.forward, builder -> {}).apply(g, x);
          Value turned = Layers.reverseTime(g, "turned", x);
          Value reversed =
              net.layer("reversed", net.forward, builder -> builder.reversed()).apply(g, turned);
          Layers.reverseTime(g, "reversed.turned", reversed);
          net.layer("keras", net.forward, builder -> builder.goBackwards()).apply(g, turned);
          var results =
              Evaluation.of(
                  device,
                  g.build(),
                  Map.of("x", net.random(1, time, batch, net.input)),
                  "forward",
                  "reversed.turned",
                  "keras",
                  "forward.hidden",
                  "reversed.hidden");
          double[] forward = results.get("forward").values();
          assertSameBits(forward, results.get("reversed.turned").values(), "reversed");
          assertSameBits(forward, results.get("keras").values(), "go_backwards");
          assertSameBits(
              results.get("forward.hidden").values(),
              results.get("reversed.hidden").values(),
              "state");
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void twoDirectionsAreTwoLayers(Device device) throws Exception {
    networks(
        "two directions are two layers",
        net -> {
          int time = 1 + net.random.nextInt(9);
          int batch = 1 + net.random.nextInt(5);
          Graph.Builder g = Graph.builder("net");
          Value x = g.input("x", DType.FLOAT32, "time", "batch", net.input);
          Value lengths = g.input("lengths", DType.INT32, "batch");
          Recurrent forward = net.layer("forward", net.forward, builder -> {});
          Recurrent backward = net.layer("backward", net.backward, builder -> builder.reversed());
          Value left = forward.unroll(g, x, lengths).output();
          Value right = backward.unroll(g, x, lengths).output();
          Layers.concat(g, "CONCAT.expected", 2, left, right);
          Value sum = Layers.add(g, "SUM.expected", left, right);
          Layers.activation(
              g, "MEAN.expected", new Activation(Activation.Kind.AFFINE, 0.5f, 0), sum);
          Layers.multiply(g, "PRODUCT.expected", left, right);
          for (Merge merge : Merge.values()) {
            net.layer(
                    merge.name(),
                    net.forward,
                    builder -> builder.bidirectional(merge, net.backward))
                .unroll(g, x, lengths);
          }
          Map<String, Tensor> inputs = batch(net, forward, time, batch);
          Graph graph = g.build();
          List<String> wanted = new ArrayList<>(List.of("forward.hidden", "backward.hidden"));
          for (Merge merge : Merge.values()) {
            wanted.add(merge.name());
            wanted.add(merge + ".expected");
            wanted.add(merge + ".forward.hidden");
            wanted.add(merge + ".backward.hidden");
          }
          var results = Evaluation.of(device, graph, inputs, wanted.toArray(new String[0]));
          for (Merge merge : Merge.values()) {
            assertSameBits(
                results.get(merge + ".expected").values(),
                results.get(merge.name()).values(),
                merge.name());
            for (String direction : List.of("forward", "backward")) {
              assertSameBits(
                  results.get(direction + ".hidden").values(),
                  results.get(merge + "." + direction + ".hidden").values(),
                  merge + "." + direction);
            }
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void everyDeviceAgreesWithTheReference(Device device) throws Exception {
    networks(
        "every device agrees with the reference",
        net -> {
          Recurrent layer = either(net);
          Graph graph = graph(layer);
          int time = 1 + net.random.nextInt(9);
          Map<String, Tensor> inputs = batch(net, layer, time, 1 + net.random.nextInt(9));
          var expected = Evaluation.of(Evaluation.reference(), graph, inputs, outputs(layer));
          var actual = Evaluation.of(device, graph, inputs, outputs(layer));
          // Normalising products of few elements divides by a small deviation, at most √(1/1e-3).
          double gain = net.normalised ? Math.sqrt(1 / 1e-3) : 1;
          for (String output : outputs(layer)) {
            double largest =
                Arrays.stream(expected.get(output).values()).map(Math::abs).max().orElse(0);
            assertArrayEquals(
                expected.get(output).values(),
                actual.get(output).values(),
                gain * Bounds.recurrent(device, net.input + net.state, time, Math.max(1, largest)),
                output);
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void theNumberOfWorkersChangesNoBit(Device device) throws Exception {
    try (Workers two = new Workers(2);
        Workers eight = new Workers(8)) {
      networks(
          "the number of workers changes no bit",
          net -> {
            Recurrent layer = either(net);
            Graph graph = graph(layer);
            Map<String, Tensor> inputs =
                batch(net, layer, 1 + net.random.nextInt(6), 1 + net.random.nextInt(20));
            var alone = Evaluation.of(device, graph, inputs, outputs(layer));
            for (Workers workers : List.of(two, eight)) {
              var shared = Evaluation.of(device, workers, graph, inputs, outputs(layer));
              for (String output : outputs(layer)) {
                assertSameBits(
                    alone.get(output).values(),
                    shared.get(output).values(),
                    output + " with " + workers.size() + " workers");
              }
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void onePlanServesManyThreads(Device device) throws Exception {
    try (Net net = new Net(Seeds.random("one plan serves many threads"));
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      Recurrent layer = either(net);
      List<Map<String, Tensor>> batches = new ArrayList<>();
      List<double[]> expected = new ArrayList<>();
      Graph graph = graph(layer);
      Arena shared = Arena.ofShared();
      try (shared;
          Plan plan = Plan.on(device, graph, outputs(layer))) {
        for (int i = 0; i < 8; i++) {
          Map<String, Tensor> inputs = new LinkedHashMap<>();
          batch(net, layer, 5 + i, 1 + i)
              .forEach(
                  (name, tensor) ->
                      inputs.put(
                          name,
                          Tensor.allocate(
                                  shared, device.stored(tensor.dtype()), tensor.shape().dims())
                              .copyFrom(tensor)));
          batches.add(inputs);
          expected.add(Evaluation.of(device, graph, inputs, "rnn").get("rnn").values());
        }
        Callable<Void> work =
            () -> {
              try (Execution execution = plan.newExecution()) {
                for (int round = 0; round < 5; round++) {
                  for (int i = 0; i < batches.size(); i++) {
                    for (Value input : plan.inputs()) {
                      execution.input(input.name(), batches.get(i).get(input.name()));
                    }
                    execution.run();
                    assertSameBits(
                        expected.get(i), execution.output("rnn").toDoubles(), "batch " + i);
                  }
                }
              }
              return null;
            };
        for (Future<Void> done : pool.invokeAll(List.of(work, work, work, work))) {
          done.get();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aRunAllocatesNothing(Device device) throws Exception {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    networks(
        "a run allocates nothing",
        6,
        net -> {
          Recurrent layer = net.layer("rnn", net.forward, builder -> {});
          Graph.Builder g = Graph.builder("net");
          Value in = g.input("x", DType.FLOAT32, "time", "batch", net.input);
          Recurrent.State initial = layer.stateInputs(g, DType.FLOAT32, "batch");
          Recurrent.Result result = layer.unroll(g, in, null, initial);
          Tensor x = net.random(1, 3, 2, net.input).to(net.arena, device.real());
          try (Plan plan = Plan.on(device, g.build(), outputs(layer));
              StatefulExecution loop =
                  StatefulExecution.of(plan, Workers.none(), 2, result.carries())) {
            loop.execution().input("x", x);
            // Until the JIT has compiled them, vectors are objects; what remains is the library's.
            int free = 0;
            long bytes = 0;
            for (int i = 0; i < 100_000 && free < 10; i++) {
              long before = threads.getCurrentThreadAllocatedBytes();
              loop.run();
              bytes = threads.getCurrentThreadAllocatedBytes() - before;
              free = bytes == 0 ? free + 1 : 0;
            }
            assertEquals(10, free, "runs without allocation; the last allocated " + bytes);
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aStackIsItsLayersOneAfterTheOther(Device device) {
    Random random = Seeds.random("a stack is its layers one after the other");
    try (Net net = new Net(random)) {
      Recurrent first = net.layer("first", net.forward, builder -> {});
      Map<String, Tensor> parts =
          Map.of(
              "weight_ih", net.random(0.3, 4L * 5, first.outputSize()),
              "weight_hh", net.random(0.3, 4L * 5, 5));
      Lstm second = Lstm.builder("second").weights(Weights.of(Convention.PYTORCH, parts)).build();
      Graph.Builder g = Graph.builder("net");
      Value x = g.input("x", DType.FLOAT32, "time", "batch", net.input);
      Value lengths = g.input("lengths", DType.INT32, "batch");
      Recurrent.stack(g, List.of(first, second), x, lengths, null);
      Map<String, Tensor> inputs = new LinkedHashMap<>(batch(net, first, 6, 4));
      var both = Evaluation.of(device, g.build(), inputs, "first", "second");

      Graph.Builder top = Graph.builder("top");
      Value y = top.input("x", DType.FLOAT32, "time", "batch", first.outputSize());
      second.unroll(top, y, top.input("lengths", DType.INT32, "batch"));
      inputs.put(
          "x",
          Tensor.ofDoubles(
              net.arena, both.get("first").values(), both.get("first").shape().dims()));
      var alone = Evaluation.of(device, top.build(), inputs, "second");
      assertSameBits(both.get("second").values(), alone.get("second").values(), "second");
    }
  }
}

package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Steps of training against libtorch 2.10, whose numbers, computed in float64, are below:
 *
 * <pre>
 * h, _ = lstm(x)                        # 3 steps, 2 sequences, 2 numbers to 2 units
 * g, _ = gru(h)                         # 2 units, both directions
 * loss = cross_entropy(g @ W + b, labels, reduction="sum", label_smoothing=0.1)
 * loss.backward(); clip_grad_norm_(parameters, 1); Adam(parameters, lr=0.05).step()
 * </pre>
 *
 * <p>Gradients are those of the first step, with gates in the order of ONNX; element i of parameter
 * p begins as 0.8 sin(p + 0.7 i) in float32.
 */
class LibtorchStepsTest {
  private static final double[] LOSSES = {6.159822949139, 5.811158110813, 5.589909311312};

  private static final Map<String, String> GRADIENTS =
      Map.ofEntries(
          Map.entry(
              "lstm.W",
              """
          5.945113050e-03 2.514437461e-03 7.243562582e-03 7.076342071e-03 7.266200037e-03
          1.234260843e-04 3.436958111e-03 4.451881169e-03 1.141057381e-03 -5.317905114e-04
          -1.641520640e-04 -6.878582500e-04 8.176570488e-03 6.936791176e-03 -2.907006281e-03
          -5.565776640e-04
          """),
          Map.entry(
              "lstm.R",
              """
          -4.518144095e-04 -1.216232234e-04 -6.025548467e-04 -3.728050988e-04 -1.682758504e-03
          -9.243353775e-04 -1.400404910e-03 -1.070055826e-03 -3.407490043e-04 -1.874629018e-04
          -3.388446189e-04 -2.354947948e-04 -8.209346368e-04 -4.586044837e-04 -5.598883772e-04
          -5.115994714e-04
          """),
          Map.entry(
              "lstm.B",
              """
          -9.179225733e-03 -1.549546139e-02 -1.719131439e-02 -2.045098644e-02 -2.211484641e-03
          -2.581420424e-03 -1.400186687e-02 -5.631136321e-03 -9.179225733e-03 -1.549546139e-02
          -1.719131439e-02 -2.045098644e-02 -2.211484641e-03 -2.581420424e-03 -1.400186687e-02
          -5.631136321e-03
          """),
          Map.entry(
              "gru.W",
              """
          -3.066299543e-04 -1.759677421e-04 -5.361185113e-03 -3.675638161e-03 1.713498706e-04
          1.501984316e-04 1.017432334e-02 8.000996595e-03 -7.203924428e-03 -8.848117856e-03
          6.705947321e-02 5.382219722e-02 -9.680804992e-03 -8.004138850e-03 -1.741571999e-03
          -1.810367443e-03 -1.929984683e-03 -1.658928367e-03 1.027088548e-04 1.533470652e-04
          -2.964446109e-02 -2.447278704e-02 -3.485715080e-03 -3.466738813e-03
          """),
          Map.entry(
              "gru.R",
              """
          -2.393842340e-04 -6.313068879e-05 -3.026659713e-03 -1.846136080e-03 4.236743658e-04
          1.487714100e-04 1.431049907e-02 6.849334990e-03 -2.084157330e-02 -8.755375223e-03
          6.980874411e-02 3.312278534e-02 1.405850411e-02 1.203793869e-02 1.607479094e-03
          9.868462971e-04 2.711628881e-03 2.232734893e-03 -7.491753557e-05 -2.279259040e-05
          3.745140222e-02 3.233424030e-02 1.488592337e-03 9.331072540e-04
          """),
          Map.entry(
              "gru.B",
              """
          -3.955697335e-03 -3.909753824e-02 2.330884086e-03 9.336539598e-02 -7.406590450e-02
          6.332364348e-01 -3.955697335e-03 -3.909753824e-02 2.330884086e-03 9.336539598e-02
          -4.891325257e-02 4.202487702e-01 -1.169002905e-01 -2.455480799e-02 -2.579939370e-02
          1.813802920e-03 -3.437132631e-01 -4.432010598e-02 -1.169002905e-01 -2.455480799e-02
          -2.579939370e-02 1.813802920e-03 -2.391234788e-01 -2.385652681e-02
          """),
          Map.entry(
              "dense.W",
              """
          2.239835269e-01 2.278949782e-01 -4.518785051e-01 1.109280056e-01 1.132690893e-01
          -2.241970949e-01 -2.067213203e-01 -1.778456220e-01 3.845669422e-01 -1.967700824e-01
          -1.634059622e-01 3.601760446e-01
          """),
          Map.entry(
              "dense.b",
              """
          5.964749794e-01 5.917879754e-01 -1.188262955e+00
          """));

  private static final int[] LABELS = {0, 2, 1, -1, 2, 0};

  private final Arena arena = Arena.ofConfined();
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor wave(double phase, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    double[] numbers = new double[(int) tensor.elements()];
    Arrays.setAll(numbers, i -> 0.8 * StrictMath.sin(phase + 0.7 * i));
    return tensor.copyFrom(Tensor.ofDoubles(arena, numbers, dims));
  }

  private Value parameter(Graph.Builder g, String name, double phase, long... dims) {
    parameters.put(name, wave(phase, dims));
    return g.constant(name, parameters.get(name));
  }

  private Gradients network() {
    Graph.Builder g = Graph.builder("steps");
    Value x = g.input("x", DType.FLOAT32, 3, 2, 2);
    Value labels = g.input("labels", DType.INT32, 3, 2);
    Value w = parameter(g, "lstm.W", 1, 1, 8, 2);
    Value r = parameter(g, "lstm.R", 2, 1, 8, 2);
    Value b = parameter(g, "lstm.B", 3, 1, 16);
    Value lstm =
        g.node("lstm", "LSTM", Attributes.of("layout", 2), List.of(x, w, r, b), List.of("h"))
            .get(0);
    Value h = g.node("h.steps", "Squeeze", Attributes.of("axes", new long[] {2}), lstm);
    w = parameter(g, "gru.W", 4, 2, 6, 2);
    r = parameter(g, "gru.R", 5, 2, 6, 2);
    b = parameter(g, "gru.B", 6, 2, 12);
    Attributes both =
        Attributes.of("direction", "bidirectional", "linear_before_reset", 1, "layout", 2);
    Value gru = g.node("gru", "GRU", both, List.of(h, w, r, b), List.of("g")).get(0);
    Value joined = g.node("joined", "Reshape", Attributes.of("shape", new long[] {0, 0, 4}), gru);
    Value product =
        g.node("product", "MatMul", Attributes.NONE, joined, parameter(g, "dense.W", 7, 4, 3));
    Value logits = g.node("logits", "Add", Attributes.NONE, product, parameter(g, "dense.b", 8, 3));
    Attributes loss = Attributes.of("reduction", "sum", "label_smoothing", 0.1f);
    g.output(g.node("loss", "CrossEntropy", loss, logits, labels));
    return Gradients.of(g.build(), "loss", parameters.keySet());
  }

  private Execution begin(Plan plan) {
    Execution step = plan.newExecution();
    step.input("x", wave(9, 3, 2, 2)).input("labels", Tensor.ofInts(arena, LABELS, 3, 2));
    parameters.forEach(step::input);
    return step;
  }

  /** Errors in units of the last place, over the sums that a gradient here passes through. */
  private void check(Device device, double epsilon) {
    Gradients gradients = network();
    try (Plan plan = Plan.on(device, gradients.graph());
        Execution step = begin(plan)) {
      step.run();
      assertEquals(LOSSES[0], step.output("loss").toDoubles()[0], 100 * epsilon * LOSSES[0]);
      GRADIENTS.forEach(
          (name, text) -> {
            double[] expected =
                Arrays.stream(text.trim().split("\\s+")).mapToDouble(Double::parseDouble).toArray();
            double[] come = step.output(gradients.name(name)).toDoubles();
            assertEquals(expected.length, come.length, name);
            for (int i = 0; i < come.length; i++) {
              assertEquals(expected[i], come[i], 100 * epsilon, name + " " + i);
            }
          });
    }
  }

  @Test
  void gradientsInFloat64AreThoseOfLibtorch() {
    // Ten digits are written down.
    check(new ScalarDevice(DType.FLOAT64), 1e-11);
  }

  @Test
  void gradientsOfTheFastestDeviceAreThoseOfLibtorch() {
    check(Devices.best(), Math.ulp(1f));
  }

  @Test
  void lossesOverStepsOfAdamWithClippedGradientsAreThoseOfLibtorch() {
    Gradients gradients = network();
    try (Plan plan = Plan.on(Devices.best(), gradients.graph());
        Workers workers = new Workers(1);
        Kernels kernels = plan.device().open(workers);
        Execution step = begin(plan)) {
      Map<String, Tensor> means = new LinkedHashMap<>();
      Map<String, Tensor> squares = new LinkedHashMap<>();
      parameters.forEach(
          (name, tensor) -> {
            means.put(name, Tensor.allocate(arena, DType.FLOAT32, tensor.elements()));
            squares.put(name, Tensor.allocate(arena, DType.FLOAT32, tensor.elements()));
          });
      for (int t = 1; t <= LOSSES.length; t++) {
        step.run();
        assertEquals(LOSSES[t - 1], step.output("loss").toDoubles()[0], 1e-5);
        Map<String, Tensor> found = new LinkedHashMap<>();
        double sum = 0;
        for (String name : parameters.keySet()) {
          Tensor gradient = step.output(gradients.name(name)).copy(arena);
          found.put(name, gradient);
          sum += kernels.sumOfSquares(region(gradient), gradient.elements());
        }
        OptimiserStep adam =
            new OptimiserStep(
                OptimiserStep.Rule.ADAM,
                0.05,
                0.9,
                0.999,
                1e-8,
                0,
                false,
                Math.min(1, 1 / Math.sqrt(sum)),
                1 - Math.pow(0.9, t),
                1 - Math.pow(0.999, t));
        found.forEach(
            (name, gradient) ->
                kernels.optimise(
                    adam,
                    region(parameters.get(name)),
                    region(gradient),
                    region(means.get(name)),
                    region(squares.get(name)),
                    gradient.elements()));
      }
    }
  }

  private static Region region(Tensor tensor) {
    return new Region(HostBuffer.wrap(tensor.segment()));
  }
}

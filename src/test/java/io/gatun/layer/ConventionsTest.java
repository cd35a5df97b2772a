package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every convention against a naive computation in double precision that is written from the
 * framework's documentation, unit by unit, and indexes its weights where the framework has them. It
 * knows nothing of ONNX' order of gates, of views, or of packing.
 */
class ConventionsTest {
  private static final int IN = 5;
  private static final int UNITS = 7;
  private static final int PROJECTED = 3;
  private static final int TIME = 6;
  private static final int BATCH = 3;

  /** Weights by name, as numbers that float32 holds exactly. */
  private static final class Numbers {
    final Random random;
    final Map<String, double[]> values = new LinkedHashMap<>();
    final Map<String, long[]> dims = new LinkedHashMap<>();

    Numbers(Random random) {
      this.random = random;
    }

    /** A matrix (or vector) of numbers, by row and column. */
    double[] make(String name, long... shape) {
      int count = 1;
      for (long size : shape) {
        count *= (int) size;
      }
      double[] made = new double[count];
      for (int i = 0; i < count; i++) {
        made[i] = (float) (random.nextGaussian() * 0.6);
      }
      values.put(name, made);
      dims.put(name, shape);
      return made;
    }

    Weights weights(Arena arena, Convention convention) {
      Map<String, Tensor> parts = new LinkedHashMap<>();
      values.forEach(
          (name, made) -> parts.put(name, Tensor.ofDoubles(arena, made, dims.get(name))));
      return Weights.of(convention, parts);
    }
  }

  /** One time step: new state from input and old state; index 1 is an LSTM's cell. */
  private interface Cell {
    double[][] step(double[] x, double[][] state);
  }

  /** Makes weights, a cell that uses them naively, and the layer. */
  private record Case(String name, Convention convention, Maker maker, Builder builder) {}

  private interface Maker {
    Cell make(Numbers numbers);
  }

  private interface Builder {
    Recurrent build(Weights weights);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  private static double[] zip(double[]... sums) {
    double[] total = new double[sums[0].length];
    for (double[] sum : sums) {
      for (int i = 0; i < total.length; i++) {
        total[i] += sum[i];
      }
    }
    return total;
  }

  /** matrix[rows, columns] · x, rows from {@code first} on: torch.nn.functional.linear. */
  private static double[] linear(double[] matrix, int columns, double[] x, int first, int rows) {
    double[] y = new double[rows];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        y[row] += matrix[(first + row) * columns + column] * x[column];
      }
    }
    return y;
  }

  /** x · matrix[:, first : first + count], rows from {@code top} on: tf.matmul. */
  private static double[] matmul(
      double[] x, double[] matrix, int width, int top, int first, int count) {
    double[] y = new double[count];
    for (int k = 0; k < x.length; k++) {
      for (int j = 0; j < count; j++) {
        y[j] += x[k] * matrix[(top + k) * width + first + j];
      }
    }
    return y;
  }

  private static double[] part(double[] vector, int index, int size) {
    return java.util.Arrays.copyOfRange(vector, index * size, (index + 1) * size);
  }

  // ---- the frameworks' cells --------------------------------------------------------------------

  private static Cell pytorchRnn(Numbers n) {
    double[] ih = n.make("weight_ih", UNITS, IN);
    double[] hh = n.make("weight_hh", UNITS, UNITS);
    double[] bih = n.make("bias_ih", UNITS);
    double[] bhh = n.make("bias_hh", UNITS);
    return (x, state) -> {
      double[] sum =
          zip(linear(ih, IN, x, 0, UNITS), linear(hh, UNITS, state[0], 0, UNITS), bih, bhh);
      double[] h = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        h[j] = Math.max(0, sum[j]);
      }
      return new double[][] {h};
    };
  }

  private static Cell pytorchGru(Numbers n) {
    double[] ih = n.make("weight_ih", 3 * UNITS, IN);
    double[] hh = n.make("weight_hh", 3 * UNITS, UNITS);
    double[] bih = n.make("bias_ih", 3 * UNITS);
    double[] bhh = n.make("bias_hh", 3 * UNITS);
    return (x, state) -> {
      double[][] gi = new double[3][];
      double[][] gh = new double[3][];
      for (int gate = 0; gate < 3; gate++) {
        gi[gate] = zip(linear(ih, IN, x, gate * UNITS, UNITS), part(bih, gate, UNITS));
        gh[gate] = zip(linear(hh, UNITS, state[0], gate * UNITS, UNITS), part(bhh, gate, UNITS));
      }
      double[] h = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double reset = sigmoid(gi[0][j] + gh[0][j]);
        double update = sigmoid(gi[1][j] + gh[1][j]);
        double fresh = Math.tanh(gi[2][j] + reset * gh[2][j]);
        h[j] = fresh + update * (state[0][j] - fresh);
      }
      return new double[][] {h};
    };
  }

  private static Cell pytorchLstm(Numbers n, int projected, boolean bias) {
    int size = projected > 0 ? projected : UNITS;
    double[] ih = n.make("weight_ih", 4 * UNITS, IN);
    double[] hh = n.make("weight_hh", 4 * UNITS, size);
    double[] bih = bias ? n.make("bias_ih", 4 * UNITS) : new double[4 * UNITS];
    double[] bhh = bias ? n.make("bias_hh", 4 * UNITS) : new double[4 * UNITS];
    double[] hr = projected > 0 ? n.make("weight_hr", projected, UNITS) : null;
    return (x, state) -> {
      double[] gates =
          zip(linear(ih, IN, x, 0, 4 * UNITS), linear(hh, size, state[0], 0, 4 * UNITS), bih, bhh);
      double[] h = new double[UNITS];
      double[] c = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double in = sigmoid(gates[j]);
        double forget = sigmoid(gates[UNITS + j]);
        double cell = Math.tanh(gates[2 * UNITS + j]);
        double out = sigmoid(gates[3 * UNITS + j]);
        c[j] = forget * state[1][j] + in * cell;
        h[j] = out * Math.tanh(c[j]);
      }
      return new double[][] {hr == null ? h : linear(hr, UNITS, h, 0, projected), c};
    };
  }

  private static Cell kerasRnn(Numbers n) {
    double[] kernel = n.make("kernel", IN, UNITS);
    double[] recurrent = n.make("recurrent_kernel", UNITS, UNITS);
    double[] bias = n.make("bias", UNITS);
    return (x, state) -> {
      double[] sum =
          zip(
              matmul(x, kernel, UNITS, 0, 0, UNITS),
              matmul(state[0], recurrent, UNITS, 0, 0, UNITS),
              bias);
      return new double[][] {java.util.Arrays.stream(sum).map(Math::tanh).toArray()};
    };
  }

  private static double hard(double x) {
    return Math.max(0, Math.min(1, 0.2f * x + 0.5));
  }

  private static Cell kerasGru(Numbers n, boolean resetAfter, boolean bias) {
    int width = 3 * UNITS;
    double[] kernel = n.make("kernel", IN, width);
    double[] recurrent = n.make("recurrent_kernel", UNITS, width);
    double[] inner = new double[width];
    double[] outer = new double[width];
    if (bias && resetAfter) {
      double[] both = n.make("bias", 2, width);
      inner = part(both, 0, width);
      outer = part(both, 1, width);
    } else if (bias) {
      inner = n.make("bias", width);
    }
    double[] inputBias = inner;
    double[] recurrentBias = outer;
    return (x, state) -> {
      double[] old = state[0];
      double[] matrixX = zip(matmul(x, kernel, width, 0, 0, width), inputBias);
      double[] matrixInner = zip(matmul(old, recurrent, width, 0, 0, width), recurrentBias);
      double[] z = new double[UNITS];
      double[] r = new double[UNITS];
      double[] masked = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        z[j] = hard(matrixX[j] + matrixInner[j]);
        r[j] = hard(matrixX[UNITS + j] + matrixInner[UNITS + j]);
        masked[j] = r[j] * old[j];
      }
      double[] before = matmul(masked, recurrent, width, 0, 2 * UNITS, UNITS);
      double[] h = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double loop = resetAfter ? r[j] * matrixInner[2 * UNITS + j] : before[j];
        h[j] = z[j] * old[j] + (1 - z[j]) * Math.tanh(matrixX[2 * UNITS + j] + loop);
      }
      return new double[][] {h};
    };
  }

  private static Cell kerasLstm(Numbers n) {
    int width = 4 * UNITS;
    double[] kernel = n.make("kernel", IN, width);
    double[] recurrent = n.make("recurrent_kernel", UNITS, width);
    double[] bias = n.make("bias", width);
    return (x, state) -> {
      double[] z =
          zip(
              matmul(x, kernel, width, 0, 0, width),
              matmul(state[0], recurrent, width, 0, 0, width),
              bias);
      double[] h = new double[UNITS];
      double[] c = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        c[j] = hard(z[UNITS + j]) * state[1][j] + hard(z[j]) * Math.tanh(z[2 * UNITS + j]);
        h[j] = hard(z[3 * UNITS + j]) * Math.tanh(c[j]);
      }
      return new double[][] {h, c};
    };
  }

  private static Cell tensorflowRnn(Numbers n) {
    double[] kernel = n.make("kernel", IN + UNITS, UNITS);
    double[] bias = n.make("bias", UNITS);
    return (x, state) -> {
      double[] sum =
          zip(
              matmul(x, kernel, UNITS, 0, 0, UNITS),
              matmul(state[0], kernel, UNITS, IN, 0, UNITS),
              bias);
      return new double[][] {java.util.Arrays.stream(sum).map(Math::tanh).toArray()};
    };
  }

  private static Cell tensorflowGru(Numbers n) {
    double[] gates = n.make("gates/kernel", IN + UNITS, 2 * UNITS);
    double[] gateBias = n.make("gates/bias", 2 * UNITS);
    double[] candidate = n.make("candidate/kernel", IN + UNITS, UNITS);
    double[] candidateBias = n.make("candidate/bias", UNITS);
    return (x, state) -> {
      double[] value =
          zip(
              matmul(x, gates, 2 * UNITS, 0, 0, 2 * UNITS),
              matmul(state[0], gates, 2 * UNITS, IN, 0, 2 * UNITS),
              gateBias);
      double[] reset = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        reset[j] = sigmoid(value[j]) * state[0][j];
      }
      double[] c =
          zip(
              matmul(x, candidate, UNITS, 0, 0, UNITS),
              matmul(reset, candidate, UNITS, IN, 0, UNITS),
              candidateBias);
      double[] h = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double u = sigmoid(value[UNITS + j]);
        h[j] = u * state[0][j] + (1 - u) * Math.tanh(c[j]);
      }
      return new double[][] {h};
    };
  }

  private static Cell tensorflowLstm(
      Numbers n, boolean peepholes, int projected, double forgetBias) {
    int size = projected > 0 ? projected : UNITS;
    int width = 4 * UNITS;
    double[] kernel = n.make("kernel", IN + size, width);
    double[] bias = n.make("bias", width);
    double[] wi = peepholes ? n.make("w_i_diag", UNITS) : new double[UNITS];
    double[] wf = peepholes ? n.make("w_f_diag", UNITS) : new double[UNITS];
    double[] wo = peepholes ? n.make("w_o_diag", UNITS) : new double[UNITS];
    double[] project = projected > 0 ? n.make("projection/kernel", UNITS, projected) : null;
    return (x, state) -> {
      double[] z =
          zip(
              matmul(x, kernel, width, 0, 0, width),
              matmul(state[0], kernel, width, IN, 0, width),
              bias);
      double[] m = new double[UNITS];
      double[] c = new double[UNITS];
      for (int k = 0; k < UNITS; k++) {
        double old = state[1][k];
        double i = sigmoid(z[k] + wi[k] * old);
        double j = Math.tanh(z[UNITS + k]);
        double f = sigmoid(z[2 * UNITS + k] + forgetBias + wf[k] * old);
        c[k] = f * old + i * j;
        m[k] = sigmoid(z[3 * UNITS + k] + wo[k] * c[k]) * Math.tanh(c[k]);
      }
      return new double[][] {
        project == null ? m : matmul(m, project, projected, 0, 0, projected), c
      };
    };
  }

  /** ONNX' LSTM with everything: clip, coupled gates, peepholes, layer normalisation. */
  private static Cell onnxLstm(
      Numbers n, double clip, boolean coupled, boolean peepholes, double epsilon) {
    int width = 4 * UNITS;
    double[] w = n.make("W", 1, width, IN);
    double[] r = n.make("R", 1, width, UNITS);
    double[] b = n.make("B", 1, 2L * width);
    double[] p = peepholes ? n.make("P", 1, 3 * UNITS) : new double[3 * UNITS];
    double[][] norm = new double[6][];
    if (epsilon > 0) {
      norm[0] = n.make("norm_input.scale", width);
      norm[1] = n.make("norm_input.shift", width);
      norm[2] = n.make("norm_recurrent.scale", width);
      norm[3] = n.make("norm_recurrent.shift", width);
      norm[4] = n.make("norm_cell.scale", UNITS);
      norm[5] = n.make("norm_cell.shift", UNITS);
    }
    return (x, state) -> {
      double[] fromInput = normal(linear(w, IN, x, 0, width), norm[0], norm[1], epsilon);
      double[] fromState = normal(linear(r, UNITS, state[0], 0, width), norm[2], norm[3], epsilon);
      double[] sums = zip(fromInput, fromState, part(b, 0, width), part(b, 1, width));
      double[] c = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double i = sigmoid(bound(sums[j] + p[j] * state[1][j], clip));
        double f =
            coupled
                ? 1 - i
                : sigmoid(bound(sums[2 * UNITS + j] + p[2 * UNITS + j] * state[1][j], clip));
        c[j] = f * state[1][j] + i * Math.tanh(bound(sums[3 * UNITS + j], clip));
      }
      double[] seen = normal(c, norm[4], norm[5], epsilon);
      double[] h = new double[UNITS];
      for (int j = 0; j < UNITS; j++) {
        double o = sigmoid(bound(sums[UNITS + j] + p[UNITS + j] * c[j], clip));
        h[j] = o * Math.tanh(seen[j]);
      }
      return new double[][] {h, c};
    };
  }

  private static double bound(double x, double clip) {
    return clip > 0 ? Math.max(-clip, Math.min(clip, x)) : x;
  }

  private static double[] normal(double[] x, double[] scale, double[] shift, double epsilon) {
    if (epsilon == 0) {
      return x;
    }
    double mean = java.util.Arrays.stream(x).average().orElseThrow();
    double variance =
        java.util.Arrays.stream(x).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
    double[] y = new double[x.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = (x[i] - mean) / Math.sqrt(variance + epsilon) * scale[i] + shift[i];
    }
    return y;
  }

  private static List<Case> cases() {
    Activation hard = Activation.HARD_SIGMOID;
    float epsilon = 1e-3f;
    return List.of(
        new Case(
            "RNN with relu",
            Convention.PYTORCH,
            ConventionsTest::pytorchRnn,
            w -> SimpleRnn.builder("l").weights(w).activation(Activation.RELU).build()),
        new Case(
            "GRU",
            Convention.PYTORCH,
            ConventionsTest::pytorchGru,
            w -> Gru.builder("l").weights(w).build()),
        new Case(
            "LSTM",
            Convention.PYTORCH,
            n -> pytorchLstm(n, 0, true),
            w -> Lstm.builder("l").weights(w).build()),
        new Case(
            "LSTM without bias",
            Convention.PYTORCH,
            n -> pytorchLstm(n, 0, false),
            w -> Lstm.builder("l").weights(w).build()),
        new Case(
            "LSTM with proj_size",
            Convention.PYTORCH,
            n -> pytorchLstm(n, PROJECTED, true),
            w -> Lstm.builder("l").weights(w).build()),
        new Case(
            "SimpleRNN",
            Convention.KERAS,
            ConventionsTest::kerasRnn,
            w -> SimpleRnn.builder("l").weights(w).build()),
        new Case(
            "GRU, reset_after",
            Convention.KERAS,
            n -> kerasGru(n, true, true),
            w -> Gru.builder("l").weights(w).recurrentActivation(hard).build()),
        new Case(
            "GRU, not reset_after",
            Convention.KERAS,
            n -> kerasGru(n, false, true),
            w -> Gru.builder("l").weights(w).recurrentActivation(hard).build()),
        new Case(
            "GRU without bias",
            Convention.KERAS,
            n -> kerasGru(n, true, false),
            w -> Gru.builder("l").weights(w).recurrentActivation(hard).build()),
        new Case(
            "GRU without bias, not reset_after",
            Convention.KERAS,
            n -> kerasGru(n, false, false),
            w -> Gru.builder("l").weights(w).recurrentActivation(hard).resetAfter(false).build()),
        new Case(
            "LSTM",
            Convention.KERAS,
            ConventionsTest::kerasLstm,
            w -> Lstm.builder("l").weights(w).recurrentActivation(hard).build()),
        new Case(
            "BasicRNNCell",
            Convention.TENSORFLOW1,
            ConventionsTest::tensorflowRnn,
            w -> SimpleRnn.builder("l").weights(w).build()),
        new Case(
            "GRUCell",
            Convention.TENSORFLOW1,
            ConventionsTest::tensorflowGru,
            w -> Gru.builder("l").weights(w).build()),
        new Case(
            "BasicLSTMCell",
            Convention.TENSORFLOW1,
            n -> tensorflowLstm(n, false, 0, 1),
            w -> Lstm.builder("l").weights(w).build()),
        new Case(
            "LSTMCell, peepholes, projection, forget_bias 0.5",
            Convention.TENSORFLOW1,
            n -> tensorflowLstm(n, true, PROJECTED, 0.5),
            w -> Lstm.builder("l").weights(w).forgetBias(0.5).build()),
        new Case(
            "LSTM, clip and peepholes",
            Convention.ONNX,
            n -> onnxLstm(n, 0.75, false, true, 0),
            w -> Lstm.builder("l").weights(w).clip(0.75f).build()),
        new Case(
            "LSTM, coupled",
            Convention.ONNX,
            n -> onnxLstm(n, 0, true, false, 0),
            w -> Lstm.builder("l").weights(w).coupled().build()),
        new Case(
            "LSTM, layer normalisation",
            Convention.ONNX,
            n -> onnxLstm(n, 0, false, false, epsilon),
            w -> Lstm.builder("l").weights(w).layerNorm(epsilon).build()));
  }

  @TestFactory
  List<DynamicTest> aLayerComputesWhatItsFrameworkDocuments() {
    Random random = Seeds.random("conventions");
    List<DynamicTest> tests = new ArrayList<>();
    for (Case each : cases()) {
      Evaluation.devices()
          .forEach(
              device -> {
                long seed = random.nextLong();
                tests.add(
                    dynamicTest(
                        each.convention.label() + " " + each.name + " on " + device.description(),
                        () -> check(each, device, new Random(seed))));
              });
    }
    return tests;
  }

  private static void check(Case each, Device device, Random random) {
    Numbers numbers = new Numbers(random);
    Cell cell = each.maker.make(numbers);
    try (Arena arena = Arena.ofConfined()) {
      Recurrent layer = each.builder.build(numbers.weights(arena, each.convention));
      assertEquals(IN, layer.inputSize());
      assertEquals(UNITS, layer.hiddenSize());
      int size = layer.stateSize();
      double[] x = new Numbers(random).make("x", TIME, BATCH, IN);
      int[] lengths = {TIME, 2, 4};
      boolean lstm = layer instanceof Lstm;
      double[] h0 = new Numbers(random).make("h", BATCH, size);
      double[] c0 = new Numbers(random).make("c", BATCH, UNITS);
      double[] outputs = new double[TIME * BATCH * size];
      double[] hidden = new double[BATCH * size];
      double[] cells = new double[BATCH * UNITS];
      double largest = 1;
      for (int b = 0; b < BATCH; b++) {
        double[][] state = {part(h0, b, size), part(c0, b, UNITS)};
        for (int t = 0; t < lengths[b]; t++) {
          state = cell.step(part(x, t * BATCH + b, IN), state);
          System.arraycopy(state[0], 0, outputs, (t * BATCH + b) * size, size);
        }
        System.arraycopy(state[0], 0, hidden, b * size, size);
        if (lstm) {
          System.arraycopy(state[1], 0, cells, b * UNITS, UNITS);
        }
      }
      for (double value : outputs) {
        largest = Math.max(largest, Math.abs(value));
      }

      Graph.Builder g = Graph.builder("net");
      Value in = g.input("x", DType.FLOAT32, "time", "batch", IN);
      Value lens = g.input("lengths", DType.INT32, "batch");
      layer.unroll(g, in, lens, layer.stateInputs(g, DType.FLOAT32, "batch"));
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      inputs.put("x", Tensor.ofDoubles(arena, x, TIME, BATCH, IN));
      inputs.put("lengths", Tensor.ofInts(arena, lengths, BATCH));
      inputs.put("l.initial.hidden", Tensor.ofDoubles(arena, h0, BATCH, size));
      inputs.put("l.initial.cell", Tensor.ofDoubles(arena, c0, BATCH, UNITS));
      List<String> wanted = new ArrayList<>(List.of("l", "l.hidden"));
      if (lstm) {
        wanted.add("l.cell");
      }
      var results = Evaluation.of(device, g.build(), inputs, wanted.toArray(new String[0]));
      double bound = Bounds.recurrent(device, IN + size, TIME, largest);
      close(outputs, results.get("l"), bound);
      close(hidden, results.get("l.hidden"), bound);
      if (lstm) {
        close(cells, results.get("l.cell"), bound);
      }
    }
  }

  private static void close(double[] expected, Evaluation.Numbers actual, double bound) {
    org.junit.jupiter.api.Assertions.assertArrayEquals(expected, actual.values(), bound);
  }
}

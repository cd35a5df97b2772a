package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Seeds;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * CuDNNLSTM and CuDNNGRU of Keras 2: the same equations as those of LSTM and of GRU with the reset
 * gate behind the product, of weights that lie as cuDNN wants them. How they lie is what {@code
 * _convert_rnn_weights} of Keras' {@code hdf5_format.py} says: of each gate the kernel's memory is
 * that of its transpose, the recurrent kernel is transposed, and there are two biases, behind each
 * other.
 */
class KerasCudnnTest {
  private static final int INPUTS = 3;
  private static final int UNITS = 4;
  private static final int TIME = 5;

  @TempDir Path folder;

  private final Random random = Seeds.random("KerasCudnnTest");

  private float[] numbers(int count) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = random.nextFloat() - 0.5f;
    }
    return all;
  }

  /** {@code kernels[gate][from][to]}, {@code biases[gate][to]}; of the input and of the state. */
  private record Weights(
      float[][][] ofInput, float[][][] ofState, float[][] inputBias, float[][] stateBias) {}

  private Weights weights(int gates) {
    Weights all =
        new Weights(
            new float[gates][INPUTS][],
            new float[gates][UNITS][],
            new float[gates][],
            new float[gates][]);
    for (int gate = 0; gate < gates; gate++) {
      Arrays.setAll(all.ofInput[gate], i -> numbers(UNITS));
      Arrays.setAll(all.ofState[gate], i -> numbers(UNITS));
      all.inputBias[gate] = numbers(UNITS);
      all.stateBias[gate] = numbers(UNITS);
    }
    return all;
  }

  /** As a file of Keras 2 has them: kernel, recurrent kernel, bias. */
  private static List<KerasWriter.Weight> stored(Weights weights, String scope) {
    int gates = weights.ofInput.length;
    float[] kernel = new float[INPUTS * gates * UNITS];
    float[] recurrent = new float[UNITS * gates * UNITS];
    float[] bias = new float[2 * gates * UNITS];
    for (int gate = 0; gate < gates; gate++) {
      // numpy: K.T.reshape(K.shape), of the gate's own [inputs, units]
      for (int unit = 0; unit < UNITS; unit++) {
        for (int input = 0; input < INPUTS; input++) {
          int at = unit * INPUTS + input;
          int row = at / UNITS;
          kernel[row * gates * UNITS + gate * UNITS + at % UNITS] =
              weights.ofInput[gate][input][unit];
        }
        for (int from = 0; from < UNITS; from++) {
          recurrent[unit * gates * UNITS + gate * UNITS + from] = weights.ofState[gate][from][unit];
        }
        bias[gate * UNITS + unit] = weights.inputBias[gate][unit];
        bias[(gates + gate) * UNITS + unit] = weights.stateBias[gate][unit];
      }
    }
    return List.of(
        new KerasWriter.Weight(scope + "/kernel:0", kernel, INPUTS, gates * UNITS),
        new KerasWriter.Weight(scope + "/recurrent_kernel:0", recurrent, UNITS, gates * UNITS),
        new KerasWriter.Weight(scope + "/bias:0", bias, 2 * gates * UNITS));
  }

  private static double sum(float[][] kernel, double[] from, int unit) {
    double sum = 0;
    for (int i = 0; i < from.length; i++) {
      sum += from[i] * kernel[i][unit];
    }
    return sum;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** All hidden states, one after the other, of one sequence. */
  private static double[][] lstm(Weights w, double[][] x) {
    double[] h = new double[UNITS];
    double[] c = new double[UNITS];
    double[][] all = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] next = new double[UNITS];
      for (int u = 0; u < UNITS; u++) {
        double[] z = new double[4];
        for (int gate = 0; gate < 4; gate++) {
          z[gate] =
              sum(w.ofInput[gate], x[t], u)
                  + sum(w.ofState[gate], h, u)
                  + w.inputBias[gate][u]
                  + w.stateBias[gate][u];
        }
        c[u] = sigmoid(z[1]) * c[u] + sigmoid(z[0]) * Math.tanh(z[2]);
        next[u] = sigmoid(z[3]) * Math.tanh(c[u]);
      }
      h = next;
      all[t] = h;
    }
    return all;
  }

  private static double[][] gru(Weights w, double[][] x) {
    double[] h = new double[UNITS];
    double[][] all = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] next = new double[UNITS];
      for (int u = 0; u < UNITS; u++) {
        double[] a = new double[3];
        double[] b = new double[3];
        for (int gate = 0; gate < 3; gate++) {
          a[gate] = sum(w.ofInput[gate], x[t], u) + w.inputBias[gate][u];
          b[gate] = sum(w.ofState[gate], h, u) + w.stateBias[gate][u];
        }
        double update = sigmoid(a[0] + b[0]);
        double candidate = Math.tanh(a[2] + sigmoid(a[1] + b[1]) * b[2]);
        next[u] = update * h[u] + (1 - update) * candidate;
      }
      h = next;
      all[t] = h;
    }
    return all;
  }

  private float[] run(Path file, float[] x) throws IOException {
    try (Arena arena = Arena.ofConfined();
        Model model = NetworkFile.open(file)) {
      assertEquals(0, model.unusedWeights().size());
      try (Plan plan = Plan.of(model.network());
          Execution execution = plan.newExecution()) {
        execution.input(
            model.network().inputs().get(0).name(), Tensor.ofFloats(arena, x, 2, TIME, INPUTS));
        execution.run();
        return execution.output("loop").toFloats();
      }
    }
  }

  private static double[][] sequence(float[] x, int batch, boolean reversed) {
    double[][] all = new double[TIME][INPUTS];
    for (int t = 0; t < TIME; t++) {
      for (int i = 0; i < INPUTS; i++) {
        all[reversed ? TIME - 1 - t : t][i] = x[(batch * TIME + t) * INPUTS + i];
      }
    }
    return all;
  }

  /**
   * {@code LSTM} and {@code GRU} find weights of cuDNN, too: Keras converts them while it loads.
   */
  @ParameterizedTest
  @CsvSource({"CuDNNLSTM", "LSTM", "CuDNNGRU", "GRU"})
  void weightsAsCudnnHasThemFollowTheEquations(String type) throws IOException {
    boolean lstm = type.endsWith("LSTM");
    Weights weights = weights(lstm ? 4 : 3);
    Path file = folder.resolve("cudnn.h5");
    Map<String, List<KerasWriter.Weight>> layers = new LinkedHashMap<>();
    layers.put("loop", stored(weights, "loop"));
    KerasWriter.hdf5(
        file,
        "2.2.4-tf",
        """
      {"class_name": "Sequential", "config": {"name": "one", "layers": [
        {"class_name": "%1$s", "config": {"name": "loop", "trainable": true, %2$s
         "batch_input_shape": [null, null, 3], "dtype": "float32", "units": 4,
         "return_sequences": true, "return_state": false, "go_backwards": false, "stateful": false%3$s}}]}}
      """
            .formatted(type, "", type.equals("GRU") ? ", \"reset_after\": true" : ""),
        layers);
    float[] x = numbers(2 * TIME * INPUTS);
    float[] made = run(file, x);
    float[] expected = new float[2 * TIME * UNITS];
    for (int batch = 0; batch < 2; batch++) {
      double[][] in = sequence(x, batch, false);
      double[][] states = lstm ? lstm(weights, in) : gru(weights, in);
      for (int i = 0; i < TIME * UNITS; i++) {
        expected[batch * TIME * UNITS + i] = (float) states[i / UNITS][i % UNITS];
      }
    }
    assertArrayEquals(expected, made, 2e-6f);
  }

  @Test
  void twoDirectionsHaveWeightsOfTheirOwn() throws IOException {
    Weights forward = weights(4);
    Weights backward = weights(4);
    String config =
        """
        {"class_name": "Sequential", "config": {"name": "one", "layers": [
          {"class_name": "Bidirectional", "config": {"name": "loop", "merge_mode": "concat",
           "batch_input_shape": [null, null, 3], "layer":
            {"class_name": "CuDNNLSTM", "config": {"name": "cu_dnnlstm", "units": 4,
             "return_sequences": true}}}}]}}
        """;
    List<KerasWriter.Weight> own = new ArrayList<>(stored(forward, "loop/forward_cu_dnnlstm"));
    own.addAll(stored(backward, "loop/backward_cu_dnnlstm"));
    Path file = folder.resolve("both.h5");
    KerasWriter.hdf5(file, "2.2.4", config, Map.of("loop", own));
    float[] x = numbers(2 * TIME * INPUTS);
    float[] expected = new float[2 * TIME * 2 * UNITS];
    for (int batch = 0; batch < 2; batch++) {
      double[][] ahead = lstm(forward, sequence(x, batch, false));
      double[][] back = lstm(backward, sequence(x, batch, true));
      for (int t = 0; t < TIME; t++) {
        for (int u = 0; u < UNITS; u++) {
          int at = ((batch * TIME + t) * 2) * UNITS + u;
          expected[at] = (float) ahead[t][u];
          expected[at + UNITS] = (float) back[TIME - 1 - t][u];
        }
      }
    }
    assertArrayEquals(expected, run(file, x), 2e-6f);
  }
}

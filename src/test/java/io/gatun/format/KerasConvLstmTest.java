package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** ConvLSTM1D, 2D and 3D: the numbers that Keras' own tests have, and the equations. */
class KerasConvLstmTest {
  @TempDir Path folder;

  private final Random random = Seeds.random("KerasConvLstmTest");

  /** A model of one layer, on an input and states if {@code states} is true. */
  private static String model(int axes, String settings, int[] input, int[] state) {
    StringBuilder layers = new StringBuilder();
    StringBuilder arguments = new StringBuilder();
    StringBuilder inputs = new StringBuilder();
    for (String name : state == null ? List.of("x") : List.of("x", "h", "c")) {
      String shape = Arrays.toString(name.equals("x") ? input : state).replace("-1", "null");
      layers.append(
          """
          {"class_name": "InputLayer", "name": "%1$s", "config": {"name": "%1$s",
            "batch_shape": [null, %2$s}, "inbound_nodes": []},
          """
              .formatted(name, shape.substring(1)));
      String tensor =
          "{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"%s\", 0, 0]}}"
              .formatted(name);
      String comma = inputs.isEmpty() ? "" : ", ";
      inputs.append(comma).append("[\"%s\", 0, 0]".formatted(name));
      arguments.append(comma).append(tensor);
    }
    return """
        {"class_name": "Functional", "config": {"name": "one", "layers": [
          %s
          {"class_name": "ConvLSTM%dD", "name": "y", "config": {"name": "y", %s},
           "inbound_nodes": [{"args": [%s], "kwargs": {}}]}],
          "input_layers": [%s], "output_layers": [["y", 0, 0]]}}
        """
        .formatted(
            layers, axes, settings, state == null ? arguments : "[" + arguments + "]", inputs);
  }

  private Model open(
      int axes, String config, float[] kernel, float[] recurrent, float[] bias, int... sizes)
      throws IOException {
    // sizes: those of the kernel, then channels and filters
    int filters = sizes[axes + 1];
    int[] ofInput = Arrays.copyOf(sizes, axes + 2);
    ofInput[axes + 1] = 4 * filters;
    int[] ofState = ofInput.clone();
    ofState[axes] = filters;
    Map<String, KerasWriter.Weight> weights = new LinkedHashMap<>();
    String vars = "layers/conv_lstm" + axes + "d/cell/vars/";
    weights.put(vars + 0, new KerasWriter.Weight("kernel", kernel, ofInput));
    weights.put(vars + 1, new KerasWriter.Weight("recurrent_kernel", recurrent, ofState));
    if (bias != null) {
      weights.put(vars + 2, new KerasWriter.Weight("bias", bias, bias.length));
    }
    Path file = folder.resolve("one.keras");
    KerasWriter.zip(file, "3.8.0", config, weights);
    return NetworkFile.open(file);
  }

  private static float[] run(Model model, String output, Tensor... inputs) {
    try (Plan plan = Plan.of(model.network(), output);
        Execution execution = plan.newExecution()) {
      for (int i = 0; i < inputs.length; i++) {
        execution.input(model.network().inputs().get(i).name(), inputs[i]);
      }
      execution.run();
      return execution.output(output).toFloats();
    }
  }

  private static float[] filled(int count, float number) {
    float[] all = new float[count];
    Arrays.fill(all, number);
    return all;
  }

  /** 0, 1, 2, … divided by a number; with the channels before the places if they come first. */
  private static Tensor counted(Arena arena, boolean channelsFirst, float by, long... dims) {
    int count = (int) Arrays.stream(dims).reduce(1, (a, b) -> a * b);
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = i / by;
    }
    Tensor last = Tensor.ofFloats(arena, numbers, dims);
    if (!channelsFirst) {
      return last;
    }
    int[] order = new int[dims.length];
    order[1] = 1;
    order[2] = dims.length - 1;
    for (int axis = 3; axis < dims.length; axis++) {
      order[axis] = axis - 1;
    }
    return last.transpose(order).copy(arena);
  }

  /**
   * Keras' tests {@code conv_lstm1d_test.py}, {@code 2d} and {@code 3d}, {@code test_correctness}:
   * 2 filters, kernels of size 3, weights of 0.01, 0.02 and a bias of 0.03 (1 of the forget gate),
   * on [2, 3, 4…, 5] numbers that count up. Both filters give the same.
   */
  @ParameterizedTest
  @CsvSource({
    "1, 10,  '0.40807986 0.46421072 0.80933154 0.8233646'",
    "2, 100, '0.48694518 0.50237733 0.5461202 0.5598283 0.8661607 0.86909103 0.8774414 0.8800861'",
    "3, 100, '0.99149036 0.99180907 0.99258363 0.9927925 0.99413764 0.99420583 0.9943788 0.9944278"
        + " 0.9950547 0.9950547 0.9950547 0.9950547 0.9950547 0.9950547 0.9950547 0.9950547'",
  })
  void theNumbersOfKerasOwnTestsComeOut(int axes, float by, String expected) throws IOException {
    float[] each = floats(expected);
    int[] sizes = new int[axes + 2];
    Arrays.fill(sizes, 3);
    sizes[axes] = 5;
    sizes[axes + 1] = 2;
    int window = (int) Math.pow(3, axes);
    float[] bias = filled(8, 0.03f);
    bias[2] = 1;
    bias[3] = 1;
    for (boolean first : List.of(false, true)) {
      String settings =
          "\"filters\": 2, \"kernel_size\": 3, \"data_format\": \"%s\", \"activation\": \"tanh\","
              .formatted(first ? "channels_first" : "channels_last");
      int[] input = filledInts(axes + 2, 4);
      input[0] = -1;
      input[first ? 1 : axes + 1] = 5;
      long[] dims = new long[axes + 3];
      Arrays.fill(dims, 4);
      dims[0] = 2;
      dims[1] = 3;
      dims[axes + 2] = 5;
      String config = model(axes, settings + "\"recurrent_activation\": \"sigmoid\"", input, null);
      try (Arena arena = Arena.ofConfined();
          Model model =
              open(
                  axes,
                  config,
                  filled(window * 5 * 8, 0.01f),
                  filled(window * 2 * 8, 0.02f),
                  bias,
                  sizes)) {
        float[] made = run(model, "y", counted(arena, first, by, dims));
        assertEquals(2 * each.length, made.length);
        int places = each.length / 2;
        for (int i = 0; i < made.length; i++) {
          int at = first ? i / (2 * places) * places + i % places : i / 2;
          // What Keras' tests allow.
          assertEquals(each[at], made[i], 1e-6f + 1e-6f * each[at], "number " + i);
        }
      }
    }
  }

  private static int[] filledInts(int count, int number) {
    int[] all = new int[count];
    Arrays.fill(all, number);
    return all;
  }

  private static float[] floats(String text) {
    String[] parts = text.split(" ");
    float[] all = new float[parts.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = Float.parseFloat(parts[i]);
    }
    return all;
  }

  /** Keras' {@code conv_lstm_test.py}, ConvLSTMTest: the sum of the outputs is 119.812454. */
  @Test
  void aSequenceThatBeginsWithGivenStatesSumsToWhatKerasTestSays() throws IOException {
    String settings = "\"filters\": 4, \"kernel_size\": [3, 3], \"padding\": \"same\"";
    float[] bias = new float[16];
    Arrays.fill(bias, 4, 8, 1);
    String config = model(2, settings, new int[] {3, 5, 5, 3}, new int[] {5, 5, 4});
    try (Arena arena = Arena.ofConfined();
        Model model =
            open(
                2,
                config,
                filled(9 * 3 * 16, 0.01f),
                filled(9 * 4 * 16, 0.02f),
                bias,
                3,
                3,
                3,
                4)) {
      Tensor state = counted(arena, false, 100, 2, 5, 5, 4);
      float[] made = run(model, "y", counted(arena, false, 100, 2, 3, 5, 5, 3), state, state);
      double sum = 0;
      for (float number : made) {
        sum += number;
      }
      assertEquals(119.812454, sum, 1e-4);
    }
  }

  /** One convolution of one place, by the definition: {@code x[batch, channels, places…]}. */
  private record Layer(
      int axes,
      int[] kernel,
      int channels,
      int filters,
      int[] strides,
      int[] dilation,
      boolean same) {
    int[] outputs(int[] inputs) {
      int[] all = new int[axes];
      for (int i = 0; i < axes; i++) {
        int reach = (kernel[i] - 1) * dilation[i] + 1;
        all[i] = ((same ? inputs[i] : inputs[i] - reach + 1) + strides[i] - 1) / strides[i];
      }
      return all;
    }

    /** The sum over the window at a place of the output, for one channel of the result. */
    double at(double[] x, int[] inputs, int[] outputs, int place, float[] weights, int result) {
      double sum = 0;
      int window = Arrays.stream(kernel).reduce(1, (a, b) -> a * b);
      for (int element = 0; element < window; element++) {
        int spot = 0;
        boolean inside = true;
        for (int i = 0; i < axes; i++) {
          int reach = (kernel[i] - 1) * dilation[i] + 1;
          int before =
              same ? Math.max(0, (outputs[i] - 1) * strides[i] + reach - inputs[i]) / 2 : 0;
          int from =
              along(outputs, i, place) * strides[i]
                  + along(kernel, i, element) * dilation[i]
                  - before;
          inside &= from >= 0 && from < inputs[i];
          spot = spot * inputs[i] + from;
        }
        for (int channel = 0; inside && channel < channels; channel++) {
          // x is [places, channels], weights are [window, channels, 4 · filters]
          sum +=
              x[spot * channels + channel]
                  * weights[(element * channels + channel) * 4 * filters + result];
        }
      }
      return sum;
    }

    private static int along(int[] sizes, int axis, int index) {
      int rest = index;
      for (int i = sizes.length - 1; i > axis; i--) {
        rest /= sizes[i];
      }
      return rest % sizes[axis];
    }
  }

  private float[] numbers(int count) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = random.nextFloat() - 0.5f;
    }
    return all;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "7   | 3   | 2   | 1   | same  | hard_sigmoid | relu | false | true",
        "7   | 4   | 1   | 2   | same  | sigmoid      | tanh | true  | false",
        "5 6 | 2 3 | 1 2 | 1 1 | valid | sigmoid      | tanh | false | false",
        "5 4 | 4 2 | 2 1 | 1 1 | same  | hard_sigmoid | mish | true  | true",
        "3 4 3 | 2 2 3 | 1 1 1 | 1 2 1 | valid | sigmoid | tanh | true | true",
      })
  void everySettingFollowsTheEquations(
      String inputs,
      String kernels,
      String strides,
      String dilations,
      String padding,
      String gate,
      String function,
      boolean backwards,
      boolean bias)
      throws IOException {
    int[] in = ints(inputs);
    int axes = in.length;
    Layer ofInput =
        new Layer(
            axes, ints(kernels), 2, 3, ints(strides), ints(dilations), padding.equals("same"));
    int[] ones = filledInts(axes, 1);
    Layer ofState = new Layer(axes, ints(kernels), 3, 3, ones, ones, true);
    int[] out = ofInput.outputs(in);
    int time = 3;
    int places = Arrays.stream(out).reduce(1, (a, b) -> a * b);
    int window = Arrays.stream(ints(kernels)).reduce(1, (a, b) -> a * b);
    float[] kernel = numbers(window * 2 * 12);
    float[] recurrent = numbers(window * 3 * 12);
    float[] added = bias ? numbers(12) : null;
    int frame = 2 * Arrays.stream(in).reduce(1, (a, b) -> a * b);
    float[] x = numbers(2 * time * frame);

    double[][] sequence = new double[2 * time][];
    List<double[]> last = new ArrayList<>();
    for (int batch = 0; batch < 2; batch++) {
      double[] h = new double[places * 3];
      double[] c = new double[places * 3];
      for (int step = 0; step < time; step++) {
        int t = backwards ? time - 1 - step : step;
        double[] now = new double[frame];
        for (int i = 0; i < frame; i++) {
          now[i] = x[(batch * time + t) * frame + i];
        }
        double[] nextH = new double[h.length];
        double[] nextC = new double[h.length];
        for (int place = 0; place < places; place++) {
          for (int filter = 0; filter < 3; filter++) {
            double[] z = new double[4];
            for (int g = 0; g < 4; g++) {
              int result = g * 3 + filter;
              z[g] =
                  ofInput.at(now, in, out, place, kernel, result)
                      + ofState.at(h, out, out, place, recurrent, result)
                      + (bias ? added[result] : 0);
            }
            DoubleUnaryOperator open = function(gate);
            DoubleUnaryOperator bent = function(function);
            int at = place * 3 + filter;
            nextC[at] =
                open.applyAsDouble(z[1]) * c[at]
                    + open.applyAsDouble(z[0]) * bent.applyAsDouble(z[2]);
            nextH[at] = open.applyAsDouble(z[3]) * bent.applyAsDouble(nextC[at]);
          }
        }
        h = nextH;
        c = nextC;
        sequence[batch * time + step] = h;
      }
      last.add(c);
    }

    String settings =
        """
        "filters": 3, "kernel_size": %s, "strides": %s, "dilation_rate": %s, "padding": "%s",
        "recurrent_activation": "%s", "activation": "%s", "go_backwards": %s, "use_bias": %s,
        "return_sequences": true, "return_state": true
        """
            .formatted(
                Arrays.toString(ints(kernels)),
                Arrays.toString(ints(strides)),
                Arrays.toString(ints(dilations)),
                padding,
                gate,
                function,
                backwards,
                bias);
    int[] shape = new int[axes + 2];
    System.arraycopy(in, 0, shape, 1, axes);
    shape[0] = -1;
    shape[axes + 1] = 2;
    long[] dims = new long[axes + 3];
    dims[0] = 2;
    dims[1] = time;
    for (int i = 1; i < shape.length; i++) {
      dims[i + 1] = shape[i];
    }
    int[] sizes = Arrays.copyOf(ints(kernels), axes + 2);
    sizes[axes] = 2;
    sizes[axes + 1] = 3;
    Path converted = folder.resolve("converted");
    try (Arena arena = Arena.ofConfined();
        Model model =
            open(axes, model(axes, settings, shape, null), kernel, recurrent, added, sizes)) {
      Tensor input = Tensor.ofFloats(arena, x, dims);
      float[] made = run(model, "y", input);
      float[] cells = run(model, "y.cell", input);
      for (int i = 0; i < made.length; i++) {
        assertEquals(sequence[i / h(places)][i % h(places)], made[i], 3e-6, "output " + i);
      }
      for (int i = 0; i < cells.length; i++) {
        assertEquals(last.get(i / h(places))[i % h(places)], cells[i], 3e-6, "cell " + i);
      }
      NetworkWriter.write(model, converted);
      try (Model again = NetworkFile.open(converted)) {
        assertArrayEquals(made, run(again, "y", input));
      }
    }
  }

  private static int h(int places) {
    return places * 3;
  }

  private static int[] ints(String text) {
    return Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
  }

  /** As Keras 3 has them. */
  private static DoubleUnaryOperator function(String name) {
    return switch (name) {
      case "sigmoid" -> x -> 1 / (1 + Math.exp(-x));
      case "hard_sigmoid" -> x -> Math.max(0, Math.min(1, x / 6 + 0.5));
      case "relu" -> x -> Math.max(0, x);
      case "mish" -> x -> x * Math.tanh(Math.log1p(Math.exp(x)));
      default -> Math::tanh;
    };
  }

  @Test
  void imagesOfAnySizeKeepTheirSizeWhereTheLayerDoes() throws IOException {
    float[] kernel = numbers(9 * 4);
    float[] recurrent = numbers(9 * 4);
    String same = "\"filters\": 1, \"kernel_size\": 3, \"padding\": \"same\"";
    int[] open = {-1, -1, -1, 1};
    float[] x = numbers(2 * 4 * 5);
    try (Arena arena = Arena.ofConfined()) {
      Tensor input = Tensor.ofFloats(arena, x, 1, 2, 4, 5, 1);
      float[] expected;
      int[] known = {2, 4, 5, 1};
      try (Model model =
          open(2, model(2, same, known, null), kernel, recurrent, new float[4], 3, 3, 1, 1)) {
        expected = run(model, "y", input);
      }
      try (Model model =
          open(2, model(2, same, open, null), kernel, recurrent, new float[4], 3, 3, 1, 1)) {
        assertArrayEquals(expected, run(model, "y", input));
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'filters': 1, 'padding': 'causal'     | 5  | the padding 'causal'",
        "'filters': 1, 'activation': 'softmax' | 5  | the activation 'softmax'",
        "'filters': 2                          | 5  | expected 8 (4 gates × filters 2)",
        "'filters': 1                          | -1 | needs to know the places of its input",
      },
      quoteCharacter = '"')
  void whatIsNotComputedIsRefusedByName(String settings, int rows, String problem)
      throws IOException {
    String config = model(2, settings.replace('\'', '"'), new int[] {2, rows, 5, 1}, null);
    ModelFormatException refused =
        assertThrows(
            ModelFormatException.class,
            () -> open(2, config, numbers(36), numbers(36), numbers(4), 3, 3, 1, 1).close());
    String message = refused.getMessage().replace('"', '\'');
    assertTrue(message.contains(problem), message);
  }
}

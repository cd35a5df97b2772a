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
import java.nio.file.Files;
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
 * LocallyConnected1D and 2D in the three ways in which Keras 2 keeps their weights, against the
 * definition: the output at a place is the sum over what is connected with it, where what is
 * connected is what {@code conv_connected_inputs} of Keras' {@code conv_utils.py} says.
 */
class KerasLocallyConnectedTest {
  @TempDir Path folder;

  private final Random random = Seeds.random("KerasLocallyConnectedTest");

  /** A layer of small sizes: its input, kernel and strides along each axis. */
  private record Layer(
      int[] inputs, int[] kernel, int[] strides, boolean same, boolean first, int in, int filters) {
    int axes() {
      return inputs.length;
    }

    int[] outputs() {
      int[] all = new int[axes()];
      for (int i = 0; i < all.length; i++) {
        int room = same ? inputs[i] : inputs[i] - kernel[i] + 1;
        all[i] = (room + strides[i] - 1) / strides[i];
      }
      return all;
    }

    /** Whether a place of the input is connected with one of the output. */
    boolean connected(int from, int to) {
      for (int axis = 0; axis < axes(); axis++) {
        int left = kernel[axis] / 2;
        int right = kernel[axis] - left;
        int centre = along(outputs(), axis, to) * strides[axis] + (same ? 0 : left);
        int at = along(inputs, axis, from);
        if (at < centre - left || at >= centre + right) {
          return false;
        }
      }
      return true;
    }

    int index(int places, int channels, int place, int channel) {
      return first ? channel * places + place : place * channels + channel;
    }

    long[] shape(int[] places, int channels) {
      long[] dims = new long[axes() + 1];
      for (int axis = 0; axis < axes(); axis++) {
        dims[axis + (first ? 1 : 0)] = places[axis];
      }
      dims[first ? 0 : axes()] = channels;
      return dims;
    }
  }

  private static int along(int[] sizes, int axis, int index) {
    int rest = index;
    for (int i = sizes.length - 1; i > axis; i--) {
      rest /= sizes[i];
    }
    return rest % sizes[axis];
  }

  private static int product(int[] sizes) {
    return Arrays.stream(sizes).reduce(1, (a, b) -> a * b);
  }

  private static String config(Layer layer, int implementation, boolean bias) {
    return """
        {"class_name": "Sequential", "config": {"name": "one", "layers": [
          {"class_name": "LocallyConnected%dD", "config": {"name": "local", "trainable": true,
           "batch_input_shape": [null, %s, "dtype": "float32", "filters": %d, "kernel_size": %s,
           "strides": %s, "padding": "%s", "data_format": "channels_%s", "activation": "tanh",
           "use_bias": %s, "implementation": %d}}]}}
        """
        .formatted(
            layer.axes(),
            Arrays.toString(layer.shape(layer.inputs, layer.in)).substring(1),
            layer.filters,
            Arrays.toString(layer.kernel),
            Arrays.toString(layer.strides),
            layer.same ? "same" : "valid",
            layer.first ? "first" : "last",
            bias,
            implementation);
  }

  private Path write(Layer layer, int implementation, float[] kernel, int[] shape, float[] bias)
      throws IOException {
    List<KerasWriter.Weight> own = new ArrayList<>();
    own.add(new KerasWriter.Weight("local/kernel:0", kernel, shape));
    if (bias != null) {
      int[] ofBias = Arrays.copyOf(layer.outputs(), layer.axes() + 1);
      ofBias[layer.axes()] = layer.filters;
      own.add(new KerasWriter.Weight("local/bias:0", bias, ofBias));
    }
    Map<String, List<KerasWriter.Weight>> weights = new LinkedHashMap<>();
    weights.put("local", own);
    Path file = Files.createTempDirectory(folder, "local").resolve("model.h5");
    KerasWriter.hdf5(file, "2.11.0", config(layer, implementation, bias != null), weights);
    return file;
  }

  private static float[] run(Model model, float[] x, long... dims) {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(model.network());
        Execution execution = plan.newExecution()) {
      execution.input(model.network().inputs().get(0).name(), Tensor.ofFloats(arena, x, dims));
      execution.run();
      return execution.output("local").toFloats();
    }
  }

  private float[] numbers(int count) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = random.nextFloat() - 0.5f;
    }
    return all;
  }

  private static int[] ints(String text) {
    return Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
  }

  @ParameterizedTest
  @CsvSource({
    "6,   3,   1,   false",
    "7,   2,   2,   false",
    "6,   3,   1,   true",
    "6,   4,   2,   true",
    "4,   7,   1,   true",
    "4 5, 2 3, 1 2, false",
    "4 5, 2 3, 2 1, true",
    "3 3, 1 1, 1 1, true",
  })
  void allThreeWaysGiveTheSumOverWhatIsConnected(
      String inputs, String kernel, String strides, boolean same) throws IOException {
    for (boolean first : List.of(false, true)) {
      for (boolean biased : List.of(true, false)) {
        check(new Layer(ints(inputs), ints(kernel), ints(strides), same, first, 2, 3), biased);
      }
    }
  }

  private void check(Layer layer, boolean biased) throws IOException {
    int from = product(layer.inputs);
    int to = product(layer.outputs());
    // The whole matrix, with numbers also where nothing is connected, which the layer hides.
    float[] matrix = numbers(from * layer.in * to * layer.filters);
    float[] bias = biased ? numbers(to * layer.filters) : null;
    float[] x = numbers(2 * from * layer.in);
    float[] expected = new float[2 * to * layer.filters];
    List<Float> connected = new ArrayList<>();
    List<Float> windows = new ArrayList<>();
    for (int output = 0; output < to * layer.filters; output++) {
      for (int input = 0; input < from * layer.in; input++) {
        int place = layer.first ? output % to : output / layer.filters;
        int source = layer.first ? input % from : input / layer.in;
        if (layer.connected(source, place)) {
          connected.add(matrix[input * to * layer.filters + output]);
        }
      }
    }
    for (int place = 0; place < to; place++) {
      for (int input = 0; input < from * layer.in; input++) {
        int source = layer.first ? input % from : input / layer.in;
        for (int filter = 0; filter < layer.filters && layer.connected(source, place); filter++) {
          int output = layer.index(to, layer.filters, place, filter);
          windows.add(matrix[input * to * layer.filters + output]);
        }
      }
    }
    for (int batch = 0; batch < 2; batch++) {
      for (int place = 0; place < to; place++) {
        for (int filter = 0; filter < layer.filters; filter++) {
          int output = layer.index(to, layer.filters, place, filter);
          // The bias, [places, filters], is taken as [filters, places] where channels come first.
          double sum = biased ? bias[output] : 0;
          for (int source = 0; source < from; source++) {
            for (int channel = 0; channel < layer.in && layer.connected(source, place); channel++) {
              int input = layer.index(from, layer.in, source, channel);
              sum +=
                  (double) x[batch * from * layer.in + input]
                      * matrix[input * to * layer.filters + output];
            }
          }
          expected[batch * to * layer.filters + output] = (float) Math.tanh(sum);
        }
      }
    }
    int[] whole =
        Arrays.stream(
                (Arrays.toString(layer.shape(layer.inputs, layer.in))
                        + Arrays.toString(layer.shape(layer.outputs(), layer.filters)))
                    .replaceAll("[\\[\\]]+", " ")
                    .trim()
                    .split("[ ,]+"))
            .mapToInt(Integer::parseInt)
            .toArray();
    long[] shape = layer.shape(layer.inputs, layer.in);
    long[] dims = new long[shape.length + 1];
    dims[0] = 2;
    System.arraycopy(shape, 0, dims, 1, shape.length);
    Map<Integer, Path> files = new LinkedHashMap<>();
    files.put(2, write(layer, 2, matrix, whole, bias));
    files.put(3, write(layer, 3, floats(connected), new int[] {connected.size()}, bias));
    if (!layer.same) {
      int window = layer.in * product(layer.kernel);
      files.put(1, write(layer, 1, floats(windows), new int[] {to, window, layer.filters}, bias));
    }
    for (Map.Entry<Integer, Path> each : files.entrySet()) {
      Path converted = each.getValue().resolveSibling("converted");
      try (Model model = NetworkFile.open(each.getValue())) {
        float[] made = run(model, x, dims);
        String what = layer + ", implementation " + each.getKey();
        assertArrayEquals(expected, made, 2e-6f, what);
        NetworkWriter.write(model, converted);
        try (Model again = NetworkFile.open(converted)) {
          assertArrayEquals(made, run(again, x, dims), what);
        }
      }
    }
  }

  private static float[] floats(List<Float> list) {
    float[] all = new float[list.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = list.get(i);
    }
    return all;
  }

  @Test
  void whatIsAroundTheInputIsNothingEvenBesideInfinity() throws IOException {
    Layer layer = new Layer(new int[] {2}, new int[] {3}, new int[] {1}, true, false, 1, 1);
    Path file = write(layer, 3, new float[] {1, 1, 1, 1}, new int[] {4}, null);
    try (Model model = NetworkFile.open(file)) {
      float[] made = run(model, new float[] {Float.POSITIVE_INFINITY, 0}, 1, 2, 1);
      assertArrayEquals(new float[] {1, 1}, made);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1 | 4 2 3 | expected [4, 6, 3]",
        "2 | 6 2 4 9 | expected [6, 2, 4, 3]",
        "3 | 71 | expected [72]",
        "4 | 72 | the implementation 4",
      })
  void weightsOfAnotherShapeAreRefused(int implementation, String shape, String problem)
      throws IOException {
    Layer layer = new Layer(new int[] {6}, new int[] {3}, new int[] {1}, false, false, 2, 3);
    float[] kernel = numbers(product(ints(shape)));
    Path file = write(layer, implementation, kernel, ints(shape), null);
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> NetworkFile.open(file).close());
    assertTrue(refused.getMessage().contains(problem), refused.getMessage());
    assertEquals(0, refused.getMessage().indexOf(file.toString()));
  }
}

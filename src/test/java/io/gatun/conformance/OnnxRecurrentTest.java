package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.gatun.Evaluation;
import io.gatun.Shared;
import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The recurrent node cases of the ONNX project, with its tolerances ({@code rtol = 1e-3, atol =
 * 1e-7}), which its own float32 reference needs.
 */
class OnnxRecurrentTest {
  private static final List<String> CASES =
      List.of(
          "test_simple_rnn_defaults",
          "test_simple_rnn_with_initial_bias",
          "test_simple_rnn_batchwise",
          "test_rnn_seq_length",
          "test_gru_defaults",
          "test_gru_with_initial_bias",
          "test_gru_batchwise",
          "test_gru_seq_length",
          "test_lstm_defaults",
          "test_lstm_with_initial_bias",
          "test_lstm_batchwise",
          "test_lstm_with_peepholes");

  @TestFactory
  List<DynamicTest> recurrentNodesAnswerAsOnnxSays() {
    Path zip = Shared.path("conformance/onnx-node-v1.22.0.zip");
    List<DynamicTest> tests = new ArrayList<>();
    for (String name : CASES) {
      Evaluation.devices()
          .forEach(
              device ->
                  tests.add(
                      dynamicTest(
                          name + " on " + device.description(), () -> check(zip, name, device))));
    }
    return tests;
  }

  private static byte[] read(ZipFile zip, String entry) throws IOException {
    try (var in = zip.getInputStream(zip.getEntry(entry))) {
      return in.readAllBytes();
    }
  }

  private static void check(Path file, String name, Device device) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile());
        Arena arena = Arena.ofConfined()) {
      OnnxFile.Node node = OnnxFile.node(read(zip, name + "/model.onnx"));
      Graph.Builder g = Graph.builder(name);
      Map<String, Tensor> given = new LinkedHashMap<>();
      List<Value> inputs = new ArrayList<>();
      int files = 0;
      for (String input : node.inputs()) {
        if (input.isEmpty()) {
          inputs.add(null);
          continue;
        }
        Tensor tensor =
            OnnxFile.tensor(arena, read(zip, name + "/test_data_set_0/input_" + files++ + ".pb"));
        if (inputs.isEmpty()) {
          inputs.add(g.input(input, DType.FLOAT32, "a", "b", tensor.dim(2)));
          given.put(input, tensor);
        } else {
          inputs.add(g.constant(input, tensor));
        }
      }
      g.node("node", node.type(), Attributes.of(node.attributes()), inputs, node.outputs());
      List<String> wanted = node.outputs().stream().filter(out -> !out.isEmpty()).toList();
      var results = Evaluation.of(device, g.build(), given, wanted.toArray(new String[0]));
      int out = 0;
      for (String output : wanted) {
        Tensor expected =
            OnnxFile.tensor(arena, read(zip, name + "/test_data_set_0/output_" + out++ + ".pb"));
        double[] numbers = expected.toDoubles();
        assertArrayEquals(expected.shape().dims(), results.get(output).shape().dims(), output);
        for (int i = 0; i < numbers.length; i++) {
          double bound = 1e-7 + 1e-3 * Math.abs(numbers[i]);
          org.junit.jupiter.api.Assertions.assertEquals(
              numbers[i], results.get(output).values()[i], bound, output + "[" + i + "]");
        }
      }
    }
  }
}

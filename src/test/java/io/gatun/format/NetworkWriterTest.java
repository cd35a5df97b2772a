package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.Shared;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A network with graphs within its nodes is written as a folder and read again. */
class NetworkWriterTest {
  @TempDir Path folder;

  private final Random random = Seeds.random("NetworkWriterTest");

  /** Outputs for inputs that are the same for the same seed; symbols are 512 or what is given. */
  private static List<float[]> run(Graph graph, Map<String, Long> whole, long seed) {
    Random numbers = new Random(seed);
    List<float[]> outputs = new ArrayList<>();
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(graph);
        Execution execution = plan.newExecution()) {
      for (Value input : graph.inputs()) {
        long[] dims =
            input.dims().stream()
                .mapToLong(
                    dim -> dim.isKnown() ? dim.size() : dim.toString().equals("batch") ? 1 : 512)
                .toArray();
        Tensor tensor = Tensor.allocate(arena, input.type(), dims);
        if (input.type() == DType.FLOAT32) {
          for (int i = 0; i < tensor.elements(); i++) {
            tensor.reshape(tensor.elements()).setFloat((float) numbers.nextGaussian() / 4, i);
          }
        } else {
          tensor.setLong(whole.get(input.name()));
        }
        execution.input(input.name(), tensor);
      }
      execution.run();
      for (Value output : graph.outputs()) {
        outputs.add(execution.output(output.name()).toFloats());
      }
    }
    return outputs;
  }

  private void same(Path file, List<Map<String, Long>> settings) throws IOException {
    Path written = folder.resolve("written");
    try (Model model = NetworkFile.open(file)) {
      NetworkWriter.write(model, written);
      try (Model again = NetworkFile.open(written)) {
        assertTrue(Files.readString(written.resolve("model.json")).contains("\"graph\""));
        for (Map<String, Long> whole : settings) {
          long seed = random.nextLong();
          List<float[]> expected = run(model.network(), whole, seed);
          List<float[]> actual = run(again.network(), whole, seed);
          assertEquals(expected.size(), actual.size());
          for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), actual.get(i));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"test_if", "test_scan9_sum"})
  void publishedGraphsWithinNodesGiveTheSameNumbers(String name) throws IOException {
    Path file = folder.resolve("model.onnx");
    Path zip = Shared.path("conformance/onnx-node-v1.22.0.zip");
    try (ZipFile cases = new ZipFile(zip.toFile());
        InputStream in = cases.getInputStream(cases.getEntry(name + "/model.onnx"))) {
      Files.copy(in, file);
    }
    same(file, List.of(Map.of("cond", 0L), Map.of("cond", 1L)));
  }

  @Test
  void aNetworkThatChoosesBetweenTwoGivesTheSameNumbers() throws IOException {
    same(
        Shared.path("models/silero_vad/silero_vad_legacy.onnx"),
        List.of(Map.of("sr", 16_000L), Map.of("sr", 8_000L)));
  }

  @Test
  void aGraphWithinANodeThatIsWrongIsRefusedWithItsLine() throws IOException {
    Path file = folder.resolve("model.json");
    Safetensors.write(folder.resolve("w.safetensors"), Map.of(), Map.of());
    Files.writeString(
        file,
        """
        {"format": "gatun-model/1", "kind": "network", "name": "n", "weights": {"file": "w.safetensors"},
         "network": {
           "inputs": [{"name": "c", "type": "bool", "shape": []}],
           "layers": [{"type": "operator", "name": "y", "operator": "If", "from": ["c"],
             "attributes": {
               "then_branch": {"graph": {"inputs": [], "layers": [], "outputs": ["nothing"]}},
               "else_branch": {"graph": {"inputs": [], "layers": [], "outputs": []}}}}]}}
        """);
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> NetworkFile.open(file).close());
    assertTrue(e.getMessage().contains("there is no such value before it"), e.getMessage());
    assertTrue(e.getMessage().contains("line 6"), e.getMessage());
  }
}

package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that PyTorch wrote ({@code make_torch_files.py}), and others that look like them. */
class TorchFileTest {
  @TempDir Path folder;

  @Test
  void aStateDictionaryInAModelFolderGivesWhatPyTorchGives() throws IOException {
    Fixtures.resource(folder, "torch_state.pt");
    Files.writeString(
        folder.resolve("model.json"),
        """
        {"format": "gatun-model/1", "kind": "network",
         "weights": {"file": "torch_state.pt", "convention": "pytorch"},
         "network": {
           "inputs": [{"name": "tokens", "type": "int32", "shape": ["time", "batch"]}],
           "layers": [
             {"type": "embedding", "name": "embedding", "weights": "embedding"},
             {"type": "lstm", "name": "lstm", "weights": "lstm", "bidirectional": "concat"},
             {"type": "dense", "name": "head", "weights": "head"}]}}
        """);
    try (Model model = NetworkFile.open(folder);
        Plan plan = Plan.of(model.network());
        Execution execution = plan.newExecution();
        Arena arena = Arena.ofConfined();
        TensorFile expected = TensorFile.open(Fixtures.resource(folder, "torch_output.npy"))) {
      assertEquals(Set.of(), model.unusedWeights());
      int[] tokens = {1, 2, 0, 5, 4, 3, 2, 2};
      execution.input("tokens", Tensor.ofInts(arena, tokens, 4, 2));
      execution.run();
      assertArrayEquals(
          expected.tensor("torch_output").toFloats(), execution.output("head").toFloats(), 1e-6f);
    }
  }

  @Test
  void tensorsAreNamedByTheKeysThatLeadToThem() throws IOException {
    try (TensorFile file = TensorFile.open(Fixtures.resource(folder, "torch_nested.pt"))) {
      assertEquals(TensorFile.Format.PYTORCH, file.format());
      assertEquals(
          Set.of("model.half", "model.whole", "views.0", "views.1", "views.2", "parameter"),
          file.names());
      assertEquals(DType.FLOAT16, file.tensor("model.half").dtype());
      assertArrayEquals(new float[] {1.5f, -2}, file.tensor("model.half").toFloats());
      assertArrayEquals(new long[] {1, -2, 3, 4}, file.tensor("model.whole").toLongs());
      assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, file.tensor("views.0").toFloats());
      assertArrayEquals(new float[] {1, 2}, file.tensor("views.1").toFloats());
      assertArrayEquals(new long[] {0, 3}, file.tensor("views.2").shape().dims());
      assertEquals(2.5f, file.tensor("parameter").getFloat());
    }
  }

  @Test
  void aPickleThatWouldRunCodeIsRefusedByName() throws IOException {
    Path file = Fixtures.resource(folder, "torch_code.pt");
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> TensorFile.open(file).close());
    assertTrue(refused.getMessage().contains("\"posix.system\""), refused.getMessage());
    assertFalse(Files.exists(Path.of("/tmp/the-pickle-was-run")));
  }

  @ParameterizedTest
  @CsvSource({
    "c__main__\\nNet\\n,            __main__.Net",
    "cbuiltins\\neval\\n,           builtins.eval",
    "ctorch._utils\\n_rebuild_qtensor\\n, torch._utils._rebuild_qtensor",
    "(i__main__\\nNet\\n,           0x69",
    "P1\\n,                         0x50",
    "ccollections\\nOrderedDict\\n(K\\u0001tR., with something that is not expected",
    "},                             ends in the middle",
    "K\\u0001.,                     has no tensors",
    ".,                             empty stack",
  })
  void whatIsNoDataIsRefused(String program, String message) throws IOException {
    String text = program.replace("\\n", "\n").replace("\\u0001", "\u0001");
    byte[] bytes = ("\u0080\u0002" + text).getBytes(StandardCharsets.ISO_8859_1);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      KerasWriter.stored(zip, "archive/data.pkl", bytes);
    }
    Path file = folder.resolve("a.pt");
    Files.write(file, out.toByteArray());
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> TensorFile.open(file).close());
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"torch_state.pt", "torch_nested.pt"})
  void aFileCutAnywhereOrWithAByteChangedIsReadOrRefused(String name) throws IOException {
    byte[] whole = Files.readAllBytes(Fixtures.resource(folder, name));
    Path changed = folder.resolve("changed.pt");
    for (int at = 0; at < whole.length; at += 3) {
      Files.write(changed, Arrays.copyOf(whole, at));
      assertTrue(refused(changed), "cut at " + at);
      byte[] bytes = whole.clone();
      bytes[at] ^= (byte) (1 << (at % 8));
      Files.write(changed, bytes);
      refused(changed);
    }
  }

  private static boolean refused(Path path) throws IOException {
    try (TensorFile file = TensorFile.open(path)) {
      for (String name : file.names()) {
        file.tensor(name).toDoubles();
      }
      return false;
    } catch (ModelFormatException e) {
      return true;
    }
  }
}

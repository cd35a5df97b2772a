package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.format.Npy;
import io.gatun.format.Safetensors;
import io.gatun.format.TensorFile;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code gatun run} and {@code gatun convert}. */
class NetworkRunTest {
  @TempDir Path folder;
  private Path model;

  /** y = relu(x · w), of which x · w has a name too. */
  @BeforeEach
  void writeModel() throws IOException {
    model = Files.createDirectory(folder.resolve("model"));
    try (Arena arena = Arena.ofConfined()) {
      Tensor w = Tensor.ofFloats(arena, new float[] {1, -1, 2, -2}, 2, 2);
      Safetensors.write(model.resolve("w.safetensors"), Map.of("w", w), Map.of());
      Npy.write(folder.resolve("x.npy"), Tensor.ofFloats(arena, new float[] {1, 2, 0, -3}, 2, 2));
      Npy.write(folder.resolve("whole.npy"), Tensor.ofLongs(arena, new long[] {1, 2}, 1, 2));
      Npy.write(folder.resolve("wrong.npy"), Tensor.ofFloats(arena, new float[] {1, 2, 3}, 1, 3));
    }
    Files.writeString(
        model.resolve("model.json"),
        """
        {"format": "gatun-model/1", "kind": "network", "name": "two",
         "weights": {"file": "w.safetensors", "convention": "keras"},
         "network": {"inputs": [{"name": "x", "shape": ["batch", 2]}], "layers": [
           {"type": "dense", "name": "product", "weights": {"kernel": "w"}},
           {"type": "activation", "name": "y", "activation": "relu"}]}}
        """);
  }

  private static float[] read(Path file) throws IOException {
    try (TensorFile tensors = TensorFile.open(file)) {
      return tensors.tensor(tensors.names().iterator().next()).toFloats();
    }
  }

  @Test
  void outputsArePrintedOrWritten() throws IOException {
    String x = folder.resolve("x.npy").toString();
    Run run = Run.of("run", model.toString(), "--input", x);
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertEquals("y float32[2, 2]\n  5.0 0.0\n  0.0 6.0\n", run.out());
    Path out = folder.resolve("out");
    run =
        Run.of(
            "run",
            model.toString(),
            "--input",
            "x=" + x,
            "--output-dir",
            out.toString(),
            "--values",
            "pro*,y");
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertEquals("", run.out());
    assertArrayEquals(new float[] {5, -5, -6, 6}, read(out.resolve("product.npy")));
    assertArrayEquals(new float[] {5, 0, 0, 6}, read(out.resolve("y.npy")));
    Path single = folder.resolve("single.npy");
    run =
        Run.of(
            "run",
            model.toString(),
            "-i",
            "x=" + folder.resolve("whole.npy"),
            "-o",
            "product=" + single);
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertArrayEquals(new float[] {5, -5}, read(single));
  }

  @Test
  void whatIsWrongIsNamedAndNothingIsWritten() {
    Path out = folder.resolve("none.npy");
    Run run = Run.of("run", model.toString(), "-o", "y=" + out);
    assertEquals(ExitCode.USAGE, run.code());
    assertTrue(run.err().contains("--input x=FILE.npy"), run.err());
    run = Run.of("run", model.toString(), "-i", "z=" + folder.resolve("x.npy"));
    assertTrue(run.err().contains("there is no input z"), run.err());
    run =
        Run.of(
            "run", model.toString(), "-i", "x=" + folder.resolve("x.npy"), "--values", "produkt");
    assertTrue(run.err().contains("did you mean product"), run.err());
    run =
        Run.of("run", model.toString(), "-i", "x=" + folder.resolve("wrong.npy"), "-o", "y=" + out);
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().contains("x"), run.err());
    assertFalse(Files.exists(out));
  }

  @Test
  void whatIsConvertedGivesTheSame() {
    Path converted = folder.resolve("converted");
    Run run = Run.of("convert", model.toString(), converted.toString());
    assertEquals(ExitCode.OK, run.code(), run.err());
    String x = folder.resolve("x.npy").toString();
    assertEquals(
        Run.of("run", model.toString(), "--input", x).out(),
        Run.of("run", converted.toString(), "--input", x).out());
    run = Run.of("convert", model.toString(), converted.toString());
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().contains("is there already"), run.err());
  }

  @Test
  void weightsAloneAreShownAsTensors() {
    String x = folder.resolve("x.npy").toString();
    Run run = Run.of("inspect", x);
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertTrue(run.out().contains("a model.json beside it says"), run.out());
    assertTrue(run.out().contains("  x       float32 [2, 2]"), run.out());
    run = Run.of("inspect", "--json", x);
    assertEquals(ExitCode.OK, run.code(), run.err());
    assertTrue(run.out().replaceAll("\\s", "").contains("\"shape\":[2,2]"), run.out());
    run = Run.of("inspect", "--unroll", "2", x);
    assertEquals(ExitCode.FAILURE, run.code());
    assertTrue(run.err().contains("has weights alone"), run.err());
  }
}

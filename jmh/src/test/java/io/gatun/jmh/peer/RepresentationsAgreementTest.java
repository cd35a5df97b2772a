package io.gatun.jmh.peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.format.OnnxModel;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.representation.Extraction;
import io.gatun.representation.Feed;
import io.gatun.representation.Pooling;
import io.gatun.representation.Progress;
import io.gatun.representation.RepresentationWriter;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Inner values of an image network in an ONNX file, extracted here, and by ONNX Runtime as outputs
 * that were added to the graph.
 */
class RepresentationsAgreementTest {
  private static final Path DIGITS = Path.of("..", "examples", "digits");

  @TempDir Path folder;

  /** Keeps what it is given. */
  private static final class Kept implements RepresentationWriter {
    final Map<String, List<float[]>> values = new LinkedHashMap<>();
    private List<Column> columns;

    @Override
    public void begin(List<Column> coming) {
      columns = coming;
      coming.forEach(column -> values.put(column.name(), new ArrayList<>()));
    }

    @Override
    public void write(Example example, List<Tensor> given) {
      for (int i = 0; i < given.size(); i++) {
        values.get(columns.get(i).name()).add(given.get(i).toFloats());
      }
    }

    @Override
    public void commit() {}

    @Override
    public void close() {}
  }

  private static List<Example> images() throws IOException {
    List<Example> all = new ArrayList<>();
    for (String line : Files.readAllLines(DIGITS.resolve("images.txt"))) {
      String[] words = line.split(" ");
      float[] numbers = new float[words.length];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = Float.parseFloat(words[i]);
      }
      all.add(
          Example.ofNumbers(
              all.size(), "" + all.size(), numbers, new long[] {1, 28, 28}, Optional.empty()));
    }
    return all;
  }

  @Test
  void innerValuesAreThoseOfOnnxRuntime() throws IOException, OrtException {
    List<String> names = List.of("conv1", "conv2.convolution", "conv2", "conv3", "flat", "scores");
    List<Example> images = images();
    Path file = folder.resolve("digits.onnx");
    try (Model model = ModelFolder.open(DIGITS)) {
      // For us the file has one output, as networks have; for ONNX Runtime what is asked for, too.
      Files.write(file, OnnxWriter.write(model.network(), "scores"));
      Kept kept = new Kept();
      try (OnnxModel read = OnnxModel.open(file)) {
        Graph graph = read.graph();
        assertEquals(List.of("scores"), graph.outputs().stream().map(Value::name).toList());
        try (Extraction extraction = Extraction.of(Feed.of(graph), names, Pooling.ALL)) {
          extraction.run(ExampleReader.of(images), kept, Progress.NONE);
        }
      }
      try (Arena arena = Arena.ofConfined();
          OnnxRuntimePeer peer =
              new OnnxRuntimePeer(model.network(), 1, names.toArray(String[]::new))) {
        float[] all = new float[images.size() * 784];
        for (int i = 0; i < images.size(); i++) {
          System.arraycopy(images.get(i).numbers(), 0, all, i * 784, 784);
        }
        peer.input("image", Tensor.ofFloats(arena, all, images.size(), 1, 28, 28));
        Map<String, Tensor> theirs = peer.run(arena);
        for (String name : names) {
          Tensor their = theirs.get(name);
          assertEquals(images.size(), kept.values.get(name).size());
          for (int i = 0; i < images.size(); i++) {
            float[] expected = their.select(0, i).toFloats();
            float[] ours = kept.values.get(name).get(i);
            double magnitude = 0;
            for (float each : expected) {
              magnitude = Math.max(magnitude, Math.abs(each));
            }
            assertTrue(magnitude > 0, name);
            // Of four layers, sums of up to 1,024 terms each.
            double threshold = 4 * 8 * 10 * Math.ulp(1f) * magnitude;
            assertArrayEquals(expected, ours, (float) threshold, name);
          }
        }
      }
    }
  }
}

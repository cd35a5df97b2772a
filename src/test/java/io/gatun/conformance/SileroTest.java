package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.OnnxModel;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Voice activity networks as people have them, frame by frame with the state fed back, against the
 * probabilities that ONNX Runtime gives for a minute of speech.
 */
class SileroTest {
  private static final int FRAME = 512;
  private static final double ALLOWED = 1e-4;

  @ParameterizedTest
  @CsvSource({
    "silero_vad_16k_op15, expected_ort1.22_silero_vad_16k_op15, 64, state stateN",
    "silero_vad_op18_ifless, expected_ort1.22_silero_vad_16k_op15, 64, state stateN",
    "silero_vad_legacy, expected_ort1.22_silero_vad_legacy, 0, h hn c cn"
  })
  void everyFrameOfAMinuteHasTheProbabilityThatOnnxRuntimeGives(
      String name, String expected, int context, String states) throws IOException {
    Path folder = Shared.path("models/silero_vad");
    double[] theirs = expected(folder, expected);
    float[] samples = samples(folder.resolve("test.wav"));
    assertEquals(theirs.length, samples.length / FRAME);
    List<String> fedBack = List.of(states.split(" "));
    try (OnnxModel model = OnnxModel.open(folder.resolve(name + ".onnx"));
        Plan plan = Plan.of(model.graph());
        Execution frame = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      Tensor input = Tensor.allocate(arena, DType.FLOAT32, 1, context + FRAME);
      frame.input("input", input);
      frame.input("sr", Tensor.ofLongs(arena, new long[] {16_000}));
      for (int i = 0; i < fedBack.size(); i += 2) {
        // A state is written where the next frame reads it.
        long size = model.graph().value(fedBack.get(i)).dim(2).size();
        Tensor state = Tensor.allocate(arena, DType.FLOAT32, 2, 1, size);
        frame.input(fedBack.get(i), state);
        frame.output(fedBack.get(i + 1), state);
      }
      double worst = 0;
      for (int t = 0; t < theirs.length; t++) {
        frame(input, samples, t, context);
        frame.run();
        double ours = frame.output("output").toDoubles()[0];
        worst = Math.max(worst, Math.abs(ours - theirs[t]));
        assertEquals(theirs[t], ours, ALLOWED, name + ", frame " + t);
      }
      System.out.println(name + ": " + theirs.length + " frames, at most " + worst + " apart");
      assertTrue(worst <= ALLOWED);
    }
  }

  private static double[] expected(Path folder, String name) throws IOException {
    return Files.readAllLines(folder.resolve(name + ".txt")).stream()
        .mapToDouble(Double::parseDouble)
        .toArray();
  }

  /** A frame with the samples that come before it. */
  private static void frame(Tensor input, float[] samples, int t, int context) {
    int from = t * FRAME - context;
    float[] window = Arrays.copyOfRange(samples, Math.max(0, from), t * FRAME + FRAME);
    float[] padded = new float[context + FRAME];
    System.arraycopy(window, 0, padded, padded.length - window.length, window.length);
    try (Arena arena = Arena.ofConfined()) {
      input.copyFrom(Tensor.ofFloats(arena, padded, 1, padded.length));
    }
  }

  /** The samples of a WAV file of 16-bit numbers and one channel, from −1 to 1. */
  private static float[] samples(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int at = 12;
    while (bytes.getInt(at) != ('d' | 'a' << 8 | 't' << 16 | 'a' << 24)) {
      at += 8 + bytes.getInt(at + 4);
    }
    float[] samples = new float[bytes.getInt(at + 4) / 2];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = bytes.getShort(at + 8 + 2 * i) / 32768f;
    }
    return samples;
  }
}

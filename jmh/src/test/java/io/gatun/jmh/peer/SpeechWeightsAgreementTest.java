package io.gatun.jmh.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnxruntime.OrtException;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.format.TensorFile;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Silero's network of speech, of which there are weights alone, through {@code
 * examples/silero_vad/model.json}, which says what is computed with them; and through ONNX Runtime,
 * with these weights in place of those in Silero's own ONNX file. The weights are another training
 * of the same network, so its answers are not those of the file as it is.
 */
class SpeechWeightsAgreementTest {
  private static final Path FOLDER =
      Path.of("..").resolve("..").resolve("shared/models/silero_vad").normalize();

  private static final int FRAME = 512;
  private static final int CONTEXT = 64;
  private static final int STATE = 128;
  private static final double ALLOWED = 1e-4;

  /** Tensors of the weights, and what the ONNX file calls them. */
  private static final Map<String, String> NAMES =
      Map.ofEntries(
          Map.entry("stft_conv.weight", "model.stft.forward_basis_buffer"),
          Map.entry("conv1.weight", "model.encoder.0.reparam_conv.weight"),
          Map.entry("conv1.bias", "model.encoder.0.reparam_conv.bias"),
          Map.entry("conv2.weight", "model.encoder.1.reparam_conv.weight"),
          Map.entry("conv2.bias", "model.encoder.1.reparam_conv.bias"),
          Map.entry("conv3.weight", "model.encoder.2.reparam_conv.weight"),
          Map.entry("conv3.bias", "model.encoder.2.reparam_conv.bias"),
          Map.entry("conv4.weight", "model.encoder.3.reparam_conv.weight"),
          Map.entry("conv4.bias", "model.encoder.3.reparam_conv.bias"),
          Map.entry("lstm_cell.weight_ih", "model.decoder.rnn.weight_ih"),
          Map.entry("lstm_cell.weight_hh", "model.decoder.rnn.weight_hh"),
          Map.entry("lstm_cell.bias_ih", "model.decoder.rnn.bias_ih"),
          Map.entry("lstm_cell.bias_hh", "model.decoder.rnn.bias_hh"),
          Map.entry("final_conv.weight", "model.decoder.decoder.2.weight"),
          Map.entry("final_conv.bias", "model.decoder.decoder.2.bias"));

  @Test
  void weightsAndAModelFileGiveWhatOnnxRuntimeGivesForEveryFrameOfAMinute()
      throws IOException, OrtException {
    assumeTrue(Files.exists(FOLDER), FOLDER + " is not there");
    Path weights = FOLDER.resolve("silero_vad_16k.safetensors");
    float[] samples = samples(FOLDER.resolve("test.wav"));
    int frames = samples.length / FRAME;
    byte[] file = Files.readAllBytes(FOLDER.resolve("silero_vad_op18_ifless.onnx"));
    try (TensorFile tensors = TensorFile.open(weights)) {
      assertEquals(NAMES.keySet(), Set.copyOf(tensors.names()));
      NAMES.forEach((ours, theirs) -> replace(file, theirs, tensors.tensor(ours)));
    }
    try (Model model = ModelFolder.open(Path.of("../examples/silero_vad"), Optional.of(weights));
        Plan plan = Plan.of(model.network());
        Execution here = plan.newExecution();
        OnnxRuntimePeer there = new OnnxRuntimePeer(file, 1);
        Arena arena = Arena.ofConfined()) {
      assertEquals(Set.of(), model.unusedWeights());
      Tensor input = Tensor.allocate(arena, DType.FLOAT32, 1, CONTEXT + FRAME);
      here.input("samples", input);
      for (String part : new String[] {"hidden", "cell"}) {
        // A state is written where the next frame reads it.
        Tensor state = Tensor.allocate(arena, DType.FLOAT32, 1, STATE);
        here.input(part, state);
        here.output("lstm." + part, state);
      }
      there.input("sr", Tensor.ofLongs(arena, new long[] {16_000}).reshape());
      there.input("state", Tensor.allocate(arena, DType.FLOAT32, 2, 1, STATE));
      double worst = 0;
      int heard = 0;
      for (int t = 0; t < frames; t++) {
        for (int i = 0; i < CONTEXT + FRAME; i++) {
          int at = t * FRAME - CONTEXT + i;
          input.setFloat(at < 0 ? 0 : samples[at], 0, i);
        }
        here.run();
        try (Arena step = Arena.ofConfined()) {
          Map<String, Tensor> theirs = there.input("input", input).run(step);
          there.input("state", theirs.get("stateN"));
          double expected = theirs.get("output").getFloat(0, 0);
          double ours = here.output("probability").getFloat(0);
          assertEquals(expected, ours, ALLOWED, "frame " + t);
          worst = Math.max(worst, Math.abs(expected - ours));
          heard += expected > 0.5 ? 1 : 0;
        }
      }
      System.out.printf(
          Locale.ROOT,
          "silero_vad_16k.safetensors: %d frames, at most %.2g apart; speech in %d%n",
          frames,
          worst,
          heard);
      assertTrue(heard > frames / 4 && heard < frames, "speech in " + heard + " of " + frames);
    }
  }

  /** Puts numbers where the file has those of a tensor: a field 9 behind its name. */
  private static void replace(byte[] file, String name, Tensor tensor) {
    float[] numbers = tensor.toFloats();
    int size = numbers.length * Float.BYTES;
    byte[] title = name.getBytes(StandardCharsets.UTF_8);
    ByteBuffer mark = ByteBuffer.allocate(title.length + 6).put(title).put((byte) (9 << 3 | 2));
    int rest = size;
    for (; rest >= 0x80; rest >>= 7) {
      mark.put((byte) (rest & 0x7f | 0x80));
    }
    mark.put((byte) rest);
    byte[] wanted = Arrays.copyOf(mark.array(), mark.position());
    int found = -1;
    for (int at = 0; at + wanted.length + size <= file.length; at++) {
      if (Arrays.equals(wanted, 0, wanted.length, file, at, at + wanted.length)) {
        assertEquals(-1, found, name + " is there twice");
        found = at;
      }
    }
    assertTrue(found >= 0, name + " is not there");
    ByteBuffer into = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    into.position(found + wanted.length);
    for (float number : numbers) {
      into.putFloat(number);
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

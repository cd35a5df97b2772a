package io.gatun.examples;

import io.gatun.format.OnnxModel;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/** The example of docs/onnx.md: a network that hears speech, frame by frame. */
final class Speech {
  private Speech() {}

  /** The probability of speech in each frame of 512 samples, at 16 kHz. */
  static float[] heard(Path file, float[] samples) throws IOException {
    try (OnnxModel model = OnnxModel.open(file);
        Plan plan = Plan.of(model.graph());
        Execution hearing = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      Tensor frame = Tensor.allocate(arena, DType.FLOAT32, 1, 64 + 512);
      Tensor state = Tensor.allocate(arena, DType.FLOAT32, 2, 1, 128);
      hearing.input("input", frame);
      hearing.input("sr", Tensor.ofLongs(arena, new long[] {16_000}));
      // The state is written where the next frame reads it.
      hearing.input("state", state).output("stateN", state);

      float[] speech = new float[samples.length / 512];
      for (int t = 0; t < speech.length; t++) {
        for (int i = 0; i < 64 + 512; i++) {
          int at = t * 512 - 64 + i;
          frame.setFloat(at < 0 ? 0 : samples[at], 0, i);
        }
        hearing.run();
        speech[t] = hearing.output("output").getFloat(0, 0);
      }
      return speech;
    }
  }
}

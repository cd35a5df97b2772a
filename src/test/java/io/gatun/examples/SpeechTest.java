package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The example of docs/onnx.md hears what it should. */
class SpeechTest {
  @Test
  void silenceIsNotSpeech() throws IOException {
    Path folder = Shared.path("models/silero_vad");
    float[] heard = Speech.heard(folder.resolve("silero_vad_16k_op15.onnx"), new float[512 * 20]);
    List<String> speech =
        Files.readAllLines(folder.resolve("expected_ort1.22_silero_vad_16k_op15.txt"));
    assertEquals(20, heard.length);
    assertEquals(0, heard[19], 0.1, "of a minute of speech it is " + speech.get(19));
  }
}

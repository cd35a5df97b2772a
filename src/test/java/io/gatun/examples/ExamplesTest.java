package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ExamplesTest {

  @Test
  void theRunningSumOfTheNotationSums() {
    assertArrayEquals(new float[] {3, -1, 4, 4}, RunningSum.of(3, -4, 5, 0));
  }

  @Test
  void theReadmesExampleSpellsAndGivesTheEncodersState() throws Exception {
    Path weights = Shared.path("models/g2p_en/checkpoint20.npz");
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    float[] state;
    try {
      state = Spelling.spell(Path.of("../examples/g2p_en"), weights);
    } finally {
      System.setOut(before);
    }
    assertEquals(
        "P AE2 L IY0 AH0 N T AA1 L AH0 JH IY0", printed.toString(StandardCharsets.UTF_8).strip());
    assertEquals(256, state.length);
  }
}

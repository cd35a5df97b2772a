package io.gatun.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

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
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    float[] state;
    try {
      state = Spelling.spell(Path.of("../examples/pronunciation"));
    } finally {
      System.setOut(before);
    }
    assertEquals(
        "P EY L IY AH N T AA L AH JH IY", printed.toString(StandardCharsets.UTF_8).strip());
    assertEquals(288, state.length);
  }
}

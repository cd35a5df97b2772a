package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.gatun.Shared;
import org.junit.jupiter.api.Test;

/** Lines in, classes out. */
class ClassifyTest {
  private static Run classify(String... more) {
    String[] args = new String[3 + more.length];
    args[0] = "classify";
    args[1] = Shared.project().resolve("examples/names").toString();
    args[2] = "--scores";
    System.arraycopy(more, 0, args, 3, more.length);
    Run run = Run.with("Kowalski\nNguyen\n", args);
    assertEquals(ExitCode.OK, run.code(), run.err());
    return run;
  }

  @Test
  void smallerWeightsFindTheSameClassesWithOtherProbabilities() {
    String plain = classify().out();
    String small = classify("--weight-format", "int8").out();
    assertEquals(plain.replaceAll("[0-9.]+", "#"), small.replaceAll("[0-9.]+", "#"));
    assertNotEquals(plain, small);
  }
}

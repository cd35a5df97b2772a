package io.gatun.jmh.peer;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The recurrent layers of {@link Comparison} alone; its options hold here too. */
public final class SideBySide {
  private SideBySide() {}

  /** Runs it. */
  public static void main(String[] args) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("--only=layers"));
    all.addAll(Arrays.asList(args));
    Comparison.main(all.toArray(new String[0]));
  }
}

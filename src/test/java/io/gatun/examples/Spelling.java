package io.gatun.examples;

import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/** The example of README.md: an encoder–decoder answers, and its encoder's state is a feature. */
final class Spelling {
  private Spelling() {}

  static float[] spell(Path folder) throws IOException {
    try (Model model = ModelFolder.open(folder); // examples/pronunciation
        Translator translator = Translator.of(model);
        Plan plan = Plan.of(model.encoder(), "encoder.gru2.hidden");
        Execution run = plan.newExecution();
        Arena arena = Arena.ofConfined()) {
      System.out.println(translator.translate("paleontology"));

      // The same network, stopped at an inner value: h(T), the summary of the word.
      int[] letters = model.source().orElseThrow().encode("paleontology");
      run.input("tokens", Tensor.ofInts(arena, letters, letters.length, 1));
      run.input("lengths", Tensor.ofInts(arena, new int[] {letters.length}, 1));
      run.run();
      return run.output("encoder.gru2.hidden").toFloats();
    }
  }
}

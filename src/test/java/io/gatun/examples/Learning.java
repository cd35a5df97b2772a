package io.gatun.examples;

import io.gatun.training.Trainer;
import io.gatun.training.TrainingConfig;
import io.gatun.training.TrainingListener;
import io.gatun.training.TrainingProgress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** What docs/training.md shows. */
final class Learning {
  private Learning() {}

  static Map<String, Double> learn(Path file) throws IOException {
    TrainingConfig config = TrainingConfig.read(file); // and its data
    try (Trainer trainer = new Trainer(config)) {
      return trainer.train(
          false, // does not go on from a checkpoint
          new TrainingListener() {
            @Override
            public void validated(TrainingProgress progress) {
              System.out.println(progress.epoch() + ": " + progress.loss());
            }
          });
    }
  }
}

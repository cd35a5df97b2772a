package io.gatun.examples;

import io.gatun.batch.NpyFiles;
import io.gatun.format.Model;
import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Gradients;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.layer.Layers;
import io.gatun.representation.Detectors;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.representation.Extraction;
import io.gatun.representation.Feed;
import io.gatun.representation.Pooling;
import io.gatun.representation.Progress;
import io.gatun.representation.Saliency;
import io.gatun.representation.UnitStatistics;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;

/** The examples of docs/representations.md. */
final class Features {
  private Features() {}

  static long write(Model model, ExampleReader examples, Path folder) throws IOException {
    Feed feed = Feed.of(model.network());
    try (Extraction extraction = Extraction.of(feed, List.of("conv*", "scores"), Pooling.MEAN);
        NpyFiles files = new NpyFiles(folder)) {
      long count = extraction.run(examples, files, Progress.NONE);
      files.commit();
      return count;
    }
  }

  static float[] inPlace(Model model, Tensor images) {
    try (Plan plan = Plan.of(model.network(), "conv2", "conv3");
        Execution run = plan.newExecution()) {
      run.input("image", images).run();
      Tensor conv2 = run.output("conv2"); // a view of the execution's own memory: no copy
      Tensor conv3 = run.output("conv3"); // until the next run
      return new float[] {conv2.getFloat(0, 0, 3, 3), conv3.getFloat(0, 0, 2, 2)};
    }
  }

  static BitSet[] detected(Model model, ExampleReader examples) throws IOException {
    Feed feed = Feed.of(model.network());
    try (Detectors detectors = Detectors.of(feed, List.of("conv2"), 9);
        Saliency saliency = Saliency.of(feed, "conv2", "image")) {
      UnitStatistics conv2 = detectors.run(examples, Progress.NONE).get(0);
      UnitStatistics.Top best = conv2.top(7).get(0);
      BitSet[] patch = detectors.patch(0, best); // channels, rows and columns that it saw
      float[] counts = saliency.integratedGradients(best.example(), 7, best.position(), 32);
      Example image = best.example(); // counts[i] is the share of image.numbers()[i]
      return counts.length == image.numbers().length ? patch : null;
    }
  }

  /** Learns another question about the same images, on what the network makes of them already. */
  static float newHead(Model model, Tensor images, Tensor classes, Arena arena) {
    Graph.Builder part = model.network().part(List.of(), List.of("conv3"));
    Value features = Layers.flatten(part, "features", part.find("conv3"));
    Tensor weight = Tensor.allocate(arena, DType.FLOAT32, 1024, 2);
    Value head =
        part.node(
            "head", "MatMul", Attributes.NONE, features, part.constant("head.weight", weight));
    Value labels = part.input("labels", DType.INT32, "batch");
    part.node("loss", "CrossEntropy", Attributes.NONE, head, labels);

    // Only the head is a parameter, so what is below it stays as it is.
    Gradients gradients = Gradients.of(part.build(), "loss", "head.weight");
    float loss = 0;
    try (Plan plan = Plan.of(gradients.graph());
        Execution step = plan.newExecution()) {
      step.input("image", images).input("labels", classes).input("head.weight", weight);
      for (int i = 0; i < 100; i++) {
        step.run();
        loss = step.output("loss").toFloats()[0];
        float[] slope = step.output(gradients.name("head.weight")).toFloats();
        for (int k = 0; k < slope.length; k++) {
          weight.setFloat(weight.getFloat(k / 2, k % 2) - 0.05f * slope[k], k / 2, k % 2);
        }
      }
    }
    return loss;
  }
}

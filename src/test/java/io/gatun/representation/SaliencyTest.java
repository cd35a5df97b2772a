package io.gatun.representation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Gradients against differences, integrated gradients against what they must sum to. */
class SaliencyTest {
  private static Model open(String example) throws IOException {
    return ModelFolder.open(Shared.project().resolve("examples/" + example));
  }

  private static void checkGradient(Saliency saliency, Example example, int unit, long position) {
    float[] x = saliency.source(example);
    float[] gradient = saliency.gradient(example, unit, position);
    assertEquals(x.length, gradient.length);
    double sum = 0;
    double scale = 0;
    float[] there = x.clone();
    float[] back = x.clone();
    // Along the gradient itself, where the difference is largest, and by its square.
    for (int i = 0; i < x.length; i++) {
      sum += (double) gradient[i] * gradient[i];
      scale = Math.max(scale, Math.abs(gradient[i]));
    }
    double step = 1e-3 / Math.sqrt(sum);
    for (int i = 0; i < x.length; i++) {
      there[i] += (float) (step * gradient[i]);
      back[i] -= (float) (step * gradient[i]);
    }
    double difference =
        (saliency.activation(example, there, unit, position)
                - (double) saliency.activation(example, back, unit, position))
            / (2 * step);
    assertTrue(scale > 0);
    assertEquals(sum, difference, 0.02 * sum);
  }

  private static void checkIntegrated(Saliency saliency, Example example, int unit, long position) {
    float[] x = saliency.source(example);
    double sum = 0;
    for (float share : saliency.integratedGradients(example, unit, position, 256)) {
      sum += share;
    }
    double whole = saliency.activation(example, x, unit, position);
    double nothing = saliency.activation(example, new float[x.length], unit, position);
    assertEquals(whole - nothing, sum, 0.01 * Math.max(1, Math.abs(whole - nothing)));
  }

  @Test
  void ofAnImage() throws IOException {
    try (Model model = open("digits");
        Saliency scores = Saliency.of(Feed.of(model.network()), "scores", "image");
        Saliency inner = Saliency.of(Feed.of(model.network()), "conv2", "image")) {
      Example zero = ExtractionTest.images().get(0);
      checkGradient(scores, zero, 0, 0);
      checkIntegrated(scores, zero, 0, 0);
      UnitStatistics.Top top = best(model, "conv2", zero, 5);
      checkIntegrated(inner, zero, 5, top.position());
      // What lies outside the receptive field has no gradient, and its loss does not count.
      try (Detectors detectors = Detectors.of(Feed.of(model.network()), List.of("conv2"), 1)) {
        java.util.BitSet[] patch = detectors.patch(0, top);
        float[] gradient = inner.gradient(zero, 5, top.position());
        float[] lost = inner.occlusion(zero, 5, top.position(), 1, 1);
        for (int y = 0; y < 28; y++) {
          for (int x = 0; x < 28; x++) {
            if (!(patch[1].get(y) && patch[2].get(x))) {
              assertEquals(0, gradient[y * 28 + x]);
              assertEquals(0, lost[y * 28 + x]);
            }
          }
        }
      }
    }
  }

  private static UnitStatistics.Top best(Model model, String value, Example example, int unit)
      throws IOException {
    try (Detectors detectors = Detectors.of(Feed.of(model.network()), List.of(value), 1)) {
      return detectors
          .run(ExampleReader.of(List.of(example)), Progress.NONE)
          .get(0)
          .top(unit)
          .get(0);
    }
  }

  @Test
  void ofEmbeddedCharacters() throws IOException {
    try (Model model = open("names");
        Saliency scores = Saliency.of(Feed.of(model.network()), "scores", "embedding")) {
      int[] tokens = model.source().orElseThrow().encode("Papadopoulos");
      Example name = Example.ofTokens(0, "1", "Papadopoulos", tokens, Optional.empty());
      int greek = model.labels().orElseThrow().id("Greek");
      checkGradient(scores, name, greek, 0);
      checkIntegrated(scores, name, greek, 0);
      float[] lost = scores.occlusion(name, greek, 0, 1, 1);
      assertEquals(12, lost.length);
      float[] x = scores.source(name);
      java.util.Arrays.fill(x, 2 * 64, 3 * 64, 0);
      assertEquals(
          scores.activation(name, scores.source(name), greek, 0)
              - scores.activation(name, x, greek, 0),
          lost[2],
          1e-5);
    }
  }

  @Test
  void tokensThemselvesHaveNone() throws IOException {
    try (Model model = open("names")) {
      Exception refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> Saliency.of(Feed.of(model.network()), "scores", "tokens"));
      assertTrue(refused.getMessage().contains("has no gradient"), refused.getMessage());
    }
  }
}

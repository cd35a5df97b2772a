package io.gatun.representation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Statistics, the best examples, projections and probes, against what is counted by hand. */
class DetectorsTest {
  private static final int COUNT = 200;
  private static final int STEPS = 5;

  /** Each step of an example gives relu(x), −relu(x) and relu(−1): two units alive and one dead. */
  private static Graph network(Arena arena) {
    Graph.Builder g = Graph.builder("units");
    Value x = g.input("x", DType.FLOAT32, "batch", STEPS, 1);
    Value bent = g.node("bent", "Relu", Attributes.NONE, x);
    Value weights = g.constant("w", Tensor.ofFloats(arena, new float[] {1, -1, 0}, 1, 3));
    Value units = g.node("units", "MatMul", Attributes.NONE, bent, weights);
    g.output(g.node("turned", "Transpose", Attributes.of("perm", new long[] {0, 2, 1}), units));
    return g.build();
  }

  private static List<Example> examples(Random random) {
    List<Example> all = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      float[] numbers = new float[STEPS];
      for (int t = 0; t < STEPS; t++) {
        numbers[t] = (float) random.nextGaussian();
      }
      all.add(
          Example.ofNumbers(i, "example " + i, numbers, new long[] {STEPS, 1}, Optional.empty()));
    }
    return all;
  }

  @Test
  void statisticsAndBestExamplesAreThoseCountedByHand() throws IOException {
    List<Example> all = examples(Seeds.random("detectors"));
    try (Arena arena = Arena.ofConfined();
        Detectors detectors = Detectors.of(Feed.of(network(arena)), List.of("units"), 4)) {
      UnitStatistics of = detectors.run(ExampleReader.of(all), Progress.NONE).get(0);
      // Without an axis of time or planes every number is a unit of its own.
      assertEquals(STEPS * 3, of.units());
      for (int step = 0; step < STEPS; step++) {
        int at = step;
        double[] seen = all.stream().mapToDouble(e -> Math.max(0, e.numbers()[at])).toArray();
        double mean = java.util.Arrays.stream(seen).average().orElseThrow();
        double square =
            java.util.Arrays.stream(seen).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
        assertEquals(mean, of.mean(3 * step), 1e-6);
        assertEquals(Math.sqrt(square), of.deviation(3 * step), 1e-6);
        assertEquals(COUNT, of.count(3 * step));
        assertEquals(
            java.util.Arrays.stream(seen).filter(v -> v > 0).count() / (double) COUNT,
            of.active(3 * step),
            1e-12);
        List<Long> expected =
            all.stream()
                .sorted(
                    Comparator.comparingDouble((Example e) -> -Math.max(0, e.numbers()[at]))
                        .thenComparingLong(Example::number))
                .limit(4)
                .map(Example::number)
                .toList();
        assertEquals(
            expected, of.top(3 * step).stream().map(top -> top.example().number()).toList());
      }
      assertEquals(IntStream.range(0, STEPS).mapToObj(step -> 3 * step + 2).toList(), of.dead());
    }
  }

  @Test
  void ofEqualsTheOneThatCameFirstStays() {
    UnitStatistics of = new UnitStatistics("v", 1, 2);
    for (int i = 0; i < 5; i++) {
      Example example =
          Example.ofNumbers(i, "" + i, new float[1], new long[] {1}, Optional.empty());
      of.add(example, new float[] {i == 3 ? 2 : 1});
    }
    assertEquals(List.of(3L, 0L), of.top(0).stream().map(top -> top.example().number()).toList());
  }

  @Test
  void componentsAreTheDirectionsOfLargestVariance() {
    Random random = Seeds.random("projection");
    float[][] rows = new float[400][6];
    for (float[] row : rows) {
      double a = 5 * random.nextGaussian();
      double b = 2 * random.nextGaussian();
      for (int i = 0; i < 6; i++) {
        row[i] =
            (float)
                (7 + a * (i < 3 ? 1 : 0) + b * (i == 4 ? -1 : 0) + 0.01 * random.nextGaussian());
      }
    }
    Projection projection = Projection.of(rows, 2);
    double[] first = projection.component(0);
    for (int i = 0; i < 3; i++) {
      assertEquals(1 / Math.sqrt(3), first[i], 0.02);
    }
    assertEquals(1, projection.component(1)[4], 0.02);
    assertTrue(projection.explained(0) > projection.explained(1));
    assertEquals(1, projection.explained(0) + projection.explained(1), 1e-3);
    double sum = 0;
    for (float[] row : rows) {
      sum += projection.apply(row)[0];
    }
    assertEquals(0, sum / rows.length, 1e-3);
  }

  @Test
  void aProbeTellsWhatAStraightCutTellsAndNothingElse() {
    Random random = Seeds.random("probe");
    int count = 600;
    float[][] straight = new float[count][2];
    float[][] noise = new float[count][2];
    List<String> labels = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int label = i % 3;
      labels.add("class " + label);
      straight[i][0] = (float) (4 * Math.cos(label * 2.1) + random.nextGaussian());
      straight[i][1] = (float) (400 + 40 * Math.sin(label * 2.1) + 10 * random.nextGaussian());
      noise[i][0] = (float) random.nextGaussian();
      noise[i][1] = (float) random.nextGaussian();
    }
    LinearProbe told = LinearProbe.of(straight, labels);
    assertEquals(3, told.classes());
    assertEquals(180, told.held());
    assertEquals(1.0 / 3, told.chance(), 0.01);
    assertTrue(told.accuracy() > 0.93, told.toString());
    LinearProbe guessed = LinearProbe.of(noise, labels);
    assertTrue(guessed.accuracy() < 0.5, guessed.toString());
    Exception refused =
        assertThrows(
            IllegalArgumentException.class, () -> LinearProbe.of(noise, labels.subList(0, 9)));
    assertEquals("9 labels for 600 examples", refused.getMessage());
  }
}

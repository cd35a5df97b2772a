package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Settings are checked when they are put together. */
class GenerationOptionsTest {
  private record Wrong(String message, Consumer<GenerationOptions.Builder> setting) {}

  @Test
  void whatIsOutOfRangeIsNamedWithItsRange() {
    List<Wrong> all =
        List.of(
            new Wrong("beam width is 0, expected 1 to 10000", b -> b.beamWidth(0)),
            new Wrong("beam width is 10001", b -> b.beamWidth(10_001)),
            new Wrong("n-best is 3, expected 1 to 2", b -> b.beamWidth(2).nBest(3)),
            new Wrong("n-best is 0", b -> b.nBest(0)),
            new Wrong("patience is 0.0", b -> b.patience(0)),
            new Wrong("patience is NaN", b -> b.patience(Double.NaN)),
            new Wrong("maximum length is -1", b -> b.maxLength(-1)),
            new Wrong("minimum length is 6, expected 0 to 5", b -> b.maxLength(5).minLength(6)),
            new Wrong("no-repeat n-gram is -2", b -> b.noRepeatNgram(-2)),
            new Wrong("temperature is 0.0", b -> b.temperature(0)),
            new Wrong("temperature is NaN", b -> b.temperature(Double.NaN)),
            new Wrong("top-k is -1", b -> b.topK(-1)),
            new Wrong("top-p is 1.5", b -> b.topP(1.5)),
            new Wrong("top-p is 0.0", b -> b.topP(0)),
            new Wrong("beam width is 2, expected 1 when", b -> b.sampling(true).beamWidth(2)),
            new Wrong("suppressed token is -1", b -> b.suppress(3, -1)),
            new Wrong("end token is -5", b -> b.endTokens(-5)),
            new Wrong("length penalty is null", b -> b.lengthPenalty(null)));
    for (Wrong each : all) {
      GenerationOptions.Builder builder = GenerationOptions.builder();
      each.setting.accept(builder);
      String message =
          assertThrows(IllegalArgumentException.class, builder::build, each.message).getMessage();
      assertTrue(message.contains(each.message), message);
    }
    assertThrows(IllegalArgumentException.class, () -> LengthPenalty.gnmt(-1));
    assertThrows(IllegalArgumentException.class, () -> LengthPenalty.power(Double.NaN));
  }

  @Test
  void theDefaultsAreGreedy() {
    GenerationOptions options = GenerationOptions.GREEDY;
    assertEquals(1, options.beamWidth());
    assertEquals(1, options.nBest());
    assertEquals(256, options.maxLength());
    assertEquals(0, options.minLength());
    assertEquals(LengthPenalty.NONE, options.lengthPenalty());
    assertFalse(options.sampling());
    assertNull(options.endTokens());
    assertNull(options.listener());
  }

  @Test
  void aBuilderMadeFromOptionsMakesTheSame() {
    GenerationOptions options =
        GenerationOptions.builder()
            .beamWidth(4)
            .nBest(2)
            .patience(1.5)
            .exhaustive(true)
            .lengthPenalty(LengthPenalty.gnmt(0.6))
            .minLength(2)
            .maxLength(9)
            .endTokens(5, 4, 5)
            .suppress(7, 1)
            .noRepeatNgram(3)
            .temperature(0.5)
            .topK(3)
            .topP(0.9)
            .seed(11)
            .logProbabilities(true)
            .attention(true)
            .build();
    GenerationOptions same = options.toBuilder().build();
    assertEquals(4, same.beamWidth());
    assertEquals(2, same.nBest());
    assertEquals(1.5, same.patience());
    assertTrue(same.exhaustive());
    assertEquals(LengthPenalty.gnmt(0.6), same.lengthPenalty());
    assertEquals(2, same.minLength());
    assertEquals(9, same.maxLength());
    assertArrayEquals(new int[] {4, 5}, same.endTokens());
    assertArrayEquals(new int[] {1, 7}, same.suppressed());
    assertEquals(3, same.noRepeatNgram());
    assertEquals(0.5, same.temperature());
    assertEquals(3, same.topK());
    assertEquals(0.9, same.topP());
    assertEquals(11, same.seed());
    assertTrue(same.logProbabilities());
    assertTrue(same.attention());
  }

  @Test
  void lengthPenaltiesAreTheirFormulas() {
    assertEquals(-6, LengthPenalty.NONE.score(-6, 4));
    assertEquals(-1.5, LengthPenalty.power(1).score(-6, 4), 1e-15);
    assertEquals(-6 / Math.pow(9.0 / 6, 0.6), LengthPenalty.gnmt(0.6).score(-6, 4), 1e-15);
    assertEquals(-6, LengthPenalty.power(2).score(-6, 0));
  }
}

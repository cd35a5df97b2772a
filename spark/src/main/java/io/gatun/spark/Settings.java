package io.gatun.spark;

import io.gatun.batch.BatchOptions;
import io.gatun.job.OnError;
import io.gatun.kernel.WeightFormat;
import io.gatun.representation.Pooling;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.LengthPenalty;
import java.io.Serializable;
import java.util.List;

/**
 * All that a task on another machine has to know. Each generation setting is null where unsaid, and
 * what is wanted where it is not representations.
 */
record Settings(
    Kind kind,
    Wanted wanted,
    String model,
    String weights,
    String device,
    WeightFormat weightFormat,
    OnError onError,
    int batchTokens,
    int windowRecords,
    Integer beam,
    Integer nBest,
    Integer maxLength,
    Integer minLength,
    Double lengthPenalty,
    Integer noRepeatNgram,
    boolean sample,
    Double temperature,
    Integer topK,
    Double topP,
    Long seed)
    implements Serializable {

  /** What is asked of the network. */
  enum Kind {
    TRANSLATE,
    CLASSIFY,
    REPRESENT
  }

  /**
   * Which representations.
   *
   * @param values names and patterns of values
   * @param pool what is kept of their positions, as {@link Pooling#parse} reads it
   */
  record Wanted(List<String> values, String pool) implements Serializable {
    Pooling pooling() {
      return Pooling.parse(pool);
    }
  }

  /** How many answers a row has at most. */
  int answers() {
    return nBest == null ? 1 : nBest;
  }

  BatchOptions batch() {
    return BatchOptions.builder().batchTokens(batchTokens).windowRecords(windowRecords).build();
  }

  /**
   * Sets what was said, on top of what the model's makers want, as the command {@code translate}
   * does: more than one answer needs a beam of as many.
   */
  GenerationOptions generation(GenerationOptions.Builder options) {
    options.nBest(answers());
    if (beam != null) {
      options.beamWidth(beam);
    } else if (sample) {
      options.beamWidth(1);
    } else if (answers() > 1) {
      options.beamWidth(answers());
    }
    if (maxLength != null) {
      options.maxLength(maxLength);
    }
    if (minLength != null) {
      options.minLength(minLength);
    }
    if (lengthPenalty != null) {
      options.lengthPenalty(LengthPenalty.power(lengthPenalty));
    }
    if (noRepeatNgram != null) {
      options.noRepeatNgram(noRepeatNgram);
    }
    if (sample) {
      options
          .sampling(true)
          .temperature(temperature == null ? 1 : temperature)
          .topK(topK == null ? 0 : topK)
          .topP(topP == null ? 1 : topP)
          .seed(seed == null ? 0 : seed);
    }
    return options.build();
  }
}

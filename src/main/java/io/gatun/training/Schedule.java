package io.gatun.training;

import io.gatun.format.Json;

/**
 * The learning rate of each step: it rises from 0 through {@code warmup} steps to the optimiser's
 * rate, and then follows the type.
 *
 * <pre>
 * constant   stays
 * step       × factor (0.5) every {@code every} steps (an epoch where 0)
 * cosine     falls along half a cosine to {@code minimum} (0) at the last step (Loshchilov and
 *            Hutter 2017)
 * plateau    × factor (0.5) whenever {@code patience} (2) validations in a row bring nothing
 *            better; not below {@code minimum}
 * </pre>
 *
 * @param type constant, step, cosine or plateau
 * @param warmup steps of the rise
 * @param factor what the rate is multiplied by
 * @param every steps between two changes; 0 for an epoch
 * @param patience validations without anything better
 * @param minimum the least rate
 */
record Schedule(String type, int warmup, double factor, int every, int patience, double minimum) {

  static Schedule read(Json.Fields fields) {
    Schedule schedule =
        new Schedule(
            fields
                .find("type")
                .map(t -> t.oneOf("constant", "step", "cosine", "plateau"))
                .orElse("constant"),
            fields.integer("warmup", 0, 0),
            TrainingConfig.number(
                fields, "factor", 0.5, value -> value > 0 && value <= 1, "more than 0, at most 1"),
            fields.integer("every", 0, 0),
            fields.integer("patience", 1, 2),
            TrainingConfig.number(fields, "minimum", 0, value -> value >= 0, "0 or more"));
    fields.done();
    return schedule;
  }

  /**
   * The rate of a step.
   *
   * @param base the optimiser's rate
   * @param step counted from 1
   * @param epochSteps steps of an epoch
   * @param lastStep the last step there will be
   * @param plateaus how often the metric has come to a standstill
   */
  double rate(double base, long step, long epochSteps, long lastStep, int plateaus) {
    if (step <= warmup) {
      return base * step / warmup;
    }
    return switch (type) {
      case "step" -> {
        long drops = (step - 1) / (every > 0 ? every : epochSteps);
        yield Math.max(minimum, base * Math.pow(factor, (double) drops));
      }
      case "cosine" -> {
        double part = Math.min(1, (double) (step - warmup) / Math.max(1, lastStep - warmup));
        yield minimum + (base - minimum) * (1 + Math.cos(Math.PI * part)) / 2;
      }
      case "plateau" -> Math.max(minimum, base * Math.pow(factor, plateaus));
      default -> base;
    };
  }
}

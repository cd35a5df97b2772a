package io.gatun.training;

import static io.gatun.training.TrainingConfig.number;

import io.gatun.format.Json;
import io.gatun.kernel.OptimiserStep;
import java.util.function.DoublePredicate;

/**
 * Which rule changes the parameters: {@code sgd} (Robbins and Monro; momentum of Polyak, or
 * Nesterov's), {@code adam} (Kingma and Ba 2015; its weight decay is that of the loss) or {@code
 * adamw} (Loshchilov and Hutter 2019). The equations are those of {@link OptimiserStep}.
 *
 * @param rule the equations
 * @param rate the learning rate, before the schedule
 * @param first momentum, or β₁
 * @param second β₂
 * @param epsilon what is added to the root of the second moment
 * @param decay weight decay
 * @param nesterov whether momentum looks ahead
 */
record Optimiser(
    OptimiserStep.Rule rule,
    double rate,
    double first,
    double second,
    double epsilon,
    double decay,
    boolean nesterov) {

  static Optimiser read(Json.Fields fields) {
    OptimiserStep.Rule rule =
        switch (fields.find("type").map(t -> t.oneOf("sgd", "adam", "adamw")).orElse("adam")) {
          case "sgd" -> OptimiserStep.Rule.SGD;
          case "adam" -> OptimiserStep.Rule.ADAM;
          default -> OptimiserStep.Rule.ADAMW;
        };
    boolean sgd = rule == OptimiserStep.Rule.SGD;
    DoublePredicate share = value -> value >= 0 && value < 1;
    String below = "0 or more, less than 1";
    DoublePredicate positive = value -> value > 0;
    DoublePredicate least = value -> value >= 0;
    Optimiser optimiser =
        new Optimiser(
            rule,
            number(fields, "learning_rate", sgd ? 0.1 : 1e-3, positive, "more than 0"),
            number(fields, sgd ? "momentum" : "beta1", sgd ? 0 : 0.9, share, below),
            sgd ? 0 : number(fields, "beta2", 0.999, share, below),
            sgd ? 0 : number(fields, "epsilon", 1e-8, positive, "more than 0"),
            number(
                fields,
                "weight_decay",
                rule == OptimiserStep.Rule.ADAMW ? 0.01 : 0,
                least,
                "0 or more"),
            sgd && fields.bool("nesterov", false));
    fields.done();
    return optimiser;
  }

  /** The step of a number, counted from 1, at a rate. */
  OptimiserStep step(long number, double rateNow, double gradientScale) {
    return new OptimiserStep(
        rule,
        rateNow,
        first,
        second,
        epsilon,
        decay,
        nesterov,
        gradientScale,
        1 - Math.pow(first, (double) number),
        1 - Math.pow(second, (double) number));
  }
}
